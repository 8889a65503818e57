"""What tells a spray from its look-alikes, how sure that is, and what it repeats."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from scipy import stats

from lowslow_assets.detection.spray_tests import (
    Invariant,
    SprayTest,
    confidence,
    invariants,
    occupancy_p_value,
    spray_tests,
    strays_a_day,
    verdict,
)
from lowslow_assets.detection.statistics import ClusterSize, FeatureVariation

FIRST = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
# Probability of a day without a stray, at one a day.
QUIET = math.exp(-1)


def cluster(failures: int, users: int, addresses: int, active: int, span: int) -> ClusterSize:
    return ClusterSize(
        cluster_id=0,
        failures=failures,
        users=users,
        invented_names=0,
        ip_addresses=addresses,
        countries=1,
        attempts_per_user=failures / users,
        attempts_per_address=failures / addresses,
        first_activity=FIRST,
        last_activity=FIRST + timedelta(days=span - 1),
        active_days=active,
        span_days=span,
        attempts_per_day=failures / span,
    )


def timed(failures: int, active: int, span: int) -> ClusterSize:
    """A cluster of which only number and days matter."""
    return cluster(failures, users=failures, addresses=failures, active=active, span=span)


@pytest.mark.parametrize(
    ("typos", "odd", "strays"),
    [
        (0, 3, 1.0),
        (0, 2, 2.5),
        (0, 0, 2.5),
        (0, 5, 1.0),
        # 0.005 a resolved typo, where that is more than one.
        (200, 3, 1.0),
        (400, 3, 2.0),
        (400, 2, 5.0),
    ],
)
def test_strays_a_day(typos: float, odd: int, strays: float) -> None:
    assert strays_a_day(typos, odd) == pytest.approx(strays)


@pytest.mark.parametrize(
    ("suspect", "strays", "failed"),
    [
        (cluster(failures=300, users=120, addresses=280, active=55, span=60), 1.0, []),
        (
            cluster(failures=2880, users=1, addresses=3, active=60, span=60),
            1.0,
            ["many accounts", "few tries each", "fresh addresses"],
        ),
        (
            cluster(failures=8000, users=200, addresses=1, active=60, span=60),
            1.0,
            ["few tries each", "fresh addresses"],
        ),
        (
            cluster(failures=900, users=400, addresses=5, active=1, span=1),
            1.0,
            ["fresh addresses", "goes on for days"],
        ),
        (
            cluster(failures=40, users=30, addresses=40, active=20, span=60),
            1.0,
            ["more than stray failures"],
        ),
        # Each at its limit, and each just past it.
        (cluster(failures=150, users=10, addresses=75, active=7, span=14), 1.0, []),
        (
            cluster(failures=136, users=9, addresses=67, active=6, span=13),
            20.0,
            [
                "many accounts",
                "few tries each",
                "fresh addresses",
                "goes on for days",
                "more than stray failures",
            ],
        ),
        # Tries an account are those of a month, where it goes on for longer than one.
        (cluster(failures=300, users=10, addresses=150, active=60, span=60), 1.0, []),
        (
            cluster(failures=301, users=10, addresses=151, active=60, span=60),
            1.0,
            ["few tries each"],
        ),
    ],
    ids=[
        "spray",
        "stale device",
        "connector",
        "burst",
        "odd failures",
        "limits",
        "past limits",
        "30 in two months",
        "more in two months",
    ],
)
def test_spray_tests(suspect: ClusterSize, strays: float, failed: list[str]) -> None:
    tests = spray_tests(suspect, strays)
    assert [test.name for test in tests if not test.passed] == failed
    assert len(tests) == 5


@pytest.mark.parametrize(
    ("suspect", "p_value"),
    [
        # P(N >= 3), N ~ Poisson(1).
        (timed(failures=3, active=1, span=1), 1 - 2.5 * QUIET),
        # P(N >= 2), N ~ Poisson(2).
        (timed(failures=2, active=2, span=2), 1 - 3 * QUIET**2),
        # 20 attempts on 20 days, each on a day of its own.
        (timed(failures=20, active=20, span=20), math.factorial(20) / 20**20),
    ],
    ids=["volume", "two", "steadiness"],
)
def test_the_less_probable_of_number_and_days_counts(suspect: ClusterSize, p_value: float) -> None:
    assert spray_tests(suspect, 1.0)[-1].value == pytest.approx(p_value)


@pytest.mark.parametrize(
    ("events", "days", "active", "p_value"),
    [
        (1, 3, 1, 1.0),
        (2, 3, 2, 2 / 3),
        (3, 3, 3, 6 / 27),
        # All three on two days at most: 1 - 6/27; on one day: 3/27.
        (3, 3, 2, 24 / 27),
        (10, 10, 10, math.factorial(10) / 10**10),
        (10**6, 30, 30, 1.0),
        (5, 7, 6, 0.0),
    ],
)
def test_occupancy(events: int, days: int, active: int, p_value: float) -> None:
    assert occupancy_p_value(events, days, active) == pytest.approx(p_value)


@pytest.mark.parametrize("strays", [1.0, 2.5, 7.0])
@pytest.mark.parametrize("span", [7, 30, 60, 240])
def test_so_many_attempts_or_active_days_are_no_strays(strays: float, span: int) -> None:
    def passes(failures: int, active: int) -> bool:
        return spray_tests(timed(failures, active, span), strays)[-1].passed

    enough = int(stats.poisson.isf(1e-4, strays * span)) + 1
    assert passes(enough, 1)
    assert not passes(enough - 1, 1)
    # One a day, no day left out: steady, however many strays there are, but not within a week.
    assert passes(span, span) == (span >= 20)


def test_every_test_says_its_value_in_words() -> None:
    tests = spray_tests(cluster(3000, 1200, 2000, active=45, span=60), 2.5)
    assert [test.value for test in tests] == pytest.approx([1200, 2.5, 1.5, 45, 0])
    shown = [
        "1,200 accounts were tried",
        "2.5 attempts",
        "1.5 attempts",
        "45 days",
        "3,000 attempts on 45 of 60 days; strays, at most 2.5 a day, would be about 150, and so "
        "many scattered at random would leave out 0 days",
    ]
    for test, words in zip(tests, shown, strict=True):
        assert words in test.explanation
    assert spray_tests(cluster(9, 1, 9, 1, 1), 1.0)[0].explanation.startswith("1 account was tried")


@pytest.mark.parametrize(
    ("suspect", "strays", "expected"),
    [
        # Of 300 attempts, strays would make 60.
        (timed(failures=300, active=55, span=60), 1.0, 0.8),
        (timed(failures=300, active=55, span=60), 2.5, 0.5),
        # No more attempts than strays make, but few idle days: 10, of 60 (59/60)^55 = 23.8.
        (timed(failures=55, active=50, span=60), 1.0, 1 - 10 / (60 * (59 / 60) ** 55)),
        (timed(failures=60, active=60, span=60), 1.0, 1.0),
        # More idle days than strays leave.
        (timed(failures=55, active=20, span=60), 1.0, 0.0),
    ],
    ids=["attempts", "more strays", "days", "every day", "idle"],
)
def test_confidence_is_the_share_that_strays_do_not_explain(
    suspect: ClusterSize, strays: float, expected: float
) -> None:
    assert confidence(suspect, strays, spray_tests(suspect, strays)) == pytest.approx(expected)


@pytest.mark.parametrize("strays", [1.0, 30.0, 40.0, 1000.0])
def test_confidence_is_a_share_however_large_the_tenant(strays: float) -> None:
    for active in (1, 30, 60):
        suspect = timed(failures=60, active=active, span=60)
        assert 0 <= confidence(suspect, strays, spray_tests(suspect, strays)) <= 1


def judged(*passed: bool) -> list[SprayTest]:
    return [SprayTest(f"test {i}", ok, 1.5, f"Explanation {i}.") for i, ok in enumerate(passed)]


def test_confidence_is_less_by_the_tests_that_fail() -> None:
    suspect = timed(failures=300, active=55, span=60)
    tests = judged(True, False, True, True)
    assert confidence(suspect, 1.0, tests) == pytest.approx(0.75 * 0.8)


@pytest.mark.parametrize(
    ("tests", "odd", "expected"),
    [
        (
            judged(True, True),
            ["device", "place"],
            (True, "unusual in device, place; passes all tests of a spray"),
        ),
        (
            judged(True, True),
            [],
            (True, "of a new source, else of usual kind; passes all tests of a spray"),
        ),
        (
            judged(False, True, False),
            ["device"],
            (False, "unusual in device; not test 0, not test 2: Explanation 0. Explanation 2."),
        ),
    ],
    ids=["kept", "usual", "pruned"],
)
def test_verdict(tests: list[SprayTest], odd: list[str], expected: tuple[bool, str]) -> None:
    assert verdict(tests, odd) == expected


def variation(feature: str, variability: float | None, top_share: float) -> FeatureVariation:
    return FeatureVariation(
        cluster_id=0,
        feature=feature,
        categories=2,
        entropy=0.1,
        baseline_entropy=1.0,
        variability=variability,
        anomalous_share=1.0,
        top_category=f"a {feature}",
        top_share=top_share,
    )


def test_invariants_are_what_varies_little_or_hardly_at_all_steadiest_first() -> None:
    lines = [
        variation("city", 0.1, 0.8),
        variation("network", 0.11, 0.94),
        variation("browser", 0.9, 0.95),
        variation("state", 0.0, 1.0),
        variation("Location", None, 0.5),
        variation("displayName", None, 1.0),
    ]
    assert invariants(lines) == [
        Invariant("displayName", "a displayName", 1.0),
        Invariant("state", "a state", 1.0),
        Invariant("browser", "a browser", 0.95),
        Invariant("city", "a city", 0.8),
    ]
    assert invariants([]) == []
