"""Entries: which successes are lone visits, what is new about them, and their probability."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lowslow_assets.detection.entries import (
    JUDGED,
    OWN_PREFIXES,
    PREFIXES,
    PROBABILITIES,
    TRAIT_COLUMNS,
    TRAITED,
    TRAITS,
    VISITORS,
    compromised_accounts,
    count_traits,
    entry_probability,
    honest_shares,
    likely_entries,
    lone_prefixes,
    lone_visits,
    own_prefixes,
    trait_key,
    visited_prefixes,
    visitors,
    with_news,
    with_traits,
)
from lowslow_assets.detection.explanations import RESOLVED_SECONDS
from lowslow_assets.detection.gathering import TOOLS
from lowslow_assets.engines.base import Engine, Relation
from lowslow_assets.engines.schemas import extended, schema
from lowslow_assets.lake.tables import (
    ENCODED_FEATURES,
    FEATURES,
    INCIDENT_MEMBERS,
    NODATA,
    SUCCESS_SOURCES,
)
from lowslow_assets.signins.features import sum_sources
from lowslow_assets_tests.support.relations import relation

START = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
PROPERTIES = {
    "application": "AppDisplayName",
    "client": "ClientAppUsed",
    "device": "operatingSystem",
    "place": "city",
    "network": "network",
    "name": "displayName",
}


MEMBERS = schema("cluster_id int, user string, ip_prefix string, time_generated timestamp")
CLUSTERS = schema("cluster_id int, first_activity timestamp, last_activity timestamp")
SECOND = 1 / 3600
"""In hours."""
TOOL = {"browser": "curl", "operatingSystem": "Linux", "agent": NODATA}
SILENT = {"browser": NODATA, "operatingSystem": NODATA, "agent": NODATA}
STOPPED = {"outcome": "stopped"}


def after(hours: float) -> datetime:
    """The time so many hours after START."""
    return START + timedelta(hours=hours)


def visitor(
    user: str,
    prefix: str,
    first: float,
    last: float,
    network: str | None = None,
    outcome: str = "success",
) -> tuple:
    """A user's visit, in hours after START; from a network of its own by default."""
    seconds = round((last - first) * 3600)
    return (outcome, user, network or f"of {prefix}", prefix, after(first), seconds)


def test_visitors_are_who_succeeds_and_who_is_stopped_without_an_answer(engine: Engine) -> None:
    names = ("user", "network", "ip_prefix", "first_success", "seconds")
    sources: list[dict[str, Any]] = [
        dict(zip(names, values, strict=True))
        for values in (
            ("ann", "home", "two rows", START, 60),
            ("ann", "home", "two rows", START + timedelta(hours=1), 120),
            ("bob", "home", "two rows", START, 0),
            ("bob", "home", None, START, 0),
        )
    ]
    signins = [
        {
            "signin_id": f"{number}",
            "outcome": outcome,
            "user": "cid",
            "network": "hotel",
            "ip_prefix": prefix,
            "time_generated": START + timedelta(hours=number),
            "seconds_to_success": seconds,
        }
        for number, (outcome, prefix, seconds) in enumerate(
            [
                ("stopped", "hotel's", None),
                ("stopped", "hotel's", RESOLVED_SECONDS + 1),
                ("stopped", "hotel's", RESOLVED_SECONDS),
                ("failure", "hotel's", None),
                ("success", "hotel's", None),
                ("stopped", None, None),
            ]
        )
    ]
    found = visitors(
        relation(engine, SUCCESS_SOURCES.dated, sources),
        relation(engine, ENCODED_FEATURES.dated, signins),
    ).rows()
    assert sorted(tuple(row.values()) for row in found) == [
        ("stopped", "cid", "hotel", "hotel's", START, 3600),
        ("success", "ann", "home", "two rows", START, 3720),
        ("success", "bob", "home", "two rows", START, 0),
    ]


def test_lone_prefixes(engine: Engine) -> None:
    seen = [
        visitor("ann", "once", 0, 0),
        visitor("ann", "a day", 0, 24),
        visitor("ann", "longer", 0, 24 + 1 / 3600),
        visitor("ann", "two users", 0, 0),
        visitor("bob", "two users", 0, 0),
        # Another pool of a provider that the user has; the same provider is new to another.
        visitor("cid", "pool", 0, 0, "AS1"),
        visitor("cid", "another pool", 90, 90, "AS1"),
        visitor("dan", "dan's pool", 0, 0, "AS1"),
        # Stopped: by itself, again from elsewhere, then let in there; where people succeed.
        visitor("eve", "stopped", 0, 1, "AS2", "stopped"),
        visitor("eve", "stopped again", 2, 2, "AS2", "stopped"),
        visitor("fay", "let in", 3, 3, "AS2"),
        visitor("fay", "stopped before", 2, 2, "AS2", "stopped"),
        visitor("gus", "a day", 2, 2, "AS3", "stopped"),
        visitor("gus", "two stopped", 2, 2, "AS4", "stopped"),
        visitor("hal", "two stopped", 2, 2, "AS4", "stopped"),
        visitor("hal", "stopped for a day", 0, 24, "AS5", "stopped"),
        visitor("hal", "stopped for longer", 0, 24 + 1 / 3600, "AS5", "stopped"),
    ]
    found = lone_prefixes(relation(engine, VISITORS, seen)).rows()
    assert {(row["outcome"], row["ip_prefix"]): row["first_visit"] for row in found} == {
        ("success", "once"): START,
        ("success", "a day"): START,
        ("success", "dan's pool"): START,
        ("success", "let in"): START + timedelta(hours=3),
        ("stopped", "stopped"): START,
        ("stopped", "stopped again"): START + timedelta(hours=2),
        ("stopped", "stopped for a day"): START,
    }


def test_a_lone_visit_may_move_between_prefixes_of_a_network_for_a_day(engine: Engine) -> None:
    seen = [
        visitor("ann", "first", 0, 1, "AS1"),
        visitor("ann", "second", 20, 24, "AS1"),
        visitor("bob", "too early", 0, 1, "AS2"),
        visitor("bob", "too late", 20, 24 + 1 / 3600, "AS2"),
        # Days in another network, or of another user in the same one, do not matter.
        visitor("bob", "elsewhere", 90, 90, "AS1"),
        # Nor does it when the user is stopped there.
        visitor("ann", "stopped later", 90, 90, "AS1", "stopped"),
        # Where somebody else succeeds, too, the user succeeds nevertheless.
        visitor("cid", "alone", 0, 0, "AS3"),
        visitor("cid", "not alone", 90, 90, "AS3"),
        visitor("dan", "not alone", 90, 90, "AS4"),
    ]
    found = lone_prefixes(relation(engine, VISITORS, seen)).rows()
    assert {(row["outcome"], row["ip_prefix"]) for row in found} == {
        ("success", "first"),
        ("success", "second"),
        ("success", "elsewhere"),
    }


