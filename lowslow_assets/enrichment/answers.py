"""What a source says about an address: the words and the bounds that all of them share."""

from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address

MALICIOUS, SUSPICIOUS, CLEAN, UNKNOWN = "malicious", "suspicious", "clean", "unknown"
VERDICTS = (MALICIOUS, SUSPICIOUS, CLEAN, UNKNOWN)
"""The verdicts, the worst first."""
NOT_PUBLIC = "not looked up: not a public address"
_TEXT_LENGTH = 500


class EnrichmentError(Exception):
    """A setting of the enrichment cannot be used."""


@dataclass(frozen=True)
class Answer:
    """What one source says about one address.

    The verdict is ``clean`` only if the source vouches for the address, and ``unknown`` if it has
    no report or failed; ``error`` is the reason for a failure. ``looked_up_at`` (UTC) is when the
    source itself was asked, also for a cached answer; None if it never was.
    """

    verdict: str = UNKNOWN
    severity: str | None = None
    details: str | None = None
    country: str | None = None
    city: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    looked_up_at: datetime | None = None
    from_cache: bool = False
    error: str | None = None


def parse_address(text: str) -> Address | None:
    """The address, or None if the text is not one; IPv4 that is written as IPv6 becomes IPv4."""
    try:
        address = ip_address(text.strip())
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_public(address: Address) -> bool:
    """Whether it may be sent to others: a public address."""
    # A 6to4 address holds an IPv4 address, which can be a private one.
    inner = getattr(address, "sixtofour", None)
    return all(a.is_global and not a.is_multicast for a in (address, inner) if a is not None)


def bounded(text: str) -> str:
    """A text of others as one line without control characters, cut to 500 characters."""
    cut = text if len(text) <= _TEXT_LENGTH else f"{text[: _TEXT_LENGTH - 3]}..."
    return "".join(c if c.isprintable() else "?" for c in cut)
