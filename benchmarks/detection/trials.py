"""Every detector on one tenant: the work of one process of the benchmark at a time."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from tempfile import mkdtemp

from benchmarks.detection.baselines import BASELINES, Frame
from benchmarks.detection.results import Results
from benchmarks.detection.scenarios import tenant_of
from benchmarks.detection.scoring import (
    CampaignRow,
    Trial,
    first_attempts,
    forecasts,
    score,
)
from benchmarks.detection.tenants import Hunting, judged
from lowslow_assets.settings import NOTEBOOK

OURS, THEIRS = "lowslow_assets", "the notebook's setup"
PARTS = ("ours", "others")
"""The parts that have separate files: others' results do not change when ours do."""
DAYS_SINCE_FIRST, QUIET_DAYS = (5, 10, 15, 20, 30, 40), (30,)
"""Earlier hunts: as of days since each campaign's first attempt, until the campaign is seen; and as
of days of a quiet tenant."""


def run(scenario: str, seed: int, threads: int, paths: Mapping[str, Path]) -> str:
    """Write the results of one tenant; returns one line on the time spent.

    ``paths`` has the wanted PARTS with their paths.
    """
    folder = Path(mkdtemp(prefix="lowslow-benchmark-"))
    began, spent = time.monotonic(), list[str]()

    def took(step: str) -> None:
        nonlocal began
        now = time.monotonic()
        spent.append(f"{step} {now - began:.0f} s")
        began = now

    try:
        hunting = Hunting(tenant_of(scenario, seed), folder, threads=threads)
        labels = hunting.ingest()
        took("tenant and ingest")
        if "ours" in paths:
            _ours(hunting, Trial(scenario, seed, OURS), labels).write(paths["ours"])
            took("our hunts")
        if "others" in paths:
            _others(hunting, scenario, seed, labels).write(paths["others"])
            took("the notebook's hunt and the rules")
    finally:
        shutil.rmtree(folder)
    return f"{scenario}, {seed}: {', '.join(spent)}"


def _ours(hunting: Hunting, trial: Trial, labels: Frame) -> Results:
    """Our hunt as of the last day; earlier hunts show when a campaign is first seen.

    A false incident of any of those hunts counts.
    """
    began = first_attempts(labels)
    seen: dict[str, int | None] = {}
    false = 0
    for day, campaigns in earlier_days(hunting, began).items():
        if campaigns and campaigns <= set(seen):
            continue
        until = labels[labels["time"].dt.date <= day]
        rows, tenant = score(trial, hunting.hunt(day), until)
        seen = {row.campaign: row.first_day for row in rows if row.first_day is not None} | seen
        false = max(false, tenant.false_alerts)
    with judged() as thought:
        alerts = hunting.hunt(hunting.days[-1])
    rows, tenant = score(trial, alerts, labels)
    rows = [replace(row, first_day=seen.get(row.campaign, row.first_day)) for row in rows]
    tenant = replace(tenant, false_alerts=max(false, tenant.false_alerts))
    return Results(_as_planted(hunting, rows), [tenant], forecasts(thought, alerts, labels))


def earlier_days(hunting: Hunting, began: Mapping[str, date]) -> dict[date, set[str]]:
    """The days before the last one to hunt as of, in order, each with its campaigns."""
    if not began:
        return {hunting.days[number - 1]: set() for number in QUIET_DAYS}
    found: dict[date, set[str]] = {}
    for campaign, first in began.items():
        for day in hunting.days[:-1]:
            if (day - first).days + 1 in DAYS_SINCE_FIRST:
                found.setdefault(day, set()).add(campaign)
    return dict(sorted(found.items()))


def _others(hunting: Hunting, scenario: str, seed: int, labels: Frame) -> Results:
    """The notebook's hunt as of the last day, and the rules on every day."""
    alerts = {THEIRS: hunting.hunt(hunting.days[-1], NOTEBOOK)}
    signins = hunting.encoded()
    alerts |= {name: baseline(signins) for name, baseline in BASELINES.items()}
    found = Results()
    for name, raised in alerts.items():
        rows, tenant = score(Trial(scenario, seed, name), raised, labels)
        found.campaigns.extend(_as_planted(hunting, rows))
        found.tenants.append(tenant)
    return found


def _as_planted(hunting: Hunting, rows: list[CampaignRow]) -> list[CampaignRow]:
    """The rows with their campaign's rate and kind of sources."""
    planted = {campaign.name: campaign for campaign in hunting.tenant.campaigns}
    return [
        replace(row, rate=planted[row.campaign].weekly_rate, sources=planted[row.campaign].sources)
        for row in rows
    ]
