"""incident_members, enriched_incidents and their JSON documents."""

from dataclasses import asdict
from typing import Any

import dagster as dg
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lowslow_assets import plots
from lowslow_assets.assets.clusters import assign_masks, kept_assignments
from lowslow_assets.assets.declare import OWNERS, permanent_failures, table_metadata
from lowslow_assets.assets.hunt import Hunt, hunt_asset
from lowslow_assets.detection.campaigns import invariants, plausible_successes, spray_tests
from lowslow_assets.detection.statistics import ClusterStatistics, FeatureVariation
from lowslow_assets.incidents.wording import (
    MAX_LISTED_USERS,
    SEVERITIES,
    AccountSuccesses,
    Incident,
    describe,
    incident_id,
    to_json,
    utc,
)
from lowslow_assets.partitions import DAYS, SINGLE_RUN, days_of
from lowslow_assets.resources import HuntParameters, LakeResource
from lowslow_assets.signins.features import FAILURE, FEATURES, SUCCESS
from lowslow_assets.storage import window_days
from lowslow_assets.tables import (
    CATEGORY_COUNTS,
    CLUSTER_FEATURES,
    CLUSTER_MEMBERS,
    CLUSTER_STATISTICS,
    ENCODED_FEATURES,
    ENRICHED_INCIDENTS,
    INCIDENT_MEMBERS,
    PRUNED_CLUSTERS,
)

_DOCUMENTS = "incident_documents"


@hunt_asset(
    INCIDENT_MEMBERS, deps=[CLUSTER_MEMBERS, PRUNED_CLUSTERS, ENCODED_FEATURES, CATEGORY_COUNTS]
)
def incident_members(hunt: Hunt) -> tuple[DataFrame, dict[str, Any]]:
    """The kept clusters' failures, and the successes that follow a cluster's pattern."""
    members = hunt.result(CLUSTER_MEMBERS)
    clusters = [row["cluster_id"] for row in hunt.rows(PRUNED_CLUSTERS) if row["kept"]]
    ids = hunt.lake.spark.createDataFrame(
        [(cluster, incident_id(hunt.day, cluster)) for cluster in clusters],
        "cluster_id int, incident_id string",
    )
    failures = members.withColumn("outcome", F.lit(FAILURE)).withColumn(
        "network_shared", F.lit(True)
    )
    successes = _following_successes(hunt, members)
    together = failures.unionByName(successes, allowMissingColumns=True)
    rows = together.join(F.broadcast(ids), "cluster_id").withColumnRenamed(
        "assignment_probability", "score"
    )
    in_order = rows.repartition(1).sortWithinPartitions("incident_id", "outcome", "time_generated")
    return in_order, {}


def _following_successes(hunt: Hunt, members: DataFrame) -> DataFrame:
    """Plausible successes whose mask the model assigns to the campaign's own cluster."""
    window = hunt.signins().where(F.col("outcome") == SUCCESS)
    plausible = hunt.mask(plausible_successes(window, members))
    assigned = kept_assignments(hunt, assign_masks(hunt, list(range(1 << len(FEATURES)))))
    return plausible.join(F.broadcast(assigned), ["mask", "cluster_id"])


@hunt_asset(
    ENRICHED_INCIDENTS,
    deps=[CLUSTER_STATISTICS, CLUSTER_FEATURES, PRUNED_CLUSTERS, INCIDENT_MEMBERS],
)
def enriched_incidents(hunt: Hunt) -> tuple[DataFrame, dict[str, Any]]:
    """Put each kept cluster into words."""
    found = _describe_all(hunt)
    metadata: dict[str, Any] = {"incidents": len(found)}
    if found:
        metadata["campaigns"] = table_metadata([_summary(incident) for incident in found])
        metadata["attempts by day"] = dg.MetadataValue.md(_timeline(hunt, found))
    rows = [tuple(asdict(incident).values()) for incident in found]
    return hunt.lake.spark.createDataFrame(rows, ENRICHED_INCIDENTS.schema), metadata