def test_visits_are_those_during_a_campaign_and_one_day_after(engine: Engine) -> None:
    seen = relation(
        engine,
        VISITORS,
        [
            visitor("ann", "before", -1 / 3600, 0),
            visitor("ann", "at the first attempt", 0, 0),
            visitor("ann", "a day after the last", 34, 34.5),
            visitor("ann", "later", 34 + 1 / 3600, 35),
        ],
    )
    clusters = relation(engine, CLUSTERS, [(0, START, after(10)), (7, START, after(9))])
    prefixes = visited_prefixes(seen, relation(engine, OWN_PREFIXES), clusters)
    assert {(row["ip_prefix"], row["cluster_id"]) for row in prefixes.rows()} == {
        ("at the first attempt", 0),
        ("at the first attempt", 7),
        ("a day after the last", 0),
    }
    signins = relation(
        engine,
        ENCODED_FEATURES.dated,
        [
            {
                "signin_id": id,
                "user": "ann",
                "outcome": outcome,
                "ip_prefix": prefix,
                "time_generated": time,
            }
            for id, outcome, prefix, time in (
                ("visit", "success", "at the first attempt", START),
                ("earlier", "success", "before", START - timedelta(seconds=1)),
                ("failure", "failure", "at the first attempt", START),
                ("elsewhere", "success", "later", START),
                ("nowhere", "success", None, START),
            )
        ],
    )
    visits = lone_visits(signins, prefixes, seen, relation(engine, TOOLS)).rows()
    assert sorted((row["signin_id"], row["cluster_id"]) for row in visits) == [
        ("visit", 0),
        ("visit", 7),
    ]


def test_a_campaigns_own_prefixes_are_those_from_which_it_tries_several(engine: Engine) -> None:
    seen = [
        # Ann's and Bob's accounts, compromised from the server that had tried three others.
        visitor("ann", "server", 1, 1),
        visitor("bob", "server", 90, 91),
        visitor("eve", "server", 2, 2, outcome="stopped"),
        # More people succeed from the carrier than the campaign tries from it.
        *(visitor(f"u{i}", "carrier", 1, 1) for i in range(3)),
        # As many people as it tries; those who are stopped do not count.
        *(visitor(f"u{i}", "café", 1, 1) for i in range(2)),
        visitor("u2", "café", 1, 1, outcome="stopped"),
        # Days before the campaign; the time matters for lone visits only.
        visitor("cid", "second server", -90, -80),
        visitor("dan", "tried once", 1, 30),
    ]
    members = [
        *((0, f"u{i}", "server", after(5 - i)) for i in range(3)),
        *((0, f"u{i}", "carrier", after(5)) for i in range(2)),
        *((0, f"u{i}", "café", after(6)) for i in range(2)),
        *((0, f"u{i}", "second server", after(9)) for i in range(2)),
        *((0, "u1", prefix, START) for prefix in ("tried once", "tried once")),
        *((0, f"u{i}", None, START) for i in range(2)),
        # From there another campaign tries a single account.
        (7, "u1", "server", START),
    ]
    found = visited_prefixes(
        relation(engine, VISITORS, seen),
        own_prefixes(relation(engine, MEMBERS, members)),
        relation(engine, CLUSTERS, [(0, START, after(10)), (7, START, START)]),
    ).rows()
    # Visits may be the campaign's since a day before it tries the second account from the prefix.
    assert sorted(tuple(row.values()) for row in found) == [
        ("stopped", "café", 0, after(6 - 24), 2),
        ("stopped", "server", 0, after(4 - 24), 3),
        ("success", "café", 0, after(6 - 24), 2),
        ("success", "second server", 0, after(9 - 24), 2),
        ("success", "server", 0, after(4 - 24), 3),
    ]


@pytest.mark.parametrize(
    ("first_attempt", "since"),
    [
        # The visit is a day and more before the first attempt from there, but a lone one.
        (40, 0),
        (24, 0),
        (23, -1),
        (0, -24),
    ],
)
def test_a_campaigns_own_prefix_with_a_lone_visit_is_one_prefix(
    engine: Engine, first_attempt: int, since: int
) -> None:
    seen = relation(engine, VISITORS, [visitor("ann", "server", 1, 1)])
    tried = [(0, f"u{i}", "server", after(first_attempt)) for i in range(2)]
    clusters = relation(engine, CLUSTERS, [(0, START, after(50))])
    prefixes = visited_prefixes(seen, own_prefixes(relation(engine, MEMBERS, tried)), clusters)
    assert [tuple(row.values()) for row in prefixes.rows()] == [
        ("success", "server", 0, after(since), 2)
    ]
    visit = signin("visit", "server") | {"time_generated": after(1)}
    signins = relation(engine, ENCODED_FEATURES.dated, [visit])
    visits = lone_visits(signins, prefixes, seen, relation(engine, TOOLS))
    assert [row["signin_id"] for row in visits.rows()] == ["visit"]


def at(hour: float, user: str, prefix: str | None, **more: Any) -> dict[str, Any]:
    """A user's success at a prefix, so many hours after START."""
    id = f"{user} at {prefix} {hour}"
    return signin(id, prefix, user=user) | {"time_generated": after(hour)} | more


def test_users_who_were_at_a_prefix_before_the_campaign_make_no_lone_visits_there(
    engine: Engine,
) -> None:
    signins = [
        at(-10, "ann", "VPN"),
        at(5, "ann", "VPN"),
        # Ann's password is used from elsewhere, and Bob's from where Ann has been.
        at(6, "ann", "server"),
        at(0, "bob", "VPN"),
        at(7, "bob", "VPN"),
        at(-9, "cid", "VPN", **STOPPED),
        at(8, "cid", "VPN", **STOPPED),
        # Ann is at home there, and Fay was stopped there before.
        at(9, "ann", "VPN", **STOPPED),
        at(9, "fay", "VPN"),
        at(9, "dan", "VPN", **STOPPED),
        at(9, "eve", "VPN", **STOPPED, seconds_to_success=RESOLVED_SECONDS),
    ]
    seen = [
        visitor("ann", "VPN", -10, 5),
        visitor("ann", "server", 6, 6),
        visitor("bob", "VPN", 0, 7),
        visitor("cid", "VPN", -9, 8, outcome="stopped"),
        visitor("dan", "VPN", 9, 9, outcome="stopped"),
        visitor("ann", "VPN", 9, 9, outcome="stopped"),
        visitor("fay", "VPN", -11, -11, outcome="stopped"),
        visitor("fay", "VPN", 9, 9),
    ]
    prefixes = [
        ("success", "VPN", 0, START, None),
        ("success", "server", 0, START, None),
        ("stopped", "VPN", 0, START, None),
        # Another campaign came before Ann.
        ("success", "VPN", 7, after(-10), None),
    ]
    found = lone_visits(
        relation(engine, ENCODED_FEATURES.dated, signins),
        relation(engine, PREFIXES, prefixes),
        relation(engine, VISITORS, seen),
        relation(engine, TOOLS),
    ).rows()
    assert sorted((row["cluster_id"], row["signin_id"]) for row in found) == [
        (0, "ann at server 6"),
        (0, "bob at VPN 0"),
        (0, "bob at VPN 7"),
        (0, "dan at VPN 9"),
        (7, "ann at VPN -10"),
        (7, "ann at VPN 5"),
        (7, "bob at VPN 0"),
        (7, "bob at VPN 7"),
    ]


def tool_of(cluster: int = 0, since: float = 0, until: float = 10) -> dict[str, Any]:
    """TOOL as that of a campaign between these hours."""
    activity = {"first_activity": after(since), "last_activity": after(until)}
    return {"cluster_id": cluster, **TOOL, "is_device": True, **activity}


def application_of(cluster: int) -> dict[str, Any]:
    """An application as the tool of a campaign."""
    return tool_of(cluster) | SILENT | {"application": "CLI", "is_device": False}


def visits_with_tool(
    engine: Engine,
    signins: Iterable[dict[str, Any]],
    tools: Iterable[dict[str, Any]],
    prefixes: Iterable[tuple] = (),
) -> list[tuple[int, str]]:
    """The campaigns and sign-ins of the visits among all sign-ins of a window."""
    window = relation(engine, ENCODED_FEATURES.dated, signins)
    found = lone_visits(
        window,
        relation(engine, PREFIXES, prefixes),
        visitors(sum_sources(window), window),
        relation(engine, TOOLS, tools),
    ).rows()
    return sorted((row["cluster_id"], row["signin_id"]) for row in found)


