"""What a cluster looks like: size, pace, rhythm, and how much each feature varies."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F
from scipy import stats

from lowslow_assets.detection.baseline import entropy_of_counts
from lowslow_assets.signins.dataframes import utc


@dataclass(frozen=True)
class ClusterSize:
    """How large a cluster is and how long it goes on."""

    cluster_id: int
    failures: int
    users: int
    ip_addresses: int
    countries: int
    first_activity: datetime
    last_activity: datetime
    active_days: int
    span_days: int
    attempts_per_user: float
    attempts_per_address: float
    attempts_per_day: float


@dataclass(frozen=True)
class ClusterStatistics(ClusterSize):
    """One kept cluster; the fields are the columns of the table ``cluster_statistics``."""

    ks_statistic: float | None
    ks_p_value: float | None
    hour_distance: float
    hour_p_value: float | None
    weekday_distance: float
    weekday_p_value: float | None


@dataclass(frozen=True)
class FeatureVariation:
    """One feature within a kept cluster; the columns of the table ``cluster_features``."""

    cluster_id: int
    feature: str
    categories: int
    entropy: float
    baseline_entropy: float
    variability: float | None
    anomalous_share: float
    top_category: str
    top_share: float


def cluster_sizes(members: DataFrame) -> list[ClusterSize]:
    """Size and span of each cluster, in the order of ``cluster_id``."""
    time = F.col("time_generated")
    failures = F.count(F.lit(1))
    users, addresses = F.count_distinct("user"), F.count_distinct("ip_address")
    span = F.date_diff(F.to_date(F.max(time)), F.to_date(F.min(time))) + 1
    sizes = members.groupBy("cluster_id").agg(
        failures.alias("failures"),
        users.alias("users"),
        addresses.alias("ip_addresses"),
        F.count_distinct("Location").alias("countries"),
        F.min(time).alias("first_activity"),
        F.max(time).alias("last_activity"),
        F.count_distinct(F.to_date(time)).alias("active_days"),
        span.alias("span_days"),
        (failures / users).alias("attempts_per_user"),
        # Rows without an address count as one address.
        (failures / F.greatest(addresses, F.lit(1))).alias("attempts_per_address"),
        (failures / span).alias("attempts_per_day"),
    )
    found = []
    for row in sizes.orderBy("cluster_id").collect():
        values = row.asDict()
        for name in ("first_activity", "last_activity"):
            values[name] = utc(values[name])
        found.append(ClusterSize(**values))
    return found


def cluster_statistics(
    members: DataFrame, success_hours: Mapping[int, int], success_weekdays: Mapping[int, int]
) -> list[ClusterStatistics]:
    """Statistics of each cluster of ``cluster_members``.

    The successes' counts by hour of day (0 to 23) and ISO weekday (1 to 7) are what its
    rhythm is compared with.
    """
    time = F.col("time_generated")
    distances = {row["cluster_id"]: row["distance"] for row in _uniform_distance(members).collect()}
    hours: dict[int, Counter[int]] = {}
    weekdays: dict[int, Counter[int]] = {}
    rhythm = members.groupBy(
        "cluster_id", F.hour(time).alias("hour"), (F.weekday(time) + 1).alias("weekday")
    )
    for row in rhythm.count().collect():
        cluster = row["cluster_id"]
        hours.setdefault(cluster, Counter())[row["hour"]] += row["count"]
        weekdays.setdefault(cluster, Counter())[row["weekday"]] += row["count"]
    found = []
    for size in cluster_sizes(members):
        hour_distance, hour_p = compare_counts(hours[size.cluster_id], success_hours)
        weekday_distance, weekday_p = compare_counts(weekdays[size.cluster_id], success_weekdays)
        distance = distances.get(size.cluster_id)
        found.append(
            ClusterStatistics(
                **vars(size),
                ks_statistic=distance,
                ks_p_value=distance and float(stats.kstwo.sf(distance, size.failures - 2)),
                hour_distance=hour_distance,
                hour_p_value=hour_p,
                weekday_distance=weekday_distance,
                weekday_p_value=weekday_p,
            )
        )
    return found


def _uniform_distance(members: DataFrame) -> DataFrame:
    """Kolmogorov-Smirnov distance of each cluster's times from uniform, as (cluster_id, distance).

    Uniform between the first and the last member. Given those two, the n - 2 times between
    them are what can be uniform or not, so the distance is theirs.
    """
    cluster = Window.partitionBy("cluster_id")
    in_order = cluster.orderBy("time_generated", "signin_id")
    seconds = F.unix_micros("time_generated")
    first, last = F.min(seconds).over(cluster), F.max(seconds).over(cluster)
    inner = F.col("size") - 2
    rank = F.col("position") - 1
    return (
        members.select(
            "cluster_id",
            # Null where all are at one time.
            F.try_divide(seconds - first, last - first).alias("fraction"),
            F.row_number().over(in_order).alias("position"),
            F.count(F.lit(1)).over(cluster).alias("size"),
        )
        .where((F.col("position") > 1) & (F.col("position") < F.col("size")))
        .where(F.col("fraction").isNotNull())
        .groupBy("cluster_id")
        .agg(
            F.max(
                F.greatest(rank / inner - F.col("fraction"), F.col("fraction") - (rank - 1) / inner)
            ).alias("distance")
        )
    )


def compare_counts(one: Mapping[int, int], other: Mapping[int, int]) -> tuple[float, float | None]:
    """How differently two sets of events fall into the same bins.

    Returns the total variation distance of the two distributions (0 same, 1 disjoint) and
    the p-value of the chi-squared test of homogeneity on the counts; it is a test on counts
    because one on the shares would not know how many events they stand for. The p-value is
    None, and the distance 1, where one side has no events, and None where all are in one bin.
    """
    bins = sorted({*one, *other})
    table = np.array([[side.get(b, 0) for b in bins] for side in (one, other)])
    if not table.sum(axis=1).all():
        return 1.0, None
    shares = table / table.sum(axis=1, keepdims=True)
    distance = float(np.abs(shares[0] - shares[1]).sum() / 2)
    used = table[:, table.sum(axis=0) > 0]
    if used.shape[1] < 2:
        return distance, None
    return distance, float(np.asarray(stats.chi2_contingency(used, correction=False)[1]))


def feature_variation(
    members: DataFrame, features: Sequence[str], baseline_entropy: Mapping[str, float]
) -> list[FeatureVariation]:
    """How much each feature varies within each cluster of ``cluster_members``."""
    pairs = F.explode(
        F.array(
            *(
                F.struct(
                    F.lit(feature).alias("feature"),
                    F.col(feature).alias("category"),
                    F.getbit("mask", F.lit(bit)).alias("anomalous"),
                )
                for bit, feature in enumerate(features)
            )
        )
    )
    # As for the baseline, counts of counts: the categories stay in Spark, but for the
    # most common one.
    spectrum = (
        members.select("cluster_id", pairs.alias("pair"))
        .groupBy("cluster_id", "pair.feature", "pair.category")
        .agg(F.count(F.lit(1)).alias("size"), F.sum("pair.anomalous").alias("anomalous"))
        .groupBy("cluster_id", "feature", "size")
        .agg(
            F.count(F.lit(1)).alias("categories"),
            F.sum("anomalous").alias("anomalous"),
            F.min("category").alias("category"),
        )
        .orderBy("cluster_id", "feature", "size")
        .collect()
    )
    groups: dict[tuple[int, str], list] = {}
    for line in spectrum:
        groups.setdefault((line["cluster_id"], line["feature"]), []).append(line)
    found = []
    for (cluster, feature), lines in groups.items():
        total = sum(line["size"] * line["categories"] for line in lines)
        entropy = entropy_of_counts((line["size"], line["categories"]) for line in lines)
        normal = baseline_entropy[feature]
        found.append(
            FeatureVariation(
                cluster_id=cluster,
                feature=feature,
                categories=sum(line["categories"] for line in lines),
                entropy=entropy,
                baseline_entropy=normal,
                variability=entropy / normal if normal > 0 else None,
                anomalous_share=sum(line["anomalous"] for line in lines) / total,
                top_category=lines[-1]["category"],
                top_share=lines[-1]["size"] / total,
            )
        )
    return found
