"""The planted campaigns: their attempts, times, accounts and sources."""

import numpy as np
import numpy.typing as npt

from lowslow_assets.sample_tenant import apps, whereabouts
from lowslow_assets.sample_tenant.cities import ABROAD, OFFICES, UTC_OFFSET
from lowslow_assets.sample_tenant.devices import Device, invented_device
from lowslow_assets.sample_tenant.signins import HOUR, MINUTE, Rows, blank, label, rekeyed
from lowslow_assets.sample_tenant.streams import mix, stream, unit
from lowslow_assets.sample_tenant.tenant import Campaign
from lowslow_assets.sample_tenant.world import World, no_rows

_HOURS_A_DAY = {"any": 24, "business": 10, "nights": 8, "sundays": 4}


def spray(world: World, campaign: Campaign) -> Rows:
    """All sign-ins of one campaign: its attempts, and its visits to compromised accounts."""
    rng = stream(world.tenant.seed, f"campaign {campaign.name}")
    times = _times(world, campaign, rng)
    if not len(times):
        return no_rows()
    users, wins, stops = _victims(targets(world, campaign), len(times), campaign, rng)
    rows = blank(len(users), rng, "spray_failure")
    rows["time"], rows["user"] = times[: len(users)], users
    locked = unit(rows["key"], "locked") < campaign.locked
    rows["result"] = np.where(locked, apps.LOCKED, apps.WRONG_PASSWORD)
    reason = mix(rows["key"][stops], "stopped") % np.uint64(len(apps.STOPPED_CODES))
    rows["result"][stops], rows["label"][stops] = apps.STOPPED_CODES[reason], label("spray_stopped")
    rows["result"][wins], rows["label"][wins] = apps.SUCCESS, label("spray_success")
    _claim(world, campaign, rows, rng)
    _connect(world, campaign, rows, rng)
    rows = np.concatenate([rows, _visits(rows[wins], rng)])
    rows["campaign"] = 1 + world.tenant.campaigns.index(campaign)
    return rows


def targets(world: World, campaign: Campaign) -> npt.NDArray[np.int64]:
    """The accounts a campaign tries, as user numbers, in the order of its list."""
    if isinstance(campaign.targets, tuple):
        unknown = set(campaign.targets) - set(world.people.upn)
        if unknown:
            raise ValueError(f"Campaign {campaign.name} targets unknown users: {sorted(unknown)}.")
        chosen = np.array([world.people.upn.index(name) for name in campaign.targets])
    else:
        rng = stream(world.tenant.seed, f"targets of {campaign.name}")
        chosen = rng.permutation(world.tenant.users)[: campaign.targets]
    if campaign.order == "sorted":
        chosen = chosen[np.argsort(np.array(world.people.upn)[chosen])]
    return chosen


