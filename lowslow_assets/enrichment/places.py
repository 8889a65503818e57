"""Where an address is, if the log does not say. No network."""

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import maxminddb
from iptocc import country_code

from lowslow_assets.enrichment.answers import Address, Answer, EnrichmentError, bounded

IPTOCC = "iptocc"
"""The value that selects, instead of a file, the countries that the package iptocc contains."""


def locate(database: str, addresses: Iterable[Address]) -> dict[Address, Answer]:
    """Where the addresses are.

    ``database`` is a City database (.mmdb), or ``iptocc`` for the country to which each address was
    assigned when the package's version was released. Raises EnrichmentError.
    """
    now = datetime.now(UTC)
    if database == IPTOCC:
        return {a: Answer(country=country_code(str(a)), looked_up_at=now) for a in addresses}
    try:
        with maxminddb.open_database(Path(database).expanduser()) as reader:
            newest = reader.metadata().ip_version
            return {
                a: _place(reader.get(a), now)
                if a.version <= newest
                else Answer(error="the database holds no IPv6", looked_up_at=now)
                for a in addresses
            }
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        raise EnrichmentError(
            f"LOWSLOW_GEO_DATABASE {database!r} cannot be used: {bounded(str(error))}."
        ) from error


def _place(record: Any, now: datetime) -> Answer:
    """The record's place; missing parts are null."""
    location = _part(record, "location")
    return Answer(
        country=_part(record, "country").get("iso_code"),
        city=_part(_part(record, "city"), "names").get("en"),
        latitude=location.get("latitude"),
        longitude=location.get("longitude"),
        looked_up_at=now,
    )


def _part(record: Any, name: str) -> dict[str, Any]:
    part = record.get(name) if isinstance(record, dict) else None
    return part if isinstance(part, dict) else {}
