"""Each rule that explains a failure: at its limit and just past it, alone and with the others."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lowslow_assets.detection.explanations import (
    EXPLANATIONS,
    MAX_EXAMPLES,
    ExplainedGroup,
    crowded_hours,
    describe_groups,
    explain_failures,
    sum_failures,
)
from lowslow_assets.engines.base import Engine
from lowslow_assets.engines.schemas import schema
from lowslow_assets.lake.tables import ENCODED_FEATURES, FAILURE_SOURCES, NODATA
from lowslow_assets.signins.features import sum_sources
from lowslow_assets_tests.support.relations import relation

SIGNINS = (
    *("date", "signin_id", "user", "network", "outcome"),
    *("time_generated", "ip_address", "ip_prefix", "result_type", "city"),
    "operatingSystem",
)
PLACE = {"Location": "", "state": "", "latitude": 0.0, "longitude": 0.0}
EXPLAINED = schema(
    "date date, user string, result_type string, ip_prefix string, ip_address string, "
    "explanation string, time_generated timestamp"
)
START = datetime(2026, 6, 1, tzinfo=UTC)
DAY, HOUR, MINUTE, SECOND = 24 * 60.0, 60.0, 1.0, 1 / 60


def seconds_to_success(row: dict[str, Any], rows: list[dict[str, Any]]) -> int | None:
    """What ``encode_features`` gives an attempt, in plain Python."""
    if row["outcome"] in ("success", "other"):
        return None
    own = int(row["time_generated"].timestamp())
    of_user = [
        int(other["time_generated"].timestamp()) - own
        for other in rows
        if other["outcome"] == "success"
        and all(other[name] == row[name] for name in ("date", "user", "network"))
    ]
    return min((seconds for seconds in of_user if seconds >= 0), default=None)


def explain_rows(engine: Engine, rows: list[tuple], window_days: int) -> list[dict[str, Any]]:
    """Explain the attempts among sign-ins given as rows."""
    named = [dict(zip(SIGNINS, row, strict=True)) | PLACE for row in rows]
    for row in named:
        row["seconds_to_success"] = seconds_to_success(row, named)
    encoded = relation(engine, ENCODED_FEATURES.dated, named)
    failures = [row for row in named if row["outcome"] not in ("success", "other")]
    of_failures = relation(engine, ENCODED_FEATURES.dated, failures)
    return explain_failures(of_failures, sum_sources(encoded), window_days).rows()


@dataclass(frozen=True)
class Signin:
    """A sign-in so many minutes after START; empty values are unlike those of all others."""

    id: str
    at: float
    user: str = ""
    network: str = ""
    address: str | None = ""
    prefix: str | None = ""
    outcome: str = "failure"
    code: str | None = None
    city: str = NODATA
    system: str = NODATA

    def row(self, scenario: str, shift: timedelta) -> tuple:
        """As a row of ``encoded_features``; nothing is shared with other scenarios."""

        def own(kind: str, value: str | None) -> str | None:
            return None if value is None else f"{scenario}: {value or f'{kind} of {self.id}'}"

        time = START + shift + timedelta(minutes=self.at)
        return (
            time.date(),
            f"{scenario}: {self.id}",
            own("user", self.user),
            own("network", self.network),
            self.outcome,
            time,
            own("address", self.address),
            own("prefix", self.prefix),
            self.code,
            self.city,
            self.system,
        )


NOBODY: dict[str, Any] = {"outcome": "refused", "code": "50034"}


def success(id: str, at: float, **values: Any) -> Signin:
    return Signin(id, at, **values, outcome="success")


def failures(number: int, every: float = 2 * HOUR, **values: Any) -> list[Signin]:
    """So many failures, named 0, 1, ..., by default too far apart to crowd an hour."""
    return [Signin(str(i), i * every, **values) for i in range(number)]


Scenario = tuple[list[Signin], dict[str, str | None]]


def all_are(explanation: str | None, signins: list[Signin]) -> Scenario:
    attempts = (s for s in signins if s.outcome not in ("success", "other"))
    return signins, {s.id: explanation for s in attempts}


ANN_AT_HOME: dict[str, Any] = {"user": "ann", "network": "home"}
# At midday: half an hour before and after are the same day.
NOON = 12 * HOUR

RESOLVED: dict[str, Scenario] = {
    "a success half an hour later": all_are(
        "resolved", [Signin("f", NOON, **ANN_AT_HOME), success("s", NOON + 30, **ANN_AT_HOME)]
    ),
    "a success a second after that": all_are(
        None,
        [Signin("f", NOON, **ANN_AT_HOME), success("s", NOON + 30 + SECOND, **ANN_AT_HOME)],
    ),
    "a success in the same second": all_are(
        "resolved", [Signin("f", NOON, **ANN_AT_HOME), success("s", NOON, **ANN_AT_HOME)]
    ),
    "a success a second before": all_are(
        None, [Signin("f", NOON, **ANN_AT_HOME), success("s", NOON - SECOND, **ANN_AT_HOME)]
    ),
    "a success after midnight": all_are(
        "resolved",
        [Signin("f", DAY - 10, **ANN_AT_HOME), success("s", DAY + 10, **ANN_AT_HOME)],
    ),
    "another user's success": all_are(
        None,
        [Signin("f", NOON, **ANN_AT_HOME), success("s", NOON + 1, user="bob", network="home")],
    ),
    "a success from another network": all_are(
        None, [Signin("f", NOON, **ANN_AT_HOME), success("s", NOON + 1, user="ann", network="cafe")]
    ),
    "an outcome that is neither": all_are(
        None,
        [Signin("f", NOON, **ANN_AT_HOME), Signin("o", NOON + 1, **ANN_AT_HOME, outcome="other")],
    ),
    "several at once": all_are(
        "resolved",
        [
            *(Signin(str(i), NOON + i, **ANN_AT_HOME) for i in range(3)),
            success("s", NOON + 5, **ANN_AT_HOME),
        ],
    ),
}

BUSY: dict[str, Scenario] = {
    "five that day": all_are(None, failures(5, user="ann")),
    "six that day": all_are("busy account", failures(6, user="ann")),
    # 18:00, 20:00, 22:00, and as many after midnight.
    "three on either side of midnight": all_are(
        None, [Signin(str(i), 18 * HOUR + i * 2 * HOUR, user="ann") for i in range(6)]
    ),
    "six that day, one the next": (
        [*failures(6, user="ann"), Signin("next", DAY + HOUR, user="ann")],
        {**dict.fromkeys("012345", "busy account"), "next": None},
    ),
    "six with a device, one with another": (
        [*failures(6, user="ann", system="iOS"), Signin("spray", 15 * HOUR, user="ann")],
        {**dict.fromkeys("012345", "busy account"), "spray": None},
    ),
    "fifteen with as many devices": all_are(
        None, [Signin(str(i), i * 1.5 * HOUR, user="ann", system=f"s{i}") for i in range(15)]
    ),
    "sixteen with as many devices": all_are(
        "busy account",
        [Signin(str(i), i * 1.4 * HOUR, user="ann", system=f"s{i}") for i in range(16)],
    ),
    "six with a device, fifteen with others": (
        [
            *(Signin(f"d{i}", i * 3.5 * HOUR, user="ann", system="iOS") for i in range(6)),
            *(Signin(f"o{i}", i * 1.5 * HOUR, user="ann", system=f"s{i}") for i in range(15)),
        ],
        {
            **{f"d{i}": "busy account" for i in range(6)},
            **{f"o{i}": None for i in range(15)},
        },
    ),
    "five, and successes": all_are(
        None,
        [
            *failures(5, user="ann"),
            *(success(f"s{i}", i * HOUR, user="ann") for i in range(6)),
        ],
    ),
}

AGAIN: dict[str, Scenario] = {
    # Neither of them explains the other: they are one visit (first_of_visits).
    "in the same second": all_are(None, failures(2, 0, user="ann", prefix="p")),
    "after an hour": all_are(None, failures(2, HOUR, user="ann", prefix="p")),
    "after midnight": all_are(
        None,
        [Signin(i, DAY + at, user="ann", prefix="p") for i, at in (("one", -10), ("two", 50))],
    ),
}

A: dict[str, Any] = {"address": "a", "prefix": "of a"}


def by_turns(number: int, accounts: int, every: float = DAY, **values: Any) -> list[Signin]:
    """So many failures of so few accounts, in turn: each returns sooner or later."""
    order = [*range(accounts), *reversed(range(accounts))]
    users = [f"u{order[i % len(order)]}" for i in range(number)]
    return [Signin(str(i), i * every, user=user, **values) for i, user in enumerate(users)]


def like_a_clock(number: int, accounts: int, every: float, **values: Any) -> list[Signin]:
    """So many failures of so many accounts, always in the same order."""
    return [Signin(str(i), i * every, user=f"u{i % accounts}", **values) for i in range(number)]


def on_weekdays(number: int, accounts: int, a_day: int) -> list[Signin]:
    """So many tries of all accounts in turn, so many a day, and none on two days of each week."""
    found = []
    for i in range(number):
        week, day = divmod(i // a_day, 5)
        at = (7 * week + day) * DAY + i % a_day * HOUR
        found.append(Signin(str(i), at, user=f"u{i % accounts}", **A))
    return found


def every_day(accounts: int, tries: int) -> list[Signin]:
    """So many tries of each account on the same five days, which are not evenly apart."""
    return [
        Signin(f"{day} {i} {n}", day * DAY + n * 7 * HOUR + i, user=f"u{i}", **A)
        for day in (0, 1, 2, 3, 8)
        for i in range(accounts)
        for n in range(tries)
    ]


def moved(signins: list[Signin]) -> list[Signin]:
    """The same attempts again, five hours later."""
    return [replace(s, id=f"{s.id} again", at=s.at + 5 * HOUR) for s in signins]


def guessing(names: int, signins: list[Signin]) -> list[Signin]:
    """The same attempts, the first ``names`` accounts of which do not exist."""
    invented = {f"u{i}" for i in range(names)}
    return [replace(s, **NOBODY) if s.user in invented else s for s in signins]


def friends(number: int, prefix: str) -> list[Signin]:
    """One success of each of so many accounts that never fail."""
    return [success(f"friend {i}", i * DAY, prefix=prefix) for i in range(number)]


SOURCES: dict[str, Scenario] = {
    # Few failures do not identify a source, whoever makes them.
    "three from an address": all_are(None, by_turns(3, 1, 2 * DAY, **A)),
    "three, and a success": all_are(
        None, [*by_turns(3, 1, 2 * DAY, **A), success("s", 5, address="a", prefix="of b")]
    ),
    "three, and one that is neither": all_are(
        None, [*by_turns(3, 1, 2 * DAY, **A), Signin("o", 5, **A, outcome="other")]
    ),
    "ten from a prefix": all_are(None, by_turns(10, 2, prefix="p")),
    "eleven from a prefix": all_are("service", by_turns(11, 2, prefix="p")),
    # Many failures of many accounts, each tried seldom, for days.
    "a rented server": all_are(None, by_turns(40, 20, 12 * HOUR, **A)),
    "a rented server where somebody succeeds": all_are(
        None, [*by_turns(40, 20, 12 * HOUR, **A), *friends(3, "of a")]
    ),
    "a rented server that compromised three accounts": all_are(
        None,
        [
            *by_turns(40, 20, 12 * HOUR, **A),
            *(success(f"s{i}", 25 * DAY, user=f"u{i}", **A) for i in range(3)),
        ],
    ),
    "gateway addresses of one cloud": all_are(None, by_turns(40, 20, 12 * HOUR, prefix="p")),
}

OFFICE: dict[str, Scenario] = {
    "as many friends as strangers": all_are(
        "office", [*failures(4, 2 * DAY, **A), *friends(4, "of a")]
    ),
    "a stranger more": all_are(None, [*failures(4, 2 * DAY, **A), *friends(3, "of a")]),
    "who succeeds is no stranger, but a friend": all_are(
        "office",
        [
            *(Signin(str(i), i * DAY, user=f"u{i}", **A) for i in range(4)),
            *(success(f"s{i}", 9 * DAY, user=f"u{i}", prefix="of a") for i in range(2)),
        ],
    ),
    "one of four succeeds": all_are(
        None,
        [
            *(Signin(str(i), i * DAY, user=f"u{i}", **A) for i in range(4)),
            success("s", 9 * DAY, user="u0", prefix="of a"),
        ],
    ),
    "nobody but friends": all_are(
        "office", [*by_turns(4, 1, **A), success("s", 9 * DAY, user="u0", prefix="of a")]
    ),
    "friends of another prefix": all_are(None, [*failures(4, 2 * DAY, **A), *friends(4, "of b")]),
    "as many on the prefix": all_are("office", [*failures(11, DAY, prefix="p"), *friends(11, "p")]),
    "a stranger more on the prefix": all_are(
        None, [*failures(11, DAY, prefix="p"), *friends(10, "p")]
    ),
    # The address has 4 strangers, the prefix 11.
    "an address among few friends of its prefix": (
        [
            *failures(7, DAY, prefix="p"),
            *(Signin(f"a{i}", i * DAY, address="a", prefix="p") for i in range(4)),
            *friends(4, "p"),
        ],
        {**dict.fromkeys("0123456"), **{f"a{i}": "office" for i in range(4)}},
    ),
}

LOUD: dict[str, Scenario] = {
    # Ten in 40 minutes are six an hour, if the last of them counts for an hour.
    "ten, six an hour": all_are("burst", failures(10, 266 * SECOND, **A)),
    "ten, fewer an hour": all_are(None, failures(10, 267 * SECOND, **A)),
    "nine in half an hour": all_are(None, failures(9, 3, **A)),
    "all at once": all_are("burst", failures(10, 0, **A)),
    "over midnight": all_are(
        "burst", [replace(s, at=s.at + DAY - HOUR) for s in failures(28, 5, **A)]
    ),
    "a few an hour for two days": all_are(None, by_turns(11, 10, 4 * HOUR, **A)),
    "two days on three dates": all_are(
        "burst", [replace(s, at=s.at + 23 * HOUR) for s in failures(301, 9.6, **A)]
    ),
    "and once more on the third day": all_are(
        None, [*failures(10, 1, **A), Signin("last", 2 * DAY, **A)]
    ),
    "from a prefix": all_are("burst", failures(11, 4, prefix="p")),
    "office before burst": all_are("office", [*failures(10, 1, **A), *friends(10, "of a")]),
    # Five and six tries of each account, but no more than three of them on one day.
    "burst before service": all_are(
        "burst", [replace(s, at=s.at + DAY - 16) for s in by_turns(16, 3, 2, **A)]
    ),
}

SERVICE: dict[str, Scenario] = {
    "more than five tries an account": all_are("service", by_turns(16, 3, **A)),
    "five tries an account": all_are("few accounts", by_turns(15, 3, **A)),
    # 16 tries of three accounts: one each in less than 8 days.
    "a try in less than eight days": all_are(
        "service", [*by_turns(15, 3, **A), Signin("last", 41 * DAY, user="u0", **A)]
    ),
    "a try in more than eight days": all_are(
        "few accounts", [*by_turns(15, 3, **A), Signin("last", 42 * DAY, user="u0", **A)]
    ),
    # 24 accounts by turns, each once in eight days: half of them have come again.
    "by turns like a clock": all_are("service", like_a_clock(36, 24, 8 * HOUR, **A)),
    "a few of them not yet again": all_are(None, like_a_clock(35, 24, 8 * HOUR, **A)),
    "in more than eight days": all_are(None, like_a_clock(36, 24, 8 * HOUR + 3, **A)),
    "by turns, but not like a clock": all_are(None, by_turns(36, 24, 8 * HOUR, **A)),
    "like a clock, and few": all_are(None, like_a_clock(8, 4, 8 * HOUR, **A)),
    # 21 accounts, each six times.
    "many accounts, at any time": all_are(None, by_turns(126, 21, 6 * HOUR, **A)),
    "nine accounts, at any time": all_are("service", by_turns(54, 9, 6 * HOUR, **A)),
    "ten accounts, at any time": all_are(None, by_turns(60, 10, 12 * HOUR, **A)),
    # 13 accounts on 5 days each: with 94 failures or more on 65 days, nine times that many.
    "thirteen accounts, once and a half a day": all_are(
        "service", [*every_day(13, 1), *moved(every_day(13, 1)[:29])]
    ),
    "thirteen accounts, less often": all_are(
        None, [*every_day(13, 1), *moved(every_day(13, 1)[:28])]
    ),
    # A connector that was switched off for a day: each account returns once after 44 hours, and
    # else after 22.
    "like a clock, but for a day": all_are(
        "service",
        [
            s
            for s in like_a_clock(165, 11, 2 * HOUR, **A)
            if not 4 * DAY <= s.at < 4 * DAY + 22 * HOUR
        ],
    ),
    # Each of ten accounts twice in four days, after one day or after three.
    "ten accounts in other orders": all_are(None, by_turns(100, 10, 4.8 * HOUR, **A)),
    "many accounts, like a clock": all_are("service", like_a_clock(126, 21, 2 * HOUR, **A)),
    # Each account two or four days after its last try, 2.8 days on average.
    "many accounts, in turn for days": all_are(None, on_weekdays(220, 22, 11)),
    "many accounts, twice a day": all_are(None, every_day(25, 2)),
    "many accounts, three times a day": all_are("service", every_day(25, 3)),
    # Of 25 accounts, a spray guesses a fifth, and at least three.
    "a fifth of the names guessed": all_are(None, guessing(5, every_day(25, 3))),
    "fewer of them": all_are("service", guessing(4, every_day(25, 3))),
    "guessed like a clock": all_are(None, guessing(5, like_a_clock(36, 24, 8 * HOUR, **A))),
    "fewer, like a clock": all_are("service", guessing(4, like_a_clock(36, 24, 8 * HOUR, **A))),
    "two of ten": all_are("service", guessing(2, like_a_clock(60, 10, 12 * HOUR, **A))),
    "service before few accounts": all_are("service", by_turns(6, 1, **A)),
    "office before service": all_are("office", [*by_turns(16, 3, **A), *friends(3, "of a")]),
    # The address is a rented server's, although its prefix is a service's.
    "an address before its prefix": (
        [
            *(Signin(f"b{i}", i * DAY, user="ann", address="b", prefix="of a") for i in range(30)),
            *(Signin(f"a{i}", i * 2 * DAY, **A) for i in range(4)),
            Signin("c", 5, address="c", prefix="of a"),
        ],
        {
            **{f"b{i}": "service" for i in range(30)},
            **{f"a{i}": None for i in range(4)},
            "c": "service",
        },
    ),
}

FEW_ACCOUNTS: dict[str, Scenario] = {
    "four of one account": all_are("few accounts", by_turns(4, 1, **A)),
    "four of two accounts": all_are(None, by_turns(4, 2, **A)),
    "five of two accounts": all_are("few accounts", by_turns(5, 2, **A)),
    "nine accounts, nineteen tries": all_are("few accounts", by_turns(19, 9, 8 * HOUR, **A)),
    "nine accounts, eighteen tries": all_are(None, by_turns(18, 9, 8 * HOUR, **A)),
    "one account more": all_are(None, by_turns(21, 10, 8 * HOUR, **A)),
    "of a prefix, too seldom for a service": all_are(
        "few accounts",
        [*by_turns(10, 2, prefix="p"), Signin("last", 50 * DAY, user="u0", prefix="p")],
    ),
}

IN_ROME: dict[str, Any] = {"city": "Rome", "system": "Ios"}
OWN_DEVICE: dict[str, Scenario] = {
    "the same place and system": all_are(
        "own device",
        [Signin("f", NOON, user="ann", **IN_ROME), success("s", 5 * DAY, user="ann", **IN_ROME)],
    ),
    "another system": all_are(
        None,
        [
            Signin("f", NOON, user="ann", **IN_ROME),
            success("s", 0, user="ann", city="Rome", system="Android"),
        ],
    ),
    "another place": all_are(
        None,
        [
            Signin("f", NOON, user="ann", **IN_ROME),
            success("s", 0, user="ann", city="Oslo", system="Ios"),
            success("t", 0, user="ann", city="Rome", system="Android"),
        ],
    ),
    "another user's": all_are(
        None, [Signin("f", NOON, user="ann", **IN_ROME), success("s", 0, user="bob", **IN_ROME)]
    ),
    "a system that is unknown": all_are(
        None,
        [Signin("f", NOON, user="ann", city="Rome"), success("s", 0, user="ann", city="Rome")],
    ),
    "a place that is unknown": all_are(
        None,
        [Signin("f", NOON, user="ann", system="Ios"), success("s", 0, user="ann", system="Ios")],
    ),
    "twice from there": all_are(
        "own device",
        [
            Signin("f", NOON, user="ann", **IN_ROME),
            success("s", 5 * DAY, user="ann", **IN_ROME),
            success("t", 6 * DAY, user="ann", **IN_ROME),
        ],
    ),
    "own network before own device": all_are(
        "own network",
        [
            Signin("f", NOON, **ANN_AT_HOME, prefix="p", **IN_ROME),
            success("s", 5 * DAY, **ANN_AT_HOME, prefix="p", **IN_ROME),
        ],
    ),
    "own place before own device": all_are(
        "own place",
        [
            Signin("f", NOON, user="ann", outcome="stopped", **IN_ROME),
            success("s", 5 * DAY, user="ann", **IN_ROME),
        ],
    ),
    "a source of few accounts before own device": all_are(
        "few accounts",
        [*by_turns(4, 1, **A, **IN_ROME), success("s", 9 * DAY, user="u0", **IN_ROME)],
    ),
    "not from a rented server": all_are(
        None,
        [
            *by_turns(40, 20, 12 * HOUR, **A, **IN_ROME),
            success("s", 29 * DAY, user="u0", **IN_ROME),
        ],
    ),
    "not from a source of five accounts, nor own place": all_are(
        None,
        [
            *by_turns(7, 5, **A, **IN_ROME),
            Signin("stopped", 8 * DAY, user="u0", outcome="stopped", **A, **IN_ROME),
            success("s", 9 * DAY, user="u0", **IN_ROME),
        ],
    ),
    "from a source of four accounts": (
        [
            *by_turns(6, 4, **A, **IN_ROME),
            Signin("stopped", 8 * DAY, user="u0", outcome="stopped", **A, **IN_ROME),
            success("s", 9 * DAY, user="u0", **IN_ROME),
        ],
        {str(i): "own device" if i == 0 else None for i in range(6)} | {"stopped": "own place"},
    ),
    # Its addresses differ, and ten failures are few for a prefix.
    "from a prefix of five accounts with few failures": (
        [
            *by_turns(7, 5, prefix="of a", **IN_ROME),
            success("s", 9 * DAY, user="u0", **IN_ROME),
        ],
        {str(i): "own device" if i == 0 else None for i in range(7)},
    ),
}

OWN_NETWORK: dict[str, Scenario] = {
    "network known, prefix known from others": all_are(
        "own network",
        [
            Signin("f", 5 * DAY, **ANN_AT_HOME, prefix="p"),
            success("home", 0, **ANN_AT_HOME),
            success("other", 9 * DAY, prefix="p"),
        ],
    ),
    "both from one success, though later": all_are(
        "own network",
        [
            Signin("f", 0, **ANN_AT_HOME, prefix="p"),
            success("home", 5 * DAY, **ANN_AT_HOME, prefix="p"),
        ],
    ),
    "not from a server of five accounts in the network": all_are(
        None,
        [
            *by_turns(7, 5, **A, network="home"),
            success("home", 19 * DAY, user="u0", network="home"),
            success("other", 19 * DAY, prefix="of a"),
        ],
    ),
    "from a source of four accounts in the network": (
        [
            *by_turns(6, 4, **A, network="home"),
            success("home", 19 * DAY, user="u0", network="home"),
            success("other", 19 * DAY, prefix="of a"),
        ],
        {str(i): "own network" if i == 0 else None for i in range(6)},
    ),
    "stopped at a server of five accounts in the network": (
        [
            *by_turns(7, 5, **A, network="home"),
            Signin("stopped", 8 * DAY, user="u0", outcome="stopped", **A, network="home"),
            success("home", 19 * DAY, user="u0", network="home"),
            success("other", 19 * DAY, prefix="of a"),
        ],
        dict.fromkeys(map(str, range(7))) | {"stopped": "own network"},
    ),
    "network known, nobody succeeds from the prefix": all_are(
        None, [Signin("f", 5 * DAY, **ANN_AT_HOME, prefix="p"), success("s", 0, **ANN_AT_HOME)]
    ),
    "prefix known, the user never succeeds from the network": all_are(
        None,
        [
            Signin("f", 5 * DAY, **ANN_AT_HOME, prefix="p"),
            success("s", 0, user="bob", network="home", prefix="p"),
        ],
    ),
}

UNKNOWN: dict[str, Any] = {"address": None, "prefix": None}
NO_SOURCE: dict[str, Scenario] = {
    "neither address nor prefix": all_are("no source", failures(2, 2 * DAY, **UNKNOWN)),
    # A GUID where the address should be.
    "an address without a prefix": all_are("no source", failures(2, 2 * DAY, prefix=None)),
    "resolved": all_are(
        "resolved",
        [
            Signin("f", NOON, **ANN_AT_HOME, **UNKNOWN),
            success("s", NOON + 1, **ANN_AT_HOME, **UNKNOWN),
        ],
    ),
    "more than five that day": all_are("no source", failures(6, user="ann", **UNKNOWN)),
    "one of six that day": (
        [*failures(5, user="ann"), Signin("unknown", 15 * HOUR, user="ann", **UNKNOWN)],
        {**dict.fromkeys("01234", "busy account"), "unknown": "no source"},
    ),
    # An unknown value is near to nothing.
    "beside one that has a source": (
        [Signin("f", 0, user="ann"), Signin("unknown", 5, user="ann", **UNKNOWN)],
        {"f": None, "unknown": "no source"},
    ),
    "of a user who succeeds from unknown sources": (
        [Signin("f", 5 * DAY, **ANN_AT_HOME), success("s", 0, **ANN_AT_HOME, **UNKNOWN)],
        {"f": None},
    ),
}

STOPPED: dict[str, Any] = {"outcome": "stopped", "code": "50076"}
LOCKED: dict[str, Any] = {"outcome": "refused", "code": "50053"}
OUTCOMES: dict[str, Scenario] = {
    "a prompt answered is no typo": all_are(
        "interrupted",
        [Signin("f", NOON, **ANN_AT_HOME, **STOPPED), success("s", NOON + 30, **ANN_AT_HOME)],
    ),
    "nor one answered after midnight": all_are(
        "interrupted",
        [Signin("f", DAY - 10, **ANN_AT_HOME, **STOPPED), success("s", DAY + 10, **ANN_AT_HOME)],
    ),
    "nor is a lock that opened": all_are(
        "interrupted",
        [Signin("f", NOON, **ANN_AT_HOME, **LOCKED), success("s", NOON + 30, **ANN_AT_HOME)],
    ),
    "answered too late, on a network of the user's": all_are(
        "own network",
        [Signin("f", NOON, **ANN_AT_HOME, **STOPPED), success("s", NOON + 31, **ANN_AT_HOME)],
    ),
    "locked on a network of the user's, from an unknown prefix": all_are(
        None, [Signin("f", NOON, **ANN_AT_HOME, **LOCKED), success("s", NOON + 31, **ANN_AT_HOME)]
    ),
    "stopped where nobody is known": all_are(
        None, [Signin("f", NOON, user="ann", **STOPPED), success("s", 0, user="bob")]
    ),
    "stopped at a place of the user's": all_are(
        "own place",
        [
            Signin("f", NOON, user="ann", **STOPPED, city="Rome"),
            success("s", 5 * DAY, user="ann", city="Rome"),
        ],
    ),
    "a wrong password at a place of the user's": all_are(
        None,
        [Signin("f", NOON, user="ann", city="Rome"), success("s", 0, user="ann", city="Rome")],
    ),
    "stopped at a place of others": all_are(
        None,
        [
            Signin("f", NOON, user="ann", **STOPPED, city="Rome"),
            success("s", 0, user="bob", city="Rome"),
            success("t", 0, user="ann", city="Oslo"),
        ],
    ),
    "stopped at no place that is known": all_are(
        None, [Signin("f", NOON, user="ann", **STOPPED), success("s", 0, user="ann")]
    ),
    "a name misspelt where people are": all_are(
        "misspelt",
        [Signin("f", NOON, user="anm", prefix="p", **NOBODY), success("s", DAY, prefix="p")],
    ),
    "one name misspelt twice by one": all_are(
        "misspelt",
        [
            *(Signin(f"f{i}", i * DAY, user="anm", prefix="p", **NOBODY) for i in range(2)),
            *friends(1, "p"),
        ],
    ),
    "two names misspelt by two": all_are(
        "misspelt",
        [
            *(Signin(f"f{i}", i * DAY, user=f"anm{i}", prefix="p", **NOBODY) for i in range(2)),
            *friends(2, "p"),
        ],
    ),
    "more names than people": all_are(
        None,
        [
            *(Signin(f"f{i}", i * DAY, user=f"anm{i}", prefix="p", **NOBODY) for i in range(2)),
            # However often one person succeeds.
            *(success(f"s{i}", i * DAY, user="ann", prefix="p") for i in range(3)),
            # Elsewhere there are people.
            *friends(2, "q"),
        ],
    ),
    "an account that exists is no name of a list": (
        [
            Signin("f", NOON, user="anm", prefix="p", **NOBODY),
            Signin("g", NOON + DAY, user="bob", prefix="p"),
            *friends(1, "p"),
        ],
        {"f": "misspelt", "g": None},
    ),
    "three of six kept out": all_are(
        "kept out",
        [
            *(Signin(f"s{i}", i * DAY, user=f"s{i}", prefix="p", **STOPPED) for i in range(3)),
            *(Signin(f"f{i}", i * DAY + HOUR, user=f"f{i}", prefix="p") for i in range(3)),
        ],
    ),
    "three of seven kept out": all_are(
        None,
        [
            *(Signin(f"s{i}", i * DAY, user=f"s{i}", prefix="p", **STOPPED) for i in range(3)),
            *(Signin(f"f{i}", i * DAY + HOUR, user=f"f{i}", prefix="p") for i in range(4)),
        ],
    ),
    "two of two kept out": all_are(
        None, [Signin(f"s{i}", i * DAY, user=f"s{i}", prefix="p", **STOPPED) for i in range(2)]
    ),
    "a name of a list": all_are(None, [Signin("f", NOON, user="anm", prefix="p", **NOBODY)]),
    "an account locked where people are": all_are(
        None, [Signin("f", NOON, user="ann", prefix="p", **LOCKED), success("s", DAY, prefix="p")]
    ),
    "prompts make no account busy": (
        [
            *(Signin(f"f{i}", i * 2 * HOUR, user="ann") for i in range(5)),
            *(Signin(f"p{i}", (i * 2 + 1) * HOUR, user="ann", **STOPPED) for i in range(5)),
        ],
        {f"{kind}{i}": None for kind in "fp" for i in range(5)},
    ),
    "but for themselves": all_are(
        "busy account", [Signin(f"p{i}", i * 2 * HOUR, user="ann", **STOPPED) for i in range(6)]
    ),
    "locked while trying": all_are(
        "busy account",
        [
            *(Signin(f"f{i}", i * 2 * HOUR, user="ann") for i in range(3)),
            *(Signin(f"l{i}", (i * 2 + 1) * HOUR, user="ann", **LOCKED) for i in range(3)),
        ],
    ),
    "a wrong password, then a prompt": all_are(
        None,
        [
            Signin("wrong", NOON, user="ann", prefix="p"),
            Signin("right", NOON + 1, user="ann", prefix="p", **STOPPED),
        ],
    ),
    "prompts that are answered do not share an address": (
        [
            *(
                Signin(f"p{i}", i * DAY, user=f"u{i}", network="home", **A, **STOPPED)
                for i in range(20)
            ),
            *(success(f"s{i}", i * DAY + 1, user=f"u{i}", network="home") for i in range(20)),
            Signin("spray", 9 * DAY, **A),
        ],
        {**{f"p{i}": "interrupted" for i in range(20)}, "spray": None},
    ),
    "nor are they a service's tries": (
        [
            *(
                Signin(f"p{i}", i * DAY, user="ann", network="home", **A, **STOPPED)
                for i in range(20)
            ),
            *(success(f"s{i}", i * DAY + 1, user="ann", network="home") for i in range(20)),
            Signin("spray", 9 * DAY, **A),
        ],
        {**{f"p{i}": "interrupted" for i in range(20)}, "spray": None},
    ),
    "those that are not do": all_are("few accounts", by_turns(4, 1, 2 * DAY, **A, **STOPPED)),
}

# One account, address and prefix, five minutes apart: any later rule would match, too.
BURST: dict[str, Any] = {**ANN_AT_HOME, "address": "a", "prefix": "p"}
PRECEDENCE: dict[str, Scenario] = {
    "resolved before all": all_are(
        "resolved",
        [
            *failures(12, 2 * MINUTE, **BURST),
            success("s", 23, **BURST),
        ],
    ),
    "busy account before the rest": all_are(
        "busy account", [*failures(12, 5, **BURST), success("s", 9 * DAY, **BURST)]
    ),
    "office before own network": all_are(
        "office",
        [*failures(11, DAY, **ANN_AT_HOME, prefix="p"), success("s", 20 * DAY, **BURST)],
    ),
    "own network before a crowd": all_are(
        "own network",
        [
            signin
            for i in range(40)
            for signin in (
                Signin(str(i), i, user=f"user {i}", network="home", prefix=f"p{i}"),
                success(f"s{i}", 2 * DAY, user=f"user {i}", network="home", prefix=f"p{i}"),
            )
        ],
    ),
}

SCENARIOS = {
    f"{rule}: {name}": scenario
    for rule, scenarios in {
        "resolved": RESOLVED,
        "busy": BUSY,
        "again": AGAIN,
        "sources": SOURCES,
        "office": OFFICE,
        "burst": LOUD,
        "service": SERVICE,
        "few accounts": FEW_ACCOUNTS,
        "own device": OWN_DEVICE,
        "own network": OWN_NETWORK,
        "no source": NO_SOURCE,
        "outcomes": OUTCOMES,
        "precedence": PRECEDENCE,
    }.items()
    for name, scenario in scenarios.items()
}


def explain(
    engine: Engine, scenarios: dict[str, list[Signin]], window_days: int
) -> dict[str, dict[str, str | None]]:
    """Per scenario, each failure's explanation; every scenario has a month of its own."""
    rows = [
        signin.row(name, timedelta(days=30 * number))
        for number, (name, signins) in enumerate(scenarios.items())
        for signin in signins
    ]
    # The order of rows does not matter.
    rows = rows[1::2] + rows[::2]
    explained = explain_rows(engine, rows, window_days)
    found: dict[str, dict[str, str | None]] = {name: {} for name in scenarios}
    for row in explained:
        name, _, id = row["signin_id"].rpartition(": ")
        assert id not in found[name], "a sign-in came out twice"
        found[name][id] = row["explanation"]
    return found