def test_a_user_who_keeps_coming_for_longer_than_the_campaign_tries_accounts_is_at_home(
    engine: Engine,
) -> None:
    stays = {"a day": 24, "two days": 48, "longer": 48.1}
    found = lone_visits(
        relation(engine, ENCODED_FEATURES.dated, [at(1, user, "carrier") for user in stays]),
        # The campaign tries two accounts from there.
        relation(engine, PREFIXES, [("success", "carrier", 0, START, 2)]),
        relation(engine, VISITORS, [visitor(u, "carrier", 0, stays[u]) for u in stays]),
        relation(engine, TOOLS),
    ).rows()
    assert sorted(row["user"] for row in found) == ["a day", "two days"]


def test_sign_ins_with_a_campaigns_tool_are_visits_whatever_their_prefix(engine: Engine) -> None:
    signins = [
        # People succeed from the office, and the campaign tries nobody from there.
        *(at(-48, f"u{i}", "office") for i in range(3)),
        at(5, "ann", "office", **TOOL),
        at(6, "bob", "office", **TOOL, **STOPPED),
        # No right password was given, by one who also succeeds or by one who never does; or a
        # prompt was answered.
        at(4, "ann", "office", **TOOL, outcome="failure"),
        at(4, "bob", "office", **TOOL, outcome="refused"),
        at(5, "cid", "office", **TOOL, outcome="failure"),
        at(5, "eve", "office", **TOOL, **STOPPED, seconds_to_success=RESOLVED_SECONDS),
        # The tool is both the browser and the operating system.
        at(5, "fay", "office", browser="curl"),
        at(5, "gus", "office", operatingSystem="Linux"),
        # Without an address, nobody knows whether the user had been there.
        at(5, "hal", None, **TOOL),
        # A visit by its prefix and by its tool is one visit; without the tool, by its prefix.
        at(5, "ivy", "server", **TOOL),
        at(6, "ivy", "server"),
    ]
    prefixes = [("success", "server", 0, START, None)]
    found = visits_with_tool(engine, signins, [tool_of(0), tool_of(7)], prefixes)
    assert found == [
        (0, "ann at office 5"),
        (0, "bob at office 6"),
        (0, "ivy at server 5"),
        (0, "ivy at server 6"),
        (7, "ann at office 5"),
        (7, "bob at office 6"),
        (7, "ivy at server 5"),
    ]


def test_sign_ins_without_a_device_are_visits_by_the_campaigns_application(engine: Engine) -> None:
    cli, teams = (SILENT | {"AppDisplayName": name} for name in ("CLI", "Teams"))
    signins = [
        *(at(-48, f"u{i}", "office") for i in range(3)),
        at(5, "ann", "office", **cli),
        at(5, "bob", "office", **teams),
        at(5, "cid", "office", **TOOL, AppDisplayName="CLI"),
        # Who had another application before did not have the tool, and who had this one did.
        at(-48, "dan", "dan's", **teams),
        at(5, "dan", "office", **cli),
        at(-48, "eve", "eve's", **cli),
        at(5, "eve", "office", **cli),
    ]
    tools = [application_of(0)]
    found = visits_with_tool(engine, signins, tools)
    assert found == [(0, "ann at office 5"), (0, "dan at office 5")]


def test_users_who_had_the_tool_before_the_campaign_make_no_visits_with_it(engine: Engine) -> None:
    early = -24 - SECOND
    signins = [
        at(early, "ann", "ann's", **TOOL),
        at(5, "ann", "office", **TOOL),
        # A day before the first attempt may be the campaign's first guess.
        at(-24, "bob", "bob's", **TOOL),
        at(5, "bob", "office", **TOOL),
        # Who was stopped with it may not be the user; nor is a failure or another tool the user's.
        at(early, "cid", "cid's", **TOOL, **STOPPED),
        at(5, "cid", "office", **TOOL),
        at(early, "dan", "dan's", **TOOL, outcome="failure"),
        at(5, "dan", "office", **TOOL),
        at(early, "eve", "eve's", browser="curl", operatingSystem="BSD"),
        at(5, "eve", "office", **TOOL),
        # Known without an address, too.
        at(early, "fay", None, **TOOL),
        at(5, "fay", "office", **TOOL),
    ]
    # Another campaign with the tool began before Ann had it, and was over when all came to the
    # office.
    found = visits_with_tool(engine, signins, [tool_of(0), tool_of(7, since=-30, until=-30)])
    assert found == [
        (0, "bob at bob's -24"),
        (0, "bob at office 5"),
        (0, "cid at office 5"),
        (0, "dan at office 5"),
        (0, "eve at office 5"),
        (7, f"ann at ann's {early}"),
        (7, "bob at bob's -24"),
        (7, f"cid at cid's {early}"),
    ]


def test_users_who_were_at_a_prefix_before_make_no_visits_there_with_the_tool(
    engine: Engine,
) -> None:
    early = -24 - SECOND
    signins = [
        at(early, "ann", "office"),
        at(5, "ann", "office", **TOOL),
        # Only where she was before.
        at(6, "ann", "elsewhere", **TOOL),
        at(early, "bob", "office", **STOPPED),
        at(5, "bob", "office", **TOOL),
        at(-24, "cid", "office"),
        at(5, "cid", "office", **TOOL),
        # That others were there does not matter.
        at(5, "dan", "office", **TOOL),
    ]
    assert visits_with_tool(engine, signins, [tool_of()]) == [
        (0, "ann at elsewhere 6"),
        (0, "cid at office 5"),
        (0, "dan at office 5"),
    ]


@pytest.mark.parametrize("outcome", ["success", "stopped"])
def test_visits_with_the_tool_lie_between_a_day_before_the_campaign_and_a_day_after(
    engine: Engine, outcome: str
) -> None:
    hours = (-24 - SECOND, -24, 0, 34, 34 + SECOND)
    signins = [at(hour, f"u{hour}", "office", **TOOL, outcome=outcome) for hour in hours]
    # Who came in time and comes again later makes a visit only the first time.
    signins += [at(hour, "ann", "home", **TOOL, outcome=outcome) for hour in (30, 35)]
    assert visits_with_tool(engine, signins, [tool_of()]) == [
        (0, "ann at home 30"),
        (0, "u-24 at office -24"),
        (0, "u0 at office 0"),
        (0, "u34 at office 34"),
    ]


def test_people_who_came_before_the_campaign_show_the_share_of_honest_visits(
    engine: Engine,
) -> None:
    """Of n visits, those from before the campaign are honest, and their share is of n + 1.

    None of these prefixes is the campaign's own.
    """
    seen = [
        visitor("ann", "VPN", -10, -9),
        # At once is not before.
        visitor("bob", "VPN", 0, 0),
        visitor("cid", "away", 5, 6),
        # A day is a visit, and more is a stay.
        visitor("dan", "VPN", -30, -6),
        visitor("eve", "VPN", -30, -6 + 1 / 3600),
        visitor("fay", "VPN", -10, -10, outcome="stopped"),
        visitor("gus", "elsewhere", -10, -10),
        visitor("hal", "early", -10, -10),
    ]
    prefixes = [
        ("success", "VPN", 0, START, None),
        ("stopped", "VPN", 0, START, None),
        ("success", "away", 0, START, None),
        # Dan comes to the VPN before this campaign, and Ann after it.
        ("success", "VPN", 1, after(-20), None),
        # Nobody came before.
        ("success", "VPN", 2, after(-30), None),
        # The only visit is honest.
        ("success", "early", 3, START, None),
        # Nobody succeeds.
        ("stopped", "VPN", 4, START, None),
    ]
    found = honest_shares(
        relation(engine, VISITORS, seen),
        relation(engine, PREFIXES, prefixes),
        relation(engine, OWN_PREFIXES),
    ).rows()
    assert {row["cluster_id"]: row["share"] for row in found} == {
        0: 2 / (4 + 1),
        1: 1 / (3 + 1),
        2: 0,
        3: 1 / (1 + 1),
    }


