"""The tables and the plot of the results."""

from collections.abc import Callable
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.speed.peers import AS_WRITTEN, MENDED, PARSING, PEERS, PROJECTS
from benchmarks.speed.results import Results, Size, Wall

_MB = 1e6
_LOOKS = {
    AS_WRITTEN: ("#c8553d", "o"),
    MENDED: ("#e0a458", "s"),
    PROJECTS[0].cold: ("#7d97b8", "D"),
    PROJECTS[0].daily: ("#1f3a5f", "^"),
    PROJECTS[1].cold: ("#9cbf9c", "D"),
    PROJECTS[1].daily: ("#3f7d4f", "^"),
    PARSING: ("#8a8a8a", "v"),
}


def costs_table(results: Results) -> str:
    """The cost of every peer at every size, as Markdown."""
    lines = [
        "| sign-ins a day | days | | wall s | CPU s | process MB | tree MB | lake MB | runs |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for size in results.sizes():
        for peer in PEERS:
            if not results.wall(size, peer) and not results.of(size, peer):
                continue
            cost, lake = results.cost(size, peer), results.note(size, peer, "lake_bytes")
            used = [cost.cpu, cost.process_mb, cost.tree_mb] if cost else [None] * 3
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
    """How many times faster and smaller our hunt is on each engine, as Markdown."""
    lines = [
        "| sign-ins a day | days | | daily update: faster than as written | than mended "
        "| its cost against the shortest window's | cold: faster than mended "
        "| ingest: times DuckDB's own parsing | JSON over lake |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for size in results.sizes():
        shortest = min(s for s in results.sizes() if s.rate == size.rate)
        for ours in PROJECTS:
            daily, cold = results.wall(size, ours.daily), results.wall(size, ours.cold)
            if not (daily or cold):
                continue
            json_bytes = results.note(size, ours.cold, "json_bytes")
            lake_bytes = results.note(size, ours.cold, "lake_bytes")
            cells = [
                _ratio(results.wall(size, AS_WRITTEN), daily),
                _ratio(results.wall(size, MENDED), daily),
                _ratio(daily, results.wall(shortest, ours.daily)),
                _ratio(results.wall(size, MENDED), cold),
                _ratio(results.wall(size, ours.ingest), results.wall(size, PARSING)),
                f"{json_bytes / lake_bytes:.1f}" if json_bytes and lake_bytes else "",
            ]
            lines.append(f"| {size.rate:,} | {size.days} | {ours.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def steps_table(results: Results) -> str:
    """The notebook's time by step, in its first run at every size, as Markdown."""
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
    """The meaning of the signs in the tables."""
    return (
        "Medians of the runs. Process: the peak of the command's own process; tree: the most that "
        "all its processes held at once. ≈: estimated, in proportion to the sign-ins, from the "
        "peer's largest smaller window (at the least, where it was stopped at that); above "
        f"{limit:,.0f} s it is not run. >: stopped there, unfinished."
    )


def _number(value: float | None) -> str:
    if not value:
        return ""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


_SIGNS = {"measured": "", "estimated": "≈ ", "stopped": "> "}


def _seconds(wall: Wall | None) -> str:
    return _SIGNS[wall.origin] + _number(wall.seconds) if wall else ""


def _ratio(one: Wall | None, other: Wall | None) -> str:
    """The ratio of two times, if the second was measured."""
    if one is None or other is None or other.origin != "measured":
        return ""
    return f"{_SIGNS[one.origin]}{_number(one.seconds / other.seconds)}"


def plot(results: Results, path: Path) -> None:
    """Plot the cost by days at one rate, and by rate at one length of the window.

    The rate is the one that was tried with the most lengths, and the length is the one that was
    tried with the most rates. Among several, the greatest is taken.
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
        if not points:
            continue
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
