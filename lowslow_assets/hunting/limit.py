"""The detection limit: which sprays of falling rate would be found in this very window.

Synthetic attempts are put among the tenant's own sign-ins and take the way of every failure. A
spray at a lower rate is a part of one at the highest rate, so what explains an attempt is asked
once. Categories are judged by the whole window, also for a hunt as of an earlier day.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import numpy as np
import pyarrow as pa

from lowslow_assets.detection.members import Population, Suspects
from lowslow_assets.detection.patterns import MODEL_PROPERTIES
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import extended, schema
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.hunting.judge import fit_patterns, judge_suspects
from lowslow_assets.hunting.settings import HuntSettings
from lowslow_assets.lake.tables import ENCODED_FEATURES, FAILURE
from lowslow_assets.signins.outcomes import WRONG_PASSWORD

RATES = (16, 8, 4, 2, 1)
"""Attempts a day; each divides the first."""
KINDS = {
    "made-up clients": (
        *("AppDisplayName", "browser", "operatingSystem"),
        *("network", "Location", "state", "city"),
    ),
    "common clients, anywhere": ("network", "Location", "state", "city"),
    "common clients, in your cities": (),
}
"""By name the features that such a spray makes up; the others are those of the tenant's successes,
each attempt's from the next one. Every attempt has a fresh address."""
SYNTHETIC = extended(ENCODED_FEATURES.dated, "kind string, number bigint")
"""The columns of a synthetic attempt; ``number`` is its place in its spray."""

_STEP_DAYS = 5


@dataclass(frozen=True)
class Limit:
    """One synthetic spray; the fields are the columns of the table ``detection_limit``."""

    kind: str
    attempts_per_day: int
    found_after_days: int | None


@transform(schema("user string"), signins=schema("user string"))
def draw_accounts(signins: Relation, number: int) -> Relation:
    """So many of the accounts, or all of them, in an order that depends on nothing but names."""
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
    """Failures of one spray of each kind at the highest rate, at random times in so many days.

    ``models`` are rows of ``success_sample``: an attempt has what it does not make up from the next
    of them. It tries the next of ``accounts``. Without either there is no attempt. The columns are
    those of SYNTHETIC.
    """
    attempts = RATES[0] * days if models and accounts else 0
    midnight = datetime.combine(first_day, time(), UTC)
    rows = []
    for place, (kind, made_up) in enumerate(KINDS.items()):
        # At random: an attacker who keeps a steadier pace is found sooner.
        moments = np.random.default_rng(place).uniform(0, days, attempts)
        for number, moment in enumerate(moments.tolist()):
            at = midnight + timedelta(days=moment)
            # From the range set aside for documentation: nobody signs in from there.
            network = f"2001:db8:{(number * len(KINDS) + place) % 65_536:x}"
            rows.append(
                {
                    **models[number % len(models)],
                    **dict.fromkeys(made_up, f"made up {number}"),
                    "signin_id": f"synthetic {kind} {number}",
                    "time_generated": at,
                    "user": accounts[(number + place * attempts) % len(accounts)],
                    "outcome": FAILURE,
                    "result_type": WRONG_PASSWORD,
                    "ip_address": f"{network}::7",
                    "ip_prefix": f"{network}::/48",
                    "date": at.date(),
                    "kind": kind,
                    "number": number,
                }
            )
    return pa.Table.from_pylist(rows, SYNTHETIC)


@transform(ENCODED_FEATURES.dated, signins=ENCODED_FEATURES.dated, attempts=ENCODED_FEATURES.dated)
def failures_and_attempts(signins: Relation, attempts: Relation) -> Relation:
    """The attempts among the sign-ins, and synthetic ones."""
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

    ``rows`` are those of ``suspect_failures`` with ``number``: the tenant's own, where that is
    null, and the spray's at the highest rate.
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


def in_words(limits: Sequence[Limit]) -> list[str]:
    """A sentence a kind: from which rate on it is found, and after how long."""
    sentences = []
    for kind in KINDS:
        found = {
            limit.attempts_per_day: limit.found_after_days
            for limit in limits
            if limit.kind == kind and limit.found_after_days is not None
        }
        if found:
            least = min(found)
            plural = "" if least == 1 else "s"
            sentences.append(
                f"A spray with {kind} is found from {least} attempt{plural} a day on, after "
                f"{found[least]} days."
            )
        else:
            sentences.append(f"A spray with {kind} is not found up to {RATES[0]} attempts a day.")
    return sentences
