"""The description of a cluster: size, pace, rhythm, and how much each feature varies."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from lowslow_assets.detection.baseline import entropy_of_counts
from lowslow_assets.detection.members import Suspects
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.lake.tables import CATEGORIES, FEATURES
from lowslow_assets.signins.outcomes import INVENTED_NAMES


@dataclass(frozen=True)
class ClusterSize:
    """How large a cluster is and how long it lasts.

    ``users`` counts accounts; ``invented_names`` counts names without an account.
    """

    cluster_id: int
    failures: int
    users: int
    invented_names: int
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


def cluster_sizes(members: Relation) -> list[ClusterSize]:
    """Size and span of each cluster of ``cluster_members``, in the order of ``cluster_id``."""
    rows = count_members(members).rows()
    return [_size(**row) for row in sorted(rows, key=lambda row: row["cluster_id"])]


def size_of(cluster_id: int, members: Suspects) -> ClusterSize:
    """Size and span of one cluster, from its members as arrays."""
    first, last = (
        moment.astype("datetime64[us]").item().replace(tzinfo=UTC)
        for moment in (members.time.min(), members.time.max())
    )
    return _size(
        cluster_id=cluster_id,
        failures=len(members),
        users=_distinct(members.user[~members.invented]),
        # A name whose account was created in the meantime counts as an account.
        invented_names=len({*members.user[members.invented]} - {*members.user[~members.invented]}),
        ip_addresses=_distinct(members.ip_address),
        countries=_distinct(members.country),
        first_activity=first,
        last_activity=last,
        active_days=len(np.unique(members.day)),
    )


def _distinct(values: np.ndarray) -> int:
    return len({*values} - {None})


def _size(
    cluster_id: int,
    failures: int,
    users: int,
    invented_names: int,
    ip_addresses: int,
    countries: int,
    first_activity: datetime,
    last_activity: datetime,
    active_days: int,
) -> ClusterSize:
    span_days = (last_activity.date() - first_activity.date()).days + 1
    return ClusterSize(
        cluster_id=cluster_id,
        failures=failures,
        users=users,
        invented_names=invented_names,
        ip_addresses=ip_addresses,
        countries=countries,
        first_activity=first_activity,
        last_activity=last_activity,
        active_days=active_days,
        span_days=span_days,
        attempts_per_user=failures / (users + invented_names),
        # A cluster without any address counts as one with a single address.
        attempts_per_address=failures / max(ip_addresses, 1),
        attempts_per_day=failures / span_days,
    )


@transform(
    schema(
        "cluster_id int, failures bigint, users bigint, invented_names bigint, "
        "ip_addresses bigint, countries bigint, first_activity timestamp, last_activity timestamp, "
        "active_days bigint"
    ),
    members=schema(
        "cluster_id int, time_generated timestamp, user string, result_type string, "
        "ip_address string, Location string"
    ),
)
def count_members(members: Relation) -> Relation:
    """Count the members, accounts and addresses of each cluster: one row per cluster."""
    return sql(
        """
        WITH _members AS (
            SELECT *, result_type IN {invented} AS invented
            FROM {members}
        )
        SELECT
            cluster_id,
            count(*) AS failures,
            count(DISTINCT CASE WHEN invented THEN NULL ELSE "user" END) AS users,
            count(DISTINCT "user") - count(DISTINCT CASE WHEN invented THEN NULL ELSE "user" END)
                AS invented_names,
            count(DISTINCT ip_address) AS ip_addresses,
            count(DISTINCT Location) AS countries,
            min(time_generated) AS first_activity,
            max(time_generated) AS last_activity,
            count(DISTINCT CAST(time_generated AS DATE)) AS active_days
        FROM _members
        GROUP BY cluster_id
        """,
        members=members,
        invented=INVENTED_NAMES,
    )


def cluster_statistics(
    members: Relation, success_hours: Mapping[int, int], success_weekdays: Mapping[int, int]
) -> list[ClusterStatistics]:
    """Statistics of each cluster of ``cluster_members``.

    A cluster's rhythm is compared with the successes' counts by hour of day (0 to 23) and by ISO
    weekday (1 to 7).
    """
    distances = {row["cluster_id"]: row["distance"] for row in measure_unevenness(members).rows()}
    hours: dict[int, Counter[int]] = {}
    weekdays: dict[int, Counter[int]] = {}
    for row in count_rhythm(members).rows():
        cluster = row["cluster_id"]
        hours.setdefault(cluster, Counter())[row["hour_of_day"]] += row["failures"]
        weekdays.setdefault(cluster, Counter())[row["weekday"]] += row["failures"]
    found = []
    for size in cluster_sizes(members):
        hour_distance, hour_p = compare_counts(hours[size.cluster_id], success_hours)
        weekday_distance, weekday_p = compare_counts(weekdays[size.cluster_id], success_weekdays)
        distance = distances.get(size.cluster_id)
        found.append(
            ClusterStatistics(
                **vars(size),
                ks_statistic=distance,
                ks_p_value=distance and _ks_p_value(distance, size.failures - 2),
                hour_distance=hour_distance,
                hour_p_value=hour_p,
                weekday_distance=weekday_distance,
                weekday_p_value=weekday_p,
            )
        )
    return found


def _ks_p_value(distance: float, number: int) -> float:
    # This takes a second to import, so it is imported when there is a cluster.
    from scipy import stats

    return float(stats.kstwo.sf(distance, number))


@transform(
    schema("cluster_id int, distance double"),
    members=schema("cluster_id int, signin_id string, time_generated timestamp"),
)
def measure_unevenness(members: Relation) -> Relation:
    """Kolmogorov-Smirnov distance of each cluster's times from the uniform distribution.

    The distribution is uniform between the first and the last member. Only the n - 2 times between
    these two can be uniform or not, so the distance is computed from them. A cluster has no row if
    it has fewer than three members, or if all its members have the same time.
    """
    return sql(
        """
        WITH _placed AS (
            SELECT
                cluster_id,
                epoch_micros(time_generated) AS micros,
                row_number() OVER (
                    PARTITION BY cluster_id
                    ORDER BY time_generated NULLS FIRST, signin_id NULLS FIRST
                ) AS position,
                count(*) OVER (PARTITION BY cluster_id) AS size,
                min(epoch_micros(time_generated)) OVER (PARTITION BY cluster_id) AS first,
                max(epoch_micros(time_generated)) OVER (PARTITION BY cluster_id) AS last
            FROM {members}
        ),
        _inner AS (
            SELECT
                cluster_id,
                (micros - first) / nullif(last - first, 0) AS fraction,
                (position - 1) / nullif(size - 2, 0) AS reached,
                (position - 2) / nullif(size - 2, 0) AS reached_before
            FROM _placed
            WHERE position > 1 AND position < size
        )
        SELECT
            cluster_id,
            max(greatest(reached - fraction, fraction - reached_before)) AS distance
        FROM _inner
        WHERE fraction IS NOT NULL
        GROUP BY cluster_id
        """,
        members=members,
    )


@transform(
    schema("cluster_id int, hour_of_day int, weekday int, failures bigint"),
    members=schema("cluster_id int, time_generated timestamp"),
)
def count_rhythm(members: Relation) -> Relation:
    """Count each cluster's members by hour of day (UTC) and ISO weekday."""
    return sql(
        """
        SELECT
            cluster_id,
            hour_of_day(time_generated) AS hour_of_day,
            iso_weekday(time_generated) AS weekday,
            count(*) AS failures
        FROM {members}
        GROUP BY cluster_id, hour_of_day(time_generated), iso_weekday(time_generated)
        """,
        members=members,
    )


