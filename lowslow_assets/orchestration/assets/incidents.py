"""incident_members, enriched_incidents and their JSON documents."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg

from lowslow_assets.detection.accounts import known_passwords
from lowslow_assets.detection.entries import compromised_accounts
from lowslow_assets.detection.gathering import tools_of_campaigns
from lowslow_assets.detection.identity import Campaign
from lowslow_assets.detection.pruning import Cluster
from lowslow_assets.detection.sightings import Calendar, calendars
from lowslow_assets.detection.spray_tests import invariants
from lowslow_assets.detection.statistics import (
    ClusterStatistics,
    FeatureVariation,
    variation_by_cluster,
)
from lowslow_assets.engines.base import Relation
from lowslow_assets.enrichment.reports import Known, known_by_incident
from lowslow_assets.hunting.entries import ENTRIES, find_entries, signins_of_incidents
from lowslow_assets.hunting.hunt import Hunt
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
    FEATURE_BASELINE,
    INCIDENT_MEMBERS,
    PRUNED_CLUSTERS,
    SUCCESS_SOURCES,
    USER_NAMES,
)
from lowslow_assets.orchestration.assets.declare import table_metadata
from lowslow_assets.orchestration.assets.hunt import Made, document_asset, hunt_asset
from lowslow_assets.reports import plots
from lowslow_assets.reports.wording import (
    MAX_LISTED_USERS,
    SEVERITIES,
    Entry,
    Incident,
    KnownPassword,
    describe,
    to_json,
    with_known_addresses,
)
from lowslow_assets.signins.outcomes import stopped_by


@hunt_asset(
    INCIDENT_MEMBERS,
    deps=[
        CAMPAIGNS,
        CLUSTER_MEMBERS,
        CLUSTER_STATISTICS,
        ENCODED_FEATURES,
        SUCCESS_SOURCES,
        USER_NAMES,
        FEATURE_BASELINE,
        CATEGORY_COUNTS,
    ],
)
def incident_members(hunt: Hunt) -> Made:
    """The kept clusters' attempts and entries."""
    members, campaigns = hunt.result(CLUSTER_MEMBERS), hunt.result(CAMPAIGNS)
    # The notebook announces this step, but lacks it.
    if hunt.settings.of_notebook or not hunt.rows(CLUSTER_STATISTICS):
        entries = members.engine.from_arrow(ENTRIES.empty_table())
    else:
        clusters = hunt.result(CLUSTER_STATISTICS)
        tools = tools_of_campaigns(members, hunt.window_counts()).held()
        entries = find_entries(members, hunt.signins(), hunt.sources(), clusters, tools, hunt.mask)
    return signins_of_incidents(members, entries, campaigns), {}


@hunt_asset(
    ENRICHED_INCIDENTS,
    deps=[
        CAMPAIGNS,
        CLUSTER_MEMBERS,
        CLUSTER_STATISTICS,
        CLUSTER_FEATURES,
        PRUNED_CLUSTERS,
        INCIDENT_MEMBERS,
        ADDRESS_REPORTS,
    ],
)
def enriched_incidents(hunt: Hunt) -> Made:
    """Put each kept cluster into words."""
    described = _describe_all(
        [ClusterStatistics(**row) for row in hunt.rows(CLUSTER_STATISTICS)],
        [Cluster.from_row(row) for row in hunt.rows(PRUNED_CLUSTERS)],
        variation_by_cluster(hunt.rows(CLUSTER_FEATURES)),
        [Campaign.from_row(row) for row in hunt.rows(CAMPAIGNS)],
        _entries_by_incident(hunt.result(INCIDENT_MEMBERS)),
        _known_by_incident(hunt.result(INCIDENT_MEMBERS)),
    )
    known = known_by_incident(hunt.rows(ADDRESS_REPORTS))
    found = [with_known_addresses(i, known.get(i.incident_id, Known())) for i in described]
    metadata: dict[str, Any] = {"incidents": len(found)}
    if found:
        metadata["campaigns"] = table_metadata([_summary(incident) for incident in found])
        timeline = _timeline(hunt.day, found, calendars(hunt.result(CLUSTER_MEMBERS)))
        metadata["attempts by day"] = dg.MetadataValue.md(timeline)
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
        "from": incident.first_activity.date(),
        "to": incident.last_activity.date(),
        "possibly compromised": incident.compromised_users[:5],
        "password known": [each.user for each in incident.known_passwords[:5]],
    }


def _describe_all(
    statistics: Iterable[ClusterStatistics],
    clusters: Iterable[Cluster],
    variation: Mapping[int, list[FeatureVariation]],
    campaigns: Sequence[Campaign],
    entries: Mapping[str, list[Entry]],
    known: Mapping[str, list[KnownPassword]],
) -> list[Incident]:
    """One incident per kept cluster, the most severe first."""
    judged = {cluster.cluster_id: cluster for cluster in clusters}
    of_cluster = {campaign.cluster_id: campaign for campaign in campaigns}
    found = []
    for size in statistics:
        cluster, campaign = judged[size.cluster_id], of_cluster[size.cluster_id]
        found.append(
            describe(
                campaign,
                [c.campaign_id for c in campaigns if c.merged_into == campaign.campaign_id],
                size,
                cluster.anomalous_features,
                invariants(variation[size.cluster_id]),
                cluster.tests,
                cluster.confidence or 0.0,
                entries.get(campaign.campaign_id, []),
                known.get(campaign.campaign_id, []),
            )
        )
    return sorted(
        found,
        key=lambda i: (SEVERITIES.index(i.severity), -i.confidence, -i.attempts, i.cluster_id),
    )


def _entries_by_incident(members: Relation) -> dict[str, list[Entry]]:
    """Per incident the accounts it may have compromised, the most likely first."""
    found: dict[str, list[Entry]] = {}
    for row in compromised_accounts(members, MAX_LISTED_USERS).rows():
        found.setdefault(row.pop("incident_id"), []).append(Entry(**row))
    return found


def _known_by_incident(members: Relation) -> dict[str, list[KnownPassword]]:
    """Per incident the other accounts whose password it knows, the earliest first."""
    found: dict[str, list[KnownPassword]] = {}
    for row in known_passwords(members, MAX_LISTED_USERS).rows():
        of_incident = found.setdefault(row.pop("incident_id"), [])
        of_incident.append(KnownPassword(**row, stopped_by=stopped_by(row["result_type"])))
    return found


def _timeline(day: date, found: Iterable[Incident], attempts: Mapping[int, Calendar]) -> str:
    """The incidents' attempts by day, from the first of all to ``day``."""
    counts = [(incident, attempts[incident.cluster_id].attempts_by_day) for incident in found]
    first = min(min(by_day) for _, by_day in counts)
    days = window_days(day, (day - first).days + 1)
    series = {
        f"{incident.severity}: {incident.title}": [by_day.get(each, 0) for each in days]
        for incident, by_day in counts
    }
    return plots.attempts_by_day([each.isoformat() for each in days], series)


@document_asset(
    "incident_documents",
    "json",
    "Each incident as a JSON document, for tools that read one file per case.",
    deps=[ENRICHED_INCIDENTS],
)
def incident_documents(hunt: Hunt) -> dict[str, str]:
    """The day's incidents, one file each, named by their ids."""
    rows = hunt.rows(ENRICHED_INCIDENTS)
    return {f"{row['incident_id']}.json": to_json(row, hunt.day) for row in rows}