def test_people_at_home_in_the_campaigns_prefixes_show_the_share_of_honest_visits(
    engine: Engine,
) -> None:
    """Of n pairs of a user and a prefix, those that are honest there are of n + 1."""
    seen = [
        # The campaign tries two accounts from the street, and Ann stays for more than two days.
        visitor("ann", "street", 1, 1 + 2 * 24 + SECOND),
        visitor("bob", "street", 1, 1 + 2 * 24),
        visitor("cid", "street", -SECOND, 0),
        visitor("cid", "office", 0, 400),
        visitor("dan", "street", -9, -9, outcome="stopped"),
        visitor("eve", "away", 5, 5),
    ]
    for own, honest in (
        ([(0, "street", 2, START)], 2),
        ([(0, "street", 3, START)], 1),
        ([(0, "street", 2, START), (0, "office", 9, START)], 3),
        # Another campaign's.
        ([(7, "street", 2, START)], 0),
    ):
        [found] = honest_shares(
            relation(engine, VISITORS, seen),
            relation(engine, PREFIXES, [("success", "away", 0, START, None)]),
            relation(engine, OWN_PREFIXES, own),
        ).rows()
        assert found == {"cluster_id": 0, "share": honest / (5 + 1)}


def signin(id: str, prefix: str | None, user: str = "ann", **changed: str) -> dict[str, Any]:
    """Ann's usual sign-in, with some changes."""
    usual = {feature: f"usual {name}" for name, feature in PROPERTIES.items()}
    return {
        "signin_id": id,
        "user": user,
        "ip_prefix": prefix,
        "outcome": "success",
        "agent": NODATA,
        **usual,
        **{PROPERTIES[name]: value for name, value in changed.items()},
    }


def own_of(engine: Engine, rows: Iterable[dict[str, Any]]) -> Relation:
    """The campaigns' own prefixes, from the attempts among these rows."""
    attempts = [row for row in rows if row["outcome"] == "failure"]
    return own_prefixes(relation(engine, MEMBERS, attempts))


def rows_with_news(
    engine: Engine, judged: Sequence[dict[str, Any]], signins: Iterable[dict[str, Any]]
) -> list[dict[str, Any]]:
    return with_news(
        relation(engine, JUDGED, judged),
        relation(engine, ENCODED_FEATURES.dated, signins),
        own_of(engine, judged),
    ).rows()


def news_of(
    engine: Engine, judged: Sequence[dict[str, Any]], signins: Iterable[dict[str, Any]]
) -> dict[str, set[str]]:
    """Per sign-in the properties that are new to its user."""
    rows = rows_with_news(engine, judged, signins)
    found = {row["signin_id"]: {name for name in PROPERTIES if row[f"new_{name}"]} for row in rows}
    assert len(found) == len(rows), "a join made rows out of nothing"
    for row in rows:
        assert row["has_history"] or found[row["signin_id"]] == {*PROPERTIES}
    return found


def test_what_is_new_to_the_user(engine: Engine) -> None:
    history = [
        signin("home", "home"),
        signin("work", "work", place="office", device="work laptop"),
        # Twice from the place of the visit: a visit does not make its own values known.
        signin("visit", "away", application="Portal", place="Rome"),
        signin("visit again", "away", application="Mail", place="Rome"),
        # What is known for others is not known for Ann.
        signin("bob's", "bob's", user="bob", application="Portal", client="IMAP", place="Rome"),
        # Her failures make nothing known either.
        signin("failed", "home", application="Portal", client="IMAP") | {"outcome": "failure"},
        # Cid has one success, so there is nothing to compare it with.
        signin("cid's only", "cid's", user="cid"),
        # Known from two prefixes, one of them the visit's own.
        signin("dan's", "away too", user="dan"),
        signin("dan at home", "dan's home", user="dan"),
    ]
    judged = [
        *history[2:4],
        *history[6:8],
        signin("failure", "fresh", client="IMAP", network="AS1"),
        signin("like the visit", "fresh", application="Portal", place="Rome"),
        signin("of the office", "fresh", place="office", device="work laptop"),
        signin("nobody's", "fresh", user="nobody"),
    ]
    everything = set(PROPERTIES)
    assert news_of(engine, judged, history) == {
        "visit": {"application", "place"},
        "visit again": {"application", "place"},
        "cid's only": everything,
        "dan's": set(),
        "failure": {"client", "network"},
        # The visitor may have tried before.
        "like the visit": {"application", "place"},
        "of the office": set(),
        "nobody's": everything,
    }


def test_a_client_without_a_system_is_known_by_its_agent(engine: Engine) -> None:
    """The user's mail client does not make another client known."""
    silent = {"device": NODATA}
    mail = signin("mail", "home", **silent) | {"agent": "Outlook"}
    judged = [
        signin("mail again", "fresh", **silent) | {"agent": "Outlook"},
        signin("a library", "fresh", **silent) | {"agent": "axios"},
        signin("no agent", "fresh", **silent),
    ]
    assert news_of(engine, judged, [mail]) == {
        "mail again": set(),
        "a library": {"device"},
        "no agent": {"device"},
    }


def test_a_history_is_another_success_of_the_user(engine: Engine) -> None:
    history = [
        signin("home", "home"),
        signin("visit", "away", user="bob"),
        signin("failed", "home", user="bob") | {"outcome": "failure"},
        signin("cid's", "home", user="cid", application="Mail", client="IMAP", place="Oslo"),
    ]
    judged = [
        signin("ann's", "fresh"),
        history[1],
        signin("to cid, all but a few is new", "fresh", user="cid"),
        signin("nobody's", "fresh", user="nobody"),
    ]
    rows = rows_with_news(engine, judged, history)
    assert {row["signin_id"]: row["has_history"] for row in rows} == {
        "ann's": True,
        "visit": False,
        "to cid, all but a few is new": True,
        "nobody's": False,
    }


def test_what_is_seen_from_a_campaigns_prefixes_makes_nothing_known(engine: Engine) -> None:
    """Two visits from two of its servers: neither makes the other one the user's own."""
    attempts = [
        signin(f"{prefix} {user}", prefix, user=user)
        | {"outcome": "failure", "time_generated": START}
        for prefix in ("server", "other server")
        for user in ("bob", "cid")
    ]
    visits = [
        signin("visit", "server", place="Rome") | {"time_generated": after(1)},
        signin("again", "other server", place="Rome") | {"time_generated": after(2)},
    ]
    seen = [*visits, signin("home", "home")]
    found = news_of(engine, [*visits, *attempts], seen)
    assert found["visit"] == found["again"] == {"place"}
    # Who came to another prefix of the same provider before the campaign did is known there.
    for hours, new in ((-25, set()), (-23, {"place"})):
        earlier = signin("earlier", "other server", place="Rome") | {"time_generated": after(hours)}
        found = news_of(engine, [visits[0], *attempts], [visits[0], earlier, seen[-1]])
        assert found["visit"] == new


