"""Statistics of clusters, calculated manually on a frame that one can read."""

import math
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats

from lowslow_assets.detection.members import Suspects
from lowslow_assets.detection.statistics import (
    ClusterStatistics,
    FeatureVariation,
    cluster_sizes,
    cluster_statistics,
    compare_counts,
    feature_variation,
    size_of,
    variation_by_cluster,
)
from lowslow_assets.engines.base import Engine
from lowslow_assets.lake.tables import CLUSTER_MEMBERS, FEATURES, SUSPECT_FAILURES
from lowslow_assets_tests.support.relations import relation

# A Monday.
START = datetime(2026, 6, 1, 22, 0, tzinfo=UTC)
# Uneven, with two at one time; the last is the Thursday after.
HOURS = [0, 1, 1, 2, 5, 40, 70, 74]
SHUFFLED = [5, 0, 7, 2, 6, 3, 1, 4]


def member(cluster: int, number: int, hours: float, **values) -> dict:
    return {
        "cluster_id": cluster,
        "signin_id": f"{cluster}-{number}",
        "time_generated": START + timedelta(hours=hours),
        "user": f"user{number % 4}",
        "ip_address": f"192.0.2.{number}",
        **dict.fromkeys(FEATURES, "usual"),
        "Location": "SE",
        "city": "Oslo",
        "mask": 0,
        **values,
    }


@pytest.fixture
def found(engine: Engine) -> dict[int, ClusterStatistics]:
    """All clusters of this module, from one run."""
    rows = [member(0, i, HOURS[i]) for i in SHUFFLED]
    rows += [member(1, i, 3 * i, ip_address=None, Location=f"L{i}") for i in range(2)]
    rows += [member(2, i, 0) for i in range(4)]
    rows += [member(3, 0, 0, user="only")]
    rows += [member(4, i, hours) for i, hours in enumerate([0, 30, 40])]
    successes = {22: 30, 23: 10, 9: 60}, {1: 40, 2: 60}
    statistics = cluster_statistics(relation(engine, CLUSTER_MEMBERS.schema, rows), *successes)
    assert [line.cluster_id for line in statistics] == [0, 1, 2, 3, 4]
    return {line.cluster_id: line for line in statistics}


def test_size_and_pace(found: dict[int, ClusterStatistics]) -> None:
    cluster = found[0]
    assert (cluster.failures, cluster.users, cluster.ip_addresses, cluster.countries) == (
        8,
        4,
        8,
        1,
    )
    assert (cluster.attempts_per_user, cluster.attempts_per_address) == (2.0, 1.0)
    # In UTC 22, 23, 23 h on 1 June; 0, 3 h on the 2nd; 14 h, 20 h, 0 h on the 3rd to the 5th.
    assert (cluster.active_days, cluster.span_days, cluster.attempts_per_day) == (5, 5, 8 / 5)
    assert cluster.first_activity.astimezone(UTC) == START
    assert cluster.last_activity.astimezone(UTC) == START + timedelta(hours=74)


def test_sizes_alone_are_those_of_the_statistics(
    engine: Engine, found: dict[int, ClusterStatistics]
) -> None:
    rows = [member(0, i, HOURS[i]) for i in SHUFFLED] + [member(3, 0, 0, user="only")]
    sizes = cluster_sizes(relation(engine, CLUSTER_MEMBERS.schema, rows))
    assert [size.cluster_id for size in sizes] == [0, 3]
    for size in sizes:
        assert vars(size).items() <= vars(found[size.cluster_id]).items()


def test_names_without_an_account_are_no_accounts(engine: Engine) -> None:
    users = [("ann", "50126"), ("bob", "50053"), ("adm1n", "50034"), ("adm1n", "50034")]
    # An account that was made between two attempts.
    users += [("new", "50034"), ("new", "50126"), ("x", "50128")]
    rows = [
        member(0, number, number, user=user, result_type=code)
        for number, (user, code) in enumerate(users)
    ]
    [size] = cluster_sizes(relation(engine, CLUSTER_MEMBERS.schema, rows))
    assert (size.failures, size.users, size.invented_names) == (7, 3, 2)
    assert size.attempts_per_user == 7 / 5


