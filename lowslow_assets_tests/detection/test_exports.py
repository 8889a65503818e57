"""The small tables of successes."""

from datetime import UTC, datetime, timedelta

import pytest
from pyspark.sql import SparkSession

from lowslow_assets.detection import exports

# A Saturday.
NIGHT = datetime(2026, 6, 6, 23, 30, tzinfo=UTC)
PLACES = "Location string, state string, city string, latitude double, longitude double"


def test_counts_by_hour_weekday_and_hour_of_day(spark: SparkSession) -> None:
    # Saturday 23:30 and 23:50, Sunday 00:30, a week later Saturday 23:30.
    times = [NIGHT + timedelta(minutes=m) for m in (0, 20, 60, 7 * 24 * 60)]
    successes = spark.createDataFrame([(t,) for t in times], "time_generated timestamp")
    hours = exports.by_calendar_hour(successes).collect()
    assert [(row["hour"].astimezone(UTC), row["successes"]) for row in hours] == [
        (datetime(2026, 6, 6, 23, tzinfo=UTC), 2),
        (datetime(2026, 6, 7, 0, tzinfo=UTC), 1),
        (datetime(2026, 6, 13, 23, tzinfo=UTC), 1),
    ]
    weekdays = exports.by_weekday(successes)
    assert weekdays.columns == ["weekday", "successes"]
    assert [tuple(row) for row in weekdays.collect()] == [(6, 3), (7, 1)]
    hours_of_day = exports.by_hour_of_day(successes)
    assert hours_of_day.columns == ["hour_of_day", "successes"]
    assert [tuple(row) for row in hours_of_day.collect()] == [(0, 1), (23, 3)]


def test_monday_is_the_first_day_of_the_week(spark: SparkSession) -> None:
    monday = [(datetime(2026, 6, 8, 12, tzinfo=UTC),)]
    rows = exports.by_weekday(spark.createDataFrame(monday, "time_generated timestamp")).collect()
    assert [row["weekday"] for row in rows] == [1]


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
    rows = [rome, oslo, unknown, bern, rome, oslo, bern]
    found = exports.most_common_locations(
        spark.createDataFrame(rows, PLACES).repartition(partitions)
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
        [row["signin_id"] for row in exports.sample(f).collect()] for f in (one, other)
    )
    assert set(first) == set(second)
    assert len(first) == len(set(first)) == 50
    # Not simply the first ones, nor the last.
    assert 10 < sum(i in ids[:100] for i in first) < 40

    monkeypatch.setattr(exports, "SAMPLE_SIZE", 10_000)
    everything = exports.sample(other)
    assert sorted(row["signin_id"] for row in everything.collect()) == ids
    assert everything.columns == other.columns
