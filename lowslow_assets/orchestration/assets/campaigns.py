"""campaigns: the day's kept clusters under the ids that other hunts know them by."""

from datetime import timedelta
from itertools import islice
from typing import Any

from lowslow_assets.detection.identity import (
    MEMORY_DAYS,
    Campaign,
    Candidate,
    fingerprint,
    follow,
)
from lowslow_assets.detection.sightings import calendars, samples
from lowslow_assets.detection.statistics import variation_by_cluster
from lowslow_assets.hunting.history import read_history
from lowslow_assets.hunting.hunt import Hunt
from lowslow_assets.lake.tables import (
    CAMPAIGNS,
    CLUSTER_FEATURES,
    CLUSTER_MEMBERS,
    CLUSTER_STATISTICS,
)
from lowslow_assets.orchestration.assets.declare import table_metadata
from lowslow_assets.orchestration.assets.hunt import Made, hunt_asset

# The nearest hunt knows all that earlier ones knew, unless it was made before them.
_HUNTS_ASKED = 7
_SHOWN_CAMPAIGNS = 50


@hunt_asset(CAMPAIGNS, deps=[CLUSTER_MEMBERS, CLUSTER_STATISTICS, CLUSTER_FEATURES])
def campaigns(hunt: Hunt) -> Made:
    """Follow campaigns over days; no other asset reads its own partitions of other days."""
    days = hunt.lake.days(CAMPAIGNS)
    lookback = hunt.settings.lookback_days
    oldest = hunt.day - timedelta(days=max(MEMORY_DAYS, lookback))
    before = (day for day in reversed(days) if oldest <= day < hunt.day)
    earlier = list(islice(read_history(hunt, before), _HUNTS_ASKED))
    after = (day for day in days if day >= hunt.day)
    later = list(islice(read_history(hunt, after), _HUNTS_ASKED))
    found = follow(hunt.day, _candidates(hunt), earlier, later, lookback)
    asked = [day for day, _ in earlier]
    return found, {
        "earlier hunts asked": ", ".join(map(str, asked)) or "none: it starts afresh",
        "with a candidate": sum(campaign.cluster_id is not None for campaign in found),
        "campaigns": table_metadata([_summary(c) for c in found[:_SHOWN_CAMPAIGNS]]),
    }


def _candidates(hunt: Hunt) -> list[Candidate]:
    clusters = hunt.rows(CLUSTER_STATISTICS)
    if not clusters:
        return []
    variation = variation_by_cluster(hunt.rows(CLUSTER_FEATURES))
    members = hunt.result(CLUSTER_MEMBERS)
    of_days, sample = calendars(members), samples(members)
    found = []
    for row in clusters:
        cluster = row["cluster_id"]
        found.append(
            Candidate(
                cluster_id=cluster,
                users=row["users"],
                first_activity=row["first_activity"],
                last_activity=row["last_activity"],
                earliest_signin=of_days[cluster].earliest_signin,
                attempts_by_day=of_days[cluster].attempts_by_day,
                sample=sample[cluster],
                fingerprint=fingerprint(variation[cluster]),
            )
        )
    return found


def _summary(campaign: Campaign) -> dict[str, Any]:
    """One line of the UI's table."""
    return {
        "campaign": campaign.campaign_id,
        "state": campaign.state,
        "attempts": campaign.attempts,
        "new": campaign.new_attempts,
        "accounts": campaign.users,
        "from": campaign.first_activity.date(),
        "to": campaign.last_activity.date(),
        "known since": campaign.first_hunted,
        "merged into": campaign.merged_into,
        "split from": campaign.split_from,
    }
