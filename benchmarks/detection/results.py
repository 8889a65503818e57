"""The results of each tenant, in files, so that a stopped run continues where it was."""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.detection.scoring import CampaignRow, Forecast, Forecasts, TenantRow, Trial


@dataclass(frozen=True)
class Results:
    """The rows of some detectors on some tenants, and our forecasts if there are any."""

    campaigns: list[CampaignRow] = field(default_factory=list)
    tenants: list[TenantRow] = field(default_factory=list)
    forecasts: Forecasts = field(default_factory=Forecasts)

    def write(self, path: Path) -> None:
        """Write a file completely or not at all."""
        unfinished = path.with_suffix(".part")
        unfinished.write_text(json.dumps(asdict(self)), encoding="utf-8")
        os.replace(unfinished, path)

    @classmethod
    def read(cls, paths: Iterable[Path]) -> "Results":
        """The contents of several files, in their order."""
        found = cls()
        for path in paths:
            rows = json.loads(path.read_text(encoding="utf-8"))
            found.campaigns.extend(_row(CampaignRow, row) for row in rows["campaigns"])
            found.tenants.extend(_row(TenantRow, row) for row in rows["tenants"])
            for kind, given in rows["forecasts"].items():
                getattr(found.forecasts, kind).extend(Forecast(*each) for each in given)
        return found


def path_of(folder: Path, scenario: str, seed: int, part: str) -> Path:
    """The path of one part of the results of one tenant."""
    return folder / f"{scenario.replace(', ', '-').replace(' ', '-')}-{seed}-{part}.json"


def _row(kind: Callable[..., Any], values: dict[str, Any]) -> Any:
    return kind(**{**values, "trial": Trial(**values["trial"])})
