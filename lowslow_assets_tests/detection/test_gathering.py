"""What else is a campaign's: the marks of a campaign, and which attempts bear them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lowslow_assets.detection.gathering import (
    GATHERED,
    TOOLS,
    Marks,
    gather,
    marks_of,
    with_gathered,
)
from lowslow_assets.detection.masks import MASKS
from lowslow_assets.detection.members import Suspects
from lowslow_assets.detection.patterns import MODEL_PROPERTIES
from lowslow_assets.engines.base import Engine
from lowslow_assets.lake.tables import (
    CLUSTER_MEMBERS,
    NODATA,
    OPEN_FAILURES,
    SUCCESS_SOURCES,
    SUSPECT_FAILURES,
)
from lowslow_assets_tests.support.drawn_relations import HOSTILE
from lowslow_assets_tests.support.relations import relation

START = datetime(2026, 6, 10, 12, tzinfo=UTC)
DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)
ODD_DEVICE, ODD_APPLICATION = (
    1 << list(MODEL_PROPERTIES).index(name) for name in ("device", "application")
)
HYDRA = ("Hydra", "Plan9")
NOTHING = Marks(frozenset(), None)


def suspects(number: int, **columns: list) -> Suspects:
    """Suspects of an account, a prefix and an odd device of their own, but for what is given."""
    rows = {
        "signin_id": [f"{i}" for i in range(number)],
        "user": [f"user{i}" for i in range(number)],
        "ip_prefix": [f"prefix {i}" for i in range(number)],
        "AppDisplayName": ["Outlook"] * number,
        "ClientAppUsed": ["Browser"] * number,
        "browser": [f"browser {i}" for i in range(number)],
        "operatingSystem": ["Windows"] * number,
        "agent": [NODATA] * number,
        "pattern": [ODD_DEVICE] * number,
    }
    nothing = dict.fromkeys(SUSPECT_FAILURES.schema.names, [None] * number)
    return Suspects.of(pa.Table.from_pydict(nothing | rows | columns, SUSPECT_FAILURES.schema))


def with_tools(*tools: tuple[str, str], **columns: list) -> Suspects:
    browser, system = (list(values) for values in zip(*tools, strict=True))
    return suspects(len(tools), **({"browser": browser, "operatingSystem": system} | columns))


def text_of(tool: tuple[str, str] | None) -> str | None:
    """A tool as one text, like the device of a suspect."""
    return None if tool is None else "\0".join((*tool, NODATA))


OTHER = [(f"browser {i}", "Windows") for i in range(9)]


def test_a_source_is_the_campaigns_if_it_tries_three_accounts() -> None:
    users = ["ann", "bob", "cid", "ann", "bob", "ann", "dan", "eve", "fay", "dan", "eve", "fay"]
    prefixes = [*["three"] * 3, *["two"] * 3, *[None] * 3, *[""] * 3]
    assert marks_of(suspects(12, user=users, ip_prefix=prefixes)) == Marks(
        frozenset({"three"}), None
    )


@pytest.mark.parametrize(
    ("tools", "own"),
    [
        ([HYDRA] * 4, HYDRA),
        ([*[HYDRA] * 3, *OTHER[:2]], HYDRA),
        ([*[HYDRA] * 3, *OTHER[:3]], None),
        # Browser and system count together.
        ([HYDRA, HYDRA, ("Hydra", "BeOS"), ("Medusa", "Plan9")], None),
        ([HYDRA, HYDRA, ("HydraPlan", "9"), ("", "HydraPlan9")], None),
        # A client that does not say what it is may be anything; with a part of it, it is one.
        ([(NODATA, NODATA)] * 4, None),
        ([("Hydra", NODATA)] * 4, ("Hydra", NODATA)),
        ([(NODATA, "Plan9")] * 4, (NODATA, "Plan9")),
    ],
    ids=["all", "most", "half", "three tools", "as if one", "silent", "browser", "system"],
)
def test_a_tool_is_the_campaigns_if_most_of_its_attempts_show_it(
    tools: list[tuple[str, str]], own: tuple[str, str] | None
) -> None:
    # In any order: what is as frequent is not decided by it.
    for ordered in (tools, tools[::-1]):
        assert marks_of(with_tools(*ordered)) == Marks(frozenset(), text_of(own))


def test_a_tool_is_the_same_with_each_client() -> None:
    clients = ["IMAP", "POP", "SMTP", "Browser"]
    assert marks_of(with_tools(*[HYDRA] * 4, ClientAppUsed=clients)).tool == text_of(HYDRA)


def test_a_tool_that_the_tenant_has_is_no_mark() -> None:
    assert marks_of(with_tools(*[HYDRA] * 4, pattern=[0] * 4)) == NOTHING
    # Most of all attempts, not most of those with an odd device.
    most = with_tools(*[HYDRA] * 5, pattern=[*[ODD_DEVICE] * 3, 0, 0])
    assert marks_of(most).tool == text_of(HYDRA)
    half = with_tools(*[HYDRA] * 4, pattern=[ODD_DEVICE, ODD_DEVICE, 0, 0])
    assert marks_of(half) == NOTHING


SILENT = (NODATA, NODATA)


@pytest.mark.parametrize(
    ("applications", "pattern", "own"),
    [
        (["CLI"] * 3 + ["Teams"] * 2, ODD_APPLICATION, "CLI"),
        (["CLI"] * 3 + ["Teams"] * 3, ODD_APPLICATION, None),
        # That the device is unknown may be odd, but says nothing.
        (["CLI"] * 4, ODD_DEVICE, None),
        ([NODATA] * 4, ODD_APPLICATION, None),
    ],
    ids=["most", "half", "usual", "unknown"],
)
def test_the_tool_of_attempts_without_a_device_is_their_application(
    applications: list[str], pattern: int, own: str | None
) -> None:
    number = len(applications)
    members = with_tools(
        *[SILENT] * number, AppDisplayName=applications, pattern=[pattern] * number
    )
    marks = marks_of(members)
    assert marks.on(members).tolist() == [application == own for application in applications]
    # With a device, the application is no tool.
    named = with_tools(*[HYDRA] * number, AppDisplayName=applications, pattern=[0] * number)
    assert not marks.on(named).any()


def test_an_attempt_bears_a_mark_by_its_source_or_its_tool() -> None:
    marks = Marks(frozenset({"p", "None", ""}), text_of(HYDRA))
    attempts = with_tools(
        *(OTHER[0], HYDRA, HYDRA, ("Hydra", "BeOS"), ("hydra", "Plan9"), OTHER[2], OTHER[3]),
        ip_prefix=["p", "p", None, "q", "p ", "P", None],
        pattern=[0] * 7,
    )
    # An unknown prefix is not the text "None".
    assert marks.on(attempts).tolist() == [True, True, True, False, False, False, False]
    assert NOTHING.on(attempts).tolist() == [False] * 7


def test_without_attempts_there_is_no_mark_and_nothing_bears_one() -> None:
    nothing = suspects(0)
    assert marks_of(nothing) == NOTHING
    for marks in (NOTHING, Marks(frozenset("p"), text_of(HYDRA))):
        found = marks.on(nothing)
        assert (found.shape, found.dtype) == ((0,), np.dtype(bool))


def attempt(
    id: str,
    at: datetime = START,
    prefix: str | None = "p",
    tool: tuple[str, str] = OTHER[0],
    user: str = "ann",
    later: int = 0,
    agent: str = NODATA,
) -> dict[str, Any]:
    """An attempt; the folder of its day comes so many days later."""
    browser, system = tool
    return {
        "signin_id": id,
        "time_generated": at,
        "user": user,
        "outcome": "failure",
        "ip_prefix": prefix,
        "ClientAppUsed": "Browser",
        "browser": browser,
        "operatingSystem": system,
        "agent": agent,
        "date": at.date() + later * DAY,
    }


def member(
    id: str, cluster: int, at: datetime = START, prefix: str | None = None, user: str = "ann"
) -> dict[str, Any]:
    return {
        "signin_id": id,
        "cluster_id": cluster,
        "time_generated": at,
        "ip_prefix": prefix,
        "user": user,
    }


def source(
    prefix: str | None,
    cluster: int,
    at: datetime = START,
    users: Sequence[str] = ("xia", "yan", "zoe"),
) -> list[dict[str, Any]]:
    """Members from one prefix, one for each user."""
    return [
        member(f"{cluster}, {prefix!r}, {number}", cluster, at, prefix, user)
        for number, user in enumerate(users)
    ]


# From START to two days later.
MEMBERS = [
    member("first", 3),
    *source("p", 3),
    *source("r", 3),
    member("last", 3, START + 2 * DAY),
]


def tool_row(
    cluster: int,
    tool: tuple[str, str] = HYDRA,
    application: str | None = None,
    agent: str = NODATA,
) -> dict[str, Any]:
    """A campaign's tool."""
    browser, system = tool
    return {
        "cluster_id": cluster,
        "browser": browser,
        "operatingSystem": system,
        "agent": agent,
        "application": application,
        "is_device": tool != SILENT,
    }


