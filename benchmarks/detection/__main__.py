"""Detection quality: ``python -m benchmarks.detection``; see benchmarks/README.md."""

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.detection.baselines import BASELINES, BUILT_FOR
from benchmarks.detection.drawn import DRAWN, TUNING
from benchmarks.detection.report import (
    detectors_table,
    found_table,
    heat_map,
    rate_band,
    scenarios_table,
)
from benchmarks.detection.scenarios import REPORT_SEEDS, SCENARIOS
from benchmarks.detection.scoring import CampaignRow, TenantRow, Trial
from benchmarks.detection.trials import OURS, THEIRS, run
from lowslow_assets.platform.machine import cores


def main() -> None:
    """Run the tenants that the results do not hold yet, then print the tables of all."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    # Inherited: libraries of linear algebra would start as many threads in every process.
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    threads = max(cores() // options.jobs, 1)
    processes = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, processes) as pool:
        last = options.first_seed + options.drawn
        trials = [(scenario, seed) for seed in options.seeds for scenario in options.scenarios]
        trials += [(DRAWN, seed) for seed in range(options.first_seed, last)]
        paths = {
            pool.submit(run, scenario, seed, threads, options.ours_only): path
            for scenario, seed in trials
            if not (path := _path(options.out, scenario, seed)).exists()
        }
        for done in as_completed(paths):
            (campaigns, tenants), seconds = done.result()
            rows = {
                "campaigns": [asdict(row) for row in campaigns],
                "tenants": [asdict(row) for row in tenants],
            }
            paths[done].write_text(json.dumps(rows, indent=1), encoding="utf-8")
            spent = ", ".join(f"{step} {value:.0f} s" for step, value in seconds.items())
            print(f"{paths[done].stem}: {spent}", file=sys.stderr, flush=True)
    _report(options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection")
    parser.add_argument("out", type=Path, help="folder of the results; what it holds is kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=REPORT_SEEDS)
    parser.add_argument("--scenarios", nargs="*", choices=SCENARIOS, help="all, or none if --drawn")
    parser.add_argument("--drawn", type=int, default=0, help="number of drawn tenants")
    parser.add_argument(
        "--first-seed", type=int, default=TUNING[0], help="of the drawn tenants (%(default)s)"
    )
    parser.add_argument("--ours-only", action="store_true", help="no notebook, no published rules")
    parser.add_argument("--jobs", type=int, default=cores(), help="tenants at once")
    options = parser.parse_args()
    if options.scenarios is None:
        options.scenarios = [] if options.drawn else [*SCENARIOS]
    return options


def _path(folder: Path, scenario: str, seed: int) -> Path:
    return folder / f"{scenario.replace(', ', '-').replace(' ', '-')}-{seed}.json"


def _report(folder: Path) -> None:
    """Print the tables of all results in the folder, and save the picture there.

    Drawn tenants have tables of their own. Results of quiet tenants alone give no picture.
    """
    campaigns: list[CampaignRow] = []
    tenants: list[TenantRow] = []
    for path in folder.glob("*.json"):
        rows = json.loads(path.read_text(encoding="utf-8"))
        campaigns += [_row(CampaignRow, row) for row in rows["campaigns"]]
        tenants += [_row(TenantRow, row) for row in rows["tenants"]]
    scenarios, detectors = [*SCENARIOS, DRAWN], [OURS, THEIRS, *BASELINES]

    def order(row: CampaignRow | TenantRow) -> tuple[int, int, int]:
        trial = row.trial
        return scenarios.index(trial.scenario), trial.seed, detectors.index(trial.detector)

    campaigns.sort(key=order)
    tenants.sort(key=order)
    named = [row for row in campaigns if row.trial.scenario != DRAWN]
    named_tenants = [row for row in tenants if row.trial.scenario != DRAWN]
    drawn = [row for row in campaigns if row.trial.scenario == DRAWN]
    drawn_tenants = [row for row in tenants if row.trial.scenario == DRAWN]
    if named_tenants:
        print(detectors_table(named, named_tenants), "\n")
        print(scenarios_table(named, named_tenants, OURS), "\n")
    if drawn_tenants:
        print(f"{len({row.trial.seed for row in drawn_tenants})} drawn tenants\n")
        print(detectors_table(drawn, drawn_tenants), "\n")
        print(found_table(drawn, "attempts a day", rate_band), "\n")
        print(found_table(drawn, "sources", lambda row: str(row.sources)), "\n")
    for name, text in BUILT_FOR.items():
        print(f"- {name}: {text}")
    if named:
        heat_map(named, named_tenants, folder / "detection.png")


def _row(kind: Callable[..., Any], values: dict[str, Any]) -> Any:
    return kind(**{**values, "trial": Trial(**values["trial"])})


if __name__ == "__main__":
    main()
