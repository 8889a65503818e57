"""Detection quality: ``python -m benchmarks.detection``; see benchmarks/README.md."""

import argparse
import json
import multiprocessing
import os
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from benchmarks.detection.baselines import BASELINES, BUILT_FOR, Frame
from benchmarks.detection.report import detectors_table, heat_map, scenarios_table
from benchmarks.detection.scenarios import REPORT_SEEDS, SCENARIOS, tenant_of
from benchmarks.detection.scoring import CampaignRow, TenantRow, Trial, score
from benchmarks.detection.tenants import Hunting
from lowslow_assets.platform.machine import cores
from lowslow_assets.settings import NOTEBOOK

OURS, THEIRS = "lowslow_assets", "the notebook's setup"
EARLIER_DAYS, QUIET_DAYS = (10, 20, 30, 40), (30,)
"""Days of the window as of which hunts are made too, until every campaign has been seen."""

Rows = tuple[list[CampaignRow], list[TenantRow]]


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
            pool.submit(_run, scenario, seed, threads): path
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


def _run(scenario: str, seed: int, threads: int) -> tuple[Rows, dict[str, float]]:
    """Every detector on one tenant, and the seconds that each part took."""
    folder = Path(mkdtemp(prefix="lowslow-benchmark-"))
    seconds: dict[str, float] = {}
    began = time.monotonic()

    def took(step: str) -> None:
        nonlocal began
        now = time.monotonic()
        seconds[step], began = now - began, now

    try:
        hunting = Hunting(tenant_of(scenario, seed), folder, threads=threads)
        labels = hunting.ingest()
        signins = hunting.encoded()
        start = hunting.tenant.start
        took("tenant and ingest")
        results = [_ours(hunting, Trial(scenario, seed, OURS), labels)]
        took("our hunts")
        alerts = hunting.hunt(hunting.days[-1], NOTEBOOK)
        results.append(score(Trial(scenario, seed, THEIRS), alerts, labels, start))
        took(THEIRS)
        for name, baseline in BASELINES.items():
            results.append(score(Trial(scenario, seed, name), baseline(signins), labels, start))
        took("published rules")
    finally:
        shutil.rmtree(folder)
    return ([row for rows, _ in results for row in rows], [row for _, row in results]), seconds


def _ours(hunting: Hunting, trial: Trial, labels: Frame) -> tuple[list[CampaignRow], TenantRow]:
    """Our hunt as of the last day; earlier hunts say when a campaign is first seen.

    A false incident of any of those hunts counts.
    """
    first: dict[str, int] = {}
    false = 0
    planted = {campaign.name for campaign in hunting.tenant.campaigns}
    for number in (*(EARLIER_DAYS if planted else QUIET_DAYS), hunting.tenant.days):
        day: date = hunting.days[number - 1]
        last = number == hunting.tenant.days
        if not last and planted and planted <= set(first):
            continue
        seen = labels[labels["time"].dt.date <= day]
        campaigns, tenant = score(trial, hunting.hunt(day), seen, hunting.tenant.start)
        false = max(false, tenant.false_alerts)
        for row in campaigns:
            if row.first_day is not None:
                first.setdefault(row.campaign, number)
        if last:
            rows = [replace(row, first_day=first.get(row.campaign)) for row in campaigns]
            return rows, replace(tenant, false_alerts=false)
    raise AssertionError


def _report(folder: Path) -> None:
    """Print the tables of all results in the folder, and save the picture there."""
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
    heat_map(campaigns, tenants, folder / "detection.png")


def _row(kind: Callable[..., Any], values: dict[str, Any]) -> Any:
    return kind(**{**values, "trial": Trial(**values["trial"])})


if __name__ == "__main__":
    main()
