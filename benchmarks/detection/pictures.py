"""The comparison as pictures: PNG files made from rows of `benchmarks.detection.scoring`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from benchmarks.detection.reliability import BINS, bins_of, calibration_error, share_interval
from benchmarks.detection.report import NOTHING, distinct, grouped, rate_band, sources_of
from benchmarks.detection.scoring import CampaignRow, Forecast, TenantRow

_INK, _PAPER, _ERROR, _GREY = "#1f3a5f", "#eef1f5", "#c8553d", "#8a94a3"


def heat_map(campaigns: Sequence[CampaignRow], tenants: Sequence[TenantRow], path: Path) -> None:
    """Save a PNG: scenarios by detectors, the share of a campaign's failures in its one incident.

    A cell's number and colour are the median over the campaigns that were found. The cell is blank
    if none was found, and says how many if only some were. Below are the false incidents per
    tenant.
    """
    scenarios = distinct(row.trial.scenario for row in campaigns)
    detectors = distinct(row.trial.detector for row in tenants)
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
    _save(figure, path)


def _draw_false(axes, tenants: Sequence[TenantRow], detectors: Sequence[str]) -> None:
    """Two rows of numbers: false incidents per tenant, with a spray and without one."""
    for y, quiet in enumerate((False, True)):
        for x, detector in enumerate(detectors):
            counts = [
                row.false_alerts
                for row in tenants
                if row.trial.detector == detector and (row.planted == 0) == quiet
            ]
            text = f"{sum(counts) / len(counts):.1f}" if counts else NOTHING
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


def found_picture(campaigns: Sequence[CampaignRow], path: Path) -> None:
    """Save a PNG: the share of campaigns that each detector found, by rate and kind of source.

    There is one panel per band or kind. Intervals are at 95 %. The first detector is highlighted.
    """
    detectors = distinct(row.trial.detector for row in campaigns)
    lines = [("attempts a day: ", rate_band), ("sources: ", sources_of)]
    panels = [
        [(f"{title}{name}", rows) for name, rows in grouped(campaigns, group)]
        for title, group in lines
    ]
    columns = max(map(len, panels))
    figure = Figure(
        figsize=(1.9 * columns + 2.2, 2 * (0.24 * len(detectors) + 0.9)), layout="constrained"
    )
    axes = figure.subplots(2, columns, sharex=True, sharey=True, squeeze=False)
    for line, of_line in zip(axes, panels, strict=True):
        for panel in line[len(of_line) :]:
            panel.set_visible(False)
        for panel, (title, rows) in zip(line, of_line, strict=False):
            _draw_found(panel, rows, detectors)
            number = len({(row.trial.scenario, row.trial.seed, row.campaign) for row in rows})
            panel.set_title(f"{title} ({number})", fontsize=8)
    figure.supxlabel(
        "share of sprays found, with the interval in which it lies at 95 %", fontsize=8
    )
    _save(figure, path)


def _draw_found(axes, campaigns: Sequence[CampaignRow], detectors: Sequence[str]) -> None:
    for y, detector in enumerate(detectors):
        found = [row.found for row in campaigns if row.trial.detector == detector]
        if found:
            colour = _GREY if y else _INK
            axes.hlines(y, *share_interval(sum(found), len(found)), color=colour, lw=1.2)
            axes.plot(sum(found) / len(found), y, "o", color=colour, markersize=5)
    axes.set_xlim(-0.03, 1.03)
    axes.set_ylim(len(detectors) - 0.5, -0.5)
    axes.set_yticks(range(len(detectors)), detectors, fontsize=8, parse_math=False)
    axes.set_xticks((0, 0.5, 1), ("0", ".5", "1"), fontsize=8)
    _plain(axes)


def reliability_diagram(forecasts: Mapping[str, Sequence[Forecast]], path: Path) -> None:
    """Save a PNG: the true share of what was given a probability, one column per forecast.

    There is one dot per bin, at its average probability, with the 95 % interval of the share. It
    should lie on the diagonal. Below is the number of forecasts in each bin, on a logarithmic
    scale.
    """
    figure = Figure(figsize=(3.8 * len(forecasts), 4.8), layout="constrained")
    axes = figure.subplots(
        2, len(forecasts), sharex=True, squeeze=False, gridspec_kw={"height_ratios": [3, 1]}
    )
    for (shares, counts), (title, given) in zip(axes.T, forecasts.items(), strict=True):
        shares.plot((0, 1), (0, 1), color=_GREY, lw=0.8, ls="--")
        for each in bins_of(given):
            shares.vlines(each.probability, *each.interval, color=_INK, lw=1.2)
            shares.plot(each.probability, each.true, "o", color=_INK, markersize=5)
            middle = (each.low + each.high) / 2
            counts.bar(middle, each.count, 0.9 / BINS, color=_INK)
            counts.text(middle, each.count, f"{each.count:,}", ha="center", va="bottom", fontsize=7)
        named = [forecast for forecast in given if forecast.named]
        of_all, of_named = map(_error, (given, named))
        errors = f"expected calibration error {of_all},\nof those named {of_named}"
        shares.set_title(f"{title}\n{errors}", fontsize=9)
        shares.set_xlim(-0.02, 1.02)
        shares.set_ylim(-0.02, 1.02)
        shares.set_ylabel("share that came true", fontsize=8)
        counts.set_yscale("log")
        counts.set_ylim(0.5, 10 * max([each.count for each in bins_of(given)], default=1))
        counts.set_ylabel("how many", fontsize=8)
        counts.set_xlabel("probability given", fontsize=8)
        for each in (shares, counts):
            each.tick_params(labelsize=8)
            _plain(each)
    _save(figure, path)


def _error(forecasts: Sequence[Forecast]) -> str:
    error = calibration_error(forecasts)
    return NOTHING if error is None else f"{error:.3f}"


def _plain(axes) -> None:
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.grid(color=_PAPER)
    axes.set_axisbelow(True)


def _save(figure: Figure, path: Path) -> None:
    with path.open("wb") as file:
        FigureCanvasAgg(figure).print_png(file, metadata={"Software": None})