def test_explanations(engine: Engine) -> None:
    """All scenarios, from one run over a window of sixty days."""
    explained = explain(engine, {name: signins for name, (signins, _) in SCENARIOS.items()}, 60)
    assert explained == {name: expected for name, (_, expected) in SCENARIOS.items()}


@pytest.mark.parametrize(
    ("window_days", "explanation"),
    [(1, "burst"), (65, "burst"), (66, None), (240, None)],
)
def test_a_longer_window_may_see_a_prefix_more_often(
    engine: Engine, window_days: int, explanation: str | None
) -> None:
    found = explain(engine, {"window": failures(11, 1, prefix="p")}, window_days)
    assert set(found["window"].values()) == {explanation}


def crowd(number: int, **values: Any) -> list[Signin]:
    """So many within an hour of the clock, first and last second included."""
    return failures(number, (HOUR - SECOND) / max(number - 1, 1), **values)


# In a window of 240 days, all of these are usually 0.03 an hour: more than 25 are a crowd.
CROWDS = {
    "25": (crowd(25), 0),
    "26": (crowd(26), 26),
    # Explained failures do not crowd an hour.
    "explained": ([*crowd(25), *failures(6, 0, user="ann")], 0),
    "no source": ([*crowd(25), *failures(6, 0, prefix=None)], 0),
    # An hour of one day is not the same hour of another day.
    "days": (failures(30, DAY), 0),
}
# These depend on what else the window holds: each is a window of its own.
# 25 in one hour of the clock and one in the next: the day is crowded.
OVER_THE_HOUR = {"over the hour": (failures(26, HOUR / 25), 26)}
# Explained failures do not raise the limit.
LIMIT = {"limit": ([*crowd(26), *failures(60, MINUTE / 2, user="ann")], 26)}