def test_visits_make_nothing_known_to_each_other(engine: Engine) -> None:
    """An attacker who succeeded comes again, from another fresh address."""
    visits = [signin("visit", "away", place="Rome"), signin("again", "elsewhere", place="Rome")]
    home = signin("home", "home")
    assert news_of(engine, visits, [*visits, home])["visit"] == {"place"}
    # A colleague's visit from the same prefix is not that of the user, who is at home there.
    colleague = signin("colleague's", "home", user="bob")
    assert news_of(engine, [*visits, colleague], [*visits, home])["visit"] == {"place"}
    # If it is not a visit, the user has been seen there.
    known = news_of(engine, [signin("visit", "away", place="Rome")], [*visits, home])
    assert known["visit"] == set()


def test_what_is_known_from_an_unknown_source_is_known(engine: Engine) -> None:
    """The log may lack an address, or have a GUID for it; then it is not the visit's own prefix."""
    assert news_of(engine, [signin("visit", "away")], [signin("home", None)]) == {"visit": set()}


def test_sign_ins_that_may_be_several_campaigns_stay_as_many(engine: Engine) -> None:
    judged = [signin("visit", "away")] * 3
    assert len(rows_with_news(engine, judged, [signin("home", "home")])) == 3


NEWS = extended(
    JUDGED, ", ".join([*(f"new_{name} boolean" for name in PROPERTIES), "has_history boolean"])
)


def rows_with_traits(
    engine: Engine, rows: Sequence[dict[str, Any]], tools: Iterable[dict[str, Any]] = ()
) -> list[dict[str, Any]]:
    return with_traits(
        relation(engine, NEWS, rows), relation(engine, TOOLS, tools), own_of(engine, rows)
    ).rows()


def mask_of(*features: str) -> int:
    return sum(1 << FEATURES.index(feature) for feature in features)


ANOMALOUS = mask_of(*FEATURES)
KNOWN = {f"new_{name}": False for name in PROPERTIES} | {"has_history": True}
NEW = {f"new_{name}": True for name in PROPERTIES} | {"has_history": True}


@pytest.mark.parametrize(
    ("values", "levels"),
    [
        (KNOWN, [0, 0, 0, 0, 0, 0, 0, 0, 1]),
        (NEW, [1, 1, 1, 1, 0, 0, 0, 0, 1]),
        # Without a history, all is new.
        (NEW | {"has_history": False}, [1, 1, 1, 1, 0, 0, 0, 0, 0]),
        (NEW | {"mask": ANOMALOUS}, [2, 2, 2, 2, 1, 0, 0, 0, 1]),
        (NEW | TOOL | {"mask": ANOMALOUS}, [2, 2, 2, 2, 1, 1, 0, 0, 1]),
        # Anomalous in the tenant, and still the user's own: only the network is new.
        (KNOWN | {"mask": ANOMALOUS}, [0, 0, 0, 0, 1, 0, 0, 0, 1]),
        (KNOWN | {"new_device": True, "mask": mask_of("browser")}, [0, 0, 2, 0, 0, 0, 0, 0, 1]),
        (KNOWN | {"new_place": True, "mask": mask_of("Location")}, [0, 0, 0, 2, 0, 0, 0, 0, 1]),
        (KNOWN | {"new_place": True, "mask": mask_of("browser")}, [0, 0, 0, 1, 0, 0, 0, 0, 1]),
    ],
)
def test_levels_of_traits(engine: Engine, values: dict, levels: list[int]) -> None:
    row = {"cluster_id": 0, "outcome": "failure", "signin_id": "attempt", "mask": 0}
    row |= {"displayName": NODATA} | values
    [found] = rows_with_traits(engine, [row], [tool_of()])
    assert list(trait_key(found)) == levels
    for level, levels_of_trait in zip(levels, TRAITS.values(), strict=True):
        assert level < levels_of_trait


def test_an_account_is_tried_if_the_campaign_made_an_attempt_on_it_before(engine: Engine) -> None:
    def row(
        id: str, user: str, hour: float, outcome: str = "failure", cluster: int = 0
    ) -> dict[str, Any]:
        return NEW | {
            "signin_id": id,
            "cluster_id": cluster,
            "user": user,
            "outcome": outcome,
            "time_generated": after(hour),
            "mask": 0,
            "displayName": NODATA,
        }

    rows = [
        row("attempt", "ann", 1),
        row("visit before", "ann", 1 - 1 / 3600, "success"),
        row("visit at once", "ann", 1, "success"),
        row("visit after", "ann", 1 + 1 / 3600, "success"),
        row("second attempt", "ann", 3),
        # Two attempts at once: neither is the earlier one.
        row("this", "bob", 1),
        row("that", "bob", 1),
        # Nobody tried Cid before the first visit, which is not an attempt.
        row("visit", "cid", 1, "success"),
        row("visit again", "cid", 2, "success"),
        # A right password that was stopped is an attempt and a visit, and not before itself.
        row("stopped attempt", "dan", 1),
        row("stopped visit", "dan", 1, "stopped"),
        row("stopped attempt again", "dan", 2),
        row("stopped visit again", "dan", 2, "stopped"),
        # The other campaign tried Bob, and never Ann.
        row("by another", "bob", 2, cluster=1),
        row("of another", "ann", 9, "success", cluster=1),
        row("of another on Bob", "bob", 9, "success", cluster=1),
    ]
    found = rows_with_traits(engine, rows)
    assert {row["signin_id"] for row in found if row["trait_tried"]} == {
        "visit after",
        "second attempt",
        "stopped attempt again",
        "stopped visit again",
        "of another on Bob",
    }
    assert len(found) == len(rows)
    assert {row["signin_id"]: row["user"] for row in found} == {
        row["signin_id"]: row["user"] for row in rows
    }


def test_a_sign_in_shows_the_tool_of_its_campaign_by_browser_and_system(engine: Engine) -> None:
    def row(id: str, cluster: int, outcome: str = "failure", **changed: Any) -> dict[str, Any]:
        same = {**NEW, **TOOL, "mask": 0, "displayName": NODATA}
        return same | {"signin_id": id, "cluster_id": cluster, "outcome": outcome} | changed

    rows = [
        # Whether it is anomalous or not.
        row("attempt", 0),
        row("success", 0, "success", mask=ANOMALOUS),
        row("stopped", 0, "stopped"),
        row("other browser", 0, browser="wget"),
        row("other system", 0, "success", operatingSystem="BSD"),
        row("no browser", 0, browser=None),
        # This campaign has another tool, and that one has none.
        row("of another", 1, "success"),
        row("another's", 1, browser="wget"),
        row("of one without", 2, "success"),
        # The tool of this campaign is an application without a device.
        row("application", 3, "success", **SILENT, AppDisplayName="CLI"),
        row("other application", 3, "success", **SILENT, AppDisplayName="Teams"),
        row("application with a device", 3, "success", AppDisplayName="CLI"),
    ]
    tools = [tool_of(0), tool_of(1) | {"browser": "wget"}]
    tools.append(application_of(3))
    found = rows_with_traits(engine, rows, tools)
    assert len(found) == len(rows)
    shown = {row["signin_id"] for row in found if row["trait_tool"]}
    assert shown == {"attempt", "success", "stopped", "another's", "application"}


