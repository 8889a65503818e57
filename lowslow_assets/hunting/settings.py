"""The parameters of a hunt."""

import hashlib
import json
from dataclasses import asdict, dataclass, field

from lowslow_assets.detection.pruning import PruningRules
from lowslow_assets.settings import CAMPAIGNS, NOTEBOOK

RULES_VERSION = 3
"""Raised when a change of the rules by which a hunt judges changes what its tables say."""


@dataclass(frozen=True)
class HuntSettings:
    """What a hunt depends on beside the lake.

    ``components``, ``restarts`` and ``seed`` are those of the notebook's fit; of ``pruning`` our
    own way to hunt knows only the assignment probability.
    """

    lookback_days: int = 240
    preset: str = CAMPAIGNS
    components: int = 10
    restarts: int = 10
    seed: int = 0
    pruning: PruningRules = field(default_factory=PruningRules)

    @property
    def of_notebook(self) -> bool:
        """Whether the hunt is the guided-hunting notebook's own."""
        return self.preset == NOTEBOOK

    @property
    def digest(self) -> str:
        """Changes when any of them does, or the rules."""
        described = json.dumps([RULES_VERSION, asdict(self)], sort_keys=True)
        return hashlib.sha256(described.encode()).hexdigest()[:12]
