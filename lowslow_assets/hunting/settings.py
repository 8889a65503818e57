"""The parameters of a hunt."""

import hashlib
import json
from dataclasses import asdict, dataclass, field

from lowslow_assets.detection.known_sources import KnownSource
from lowslow_assets.detection.pruning import PruningRules
from lowslow_assets.settings import CAMPAIGNS, NOTEBOOK, Thresholds

RULES_VERSION = 13
"""Raised when a change of a hunt's rules changes the contents of its tables."""


@dataclass(frozen=True)
class HuntSettings:
    """What a hunt depends on besides the lake.

    ``components``, ``restarts`` and ``seed`` belong to the notebook's fit. Our own hunt uses only
    the assignment probability of ``pruning``.
    """

    lookback_days: int = 240
    preset: str = CAMPAIGNS
    components: int = 10
    restarts: int = 10
    seed: int = 0
    pruning: PruningRules = field(default_factory=PruningRules)
    thresholds: Thresholds = field(default_factory=Thresholds)
    known_sources: tuple[KnownSource, ...] = ()

    @property
    def of_notebook(self) -> bool:
        """Whether the hunt is the guided-hunting notebook's own."""
        return self.preset == NOTEBOOK

    @property
    def digest(self) -> str:
        """A digest that changes when any of the settings or the rules changes."""
        described = json.dumps([RULES_VERSION, asdict(self)], sort_keys=True, default=str)
        return hashlib.sha256(described.encode()).hexdigest()[:12]
