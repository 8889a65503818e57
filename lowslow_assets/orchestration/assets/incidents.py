"""incident_members, enriched_incidents and their JSON documents."""

from typing import Any

import dagster as dg
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lowslow_assets.detection.entries import (
    MIN_ENTRY_PROBABILITY,
    TRAIT_COLUMNS,
    count_traits,
    entry_probability,
    evidence,
    lone_prefixes,
    trait_key,
    with_news,
    with_traits,
)
from lowslow_assets.detection.identity import Campaign
from lowslow_assets.detection.spray_tests import (
    confidence,
    invariants,
    spray_tests,
    strays_a_day,
)
from lowslow_assets.detection.statistics import ClusterStatistics
from lowslow_assets.enrichment.reports import Known, known_by_incident
from lowslow_assets.lake.lake import window_days
from lowslow_assets.lake.tables import (
    ADDRESS_REPORTS,
    CAMPAIGNS,
    CATEGORY_COUNTS,
    CLUSTER_FEATURES,
    CLUSTER_MEMBERS,
    CLUSTER_STATISTICS,
    ENCODED_FEATURES,
    ENRICHED_INCIDENTS,
    EXPLAINED_FAILURES,
    FEATURE_BASELINE,
    INCIDENT_MEMBERS,
    PRUNED_CLUSTERS,
    SUCCESS_SOURCES,
)
from lowslow_assets.orchestration.assets.clusters import resolved_a_day, variation_by_cluster
from lowslow_assets.orchestration.assets.declare import table_metadata
from lowslow_assets.orchestration.assets.hunt import Hunt, Made, document_asset, hunt_asset
from lowslow_assets.reports import plots
from lowslow_assets.reports.wording import (
    MAX_LISTED_USERS,
    SEVERITIES,
    Entry,
    Incident,
    describe,
    to_json,
    with_known_addresses,
)
from lowslow_assets.signins.dataframes import held, utc
from lowslow_assets.signins.features import FAILURE, SUCCESS


@hunt_asset(
    INCIDENT_MEMBERS,
    deps=[
        CAMPAIGNS,
        CLUSTER_MEMBERS,
        CLUSTER_STATISTICS,
        ENCODED_FEATURES,
        SUCCESS_SOURCES,
        FEATURE_BASELINE,
        CATEGORY_COUNTS,
    ],
)
def incident_members(hunt: Hunt) -> Made:
    """The kept clusters' failures, and the successes with which they may have got in."""
    members = hunt.result(CLUSTER_MEMBERS)
    clusters = hunt.rows(CLUSTER_STATISTICS)
    ids = [(c.cluster_id, c.campaign_id) for c in _campaigns(hunt) if c.cluster_id is not None]
    of_cluster = hunt.lake.spark.createDataFrame(ids, "cluster_id int, incident_id string")
    rows = members.withColumnRenamed("assignment_probability", "score").withColumns(
        {
            "outcome": F.lit(FAILURE),
            "evidence": F.lit(None).cast("string"),
            "exported": F.lit(None).cast("date"),
        }
    )
    # The notebook promises this step and does not have it.
    if clusters and not hunt.of_notebook:
        times = hunt.lake.spark.createDataFrame(
            [(row["cluster_id"], row["first_activity"], row["last_activity"]) for row in clusters],
            "cluster_id int, first timestamp, last timestamp",
        )
        rows = rows.unionByName(_entries(hunt, members, times), allowMissingColumns=True)
    in_order = (
        rows.join(F.broadcast(of_cluster), "cluster_id")
        .repartition(1)
        .sortWithinPartitions("incident_id", "outcome", "time_generated", "signin_id")
    )
    return in_order, {}


def _campaigns(hunt: Hunt) -> list[Campaign]:
    return [Campaign.from_row(row) for row in hunt.rows(CAMPAIGNS)]


def _entries(hunt: Hunt, members: DataFrame, times: DataFrame) -> DataFrame:
    """Lone visits that are likelier a campaign's than a traveller's, each with one campaign."""
    successes = hunt.signins().where(F.col("outcome") == SUCCESS)
    visits = hunt.mask(_visits(hunt, successes, times))
    attempts = members.withColumn("outcome", F.lit(FAILURE))
    of_visit = F.col("outcome") == SUCCESS
    judged = held(visits.unionByName(attempts, allowMissingColumns=True))
    tries = F.count_if(~of_visit).over(Window.partitionBy("cluster_id", "user"))
    rows = (
        with_news(judged, successes)
        .where("new_network OR outcome = 'failure'")
        # An attempt is not what makes its own account one that had been tried.
        .withColumn("tried", tries > F.when(of_visit, 0).otherwise(1))
    )
    seen = with_traits(rows).persist()
    probability = _entry_probabilities(hunt, seen)
    # Sign-ins of one visit are one entry: as likely as the likeliest of them.
    of_campaign = Window.partitionBy("cluster_id", "ip_prefix")
    likeliest = F.max_by("cluster_id", F.struct("score", -F.col("cluster_id")))
    entries = (
        seen.where(of_visit)
        .join(F.broadcast(probability), ["cluster_id", *TRAIT_COLUMNS])
        .withColumn("score", F.max("probability").over(of_campaign))
        .where(F.col("score") >= MIN_ENTRY_PROBABILITY)
        .withColumn("likeliest", likeliest.over(Window.partitionBy("ip_prefix")))
        .where(F.col("cluster_id") == F.col("likeliest"))
        .withColumn("evidence", evidence())
    )
    kept = members.drop("assignment_probability").columns
    return entries.select(*kept, "score", "outcome", "evidence", F.col("date").alias("exported"))