@pytest.mark.parametrize(
    ("crowds", "window_days"),
    [(CROWDS, 240), (OVER_THE_HOUR, 240), (LIMIT, 1)],
    ids=["crowds", "over the hour", "limit"],
)
def test_failures_of_crowded_hours(
    engine: Engine, crowds: dict[str, tuple[list[Signin], int]], window_days: int
) -> None:
    unique = {
        name: [replace(signin, id=f"{number}") for number, signin in enumerate(signins)]
        for name, (signins, _) in crowds.items()
    }
    explained = explain(engine, unique, window_days)
    for name, (signins, crowded) in crowds.items():
        explanations = [*explained[name].values()]
        assert (name, explanations.count("crowded hour")) == (name, crowded)
        assert explanations.count("busy account") == sum(s.user == "ann" for s in signins)


# At noon of each of five days, and of eight Sundays (1970 began with a Thursday).
NOONS = [24 * day + 12 for day in range(5)]
SUNDAYS = [24 * (7 * week + 3) for week in range(8)]
# Ten suspects a day on four days: more than 25 + 4 * 10 within 24 hours are a burst.
TENS = dict.fromkeys(NOONS[:4], 10)


@pytest.mark.parametrize(
    ("suspects", "window_days", "crowded"),
    [
        ({}, 240, []),
        # Usual are 130 / 5,760 an hour: more than 25 + 8 times that.
        (dict.fromkeys(NOONS, 25), 240, []),
        (dict.fromkeys(NOONS, 26), 240, NOONS),
        # n on each of four days are usually n / 24 an hour: n > 25 + n / 3 from 38 on.
        (dict.fromkeys(NOONS[:4], 37), 4, []),
        (dict.fromkeys(NOONS[:4], 38), 4, NOONS[:4]),
        # 22 + 22 + 21 and 22 + 22 + 22, on the tenth day.
        (TENS | {260: 22, 261: 22, 262: 21}, 240, []),
        (TENS | {260: 22, 261: 22, 262: 22}, 240, [260, 261, 262]),
        # 66 on both sides of midnight.
        (TENS | dict.fromkeys(range(261, 267), 11), 240, [*range(261, 267)]),
        # The 24 hours around an hour begin 12 hours before it, and end 12 hours after it began.
        (TENS | {248: 22, 260: 22, 271: 22}, 240, [260]),
        (TENS | {248: 22, 260: 22, 272: 22}, 240, []),
        # On two days it is a burst, on three days a campaign.
        ({hour + i: 13 for hour in NOONS[:2] for i in (0, 1)}, 240, [12, 13, 36, 37]),
        ({hour + i: 13 for hour in NOONS[:3] for i in (0, 1)}, 240, []),
        # A spray of 100 attempts each Sunday, and a stray at noon of other days.
        (
            dict.fromkeys(NOONS[:3], 1) | {hour + i: 10 for hour in SUNDAYS for i in range(10)},
            60,
            [],
        ),
    ],
    ids=[
        "no suspect",
        "25",
        "26",
        "37 of few hours",
        "38 of few hours",
        "65 on a day",
        "66 on a day",
        "over midnight",
        "within 24 hours",
        "within 25 hours",
        "two days",
        "three days",
        "Sundays",
    ],
)
def test_crowded_hours(suspects: dict[int, int], window_days: int, crowded: list[int]) -> None:
    assert crowded_hours(suspects, window_days) == crowded
    backwards = dict(reversed(suspects.items()))
    assert sorted(crowded_hours(backwards, window_days)) == crowded


