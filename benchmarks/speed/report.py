"""The tables and the plot of the results."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.speed.peers import AS_WRITTEN, COLD, DAILY, DUCKDB, INGEST, MENDED, PEERS
from benchmarks.speed.results import Results, Size, Wall

_MB = 1e6
_LOOKS = {
    AS_WRITTEN: ("#c8553d", "o"),
    MENDED: ("#e0a458", "s"),
    COLD: ("#7d97b8", "D"),
    DAILY: ("#1f3a5f", "^"),
    DUCKDB: ("#8a8a8a", "v"),
}


def costs_table(results: Results) -> str:
    """What everybody cost at every size, as Markdown."""
    lines = [
        "| sign-ins a day | days | | wall s | CPU s | driver MB | JVM MB | lake MB | runs |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for size in results.sizes():
        for peer in PEERS:
            cost, lake = results.cost(size, peer), results.note(size, peer, "lake_bytes")
            used = [cost.cpu, cost.driver_mb, cost.jvm_mb] if cost else [None] * 3
            cells = [*(_number(value) for value in used), _number(lake and lake / _MB)]
            wall = _seconds(results.wall(size, peer))
            if any(r.cost.outcome == "failed" for r in results.of(size, peer)):
                wall = f"failed {wall}"
            lines.append(
                f"| {size.rate:,} | {size.days} | {peer} | {wall} | {' | '.join(cells)} "
                f"| {len(results.of(size, peer))} |"
            )
    return "\n".join(lines)


def ratios_table(results: Results) -> str:
    """How many times faster, and how many times smaller, as Markdown."""
    lines = [
        "| sign-ins a day | days | daily update: faster than as written | than mended "
        "| its cost against the shortest window's | cold: faster than mended "
        "| ingest: times DuckDB's | JSON over lake |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for size in results.sizes():
        shortest = min(s for s in results.sizes() if s.rate == size.rate)
        json_bytes = results.note(size, COLD, "json_bytes")
        lake_bytes = results.note(size, COLD, "lake_bytes")
        cells = [
            _ratio(results.wall(size, AS_WRITTEN), results.wall(size, DAILY)),
            _ratio(results.wall(size, MENDED), results.wall(size, DAILY)),
            _ratio(results.wall(size, DAILY), results.wall(shortest, DAILY)),
            _ratio(results.wall(size, MENDED), results.wall(size, COLD)),
            _ratio(results.wall(size, INGEST), results.wall(size, DUCKDB)),
            f"{json_bytes / lake_bytes:.1f}" if json_bytes and lake_bytes else "",
        ]
        lines.append(f"| {size.rate:,} | {size.days} | {' | '.join(cells)} |")
    return "\n".join(lines)


def steps_table(results: Results) -> str:
    """Where the notebook's time goes, in its first run at every size, as Markdown."""
    firsts = [
        result
        for size in results.sizes()
        for peer in (AS_WRITTEN, MENDED)
        for result in results.of(size, peer)[:1]
        if "seconds" in result.notes
    ]
    if not firsts:
        return ""
    steps = list(firsts[0].notes["seconds"])
    lines = [
        f"| sign-ins a day | days | | {' | '.join(f'{step} s' for step in steps)} |",
        "| --- | --- | --- |" + " --- |" * len(steps),
    ]
    for result in firsts:
        cells = " | ".join(_number(result.notes["seconds"][step]) for step in steps)
        lines.append(f"| {result.size.rate:,} | {result.size.days} | {result.peer} | {cells} |")
    return "\n".join(lines)


def legend(limit: float) -> str:
    """What the signs in the tables mean."""
    return (
        "Medians of the runs. ≈: estimated, in proportion to the sign-ins, from the peer's largest "
        f"smaller window (at the least, where it was stopped at that); above {limit:,.0f} s it is "
        "not run. >: stopped there, unfinished."
    )


def _number(value: float | None) -> str:
    if not value:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


_SIGNS = {"measured": "", "estimated": "≈ ", "stopped": "> "}


def _seconds(wall: Wall | None) -> str:
    return _SIGNS[wall.origin] + _number(wall.seconds) if wall else ""


def _ratio(one: Wall | None, other: Wall | None) -> str:
    """One over the other, where the other was measured."""
    if one is None or other is None or other.origin != "measured":
        return ""
    return f"{_SIGNS[one.origin]}{_number(one.seconds / other.seconds)}"


def plot(results: Results, path: Path) -> None:
    """Cost against days at one rate, and against the rate at one length of the window.

    At the rate that was tried with most lengths, and the length that was tried with most rates;
    of several, the greatest.
    """
    sizes = results.sizes()
    rate = _most_tried(sizes, lambda size: size.rate)
    days = _most_tried(sizes, lambda size: size.days)
    figure = Figure(figsize=(10, 4.6), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2, sharey=True)
    _panel(left, results, [s for s in sizes if s.rate == rate], lambda size: size.days)
    _panel(right, results, [s for s in sizes if s.days == days], lambda size: size.rate)
    left.set_title(f"{rate:,} sign-ins a day", fontsize=10)
    left.set_xlabel("days in the window")
    left.set_ylabel("seconds (hollow: estimated)")
    right.set_title(f"{days} days", fontsize=10)
    right.set_xlabel("sign-ins a day")
    figure.legend(*left.get_legend_handles_labels(), loc="outside lower center", ncols=5)
    figure.savefig(path, dpi=150)


def _most_tried(sizes: list[Size], key: Callable[[Size], int]) -> int:
    values = [key(size) for size in sizes]
    return max(values, key=lambda value: (values.count(value), value))


def _panel(axes: Axes, results: Results, sizes: list[Size], x: Callable[[Size], int]) -> None:
    for peer, (color, marker) in _LOOKS.items():
        points = [(x(s), wall) for s in sizes if (wall := results.wall(s, peer))]
        axes.plot(
            [at for at, _ in points],
            [wall.seconds for _, wall in points],
            color=color,
            label=peer,
            linewidth=1.4,
        )
        for at, wall in points:
            face = color if wall.origin == "measured" else "white"
            axes.plot(
                at, wall.seconds, marker=marker, color=color, markerfacecolor=face, markersize=6
            )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([x(size) for size in sizes], [f"{x(size):,}" for size in sizes])
    axes.minorticks_off()
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
