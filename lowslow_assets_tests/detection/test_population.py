"""The population: from where and with which systems its people succeed."""

from datetime import UTC, datetime, timedelta

import pytest

from lowslow_assets.detection.population import (
    KnownAccount,
    Population,
    count_new_sources,
    count_population,
    known_suspects,
    population_of,
    source_days,
    system_family,
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
    assert count_population(source_days(successes), successes, suspect).rows() == [
        {"accounts": 4, "source_days": 6, "new_source_days": 2}
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
    expected = 3 * 3 / 6 / 10 * 2
    assert found == Population(4, 10, expected, {"Windows": expected}, hours, known)


# The first success of each, at home; per success user, prefix, network, city, system, day.
HOME = ("ann", "home", "AS1", "Lund", "Ios", 1)


@pytest.mark.parametrize(
    ("successes", "all_days", "new_days"),
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
    engine: Engine, successes: list[tuple], all_days: int, new_days: int
) -> None:
    columns = ("user", "ip_prefix", "network", "city", "operatingSystem")
    rows = [
        dict(zip(columns, values, strict=True))
        | {"Location": "SE", "state": "S", "date": START.date() + timedelta(days=day)}
        for *values, day in successes
    ]
    of_success = relation(engine, SUCCESS_SOURCES.dated, rows)
    nobody = relation(engine, schema("user string"))
    accounts = len({user for user, *_ in successes})
    assert count_population(source_days(of_success), of_success, nobody).rows() == [
        {"accounts": accounts, "source_days": all_days, "new_source_days": new_days}
    ]


def test_new_source_days_are_counted_by_what_a_failure_from_there_may_show(engine: Engine) -> None:
    """At home, Ann has a phone and a computer; Bob's phone is updated between two places."""
    columns = ("user", "ip_prefix", "network", "city", "operatingSystem")
    seen = [
        ("ann", "p1", "AS1", "Lund", "Ios18.4"),
        ("ann", "p1", "AS1", "Lund", "Windows10"),
        ("bob", "p2", "AS2", "Rome", "Ios18.4"),
        ("bob", "p3", "AS3", "Oslo", "Ios18.5"),
        ("cid", "p4", "AS4", "Oslo", NODATA),
    ]
    rows = [
        dict(zip(columns, values, strict=True))
        | {"Location": "SE", "state": "S", "date": START.date()}
        for values in seen
    ]
    of_success = relation(engine, SUCCESS_SOURCES.dated, rows)
    counted = count_new_sources(source_days(of_success)).rows()
    assert {row["operatingSystem"]: row["new_source_days"] for row in counted} == {
        "Ios18.4": 2,
        "Ios18.5": 1,
        "Windows10": 1,
        NODATA: 1,
    }
    explained = [{"explanation": "own device", "example": None, "failures": 1, "source_days": 2}]
    nobody = relation(engine, schema("user string"))
    found = population_of(of_success, nobody, explained, {}, days=10)
    # Two of four source-days are given up, three times as many away: .15 a day from each source.
    assert found.honest_strays_a_day == pytest.approx(4 * 0.15)
    assert found.by_system == pytest.approx({"Ios": 3 * 0.15, "Windows": 0.15, NODATA: 0.15})


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("Windows10", "Windows"),
        ("Ios 18.4.1", "Ios"),
        ("MacOs", "MacOs"),
        (NODATA, NODATA),
        (None, NODATA),
        ("10", ""),
    ],
)
def test_a_family_of_systems_has_no_version(name: str | None, family: str) -> None:
    assert system_family(name) == family


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
