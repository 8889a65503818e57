"""Puts sign-ins somewhere: at the office, at home, on a mobile network, on a proxy.

Each function fills place, asn and address of the rows it is given, in place.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from lowslow_assets.sample_tenant import networks
from lowslow_assets.sample_tenant.people import People
from lowslow_assets.sample_tenant.signins import DAY, HOUR, Rows, blank
from lowslow_assets.sample_tenant.streams import mix, unit

_OFFICE_PREFIXES, _OFFICE_HOSTS = 3, 4
_HOME_POOLS, _MOBILE_POOLS, _MOBILE_CARRIERS = 30, 16, 2


def at_office(rows: Rows, city: Any) -> None:
    """Behind the few fixed addresses through which an office reaches the internet."""
    asn = networks.office_asn(city)
    egress = mix(rows["user"], "egress", rows["time"] // DAY)
    pool, host = egress % np.uint64(_OFFICE_PREFIXES), egress % np.uint64(_OFFICE_HOSTS)
    _put(rows, city, asn, networks.v4(asn, city, pool, host))


def at_home(rows: Rows, people: People) -> None:
    """At the user's home, whose IPv4 lease lasts two weeks to two months; IPv6 /48s stay."""
    user = rows["user"]
    place, asn = people.home[user], people.home_asn[user]
    lease_days = 14 + (mix(user, "lease") % np.uint64(46)).astype(np.int64)
    lease = (rows["time"] // DAY + user) // lease_days
    pool = mix(user, "pool", lease % 2) % np.uint64(_HOME_POOLS)
    _put(rows, place, asn, networks.v4(asn, place, pool, mix(user, lease)))
    _upgrade(rows, people.ipv6[user], mix(user, "site"), user)


def on_mobile(rows: Rows, city: Any, ipv6: npt.NDArray[np.bool_]) -> None:
    """On a mobile carrier near a city, with another pooled address every few hours."""
    asn = networks.provider(
        "mobile", city, mix(rows["user"], "carrier") % np.uint64(_MOBILE_CARRIERS)
    )
    lease = mix(rows["user"], "mobile", rows["time"] // (4 * HOUR))
    pool = lease % np.uint64(_MOBILE_POOLS)
    _put(rows, city, asn, networks.v4(asn, city, pool, lease))
    _upgrade(rows, ipv6, pool, lease)


def at_hotel(rows: Rows, city: Any, room: Any) -> None:
    """At a hotel, on the line of a national provider; `room` numbers the stay."""
    number = mix(room, "provider") % np.uint64(networks.NATIONAL_PROVIDERS)
    asn = networks.provider("national", city, number)
    _put(rows, city, asn, networks.v4(asn, city, mix(room) % np.uint64(_HOME_POOLS), room))


def behind_vpn(rows: Rows, city: Any) -> None:
    """Behind an exit node of a VPN service: a hosting company's few addresses."""
    asn = networks.provider("vpn", city, 0)
    host = mix(rows["key"], "exit") % np.uint64(6)
    _put(rows, city, asn, networks.v4(asn, city, host % np.uint64(2), host))


def on_proxy(rows: Rows, city: Any, ipv6: bool = False) -> None:
    """On a rented proxy: an address of its own, mostly with a small provider."""
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


def _put(rows: Rows, place: Any, asn: Any, address: Any) -> None:
    rows["place"], rows["asn"], rows["address"] = place, asn, address


def _upgrade(rows: Rows, chosen: npt.NDArray[np.bool_], customer: Any, subnet: Any) -> None:
    """Give the chosen rows an IPv6 address in place of the IPv4 one."""
    address = networks.v6(rows["asn"], customer, subnet)
    rows["address"] = np.where(chosen, address, rows["address"])
