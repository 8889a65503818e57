"""pruned_clusters, cluster_members and the statistics of each kept cluster."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from lowslow_assets.detection import statistics
from lowslow_assets.detection.gathering import gather, tools_of_campaigns, with_gathered
from lowslow_assets.detection.known_sources import without_known
from lowslow_assets.detection.members import (
    ASSIGNED,
    MIN_MEMBER_PROBABILITY,
    Suspects,
    members_by_pattern,
)
from lowslow_assets.detection.population import population_of
from lowslow_assets.detection.pruning import Assignment, Cluster
from lowslow_assets.engines.base import Relation
from lowslow_assets.hunting.hunt import Hunt
from lowslow_assets.hunting.judge import (
    Members,
    judge_patterns,
    judge_suspects,
    with_tests,
)
from lowslow_assets.lake.tables import (
    ANOMALY_MASKS,
    CATEGORY_COUNTS,
    CLUSTER_FEATURES,
    CLUSTER_MEMBERS,
    CLUSTER_STATISTICS,
    EXPLAINED_FAILURES,
    FEATURE_BASELINE,
    MASK_PATTERNS,
    MIXTURE_MODEL,
    OPEN_FAILURES,
    PRUNED_CLUSTERS,
    SUCCESS_HOURS,
    SUCCESS_HOURS_OF_DAY,
    SUCCESS_SOURCES,
    SUCCESS_WEEKDAYS,
    SUSPECT_FAILURES,
    USER_NAMES,
)
from lowslow_assets.orchestration.assets.declare import table_metadata
from lowslow_assets.orchestration.assets.hunt import Made, hunt_asset, hunt_assets
from lowslow_assets.orchestration.assets.masks import masks_of, modelled_failures
from lowslow_assets.orchestration.assets.mixture import read_fit


@hunt_assets(
    "judge_clusters",
    (PRUNED_CLUSTERS, CLUSTER_MEMBERS),
    deps=[
        MIXTURE_MODEL,
        MASK_PATTERNS,
        SUSPECT_FAILURES,
        EXPLAINED_FAILURES,
        SUCCESS_SOURCES,
        USER_NAMES,
        SUCCESS_HOURS,
        OPEN_FAILURES,
        ANOMALY_MASKS,
        FEATURE_BASELINE,
        CATEGORY_COUNTS,
    ],
)
def pruned_clusters_and_members(hunt: Hunt) -> Iterator[Made]:
    """Judge every cluster, say why, and give the failures of those that are kept."""
    fit = read_fit(hunt.rows(MIXTURE_MODEL), hunt.model_features)
    if fit is None:
        yield [], {"kept": 0, "pruned": 0}
        yield hunt.no_rows(CLUSTER_MEMBERS), {}
        return
    days = len(hunt.ingested_days())
    engine = hunt.lake.engine
    metadata: dict[str, Any] = {}
    if hunt.settings.of_notebook:
        patterns = {row["mask"]: row["failures"] for row in hunt.rows(MASK_PATTERNS)}
        clusters, assigned = judge_patterns(patterns, fit, hunt.model_features, hunt.settings)
        of_kept = engine.from_arrow(_assigned_rows(assigned, _kept(clusters)))
        members = members_by_pattern(modelled_failures(hunt), of_kept).held()
        clusters = with_tests(clusters, statistics.cluster_sizes(members), hunt.settings.thresholds)
    else:
        failures = hunt.result(SUSPECT_FAILURES)
        explained = hunt.rows(EXPLAINED_FAILURES)
        hours = {row["hour"]: row["successes"] for row in hunt.rows(SUCCESS_HOURS)}
        population = population_of(hunt.sources(), failures, explained, hours, days)
        rows = failures.arrow()
        suspects = Suspects.of(rows)
        clusters, found = judge_suspects(suspects, fit, population, hunt.settings)
        members = engine.from_arrow(_member_rows(rows, found.of(_kept(clusters))))
        if _kept(clusters):
            members = _with_gathered(hunt, members)
        metadata["suspects in no cluster"] = len(suspects) - len(found.position)
    yield clusters, _verdicts(clusters) | metadata
    yield members, {}


def _with_gathered(hunt: Hunt, members: Relation) -> Relation:
    """The members, and what else bears a kept cluster's marks and is no known source's."""
    failures = without_known(hunt.open_failures(), hunt.settings.known_sources).held()
    tools = tools_of_campaigns(members, hunt.window_counts())
    gathered = gather(failures, members, tools, hunt.sources()).held()
    return with_gathered(members, gathered, masks_of(hunt, gathered), MIN_MEMBER_PROBABILITY).held()


def _kept(clusters: list[Cluster]) -> list[int]:
    return [cluster.cluster_id for cluster in clusters if cluster.kept]


def _assigned_rows(assigned: list[Assignment], clusters: list[int]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "pattern": assignment.mask,
                "cluster_id": assignment.cluster_id,
                "assignment_probability": assignment.probability,
            }
            for assignment in assigned
            if assignment.cluster_id in clusters
        ],
        ASSIGNED,
    )


def _member_rows(suspects: pa.Table, members: Members) -> pa.Table:
    """Rows of ``cluster_members`` from those of ``suspect_failures``."""
    rows = suspects.take(members.position)
    rows = rows.append_column("cluster_id", pa.array(members.cluster_id, pa.int32()))
    rows = rows.append_column("assignment_probability", pa.array(members.probability))
    return rows.select(CLUSTER_MEMBERS.schema.names)


def _verdicts(clusters: list[Cluster]) -> dict[str, Any]:
    kept = len(_kept(clusters))
    shown = [asdict(cluster) | {"tests": len(cluster.tests)} for cluster in clusters]
    return {
        "kept": kept,
        "pruned": len(clusters) - kept,
        "clusters": table_metadata(shown),
    }


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
    variation = statistics.feature_variation(hunt.result(CLUSTER_MEMBERS), entropy)
    return variation, {"features": table_metadata([vars(line) for line in variation])}
