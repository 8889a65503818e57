"""The detection limit: down to which rate a spray would be found in this window.

Synthetic attempts are added to the tenant's own sign-ins and are processed as every failure is. A
spray at a lower rate is a part of the spray at the highest rate, so the attempts are explained only
once. Categories are judged by the whole window, also for a hunt as of an earlier day. Stopped
sign-ins with a right password are added too, to measure how many of these passwords would be named.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from lowslow_assets.detection.gathering import tools_of_campaigns
from lowslow_assets.detection.members import Suspects
from lowslow_assets.detection.patterns import MODEL_PROPERTIES
from lowslow_assets.detection.population import Population
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import extended, schema, without
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.hunting.entries import find_entries
from lowslow_assets.hunting.hunt import Hunt
from lowslow_assets.hunting.judge import fit_patterns, judge_suspects
from lowslow_assets.hunting.settings import HuntSettings
from lowslow_assets.lake.tables import CLUSTER_MEMBERS, ENCODED_FEATURES, FAILURE, STOPPED
from lowslow_assets.signins.outcomes import SECOND_FACTOR, WRONG_PASSWORD

RATES = (16, 8, 4, 2, 1)
"""Attempts per day; each rate divides the first."""
STOPPED_PASSWORDS = 10
"""Number of right passwords of each spray."""


@dataclass(frozen=True)
class Kind:
    """How the attempts of a synthetic spray look.

    ``invented`` are the features that the spray invents. Each attempt takes its other features from
    the next of the tenant's successes. ``prefixes`` is the number of prefixes that the spray uses;
    each has ``addresses`` addresses and its own value of each invented feature. None means that
    every attempt has its own prefix.
    """

    invented: tuple[str, ...] = ()
    prefixes: int | None = None
    addresses: int = 1


_ELSEWHERE = ("network", "Location", "state", "city")
KINDS = {
    "invented clients": Kind(("AppDisplayName", "browser", "operatingSystem", *_ELSEWHERE)),
    "common clients, anywhere": Kind(_ELSEWHERE),
    "common clients, in your cities": Kind(),
    "common clients, from 40 rented servers": Kind(_ELSEWHERE, 8, 5),
    "common clients, from one server": Kind(_ELSEWHERE, 1),
    "common clients, from 300 gateways of a cloud": Kind(_ELSEWHERE, 20, 15),
}
"""The kinds of sprays. A kind without ``prefixes`` uses a new address for each attempt."""
SYNTHETIC = extended(ENCODED_FEATURES.dated, "kind string, number bigint")
"""The columns of a synthetic attempt; ``number`` is its position in the spray, null if stopped."""

_STEP_DAYS = 5


@dataclass(frozen=True)
class Limit:
    """One synthetic spray; the fields are the columns of the table ``detection_limit``."""

    kind: str
    attempts_per_day: int
    found_after_days: int | None
    known_passwords: float | None = None


@transform(schema("user string"), signins=schema("user string"))
def draw_accounts(signins: Relation, number: int) -> Relation:
    """At most ``number`` accounts, in an order that depends only on their names."""
    return sql(
        """
        WITH _accounts AS (
            SELECT "user", text_hash("user") AS hash
            FROM {signins}
            GROUP BY "user"
        )
        SELECT "user"
        FROM _accounts
        ORDER BY hash NULLS FIRST, "user" NULLS FIRST
        LIMIT {number}
        """,
        signins=signins,
        number=number,
    )


def synthetic_attempts(
    models: Sequence[Mapping[str, Any]], accounts: Sequence[str], first_day: date, days: int
) -> pa.Table:
    """Attempts of one spray of each kind at the highest rate, at random times of the given days.

    The attempts fail; STOPPED_PASSWORDS further ones of each spray are stopped. ``models`` are rows
    of ``success_sample``: an attempt takes the features that it does not invent from the next
    model. It tries the next of ``accounts``. Without models or without accounts there is no
    attempt. The columns are those of SYNTHETIC.
    """
    failures = RATES[0] * days
    attempts = failures + STOPPED_PASSWORDS if models and accounts else 0
    midnight = datetime.combine(first_day, time(), UTC)
    rows = []
    for place, (name, kind) in enumerate(KINDS.items()):
        # Times are random, because an attacker with a steadier pace is found sooner.
        rng = np.random.default_rng(place)
        moments = rng.uniform(0, days, attempts).tolist()
        prefixes = rng.integers(kind.prefixes or 1, size=attempts).tolist()
        addresses = rng.integers(kind.addresses, size=attempts).tolist()
        for number, moment in enumerate(moments):
            at = midnight + timedelta(days=moment)
            prefix = number if kind.prefixes is None else prefixes[number]
            # From the range that is reserved for documentation, from which nobody signs in.
            network = f"2001:db8:{(prefix * len(KINDS) + place) % 65_536:x}"
            stopped = number >= failures
            rows.append(
                {
                    **models[number % len(models)],
                    **dict.fromkeys(kind.invented, f"invented {prefix}"),
                    "signin_id": f"synthetic {name} {number}",
                    "time_generated": at,
                    "user": accounts[(number + place * attempts) % len(accounts)],
                    "outcome": STOPPED if stopped else FAILURE,
                    "result_type": SECOND_FACTOR if stopped else WRONG_PASSWORD,
                    "ip_address": f"{network}::{7 + addresses[number]:x}",
                    "ip_prefix": f"{network}::/48",
                    "date": at.date(),
                    "kind": name,
                    "number": None if stopped else number,
                }
            )
    return pa.Table.from_pylist(rows, SYNTHETIC)


@transform(ENCODED_FEATURES.dated, signins=ENCODED_FEATURES.dated, attempts=ENCODED_FEATURES.dated)
def failures_and_attempts(signins: Relation, attempts: Relation) -> Relation:
    """The attempts among the sign-ins, and the synthetic ones."""
    return sql(
        """
        SELECT {columns} FROM {signins} WHERE outcome NOT IN ('success', 'other')
        UNION ALL
        SELECT {columns} FROM {attempts}
        """,
        columns=Columns(ENCODED_FEATURES.dated),
        signins=signins,
        attempts=attempts,
    )


def find_limits(
    kind: str,
    rows: pa.Table,
    population: Population,
    settings: HuntSettings,
) -> Iterator[Limit]:
    """The limit of one kind of spray, per rate.

    ``rows`` are rows of ``suspect_failures`` with ``number``, which is null for the tenant's own
    attempts. The others are those of the spray at the highest rate.
    """
    suspects = Suspects.of(rows)
    number = rows.column("number").fill_null(-1).to_numpy()
    day = suspects.day.astype(int)
    day -= min(day.tolist(), default=0)
    for rate in RATES:
        part = (number < 0) | (number % (RATES[0] // rate) == 0)
        found = None
        for days in range(_STEP_DAYS, population.days + 1, _STEP_DAYS):
            until = part & (day < days)
            if _finds(
                suspects.at(until),
                number[until] >= 0,
                replace(population, days=days),
                settings,
            ):
                found = days
                break
        yield Limit(kind, rate, found)


def _finds(
    suspects: Suspects,
    planted: np.ndarray,
    population: Population,
    settings: HuntSettings,
) -> bool:
    """Whether one candidate holds at least half of the planted attempts."""
    if not planted.any():
        return False
    fit, _ = fit_patterns(Counter(suspects.pattern.tolist()), len(MODEL_PROPERTIES), settings)
    clusters, members = judge_suspects(suspects, fit, population, settings)
    return any(
        2 * planted[members.of([cluster.cluster_id]).position].sum() >= planted.sum()
        for cluster in clusters
        if cluster.kept
    )


def with_known_passwords(
    limits: Sequence[Limit], attempts: pa.Table, stopped: pa.Table, hunt: Hunt
) -> list[Limit]:
    """The limits of one kind; the lowest rate that is found has its share of known passwords.

    This is the share of the ``stopped`` right passwords that a hunt names. ``attempts`` are the
    unexplained attempts of the spray at the highest rate: rows of SYNTHETIC with ``mask``.
    """
    found = [limit for limit in limits if limit.found_after_days is not None]
    if not found or not stopped.num_rows:
        return list(limits)
    least = min(found, key=lambda limit: limit.attempts_per_day)
    engine = hunt.lake.engine
    members = members_at_rate(engine.from_arrow(attempts), least.attempts_per_day).held()
    columns = Columns(ENCODED_FEATURES.dated)
    signins = sql(
        "SELECT {columns} FROM {signins} UNION ALL SELECT {columns} FROM {stopped}",
        columns=columns,
        signins=hunt.signins(),
        stopped=engine.from_arrow(stopped),
    )
    tools = tools_of_campaigns(members, hunt.window_counts()).held()
    entries = find_entries(members, signins, hunt.sources(), time_of(members), tools, hunt.mask)
    ids = set(stopped["signin_id"].to_pylist())
    named = ids.intersection(row["signin_id"] for row in entries.rows())
    known = replace(least, known_passwords=len(named) / len(ids))
    return [known if limit is least else limit for limit in limits]


@transform(CLUSTER_MEMBERS.schema, attempts=extended(SYNTHETIC, "mask int, pattern int"))
def members_at_rate(attempts: Relation, attempts_per_day: int) -> Relation:
    """The part of a synthetic spray that makes the lower rate, as members of cluster 0."""
    return sql(
        """
        SELECT
            signin_id,
            0 AS cluster_id,
            CAST(1 AS DOUBLE) AS assignment_probability,
            {columns}
        FROM {attempts}
        WHERE number % {every} = 0
        """,
        columns=Columns(_OF_MEMBER),
        attempts=attempts,
        every=RATES[0] // attempts_per_day,
    )


_OF_MEMBER = without(CLUSTER_MEMBERS.schema, "signin_id", "cluster_id", "assignment_probability")


@transform(
    schema("cluster_id int, first_activity timestamp, last_activity timestamp"),
    members=CLUSTER_MEMBERS.schema,
)
def time_of(members: Relation) -> Relation:
    """The first and the last time of each cluster."""
    return sql(
        """
        SELECT
            cluster_id,
            min(time_generated) AS first_activity,
            max(time_generated) AS last_activity
        FROM {members}
        GROUP BY cluster_id
        """,
        members=members,
    )


def in_words(limits: Sequence[Limit]) -> list[str]:
    """One sentence per kind: from which rate on a spray is found, and after how long."""
    sentences = []
    for kind in KINDS:
        found = [x for x in limits if x.kind == kind and x.found_after_days is not None]
        if found:
            least = min(found, key=lambda limit: limit.attempts_per_day)
            rate = f"{least.attempts_per_day} attempt{'' if least.attempts_per_day == 1 else 's'}"
            known = ""
            if least.known_passwords is not None:
                known = (
                    f"; of the right passwords that something stops, {least.known_passwords:.0%} "
                    "are named"
                )
            sentences.append(
                f"A spray with {kind} is found from {rate} a day on, after "
                f"{least.found_after_days} days{known}."
            )
        else:
            sentences.append(f"A spray with {kind} is not found up to {RATES[0]} attempts a day.")
    return sentences
