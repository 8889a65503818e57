"""pruned_clusters, cluster_members and what is known of each kept cluster."""

from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lowslow_assets.assets.declare import table_metadata
from lowslow_assets.assets.hunt import Hunt, hunt_asset
from lowslow_assets.assets.mixture import read_fit
from lowslow_assets.detection import statistics
from lowslow_assets.detection.masks import mask_bits
from lowslow_assets.detection.pruning import Assignment, assign, prune
from lowslow_assets.signins.features import FAILURE, FEATURES
from lowslow_assets.tables import (
    CATEGORY_COUNTS,
    CLUSTER_FEATURES,
    CLUSTER_MEMBERS,
    CLUSTER_STATISTICS,
    ENCODED_FEATURES,
    FEATURE_BASELINE,
    MASK_PATTERNS,
    MIXTURE_MODEL,
    PRUNED_CLUSTERS,
    SUCCESS_HOURS_OF_DAY,
    SUCCESS_WEEKDAYS,
)


@hunt_asset(PRUNED_CLUSTERS, deps=[MIXTURE_MODEL, MASK_PATTERNS])
def pruned_clusters(hunt: Hunt) -> tuple[DataFrame, dict[str, Any]]:
    """Judge every component of the model."""
    fit = read_fit(hunt)
    if fit is None:
        return hunt.frame(PRUNED_CLUSTERS, []), {"kept": 0, "pruned": 0}
    failures = {row["mask"]: row["failures"] for row in hunt.rows(MASK_PATTERNS)}
    members: dict[int, int] = {}
    for assignment in assign_masks(hunt, list(failures)):
        members.setdefault(assignment.cluster_id, 0)
        members[assignment.cluster_id] += failures[assignment.mask]
    clusters = prune(
        fit, FEATURES, members, hunt.parameters.lookback_days, hunt.parameters.pruning_rules
    )
    kept = sum(cluster.kept for cluster in clusters)
    return hunt.frame(PRUNED_CLUSTERS, clusters), {
        "kept": kept,
        "pruned": len(clusters) - kept,
        "clusters": table_metadata([vars(cluster) for cluster in clusters]),
    }


@hunt_asset(CLUSTER_MEMBERS, deps=[PRUNED_CLUSTERS, ENCODED_FEATURES, CATEGORY_COUNTS])
def cluster_members(hunt: Hunt) -> tuple[DataFrame, dict[str, Any]]:
    """Find the window's failures that belong to kept clusters."""
    masks = [row["mask"] for row in hunt.rows(MASK_PATTERNS)]
    assigned = kept_assignments(hunt, assign_masks(hunt, masks))
    failures = hunt.mask(hunt.signins().where(F.col("outcome") == FAILURE))
    members = failures.join(F.broadcast(assigned), "mask")
    return members.repartition(1).sortWithinPartitions("cluster_id", "time_generated"), {}


def assign_masks(hunt: Hunt, masks: list[int]) -> list[Assignment]:
    """The clusters of these masks, by the day's model."""
    fit = read_fit(hunt)
    if fit is None or not masks:
        return []
    return assign(fit, masks, mask_bits(masks, len(FEATURES)), hunt.parameters.pruning_rules)


def kept_assignments(hunt: Hunt, assignments: list[Assignment]) -> DataFrame:
    """Those of kept clusters, as (mask, cluster_id, assignment_probability)."""
    kept = {row["cluster_id"] for row in hunt.rows(PRUNED_CLUSTERS) if row["kept"]}
    rows = [(a.mask, a.cluster_id, a.probability) for a in assignments if a.cluster_id in kept]
    return hunt.lake.spark.createDataFrame(
        rows, "mask int, cluster_id int, assignment_probability double"
    )


@hunt_asset(
    CLUSTER_STATISTICS, "scipy", deps=[CLUSTER_MEMBERS, SUCCESS_HOURS_OF_DAY, SUCCESS_WEEKDAYS]
)
def cluster_statistics(hunt: Hunt) -> tuple[DataFrame, dict[str, Any]]:
    """Size, pace and rhythm of each kept cluster."""
    hours = {row["hour_of_day"]: row["successes"] for row in hunt.rows(SUCCESS_HOURS_OF_DAY)}
    weekdays = {row["weekday"]: row["successes"] for row in hunt.rows(SUCCESS_WEEKDAYS)}
    found = statistics.cluster_statistics(hunt.result(CLUSTER_MEMBERS), hours, weekdays)
    return hunt.frame(CLUSTER_STATISTICS, found), {
        "clusters": table_metadata([vars(line) for line in found])
    }


@hunt_asset(CLUSTER_FEATURES, deps=[CLUSTER_MEMBERS, FEATURE_BASELINE])
def cluster_features(hunt: Hunt) -> tuple[DataFrame, dict[str, Any]]:
    """How much each feature varies within each kept cluster."""
    entropy = {row["feature"]: row["entropy"] for row in hunt.rows(FEATURE_BASELINE)}
    variation = statistics.feature_variation(hunt.result(CLUSTER_MEMBERS), FEATURES, entropy)
    return hunt.frame(CLUSTER_FEATURES, variation), {
        "features": table_metadata([vars(line) for line in variation])
    }