def _summary(incident: Incident) -> dict[str, Any]:
    """One line of the UI's table, whose columns must be few and narrow."""
    return {
        "severity": incident.severity,
        "confidence": incident.confidence_label,
        "accounts tried": incident.users,
        "attempts": incident.attempts,
        "a day": round(incident.attempts_per_day, 1),
        "from": utc(incident.first_activity).date(),
        "to": utc(incident.last_activity).date(),
        "possibly got into": incident.compromised_users[:5],
    }


def _describe_all(hunt: Hunt) -> list[Incident]:
    variation: dict[int, list[FeatureVariation]] = {}
    for row in hunt.rows(CLUSTER_FEATURES):
        variation.setdefault(row["cluster_id"], []).append(FeatureVariation(**row))
    anomalous = {row["cluster_id"]: row["anomalous_features"] for row in hunt.rows(PRUNED_CLUSTERS)}
    successes = _successes_by_incident(hunt)
    found = []
    for row in hunt.rows(CLUSTER_STATISTICS):
        cluster = ClusterStatistics(**row)
        found.append(
            describe(
                hunt.day,
                cluster,
                anomalous[cluster.cluster_id],
                invariants(variation[cluster.cluster_id]),
                spray_tests(cluster),
                successes.get(incident_id(hunt.day, cluster.cluster_id), []),
            )
        )
    return sorted(found, key=lambda i: (SEVERITIES.index(i.severity), -i.confidence, -i.attempts))


def _successes_by_incident(hunt: Hunt) -> dict[str, list[AccountSuccesses]]:
    """Per incident its accounts with a success that follows the pattern, likeliest first."""
    accounts = (
        hunt.result(INCIDENT_MEMBERS)
        # Without a network of the campaign's, most that look like it are travellers.
        .where((F.col("outcome") == SUCCESS) & F.col("network_shared"))
        .groupBy("incident_id", "user")
        .agg(F.count(F.lit(1)).alias("successes"), F.max("score").alias("score"))
    )
    # Bounded: however many a campaign got into, so many names fit an incident.
    rank = F.row_number().over(
        Window.partitionBy("incident_id").orderBy(F.desc("score"), F.desc("successes"), "user")
    )
    rows = accounts.withColumn("rank", rank).where(F.col("rank") <= MAX_LISTED_USERS)
    found: dict[str, list[AccountSuccesses]] = {}
    for row in rows.orderBy("incident_id", "rank").collect():
        account = AccountSuccesses(row["user"], row["successes"])
        found.setdefault(row["incident_id"], []).append(account)
    return found


def _timeline(hunt: Hunt, found: list[Incident]) -> str:
    members = hunt.result(CLUSTER_MEMBERS)
    rows = members.groupBy("cluster_id", F.to_date("time_generated").alias("day")).count().collect()
    counts = {(row["cluster_id"], row["day"]): row["count"] for row in rows}
    first = min(day for _, day in counts)
    days = window_days(hunt.day, (hunt.day - first).days + 1)
    series = {
        f"{incident.severity}: {incident.title}": [
            counts.get((incident.cluster_id, day), 0) for day in days
        ]
        for incident in found
    }
    return plots.attempts_by_day([day.isoformat() for day in days], series)


@dg.asset(
    name=_DOCUMENTS,
    group_name="hunt",
    deps=[ENRICHED_INCIDENTS.name],
    partitions_def=DAYS,
    backfill_policy=SINGLE_RUN,
    description="Each incident as a JSON document, for tools that take one file a case.",
    owners=OWNERS,
    kinds={"json"},
)
def incident_documents(
    context: dg.AssetExecutionContext, lake: LakeResource, parameters: HuntParameters
) -> None:
    """Write the day's incidents, one file each, named by their ids."""
    for day in days_of(context):
        with permanent_failures():
            hunt = Hunt(day, lake.open(), parameters)
            rows = hunt.rows(ENRICHED_INCIDENTS)
            documents = {f"{row['incident_id']}.json": to_json(row, day) for row in rows}
            folder = hunt.lake.write_documents(_DOCUMENTS, day, documents)
        context.add_asset_metadata(
            {"documents": len(documents), "folder": dg.MetadataValue.path(str(folder))},
            partition_key=day.isoformat(),
        )
