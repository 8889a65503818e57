"""The detection limit: which sprays of falling rate would be found in this very window.

Synthetic attempts are put among the tenant's own sign-ins and take the way of every failure. A
spray at a lower rate is a part of one at the highest rate, so what explains an attempt is asked
once. Categories are judged by the whole window, also for a hunt as of an earlier day.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lowslow_assets.detection.masks import mask_bits
from lowslow_assets.detection.members import Population, campaign_members
from lowslow_assets.detection.mixture import fit_by_births
from lowslow_assets.detection.patterns import PROPERTIES
from lowslow_assets.detection.pruning import PruningRules, assign
from lowslow_assets.detection.spray_tests import spray_tests, strays_a_day
from lowslow_assets.detection.statistics import ClusterSize
from lowslow_assets.signins.features import FAILURE, SUCCESS

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
each attempt's from another one. Every attempt has a fresh address."""

_STEP_DAYS = 5
# A pandas data frame; the type checker cannot follow its columns.
Frame = Any


@dataclass(frozen=True)
class Limit:
    """One synthetic spray; the fields are the columns of the table ``detection_limit``."""

    kind: str
    attempts_per_day: int
    found_after_days: int | None


def synthetic_attempts(signins: DataFrame, first_second: Column, days: int) -> DataFrame:
    """Failures of one spray of each kind at the highest rate, at random times in so many days.

    With the columns of ``signins`` (the window's ``encoded_features``) and ``kind`` and
    ``number``, the attempt's place in its spray. Accounts are tried in turn.
    """
    attempts = RATES[0] * days
    models = (
        signins.where(F.col("outcome") == SUCCESS)
        .orderBy(F.xxhash64("signin_id"), "signin_id")
        .limit(attempts)
        .withColumn("number", _numbered(F.xxhash64("signin_id"), "signin_id"))
        .drop("user")
    )
    users = (
        signins.select("user").distinct().withColumn("turn", _numbered(F.xxhash64("user"), "user"))
    )
    accounts = users.agg(F.count(F.lit(1)).alias("accounts"))
    kinds = F.explode(F.array(*(F.lit(kind) for kind in KINDS)))
    number = F.col("number")
    # At random: an attacker who keeps a steadier pace is found sooner.
    moment = F.pmod(F.xxhash64("number", "kind"), F.lit(1_000_000)) / 1_000_000 * days
    order = F.array_position(F.array(*(F.lit(kind) for kind in KINDS)), F.col("kind"))
    # From the range set aside for documentation: nobody signs in from there.
    prefix = F.format_string("2001:db8:%x::/48", F.pmod(number * len(KINDS) + order, F.lit(65_536)))
    made_up = {
        feature: F.when(
            F.col("kind").isin([kind for kind, made in KINDS.items() if feature in made]),
            F.concat(F.lit("made up "), number),
        ).otherwise(F.col(feature))
        for feature in {feature for made in KINDS.values() for feature in made}
    }
    return (
        models.crossJoin(F.broadcast(accounts))
        .withColumn("kind", kinds)
        .withColumn("turn", F.pmod(number + F.xxhash64("kind") % 1000, F.col("accounts")))
        .join(users, "turn")
        .withColumns(
            {
                "signin_id": F.format_string("synthetic %s %d", "kind", "number"),
                "outcome": F.lit(FAILURE),
                "time_generated": F.timestamp_seconds(first_second + moment * 86_400),
                "ip_prefix": prefix,
                "ip_address": F.regexp_replace(prefix, "/48", "7"),
                **made_up,
            }
        )
        .withColumn("date", F.to_date("time_generated"))
        .drop("turn", "accounts")
    )


def _numbered(*order: Column | str) -> Column:
    return F.row_number().over(Window.orderBy(*order)) - 1


def find_limits(
    suspects: pd.DataFrame, population: Population, resolved_a_day: float, rules: PruningRules
) -> Iterator[Limit]:
    """The limit of one kind, per rate.

    ``suspects`` are the tenant's own (``number`` is null) and a spray's at the highest rate, with
    the columns of ``suspect_failures``, odd_device and kind.
    """
    day = (suspects["time_generated"] - suspects["time_generated"].min().floor("D")).dt.days
    [kind] = suspects["kind"].dropna().unique()
    own = suspects["number"].isna()
    for rate in RATES:
        part = own | (suspects["number"] % (RATES[0] // rate) == 0)
        found = None
        for days in range(_STEP_DAYS, population.days + 1, _STEP_DAYS):
            until = suspects.loc[part & (day < days)].reset_index(drop=True)
            if _finds(until, Population(population.accounts, days), resolved_a_day, rules):
                found = days
                break
        yield Limit(kind, rate, found)


def _finds(
    suspects: pd.DataFrame, population: Population, resolved_a_day: float, rules: PruningRules
) -> bool:
    """Whether one candidate holds at least half of the synthetic attempts."""
    planted = suspects["number"].notna().sum()
    if not planted:
        return False
    patterns, counts = np.unique(suspects["pattern"].to_numpy(), return_counts=True)
    masks = patterns.tolist()
    bits = mask_bits(masks, len(PROPERTIES))
    fit, _ = fit_by_births(bits, counts)
    assigned = {a.mask: a for a in assign(fit, masks, bits, rules)}
    suspects = suspects[suspects["pattern"].isin(assigned)].assign(
        component=lambda s: [assigned[m].cluster_id for m in s["pattern"]],
        assignment_probability=lambda s: [assigned[m].probability for m in s["pattern"]],
    )
    for _, component in suspects.groupby("component"):
        members = campaign_members(
            component, population, len(fit.weights), rules.min_assignment_probability
        )
        for _, cluster in members.groupby("cluster_id"):
            if 2 * cluster["number"].notna().sum() < planted:
                continue
            odd = mask_bits(cluster["pattern"].tolist(), len(PROPERTIES)).mean(axis=0) >= 0.5
            strays = strays_a_day(resolved_a_day, int(odd.sum()))
            return all(test.passed for test in spray_tests(size_of(cluster), strays))
    return False


def size_of(cluster: Frame) -> ClusterSize:
    """What ``statistics.cluster_sizes`` says of a cluster, in pandas."""
    days = cluster["time_generated"].dt.floor("D")
    span = (days.max() - days.min()).days + 1
    users, addresses = cluster["user"].nunique(), cluster["ip_address"].nunique()
    return ClusterSize(
        cluster_id=0,
        failures=len(cluster),
        users=users,
        ip_addresses=addresses,
        countries=cluster["Location"].nunique(),
        first_activity=cluster["time_generated"].min(),
        last_activity=cluster["time_generated"].max(),
        active_days=days.nunique(),
        span_days=span,
        attempts_per_user=len(cluster) / users,
        attempts_per_address=len(cluster) / max(addresses, 1),
        attempts_per_day=len(cluster) / span,
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