def test_a_source_is_the_campaigns_by_accounts_other_than_the_attempts(engine: Engine) -> None:
    def row(id: str, user: str, prefix: str | None, outcome: str, cluster: int = 0) -> dict:
        return NEW | {
            "signin_id": id,
            "cluster_id": cluster,
            "user": user,
            "ip_prefix": prefix,
            "outcome": outcome,
            "mask": 0,
            "displayName": NODATA,
        }

    rows = [
        # Each of three accounts has two others, each of two has only one.
        *(row(f"three {user}", user, "three", "failure") for user in ("ann", "bob", "cid")),
        *(row(f"two {user}", user, "two", "failure") for user in ("ann", "bob")),
        # An account that is tried often is one account.
        *(row(f"one {i}", "ann", "one", "failure") for i in range(3)),
        *(row(f"unknown {user}", user, None, "failure") for user in ("ann", "bob", "cid")),
        *(row(f"visit to {p}", "dan", p, "success") for p in ("three", "two", "one", "none")),
        row("of another campaign", "dan", "three", "success", cluster=1),
    ]
    found = rows_with_traits(engine, rows)
    assert len(found) == len(rows)
    assert {row["signin_id"] for row in found if row["trait_source"]} == {
        "three ann",
        "three bob",
        "three cid",
        "visit to three",
        "visit to two",
    }


def test_a_sign_in_from_the_users_own_network_is_a_visit_only_with_the_tool(
    engine: Engine,
) -> None:
    known = NEW | {"cluster_id": 0, "new_network": False, "mask": 0, "displayName": NODATA}
    cli = SILENT | {"AppDisplayName": "CLI", "cluster_id": 2}
    rows = [
        known | {"signin_id": "attempt", "outcome": "failure"},
        known | {"signin_id": "at home", "outcome": "success"},
        known | {"signin_id": "stopped at home", "outcome": "stopped"},
        known | {"signin_id": "visit", "outcome": "success", "new_network": True},
        known | TOOL | {"signin_id": "at home with the tool", "outcome": "success"},
        known | TOOL | {"signin_id": "of another", "outcome": "success", "cluster_id": 1},
        # People use the application, too.
        known | cli | {"signin_id": "developer", "outcome": "success"},
        known | cli | {"signin_id": "away", "outcome": "success", "new_network": True},
    ]
    found = rows_with_traits(engine, rows, [tool_of(), application_of(2)])
    names = {row["signin_id"] for row in found}
    assert names == {"attempt", "visit", "at home with the tool", "away"}


def test_a_sign_in_on_a_device_of_the_user_is_no_visit(engine: Engine) -> None:
    owned = NEW | TOOL | {"cluster_id": 0, "new_name": False, "mask": 0, "displayName": "LAPTOP-1"}
    rows = [
        owned | {"signin_id": "attempt", "outcome": "failure"},
        owned | {"signin_id": "own", "outcome": "success"},
        owned | {"signin_id": "own stopped", "outcome": "stopped"},
        owned | {"signin_id": "new name", "outcome": "success", "new_name": True},
        owned | {"signin_id": "no name", "outcome": "success", "displayName": NODATA},
    ]
    found = rows_with_traits(engine, rows, [tool_of()])
    assert {row["signin_id"] for row in found} == {"attempt", "new name", "no name"}


def test_attempts_and_visits_are_counted_by_traits(engine: Engine) -> None:
    """A visit is one, however many sign-ins it has; each attempt counts."""
    ones, zeros = (dict.fromkeys(TRAIT_COLUMNS, level) for level in (1, 0))
    rows = [
        {
            "outcome": outcome,
            "cluster_id": cluster,
            "user": user,
            "ip_prefix": "203.0.113",
            "signin_id": str(number),
            **traits,
        }
        for number, (outcome, cluster, user, traits) in enumerate(
            (
                ("success", 0, "ann", ones),
                ("success", 0, "ann", ones),
                ("success", 0, "bob", ones),
                ("stopped", 0, "ann", ones),
                ("success", 0, "ann", zeros),
                ("success", 3, "ann", ones),
                ("failure", 0, "ann", ones),
                ("failure", 0, "ann", ones),
            )
        )
    ]
    counted = count_traits(relation(engine, TRAITED, rows)).rows()
    found = {(row["outcome"], row["cluster_id"], trait_key(row)): row["number"] for row in counted}
    assert found == {
        ("success", 0, (1,) * len(TRAITS)): 2,
        ("stopped", 0, (1,) * len(TRAITS)): 1,
        ("success", 0, (0,) * len(TRAITS)): 1,
        ("success", 3, (1,) * len(TRAITS)): 1,
        ("failure", 0, (1,) * len(TRAITS)): 2,
    }


# Levels in the order of TRAITS.
PLAIN = (0, 0, 0, 0, 0, 0, 0, 0, 1)
TRIED = (0, 0, 0, 0, 0, 0, 1, 0, 1)
FROM_SOURCE = (0, 0, 0, 0, 0, 0, 0, 1, 1)
FROM_SERVER = (0, 0, 0, 0, 1, 0, 0, 1, 1)
WITH_TOOL = (0, 0, 0, 0, 0, 1, 0, 0, 1)
ALL_NEW = (1, 1, 1, 1, 0, 0, 0, 0, 1)
NO_HISTORY = (1, 1, 1, 1, 0, 0, 0, 0, 0)


# The factor of a visit without the tool, if 10 failures do not show it either.
UNTOOLED = (10.5 / 11 + 0.99) / 2 / 0.99


def success_probability(failures: dict, visits: dict, honest_share: float = 0.0) -> dict:
    """The probability of successes, by their traits."""
    return entry_probability(failures, {"success": visits}, honest_share)["success"]


@pytest.mark.parametrize(
    ("honest_share", "of_honest"),
    [(0.0, 0.03), (0.02, 0.03), (0.04, 0.04), (0.25, 0.25)],
)
def test_probability_as_calculated_manually(honest_share: float, of_honest: float) -> None:
    """Visits of two kinds that differ in one trait, round after round.

    With half a count per level, 9 + 1/2 of 10 + 1 failures were on accounts that had been tried,
    and at first 4 + 1/2 of 20 + 1 visits. In the factors that all share, of 9, 3 and 6 levels, the
    one level has (n + 1/2) / (n + levels / 2) on either side. At first, one in 41 is an entry. None
    comes from the campaign's own sources or with its tool, as 10 + 1/2 of 10 + 1 failures do not;
    but half of the entries show the tool as seldom as honest visits.
    """
    failures, visits = {PLAIN: 1, TRIED: 9}, {PLAIN: 16, TRIED: 4}
    honest = {PLAIN: 1.0, TRIED: 1.0}
    for _ in range(10):
        plain, tried = 16 * honest[PLAIN], 4 * honest[TRIED]
        n = plain + tried
        share = (20 - n + 1) / 41
        shared = 1.0
        for levels in (9, 3, 6):
            shared *= 10.5 / (10 + levels / 2) / ((n + 0.5) / (n + levels / 2))
        ratios = {
            PLAIN: shared * (1.5 / 11) / ((plain + 0.5) / (n + 1)),
            TRIED: shared * (9.5 / 11) / ((tried + 0.5) / (n + 1)),
        }
        unmarked = 10.5 / 11 / (1 - of_honest) * UNTOOLED
        odds = {t: share / (1 - share) * unmarked * ratio for t, ratio in ratios.items()}
        honest = {traits: 1 / (1 + value) for traits, value in odds.items()}
    found = success_probability(failures, visits, honest_share)
    assert found == pytest.approx({traits: 1 - value for traits, value in honest.items()})
    assert found[PLAIN] < found[TRIED]


