"""Makes a tenant on disk, once: a generation is complete or missing."""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from lowslow_assets.sample_tenant import truth
from lowslow_assets.sample_tenant.export import Tally, write_day
from lowslow_assets.sample_tenant.signins import LABELS, Rows
from lowslow_assets.sample_tenant.tenant import Tenant
from lowslow_assets.sample_tenant.traffic import draw
from lowslow_assets.sample_tenant.world import World

CAMPAIGNS_FILE, MARKER_FILE = "campaigns.json", "generation.json"
"""The files beside the labels: what was planted, and which generation is complete."""


class SourceNotEmptyError(ValueError):
    """The folder holds something other than the complete tenant that was requested."""


@dataclass
class Summary(Tally):
    """The contents of a generation. `signins` are distinct ids; `by_label` adds up to them."""

    signins: int = 0
    by_label: dict[str, int] = field(default_factory=dict)
    already_there: bool = False


def generate(
    tenant: Tenant,
    source: Path,
    labels: Path,
    progress: Callable[[int, int], None] = lambda done, days: None,
) -> Summary:
    """Write the tenant's export to `source` and its labels (CSV) to `labels`.

    `campaigns.json` and the marker of a complete generation are written beside the labels. If the
    same tenant is already complete there, nothing is written. `progress` is called with the number
    of days done and of all days.
    """
    marker = labels.parent / MARKER_FILE
    source = source.resolve()
    if labels.resolve().is_relative_to(source):
        raise ValueError(f"The labels must lie outside the source folder {source}.")
    if source.exists() and (not source.is_dir() or any(source.iterdir())):
        return _found(tenant, source, marker)
    world, rows = draw(tenant)
    partial = source.with_name(f".{source.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    labels.parent.mkdir(parents=True, exist_ok=True)
    marker.unlink(missing_ok=True)
    tally = _write_days(world, rows, partial, progress)
    truth.write_labels(world, rows, labels)
    truth.write_campaigns(world, rows, labels.parent / CAMPAIGNS_FILE)
    os.replace(partial, source)
    counts = np.bincount(rows["label"], minlength=len(LABELS)).tolist()
    by_label = dict(zip(LABELS, counts, strict=True))
    summary = Summary(**asdict(tally), signins=len(rows), by_label=by_label)
    truth.write_json(marker, {"made": _identity(tenant, source), "summary": asdict(summary)})
    return summary


def _write_days(
    world: World, rows: Rows, folder: Path, progress: Callable[[int, int], None]
) -> Tally:
    """Write day after day, so that only the text of one day is in memory."""
    tally, days = Tally(), world.tenant.days
    edges = np.searchsorted(rows["time"], [world.moment(day) for day in range(days + 1)])
    for day in range(days):
        write_day(world, day, rows[edges[day] : edges[day + 1]], folder, tally)
        progress(day + 1, days)
    return tally


def _identity(tenant: Tenant, source: Path) -> dict[str, str]:
    return {"settings": tenant.digest(), "source": str(source)}


def _found(tenant: Tenant, source: Path, marker: Path) -> Summary:
    """The summary of the same generation that exists; an error if another one does."""
    known = json.loads(marker.read_text(encoding="utf-8")) if marker.exists() else {}
    if known.get("made") != _identity(tenant, source):
        raise SourceNotEmptyError(
            f"{source} is not empty and does not hold this tenant complete: remove it or name"
            " another folder."
        )
    return Summary(**{**known["summary"], "already_there": True})
