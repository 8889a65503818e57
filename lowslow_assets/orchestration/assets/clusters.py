"""pruned_clusters, cluster_members and what is known of each kept cluster."""

from collections.abc import Iterable, Iterator

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lowslow_assets.detection import statistics
from lowslow_assets.detection.masks import mask_bits
from lowslow_assets.detection.members import Population, campaign_members
from lowslow_assets.detection.mixture import MixtureFit
from lowslow_assets.detection.patterns import PROPERTIES, is_anomalous
from lowslow_assets.detection.pruning import Assignment, Cluster, assign, prune
from lowslow_assets.detection.spray_tests import spray_tests, strays_a_day, verdict
from lowslow_assets.lake.tables import (
    CLUSTER_FEATURES,
    CLUSTER_MEMBERS,
    CLUSTER_STATISTICS,
    EXPLAINED_FAILURES,
    FEATURE_BASELINE,
    MASK_PATTERNS,
    MIXTURE_MODEL,
    PRUNED_CLUSTERS,
    SUCCESS_HOURS_OF_DAY,
    SUCCESS_SOURCES,
    SUCCESS_WEEKDAYS,
    SUSPECT_FAILURES,
)
from lowslow_assets.orchestration.assets.declare import table_metadata
from lowslow_assets.orchestration.assets.hunt import Hunt, Made, hunt_asset, hunt_assets
from lowslow_assets.orchestration.assets.masks import modelled_failures
from lowslow_assets.orchestration.assets.mixture import read_fit
from lowslow_assets.signins.features import FEATURES


@hunt_assets(
    "judge_clusters",
    (PRUNED_CLUSTERS, CLUSTER_MEMBERS),
    deps=[MIXTURE_MODEL, MASK_PATTERNS, SUSPECT_FAILURES, EXPLAINED_FAILURES, SUCCESS_SOURCES],
)
def pruned_clusters_and_members(hunt: Hunt) -> Iterator[Made]:
    """Judge every cluster, say why, and give the failures of those that are kept."""
    fit = read_fit(hunt)
    if fit is None:
        yield [], {"kept": 0, "pruned": 0}
        yield hunt.no_rows(CLUSTER_MEMBERS), {}
        return
    members = _members(hunt, fit).persist()
    clusters = _by_rules(hunt, fit) if hunt.of_notebook else _by_tests(hunt, fit, members)
    kept = [cluster.cluster_id for cluster in clusters if cluster.kept]
    yield (
        clusters,
        {
            "kept": len(kept),
            "pruned": len(clusters) - len(kept),
            "clusters": table_metadata([vars(cluster) for cluster in clusters]),
        },
    )
    of_kept = members.where(F.col("cluster_id").isin(kept)).repartition(1)
    yield of_kept.sortWithinPartitions("cluster_id", "time_generated", "signin_id"), {}
    members.unpersist()


def _by_rules(hunt: Hunt, fit: MixtureFit) -> list[Cluster]:
    failures = {row["mask"]: row["failures"] for row in hunt.rows(MASK_PATTERNS)}
    members: dict[int, int] = {}
    for assignment in _assignments(hunt, fit):
        members.setdefault(assignment.cluster_id, 0)
        members[assignment.cluster_id] += failures[assignment.mask]
    p = hunt.parameters
    return prune(fit, hunt.model_features, members, p.lookback_days, p.pruning_rules)


def _by_tests(hunt: Hunt, fit: MixtureFit, members: DataFrame) -> list[Cluster]:
    odd = _odd_properties(members)
    resolved = resolved_a_day(hunt)
    components = len(fit.weights)
    clusters = []
    for size in statistics.cluster_sizes(members):
        unusual = odd[size.cluster_id]
        kept, reason = verdict(spray_tests(size, strays_a_day(resolved, len(unusual))), unusual)
        component = size.cluster_id % components
        clusters.append(
            Cluster(
                cluster_id=size.cluster_id,
                component=component,
                weight=float(fit.weights[component]),
                anomalous_features=unusual,
                failures=size.failures,
                attempts_per_day=size.attempts_per_day,
                kept=kept,
                reason=reason,
            )
        )
    return clusters


