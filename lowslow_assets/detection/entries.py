"""Entries: successful sign-ins with which a campaign may have got into an account.

An attacker who guessed a password comes once, from a source as fresh as those of the failures,
looks around and is gone. So do some honest people: travellers, users of a VPN. Such lone visits
are few; each is compared with the campaign's failures and with the other lone visits, by what was
new to the user and what was unusual in the tenant.
"""

from collections.abc import Mapping

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from lowslow_assets.detection.patterns import is_anomalous
from lowslow_assets.signins.features import NODATA

LONGEST_VISIT_SECONDS = 2 * 60 * 60
MIN_ENTRY_PROBABILITY = 0.5
# About one in five lone visits during a campaign; the result hardly depends on it.
_PRIOR = 0.2
_ROUNDS = 3

# By what each property of a sign-in is new to its user; versions of a browser always are.
_NEW_BY = {
    "application": "AppDisplayName",
    "client": "ClientAppUsed",
    "device": "operatingSystem",
    "place": "city",
    "network": "network",
    "name": "displayName",
}
TRAITS = {
    "application": 3,
    "client": 3,
    "device": 3,
    "place": 3,
    "network": 2,
    "own": 2,
    "tried": 2,
}
"""Per trait the number of its levels (see ``with_traits``)."""


def lone_prefixes(sources: DataFrame) -> DataFrame:
    """Prefixes from which one user alone succeeded, all within two hours.

    ``sources`` are the window's ``success_sources``. Returns (ip_prefix, first_success).
    """
    # Spark sums numbers in a hash table; for the least of strings it would sort the window.
    user = F.xxhash64("user")
    first = F.min("first_success")
    last = F.max(F.unix_seconds("first_success") + F.col("seconds"))
    return (
        sources.where(F.col("ip_prefix").isNotNull())
        .groupBy("ip_prefix")
        .agg(
            (F.min(user) == F.max(user)).alias("alone"),
            (last - F.unix_seconds(first)).alias("visit_seconds"),
            first.alias("first_success"),
        )
        .where(F.col("alone") & (F.col("visit_seconds") <= LONGEST_VISIT_SECONDS))
        .select("ip_prefix", "first_success")
    )


def with_news(signins: DataFrame, successes: DataFrame) -> DataFrame:
    """Add ``new_<property>``: whether no success of the user's, from another prefix, shows it.

    ``successes`` are the window's. Without that exception a visit would make itself known.
    """
    key = ["date", "signin_id"]
    # Without a prefix it is from another one than any visit's.
    prefix = F.coalesce("ip_prefix", F.lit(""))
    judged = signins.select(
        *key,
        "user",
        F.col("ip_prefix").alias("own_prefix"),
        *(F.col(feature).alias(f"own_{name}") for name, feature in _NEW_BY.items()),
    ).distinct()
    seen = {
        name: F.bool_or(F.col(feature) == F.col(f"own_{name}")) for name, feature in _NEW_BY.items()
    }
    known = (
        successes.select("user", prefix.alias("prefix"), *_NEW_BY.values())
        .join(judged, "user")
        .where(F.col("prefix") != F.col("own_prefix"))
        .groupBy(*key)
        .agg(*(is_seen.alias(f"known_{name}") for name, is_seen in seen.items()))
    )
    news = {f"new_{name}": ~F.coalesce(f"known_{name}", F.lit(False)) for name in _NEW_BY}
    return (
        signins.join(known, key, "left")
        .withColumns(news)
        .drop(*(f"known_{name}" for name in _NEW_BY))
    )


def with_traits(signins: DataFrame) -> DataFrame:
    """Add a column for each of TRAITS, from ``new_*``, ``mask`` and ``tried``.

    application, client, device, place: 0 known to the user, 1 new, 2 new and anomalous in the
    tenant. network: 1 if anomalous. own: 1 on a device with a name that the user is known to
    have. tried: 1 if the campaign tried the account (at least once more).
    """
    levels = {
        name: F.when(F.col(f"new_{name}"), 1 + is_anomalous(name)).otherwise(0)
        for name in ("application", "client", "device", "place")
    }
    levels["network"] = is_anomalous("network")
    levels["own"] = ((F.col("displayName") != NODATA) & ~F.col("new_name")).cast("int")
    levels["tried"] = F.col("tried").cast("int")
    return signins.withColumns({f"trait_{name}": level for name, level in levels.items()})


def count_traits(signins: DataFrame) -> DataFrame:
    """How many sign-ins of each cluster and outcome have each combination of traits.

    A few hundred rows.
    """
    return signins.groupBy("cluster_id", "outcome", *TRAIT_COLUMNS).agg(
        F.count(F.lit(1)).alias("number")
    )


TRAIT_COLUMNS = [f"trait_{name}" for name in TRAITS]


def entry_probability(
    failures: Mapping[tuple[int, ...], int], visits: Mapping[tuple[int, ...], int]
) -> dict[tuple[int, ...], float]:
    """Probability that a lone visit with these traits is a campaign's entry.

    Naive Bayes: per trait, the levels among the campaign's failures against those among lone
    visits, half a count added to each; the visits count by their probability of being honest,
    so entries do not pass as the background they are compared with. Both arguments count
    sign-ins by their levels, in the order of TRAITS.
    """
    if not visits:
        return {}
    combinations = np.array(list(visits))
    honest = np.ones(len(combinations))
    numbers = np.array(list(visits.values()), dtype=float)
    probability = np.zeros(len(combinations))
    failed, failed_numbers = np.array(list(failures)), np.array(list(failures.values()), float)
    for _ in range(_ROUNDS):
        log_odds = np.full(len(combinations), np.log(_PRIOR / (1 - _PRIOR)))
        for trait, levels in enumerate(TRAITS.values()):
            campaign = _shares(failed[:, trait], failed_numbers, levels)
            background = _shares(combinations[:, trait], numbers * honest, levels)
            log_odds += np.log(campaign / background)[combinations[:, trait]]
        probability = 1 / (1 + np.exp(-log_odds))
        honest = 1 - probability
    return {combination: float(p) for combination, p in zip(visits, probability, strict=True)}


def _shares(levels: np.ndarray, numbers: np.ndarray, count: int) -> np.ndarray:
    totals = np.bincount(levels, weights=numbers, minlength=count) + 0.5
    return totals / totals.sum()


def evidence() -> Column:
    """Why a visit looks like the campaign's, in words."""
    new = [
        F.when(F.col(f"trait_{name}") > 0, F.lit(name))
        for name in ("application", "client", "device", "place")
    ]
    return F.concat_ws(
        "; ",
        F.lit("from a network new to the user and an address prefix nobody else succeeds from"),
        F.when(F.col("tried"), F.lit("the campaign had tried the account")),
        F.when(
            F.size(F.array_compact(F.array(*new))) > 0,
            F.concat(F.lit("new to the user: "), F.concat_ws(", ", *new)),
        ),
    )


def trait_key(row: Mapping[str, int]) -> tuple[int, ...]:
    """A row's levels, in the order of TRAITS."""
    return tuple(row[column] for column in TRAIT_COLUMNS)
