"""Added, removed and changed incidents between two sets, in words."""

from datetime import date
from typing import Any

import pytest

from lowslow_assets.reports.changes import changes_as_text

FIRST, SECOND = date(2026, 6, 29), date(2026, 6, 30)


def incident(id_: str, **changed: Any) -> dict[str, Any]:
    return {
        "incident_id": id_,
        "severity": "Medium",
        "confidence_label": "high",
        "title": f"Spray {id_}",
        "attempts": 1_200,
        "users": 40,
        "compromised_users": [],
        "known_passwords": [],
    } | changed


def known(*users: str) -> list[dict[str, str]]:
    return [{"user": user} for user in users]


def test_what_is_the_same_is_counted():
    hunts = {FIRST: [incident("a")], SECOND: [incident("a"), incident("b")]}
    assert changes_as_text(hunts, hunts) == "2 incident(s) stay as they are"
    assert changes_as_text({}, {}) == "0 incident(s) stay as they are"


def test_added_and_removed_incidents_are_described_in_full():
    removed = incident("b", compromised_users=["ann"], known_passwords=known("bob", "carl"))
    before = {FIRST: [removed], SECOND: [removed]}
    after = {FIRST: [], SECOND: [incident("a")]}
    assert changes_as_text(before, after).splitlines() == [
        "added    [Medium, confidence high] Spray a",
        "         in the hunts of: 1 day(s), 2026-06-30 to 2026-06-30",
        "         severity: Medium",
        "         confidence: high",
        "         attempts: 1,200",
        "         accounts tried: 40",
        "removed  [Medium, confidence high] Spray b",
        "         in the hunts of: 2 day(s), 2026-06-29 to 2026-06-30",
        "         severity: Medium",
        "         confidence: high",
        "         attempts: 1,200",
        "         accounts tried: 40",
        "         possibly compromised: 'ann'",
        "         password known: 'bob', 'carl'",
        "0 incident(s) stay as they are",
    ]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"severity": "High"}, "severity: Medium -> High"),
        ({"confidence_label": "low"}, "confidence: high -> low"),
        ({"attempts": 9}, "attempts: 1,200 -> 9"),
        ({"users": 1_041}, "accounts tried: 40 -> 1,041"),
        ({"compromised_users": ["ann", "eve"]}, "possibly compromised: also 'eve'"),
        ({"compromised_users": []}, "possibly compromised: no longer 'ann'"),
        ({"known_passwords": known("bob")}, "password known: also 'bob'"),
        ({"compromised_users": ["\x1b[2J"]}, "possibly compromised: also '\\x1b[2J'"),
        (
            {"compromised_users": ["ann", *"bcdefgh"]},
            "possibly compromised: also 'b', 'c', 'd', 'e', 'f' and 2 more",
        ),
    ],
    ids=str,
)
def test_a_changed_incident_is_described_by_its_last_day(changed: dict[str, Any], said: str):
    old = incident("a", compromised_users=["ann"])
    before = {FIRST: [old], SECOND: [old]}
    after = {FIRST: [old | {"users": 7}], SECOND: [old | changed]}
    first, line, *_, last = changes_as_text(before, after).splitlines()
    new = old | changed
    assert first == (f"changed  [{new['severity']}, confidence {new['confidence_label']}] Spray a")
    assert line == f"         {said}"
    assert last == "0 incident(s) stay as they are"


def test_a_changed_number_of_hunts_is_reported():
    before = {FIRST: [incident("a")], SECOND: [incident("a")]}
    after = {FIRST: [], SECOND: [incident("a")]}
    assert changes_as_text(before, after).splitlines()[1] == (
        "         in the hunts of: 2 day(s), 2026-06-29 to 2026-06-30 -> "
        "1 day(s), 2026-06-30 to 2026-06-30"
    )


def test_very_many_are_counted():
    many = {FIRST: [incident(f"{n:03d}") for n in range(60)]}
    assert "added    10 more" in changes_as_text({}, many).splitlines()
