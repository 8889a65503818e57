"""From the window's sign-ins to those of each incident, on a small campaign with visits."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from lowslow_assets.detection.gathering import TOOLS
from lowslow_assets.engines.base import Engine, Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import sql
from lowslow_assets.hunting.entries import ENTRIES, find_entries, signins_of_incidents
from lowslow_assets.lake.tables import (
    CLUSTER_MEMBERS,
    CLUSTER_STATISTICS,
    ENCODED_FEATURES,
    FEATURES,
    INCIDENT_MEMBERS,
)
from lowslow_assets.signins.features import sum_sources
from lowslow_assets_tests.support.relations import relation

DAY = date(2026, 6, 30)
START = datetime(2026, 6, 30, 8, tzinfo=UTC)
USUAL = dict.fromkeys(FEATURES, "usual") | {"displayName": "LAPTOP-1"}
KIT = dict.fromkeys(FEATURES, "odd") | {"displayName": "NODATA"}
EVERYTHING = (1 << len(FEATURES)) - 1
CAMPAIGN = {
    "cluster_id": 3,
    "first_activity": START,
    "last_activity": START + timedelta(hours=9),
}
TOOL = CAMPAIGN | {
    **dict.fromkeys(("browser", "operatingSystem", "agent"), "odd"),
    "is_device": True,
}
OTHER_KIT = KIT | {"operatingSystem": "odd too"}
"""As odd as the campaign's, but not its tool."""


def signin(id: str, user: str, prefix: str, hour: int, **changed: Any) -> dict[str, Any]:
    """A success with the user's own device from the office, with some changes."""
    return {
        "signin_id": id,
        "time_generated": START + timedelta(hours=hour),
        "user": user,
        "outcome": "success",
        "ip_address": f"{prefix}.1",
        "ip_prefix": prefix,
        **USUAL,
        "date": DAY,
        **changed,
    }


ATTEMPTS = [
    {
        **signin(f"attempt {n}", f"user{n}", f"203.0.{n}", n % 10, **KIT),
        "outcome": ("failure", "stopped", "refused")[n % 3],
        "result_type": ("50126", "50076", "50053")[n % 3],
        "cluster_id": 3,
        "assignment_probability": 0.75,
        "mask": EVERYTHING,
    }
    for n in range(20)
]
"""One attempt per account, each from an address of its own."""
HISTORY = [
    # All have worked at one office for days, and 30 who were not tried also travel.
    *(signin(f"work {n}", f"user{n}", "198.51.100", -48) for n in range(60)),
    *(
        signin(f"travel {n}", f"user{n}", f"192.0.{n}", 2, network="hotel", city="Rome")
        for n in range(30, 60)
    ),
]


def mask(signins: Relation) -> Relation:
    """Masks like a hunt's: anomalous in all features if the browser is odd, else in none."""
    return sql(
        """
        SELECT DISTINCT
            date,
            signin_id,
            CASE WHEN browser = 'odd' THEN {everything} ELSE 0 END AS mask
        FROM {signins}
        """,
        signins=signins,
        everything=EVERYTHING,
    )


VPN = {"network": "VPN", "city": "Oslo"}


def from_vpn(*users: int) -> list[dict[str, Any]]:
    """Attempts on these users' accounts from one prefix, which is then the campaign's own."""
    return [
        ATTEMPTS[0] | signin(f"VPN {n}", f"user{n}", "192.88.99", 5, **KIT, outcome="failure")
        for n in users
    ]


def entries_among(
    engine: Engine, *visits: dict[str, Any], attempts: Sequence[dict[str, Any]] = ATTEMPTS
) -> Relation:
    """The entries of the campaign in a window with these visits."""
    signins = relation(engine, ENCODED_FEATURES.dated, [*HISTORY, *visits])
    return find_entries(
        relation(engine, CLUSTER_MEMBERS.schema, attempts),
        signins,
        sum_sources(signins),
        relation(engine, CLUSTER_STATISTICS.schema, [CAMPAIGN]),
        relation(engine, TOOLS, [TOOL]),
        mask,
    )