attempt = st.tuples(
    st.integers(-400_000 * 86_400, 40_000 * 86_400),
    st.integers(0, 999_999),
    st.sampled_from(["ann", "Ann", "bob", "İ", "a b"]),
    st.sampled_from([None, "", "192.0.2.1", "2001:db8::1"]),
    st.sampled_from(["SE", "NODATA", "se"]),
    st.sampled_from([None, "50126", "50034", "50128"]),
)


@given(st.lists(st.lists(attempt, min_size=1, max_size=8), min_size=1, max_size=12))
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_arrays_have_the_size_that_a_query_finds(
    engine: Engine, clusters: list[list[tuple]]
) -> None:
    rows = [
        member(
            cluster,
            number,
            0,
            time_generated=START + timedelta(seconds=seconds, microseconds=micros),
            user=user,
            ip_address=address,
            Location=country,
            result_type=code,
        )
        for cluster, attempts in enumerate(clusters)
        for number, (seconds, micros, user, address, country, code) in enumerate(attempts)
    ]
    sizes = cluster_sizes(relation(engine, CLUSTER_MEMBERS.schema, rows))
    assert len(sizes) == len(clusters)
    for size in sizes:
        own = [{**row, "pattern": 0} for row in rows if row["cluster_id"] == size.cluster_id]
        suspects = Suspects.of(pa.Table.from_pylist(own, SUSPECT_FAILURES.schema))
        assert size_of(size.cluster_id, suspects) == size


def test_days_without_a_member_are_in_the_span_alone(found: dict[int, ClusterStatistics]) -> None:
    # 1 June 22 h, 3 June 4 h, 3 June 14 h.
    assert (found[4].active_days, found[4].span_days, found[4].attempts_per_day) == (2, 3, 1.0)


def test_rows_without_an_address_count_as_one_address(found: dict[int, ClusterStatistics]) -> None:
    assert (found[1].ip_addresses, found[1].attempts_per_address) == (0, 2.0)
    assert found[1].countries == 2


@pytest.mark.parametrize(("cluster", "hours"), [(0, HOURS), (4, [0, 30, 40])])
def test_times_against_uniform_are_scipys_test_between_first_and_last(
    found: dict[int, ClusterStatistics], cluster: int, hours: list[int]
) -> None:
    inner = np.array(hours[1:-1]) / hours[-1]
    expected = stats.kstest(inner, "uniform", method="exact")
    assert found[cluster].ks_statistic == pytest.approx(expected.statistic, rel=1e-9)
    assert found[cluster].ks_p_value == pytest.approx(expected.pvalue, rel=1e-9)


@pytest.mark.parametrize("cluster", [1, 2, 3], ids=["two", "all at one time", "one"])
def test_too_few_times_have_no_test(found: dict[int, ClusterStatistics], cluster: int) -> None:
    assert found[cluster].ks_statistic is None
    assert found[cluster].ks_p_value is None


def test_rhythm_is_compared_with_the_successes(found: dict[int, ClusterStatistics]) -> None:
    # Hours of day: 22, 23, 23, 0, 3, 14, 20, 0. ISO weekdays: 1, 1, 1, 2, 2, 3, 4, 5.
    hours, weekdays = {22: 1, 23: 2, 0: 2, 3: 1, 14: 1, 20: 1}, {1: 3, 2: 2, 3: 1, 4: 1, 5: 1}
    assert (found[0].hour_distance, found[0].hour_p_value) == compare_counts(
        hours, {22: 30, 23: 10, 9: 60}
    )
    assert (found[0].weekday_distance, found[0].weekday_p_value) == compare_counts(
        weekdays, {1: 40, 2: 60}
    )
    # |3/8 - 0.4| + |2/8 - 0.6| + 3/8, halved.
    assert found[0].weekday_distance == pytest.approx((0.025 + 0.35 + 0.375) / 2)


def test_counts_are_compared_by_chi_squared_on_counts() -> None:
    # Columns 40, 60, 100 of 200: expected 20, 30, 50 on either side; bin 4 is empty.
    distance, p_value = compare_counts({1: 10, 2: 30, 3: 60, 4: 0}, {1: 30, 2: 30, 3: 40})
    assert distance == pytest.approx(0.2)
    chi_squared = 2 * (10**2 / 20 + 10**2 / 50)
    assert p_value == pytest.approx(math.exp(-chi_squared / 2)), "two degrees of freedom"


