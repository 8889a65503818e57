"""The comparison for people: two tables in Markdown and one picture.

All are made from the rows of `benchmarks.detection.scoring` over scenarios, seeds and detectors.
Scenarios and detectors keep the order in which the rows first have them: pass ours first. A
scenario without campaigns is a *quiet* one.
"""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from benchmarks.detection.scoring import CampaignRow, TenantRow

_INK, _PAPER, _ERROR = "#1f3a5f", "#eef1f5", "#c8553d"
_NOTHING = "–"


def detectors_table(campaigns: Sequence[CampaignRow], tenants: Sequence[TenantRow]) -> str:
    """One row per detector, over all scenarios and seeds.

    Share, purity and the first day are medians over the campaigns it found (share in any alert:
    over all). False incidents are totals and, in brackets, how many a tenant. Successes named is
    recall over the entered accounts and precision over the accounts named, quiet tenants
    included.
    """
    header = (
        *("detector", "campaigns found", "median share", "median purity", "median first day"),
        *("median share in any alert", "false incidents, with a spray", "false incidents, quiet"),
        *("entered accounts named", "of the named, right"),
    )
    rows = []
    for detector in _distinct(row.trial.detector for row in tenants):
        own = [row for row in campaigns if row.trial.detector == detector]
        found = [row for row in own if row.found]
        at = [row for row in tenants if row.trial.detector == detector]
        rows.append(
            (
                detector,
                f"{len(found)} of {len(own)}",
                _median(row.share for row in found),
                _median(row.purity for row in found),
                _median((row.first_day for row in found), ".0f"),
                _median(row.share_in_any for row in own),
                _false([row for row in at if row.planted]),
                _false([row for row in at if not row.planted]),
                _part(sum(row.entered_named for row in own), sum(row.entered for row in own)),
                _part(sum(row.named_right for row in at), sum(row.named for row in at)),
            )
        )
    return _markdown(header, rows)


RATE_BANDS = {"under 1": 1.0, "1 to 4": 4.0, "4 to 12": 12.0, "12 and more": float("inf")}
"""Attempts a day by the average of a campaign's week, each band up to its limit (excluded)."""


def rate_band(row: CampaignRow) -> str:
    """The band of a campaign's rate."""
    rate = row.rate or 0.0
    return next(name for name, limit in RATE_BANDS.items() if rate < limit)


def found_table(
    campaigns: Sequence[CampaignRow], title: str, group: Callable[[CampaignRow], str]
) -> str:
    """One row per group of campaigns, one column per detector: how many it found."""
    detectors = _distinct(row.trial.detector for row in campaigns)
    bands = [*RATE_BANDS]
    groups = sorted(
        _distinct(map(group, campaigns)),
        key=lambda name: (bands.index(name) if name in bands else 0, name),
    )
    rows = []
    for name in groups:
        here = [row for row in campaigns if group(row) == name]
        own = [[row.found for row in here if row.trial.detector == each] for each in detectors]
        rows.append((name, *(f"{sum(found)} of {len(found)}" for found in own)))
    return _markdown((title, *detectors), rows)


def scenarios_table(
    campaigns: Sequence[CampaignRow], tenants: Sequence[TenantRow], detector: str
) -> str:
    """One row per scenario, for one detector, over its seeds (and campaigns, where it has several).

    Share and purity are the lowest and the median over the campaigns found. The first day counts
    from the campaign's tenant's first, also where the campaign begins later.
    """
    header = (
        *("scenario", "found", "share, min..median", "purity, min..median", "median first day"),
        *("false incidents", "two in one", "entered accounts named", "of the named, right"),
    )
    at = [row for row in tenants if row.trial.detector == detector]
    rows = []
    for scenario in _distinct(row.trial.scenario for row in at):
        own = [row for row in campaigns if row.trial.detector == detector]
        own = [row for row in own if row.trial.scenario == scenario]
        found = [row for row in own if row.found]
        here = [row for row in at if row.trial.scenario == scenario]
        rows.append(
            (
                scenario,
                f"{len(found)} of {len(own)}" if own else _NOTHING,
                _least_and_median([row.share for row in found]),
                _least_and_median([row.purity for row in found if row.purity is not None]),
                _median((row.first_day for row in found), ".0f"),
                _false(here),
                str(sum(row.merged for row in here)) if len(own) > len(here) else _NOTHING,
                _part(sum(row.entered_named for row in own), sum(row.entered for row in own)),
                _part(sum(row.named_right for row in here), sum(row.named for row in here)),
            )
        )
    return _markdown(header, rows)