def test_a_row_that_the_next_day_has_once_more_is_one_attempt(engine: Engine) -> None:
    """Exports repeat rows; across midnight, a repeated row is not a second attempt."""
    row = Signin("f", DAY - 2, user="ann", prefix="p").row("x", timedelta(0))
    again = (START.date() + timedelta(days=1), *row[1:])
    found = explain_rows(engine, [again, row], 60)
    assert [(row["date"], row["explanation"]) for row in found] == [(START.date(), None)]


def test_failures_are_summed_by_source(engine: Engine) -> None:
    """Calculated manually: one row per day, user, address and explanation, with its span."""
    rows = [
        (START.date(), "ann", "50126", "p", "a", None, START + timedelta(seconds=0.7)),
        (START.date(), "ann", "50034", "p", "a", None, START + timedelta(seconds=9.1)),
        (START.date(), "ann", "50126", "p", "a", "resolved", START),
        (START.date(), "ann", "50126", "p", "b", None, START),
        (
            START.date() + timedelta(days=1),
            "ann",
            "50126",
            "p",
            "a",
            None,
            START + timedelta(days=1),
        ),
        (START.date(), "bob", "50034", None, None, "no source", START),
    ]
    found = sum_failures(relation(engine, EXPLAINED, rows)).rows()
    assert {
        (
            *(row["date"].day, row["user"], row["ip_address"], row["explanation"]),
            *(row["failures"], row["invented"], row["first_failure"], row["seconds"]),
        )
        for row in found
    } == {
        (1, "ann", "a", None, 2, 1, START, 9),
        (1, "ann", "a", "resolved", 1, 0, START, 0),
        (1, "ann", "b", None, 1, 0, START, 0),
        (2, "ann", "a", None, 1, 0, START + timedelta(days=1), 0),
        (1, "bob", None, "no source", 1, 1, START, 0),
    }


