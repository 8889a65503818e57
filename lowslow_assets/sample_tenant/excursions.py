"""Confusers that move honest sign-ins to unusual places: travel, VPNs, a new office.

Each changes sessions in place and labels the changed ones.
"""

import numpy as np
import numpy.typing as npt

from lowslow_assets.sample_tenant import networks, whereabouts
from lowslow_assets.sample_tenant.cities import ABROAD, NEW_OFFICE, OFFICES, UTC_OFFSET
from lowslow_assets.sample_tenant.signins import DAY, HOUR, Rows, label
from lowslow_assets.sample_tenant.streams import stream, unit
from lowslow_assets.sample_tenant.world import World

_TRIPS_PER_PERSON_DAY = 0.0012
_VPN_SHARE, _VPN_EXITS = 0.4, 5
_MOVERS = 0.05


def travel(world: World, sessions: Rows) -> None:
    """Trips of two to nine days: hotel and mobile networks abroad, the same devices."""
    tenant = world.tenant
    rng = stream(tenant.seed, "travel")
    popularity = 1 / np.arange(1, len(ABROAD) + 1) ** 0.8
    order = np.argsort(sessions["user"], kind="stable")
    edges = np.searchsorted(sessions["user"][order], np.arange(tenant.users + 1))
    for trip in range(rng.poisson(_TRIPS_PER_PERSON_DAY * tenant.users * tenant.days)):
        user, city = rng.integers(tenant.users), rng.choice(ABROAD, p=popularity / popularity.sum())
        first = world.moment(rng.uniform(-4, tenant.days))
        theirs = order[edges[user] : edges[user + 1]]
        away = sessions["time"][theirs] - first
        theirs = theirs[(away >= 0) & (away < rng.integers(2, 10) * DAY)]
        part = sessions[theirs]
        whereabouts.on_mobile(part, city, np.zeros(len(part), dtype=bool), tenant.mobile_pools)
        hotel = unit(part["key"], "hotel") < 0.7
        stay = part[hotel]
        whereabouts.at_hotel(stay, city, trip, tenant.home_pools)
        part[hotel] = stay
        _live_by(part, city, world.people.office[user])
        part["label"] = label("travel")
        sessions[theirs] = part


def vpn(world: World, sessions: Rows) -> None:
    """Some people who often use a VPN service's exit nodes when they are not at the office."""
    rng = stream(world.tenant.seed, "vpn")
    exits = rng.choice(ABROAD[:30], _VPN_EXITS, replace=False)
    fans = rng.random(world.tenant.users) < world.tenant.vpn
    favourite = rng.choice(exits, world.tenant.users)
    chosen = fans[sessions["user"]] & ~_in_office(world, sessions)
    chosen &= (sessions["label"] == 0) & (unit(sessions["key"], "vpn") < _VPN_SHARE)
    part = sessions[chosen]
    whereabouts.behind_vpn(part, favourite[part["user"]])
    part["label"] = label("vpn")
    sessions[chosen] = part


def new_office(world: World, sessions: Rows) -> None:
    """An office opens in a city where nobody has signed in before; some people move there."""
    tenant = world.tenant
    rng = stream(tenant.seed, "new office")
    opening = world.moment(rng.uniform(0.35, 0.6) * tenant.days)
    movers = rng.random(tenant.users) < _MOVERS
    chosen = movers[sessions["user"]] & _in_office(world, sessions)
    chosen &= sessions["time"] >= opening
    part = sessions[chosen]
    whereabouts.at_office(part, NEW_OFFICE)
    _live_by(part, NEW_OFFICE, world.people.office[part["user"]])
    part["label"] = label("new_office")
    sessions[chosen] = part


def conference(world: World, sessions: Rows) -> None:
    """Many people in one foreign city for three days, on the Wi-Fi of one hotel."""
    tenant = world.tenant
    rng = stream(tenant.seed, "conference")
    city = int(rng.choice(ABROAD))
    first = world.moment(rng.uniform(0.1, 0.85) * tenant.days)
    there = np.zeros(tenant.users, dtype=bool)
    there[rng.permutation(tenant.users)[: tenant.conference]] = True
    away = sessions["time"] - first
    chosen = there[sessions["user"]] & (away >= 0) & (away < 3 * DAY)
    part = sessions[chosen]
    whereabouts.at_conference(part, city)
    _live_by(part, city, world.people.office[part["user"]])
    part["label"] = label("travel")
    sessions[chosen] = part


def shared_egress(world: World, rows: Rows) -> None:
    """From a day on, the offices reach the internet through a security service's addresses."""
    day = world.tenant.egress_day
    if day is None:
        return
    offices = np.array([*(office.city for office in OFFICES), NEW_OFFICE])
    chosen = np.isin(rows["asn"], networks.office_asn(offices))
    chosen &= rows["time"] >= world.moment(day)
    part = rows[chosen]
    whereabouts.behind_egress(part)
    rows[chosen] = part


def _live_by(rows: Rows, city: int, home_office: npt.ArrayLike) -> None:
    """Keep the hours of the clock in the city where people are now."""
    shift = UTC_OFFSET[np.asarray(home_office)] - UTC_OFFSET[city]
    rows["time"] += np.asarray(shift * HOUR, dtype=np.int64)


def _in_office(world: World, sessions: Rows) -> npt.NDArray[np.bool_]:
    return sessions["asn"] == networks.office_asn(world.people.office[sessions["user"]])


EXCURSIONS = {"travel": travel, "vpn": vpn, "new_office": new_office}
"""In the order of their application; then `conference`, and on all rows `shared_egress`."""