def found_by(
    engine: Engine,
    attempts: Sequence[dict[str, Any]],
    members: Sequence[dict[str, Any]] = MEMBERS,
    tools: Sequence[dict[str, Any]] | None = None,
    successes: Sequence[tuple[str, str | None]] = (),
) -> list[dict[str, Any]]:
    """The rows that are gathered; ``successes`` are accounts and prefixes."""
    sources = [{"user": user, "ip_prefix": prefix} for user, prefix in successes]
    return gather(
        relation(engine, OPEN_FAILURES.dated, attempts),
        relation(engine, CLUSTER_MEMBERS.schema, members),
        relation(engine, TOOLS, [tool_row(3)] if tools is None else tools),
        relation(engine, SUCCESS_SOURCES.dated, sources),
    ).rows()


def gathered(
    engine: Engine, attempts: Sequence[dict[str, Any]], *given: Any, **named: Any
) -> list[tuple[str, int]]:
    """Id and cluster of what is gathered."""
    found = found_by(engine, attempts, *given, **named)
    # A row is gathered as it is.
    rows = [{name: row.get(name) for name in OPEN_FAILURES.dated.names} for row in attempts]
    assert all({k: v for k, v in row.items() if k != "cluster_id"} in rows for row in found)
    return sorted((row["signin_id"], row["cluster_id"]) for row in found)


