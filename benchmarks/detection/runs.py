"""The tenants that a command runs on, and how several run in parallel."""

import argparse
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

from benchmarks.detection.drawn import DRAWN, TUNING
from benchmarks.detection.scenarios import SCENARIOS
from lowslow_assets.platform.machine import cores


def parser_of_runs(module: str, seeds: Sequence[int]) -> argparse.ArgumentParser:
    """The options of every command of this benchmark; ``seeds`` are those of named tenants."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}")
    parser.add_argument("out", type=Path, help="folder of the results; what it holds is kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=seeds, help="of named tenants")
    parser.add_argument(
        "--scenarios",
        nargs="*",
        choices=SCENARIOS,
        help="named tenants; none if only --drawn is given. Without either name or number, "
        "nothing is run: the tables are those of what OUT holds",
    )
    parser.add_argument("--drawn", type=int, default=0, help="number of drawn tenants")
    parser.add_argument(
        "--first-seed", type=int, default=TUNING[0], help="of the drawn tenants (%(default)s)"
    )
    parser.add_argument("--jobs", type=int, default=cores(), help="tenants at once (%(default)s)")
    return parser


def chosen_tenants(options: argparse.Namespace, default: Iterable[str]) -> list[tuple[str, int]]:
    """Scenario and seed of the tenants that the options choose."""
    names = options.scenarios
    if names is None:
        names = [] if options.drawn else default
    last = options.first_seed + options.drawn
    found = [(name, seed) for seed in options.seeds for name in names]
    return found + [(DRAWN, seed) for seed in range(options.first_seed, last)]


def side_by_side(jobs: int, run: Callable[..., str], calls: Iterable[Sequence[object]]) -> None:
    """Make calls in ``jobs`` processes; each result is printed on stderr when its call ends."""
    # Processes inherit this; otherwise each one's linear algebra would start a thread per core.
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        for done in as_completed([pool.submit(run, *call) for call in calls]):
            print(done.result(), file=sys.stderr, flush=True)