def compare_counts(one: Mapping[int, int], other: Mapping[int, int]) -> tuple[float, float | None]:
    """How differently two sets of events are distributed over the same bins.

    Returns the total variation distance of the two distributions (0 same, 1 disjoint) and the
    p-value of the chi-squared test of homogeneity. The test uses the counts, because shares do not
    show how many events they stand for. If one side has no events, the p-value is None and the
    distance is 1. If all events are in one bin, the p-value is None.
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
    return distance, _homogeneity_p_value(used)


def _homogeneity_p_value(table: np.ndarray) -> float:
    """The p-value of Pearson's chi-squared test, for two rows of counts without an empty column."""
    # This takes half a second to import, so it is imported when there is a cluster.
    from scipy.special import chdtrc

    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    statistic = ((table - expected) ** 2 / expected).sum()
    return float(chdtrc(table.shape[1] - 1, statistic))


def feature_variation(
    members: Relation, baseline_entropy: Mapping[str, float]
) -> list[FeatureVariation]:
    """How much each feature varies within each cluster of ``cluster_members``.

    The result is in the order of ``cluster_id``, then of the features' names.
    """
    bits = {
        "feature": FEATURES,
        "bit": pa.array([1 << n for n in range(len(FEATURES))], pa.int32()),
    }
    counted = count_spectra(members, members.engine.from_arrow(pa.table(bits))).rows()
    groups: dict[tuple[int, str], list[dict[str, Any]]] = {}
    for line in sorted(counted, key=lambda row: (row["cluster_id"], row["feature"], row["size"])):
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


@transform(
    schema(
        "cluster_id int, feature string, size bigint, categories bigint, anomalous bigint, "
        "category string"
    ),
    members=pa.schema([*schema("cluster_id int, mask int"), *CATEGORIES]),
    bits=schema("feature string, bit int"),
)
def count_spectra(members: Relation, bits: Relation) -> Relation:
    """Per cluster, how many categories of each feature have how many members.

    ``anomalous`` counts the members that have one of these categories and for which the category is
    anomalous; ``category`` is the first of the categories by name. ``bits`` says which bit of a
    mask belongs to a feature. As in the baseline, these are counts of counts: the categories stay
    in the engine.
    """
    return sql(
        """
        WITH _pairs AS (
            SELECT cluster_id, mask, feature, category
            FROM {members} UNPIVOT (
                category FOR feature IN ({features})
            )
        ),
        _categories AS (
            SELECT
                _pairs.cluster_id,
                _pairs.feature,
                _pairs.category,
                count(*) AS size,
                count(*) FILTER (WHERE (_pairs.mask & _bits.bit) <> 0) AS anomalous
            FROM _pairs
            JOIN {bits} AS _bits ON _bits.feature = _pairs.feature
            GROUP BY _pairs.cluster_id, _pairs.feature, _pairs.category
        )
        SELECT
            cluster_id,
            feature,
            size,
            count(*) AS categories,
            CAST(sum(anomalous) AS BIGINT) AS anomalous,
            min(category) AS category
        FROM _categories
        GROUP BY cluster_id, feature, size
        """,
        features=Columns(CATEGORIES),
        members=members,
        bits=bits,
    )


def variation_by_cluster(
    rows: Iterable[Mapping[str, Any]],
) -> dict[int, list[FeatureVariation]]:
    """The rows of ``cluster_features`` for each cluster."""
    found: dict[int, list[FeatureVariation]] = {}
    for row in rows:
        found.setdefault(row["cluster_id"], []).append(FeatureVariation(**row))
    return found
