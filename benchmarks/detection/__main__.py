"""Detection quality: ``python -m benchmarks.detection``; see benchmarks/README.md."""

import argparse
import json
import shutil
import sys
import time
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from tempfile import mkdtemp

from benchmarks.detection.baselines import BASELINES, BUILT_FOR
from benchmarks.detection.report import detectors_table, heat_map, scenarios_table
from benchmarks.detection.scenarios import REPORT_SEEDS, SCENARIOS, tenant_of
from benchmarks.detection.scoring import CampaignRow, Case, TenantRow, score
from benchmarks.detection.tenants import Hunting, KeptSpark

OURS, NOTEBOOK = "lowslow_assets", "the notebook's setup"
EARLIER_DAYS, QUIET_DAYS = (10, 20, 30, 40), (30,)
"""Days of the window as of which hunts are made too, until every campaign has been seen."""


def main() -> None:
    """Run the scenarios that the results do not hold yet, then print the tables of all."""
    options = _options()
    options.out.mkdir(parents=True, exist_ok=True)
    spark = KeptSpark()
    for seed in options.seeds:
        for scenario in options.scenarios:
            path = options.out / f"{scenario.replace(', ', '-').replace(' ', '-')}-{seed}.json"
            if not path.exists():
                began = time.monotonic()
                campaigns, tenants = _run(spark, scenario, seed)
                rows = {
                    "campaigns": [asdict(row) for row in campaigns],
                    "tenants": [asdict(row) for row in tenants],
                }
                path.write_text(json.dumps(rows, indent=1), encoding="utf-8")
                print(f"{scenario}, seed {seed}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    _report(options.out)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection")
    parser.add_argument("out", type=Path, help="folder of the results; what it holds is kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=REPORT_SEEDS)
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=[*SCENARIOS])
    return parser.parse_args()


def _run(spark: KeptSpark, scenario: str, seed: int) -> tuple[list[CampaignRow], list[TenantRow]]:
    """Every detector on one tenant."""
    folder = Path(mkdtemp(prefix="lowslow-benchmark-"))
    try:
        hunting = Hunting(tenant_of(scenario, seed), folder, spark)
        labels = hunting.ingest()
        signins = hunting.encoded()
        start = hunting.tenant.start
        results = [_ours(hunting, scenario, seed, labels)]
        case = Case(scenario, seed, NOTEBOOK)
        results.append(score(case, hunting.hunt(hunting.days[-1], "notebook"), labels, start))
        for name, baseline in BASELINES.items():
            results.append(score(Case(scenario, seed, name), baseline(signins), labels, start))
    finally:
        shutil.rmtree(folder)
    return [row for rows, _ in results for row in rows], [row for _, row in results]


def _ours(
    hunting: Hunting, scenario: str, seed: int, labels
) -> tuple[list[CampaignRow], TenantRow]:
    """Our hunt as of the last day; earlier hunts say when a campaign is first seen.

    A false incident of any of those hunts counts.
    """
    case, start = Case(scenario, seed, OURS), hunting.tenant.start
    first: dict[str, int] = {}
    false = 0
    planted = {campaign.name for campaign in hunting.tenant.campaigns}
    for number in (*(EARLIER_DAYS if planted else QUIET_DAYS), hunting.tenant.days):
        day: date = hunting.days[number - 1]
        last = number == hunting.tenant.days
        if not last and planted and planted <= set(first):
            continue
        seen = labels[labels["signin_id"].isin(_until(hunting, day))]
        campaigns, tenant = score(case, hunting.hunt(day), seen, start)
        false = max(false, tenant.false_alerts)
        for row in campaigns:
            if row.first_day is not None:
                first.setdefault(row.campaign, number)
        if last:
            rows = [replace(row, first_day=first.get(row.campaign)) for row in campaigns]
            return rows, replace(tenant, false_alerts=false)
    raise AssertionError


def _until(hunting: Hunting, day: date) -> set[str]:
    signins = hunting.encoded()
    return set(signins.loc[signins["time"].dt.date <= day, "signin_id"])


def _report(folder: Path) -> None:
    """Print the tables of all results in the folder, and save the picture there."""
    campaigns, tenants = [], []
    order = {scenario: number for number, scenario in enumerate(SCENARIOS)}
    for path in folder.glob("*.json"):
        rows = json.loads(path.read_text(encoding="utf-8"))
        campaigns += [_row(CampaignRow, row) for row in rows["campaigns"]]
        tenants += [_row(TenantRow, row) for row in rows["tenants"]]
    detectors = {name: n for n, name in enumerate((OURS, NOTEBOOK, *BASELINES))}
    for rows in (campaigns, tenants):
        rows.sort(key=lambda r: (order[r.case.scenario], r.case.seed, detectors[r.case.detector]))
    print(detectors_table(campaigns, tenants), "\n")
    for name, text in BUILT_FOR.items():
        print(f"- {name}: {text}")
    print()
    print(scenarios_table(campaigns, tenants, OURS))
    heat_map(campaigns, tenants, folder / "detection.png")


def _row(kind, values: dict):
    return kind(**{**values, "case": Case(**values["case"])})


if __name__ == "__main__":
    main()
