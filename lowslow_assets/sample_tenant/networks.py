"""Providers, their numbers and their addresses, all computed and not stored.

An address is one 64-bit number: below 2**32 it is IPv4, otherwise the upper half of an IPv6 address
(the lower half follows from it). Addresses look public and belong to nobody in particular. A
provider's prefixes follow from its AS number and the city, so each prefix is in one city.
"""

import ipaddress
from typing import Any

import numpy as np
import numpy.typing as npt

from lowslow_assets.sample_tenant.cities import COUNTRY
from lowslow_assets.sample_tenant.streams import Bits, mix

NATIONAL_PROVIDERS = 4
"""Large internet providers in each country, which people's homes and hotels use."""
SMALL_PROVIDERS = 12
"""Small providers and hosting companies in each country, which rent out proxies."""

# First octets that are unicast, public and not reserved.
_FIRST_OCTETS = np.array(
    [n for n in range(2, 224) if n not in (10, 100, 127, 169, 172, 192, 198, 203)], dtype=np.uint64
)
Numbers = npt.NDArray[np.int64]


def provider(kind: str, place: Any, number: Any) -> Numbers:
    """AS number of a country's `number`-th provider of a kind, at these places."""
    return _as_number(mix("provider", kind, COUNTRY[place], number))


def office_asn(place: Any) -> Numbers:
    """AS number of the line of the office in a city."""
    return _as_number(mix("office", place))


def v4(asn: Any, place: Any, pool: Any, host: Any) -> Bits:
    """IPv4 addresses: the provider's `pool`-th /24 prefix in a city, and a host in it."""
    bits = mix("prefix", asn, place, pool)
    octet = _FIRST_OCTETS[bits % np.uint64(len(_FIRST_OCTETS))]
    last = np.uint64(1) + mix(host) % np.uint64(254)
    return (octet << np.uint64(24)) | ((bits >> np.uint64(40)) & np.uint64(0xFFFF00)) | last


def v6(asn: Any, customer: Any, subnet: Any) -> Bits:
    """IPv6 addresses (upper 64 bits): /32 from the provider, /48 from the customer."""
    network = np.uint64(0x2A000000) | (mix("v6", asn) & np.uint64(0x00FFFFFF))
    site = mix("site", asn, customer) & np.uint64(0xFFFF)
    return (network << np.uint64(32)) | (site << np.uint64(16)) | (mix(subnet) & np.uint64(0xFFFF))


def text(address: int) -> str:
    """The address as it is written in a log."""
    if address < 2**32:
        return f"{address >> 24}.{address >> 16 & 255}.{address >> 8 & 255}.{address & 255}"
    return str(ipaddress.IPv6Address(address << 64 | int(mix(address, "interface"))))


def _as_number(bits: Bits) -> Numbers:
    return (np.uint64(3_000) + bits % np.uint64(390_000)).astype(np.int64)
