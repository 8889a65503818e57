"""The small tables of successes."""

from datetime import UTC, datetime

import pytest
from pyspark.sql import SparkSession

from lowslow_assets.detection import success_tables as exports

PLACES = "Location string, state string, city string, latitude double, longitude double"


def test_counts_by_weekday_and_hour_of_day() -> None:
    by_hour = [
        (datetime(2026, 6, 6, 23, tzinfo=UTC), 2),  # a Saturday
        (datetime(2026, 6, 7, 0, tzinfo=UTC), 1),
        (datetime(2026, 6, 13, 23, tzinfo=UTC), 1),
    ]
    assert exports.by_weekday(by_hour) == [exports.Weekday(6, 3), exports.Weekday(7, 1)]
    assert exports.by_hour_of_day(by_hour) == [exports.HourOfDay(0, 1), exports.HourOfDay(23, 3)]


def test_monday_is_the_first_day_of_the_week() -> None:
    monday = datetime(2026, 6, 8, 12, tzinfo=UTC)
    assert exports.by_weekday([(monday, 5)]) == [exports.Weekday(1, 5)]


@pytest.mark.parametrize("partitions", [1, 3])
def test_most_common_locations_and_their_ties(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch, partitions: int
) -> None:
    monkeypatch.setattr(exports, "MOST_COMMON_LOCATIONS", 3)
    rome, bern, oslo, unknown = (
        ("IT", "Lazio", "Rome", 41.9, 12.5),
        ("CH", "Bern", "Bern", 46.9, 7.4),
        ("NO", "Oslo", "Oslo", 59.9, 10.7),
        ("IT", "NODATA", "NODATA", None, None),
    )
    places = [rome, oslo, unknown, bern, rome, bern]
    rows = [(*place, 2 if place is oslo else 1) for place in places]
    found = exports.most_common_locations(
        spark.createDataFrame(rows, f"{PLACES}, successes long").repartition(partitions)
    ).collect()
    # Three have two; the one with one is cut off.
    assert [tuple(row) for row in found] == [(*place, 2) for place in (bern, rome, oslo)]


def test_sample_depends_on_the_ids_alone(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [f"{number:08x}-signin" for number in range(200)]
    columns = "signin_id string, user string"
    one = spark.createDataFrame([(i, "a") for i in ids], columns)
    other = spark.createDataFrame([(i, "b") for i in reversed(ids)], columns).repartition(8)
    monkeypatch.setattr(exports, "SAMPLE_SIZE", 50)
    first, second = (
        [row["signin_id"] for row in exports.sample(f, 200).collect()] for f in (one, other)
    )
    assert set(first) == set(second)
    assert len(first) == len(set(first)) == 50
    # Not simply the first ones, nor the last.
    assert 10 < sum(i in ids[:100] for i in first) < 40

    monkeypatch.setattr(exports, "SAMPLE_SIZE", 10_000)
    everything = exports.sample(other, 200)
    assert sorted(row["signin_id"] for row in everything.collect()) == ids
    assert everything.columns == other.columns


def test_a_sample_of_many_is_that_of_all(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be among the chosen is left out before they are sorted."""
    monkeypatch.setattr(exports, "SAMPLE_SIZE", 50)
    many = spark.range(20_000).selectExpr("format_string('%08x', id) AS signin_id")
    ids = [
        {row["signin_id"] for row in exports.sample(many, number).collect()}
        for number in (20_000, 1)
    ]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 50
