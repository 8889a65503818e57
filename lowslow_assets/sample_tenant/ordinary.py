"""Ordinary traffic: people who sign in when and where they work, and sometimes mistype.

People come in sessions: one or a few sign-ins within minutes, from one device in one place.
"""

import numpy as np
import numpy.typing as npt

from lowslow_assets.sample_tenant import apps, whereabouts
from lowslow_assets.sample_tenant.cities import UTC_OFFSET
from lowslow_assets.sample_tenant.people import DEPARTMENTS
from lowslow_assets.sample_tenant.signins import DAY, HOUR, MINUTE, Rows, blank, rekeyed
from lowslow_assets.sample_tenant.streams import stream, unit
from lowslow_assets.sample_tenant.world import World

# The rows of a session of 1.6 sign-ins, with its mistakes; the share of ordinary rows among all.
_ROWS_PER_SESSION, _ORDINARY_SHARE = 1.72, 0.955
_NEW_APP_SHARE = 0.08
_SATURDAY_SHARE, _SUNDAY_SHARE = 0.14, 0.1

# How many sessions begin in each hour of the local clock.
_WORKDAY = [
    *(0.1, 0.05, 0.05, 0.05, 0.1, 0.3, 1.0, 3.0, 8.0, 10.0, 8.0, 7.0),
    *(4.5, 6.5, 7.5, 7.0, 6.0, 4.0, 2.0, 1.5, 1.6, 1.2, 0.7, 0.3),
]
_WEEKEND = [
    *(0.4, 0.2, 0.1, 0.1, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 3.5, 3.5),
    *(3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.2, 3.5, 3.2, 2.2, 1.0),
]


def sessions(world: World) -> Rows:
    """The first sign-in of every session, all successful, in the people's usual places."""
    rng = stream(world.tenant.seed, "sessions")
    user, day, workday = _attendance(world, rng)
    rows = blank(len(user), rng)
    rows["user"] = user
    clock = _clock(workday, rng)
    offset = UTC_OFFSET[world.people.office[user]]
    rows["time"] = world.tenant.start_ms + day * DAY + ((clock - offset) * HOUR).astype(np.int64)
    at_work = workday & (clock >= 7) & (clock < 19)
    rows["device"] = _device(world, user, at_work, rng)
    _settle(world, rows, at_work, day)
    rows["client"] = _clients(world, rows, rng)
    rows["app"] = choose_apps(world, rows, rng)
    inside = (rows["time"] >= world.tenant.start_ms) & (rows["time"] < world.end_ms)
    return rows[inside]


def expand(world: World, opened: Rows) -> Rows:
    """All sign-ins of the sessions: further applications within minutes, a few refused."""
    rng = stream(world.tenant.seed, "further sign-ins")
    more = rekeyed(np.repeat(opened, rng.poisson(world.tenant.further, len(opened))), rng)
    more["time"] += rng.exponential(5 * MINUTE, len(more)).astype(np.int64)
    more["app"] = choose_apps(world, more, rng)
    shares = 1 / np.arange(1, len(apps.OTHER_CODES) + 1)
    codes = rng.choice(apps.OTHER_CODES, len(more), p=shares / shares.sum())
    more["result"] = np.where(rng.random(len(more)) < 0.03, codes, apps.SUCCESS)
    return np.concatenate([opened, more])