def _times(world: World, campaign: Campaign, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Attempts in order, spread over the hours in which the campaign is active."""
    hours = np.array(campaign.active_days(world.tenant.days), dtype=int)[:, None] * 24
    hours = (hours + np.arange(24)).ravel()
    clock = hours + world.tenant.start.weekday() * 24 + UTC_OFFSET[OFFICES[0].city]
    weekday, hour = clock // 24 % 7, clock % 24
    if campaign.hours == "business":
        hours = hours[(weekday < 5) & (hour >= 8) & (hour < 18)]
    elif campaign.hours == "nights":
        hours = hours[(hour >= 22) | (hour < 6)]
    elif campaign.hours == "sundays":
        hours = hours[(weekday == 6) & (hour >= 1) & (hour < 5)]
    gap = _HOURS_A_DAY[campaign.hours] / campaign.rate
    if campaign.rhythm == "poisson":
        passed = np.sort(rng.uniform(0, len(hours), rng.poisson(len(hours) / gap)))
    else:
        gaps = rng.uniform(0.3, 1.7, int(len(hours) / gap * 1.2) + 5) * gap
        passed = np.cumsum(gaps) - gaps[0] * rng.random()
        passed = passed[passed < len(hours)]
    moments = hours[passed.astype(int)] + passed % 1
    return world.tenant.start_ms + (moments * HOUR).astype(np.int64)


def _victims(
    accounts: npt.NDArray[np.int64], attempts: int, campaign: Campaign, rng: np.random.Generator
) -> tuple[list[int], list[int], list[int]]:
    """The account of each attempt, and which attempts succeed or are stopped.

    An account whose password was right is left alone afterwards. Right passwords occur in the last
    four fifths of the attempts.
    """
    late = rng.permutation(np.arange(attempts // 5, attempts)).tolist()
    wins, stops = late[: campaign.successes], late[campaign.successes :][: campaign.stopped]
    right = {*wins, *stops}
    remaining, queue, users = accounts.tolist(), [], []
    for attempt in range(attempts):
        if not remaining:
            break
        if campaign.order == "random":
            queue = [int(rng.choice(remaining))]
        elif not queue and campaign.order == "rounds":
            queue = rng.permutation(remaining).tolist()
        elif not queue:
            queue = remaining[::-1]
        users.append(queue.pop())
        if attempt in right:
            remaining.remove(users[-1])
    wins, stops = (sorted(n for n in numbers if n < len(users)) for numbers in (wins, stops))
    return users, wins, stops


def _claim(world: World, campaign: Campaign, rows: Rows, rng: np.random.Generator) -> None:
    """Fill in what the attempts claim to be: device, client and application."""
    count = len(rows)
    if campaign.clients == "common":
        usual = world.ordinary[world.ordinary["label"] == 0]
        if not len(usual):
            raise ValueError(f"Campaign {campaign.name} has no ordinary sign-ins to imitate.")
        models = rng.choice(usual, count)
        for column in ("client", "app"):
            rows[column] = models[column]
        rows["device"] = [_stranger(world, device) for device in models["device"]]
    elif campaign.clients == "invented":
        rows["client"] = rng.choice([0, 0, 0, 1, 1, 6, 7], count)
        rows["app"] = rng.choice(apps.ODD_APPS, count)
        rows["device"] = [world.devices.add(invented_device(rng)) for _ in range(count)]
    elif campaign.clients == "fixed":
        rows["client"], rows["app"] = apps.RICH_CLIENT, apps.ODD_APPS[0]
        rows["device"] = world.devices.add(invented_device(rng))
    else:
        one = campaign.clients == "ropc"
        rows["client"] = apps.OTHER_CLIENT if one else rng.choice(apps.LEGACY_CLIENTS, count)
        rows["app"] = apps.EXCHANGE_APP
        rows["device"] = world.devices.add(Device("", "", updates=False))


def _stranger(world: World, device: int) -> int:
    """A device of the same make that the tenant does not manage."""
    model = world.devices.known[device]
    return world.devices.add(Device(model.os, model.browser, phone=model.phone, lag=model.lag))


def _connect(world: World, campaign: Campaign, rows: Rows, rng: np.random.Generator) -> None:
    """Fill in sources: those that it keeps, or proxies, nearly one for each attempt."""
    cities = world.people.home if campaign.places == "home" else ABROAD
    if campaign.sources != "fresh":
        whereabouts.from_infrastructure(rows, cities, campaign.sources, campaign.addresses, rng)
        return
    again = np.arange(len(rows))  # until no two are the same
    while len(again):
        fresh = rekeyed(rows[again], rng)
        whereabouts.on_proxy(fresh, rng.choice(cities, len(fresh)), campaign.ipv6)
        rows[again] = fresh
        _, first = np.unique(rows["address"], return_index=True)
        again = np.setdiff1d(again, first)
    for number in np.flatnonzero(rng.random(len(rows)) < campaign.address_reuse):
        earlier = rng.integers(0, max(number, 1))
        for column in ("place", "asn", "address"):
            rows[column][number] = rows[column][earlier]


def _visits(entries: Rows, rng: np.random.Generator) -> Rows:
    """One or two more sign-ins within the hour, in which the attacker looks around."""
    rows = rekeyed(np.repeat(entries, rng.integers(1, 3, len(entries))), rng)
    rows["time"] += rng.integers(2 * MINUTE, 55 * MINUTE, len(rows))
    rows["app"] = rng.choice(apps.COMMON_APPS[:5], len(rows))
    return rows