@pytest.mark.parametrize(
    ("marked", "honest_share", "factor", "factor_without", "other_mark"),
    [
        (FROM_SOURCE, 0.0, 9.5 / 11 / 0.03, 1.5 / 11 / (1 - 0.03), UNTOOLED),
        (FROM_SOURCE, 0.2, 9.5 / 11 / 0.2, 1.5 / 11 / 0.8, UNTOOLED),
        # Half of the entries show the tool as seldom as honest visits.
        (
            WITH_TOOL,
            0.0,
            (9.5 / 11 + 0.01) / 2 / 0.01,
            (1.5 / 11 + 0.99) / 2 / 0.99,
            10.5 / 11 / (1 - 0.03),
        ),
        (
            WITH_TOOL,
            0.2,
            (9.5 / 11 + 0.01) / 2 / 0.01,
            (1.5 / 11 + 0.99) / 2 / 0.99,
            10.5 / 11 / 0.8,
        ),
    ],
)
def test_how_often_honest_visits_bear_a_campaigns_mark_is_not_learned_from_few(
    marked: tuple[int, ...],
    honest_share: float,
    factor: float,
    factor_without: float,
    other_mark: float,
) -> None:
    """Of 10 failures 9 bear one of two marks, and none the other; of 20 visits 4 bear the one.

    All else is alike, as calculated above: four factors, of 9, 3, 6 and 2 levels.
    """
    n = 20.0
    odds: dict[tuple[int, ...], float] = {}
    for _ in range(10):
        alike = other_mark * (20 - n + 1) / (41 - (20 - n + 1))
        for levels in (9, 3, 6, 2):
            alike *= 10.5 / (10 + levels / 2) / ((n + 0.5) / (n + levels / 2))
        odds = {PLAIN: alike * factor_without, marked: alike * factor}
        n = 16 / (1 + odds[PLAIN]) + 4 / (1 + odds[marked])
    found = success_probability({PLAIN: 1, marked: 9}, {PLAIN: 16, marked: 4}, honest_share)
    assert found == pytest.approx({traits: o / (1 + o) for traits, o in odds.items()})


@pytest.mark.parametrize("visits", [10, 1_000, 100_000])
def test_among_visits_that_are_all_alike_no_account_is_named(visits: int) -> None:
    """Honest people may look like the campaign, so "no account is compromised" must be possible."""
    found = success_probability({PLAIN: visits}, {PLAIN: visits})
    assert found[PLAIN] < 0.2


@pytest.mark.parametrize("honest", [50, 5_000])
def test_a_visit_from_a_campaigns_own_source_is_all_but_certain(honest: int) -> None:
    found = success_probability({FROM_SERVER: 200}, {PLAIN: honest, FROM_SERVER: 2})
    assert found[FROM_SERVER] > 0.9
    assert found[PLAIN] < 0.01


def test_a_source_at_a_provider_of_the_tenants_people_says_less() -> None:
    """Of each two visits, one comes from a network that is usual in the tenant."""
    failures = {FROM_SOURCE: 100, FROM_SERVER: 100}
    found = success_probability(failures, {PLAIN: 500, FROM_SOURCE: 2, FROM_SERVER: 2})
    assert found[FROM_SOURCE] < 0.5
    assert found[FROM_SERVER] > 0.9


def test_a_visit_without_the_campaigns_tool_may_be_its_entry() -> None:
    """All failures show the tool, but who got in often looks around with another."""
    like, with_tool = (2, 2, 2, 2, 1, 0, 1, 0, 1), (2, 2, 2, 2, 1, 1, 1, 0, 1)
    found = success_probability({with_tool: 1_000}, {PLAIN: 200, like: 1})
    assert found[like] > 0.9
    assert found[PLAIN] < 0.01


@pytest.mark.parametrize("honest", [50, 5_000])
def test_where_honest_people_share_the_campaigns_source_it_says_little(honest: int) -> None:
    visits = {PLAIN: honest, FROM_SOURCE: 2}
    assert success_probability({FROM_SOURCE: 200}, visits, 0.5)[FROM_SOURCE] < 0.1
    # It is one factor of several: what looks like the campaign in all else is an entry.
    like = (2, 2, 2, 2, 1, 1, 1, 1, 1)
    found = success_probability({like: 200}, {PLAIN: honest, like: 2}, 0.5)
    assert found[like] > 0.9


def test_whoever_is_at_home_in_a_campaigns_sources_is_learned_from_many_visits() -> None:
    """An attacker uses a carrier's shared addresses, from which people come as they always do."""
    like = (2, 2, 2, 2, 1, 0, 1, 1, 1)
    found = success_probability(
        {like: 150, FROM_SOURCE: 50}, {PLAIN: 500, FROM_SOURCE: 60, like: 1}
    )
    assert found[FROM_SOURCE] < 0.1
    assert found[like] > 0.9
    # A few such visits are no decisive evidence: the attacker came as well.
    found = success_probability({like: 50, FROM_SERVER: 150}, {PLAIN: 500, FROM_SERVER: 3})
    assert found[FROM_SERVER] > 0.9


def test_if_nearly_all_visits_are_entries_they_are_not_what_honest_visits_are_like() -> None:
    """An attacker who got into a hundred accounts, in a tenant where people hardly travel."""
    like = (1, 1, 2, 2, 1, 0, 1, 1, 1)
    for visits in ({like: 100}, {like: 100, PLAIN: 3}):
        found = success_probability({like: 500}, visits)
        assert found[like] > 0.9
        assert found.get(PLAIN, 0.0) < 0.5


def test_that_all_is_new_to_an_account_without_a_history_says_nothing() -> None:
    failures = {ALL_NEW: 90, NO_HISTORY: 10}
    found = success_probability(failures, {PLAIN: 200, ALL_NEW: 2, NO_HISTORY: 5})
    assert found[ALL_NEW] > 0.9
    assert found[NO_HISTORY] < 0.1
    # From the campaign's own source, the account is named nevertheless.
    from_source = (1, 1, 1, 1, 1, 0, 0, 1, 0)
    found = success_probability(
        {FROM_SERVER: 90, from_source: 10}, {PLAIN: 200, NO_HISTORY: 5, from_source: 1}
    )
    assert found[from_source] > 0.9
    assert found[NO_HISTORY] < 0.1


def test_without_visits_there_are_no_entries() -> None:
    assert entry_probability({PLAIN: 3}, {}) == {}


def test_what_honest_visits_are_like_is_learned_from_those_of_both_outcomes() -> None:
    """No honest user was stopped; of 200 who succeeded elsewhere, none is like the campaign."""
    found = entry_probability({TRIED: 300}, {"success": {PLAIN: 200}, "stopped": {TRIED: 5}})
    assert found["stopped"][TRIED] > 0.9
    assert found["success"][PLAIN] < 0.01
    # If honest users who succeed look like that, those who are stopped do too.
    alike: dict[str, dict[tuple[int, ...], int]]
    alike = {"success": {TRIED: 200}, "stopped": {TRIED: 5}}
    assert entry_probability({TRIED: 300}, alike)["stopped"][TRIED] < 0.5


_TRAITS = st.tuples(*(st.integers(0, levels - 1) for levels in TRAITS.values()))
_COUNTS = st.dictionaries(_TRAITS, st.integers(1, 1_000_000), min_size=1, max_size=12)


@settings(max_examples=100, deadline=None)
@given(_COUNTS, _COUNTS)
def test_probabilities_are_probabilities_and_no_order_matters(failures: dict, visits: dict) -> None:
    found = success_probability(failures, visits)
    assert found.keys() == visits.keys()
    assert all(0 <= probability <= 1 for probability in found.values())
    backwards = [dict(reversed(counts.items())) for counts in (failures, visits)]
    assert success_probability(backwards[0], backwards[1]) == pytest.approx(
        found, rel=1e-6, abs=1e-9
    )


