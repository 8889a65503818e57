"""Accounts whose password is known, from a handful of members."""

from datetime import UTC, datetime, timedelta

from lowslow_assets.detection.accounts import known_passwords
from lowslow_assets.engines.base import Engine
from lowslow_assets.lake.tables import INCIDENT_MEMBERS
from lowslow_assets_tests.support.relations import relation

START = datetime(2026, 6, 1, 23, 10, tzinfo=UTC)


def known(engine: Engine, *members: tuple[str, str, str, int], most: int = 10) -> list[tuple]:
    """Rows of members (incident, user, code, hours); the outcome follows from the code.

    Those of a code with a star were not judged to be the campaign's.
    """
    outcomes = {"0": "success", "50126": "failure", "50053": "refused"}
    rows = [
        {
            "incident_id": incident,
            "signin_id": f"{number}",
            "user": user,
            "outcome": outcomes.get(code, "stopped"),
            "result_type": code.strip("*"),
            "time_generated": START + timedelta(hours=hours),
            "score": 0.5 + number / 100,
            "evidence": None if code.endswith("*") else f"evidence {number}",
        }
        for number, (incident, user, code, hours) in enumerate(members)
    ]
    found = known_passwords(relation(engine, INCIDENT_MEMBERS.schema, rows), most).rows()
    for row in found:
        row["first_stopped"] = (row["first_stopped"] - START).total_seconds() / 3600
    return [tuple(row.values()) for row in found]


def test_accounts_with_a_right_password_come_with_the_first(engine: Engine):
    assert known(
        engine,
        ("a", "late", "50074", 9),
        ("a", "ann", "53003", 8),
        ("a", "ann", "50076", 2),
        ("a", "ann", "50126", 1),
        ("a", "tried", "50126", 0),
        ("a", "locked", "50053", 0),
        ("b", "ann", "50055", 5),
        ("b", "bob", "50055*", 6),
    ) == [
        ("a", "ann", 0.52, 2, "50076", 2, "evidence 2"),
        ("a", "late", 0.5, 9, "50074", 1, "evidence 0"),
        ("b", "ann", 0.56, 5, "50055", 1, "evidence 6"),
    ]


def test_a_compromised_account_is_not_among_them(engine: Engine):
    members = ("a", "ann", "50076", 2), ("a", "ann", "0", 9), ("b", "ann", "50076", 3)
    assert known(engine, *members) == [("b", "ann", 0.52, 3, "50076", 1, "evidence 2")]
    # Whichever is the earliest.
    assert known(engine, ("a", "ann", "50076", 2), ("a", "ann", "0", 1)) == []


def test_the_earliest_are_listed(engine: Engine):
    members = [("a", f"u{i}", "50076", 9 - i) for i in range(5)]
    assert [row[1] for row in known(engine, *members, most=2)] == ["u4", "u3"]
