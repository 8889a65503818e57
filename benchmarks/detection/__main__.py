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
from benchmarks.detection.report import detectors_table, heat_map, scenarios_table
from benchmarks.detection.scenarios import REPORT_SEEDS, SCENARIOS
from benchmarks.detection.scoring import CampaignRow, TenantRow, Trial
from benchmarks.detection.trials import OURS, THEIRS, run
from lowslow_assets.platform.machine import cores


def main() -> None:
    """Run the scenarios that the results do not hold yet, then print the tables of all."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    # Inherited: libraries of linear algebra would start as many threads in every process.
    os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
    threads = max(cores() // options.jobs, 1)
    processes = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(options.jobs, processes) as pool:
        paths = {
            pool.submit(run, scenario, seed, threads): path
            for seed in options.seeds
            for scenario in options.scenarios
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
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=[*SCENARIOS])
    parser.add_argument("--jobs", type=int, default=cores(), help="tenants at once")
    return parser.parse_args()


def _path(folder: Path, scenario: str, seed: int) -> Path:
    return folder / f"{scenario.replace(', ', '-').replace(' ', '-')}-{seed}.json"


def _report(folder: Path) -> None:
    """Print the tables of all results in the folder, and save the picture there.

    Results of quiet tenants alone give none.
    """
    campaigns: list[CampaignRow] = []
    tenants: list[TenantRow] = []
    for path in folder.glob("*.json"):
        rows = json.loads(path.read_text(encoding="utf-8"))
        campaigns += [_row(CampaignRow, row) for row in rows["campaigns"]]
        tenants += [_row(TenantRow, row) for row in rows["tenants"]]
    scenarios, detectors = [*SCENARIOS], [OURS, THEIRS, *BASELINES]

    def order(row: CampaignRow | TenantRow) -> tuple[int, int, int]:
        trial = row.trial
        return scenarios.index(trial.scenario), trial.seed, detectors.index(trial.detector)

    campaigns.sort(key=order)
    tenants.sort(key=order)
    print(detectors_table(campaigns, tenants), "\n")
    for name, text in BUILT_FOR.items():
        print(f"- {name}: {text}")
    print()
    print(scenarios_table(campaigns, tenants, OURS))
    if campaigns:
        heat_map(campaigns, tenants, folder / "detection.png")


def _row(kind: Callable[..., Any], values: dict[str, Any]) -> Any:
    return kind(**{**values, "trial": Trial(**values["trial"])})


if __name__ == "__main__":
    main()
