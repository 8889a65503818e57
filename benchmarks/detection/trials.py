"""Every detector on one tenant: what one process of the benchmark does at a time."""

import shutil
import time
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import mkdtemp

from benchmarks.detection.baselines import BASELINES, Frame
from benchmarks.detection.scenarios import tenant_of
from benchmarks.detection.scoring import CampaignRow, TenantRow, Trial, score
from benchmarks.detection.tenants import Hunting
from lowslow_assets.settings import NOTEBOOK

OURS, THEIRS = "lowslow_assets", "the notebook's setup"
EARLIER_DAYS, QUIET_DAYS = (10, 20, 30, 40), (30,)
"""Days of the window as of which hunts are made too, until every campaign has been seen."""

Rows = tuple[list[CampaignRow], list[TenantRow]]


def run(
    scenario: str, seed: int, threads: int, ours_only: bool = False
) -> tuple[Rows, dict[str, float]]:
    """Every detector (or ours alone) on one tenant, and the seconds that each part took."""
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
        start = hunting.tenant.start
        took("tenant and ingest")
        results = [_ours(hunting, Trial(scenario, seed, OURS), labels)]
        took("our hunts")
        if not ours_only:
            alerts = hunting.hunt(hunting.days[-1], NOTEBOOK)
            results.append(score(Trial(scenario, seed, THEIRS), alerts, labels, start))
            took(THEIRS)
            signins = hunting.encoded()
            for name, baseline in BASELINES.items():
                results.append(score(Trial(scenario, seed, name), baseline(signins), labels, start))
            took("published rules")
    finally:
        shutil.rmtree(folder)
    planted = {campaign.name: campaign for campaign in hunting.tenant.campaigns}
    campaigns = [
        replace(row, rate=planted[row.campaign].weekly_rate, sources=planted[row.campaign].sources)
        for rows, _ in results
        for row in rows
    ]
    return (campaigns, [row for _, row in results]), seconds


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
