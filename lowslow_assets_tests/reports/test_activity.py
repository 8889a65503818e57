"""Figures of campaigns, from a handful of members."""

from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest

from lowslow_assets.engines.base import Engine, Relation
from lowslow_assets.lake.tables import INCIDENT_MEMBERS
from lowslow_assets.reports import activity
from lowslow_assets_tests.support.relations import relation

START = datetime(2026, 6, 1, 23, 10, tzinfo=UTC)


def member(minutes: int, **values) -> dict:
    """A failure of incident ``a``, so long after START."""
    return {
        "incident_id": "a",
        "signin_id": f"id {minutes}",
        "outcome": "failure",
        "time_generated": START + timedelta(minutes=minutes),
        "user": "u1",
        "network": "n1",
        "city": "Oslo",
        "state": "Oslo",
        "Location": "NO",
        "latitude": 60.0,
        "longitude": 10.0,
        "score": 0.5,
        **values,
    }


def relation_of(engine: Engine, *members: dict) -> Relation:
    return relation(engine, INCIDENT_MEMBERS.schema, members)


def test_hours_are_counted_by_outcome(engine: Engine):
    members = relation_of(
        engine,
        member(0),
        member(49, outcome="stopped"),
        member(50, outcome="refused"),
        member(51, outcome="success"),
        member(0, incident_id="b"),
    )
    found = [
        (row["incident_id"], row["outcome"], row["hour"].hour, row["signins"])
        for row in activity.by_hour(members).rows()
    ]
    assert found == [
        ("a", "failure", 23, 2),
        ("a", "failure", 0, 1),
        ("a", "success", 0, 1),
        ("b", "failure", 23, 1),
    ]


def test_places_are_the_most_common_that_have_coordinates(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(activity, "MAX_PLACES", 2)
    members = relation_of(
        engine,
        member(0, latitude=59.0),
        member(1, latitude=61.0, outcome="stopped"),
        member(2, city="Lima"),
        member(3, city="Rome"),
        member(4, city="Rome", outcome="success"),
        member(5, city="nowhere", latitude=None),
    )
    found = [
        (row["outcome"], row["city"], row["latitude"], row["signins"])
        for row in activity.by_place(members).rows()
    ]
    # The place of a success comes before places with any number of attempts.
    assert found == [("success", "Rome", 60.0, 1), ("failure", "Oslo", 60.0, 2)]


def test_the_matrix_keeps_networks_and_accounts_that_say_most(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(activity, "MAX_MATRIX_SIDE", 2)
    members = relation_of(
        engine,
        member(0, user="compromised", network="lone"),
        member(1, user="compromised", network="lone", outcome="success"),
        *(
            member(2 + i, user=f"u{i % 3}", network="shared", outcome=outcome)
            for i, outcome in enumerate(("failure", "stopped", "refused", "stopped"))
        ),
        # Busy, but not from a network that is shown.
        *(member(10 + i, user="busy", network=f"other {i}") for i in range(9)),
    )
    found = [tuple(row.values()) for row in activity.by_user_and_network(members).rows()]
    assert found == [("a", "compromised", "lone", 1, 1), ("a", "u0", "shared", 2, 0)]


def test_the_matrix_of_each_incident_is_its_own(engine: Engine):
    members = relation_of(engine, member(0), member(1), member(0, incident_id="b", network="n2"))
    found = [tuple(row.values()) for row in activity.by_user_and_network(members).rows()]
    assert found == [("a", "u1", "n1", 2, 0), ("b", "u1", "n2", 1, 0)]


def test_the_table_has_the_successes_the_stopped_then_the_newest(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(activity, "MAX_MEMBERS", 3)
    members = relation_of(
        engine,
        member(1, outcome="stopped", result_type="50076"),
        member(2, outcome="refused"),
        member(3),
        member(0, outcome="success", score=0.9875, evidence="why"),
        member(1, incident_id="b", user="x" * 10_000),
    )
    table = activity.newest(members)
    assert table["incident_id"].to_pylist() == ["a", "a", "a", "b"]
    assert table["Sign-in id"].to_pylist() == ["id 0", "id 1", "id 3", "id 1"]
    assert table["Result code"].to_pylist() == ["", "50076", "", ""]
    assert table["Time (UTC)"].to_pylist()[0] == "2026-06-01 23:10:00"
    assert table["Probability"].to_pylist() == ["0.988", "0.500", "0.500", "0.500"]
    assert table["Evidence"].to_pylist() == ["why", "", "", ""]
    assert table["Account"].to_pylist()[-1] == "x" * 256
    # A page's cells are text, and none is missing.
    assert {field.type for field in table.schema} == {pa.string()}
    assert not any(column.null_count for column in table.columns)
