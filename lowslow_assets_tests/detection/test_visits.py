"""Visits: from where right passwords come, and which of them may be a campaign's."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest

from lowslow_assets.detection.explanations import RESOLVED_SECONDS
from lowslow_assets.detection.gathering import TOOLS
from lowslow_assets.detection.visits import (
    OWN_PREFIXES,
    PREFIXES,
    VISITORS,
    honest_shares,
    lone_prefixes,
    lone_visits,
    own_prefixes,
    visited_prefixes,
    visitors,
)
from lowslow_assets.engines.base import Engine
from lowslow_assets.engines.schemas import schema
from lowslow_assets.lake.tables import ENCODED_FEATURES, SUCCESS_SOURCES
from lowslow_assets.signins.features import sum_sources
from lowslow_assets_tests.support.relations import relation
from lowslow_assets_tests.support.visits import (
    MEMBERS,
    SILENT,
    START,
    TOOL,
    after,
    application_of,
    signin,
    tool_of,
)

CLUSTERS = schema("cluster_id int, first_activity timestamp, last_activity timestamp")
SECOND = 1 / 3600
"""In hours."""
STOPPED = {"outcome": "stopped"}


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
