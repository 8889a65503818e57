"""What is known about each incident's addresses: the rows of address_reports, and their sum."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lowslow_assets.enrichment.answers import MALICIOUS

INDICATORS, GEOLOCATION, WHOIS = "indicators", "geolocation", "whois"
"""The sources that are not threat-intelligence providers."""


@dataclass(frozen=True)
class AddressReport:
    """What one provider says about one address of an incident; the columns of ``address_reports``.

    The fields after ``provider`` are those of an answer.
    """

    incident_id: str
    ip_address: str
    rank: int
    provider: str
    verdict: str
    severity: str | None
    details: str | None
    country: str | None
    city: str | None
    latitude: float | None
    longitude: float | None
    looked_up_at: datetime | None
    from_cache: bool
    error: str | None


@dataclass(frozen=True)
class KnownAddress:
    """An address that someone calls malicious, and who does."""

    ip_address: str
    providers: list[str]


@dataclass
class Known:
    """What is known about an incident's addresses: how many were looked up, which are malicious."""

    looked_up: int = 0
    malicious: list[KnownAddress] = field(default_factory=list)


def known_by_incident(rows: Iterable[Mapping[str, Any]]) -> dict[str, Known]:
    """Per incident what rows of ``address_reports`` say, the most informative addresses first.

    An address counts as looked up if a source that gives verdicts answered, even if it only
    answered that it does not know the address.
    """
    looked_up: dict[str, set[str]] = {}
    malicious: dict[str, dict[str, list[str]]] = {}
    for row in sorted(rows, key=lambda row: (row["incident_id"], row["rank"], row["provider"])):
        incident, address = row["incident_id"], row["ip_address"]
        if row["error"] is not None or row["provider"] in (GEOLOCATION, WHOIS):
            continue
        looked_up.setdefault(incident, set()).add(address)
        if row["verdict"] == MALICIOUS:
            of_incident = malicious.setdefault(incident, {})
            of_incident.setdefault(address, []).append(row["provider"])
    return {
        incident: Known(
            len(addresses),
            [KnownAddress(*known) for known in malicious.get(incident, {}).items()],
        )
        for incident, addresses in looked_up.items()
    }
