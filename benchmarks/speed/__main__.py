"""Speed, side by side: ``python -m benchmarks.speed OUT``; see benchmarks/README.md."""

import argparse
import sys
import time
from pathlib import Path

from benchmarks.speed.peers import TURNS, Bench
from benchmarks.speed.report import costs_table, legend, plot, ratios_table, steps_table
from benchmarks.speed.results import Results, Size
from benchmarks.speed.tenants import make


def main() -> None:
    """Run what is missing from the results, then print the tables of all, and save the plot."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    results = Results(options.out)
    # Small sizes come first, because large ones are estimated from them.
    sizes = [Size(rate, days) for rate in options.rates for days in options.days]
    for size in sorted(sizes, key=lambda size: size.signins):
        _run(results, size, options)
    print(legend(options.limit), "\n")
    print(costs_table(results), "\n")
    print(ratios_table(results), "\n")
    print(steps_table(results))
    plot(results, options.out / "speed.png")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed")
    parser.add_argument("out", type=Path, help="folder of data and results; what it holds is kept")
    parser.add_argument("--rates", type=int, nargs="+", default=[3_000, 30_000, 100_000])
    parser.add_argument("--days", type=int, nargs="+", default=[60, 120, 240])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--peers", nargs="+", choices=TURNS, default=[*TURNS], help="all by default"
    )
    parser.add_argument("--limit", type=float, default=3600, help="seconds a command may take")
    return parser.parse_args()


def _run(results: Results, size: Size, options: argparse.Namespace) -> None:
    """Run all peers in turn, so that no peer has the machine at a better time."""
    data = make(options.out, size.rate, max(options.days))
    bench = Bench(data, size.days, options.out.absolute() / "scratch", options.limit)
    for run in range(options.runs):
        for turn in (TURNS[peer] for peer in options.peers):
            hopeless = any(
                (results.estimate(size, peer) or 0) > options.limit for peer in turn.peers
            )
            if hopeless or results.is_done(size, run, turn):
                continue
            began = time.monotonic()
            results.add(size, run, bench.run(turn))
            took = time.monotonic() - began
            print(
                f"{size.rate:,} a day, {size.days} days, run {run + 1}: "
                f"{'; '.join(turn.peers)}: {took:.0f} s",
                file=sys.stderr,
                flush=True,
            )


if __name__ == "__main__":
    main()