def test_ten_times_the_events_are_better_evidence_at_the_same_distance() -> None:
    few, many = (
        compare_counts({1: 3 * n, 2: 4 * n, 3: n}, {1: 4 * n, 2: 3 * n, 3: n}) for n in (5, 50)
    )
    assert few[0] == pytest.approx(many[0])
    assert few[1] is not None
    assert many[1] is not None
    assert many[1] < few[1] / 10


def test_same_shares_have_no_distance() -> None:
    distance, p_value = compare_counts({1: 2, 2: 4, 5: 6}, {1: 20, 2: 40, 5: 60})
    assert (distance, p_value) == (0, pytest.approx(1))


def test_disjoint_counts() -> None:
    distance, p_value = compare_counts({1: 100, 2: 100}, {3: 500})
    assert distance == 1
    assert p_value is not None
    assert p_value < 1e-50


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({1: 5}, {1: 7}, (0.0, None)),
        ({}, {1: 7}, (1.0, None)),
        ({1: 7}, {}, (1.0, None)),
        ({}, {}, (1.0, None)),
        ({1: 7}, {1: 0}, (1.0, None)),
    ],
    ids=["one bin", "nothing here", "nothing there", "nothing", "zeros"],
)
def test_counts_without_a_test(one, other, expected) -> None:
    assert compare_counts(one, other) == expected


def test_the_p_value_is_scipys() -> None:
    one, other = {1: 10, 2: 30, 3: 60, 5: 1}, {1: 300, 2: 310, 3: 402, 4: 17}
    table = [[10, 30, 60, 0, 1], [300, 310, 402, 17, 0]]
    _, p_value, _, _ = stats.chi2_contingency(table, correction=False)
    assert compare_counts(one, other)[1] == pytest.approx(p_value, rel=1e-12)


def test_feature_variation_as_calculated_manually(engine: Engine) -> None:
    cities = ["Oslo", "Oslo", "Rome", "Bern"]
    city, country = (1 << FEATURES.index(feature) for feature in ("city", "Location"))
    every = (1 << len(FEATURES)) - 1
    rows = [
        member(0, i, i, city=name, mask=mask)
        for i, (name, mask) in enumerate(
            zip(cities, [country, city | country, city | country, city], strict=True)
        )
    ]
    # Rome and Bern are equally common: the first one by name is shown.
    rows += [
        member(1, i, i, city=name, mask=every & ~(city | country))
        for i, name in enumerate(["Rome", "Bern"])
    ]
    entropy = dict.fromkeys(FEATURES, 3.0) | {"Location": 0.0}
    variation = feature_variation(relation(engine, CLUSTER_MEMBERS.schema, rows), entropy)
    assert [(line.cluster_id, line.feature) for line in variation] == [
        (cluster, feature) for cluster in (0, 1) for feature in sorted(FEATURES)
    ]
    lines = {(line.cluster_id, line.feature): line for line in variation}
    assert vars(lines[0, "city"]) == pytest.approx(
        {
            "cluster_id": 0,
            "feature": "city",
            "categories": 3,
            "entropy": 1.5 * math.log(2),
            "baseline_entropy": 3.0,
            "variability": 0.5 * math.log(2),
            "anomalous_share": 0.75,
            "top_category": "Oslo",
            "top_share": 0.5,
        }
    )
    # All are in one country, so there is no entropy; the baseline has none either.
    only = lines[0, "Location"]
    assert (only.entropy, only.variability, only.anomalous_share) == (0, None, 0.75)
    assert (only.top_category, only.top_share) == ("SE", 1.0)
    other = lines[1, "city"]
    assert (other.top_category, other.top_share, other.anomalous_share) == ("Bern", 0.5, 0.0)
    assert other.entropy == pytest.approx(math.log(2))
    assert {lines[1, f].anomalous_share for f in FEATURES if f not in ("city", "Location")} == {1.0}


def test_variation_from_rows() -> None:
    lines = [
        FeatureVariation(c, f, 1, 0.0, 1.0, 0.0, 0.5, "x", 1.0) for c, f in ((3, "a"), (1, "b"))
    ]
    lines.append(FeatureVariation(3, "b", 1, 0.0, 0.0, None, 0.5, "x", 1.0))
    assert variation_by_cluster(map(vars, lines)) == {3: [lines[0], lines[2]], 1: [lines[1]]}
