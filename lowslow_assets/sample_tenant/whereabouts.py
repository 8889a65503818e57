"""Places sign-ins: at the office, at home, on a mobile network, on a proxy.

Each function sets place, asn and address of the given rows, in place.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lowslow_assets.sample_tenant import networks
from lowslow_assets.sample_tenant.people import People
from lowslow_assets.sample_tenant.signins import DAY, HOUR, Rows, blank
from lowslow_assets.sample_tenant.streams import mix, unit
from lowslow_assets.sample_tenant.tenant import Tenant

_OFFICE_PREFIXES, _OFFICE_HOSTS = 3, 4
_MOBILE_CARRIERS = 2
_EGRESS_HOSTS, _CONFERENCE_HOSTS = 4, 6


class Infrastructure(NamedTuple):
    """Addresses that an attacker has for a whole campaign.

    addresses: how many, unless the campaign says.
    per_prefix: how many of them lie in one /24.
    providers, cities: how many AS numbers, and in how many cities; fewer providers than cities is
        a cloud with its regions.
    skew: of how often each is used, the standard deviation of the logarithm.
    """

    addresses: int
    per_prefix: int
    providers: int
    cities: int
    skew: float = 0.0


INFRASTRUCTURE = {
    "rented": Infrastructure(40, per_prefix=5, providers=3, cities=3),
    "server": Infrastructure(1, per_prefix=1, providers=1, cities=1),
    "cloud": Infrastructure(300, per_prefix=3, providers=1, cities=6),
    "exits": Infrastructure(1_200, per_prefix=2, providers=60, cities=60, skew=1.5),
}
"""By `Campaign.sources`; campaigns with "fresh" sources keep no addresses."""


def at_office(rows: Rows, city: Any) -> None:
    """Behind the few fixed addresses of an office."""
    asn = networks.office_asn(city)
    egress = mix(rows["user"], "egress", rows["time"] // DAY)
    pool, host = egress % np.uint64(_OFFICE_PREFIXES), egress % np.uint64(_OFFICE_HOSTS)
    _put(rows, city, asn, networks.v4(asn, city, pool, host))


def at_home(rows: Rows, people: People, tenant: Tenant) -> None:
    """At the user's home, whose IPv4 lease lasts as long as the tenant says; IPv6 /48s stay."""
    user = rows["user"]
    place, asn = people.home[user], people.home_asn[user]
    shortest, longest = tenant.lease_days
    spread = np.uint64(longest - shortest)
    lease_days = shortest + (mix(user, "lease") % spread).astype(np.int64)
    lease = (rows["time"] // DAY + user) // lease_days
    pool = mix(user, "pool", lease % tenant.pools_per_home) % np.uint64(tenant.home_pools)
    _put(rows, place, asn, networks.v4(asn, place, pool, mix(user, lease)))
    _upgrade(rows, people.ipv6[user], mix(user, "site"), user)


def on_mobile(rows: Rows, city: Any, ipv6: npt.NDArray[np.bool_], pools: int) -> None:
    """On a mobile carrier near a city, with another pooled address every few hours."""
    asn = networks.provider(
        "mobile", city, mix(rows["user"], "carrier") % np.uint64(_MOBILE_CARRIERS)
    )
    lease = mix(rows["user"], "mobile", rows["time"] // (4 * HOUR))
    pool = lease % np.uint64(pools)
    _put(rows, city, asn, networks.v4(asn, city, pool, lease))
    _upgrade(rows, ipv6, pool, lease)


def at_hotspot(rows: Rows, city: Any) -> None:
    """In a cafe, a train or at a friend's: on a provider's line that no other user is on."""
    number = mix(rows["key"], "hotspot") % np.uint64(networks.NATIONAL_PROVIDERS)
    asn = networks.provider("national", city, number)
    line = mix(rows["key"], "hotspot line")
    _put(rows, city, asn, networks.v4(asn, city, line, line))


def at_hotel(rows: Rows, city: Any, room: Any, pools: int) -> None:
    """At a hotel, on the line of a national provider; `room` numbers the stay."""
    number = mix(room, "provider") % np.uint64(networks.NATIONAL_PROVIDERS)
    asn = networks.provider("national", city, number)
    _put(rows, city, asn, networks.v4(asn, city, mix(room) % np.uint64(pools), room))


def at_conference(rows: Rows, city: int) -> None:
    """On the Wi-Fi of one hotel, whose guests share a few addresses."""
    asn = networks.provider("national", city, 0)
    host = mix(rows["user"], "conference") % np.uint64(_CONFERENCE_HOSTS)
    _put(rows, city, asn, networks.v4(asn, city, mix("conference"), host))


def behind_egress(rows: Rows) -> None:
    """Behind a security service: all offices share a few addresses of its one network."""
    asn = networks.provider("security", 0, 0)
    host = mix(rows["user"], "security", rows["time"] // DAY) % np.uint64(_EGRESS_HOSTS)
    place = rows["place"]
    _put(rows, place, asn, networks.v4(asn, place, 0, host))


def behind_vpn(rows: Rows, city: Any) -> None:
    """Behind an exit node of a VPN service: a hosting company's few addresses."""
    asn = networks.provider("vpn", city, 0)
    host = mix(rows["key"], "exit") % np.uint64(6)
    _put(rows, city, asn, networks.v4(asn, city, host % np.uint64(2), host))


def on_proxy(rows: Rows, city: Any, ipv6: bool = False) -> None:
    """On a rented proxy: an address of its own, in most cases with a small provider."""
    kind = unit(rows["key"], "proxy") < 0.75
    number = mix(rows["key"], "proxy provider")
    small = networks.provider("small", city, number % np.uint64(networks.SMALL_PROVIDERS))
    large = networks.provider("national", city, number % np.uint64(networks.NATIONAL_PROVIDERS))
    asn = np.where(kind, small, large)
    _put(rows, city, asn, networks.v4(asn, city, mix(rows["key"], "pool"), rows["key"]))
    if ipv6:
        rows["address"] = networks.v6(asn, mix(rows["key"], "site"), rows["key"])


def from_few(rows: Rows, city: int, count: int, rng: np.random.Generator) -> None:
    """All from a few addresses, rented in one city."""
    sources = blank(count, rng)
    on_proxy(sources, city)
    which = rng.integers(0, count, len(rows))
    _put(rows, *(sources[column][which] for column in ("place", "asn", "address")))


def from_infrastructure(
    rows: Rows, cities: Any, kind: str, addresses: int | None, rng: np.random.Generator
) -> None:
    """From addresses that an attacker keeps, in the networks of their kind."""
    shape = INFRASTRUCTURE[kind]
    count = addresses or shape.addresses
    number = np.arange(count)
    prefixes = -(-count // shape.per_prefix)
    prefix = number % prefixes
    seats = rng.choice(cities, shape.cities)
    companies = rng.integers(0, 2**32, shape.providers)
    asn = networks.provider("hosting", seats[: shape.providers], companies)
    asn, place = asn[prefix % shape.providers], seats[prefix % shape.cities]
    first = networks.v4(asn, place, prefix, prefix)
    # Neighbours, as a customer gets them, and no two the same.
    host = (first + (number // prefixes).astype(np.uint64)) % np.uint64(254)
    address = (first & ~np.uint64(255)) | (np.uint64(1) + host)
    weight = rng.lognormal(0, shape.skew, count)
    which = rng.choice(count, len(rows), p=weight / weight.sum())
    _put(rows, place[which], asn[which], address[which])


def _put(rows: Rows, place: Any, asn: Any, address: Any) -> None:
    rows["place"], rows["asn"], rows["address"] = place, asn, address


def _upgrade(rows: Rows, chosen: npt.NDArray[np.bool_], customer: Any, subnet: Any) -> None:
    """Give the chosen rows an IPv6 address in place of the IPv4 one."""
    address = networks.v6(rows["asn"], customer, subnet)
    rows["address"] = np.where(chosen, address, rows["address"])