def resolved_a_day(hunt: Hunt) -> float:
    """The tenant's resolved typos, a day of the window."""
    resolved = sum(
        row["failures"]
        for row in hunt.rows(EXPLAINED_FAILURES)
        if row["explanation"] == "resolved" and row["example"] is None
    )
    return resolved / len(hunt.ingested_days())


def _odd_properties(members: DataFrame) -> dict[int, list[str]]:
    """Per cluster the properties in which at least half of its members are anomalous."""
    shares = members.groupBy("cluster_id").agg(
        *(F.avg(is_anomalous(name)).alias(name) for name in PROPERTIES)
    )
    return {
        row["cluster_id"]: [name for name in PROPERTIES if row[name] >= 0.5]
        for row in shares.collect()
    }


def _members(hunt: Hunt, fit: MixtureFit) -> DataFrame:
    """The modelled failures with their cluster, kept or not, and the probability of it."""
    assigned = modelled_failures(hunt).join(F.broadcast(_assignment_frame(hunt, fit)), "pattern")
    if hunt.of_notebook:
        return assigned.withColumnRenamed("component", "cluster_id")
    tenant = population(hunt)
    components = len(fit.weights)
    least = hunt.parameters.min_assignment_probability

    def of_component(suspects: pd.DataFrame) -> pd.DataFrame:
        return campaign_members(suspects, tenant, components, least)

    return (
        assigned.withColumn("odd_device", is_anomalous("device") == 1)
        .groupBy("component")
        .applyInPandas(of_component, _member_schema(assigned))
    )


def population(hunt: Hunt) -> Population:
    """What stray failures are spread over: accounts that succeed or are suspect, and days."""
    users = hunt.sources().select("user").union(hunt.result(SUSPECT_FAILURES).select("user"))
    return Population(users.distinct().count(), len(hunt.ingested_days()))


def _member_schema(assigned: DataFrame) -> str:
    columns = [f"`{f.name}` {f.dataType.simpleString()}" for f in assigned.schema.fields]
    return ", ".join([*columns, "cluster_id int"])


def _assignments(hunt: Hunt, fit: MixtureFit) -> Iterable[Assignment]:
    masks = [row["mask"] for row in hunt.rows(MASK_PATTERNS)]
    bits = mask_bits(masks, len(hunt.model_features))
    return assign(fit, masks, bits, hunt.parameters.pruning_rules)


def _assignment_frame(hunt: Hunt, fit: MixtureFit) -> DataFrame:
    """Per pattern its component, as (pattern, component, assignment_probability)."""
    rows = [(a.mask, a.cluster_id, a.probability) for a in _assignments(hunt, fit)]
    return hunt.lake.spark.createDataFrame(
        rows, "pattern int, component int, assignment_probability double"
    )


@hunt_asset(
    CLUSTER_STATISTICS, "scipy", deps=[CLUSTER_MEMBERS, SUCCESS_HOURS_OF_DAY, SUCCESS_WEEKDAYS]
)
def cluster_statistics(hunt: Hunt) -> Made:
    """Size, pace and rhythm of each kept cluster."""
    hours = {row["hour_of_day"]: row["successes"] for row in hunt.rows(SUCCESS_HOURS_OF_DAY)}
    weekdays = {row["weekday"]: row["successes"] for row in hunt.rows(SUCCESS_WEEKDAYS)}
    found = statistics.cluster_statistics(hunt.result(CLUSTER_MEMBERS), hours, weekdays)
    return found, {"clusters": table_metadata([vars(line) for line in found])}


@hunt_asset(CLUSTER_FEATURES, deps=[CLUSTER_MEMBERS, FEATURE_BASELINE])
def cluster_features(hunt: Hunt) -> Made:
    """How much each feature varies within each kept cluster."""
    entropy = {row["feature"]: row["entropy"] for row in hunt.rows(FEATURE_BASELINE)}
    variation = statistics.feature_variation(hunt.result(CLUSTER_MEMBERS), FEATURES, entropy)
    return variation, {"features": table_metadata([vars(line) for line in variation])}


def variation_by_cluster(hunt: Hunt) -> dict[int, list[statistics.FeatureVariation]]:
    """The hunt's rows of ``cluster_features``, by cluster."""
    found: dict[int, list[statistics.FeatureVariation]] = {}
    for row in hunt.rows(CLUSTER_FEATURES):
        found.setdefault(row["cluster_id"], []).append(statistics.FeatureVariation(**row))
    return found
