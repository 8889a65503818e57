"""Traits: what is new to a user, and the levels of what attempts and visits show."""

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from lowslow_assets.detection.gathering import TOOLS
from lowslow_assets.detection.traits import (
    JUDGED,
    TRAIT_COLUMNS,
    TRAITED,
    TRAITS,
    count_traits,
    trait_key,
    with_news,
    with_traits,
)
from lowslow_assets.detection.visits import own_prefixes
from lowslow_assets.engines.base import Engine, Relation
from lowslow_assets.engines.schemas import extended
from lowslow_assets.lake.tables import ENCODED_FEATURES, FEATURES, NODATA
from lowslow_assets_tests.support.relations import relation
from lowslow_assets_tests.support.visits import (
    MEMBERS,
    PROPERTIES,
    SILENT,
    START,
    TOOL,
    after,
    application_of,
    signin,
    tool_of,
)


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
