"""What is unusual about a day compared with earlier ones, on days that can be counted manually."""

from datetime import date, timedelta

import pytest

from lowslow_assets.engines.base import Engine
from lowslow_assets.lake.tables import CATEGORY_COUNTS
from lowslow_assets.signins.plausibility import (
    Outcomes,
    shares_without_value,
    silent_features,
    unusual_volume,
)
from lowslow_assets_tests.support.relations import relation

DAY = date(2026, 6, 30)  # a Tuesday
USUAL = Outcomes(successes=900, failures=100, others=50)


def history(today: Outcomes, days: int = 56) -> dict[date, Outcomes]:
    return {DAY - timedelta(days=n): USUAL for n in range(1, days + 1)} | {DAY: today}


def test_a_day_like_those_before_is_not_odd():
    assert unusual_volume(DAY, history(USUAL)) == []


def test_a_day_without_sign_ins_is_odd_whatever_was_before():
    assert unusual_volume(DAY, {DAY: Outcomes()}) == ["no sign-ins"]


def test_a_day_far_emptier_than_its_weekday_is_odd():
    fourth = Outcomes(successes=226, failures=25, others=12)
    assert unusual_volume(DAY, history(fourth)) == []
    less = Outcomes(successes=225, failures=25, others=12)
    assert unusual_volume(DAY, history(less)) == ["262 sign-ins, where a Tuesday usually has 1,050"]


def test_only_the_same_weekday_says_what_is_empty():
    weekend = Outcomes(successes=90, failures=10)
    counts = history(weekend)
    for week in range(1, 9):
        counts[DAY - timedelta(days=7 * week)] = weekend
    assert unusual_volume(DAY, counts) == []
    # Two Tuesdays are too few to compare with.
    assert unusual_volume(DAY, history(weekend, days=14)) == []


@pytest.mark.parametrize(("failures", "odd"), [(430, True), (420, False), (34, False), (31, True)])
def test_a_share_of_failures_three_times_as_large_or_small_is_odd(failures: int, odd: bool):
    # 10 % usually: more than 30 % of 1,420, less than 3.33 % of 1,000.
    successes = 990 if failures > 100 else 1_000 - failures
    assert bool(unusual_volume(DAY, history(Outcomes(successes, failures)))) is odd


def test_few_failures_are_never_odd():
    few = {day: Outcomes(successes=1_000, failures=1) for day in history(USUAL)}
    assert unusual_volume(DAY, few | {DAY: Outcomes(1_000, 49)}) == []
    assert unusual_volume(DAY, few | {DAY: Outcomes(1_000, 50)}) == [
        "4.8% of sign-ins failed for a wrong password, where 0.1% are usual"
    ]


def test_what_is_older_than_eight_weeks_or_without_sign_ins_is_not_compared():
    old = {DAY - timedelta(days=n): USUAL for n in range(57, 90)}
    silent = {DAY - timedelta(days=n): Outcomes() for n in range(1, 57)}
    assert unusual_volume(DAY, {**old, **silent, DAY: Outcomes(1, 99)}) == []


def test_a_feature_that_the_log_stopped_to_give_is_named():
    before = {DAY - timedelta(days=n): {"browser": 0.1, "city": 0.2} for n in range(1, 8)}
    assert silent_features(DAY, before | {DAY: {"browser": 0.61, "city": 0.7}}) == {
        "browser": "61% of successes are without browser, where 10% are usual"
    }
    # Six earlier days are too few.
    before.pop(DAY - timedelta(days=7))
    assert silent_features(DAY, before | {DAY: {"browser": 0.61, "city": 0.7}}) == {}


def test_a_feature_that_the_log_never_gives_is_named():
    always = {DAY - timedelta(days=n): {"displayName": 1.0} for n in range(30)}
    assert silent_features(DAY, always) == {"displayName": "no success has displayName"}


def test_a_day_without_successes_has_no_silent_features():
    assert silent_features(DAY, {DAY - timedelta(days=1): {"city": 0.0}}) == {}


def test_shares_without_a_value_are_those_of_the_days_successes(engine: Engine):
    counts = [
        ("city", "NODATA", 1, 90, DAY),
        ("city", "Graz", 3, 0, DAY),
        ("city", "NODATA", 2, 0, DAY - timedelta(days=1)),
        ("browser", "Edge", 5, 0, DAY),
        # Without a success, nothing can be compared.
        ("state", "NODATA", 0, 7, DAY),
    ]
    rows = shares_without_value(relation(engine, CATEGORY_COUNTS.dated, counts)).rows()
    assert {(row["date"], row["feature"]): row["share"] for row in rows} == {
        (DAY, "city"): 0.25,
        (DAY - timedelta(days=1), "city"): 1.0,
        (DAY, "browser"): 0.0,
    }