def test_gathered_is_what_comes_from_the_sources_or_shows_the_tool(engine: Engine) -> None:
    attempts = [
        attempt("source"),
        attempt("another source", prefix="r"),
        attempt("tool", prefix="q", tool=HYDRA),
        attempt("tool of an unknown source", prefix=None, tool=HYDRA),
        attempt("tool with another client", prefix="q", tool=HYDRA) | {"ClientAppUsed": "IMAP"},
        # Once, although it bears both.
        attempt("both", tool=HYDRA),
        attempt("none", prefix="q"),
        attempt("unknown source", prefix=None),
        attempt("source in capitals", prefix="P"),
        attempt("another browser", prefix="q", tool=("hydra", "Plan9")),
        attempt("another system", prefix="q", tool=("Hydra", NODATA)),
        # They are members already, of this campaign or of another one.
        attempt("first"),
        attempt("last", START + 2 * DAY, later=1),
        attempt("of another campaign"),
    ]
    members = [*MEMBERS, member("of another campaign", 5)]
    assert gathered(engine, attempts, members) == [
        ("another source", 3),
        ("both", 3),
        ("source", 3),
        ("tool", 3),
        ("tool of an unknown source", 3),
        ("tool with another client", 3),
    ]


def test_without_a_device_what_shows_the_application_is_gathered(engine: Engine) -> None:
    attempts = [
        attempt(name, prefix="q", tool=tool) | {"AppDisplayName": application}
        for name, tool, application in (
            ("tool", SILENT, "CLI"),
            ("another application", SILENT, "Teams"),
            ("with a device", HYDRA, "CLI"),
        )
    ]
    # A service, and a source of three attempts; an unknown source is none.
    for prefix, number in (("service", 4), ("proxy", 3), (None, 4)):
        attempts += [
            attempt(f"{prefix} {i}", prefix=prefix, tool=SILENT) | {"AppDisplayName": "CLI"}
            for i in range(number)
        ]
    tools = [tool_row(3, SILENT, "CLI")]
    expected = [*(f"None {i}" for i in range(4)), *(f"proxy {i}" for i in range(3)), "tool"]
    assert gathered(engine, attempts, tools=tools) == [(id, 3) for id in expected]