@pytest.mark.parametrize(
    "signins",
    [[], [success("s", 0), Signin("o", 0, outcome="other")]],
    ids=["nothing", "successes and others"],
)
def test_without_failures_there_is_nothing_to_explain(
    engine: Engine, signins: list[Signin]
) -> None:
    rows = [signin.row("x", timedelta(0)) for signin in signins]
    assert explain_rows(engine, rows, 60) == []
    assert describe_groups(relation(engine, FAILURE_SOURCES.schema)) == []


Line = tuple[str | None, str, str | None, str | None, float]


def groups(engine: Engine, lines: Sequence[Line]) -> list[ExplainedGroup]:
    """The groups of explained failures given as (explanation, user, address, prefix, minute)."""
    rows = []
    for explanation, user, address, prefix, minute in lines:
        time = START + timedelta(minutes=minute)
        rows.append((time.date(), user, "50126", prefix, address, explanation, time))
    return describe_groups(sum_failures(relation(engine, EXPLAINED, rows)))


def test_groups_as_calculated_manually(engine: Engine) -> None:
    found = groups(
        engine,
        [
            # Ann's phone, every half hour from one address; Bob's, every 4 hours from two.
            *(("busy account", "ann", "a", "p", 30.0 * i) for i in range(7)),
            *(("busy account", "bob", f"b{i % 2}", "p", 240.0 * i) for i in range(6)),
            # A connector: 3 days between the first of four and the last.
            *(("service", f"u{i}", "c", "q", DAY * i) for i in range(4)),
            # 12 seconds apart.
            *(("crowded hour", f"v{i}", f"d{i}", f"q{i}", 60 + i / 5) for i in range(6)),
            ("resolved", "ann", "a", "p", 0),
            ("resolved", "bob", "a", "p", 9),
            # Given up twice in a minute, and again on the next day.
            *(("own network", "ann", "a", "p", minute) for minute in (9, 10, DAY)),
            ("no source", "ann", None, None, 9),
            (None, "ann", "a", "p", 9),
        ],
    )
    assert [
        (g.explanation, g.failures, g.users, g.addresses, g.source_days, g.example, g.minutes_apart)
        for g in found
    ] == [
        ("resolved", 2, 2, 1, 2, None, None),
        ("no source", 1, 1, 0, 1, None, None),
        ("busy account", 13, 2, 3, 3, None, None),
        ("busy account", 7, 1, 1, 1, "ann", 30.0),
        ("busy account", 6, 1, 2, 2, "bob", 240.0),
        ("service", 4, 4, 1, 4, None, None),
        ("service", 4, 4, 1, 4, "q", DAY),
        ("own network", 3, 1, 1, 2, None, None),
        ("crowded hour", 6, 6, 6, 6, None, None),
        ("crowded hour", 6, 6, 6, 6, "2026-06-01 01", 0.2),
    ]
    reasons = {g.example: g.reason for g in found if g.example}
    assert reasons == {
        "ann": "one account, one address, every 30 minutes: "
        "many that day, by a device or service with an old password, or by somebody who forgot it "
        "or is kept out",
        "bob": "one account, 2 addresses, every 4 hours: "
        "many that day, by a device or service with an old password, or by somebody who forgot it "
        "or is kept out",
        "q": "4 accounts, one address, every 24 hours: a connector or a device with old passwords",
        "2026-06-01 01": "6 accounts, 6 addresses, every 12 seconds: a burst",
    }
    for group in found:
        if not group.example:
            assert group.reason == EXPLANATIONS[group.explanation]


