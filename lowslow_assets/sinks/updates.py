"""What a sink receives, and what it reports."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol

from lowslow_assets.detection.identity import MERGED

CREATED, UPDATED, COMMENTED, UNCHANGED = "created", "updated", "commented", "unchanged"
FAILED = "failed"
MAX_ENTITIES = 100


@dataclass(frozen=True)
class IncidentUpdate:
    """A campaign as of a hunt's day.

    ``incident`` is its row of ``enriched_incidents``; a campaign that was merged into another has
    none. ``accounts`` (possibly compromised ones first, then those whose password is known) and
    ``addresses`` are in the order of their information, at most ``MAX_ENTITIES`` of each.
    """

    campaign_id: str
    incident: Mapping[str, Any] | None
    merged_into: str | None = None
    split_from: str | None = None
    accounts: Sequence[str] = ()
    addresses: Sequence[str] = ()


@dataclass(frozen=True)
class Delivery:
    """What one sink did; the fields are the columns of the table ``delivered_incidents``."""

    incident_id: str
    sink: str
    action: str
    at: datetime
    detail: str | None = None


class Sink(Protocol):
    """Receives the incidents of a hunt, and may receive them again at any time, in any order."""

    name: str

    def deliver(self, day: date, updates: Sequence[IncidentUpdate]) -> list[Delivery]:
        """Send what is new as of ``day``; an incident that cannot be sent is ``failed``."""
        ...


def delivery(update: IncidentUpdate, sink: str, action: str, detail: str | None = None) -> Delivery:
    """A delivery made now."""
    return Delivery(update.campaign_id, sink, action, datetime.now(UTC), detail)


def make_updates(
    incidents: Iterable[Mapping[str, Any]],
    campaigns: Iterable[Mapping[str, Any]],
    accounts: Mapping[str, Sequence[str]],
    addresses: Mapping[str, Sequence[str]],
) -> list[IncidentUpdate]:
    """One update per incident, then one per merged campaign.

    ``accounts`` and ``addresses`` are by incident.
    """
    by_id = {campaign["campaign_id"]: campaign for campaign in campaigns}
    updates = []
    for incident in incidents:
        id_ = incident["incident_id"]
        known = [each["user"] for each in incident["known_passwords"]]
        named = dict.fromkeys([*incident["compromised_users"], *known, *accounts.get(id_, ())])
        updates.append(
            IncidentUpdate(
                campaign_id=id_,
                incident=incident,
                split_from=by_id[id_]["split_from"],
                accounts=list(named)[:MAX_ENTITIES],
                addresses=list(addresses.get(id_, ()))[:MAX_ENTITIES],
            )
        )
    merged = (campaign for campaign in by_id.values() if campaign["state"] == MERGED)
    return updates + [
        IncidentUpdate(c["campaign_id"], None, merged_into=c["merged_into"]) for c in merged
    ]