def test_a_user_agents_product_is_gathered_like_an_application(engine: Engine) -> None:
    attempts = [
        attempt("tool", prefix="q", tool=SILENT, agent="axios"),
        attempt("another product", prefix="q", tool=SILENT, agent="curl"),
        attempt("with a device", prefix="q", agent="axios"),
        *(attempt(f"script {i}", prefix="script", tool=SILENT, agent="axios") for i in range(4)),
    ]
    tools = [tool_row(3, SILENT, agent="axios")]
    assert gathered(engine, attempts, tools=tools) == [("tool", 3)]


def test_gathered_is_from_prefixes_from_which_one_campaign_tries_three_accounts(
    engine: Engine,
) -> None:
    members = [
        *source("three", 3),
        *source("two", 3, users=["xia", "yan", "xia", "yan"]),
        # Three accounts, but of two campaigns.
        *source("of both", 3, users=["xia", "yan"]),
        *source("of both", 5, users=["zoe"]),
        *source(None, 3),
    ]
    attempts = [
        attempt(f"{prefix}", prefix=prefix) for prefix in ("three", "two", "of both", None, "None")
    ]
    assert gathered(engine, attempts[::-1], members) == [("three", 3)]


def test_an_attempt_where_the_account_succeeds_is_not_gathered(engine: Engine) -> None:
    attempts = [
        attempt("at home", user="ann"),
        attempt("at home, with the tool", user="ann", tool=HYDRA),
        attempt("of an account at home elsewhere", user="bob"),
        attempt("of no account"),
        # Nobody knows that both are the same source.
        attempt("unknown source", prefix=None, tool=HYDRA, user="cid"),
    ]
    attempts[3]["user"] = None
    successes = [("ann", "p"), ("ann", "p"), ("bob", "q"), ("cid", None)]
    assert gathered(engine, attempts, successes=successes) == [
        ("of an account at home elsewhere", 3),
        ("of no account", 3),
        ("unknown source", 3),
    ]


def test_from_the_sources_gathered_lies_within_a_day_of_the_campaign_with_the_tool_anywhere(
    engine: Engine,
) -> None:
    first, last = START - DAY, START + 3 * DAY
    times = {
        "too early": first - INSTANT,
        "a day before": first,
        "within": START + DAY,
        "a day after": last,
        "too late": last + INSTANT,
    }
    attempts = [
        attempt(f"{id} by {mark}", at, **own)
        for id, at in times.items()
        for mark, own in {"source": {}, "tool": {"prefix": "q", "tool": HYDRA}}.items()
    ]
    assert [id for id, _ in gathered(engine, attempts)] == sorted(
        f"{id} by {mark}"
        for id in times
        for mark in ("source", "tool")
        if mark == "tool" or not id.startswith("too ")
    )


def test_copies_of_a_signin_count_once_as_of_the_first_day(engine: Engine) -> None:
    attempts = [
        attempt("copied", later=1, tool=HYDRA),
        attempt("copied", later=0),
        attempt("copied", later=2),
    ]
    found = found_by(engine, attempts)
    assert [(row["signin_id"], row["date"]) for row in found] == [("copied", START.date())]


