"""The population: from where and with which systems its people succeed."""

from datetime import UTC, datetime, timedelta

import pytest

from lowslow_assets.detection.population import (
    KnownAccount,
    Population,
    count_accounts,
    count_source_days,
    known_suspects,
    population_of,
)
from lowslow_assets.engines.base import Engine
from lowslow_assets.engines.schemas import schema
from lowslow_assets.lake.tables import NODATA, SUCCESS_SOURCES
from lowslow_assets_tests.support.relations import relation

START = datetime(2026, 5, 4, tzinfo=UTC)


def test_the_population_is_learned_from_where_people_succeed(engine: Engine) -> None:
    """Six prefixes of users, seven source-days, two of them as new as a suspect's source."""
    day, next_day = START.date(), START.date() + timedelta(days=1)
    home = {"network": "AS1", "Location": "SE", "state": "S", "city": "Lund"}
    rows = [
        # Ann's home on two days, and another pool of her provider: all of these are known.
        {"user": "ann", "ip_prefix": "p1", "operatingSystem": "Windows", "date": day, **home},
        {"user": "ann", "ip_prefix": "p1", "operatingSystem": "Windows", "date": next_day, **home},
        {"user": "ann", "ip_prefix": "p2", "operatingSystem": "Windows", "date": day, **home},
        # A cafe in her town, where the device is known. A hotel abroad, where nothing is.
        {"user": "ann", "ip_prefix": "p3", "operatingSystem": "Windows", "date": day, **home}
        | {"network": "AS2"},
        {"user": "ann", "ip_prefix": "p4", "operatingSystem": "Windows", "date": day, **home}
        | {"network": "AS3", "city": "Rome"},
        # Bob, once; if the place is unknown, nothing is known about it.
        {"user": "bob", "ip_prefix": "p5", "operatingSystem": "Windows", "date": day, **home}
        | {"city": "NODATA"},
        {"user": "cid", "ip_prefix": None, "operatingSystem": "Windows", "date": day, **home},
    ]
    successes = relation(engine, SUCCESS_SOURCES.dated, rows)
    suspect = relation(engine, schema("user string"), [("bob",), ("Bob",)])
    assert count_accounts(successes, suspect).rows() == [{"accounts": 4}]
    assert count_source_days(successes).rows() == [
        {"operatingSystem": "Windows", "source_days": 6, "new_source_days": 2}
    ]
    explained = [
        {"explanation": "own network", "example": None, "failures": 9, "source_days": 2},
        {"explanation": "own device", "example": None, "failures": 1, "source_days": 1},
        {"explanation": "own device", "example": "ann", "failures": 1, "source_days": 1},
        {"explanation": "office", "example": None, "failures": 50, "source_days": 50},
    ]
    hours = {START: 7}
    # Three of six source-days are given up, however often the password was mistyped in them; away
    # from home three times as often.
    found = population_of(successes, suspect, explained, hours, days=10)
    known = {"bob": KnownAccount(frozenset({"Windows"}), day, day)}
    assert found == Population(4, 10, {"Windows": 3 * 3 / 6 * 2 / 10}, hours, known)


# The first success of each, at home; per success user, prefix, network, city, system, day.
HOME = ("ann", "home", "AS1", "Lund", "Ios", 1)


@pytest.mark.parametrize(
    ("successes", "source_days", "new_source_days"),
    [
        ([HOME], 1, 1),
        # Another row of the same day is not another day.
        ([HOME, (*HOME[:5], 2)], 2, 1),
        ([HOME, (*HOME[:4], "Android", 1)], 1, 1),
        # Known: the same system at the same place.
        ([HOME, ("ann", "away", "AS2", "Lund", "Ios", 1)], 2, 0),
        ([HOME, ("ann", "away", "AS2", "Rome", "Ios", 1)], 2, 2),
        ([HOME, ("ann", "away", "AS2", "Lund", "Android", 1)], 2, 2),
        # A missing value is not a device.
        ([(*HOME[:3], NODATA, "Ios", 1), ("ann", "away", "AS2", NODATA, "Ios", 1)], 2, 2),
        ([(*HOME[:4], NODATA, 1), ("ann", "away", "AS2", "Lund", NODATA, 1)], 2, 2),
        # The network is known, but nobody else succeeds from the prefix.
        ([HOME, ("ann", "away", "AS1", "Rome", "Ios", 1)], 2, 2),
        # Now somebody does: Ann's day is known, and at home she is alone. Bob's is new to him.
        ([HOME, *((user, "away", "AS1", "Rome", "Ios", 1) for user in ("ann", "bob"))], 3, 2),
        # Others' networks and devices are not the user's.
        ([HOME, ("bob", "away", "AS1", "Lund", "Ios", 1)], 2, 2),
        # A day without a known source does not count.
        ([HOME, ("ann", None, "AS1", "Lund", "Ios", 1)], 1, 1),
    ],
    ids=[
        "once",
        "two days",
        "two systems",
        "own device",
        "other place",
        "other system",
        "unknown place",
        "unknown system",
        "network, alone",
        "network, with others",
        "others'",
        "unknown source",
    ],
)
def test_new_source_days_are_those_that_would_leave_a_failure_open(
    engine: Engine, successes: list[tuple], source_days: int, new_source_days: int
) -> None:
    columns = ("user", "ip_prefix", "network", "city", "operatingSystem")
    rows = [
        dict(zip(columns, values, strict=True))
        | {"Location": "SE", "state": "S", "date": START.date() + timedelta(days=day)}
        for *values, day in successes
    ]
    found = count_source_days(relation(engine, SUCCESS_SOURCES.dated, rows)).rows()
    assert sum(row["source_days"] for row in found) == source_days
    assert sum(row["new_source_days"] for row in found) == new_source_days
    assert {row["operatingSystem"] for row in found} <= {row["operatingSystem"] for row in rows}


def test_known_are_the_suspect_accounts_that_succeed(engine: Engine) -> None:
    """Per day from 0 on, who succeeds with which system; Cid is no suspect, Dan never succeeds."""
    days = [START.date() + timedelta(days=day) for day in range(6)]
    seen = [("ann", "Ios"), ("ann", NODATA), ("ann", "Linux"), ("ann", "Ios"), ("bob", NODATA)]
    rows = [
        {"user": user, "operatingSystem": system, "date": day}
        for day, (user, system) in zip(days, [*seen, ("cid", "Ios")], strict=True)
    ]
    successes = relation(engine, SUCCESS_SOURCES.dated, rows[::-1])
    suspect = relation(engine, schema("user string"), [("ann",), ("ann",), ("bob",), ("dan",)])
    found = known_suspects(successes, suspect).rows()
    assert sorted(tuple(row.values()) for row in found) == [
        ("ann", "Ios", days[0], days[3]),
        ("ann", "Linux", days[2], days[2]),
        ("ann", NODATA, days[1], days[1]),
        ("bob", NODATA, days[4], days[4]),
    ]
    # Also with a system that is not logged, an account is there.
    assert population_of(successes, suspect, [], {}, days=6).known == {
        "ann": KnownAccount(frozenset({"Ios", "Linux"}), days[0], days[3]),
        "bob": KnownAccount(frozenset(), days[4], days[4]),
    }


def test_without_a_success_no_failure_is_expected_of_people(engine: Engine) -> None:
    nothing = relation(engine, SUCCESS_SOURCES.dated)
    suspect = relation(engine, schema("user string"), [("bob",)])
    assert population_of(nothing, suspect, [], {}, days=1) == Population(1, 1)
