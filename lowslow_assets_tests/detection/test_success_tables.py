"""The small tables of successes."""

from datetime import UTC, datetime

import pytest

from lowslow_assets.detection import success_tables
from lowslow_assets.engines.base import Engine, Relation
from lowslow_assets.lake.tables import ENCODED_FEATURES, SUCCESS_SAMPLE, SUCCESS_SOURCES
from lowslow_assets_tests.support.relations import relation


def test_counts_by_weekday_and_hour_of_day() -> None:
    by_hour = [
        (datetime(2026, 6, 6, 23, tzinfo=UTC), 2),  # a Saturday
        (datetime(2026, 6, 7, 0, tzinfo=UTC), 1),
        (datetime(2026, 6, 13, 23, tzinfo=UTC), 1),
    ]
    assert success_tables.by_weekday(by_hour) == [
        success_tables.Weekday(6, 3),
        success_tables.Weekday(7, 1),
    ]
    assert success_tables.by_hour_of_day(by_hour) == [
        success_tables.HourOfDay(0, 1),
        success_tables.HourOfDay(23, 3),
    ]


def test_monday_is_the_first_day_of_the_week() -> None:
    monday = datetime(2026, 6, 8, 12, tzinfo=UTC)
    assert success_tables.by_weekday([(monday, 5)]) == [success_tables.Weekday(1, 5)]


def test_most_common_locations_and_their_ties(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(success_tables, "MOST_COMMON_LOCATIONS", 3)
    rome, bern, oslo, unknown = (
        ("IT", "Lazio", "Rome", 41.9, 12.5),
        ("CH", "Bern", "Bern", 46.9, 7.4),
        ("NO", "Oslo", "Oslo", 59.9, 10.7),
        ("IT", "NODATA", "NODATA", None, None),
    )
    names = ("Location", "state", "city", "latitude", "longitude")
    rows = [
        {**dict(zip(names, place, strict=True)), "successes": 2 if place is oslo else 1}
        for place in (rome, oslo, unknown, bern, rome, bern)
    ]
    found = success_tables.most_common_locations(relation(engine, SUCCESS_SOURCES.schema, rows))
    # Three places have two; the place with one is cut off.
    assert [tuple(row.values()) for row in found.rows()] == [
        (*place, 2) for place in (bern, rome, oslo)
    ]


def signins(engine: Engine, ids: list[str], outcome: str = "success", **values: str) -> Relation:
    rows = [{"signin_id": i, "outcome": outcome, **values} for i in ids]
    return relation(engine, ENCODED_FEATURES.schema, rows)


def ids_of(sample: Relation) -> list[str]:
    return [row["signin_id"] for row in sample.rows()]


def test_sample_depends_on_the_ids_alone(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = [f"{number:08x}-signin" for number in range(200)]
    one, other = signins(engine, ids, user="a"), signins(engine, ids[::-1], user="b")
    monkeypatch.setattr(success_tables, "SAMPLE_SIZE", 50)
    first, second = (ids_of(success_tables.sample(rows, 200)) for rows in (one, other))
    assert first == second
    assert len(first) == len(set(first)) == 50
    # Neither simply the first ones, nor the last.
    assert 10 < sum(i in ids[:100] for i in first) < 40

    monkeypatch.setattr(success_tables, "SAMPLE_SIZE", 10_000)
    everything = success_tables.sample(other, 200)
    assert sorted(ids_of(everything)) == ids
    assert list(everything.columns) == SUCCESS_SAMPLE.schema.names
    assert success_tables.sample(signins(engine, ids, "failure"), 0).rows() == []


def test_a_sample_of_many_is_that_of_all(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows that cannot be in the sample are left out before the others are sorted."""
    monkeypatch.setattr(success_tables, "SAMPLE_SIZE", 50)
    many = signins(engine, [f"{number:08x}" for number in range(20_000)])
    ids = [ids_of(success_tables.sample(many, number)) for number in (20_000, 1)]
    assert ids[0] == ids[1]
    assert len(ids[0]) == 50
