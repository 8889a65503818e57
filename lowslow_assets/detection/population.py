"""Who a tenant's people are: what strays are spread over, and how many of them people make."""

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
    honest_strays: failures per day to be expected from sources and on devices new to their user,
    by the operating system that they show.
    successes: by hour of the calendar (UTC): when people are at work.
    known: the accounts that are suspect and succeed.
    """

    accounts: int
    days: int
    honest_strays: Mapping[str, float] = field(default_factory=dict)
    successes: Mapping[datetime, int] = field(default_factory=dict)
    known: Mapping[str, KnownAccount] = field(default_factory=dict)

    @property
    def honest_strays_a_day(self) -> float:
        """Honest strays per day, whatever system they show."""
        return sum(self.honest_strays.values())


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
    [(accounts,)] = (row.values() for row in count_accounts(success_sources, suspects).rows())
    # In a fixed order, because sums in another order differ in their last digits.
    days_with = sorted(
        count_source_days(success_sources).rows(), key=lambda row: row["operatingSystem"]
    )
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
    share = AWAY_FACTOR * given_up / max(sum(row["source_days"] for row in days_with), 1)
    return Population(
        accounts=accounts,
        days=days,
        honest_strays={
            row["operatingSystem"]: share * row["new_source_days"] / days
            for row in days_with
            if share and row["new_source_days"]
        },
        successes=successes,
        known=known,
    )


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


@transform(
    schema("accounts bigint"),
    success_sources=SUCCESS_SOURCES.dated,
    suspects=schema("user string"),
)
def count_accounts(success_sources: Relation, suspects: Relation) -> Relation:
    """How many accounts succeed or are suspect, in one row."""
    return sql(
        """
        SELECT count(DISTINCT "user") AS accounts
        FROM (
            SELECT "user" FROM {prefixes} UNION ALL SELECT "user" FROM {suspects}
        ) AS _users
        """,
        prefixes=user_prefixes(success_sources),
        suspects=suspects,
    )


@transform(
    schema("operatingSystem string, source_days bigint, new_source_days bigint"),
    success_sources=SUCCESS_SOURCES.dated,
)
def count_source_days(success_sources: Relation) -> Relation:
    """Source-days and new source-days: one row per operating system that they show.

    A source-day is a day on which a user succeeds from a prefix. It is new if it is from a prefix
    that would leave a failure of the user unexplained. Apart from this prefix, the user succeeds
    neither from the network nor with the operating system from the place; or nobody else succeeds
    from the prefix.
    """
    return sql(
        """
        WITH _known AS (
            SELECT
                operatingSystem,
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
            CAST(sum(days) AS BIGINT) AS source_days,
            count(*) FILTER (
                WHERE of_device = 1 AND (of_network = 1 OR of_prefix = 1)
            ) AS new_source_days
        FROM _known
        GROUP BY operatingSystem
        """,
        prefixes=user_prefixes(success_sources),
        unknown=NODATA,
    )
