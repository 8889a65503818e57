"""case_pages: a campaign, and a day's hunt, as pages for people."""

from collections import defaultdict
from typing import Any

import pyarrow.compute as pc

from lowslow_assets.engines.base import Relation
from lowslow_assets.hunting.hunt import Hunt
from lowslow_assets.lake.tables import (
    CLUSTER_FEATURES,
    CLUSTER_STATISTICS,
    ENRICHED_INCIDENTS,
    EXPLAINED_FAILURES,
    FAILURE,
    HUNTING_RULES,
    INCIDENT_MEMBERS,
    MASK_PATTERNS,
    NODATA,
    PRUNED_CLUSTERS,
    SUCCESS,
    SUCCESS_HOURS,
    SUCCESS_LOCATIONS,
)
from lowslow_assets.orchestration.assets.hunt import document_asset
from lowslow_assets.reports import activity
from lowslow_assets.reports.pages.campaign_page import (
    CampaignPage,
    Cell,
    Hours,
    HuntDay,
    Place,
    Window,
)
from lowslow_assets.reports.pages.render import render_campaign, render_day

_INPUTS = (
    ENRICHED_INCIDENTS,
    INCIDENT_MEMBERS,
    CLUSTER_STATISTICS,
    CLUSTER_FEATURES,
    PRUNED_CLUSTERS,
    EXPLAINED_FAILURES,
    MASK_PATTERNS,
    HUNTING_RULES,
    SUCCESS_HOURS,
    SUCCESS_LOCATIONS,
)


@document_asset(
    "case_pages",
    "html",
    "One page per campaign and one for the day, to be opened in a browser: self-contained, "
    "for analysts.",
    deps=_INPUTS,
    counted="pages",
    entry="index.html",
    shown_at=ENRICHED_INCIDENTS,
)
def case_pages(hunt: Hunt) -> dict[str, str]:
    """The day's pages: index.html, and one named by the id of each incident."""
    window = _window(hunt)
    campaigns = _campaigns(hunt, window)
    pages = {f"{page.incident['incident_id']}.html": render_campaign(page) for page in campaigns}
    return pages | {"index.html": render_day(_hunt_day(hunt, window, campaigns))}


def _window(hunt: Hunt) -> Window:
    return Window(
        day=hunt.day,
        lookback_days=hunt.settings.lookback_days,
        days=hunt.ingested_days(),
        successes={row["hour"]: row["successes"] for row in hunt.rows(SUCCESS_HOURS)},
        success_places=[
            _place(row, row["successes"])
            for row in hunt.rows(SUCCESS_LOCATIONS)
            if row["latitude"] is not None and row["longitude"] is not None
        ],
    )


def _hunt_day(hunt: Hunt, window: Window, campaigns: list[CampaignPage]) -> HuntDay:
    explanations = [row for row in hunt.rows(EXPLAINED_FAILURES) if row["example"] is None]
    explained = sum(row["failures"] for row in explanations)
    suspects = sum(row["failures"] for row in hunt.rows(MASK_PATTERNS))
    return HuntDay(
        window=window,
        failures=explained + suspects,
        suspects=suspects,
        explanations=explanations,
        clusters=hunt.rows(PRUNED_CLUSTERS),
        campaigns=campaigns,
    )


def _campaigns(hunt: Hunt, window: Window) -> list[CampaignPage]:
    incidents = hunt.rows(ENRICHED_INCIDENTS)
    if not incidents:
        return []
    members = hunt.result(INCIDENT_MEMBERS)
    hours = _by_incident(activity.by_hour(members))
    places = _by_incident(activity.by_place(members))
    pairs = _by_incident(activity.by_user_and_network(members))
    newest = activity.newest(members)
    statistics = {row["cluster_id"]: row for row in hunt.rows(CLUSTER_STATISTICS)}
    features, rules = hunt.rows(CLUSTER_FEATURES), hunt.rows(HUNTING_RULES)
    found = []
    for incident in incidents:
        key, cluster = incident["incident_id"], incident["cluster_id"]
        found.append(
            CampaignPage(
                window=window,
                incident=incident,
                statistics=statistics[cluster],
                features=[row for row in features if row["cluster_id"] == cluster],
                rules=[row for row in rules if row["incident_id"] == key],
                attempts=_hours(hours[key], FAILURE),
                entries=_hours(hours[key], SUCCESS),
                attempt_places=_places(places[key], FAILURE),
                entry_places=_places(places[key], SUCCESS),
                matrix=[Cell(**row) for row in pairs[key]],
                members=newest.filter(pc.field("incident_id") == key).drop_columns("incident_id"),
            )
        )
    return found


def _by_incident(relation: Relation) -> dict[str, list[dict[str, Any]]]:
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in relation.rows():
        found[row.pop("incident_id")].append(row)
    return found


def _hours(rows: list[dict[str, Any]], outcome: str) -> Hours:
    return {row["hour"]: row["signins"] for row in rows if row["outcome"] == outcome}


def _places(rows: list[dict[str, Any]], outcome: str) -> list[Place]:
    return [_place(row, row["signins"]) for row in rows if row["outcome"] == outcome]


def _place(row: dict[str, Any], signins: int) -> Place:
    # A city that is its own state is named once.
    known = dict.fromkeys(row[part] for part in ("city", "state", "Location"))
    name = ", ".join(part for part in known if part != NODATA)
    return Place(name or "unnamed", row["latitude"], row["longitude"], signins)
