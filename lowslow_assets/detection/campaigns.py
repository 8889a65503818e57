"""What tells a low-and-slow spray from other clusters of odd failures, and whom it got into."""

from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lowslow_assets.detection.statistics import ClusterStatistics, FeatureVariation
from lowslow_assets.signins.features import NODATA

MIN_USERS = 10
MAX_ATTEMPTS_PER_USER = 10.0
MAX_ATTEMPTS_PER_ADDRESS = 2.0
MIN_ACTIVE_DAYS = 7
MIN_ACTIVE_SHARE = 0.5

# An account with successes from a network on more days than this is at home there.
MAX_DAYS_IN_STRANGE_NETWORK = 2

# A feature is an invariant where the campaign varies much less than the tenant does,
# or hardly at all.
MAX_INVARIANT_VARIABILITY = 0.1
MIN_INVARIANT_SHARE = 0.95


@dataclass(frozen=True)
class SprayTest:
    """One thing sprays do and look-alikes don't; ``explanation`` is for an analyst."""

    name: str
    passed: bool
    value: float
    explanation: str


@dataclass(frozen=True)
class Invariant:
    """A feature that a campaign repeats, the value it repeats, and in which share of attempts."""

    feature: str
    value: str
    share: float


def spray_tests(cluster: ClusterStatistics) -> list[SprayTest]:
    """Judge a cluster by how sprays work: many accounts, few tries, fresh addresses, for long."""
    active_share = cluster.active_days / cluster.span_days
    return [
        SprayTest(
            "many accounts",
            cluster.users >= MIN_USERS,
            float(cluster.users),
            f"{cluster.users:,} accounts were tried; a forgotten device tries one.",
        ),
        SprayTest(
            "few tries each",
            cluster.attempts_per_user <= MAX_ATTEMPTS_PER_USER,
            cluster.attempts_per_user,
            f"{cluster.attempts_per_user:.1f} attempts an account; a device or connector with an "
            "old password makes hundreds.",
        ),
        SprayTest(
            "fresh addresses",
            cluster.attempts_per_address <= MAX_ATTEMPTS_PER_ADDRESS,
            cluster.attempts_per_address,
            f"{cluster.attempts_per_address:.1f} attempts an address; people and services come "
            "back from the same one.",
        ),
        SprayTest(
            "goes on for days",
            cluster.active_days >= MIN_ACTIVE_DAYS,
            float(cluster.active_days),
            f"Active on {cluster.active_days} days; a brute-force burst or a password-expiry "
            "morning lasts hours.",
        ),
        SprayTest(
            "steady",
            active_share >= MIN_ACTIVE_SHARE,
            active_share,
            f"Active on {active_share:.0%} of the days from its first attempt to its last.",
        ),
    ]


def invariants(variation: Iterable[FeatureVariation]) -> list[Invariant]:
    """What the campaign cannot help repeating, steadiest first: its fingerprint."""
    found = [
        Invariant(line.feature, line.top_category, line.top_share)
        for line in variation
        if line.top_share >= MIN_INVARIANT_SHARE
        or (line.variability is not None and line.variability <= MAX_INVARIANT_VARIABILITY)
    ]
    return sorted(found, key=lambda invariant: (-invariant.share, invariant.feature))


def plausible_successes(successes: DataFrame, members: DataFrame) -> DataFrame:
    """Successes that a campaign could be behind, as (cluster_id, network_shared, the success).

    Of an account it tried, between its first attempt on anyone (the first guess at an account
    can be right) and a day after its last, from a network where the account is not at home.
    ``network_shared``: the campaign's failures on other accounts, too, come from that network
    (a traveller's own mistakes come from the traveller's hotel). ``successes`` are all of the
    window's.
    """
    span = members.groupBy("cluster_id").agg(
        F.min("time_generated").alias("first_activity"),
        F.max("time_generated").alias("last_activity"),
    )
    tried = members.select("cluster_id", "user").distinct()
    networks = (
        members.where(F.col("network") != NODATA)
        .groupBy("cluster_id", "network")
        .agg(F.min("user").alias("one_user"), F.max("user").alias("another_user"))
    )
    on_others = (F.col("one_user") != F.col("user")) | (F.col("another_user") != F.col("user"))
    of_tried = successes.join(tried.select("user").distinct(), "user", "left_semi")
    visited = (
        of_tried.groupBy("user", "network")
        .agg(F.count_distinct(F.to_date("time_generated")).alias("days"))
        .where(F.col("days") <= MAX_DAYS_IN_STRANGE_NETWORK)
        .drop("days")
    )
    in_time = (F.col("time_generated") >= F.col("first_activity")) & (
        F.col("time_generated") <= F.col("last_activity") + F.expr("INTERVAL 1 DAY")
    )
    return (
        of_tried.join(visited, ["user", "network"], "left_semi")
        .join(tried, "user")
        .join(F.broadcast(span), "cluster_id")
        .where(in_time)
        .join(networks, ["cluster_id", "network"], "left")
        .withColumn("network_shared", F.coalesce(on_others, F.lit(False)))
        .drop("first_activity", "last_activity", "one_user", "another_user")
    )
