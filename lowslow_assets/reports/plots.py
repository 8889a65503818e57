"""Pictures for the metadata of assets, as Markdown with the image inside.

Matplotlib takes most of a second to import, so it is imported when there is something to draw.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INK, _PAPER, _ERROR = "#1f3a5f", "#eef1f5", "#c8553d"
_MOST_PANELS = 8


def hinton_weights(weights: np.ndarray, deviations: np.ndarray) -> str:
    """Hinton diagram of the component weights, in which the area of a square is the weight.

    Both arguments have shape (K,); the outline is the weight plus its standard deviation.
    """
    figure = _figure(0.7 * len(weights) + 1.4, 1.9)
    axes = figure.subplots()
    scale = max(weights)
    _grid(axes, [""], [str(k) for k in range(len(weights))])
    for k, (weight, deviation) in enumerate(zip(weights, deviations, strict=True)):
        _square(axes, k, 0, min((weight + deviation) / scale, 1.0), fill=False)
        _square(axes, k, 0, weight / scale)
        axes.text(k, 0.72, f"{weight:.2%}", ha="center", va="center", fontsize=7)
    axes.set_ylim(0.9, -0.55)
    axes.set_xlabel("component")
    axes.set_title("Weight of each component", fontsize=10)
    return _markdown(figure, "Hinton diagram of component weights")


def hinton_probabilities(probability: np.ndarray, features: Sequence[str]) -> str:
    """Hinton diagram of the probability, shape (F, K), that a feature is anomalous."""
    components = probability.shape[1]
    figure = _figure(0.55 * components + 2.2, 0.42 * len(features) + 1.1)
    axes = figure.subplots()
    _grid(axes, features, [str(k) for k in range(components)])
    for (row, column), value in np.ndenumerate(probability):
        _square(axes, column, row, value)
    axes.set_ylim(len(features) - 0.5, -0.5)
    axes.set_xlabel("component")
    axes.set_title("Probability that a feature is anomalous", fontsize=10)
    return _markdown(figure, "Hinton diagram of anomaly probabilities")


def elbo_trace(elbo: np.ndarray) -> str:
    """The bound after each sweep, as its distance to the last one."""
    figure = _figure(5.5, 2.6)
    axes = figure.subplots()
    short = np.maximum(elbo[-1] - elbo, 1e-9)
    axes.plot(np.arange(1, len(elbo) + 1), short, color=_INK, linewidth=1.4)
    axes.set_yscale("log")
    axes.set_xlabel("sweep")
    axes.set_ylabel("nats below the end")
    axes.set_title(f"Convergence to an ELBO of {elbo[-1]:,.3f} nats", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return _markdown(figure, "ELBO trace")


def attempts_by_day(days: Sequence[str], series: Mapping[str, Sequence[int]]) -> str:
    """Attempts per day of each incident, one panel per incident; ``days`` label the x axis.

    Only the first few are drawn: the UI wants a picture to stay under 100 KB.
    """
    drawn = list(series.items())[:_MOST_PANELS]
    figure = _figure(7.5, 1.2 * len(drawn) + 0.7)
    panels = np.atleast_1d(figure.subplots(len(drawn), 1, sharex=True))
    for axes, (name, counts) in zip(panels, drawn, strict=True):
        axes.bar(range(len(days)), counts, color=_INK, width=0.9)
        axes.set_title(name, fontsize=8, loc="left", parse_math=False)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=7)
    step = max(1, len(days) // 8)
    ticks = range(0, len(days), step)
    panels[-1].set_xticks(ticks, [days[i] for i in ticks], parse_math=False)
    return _markdown(figure, "Attempts per day of each incident")


def detection_limits(kinds: Mapping[str, Mapping[int, int | None]], days: int) -> str:
    """Per kind of spray, days until it is found (None: never) against its attempts per day."""
    figure = _figure(6.5, 4.4)
    axes = figure.subplots()
    never = 1.12 * days
    colors = (_INK, _ERROR, "#3f7d4f", "#7a4f9a", "#b07a1e", "#3a7ca5")
    for (kind, found), marker, color in zip(kinds.items(), "osDv^P", colors, strict=True):
        after = [never if value is None else value for value in found.values()]
        axes.plot(list(found), after, marker=marker, color=color, alpha=0.8, label=kind)
    ticks = sorted({rate for found in kinds.values() for rate in found})
    axes.axhspan(1.04 * days, 1.2 * days, color=_PAPER)
    axes.text(ticks[-1], never, "not found", ha="right", va="center", fontsize=8)
    axes.set_xscale("log", base=2)
    axes.set_xticks(ticks, [str(rate) for rate in ticks])
    axes.set_ylim(0, 1.2 * days)
    axes.set_xlabel("attempts per day")
    axes.set_ylabel("found after days")
    axes.set_title("Synthetic sprays put into this window", fontsize=10)
    figure.legend(fontsize=8, frameon=False, loc="outside lower center", ncols=2)
    axes.spines[["top", "right"]].set_visible(False)
    return _markdown(figure, "Days until a spray is found, by its rate")


def _figure(width: float, height: float) -> "Figure":
    """An empty picture of a size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def _grid(axes, rows: Sequence[str], columns: Sequence[str]) -> None:
    axes.set_facecolor(_PAPER)
    axes.set_aspect("equal")
    axes.set_xlim(-0.5, len(columns) - 0.5)
    axes.set_xticks(range(len(columns)), columns, fontsize=8, parse_math=False)
    axes.set_yticks(range(len(rows)), rows, fontsize=8, parse_math=False)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)


def _square(axes, x: float, y: float, area: float, fill: bool = True) -> None:
    from matplotlib.patches import Rectangle

    side = 0.92 * float(np.sqrt(area))
    axes.add_patch(
        Rectangle(
            (x - side / 2, y - side / 2),
            side,
            side,
            fill=fill,
            facecolor=_INK,
            edgecolor=_ERROR if not fill else "none",
        )
    )


def _markdown(figure: "Figure", alt: str) -> str:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    image = io.BytesIO()
    FigureCanvasAgg(figure).print_png(image, metadata={"Software": None})
    return f"![{alt}](data:image/png;base64,{base64.b64encode(image.getvalue()).decode()})"
