"""One small tenant through the whole benchmark: the results are what the hunt says."""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.detection import trials
from benchmarks.detection.baselines import BASELINES
from benchmarks.detection.results import Results
from benchmarks.detection.tenants import Hunting, judged
from benchmarks.detection.trials import OURS, PARTS, THEIRS, earlier_days, run
from lowslow_assets.sample_tenant import PRESETS, Tenant

TENANT = Tenant(
    seed=5,
    days=14,
    users=150,
    signins_per_day=350,
    campaigns=(replace(PRESETS["rented"], rate=25, stopped=3, successes=3, first_day=2),),
)


def test_what_is_not_named_is_judged_too_and_the_tables_are_as_without(tmp_path: Path):
    hunting = Hunting(TENANT, tmp_path)
    hunting.ingest()
    alerts = hunting.hunt(hunting.days[-1])
    with judged() as found:
        assert hunting.hunt(hunting.days[-1]) == alerts
    kept = {signins for _, kept, signins in found.clusters if kept}
    assert len(alerts) == len(kept) == 1
    # Besides its attempts, an incident holds stopped sign-ins that are judged as entries are.
    assert kept.pop() <= alerts[0].signins
    for named, probabilities in (
        (alerts[0].accounts, found.compromised),
        (alerts[0].known, found.known),
    ):
        assert named
        assert set(named) == {user for user, likely in probabilities.items() if likely >= 0.5}
    assert min(found.compromised.values()) < 0.5


def test_results_of_all_detectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(trials, "tenant_of", lambda *_: TENANT)
    paths = {part: tmp_path / f"{part}.json" for part in PARTS}
    assert run("drawn", 1, 1, paths).startswith("drawn, 1: tenant and ingest")
    ours, others = (Results.read([paths[part]]) for part in PARTS)
    assert [row.trial.detector for row in ours.tenants] == [OURS]
    assert [row.trial.detector for row in others.tenants] == [THEIRS, *BASELINES]
    [own] = ours.campaigns
    assert (own.rate, own.sources, own.found) == (25, "rented", True)
    # The last hunt is as of the twelfth day of the campaign, those before as of the 5th and 10th.
    assert own.first_day in {5, 10, 12}
    assert ours.forecasts.compromised
    assert not others.forecasts.compromised


def test_earlier_hunts_are_so_many_days_after_each_first_attempt(tmp_path: Path):
    hunting = Hunting(replace(TENANT, days=60), tmp_path)
    began = {"one": TENANT.day(0), "other": TENANT.day(45)}
    days = earlier_days(hunting, began)
    numbers = {(day - TENANT.start).days + 1: names for day, names in days.items()}
    assert [*numbers] == [5, 10, 15, 20, 30, 40, 50, 55]
    assert numbers[40] == {"one"}
    assert numbers[50] == {"other"}
    assert [*earlier_days(hunting, {})] == [TENANT.day(29)]