def heat_map(campaigns: Sequence[CampaignRow], tenants: Sequence[TenantRow], path: Path) -> None:
    """Save a PNG: scenarios by detectors, the share of a campaign's failures in its one incident.

    A cell's number and colour are the median over the campaigns found, blank where none was;
    where only some were, it says how many. Below are the false incidents a tenant.
    """
    scenarios = _distinct(row.trial.scenario for row in campaigns)
    detectors = _distinct(row.trial.detector for row in tenants)
    figure = Figure(
        figsize=(1.45 * len(detectors) + 2.4, 0.42 * len(scenarios) + 2.6), layout="constrained"
    )
    axes, strip = figure.subplots(
        2, 1, sharex=True, gridspec_kw={"height_ratios": [len(scenarios), 2.2]}
    )
    shares = np.full((len(scenarios), len(detectors)), np.nan)
    for y, scenario in enumerate(scenarios):
        for x, detector in enumerate(detectors):
            cell = [
                row
                for row in campaigns
                if (row.trial.scenario, row.trial.detector) == (scenario, detector)
            ]
            found = [row.share for row in cell if row.found]
            if found:
                shares[y, x] = median(found)
                part = "" if len(found) == len(cell) else f"  ({len(found)} of {len(cell)})"
                text = f"{shares[y, x]:.2f}{part}"
                ink = "white" if shares[y, x] > 0.45 else _INK
                axes.text(x, y, text, ha="center", va="center", fontsize=8, color=ink)
    colours = LinearSegmentedColormap.from_list("share", [_PAPER, _INK])
    colours = colours.with_extremes(bad="white")
    image = axes.imshow(np.ma.masked_invalid(shares), cmap=colours, vmin=0, vmax=1, aspect="auto")
    bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02)
    bar.set_label("share of its failures", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    axes.set_yticks(range(len(scenarios)), scenarios, fontsize=8, parse_math=False)
    axes.set_title("Share of a spray's failures in one incident (blank: not found)", fontsize=10)
    _draw_false(strip, tenants, detectors)
    for each, rows in ((axes, len(scenarios)), (strip, 2)):
        each.tick_params(length=0)
        each.spines[:].set_visible(False)
        each.hlines(np.arange(0.5, rows - 1), -0.5, len(detectors) - 0.5, color=_PAPER, lw=0.8)
        each.vlines(np.arange(0.5, len(detectors) - 1), -0.5, rows - 0.5, color=_PAPER, lw=0.8)
    axes.tick_params(labelbottom=False)
    with path.open("wb") as file:
        FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})


def _draw_false(axes, tenants: Sequence[TenantRow], detectors: Sequence[str]) -> None:
    """Two rows of numbers: false incidents a tenant, where there is a spray and where not."""
    for y, quiet in enumerate((False, True)):
        for x, detector in enumerate(detectors):
            counts = [
                row.false_alerts
                for row in tenants
                if row.trial.detector == detector and (row.planted == 0) == quiet
            ]
            text = f"{sum(counts) / len(counts):.1f}" if counts else _NOTHING
            colour = _ERROR if any(counts) else _INK
            axes.text(x, y, text, ha="center", va="center", fontsize=8, color=colour)
    axes.set_ylim(1.5, -0.5)
    axes.set_yticks((0, 1), ("with a spray", "quiet"), fontsize=8)
    axes.set_title("False incidents a tenant", fontsize=10)
    names = [_wrapped(name) for name in detectors]
    axes.set_xticks(range(len(detectors)), names, fontsize=8, parse_math=False)


def _wrapped(name: str, width: int = 15) -> str:
    """A name on as many lines as it needs."""
    lines = [""]
    for word in name.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return "\n".join(lines)


def _distinct(names: Iterable[str]) -> list[str]:
    """Each name once, in the order of their first."""
    return list(dict.fromkeys(names))


def _median(values: Iterable[float | None], form: str = ".2f") -> str:
    known = [value for value in values if value is not None]
    return format(median(known), form) if known else _NOTHING


def _least_and_median(values: Sequence[float]) -> str:
    return f"{min(values):.2f}..{median(values):.2f}" if values else _NOTHING


def _part(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})" if whole else _NOTHING


def _false(tenants: Sequence[TenantRow]) -> str:
    if not tenants:
        return _NOTHING
    total = sum(row.false_alerts for row in tenants)
    return f"{total} ({total / len(tenants):.1f})"


def _markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