def test_a_visit_with_the_campaigns_kit_is_its_entry(engine: Engine) -> None:
    # The campaign's attempt on the account was at hour 7.
    visit = signin("visit", "user7", "203.1.0", 8, **KIT)
    looks_around = signin("looks around", "user7", "203.1.0", 9, **KIT | {"browser": "usual"})
    first, second = sorted(
        entries_among(engine, visit, looks_around).rows(), key=lambda row: row["signin_id"]
    )
    assert first["signin_id"] == "looks around"
    assert first["mask"] == 0
    assert {name: second[name] for name in ("signin_id", "cluster_id", "exported", "mask")} == {
        "signin_id": "visit",
        "cluster_id": 3,
        "exported": DAY,
        "mask": EVERYTHING,
    }
    # All sign-ins of one visit are one entry.
    assert first["score"] == second["score"] > 0.99
    rest = (
        "; the campaign had tried the account; new to the user: application, client, device, place"
    )
    assert first["evidence"] == (
        f"from a network new to the user and an address prefix nobody else succeeds from{rest}"
    )
    assert second["evidence"] == f"with the tool of the campaign{rest}"


def test_a_right_password_that_was_stopped_is_judged_as_an_entry(engine: Engine) -> None:
    stopped = {"outcome": "stopped", "result_type": "50076"}
    visits = [
        # Stopped twice within the hour.
        signin("stopped", "user7", "203.1.0", 6, **KIT | stopped),
        signin("again", "user7", "203.1.0", 6, **KIT | stopped),
        # The office, where people succeed; a prompt that was answered; a traveller of many.
        signin("office", "user8", "198.51.100", 6, **KIT | stopped),
        signin("answered", "user9", "203.1.1", 6, **KIT | stopped | {"seconds_to_success": 9}),
        *(
            signin(f"hotel {n}", f"user{n}", f"203.2.{n}", 6, network="hotel", **stopped)
            for n in range(30, 40)
        ),
    ]
    found = entries_among(engine, *visits).rows()
    assert {row["signin_id"] for row in found} == {"stopped", "again"}
    assert {row["outcome"] for row in found} == {"stopped"}
    assert min(row["score"] for row in found) > 0.9


def test_travellers_and_colleagues_are_no_entries(engine: Engine) -> None:
    visits = [
        # From one address, and therefore of an office; after the campaign; from the user's own
        # network.
        signin("of two", "user1", "203.1.1", 6, **OTHER_KIT),
        signin("of two also", "user2", "203.1.1", 6, **OTHER_KIT),
        signin("late", "user3", "203.1.2", 34, **OTHER_KIT),
        signin("at home", "user4", "203.1.3", 6, **OTHER_KIT | {"network": "usual"}),
    ]
    assert entries_among(engine, *visits).rows() == []


def test_with_the_campaigns_tool_a_visit_is_an_entry_wherever_it_comes_from(
    engine: Engine,
) -> None:
    visits = [
        signin("of two", "user1", "203.1.1", 6, **KIT),
        signin("of two also", "user2", "203.1.1", 6, **KIT),
        signin("at home", "user4", "203.1.3", 6, **KIT | {"network": "usual"}),
        # After the campaign; at the office, where the user has been for days; by a user who has had
        # the same browser and operating system for days.
        signin("late", "user3", "203.1.2", 34, **KIT),
        signin("office", "user5", "198.51.100", 6, **KIT),
        signin("before", "user6", "203.1.4", -30, **KIT),
        signin("again", "user6", "203.1.5", 6, **KIT),
    ]
    found = entries_among(engine, *visits).rows()
    assert {row["signin_id"] for row in found} == {"of two", "of two also", "at home"}
    for row in found:
        assert row["score"] > 0.9
        assert row["evidence"].startswith("with the tool of the campaign")


def test_a_lone_visit_from_the_campaigns_own_prefix_is_one_entry(engine: Engine) -> None:
    visit = signin("visit", "user7", "192.88.99", 8, **KIT | VPN)
    [found] = entries_among(engine, visit, attempts=[*ATTEMPTS, *from_vpn(40, 41)]).rows()
    assert found["signin_id"] == "visit"
    assert found["evidence"].startswith("from an address prefix from which the campaign tries")


