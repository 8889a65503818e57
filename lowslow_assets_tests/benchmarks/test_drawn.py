"""Drawn tenants are valid, the same each time, and unlike each other."""

from dataclasses import fields

import pytest

from benchmarks.detection.drawn import CHOOSING, REPORT, TUNING, drawn_tenant
from lowslow_assets.sample_tenant import Tenant

TENANTS = [drawn_tenant(seed) for seed in range(1_000, 1_060)]


def test_a_seed_draws_the_same_tenant_again():
    assert TENANTS[:20] == [drawn_tenant(seed) for seed in range(1_000, 1_020)]


def test_tenants_are_of_the_size_that_is_promised():
    for tenant in TENANTS:
        assert 200 <= tenant.users <= 3_000
        assert 800 <= tenant.signins_per_day <= 5_000
        assert tenant.days == 60


def test_a_third_is_quiet_and_some_have_two_sprays():
    counts = [len(tenant.campaigns) for tenant in TENANTS]
    assert counts.count(0) == 20
    assert 2 <= counts.count(2) <= 16


def test_sprays_keep_to_the_ranges():
    sprays = [campaign for tenant in TENANTS for campaign in tenant.campaigns]
    for spray in sprays:
        assert 0.3 < spray.weekly_rate <= 60
        assert 0 <= spray.successes <= 10
        assert 0 <= spray.stopped <= 5
        assert 0 <= spray.locked <= 0.4
        assert len(spray.active_days(60)) >= 4
        assert spray.targets is None or (isinstance(spray.targets, int) and spray.targets >= 25)
    assert {spray.sources for spray in sprays} == {"fresh", "rented", "server", "cloud", "exits"}
    assert sum(spray.weekly_rate < 4 for spray in sprays) > len(sprays) / 4
    assert sum(not spray.successes for spray in sprays) > len(sprays) / 4


@pytest.mark.parametrize("name", [field.name for field in fields(Tenant)])
def test_every_setting_is_drawn(name: str):
    constant = {"start", "days", "detail_shape", "schema", "missing_days", "duplicates"}
    values = {getattr(tenant, name) for tenant in TENANTS}
    assert (len(values) > 1) == (name not in {*constant, "late_files"})


def test_no_seed_serves_two_ends():
    assert not set(TUNING) & set(CHOOSING)
    assert not set(CHOOSING) & set(REPORT)
    assert not set(TUNING) & set(REPORT)