def test_one_failure_of_a_group_in_words(engine: Engine) -> None:
    """An account fails once at home, and once more at a source than its days explain."""
    lines: list[Line] = [("own device", "ann", "a", "p", 0), ("service", "bob", "b", "q", 0)]
    reasons = {group.example: group.reason for group in groups(engine, lines) if group.example}
    assert reasons["ann"].startswith("one account, one address, once: ")
    assert reasons["q"].startswith(
        "one account, one address, one failure that its day does not explain: "
    )


@pytest.mark.parametrize(
    ("minutes", "words"),
    [
        (1.5, "90 seconds"),
        (2, "2 minutes"),
        (119, "119 minutes"),
        (120, "2 hours"),
        (4_320, "3 days"),
    ],
)
def test_time_apart_in_words(engine: Engine, minutes: float, words: str) -> None:
    lines: list[Line] = [("busy account", "ann", "a", "p", minutes * i) for i in range(3)]
    assert f", every {words}: " in groups(engine, lines)[-1].reason


def test_one_failure_does_not_come_every_0_seconds(engine: Engine) -> None:
    """All but one of a source's failures may have another explanation."""
    [_, single] = groups(engine, [("office", "ann", "a", "p", 0)])
    assert (single.failures, single.example) == (1, "p")
    assert "every 0 seconds" not in single.reason


def test_examples_are_the_largest_and_few(engine: Engine) -> None:
    sizes = {f"user {i:02}": 6 + i % 4 for i in range(20)}
    lines: list[Line] = [
        ("busy account", user, "a", "p", i) for user, size in sizes.items() for i in range(size)
    ]
    total, *examples = groups(engine, lines)
    assert (total.failures, total.users) == (sum(sizes.values()), 20)
    # The largest first; equal ones by name.
    expected = sorted(sizes, key=lambda user: (-sizes[user], user))[:MAX_EXAMPLES]
    assert [group.example for group in examples] == expected