def test_people_at_the_campaigns_own_prefix_are_no_entries_beside_one(engine: Engine) -> None:
    visits = [
        signin("entry", "user7", "192.88.99", 8, **KIT | VPN),
        # A day before the campaign's first attempt from there is time enough for a first guess.
        signin("first guess", "user8", "192.88.99", 5 - 24, **KIT | VPN),
        # Before that, people use the VPN, and may do so afterwards.
        signin("before", "user50", "192.88.99", 5 - 25, **USUAL | VPN),
        signin("after", "user50", "192.88.99", 9, **USUAL | VPN),
    ]
    attempts = [*ATTEMPTS, *from_vpn(40, 41, 42)]
    found = entries_among(engine, *visits, attempts=attempts).rows()
    assert {row["signin_id"] for row in found} == {"entry", "first guess"}


def test_an_entry_is_less_certain_if_people_came_to_its_prefix_before(engine: Engine) -> None:
    """Of 9 + 1 visits there and 30 elsewhere, 9 are certainly honest; else, hardly any are."""
    attempts = [*ATTEMPTS, *from_vpn(*range(40, 50))]
    visit = signin("visit", "user59", "192.88.99", 9, **KIT | VPN)
    people = [signin(f"{n}", f"user{n}", "192.88.99", -30, **USUAL | VPN) for n in range(9)]
    [alone] = entries_among(engine, visit, attempts=attempts).rows()
    [beside] = entries_among(engine, visit, *people, attempts=attempts).rows()
    odds, less = (row["score"] / (1 - row["score"]) for row in (alone, beside))
    assert odds / less == pytest.approx(9 / (40 + 1) / 1e-5, rel=0.01)


def test_an_incident_has_its_clusters_failures_and_entries(engine: Engine) -> None:
    entries = entries_among(engine, signin("visit", "user7", "203.1.0", 6, **KIT))
    campaigns = relation(
        engine, schema("campaign_id string, cluster_id int"), [("spray", 3), ("over", None)]
    )
    members = relation(engine, CLUSTER_MEMBERS.schema, ATTEMPTS)
    rows = signins_of_incidents(members, entries, campaigns).rows()
    assert {row["incident_id"] for row in rows} == {"spray"}
    [visit] = [row for row in rows if row["outcome"] == "success"]
    assert visit["signin_id"] == "visit"
    attempts = {row["signin_id"]: row for row in rows if row["outcome"] != "success"}
    assert attempts.keys() == {row["signin_id"] for row in ATTEMPTS}
    for given in ATTEMPTS:
        found = attempts[given["signin_id"]]
        assert found["score"] == 0.75
        assert found["evidence"] is found["exported"] is None
        same = [n for n in INCIDENT_MEMBERS.schema.names if n in given]
        assert [found[name] for name in same] == [given[name] for name in same]


def test_an_attempt_that_is_an_entry_is_one_row_with_its_evidence(engine: Engine) -> None:
    again = {"outcome": "stopped", "result_type": "50076"}
    [attempt] = [row for row in ATTEMPTS if row["user"] == "user7"]
    entries = entries_among(engine, signin("attempt 7", "user7", "203.0.7", 7, **KIT | again))
    campaigns = relation(engine, schema("campaign_id string, cluster_id int"), [("spray", 3)])
    members = relation(engine, CLUSTER_MEMBERS.schema, ATTEMPTS)
    rows = signins_of_incidents(members, entries, campaigns).rows()
    assert len(rows) == len(ATTEMPTS)
    [found] = [row for row in rows if row["signin_id"] == attempt["signin_id"]]
    assert found["outcome"] == "stopped"
    assert found["evidence"].startswith("with the tool of the campaign")
    assert "tried" not in found["evidence"]


def test_without_entries_an_incident_has_its_failures(engine: Engine) -> None:
    campaigns = relation(engine, schema("campaign_id string, cluster_id int"), [("spray", 3)])
    members = relation(engine, CLUSTER_MEMBERS.schema, ATTEMPTS)
    rows = signins_of_incidents(members, relation(engine, ENTRIES), campaigns).rows()
    assert {row["outcome"] for row in rows} == {"failure", "stopped", "refused"}
    assert len(rows) == len(ATTEMPTS)