def _visits(hunt: Hunt, successes: DataFrame, times: DataFrame) -> DataFrame:
    """Lone visits while a campaign went on, once for each such campaign."""
    of_campaign = lone_prefixes(hunt.sources()).crossJoin(F.broadcast(times))
    in_time = F.col("first_success").between(
        F.col("first"), F.col("last") + F.expr("INTERVAL 1 DAY")
    )
    prefixes = held(of_campaign.where(in_time).select("ip_prefix", "cluster_id"))
    return held(successes.join(prefixes, "ip_prefix"))


def _entry_probabilities(hunt: Hunt, rows: DataFrame) -> DataFrame:
    """Per cluster and combination of traits, the probability of an entry."""
    counts: dict[str, dict[int, dict[tuple[int, ...], int]]] = {FAILURE: {}, SUCCESS: {}}
    # In order: sums in another order end in other last digits.
    for row in count_traits(rows).orderBy("cluster_id", *TRAIT_COLUMNS).collect():
        of_outcome = counts[row["outcome"]].setdefault(row["cluster_id"], {})
        of_outcome[trait_key(row.asDict())] = row["number"]
    found = [
        (cluster, *traits, probability)
        for cluster, visited in counts[SUCCESS].items()
        for traits, probability in entry_probability(counts[FAILURE][cluster], visited).items()
    ]
    columns = ", ".join(f"{column} int" for column in TRAIT_COLUMNS)
    return hunt.lake.spark.createDataFrame(found, f"cluster_id int, {columns}, probability double")


@hunt_asset(
    ENRICHED_INCIDENTS,
    deps=[
        CAMPAIGNS,
        CLUSTER_MEMBERS,
        CLUSTER_STATISTICS,
        CLUSTER_FEATURES,
        PRUNED_CLUSTERS,
        EXPLAINED_FAILURES,
        INCIDENT_MEMBERS,
        ADDRESS_REPORTS,
    ],
)
def enriched_incidents(hunt: Hunt) -> Made:
    """Put each kept cluster into words."""
    found = _describe_all(hunt)
    metadata: dict[str, Any] = {"incidents": len(found)}
    if found:
        metadata["campaigns"] = table_metadata([_summary(incident) for incident in found])
        metadata["attempts by day"] = dg.MetadataValue.md(_timeline(hunt, found))
    return found, metadata


def _summary(incident: Incident) -> dict[str, Any]:
    """One line of the UI's table, whose columns must be few and narrow."""
    return {
        "severity": incident.severity,
        "state": incident.state,
        "confidence": incident.confidence_label,
        "accounts tried": incident.users,
        "attempts": incident.attempts,
        "new": incident.new_attempts,
        "a day": round(incident.attempts_per_day, 1),
        "from": utc(incident.first_activity).date(),
        "to": utc(incident.last_activity).date(),
        "possibly got into": incident.compromised_users[:5],
    }


def _describe_all(hunt: Hunt) -> list[Incident]:
    variation = variation_by_cluster(hunt)
    odd = {row["cluster_id"]: row["anomalous_features"] for row in hunt.rows(PRUNED_CLUSTERS)}
    entries, campaigns = _entries_by_incident(hunt), _campaigns(hunt)
    of_cluster = {campaign.cluster_id: campaign for campaign in campaigns}
    resolved = resolved_a_day(hunt)
    found = []
    for row in hunt.rows(CLUSTER_STATISTICS):
        cluster = ClusterStatistics(**row)
        unusual = odd[cluster.cluster_id]
        campaign = of_cluster[cluster.cluster_id]
        strays = strays_a_day(resolved, len(unusual))
        found.append(
            describe(
                campaign,
                [c.campaign_id for c in campaigns if c.merged_into == campaign.campaign_id],
                cluster,
                unusual,
                invariants(variation[cluster.cluster_id]),
                spray_tests(cluster, strays),
                confidence(cluster, strays),
                entries.get(campaign.campaign_id, []),
            )
        )
    known = known_by_incident(hunt.rows(ADDRESS_REPORTS))
    found = [with_known_addresses(i, known.get(i.incident_id, Known())) for i in found]
    return sorted(found, key=lambda i: (SEVERITIES.index(i.severity), -i.confidence, -i.attempts))


def _entries_by_incident(hunt: Hunt) -> dict[str, list[Entry]]:
    """Per incident the accounts it may have got into, likeliest first."""
    accounts = (
        hunt.result(INCIDENT_MEMBERS)
        .where(F.col("outcome") == SUCCESS)
        .groupBy("incident_id", "user")
        .agg(
            F.max("score").alias("probability"),
            F.min("time_generated").alias("first_success"),
            F.min("exported").alias("exported"),
            F.count(F.lit(1)).alias("successes"),
            F.min_by("evidence", F.struct(-F.col("score"), "time_generated")).alias("evidence"),
        )
    )
    # Bounded: however many a campaign got into, so many names fit an incident.
    likeliest = Window.partitionBy("incident_id").orderBy(
        F.desc("probability"), "first_success", "user"
    )
    rows = accounts.withColumn("rank", F.row_number().over(likeliest)).where(
        F.col("rank") <= MAX_LISTED_USERS
    )
    found: dict[str, list[Entry]] = {}
    for row in rows.orderBy("incident_id", "rank").drop("rank").collect():
        values: dict[str, Any] = row.asDict()
        values["first_success"] = utc(row["first_success"])
        found.setdefault(values.pop("incident_id"), []).append(Entry(**values))
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


@document_asset(
    "incident_documents",
    "json",
    "Each incident as a JSON document, for tools that take one file a case.",
    deps=[ENRICHED_INCIDENTS],
)
def incident_documents(hunt: Hunt) -> dict[str, str]:
    """The day's incidents, one file each, named by their ids."""
    rows = hunt.rows(ENRICHED_INCIDENTS)
    return {f"{row['incident_id']}.json": to_json(row, hunt.day) for row in rows}