@settings(max_examples=50, deadline=None)
@given(_COUNTS, st.integers(0, len(TRAITS) - 1), st.data())
def test_a_visit_more_like_the_failures_is_more_probable(
    visits: dict, trait: int, data: st.DataObject
) -> None:
    """All failures have one level of a trait: a visit with this level is more probable."""
    levels = list(TRAITS.values())[trait]
    level, other = data.draw(st.permutations(range(levels)))[:2]
    # How often honest visits show the campaign's tool is given. How often they come from its
    # sources is learned from many, which may all be honest.
    assume(list(TRAITS)[trait] != "source")
    assume(list(TRAITS)[trait] != "tool" or level == 1)
    # Accounts with a history and accounts without are not compared.
    assume(list(TRAITS)[trait] != "history")
    base = data.draw(_TRAITS)
    # In a usual network, a source says less.
    assume(list(TRAITS)[trait] != "network" or not base[list(TRAITS).index("source")])
    like, unlike = ((*base[:trait], value, *base[trait + 1 :]) for value in (level, other))
    # As many visits of either kind, so that the level is not also the more common one of visits.
    visits = {t: n for t, n in visits.items() if t[trait] not in (level, other)}
    found = success_probability({like: 50}, {**visits, like: 10, unlike: 10})
    assert found[like] > found[unlike] or found[unlike] > 1 - 1e-9


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        (PLAIN, []),
        (TRIED, ["the campaign had tried the account"]),
        (FROM_SOURCE, []),
        ((0, 0, 0, 0, 0, 1, 1, 0, 1), ["the campaign had tried the account"]),
        ((1, 0, 0, 0, 0, 1, 0, 0, 1), ["new to the user: application"]),
        ((0, 0, 0, 0, 0, 1, 0, 1, 1), []),
        (
            (0, 1, 0, 0, 0, 1, 1, 1, 1),
            ["the campaign had tried the account", "new to the user: client"],
        ),
        (
            (0, 1, 0, 0, 0, 0, 1, 1, 1),
            ["the campaign had tried the account", "new to the user: client"],
        ),
        (NO_HISTORY, ["the user succeeds nowhere else"]),
        ((0, 0, 1, 2, 1, 0, 0, 0, 1), ["new to the user: device, place"]),
        (
            (1, 2, 1, 2, 1, 0, 1, 0, 1),
            [
                "the campaign had tried the account",
                "new to the user: application, client, device, place",
            ],
        ),
    ],
)
def test_evidence_in_words(engine: Engine, levels: tuple[int, ...], words: list[str]) -> None:
    visit = {"cluster_id": 0, "outcome": "success", "signin_id": "visit"}
    traits = dict(zip(TRAIT_COLUMNS, levels, strict=True))
    probability = {"cluster_id": 0, "outcome": "success", **traits, "probability": 1.0}
    [found] = likely_entries(
        relation(engine, TRAITED, [visit | traits]),
        relation(engine, PROBABILITIES, [probability]),
    ).rows()
    source = "from an address prefix from which the campaign tries other accounts"
    tool = "with the tool of the campaign"
    first = {
        (0, 0): ["from a network new to the user and an address prefix nobody else succeeds from"],
        (0, 1): [tool],
        (1, 0): [source],
        (1, 1): [source, tool],
    }[traits["trait_source"], traits["trait_tool"]]
    assert found["evidence"] == "; ".join([*first, *words])


def test_a_visit_is_one_entry_of_the_likeliest_campaign(engine: Engine) -> None:
    """By the level of one trait: each sign-in has the probability of its level."""

    def visit(id: str, prefix: str, cluster: int, level: int, user: str = "ann") -> dict[str, Any]:
        return {
            "cluster_id": cluster,
            "outcome": "success",
            "date": date(2026, 6, 1),
            "signin_id": id,
            "user": user,
            "ip_prefix": prefix,
            **dict.fromkeys(TRAIT_COLUMNS, 0),
            "trait_application": level,
        }

    visits = [
        # As likely as the likelier of its two sign-ins.
        visit("first", "away", 0, 0),
        visit("second", "away", 0, 2),
        # The likelier one of two campaigns.
        visit("first", "away", 1, 1),
        visit("second", "away", 1, 1),
        # The first of equals.
        visit("third", "far", 0, 1),
        visit("third", "far", 1, 1),
        # More likely an honest one.
        visit("honest", "near", 0, 0),
        visit("attempt", "near", 0, 2) | {"outcome": "failure"},
        # Of two users of one prefix, one is likely an entry, or either is one of another campaign.
        visit("ann's", "of two", 0, 2),
        visit("bob's", "of two", 0, 0, "bob"),
        visit("cid's", "of campaigns", 0, 2, "cid"),
        visit("cid's", "of campaigns", 1, 1, "cid"),
        visit("dan's", "of campaigns", 0, 0, "dan"),
        visit("dan's", "of campaigns", 1, 1, "dan"),
        # Of another outcome, which is rarer in a campaign.
        visit("stopped", "away", 0, 2) | {"outcome": "stopped"},
    ]
    probabilities = [
        {
            "cluster_id": cluster,
            "outcome": "success",
            **dict.fromkeys(TRAIT_COLUMNS, 0),
            "trait_application": level,
            "probability": probability,
        }
        for cluster in (0, 1)
        for level, probability in enumerate((0.49, 0.5, 0.9))
    ]
    found = likely_entries(
        relation(engine, TRAITED, visits), relation(engine, PROBABILITIES, probabilities)
    )
    assert sorted((row["signin_id"], row["cluster_id"], row["score"]) for row in found.rows()) == [
        ("ann's", 0, 0.9),
        ("cid's", 0, 0.9),
        ("dan's", 1, 0.5),
        ("first", 0, 0.9),
        ("second", 0, 0.9),
        ("third", 0, 0.5),
    ]


def test_compromised_accounts_are_the_likeliest_few(engine: Engine) -> None:
    def success(incident: str, user: str, score: float, hour: int, **more: Any) -> dict[str, Any]:
        return {
            "incident_id": incident,
            "outcome": "success",
            "user": user,
            "score": score,
            "time_generated": START + timedelta(hours=hour),
            "exported": date(2026, 6, 1 + hour // 24),
            "signin_id": f"{user} {hour}",
            "evidence": f"evidence of {hour}",
            **more,
        }

    members = [
        success("a", "ann", 0.7, 3),
        # The likeliest gives the evidence, the earliest of equals; the first gives the time.
        success("a", "bob", 0.6, 5),
        success("a", "bob", 0.9, 30),
        success("a", "bob", 0.9, 29),
        success("a", "cid", 0.7, 2),
        success("a", "dan", 0.55, 1),
        success("a", "eve", 1.0, 1, outcome="failure"),
        success("b", "dan", 0.5, 1),
    ]
    found = compromised_accounts(relation(engine, INCIDENT_MEMBERS.schema, members), 3).rows()
    columns = ("incident_id", "user", "probability", "first_success", "exported", "evidence")
    first_day = date(2026, 6, 1)

    def at(hour: int) -> datetime:
        return START + timedelta(hours=hour)

    assert [tuple(row[column] for column in columns) for row in found] == [
        ("a", "bob", 0.9, at(5), first_day, "evidence of 29"),
        ("a", "cid", 0.7, at(2), first_day, "evidence of 2"),
        ("a", "ann", 0.7, at(3), first_day, "evidence of 3"),
        ("b", "dan", 0.5, at(1), first_day, "evidence of 1"),
    ]
    assert [row["successes"] for row in found] == [3, 1, 1, 1]
