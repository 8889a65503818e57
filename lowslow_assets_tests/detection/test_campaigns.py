"""What tells a spray from its look-alikes, what it repeats, and whom it may have got into."""

from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import SparkSession

from lowslow_assets.detection.campaigns import (
    Invariant,
    invariants,
    plausible_successes,
    spray_tests,
)
from lowslow_assets.detection.statistics import ClusterStatistics, FeatureVariation

FIRST = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)


def cluster(failures: int, users: int, addresses: int, active: int, span: int) -> ClusterStatistics:
    return ClusterStatistics(
        cluster_id=0,
        failures=failures,
        users=users,
        ip_addresses=addresses,
        countries=1,
        attempts_per_user=failures / users,
        attempts_per_address=failures / addresses,
        first_activity=FIRST,
        last_activity=FIRST + timedelta(days=span - 1),
        active_days=active,
        span_days=span,
        attempts_per_day=failures / span,
        ks_statistic=None,
        ks_p_value=None,
        hour_distance=0.0,
        hour_p_value=None,
        weekday_distance=0.0,
        weekday_p_value=None,
    )


@pytest.mark.parametrize(
    ("suspect", "failed"),
    [
        (cluster(failures=300, users=120, addresses=280, active=55, span=60), []),
        (
            cluster(failures=2880, users=1, addresses=3, active=60, span=60),
            ["many accounts", "few tries each", "fresh addresses"],
        ),
        (
            cluster(failures=6000, users=200, addresses=1, active=60, span=60),
            ["few tries each", "fresh addresses"],
        ),
        (
            cluster(failures=900, users=400, addresses=5, active=1, span=1),
            ["fresh addresses", "goes on for days"],
        ),
        (cluster(failures=40, users=30, addresses=40, active=7, span=60), ["steady"]),
        # Each at its limit, and each just past it.
        (cluster(failures=100, users=10, addresses=50, active=7, span=14), []),
        (
            cluster(failures=100, users=9, addresses=49, active=6, span=13),
            [
                "many accounts",
                "few tries each",
                "fresh addresses",
                "goes on for days",
                "steady",
            ],
        ),
    ],
    ids=["spray", "stale device", "connector", "burst", "odd failures", "limits", "past limits"],
)
def test_spray_tests(suspect: ClusterStatistics, failed: list[str]) -> None:
    tests = spray_tests(suspect)
    assert [test.name for test in tests if not test.passed] == failed
    assert len(tests) == 5


def test_every_test_says_its_value_in_words() -> None:
    tests = spray_tests(cluster(failures=3000, users=1200, addresses=2000, active=45, span=60))
    assert [test.value for test in tests] == [1200, 2.5, 1.5, 45, 0.75]
    shown = ["1,200 accounts", "2.5 attempts", "1.5 attempts", "45 days", "75%"]
    for test, words in zip(tests, shown, strict=True):
        assert words in test.explanation


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


def test_successes_that_a_campaign_could_be_behind(spark: SparkSession) -> None:
    def hours(number: float) -> datetime:
        return FIRST + timedelta(hours=number)

    members = spark.createDataFrame(
        [
            # (cluster, user, network, when); the campaign's last attempt is at 100 h.
            (0, "ann", "AS64500", hours(10)),
            (0, "ann", "NODATA", hours(20)),
            (0, "bob", "AS64501", hours(100)),
            (1, "ann", "AS64502", hours(40)),
        ],
        "cluster_id int, user string, network string, time_generated timestamp",
    )
    successes = spark.createDataFrame(
        [
            ("at the first try", "ann", "AS64500", hours(10)),
            ("before the campaign", "ann", "AS64500", hours(10) - timedelta(seconds=1)),
            ("another user's network", "ann", "AS64501", hours(30)),
            ("own network", "ann", "AS64599", hours(30)),
            ("unknown network", "ann", "NODATA", hours(30)),
            ("after both", "ann", "AS64502", hours(50)),
            ("a day after", "bob", "AS64501", hours(124)),
            ("too late", "bob", "AS64501", hours(124) + timedelta(seconds=1)),
            ("the first guess was right", "bob", "AS64509", hours(99)),
            ("never tried", "cid", "AS64500", hours(50)),
            # On three days: a network bob is at home in, campaign or not.
            ("at home", "bob", "AS64500", hours(1)),
            ("at home too", "bob", "AS64500", hours(50)),
            ("still at home", "bob", "AS64500", hours(101)),
        ],
        "signin_id string, user string, network string, time_generated timestamp",
    )
    plausible = plausible_successes(successes, members)
    assert set(plausible.columns) == {*successes.columns, "cluster_id", "network_shared"}
    rows = [(r["cluster_id"], r["signin_id"], r["network_shared"]) for r in plausible.collect()]
    assert sorted(rows) == [
        (0, "a day after", False),
        (0, "after both", False),
        (0, "another user's network", True),
        # Only the account's own mistakes come from there.
        (0, "at the first try", False),
        (0, "own network", False),
        (0, "the first guess was right", False),
        # That the log is silent about both is nothing they share.
        (0, "unknown network", False),
        (1, "after both", False),
    ]
