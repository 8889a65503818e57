"""Who a tenant's people are: what strays are spread over, and how many of them people make."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from lowslow_assets.detection.user_prefixes import user_prefixes
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import sql, transform
from lowslow_assets.lake.tables import NODATA, SUCCESS_SOURCES


@dataclass(frozen=True)
class KnownAccount:
    """An account that succeeds: with which operating systems, and from which day to which."""

    systems: frozenset[str]
    first_day: date
    last_day: date


@dataclass(frozen=True)
class Population:
    """Over what strays are spread, and how many of them honest people make.

    accounts: number of accounts of the tenant. days: number of days of the window.
    honest_strays_a_day: failures to be expected from sources and on devices new to their user.
    by_system: the same by the family of the operating system that they show (see
    ``system_family``); a person who has two from the same source may fail with either.
    successes: by hour of the calendar (UTC): when people are at work.
    known: the accounts that are suspect and succeed.
    """

    accounts: int
    days: int
    honest_strays_a_day: float = 0.0
    by_system: Mapping[str, float] = field(default_factory=dict)
    successes: Mapping[datetime, int] = field(default_factory=dict)
    known: Mapping[str, KnownAccount] = field(default_factory=dict)


# People mistype more often away from their usual networks and devices.
AWAY_FACTOR = 3


def population_of(
    success_sources: Relation,
    suspects: Relation,
    explained: Iterable[Mapping[str, Any]],
    successes: Mapping[datetime, int],
    days: int,
) -> Population:
    """The population of a window of ``days`` days, from the window's own log.

    ``explained`` are rows of ``explained_failures``; ``successes`` are counted by hour. How often
    people give up is measured on their own networks and devices: failures there that no success
    follows, per source-day. Of the source-days that are as new to their user as a suspect's, the
    same share times AWAY_FACTOR is expected to be given up.
    """
    pairs = source_days(success_sources).held()
    [counted] = count_population(pairs, success_sources, suspects).rows()
    known = dict[str, KnownAccount]()
    for row in known_suspects(success_sources, suspects).rows():
        user, system, first, last = (row[name] for name in KNOWN_SUSPECTS.names)
        before = known.get(user, KnownAccount(frozenset(), first, last))
        known[user] = KnownAccount(
            before.systems | {system} - {NODATA},
            min(first, before.first_day),
            max(last, before.last_day),
        )
    given_up = sum(
        row["source_days"]
        for row in explained
        if row["explanation"] in ("own network", "own device") and row["example"] is None
    )
    a_day = AWAY_FACTOR * given_up / max(counted["source_days"], 1) / days
    by_system = Counter[str]()
    for row in count_new_sources(pairs).rows():
        by_system[system_family(row["operatingSystem"])] += row["new_source_days"]
    return Population(
        accounts=counted["accounts"],
        days=days,
        honest_strays_a_day=a_day * counted["new_source_days"],
        by_system={family: a_day * number for family, number in sorted(by_system.items())},
        successes=successes,
        known=known,
    )


def system_family(name: str | None) -> str:
    """An operating system without its version: people change versions all the time.

    A missing one is a family of its own.
    """
    return (name or NODATA).rstrip("0123456789. ")


KNOWN_SUSPECTS = schema("user string, operatingSystem string, first_day date, last_day date")


@transform(
    KNOWN_SUSPECTS,
    success_sources=SUCCESS_SOURCES.dated,
    suspects=schema("user string"),
)
def known_suspects(success_sources: Relation, suspects: Relation) -> Relation:
    """With which operating systems the accounts that are suspect succeed, and on which days."""
    return sql(
        """
        SELECT
            _of_success."user",
            _of_success.operatingSystem,
            min(_of_success.date) AS first_day,
            max(_of_success.date) AS last_day
        FROM {success_sources} AS _of_success
        JOIN (SELECT DISTINCT "user" FROM {suspects}) AS _suspects
            ON _suspects."user" = _of_success."user"
        GROUP BY _of_success."user", _of_success.operatingSystem
        """,
        success_sources=success_sources,
        suspects=suspects,
    )


SOURCE_DAYS = schema("operatingSystem string, last_system string, days bigint, new boolean")


@transform(SOURCE_DAYS, success_sources=SUCCESS_SOURCES.dated)
def source_days(success_sources: Relation) -> Relation:
    """On how many days each user succeeds from each prefix, and with which systems.

    A prefix is new if it would leave a failure of the user unexplained. Apart from this prefix, the
    user succeeds neither from the network nor with the operating system from the place; or nobody
    else succeeds from the prefix.
    """
    return sql(
        """
        WITH _known AS (
            SELECT
                operatingSystem,
                last_system,
                days,
                count(*) OVER (PARTITION BY "user", network) AS of_network,
                count(*) OVER (PARTITION BY ip_prefix) AS of_prefix,
                CASE WHEN city = {unknown} OR operatingSystem = {unknown} THEN 1 ELSE
                    count(*) OVER (PARTITION BY "user", Location, state, city, operatingSystem)
                END AS of_device
            FROM {prefixes}
            WHERE ip_prefix IS NOT NULL
        )
        SELECT
            operatingSystem,
            last_system,
            days,
            of_device = 1 AND (of_network = 1 OR of_prefix = 1) AS new
        FROM _known
        """,
        prefixes=user_prefixes(success_sources),
        unknown=NODATA,
    )


@transform(
    schema("accounts bigint, source_days bigint, new_source_days bigint"),
    pairs=SOURCE_DAYS,
    success_sources=SUCCESS_SOURCES.dated,
    suspects=schema("user string"),
)
def count_population(pairs: Relation, success_sources: Relation, suspects: Relation) -> Relation:
    """Accounts that succeed or are suspect, their source-days, and the new ones, in one row.

    A source-day is a day on which a user succeeds from a prefix. ``pairs`` are ``source_days``. A
    new prefix is new on its first day.
    """
    return sql(
        """
        WITH _days AS (
            SELECT
                CAST(sum(days) AS BIGINT) AS source_days,
                count(CASE WHEN new THEN 1 END) AS new_source_days
            FROM {pairs}
        ),
        _accounts AS (
            SELECT count(DISTINCT "user") AS accounts
            FROM (
                SELECT "user" FROM {prefixes} UNION ALL SELECT "user" FROM {suspects}
            ) AS _users
        )
        SELECT
            _accounts.accounts,
            coalesce(_days.source_days, 0) AS source_days,
            _days.new_source_days
        FROM _accounts
        CROSS JOIN _days
        """,
        pairs=pairs,
        prefixes=user_prefixes(success_sources),
        suspects=suspects,
    )


@transform(schema("operatingSystem string, new_source_days bigint"), pairs=SOURCE_DAYS)
def count_new_sources(pairs: Relation) -> Relation:
    """The new source-days with each operating system; with two systems, one is a day of either."""
    return sql(
        """
        SELECT operatingSystem, count(*) AS new_source_days
        FROM (
            SELECT operatingSystem FROM {pairs} WHERE new
            UNION ALL
            SELECT last_system AS operatingSystem
            FROM {pairs}
            WHERE new AND last_system <> operatingSystem
        ) AS _systems
        GROUP BY operatingSystem
        """,
        pairs=pairs,
    )