def test_of_two_campaigns_with_the_mark_the_one_of_that_time_counts(engine: Engine) -> None:
    attempts = [
        attempt("before both", START - DAY - INSTANT),
        attempt("of the first", START - DAY),
        attempt("of both", START + DAY),
        attempt("of both to the end", START + 3 * DAY),
        attempt("of the second", START + 3 * DAY + INSTANT),
        attempt("after both", START + 10 * DAY + INSTANT),
        attempt("tool of both", START + DAY, prefix="q", tool=HYDRA),
        attempt("tool of the second", START - DAY, prefix="q", tool=OTHER[1]),
        attempt("tool of both, before both", START - 9 * DAY, prefix="q", tool=HYDRA),
        attempt("tool of both, in the time of the second", START + 9 * DAY, tool=HYDRA),
        attempt("source of the first, tool of both", START + DAY, prefix="r", tool=HYDRA),
    ]
    members = [*MEMBERS, *source("p", 4, START + DAY), member("another", 4, START + 9 * DAY)]
    # A campaign has one tool, but nothing here depends on that.
    tools = [tool_row(3), tool_row(4), tool_row(4, OTHER[1])]
    assert gathered(engine, attempts, members, tools) == [
        ("of both", 3),
        ("of both to the end", 3),
        ("of the first", 3),
        ("of the second", 4),
        ("source of the first, tool of both", 3),
        ("tool of both", 3),
        ("tool of both, before both", 3),
        ("tool of both, in the time of the second", 4),
        ("tool of the second", 4),
    ]


@pytest.mark.parametrize("missing", ["marks", "members", "attempts"])
def test_without_marks_members_or_attempts_nothing_is_gathered(
    engine: Engine, missing: str
) -> None:
    attempts = [attempt("a"), attempt("b", prefix=None, tool=HYDRA)]
    assert gathered(engine, attempts) == [("a", 3), ("b", 3)]
    members = {"marks": [member("first", 3)], "members": []}.get(missing, MEMBERS)
    found = gathered(
        engine,
        [] if missing == "attempts" else attempts,
        members,
        [] if missing == "marks" else None,
    )
    assert found == []


def test_hostile_texts_are_texts(engine: Engine) -> None:
    """Each is the source of one campaign, and browser and system of the tool of another one."""
    number = len(HOSTILE)
    attempts = [
        *(attempt(f"{i:03}", prefix=text, user=text) for i, text in enumerate(HOSTILE)),
        *(
            attempt(f"{number + i:03}", prefix="q", tool=(text, text), user=text)
            for i, text in enumerate(HOSTILE)
        ),
    ]
    members = [
        *(each for i, text in enumerate(HOSTILE) for each in source(text, i, users=HOSTILE[:3])),
        *(member(f"member {i}", number + i) for i in range(number)),
    ]
    tools = [
        tool_row(number + i, (text, text)) | {"is_device": True} for i, text in enumerate(HOSTILE)
    ]
    found = gathered(engine, attempts, members, tools, successes=[("ann", HOSTILE[4])])
    assert found == [(f"{i:03}", i) for i in range(2 * number)]


def test_members_keep_their_probability_and_gathered_attempts_have_the_least(
    engine: Engine,
) -> None:
    members = [member("m", 3) | {"assignment_probability": 0.9, "mask": 7}]
    rows = [attempt("g") | {"cluster_id": 3}, attempt("h", later=1) | {"cluster_id": 5}]
    today = START.date()
    # The mask is that of the copy which was gathered.
    masks = [(today, "g", 1), (today, "h", 2), (today + DAY, "h", 4), (today, "m", 0)]
    found = with_gathered(
        relation(engine, CLUSTER_MEMBERS.schema, members),
        relation(engine, GATHERED, rows),
        relation(engine, MASKS, masks),
        0.5,
    ).rows()
    columns = ("signin_id", "cluster_id", "assignment_probability", "mask", "time_generated")
    assert sorted(tuple(row[name] for name in columns) for row in found) == [
        ("g", 3, 0.5, 1, START),
        ("h", 5, 0.5, 4, START),
        ("m", 3, 0.9, 7, START),
    ]
    [of_attempt] = [row for row in found if row["signin_id"] == "g"]
    assert of_attempt.items() >= {k: v for k, v in attempt("g").items() if k != "date"}.items()
