"""Confusers that add rows of their own: failures that are many, odd or steady, but not a spray.

Each function draws one kind from its own stream; numbers grow with the size of the tenant.
"""

from collections.abc import Callable

import numpy as np

from lowslow_assets.sample_tenant import apps, slips, whereabouts
from lowslow_assets.sample_tenant.cities import ABROAD, OFFICES, UTC_OFFSET
from lowslow_assets.sample_tenant.devices import Device, invented_device
from lowslow_assets.sample_tenant.signins import DAY, HOUR, MINUTE, Rows, blank, label
from lowslow_assets.sample_tenant.streams import stream, unit
from lowslow_assets.sample_tenant.world import World, no_rows


def stale_device(world: World) -> Rows:
    """Phones that retry an old password about every half hour, for one to four weeks."""
    rng = stream(world.tenant.seed, "stale device")
    users = rng.permutation(world.tenant.users)[: 1 + world.tenant.signins_per_day // 500]
    return np.concatenate([_stale_phone(world, int(user), rng) for user in users])


def _stale_phone(world: World, user: int, rng: np.random.Generator) -> Rows:
    days = rng.uniform(7, 28)
    first = world.moment(rng.uniform(0, max(world.tenant.days - days, 1)))
    count = int(min(days, world.tenant.days) * 48)
    rows = blank(count, rng, "stale_device")
    rows["time"] = first + (np.arange(count) * 30 + rng.normal(0, 2, count)) * MINUTE
    rows["user"] = user
    rows["device"] = world.people.devices[user, 1]
    rows["client"] = rng.choice([apps.ACTIVE_SYNC, apps.RICH_CLIENT])
    locked = world.tenant.lockout & (unit(rows["key"], "locked") < 0.5)
    rows["result"] = np.where(locked, apps.LOCKED, apps.WRONG_PASSWORD)
    city = int(world.people.office[user])
    clock = (rows["time"] // HOUR + UTC_OFFSET[city]) % 24
    out = (clock >= 8) & (clock < 18)
    at_home, carried = rows[~out], rows[out]
    whereabouts.at_home(at_home, world.people, world.tenant)
    ipv6 = world.people.ipv6[carried["user"]]
    whereabouts.on_mobile(carried, city, ipv6, world.tenant.mobile_pools)
    rows = np.concatenate([at_home, carried])
    return rows[rng.random(count) < 0.85]  # the rest of the time it is off or has no signal


def connector(world: World) -> Rows:
    """A service that reads many mailboxes with outdated passwords: one address, one odd client."""
    tenant = world.tenant
    rng = stream(tenant.seed, "connector")
    users = rng.permutation(tenant.users)[: max(tenant.users // 12, 10)]
    first = world.moment(rng.uniform(0, 0.2) * tenant.days)
    last = world.moment(rng.uniform(0.7, 1) * tenant.days)
    step = DAY / max(tenant.signins_per_day / 85, 4)
    rows = blank(int((last - first) / step), rng, "connector")
    rows["time"] = first + (np.arange(len(rows)) + rng.uniform(0, 0.2, len(rows))) * step
    rows["user"] = np.resize(users, len(rows))
    rows["device"] = world.devices.add(Device("", "MailConnector 2.1", updates=False))
    rows["client"], rows["app"] = apps.CONNECTOR_CLIENT, apps.CONNECTOR_APP
    rows["result"] = apps.WRONG_PASSWORD
    whereabouts.from_few(rows, OFFICES[0].city, 1, rng)
    return rows


def burst(world: World) -> Rows:
    """Brute force, once per month: a quarter of the accounts from four addresses in an hour."""
    tenant = world.tenant
    rng = stream(tenant.seed, "burst")
    parts = []
    for _ in range(max(tenant.days // 30, 1)):
        users = rng.permutation(tenant.users)[: max(tenant.users // 4, 1)]
        rows = blank(2 * len(users), rng, "burst")
        rows["time"] = world.moment(rng.uniform(0.05, 0.95) * tenant.days)
        rows["time"] += rng.integers(0, HOUR, len(rows))
        rows["user"] = np.resize(users, len(rows))
        rows["device"] = world.devices.add(invented_device(rng))
        rows["client"], rows["app"] = apps.BROWSER, rng.choice(apps.COMMON_APPS[:6])
        locked = rng.random(len(rows)) < 0.1
        rows["result"] = np.where(locked, apps.LOCKED, apps.WRONG_PASSWORD)
        whereabouts.from_few(rows, int(rng.choice(ABROAD)), 4, rng)
        parts.append(rows)
    return np.concatenate(parts)


def password_expiry(world: World) -> Rows:
    """A workday on which the passwords of every eighth account expire: failures, then success."""
    tenant, signins = world.tenant, world.ordinary
    rng = stream(tenant.seed, "password expiry")
    middle = tenant.days // 2
    workdays = [day for day in range(middle, tenant.days) if tenant.day(day).weekday() < 5]
    if not workdays:
        return no_rows()
    begin = world.moment(workdays[0])
    that_day = (signins["time"] >= begin) & (signins["time"] < begin + DAY)
    usual = signins[that_day & (signins["result"] == apps.SUCCESS) & (signins["label"] == 0)]
    usual = usual[np.argsort(usual["time"], kind="stable")]
    _, first = np.unique(usual["user"], return_index=True)
    rows = slips.before(usual[first[rng.random(len(first)) < 0.125]], rng, expired=0.9)
    rows["label"] = label("password_expiry")
    return rows


def internet_noise(world: World) -> Rows:
    """A few failures per day from anywhere in the world, unrelated to each other."""
    tenant = world.tenant
    rng = stream(tenant.seed, "internet noise")
    rows = blank(rng.poisson(tenant.noise * tenant.days), rng, "internet_noise")
    rows["time"] = rng.integers(tenant.start_ms, world.end_ms, len(rows))
    rows["user"] = rng.integers(0, tenant.users, len(rows))
    rows["device"] = [world.devices.add(invented_device(rng)) for _ in rows]
    rows["client"] = rng.choice([0, 0, 0, 1, 3, 5, 7], len(rows))
    rows["app"] = rng.choice(np.concatenate([apps.COMMON_APPS[:5], apps.ODD_APPS]), len(rows))
    odd = rng.random(len(rows)) < 0.15
    rows["result"] = np.where(odd, apps.LOCKED, apps.WRONG_PASSWORD)
    whereabouts.on_proxy(rows, rng.choice(ABROAD, len(rows)))
    return rows


ADDED: dict[str, Callable[[World], Rows]] = {
    "stale_device": stale_device,
    "connector": connector,
    "burst": burst,
    "password_expiry": password_expiry,
    "internet_noise": internet_noise,
}