def choose_apps(world: World, rows: Rows, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """An application for each row: by department, popular ones first; mail for mail protocols."""
    popularity = 1 / np.arange(1, len(apps.COMMON_APPS) + 1) ** 1.1
    tastes = stream(world.tenant.seed, "departments").gamma(2, 0.5, (DEPARTMENTS, len(popularity)))
    chosen = np.full(len(rows), apps.EXCHANGE_APP)
    department = world.people.department[rows["user"]]
    for number in range(DEPARTMENTS):
        theirs = (department == number) & (rows["client"] <= apps.RICH_CLIENT)
        shares = popularity * tastes[number]
        chosen[theirs] = rng.choice(apps.COMMON_APPS, theirs.sum(), p=shares / shares.sum())
    if world.tenant.new_app_day is not None:
        new = rows["time"] >= world.moment(world.tenant.new_app_day)
        new &= (rows["client"] <= apps.RICH_CLIENT) & (unit(rows["key"], "app") < _NEW_APP_SHARE)
        chosen[new] = apps.NEW_APP
    return chosen


def _attendance(
    world: World, rng: np.random.Generator
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Per session its user, its local day and whether that is a workday.

    There is one more day at either end, because a local day overlaps two UTC days.
    """
    tenant, people = world.tenant, world.people
    day = np.arange(-1, tenant.days + 1)
    weekday = (tenant.start.weekday() + day) % 7
    busy = np.where(weekday == 5, _SATURDAY_SHARE, np.where(weekday == 6, _SUNDAY_SHARE, 1.0))
    rate = people.activity[:, None] * busy * _presence(tenant.users, len(day), rng)
    wanted = _ORDINARY_SHARE * tenant.signins_per_day * tenant.days
    wanted /= _ROWS_PER_SESSION + (tenant.further - 0.6)
    counts = rng.poisson(rate * (wanted / rate[:, 1:-1].sum()))
    user, column = np.nonzero(counts)
    repeats = counts[user, column]
    user, column = np.repeat(user, repeats), np.repeat(column, repeats)
    return user, day[column], weekday[column] < 5


def _presence(users: int, days: int, rng: np.random.Generator) -> npt.NDArray[np.bool_]:
    """The days on which each user is there; now and then somebody is away for one or two weeks."""
    present = np.ones((users, days), dtype=bool)
    for user in range(users):
        for first in rng.integers(0, days, rng.poisson(days / 120)):
            present[user, first : first + rng.integers(5, 15)] = False
    return present


def _clock(workday: npt.NDArray[np.bool_], rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """The local time of day of each session, in hours."""
    hours = np.empty(len(workday))
    for weights, chosen in ((_WORKDAY, workday), (_WEEKEND, ~workday)):
        shares = np.array(weights) / sum(weights)
        hours[chosen] = rng.choice(24, chosen.sum(), p=shares)
    return hours + rng.random(len(hours))


def _device(
    world: World,
    user: npt.NDArray[np.int64],
    at_work: npt.NDArray[np.bool_],
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Computer, phone or another device; after hours more often the phone."""
    dice = rng.random(len(user))
    computer, phone = np.where(at_work, 0.72, 0.35), np.where(at_work, 0.97, 0.85)
    slot = (dice >= computer).astype(int) + (dice >= phone)
    return world.people.devices[user, slot]


def _settle(
    world: World, rows: Rows, at_work: npt.NDArray[np.bool_], day: npt.NDArray[np.int64]
) -> None:
    """On office days the office; otherwise home or elsewhere; phones on their carrier's network."""
    people, user = world.people, rows["user"]
    at_office = at_work & (
        unit(world.tenant.seed, user, day + 1, "office day") < people.office_share[user]
    )
    roaming = _phones(world, rows) & (unit(rows["key"], "roaming") < world.tenant.mobile)
    tenant = world.tenant
    about = ~at_office & ~roaming & (unit(rows["key"], "hotspot") < tenant.hotspots)

    def on_mobile(part: Rows, city: npt.NDArray[np.int64]) -> None:
        whereabouts.on_mobile(part, city, people.ipv6[part["user"]], tenant.mobile_pools)

    for chosen, put in (
        (roaming, on_mobile),
        (at_office & ~roaming, whereabouts.at_office),
        (~at_office & ~roaming & ~about, lambda part, _: whereabouts.at_home(part, people, tenant)),
        (about, whereabouts.at_hotspot),
    ):
        part = rows[chosen]
        put(part, people.office[part["user"]])
        rows[chosen] = part


def _clients(world: World, rows: Rows, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Browser, native client or ActiveSync; a few people's mail programs use IMAP and SMTP."""
    dice, phone = rng.random(len(rows)), _phones(world, rows)
    client = np.where(dice < np.where(phone, 0.2, 0.6), apps.BROWSER, apps.RICH_CLIENT)
    client[phone & (dice > 0.88)] = apps.ACTIVE_SYNC
    old = world.people.old_mail[rows["user"]] & ~phone & (dice > 0.6)
    client[old] = np.where(dice[old] > 0.75, apps.LEGACY_CLIENTS[0], apps.LEGACY_CLIENTS[2])
    return client


def _phones(world: World, rows: Rows) -> npt.NDArray[np.bool_]:
    return np.array([device.phone for device in world.devices.known])[rows["device"]]
