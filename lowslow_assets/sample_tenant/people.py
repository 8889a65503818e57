"""The tenant's people: who they are, where they live and work, and which devices they have."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lowslow_assets.sample_tenant.cities import OFFICES
from lowslow_assets.sample_tenant.devices import Device, Devices
from lowslow_assets.sample_tenant.names import FIRST_NAMES, LAST_NAMES
from lowslow_assets.sample_tenant.networks import NATIONAL_PROVIDERS, provider
from lowslow_assets.sample_tenant.streams import guids, mix, stream
from lowslow_assets.sample_tenant.tenant import Tenant

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DEPARTMENTS = 6


@dataclass(frozen=True)
class People:
    """One entry per person in every field.

    upn, guid, name: as the log writes them.
    office, home: cities, as indices into `CITIES`; home_asn: the home's internet provider.
    department: number; departments favour different applications.
    activity: how much a person signs in, relative to the average of 1.
    office_share: share of working days spent at the office.
    carelessness: how often a person mistypes, relative to the average of 1.
    old_mail: uses mail programs with old protocols.
    ipv6: has IPv6 at home and on the phone.
    devices: three indices into the tenant's devices: computer, phone, another one.
    """

    upn: list[str]
    guid: list[str]
    name: list[str]
    office: Ints
    home: Ints
    home_asn: Ints
    department: Ints
    activity: Floats
    office_share: Floats
    carelessness: Floats
    old_mail: npt.NDArray[np.bool_]
    ipv6: npt.NDArray[np.bool_]
    devices: Ints


def hire(tenant: Tenant, devices: Devices) -> People:
    """Generate the tenant's people; their devices are added to `devices`."""
    rng = stream(tenant.seed, "people")
    count = tenant.users
    branch = rng.choice(len(OFFICES), count, p=[office.staff_share for office in OFFICES])
    office = np.array([OFFICES[b].city for b in branch])
    # Half or more live in the office's own city, the others in one of the towns around it.
    home = np.array([rng.choice([OFFICES[b].city] * 3 + list(OFFICES[b].towns)) for b in branch])
    activity = rng.lognormal(0, 0.8, count)
    carelessness = rng.gamma(1.5, 1, count)
    upn, name = _names(count, tenant.guests, rng)
    numbers = np.arange(count)
    return People(
        upn=upn,
        guid=guids(mix(tenant.seed, "user", numbers), mix(tenant.seed, "user id", numbers)),
        name=name,
        office=office,
        home=home,
        home_asn=provider("national", home, rng.integers(0, NATIONAL_PROVIDERS, count)),
        department=rng.integers(0, DEPARTMENTS, count),
        activity=activity / activity.mean(),
        office_share=tenant.office
        * np.where(rng.random(count) < 0.15, 0.02, rng.beta(3, 2, count)),
        carelessness=carelessness / carelessness.mean(),
        old_mail=rng.random(count) < 0.015,
        ipv6=rng.random(count) < tenant.ipv6,
        devices=np.array([_belongings(devices, tenant, rng) for _ in range(count)]),
    )


def _names(count: int, guests: float, rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """User principal names and display names; a repeated name gets a number, a guest's #EXT#."""
    pairs = rng.permutation(len(FIRST_NAMES) * len(LAST_NAMES))
    upns, names = [], []
    for number in range(count):
        repeat, position = divmod(number, len(pairs))
        first, last = divmod(int(pairs[position]), len(LAST_NAMES))
        first_name, last_name = FIRST_NAMES[first], LAST_NAMES[last]
        account = f"{first_name}.{last_name}{repeat or ''}".lower()
        kind = rng.random()
        if kind < guests:
            upns.append(f"{account}_example.net#EXT#@example.com")
        else:
            upns.append(f"{account}@example.{'org' if kind < guests + 0.07 else 'com'}")
        names.append(f"{first_name} {last_name}")
    return upns, names


_COMPUTERS = {
    ("Windows10", "Edge"): 0.34,
    ("Windows 10", "Edge"): 0.14,
    ("Windows11", "Edge"): 0.08,
    ("Windows10", "Chrome"): 0.16,
    ("Windows 10", "Chrome"): 0.05,
    ("Windows10", "Firefox"): 0.03,
    ("MacOs", "Safari"): 0.08,
    ("MacOs", "Chrome"): 0.06,
    ("MacOs", "Edge"): 0.02,
    ("Linux", "Firefox"): 0.02,
    ("Linux", "Chrome"): 0.015,
    ("Windows10", "Opera"): 0.004,
    ("Windows10", "Vivaldi"): 0.001,
}
_PHONES = {
    ("Ios 18.5", "Mobile Safari"): 0.34,
    ("Ios 18.4", "Mobile Safari"): 0.12,
    ("Ios 17.7", "Mobile Safari"): 0.06,
    ("Android 15", "Chrome Mobile"): 0.22,
    ("Android 14", "Chrome Mobile"): 0.16,
    ("Android 13", "Chrome Mobile"): 0.06,
    ("Android 14", "Samsung Internet"): 0.03,
    ("Android 11", "Chrome Mobile"): 0.01,
}


def _belongings(devices: Devices, tenant: Tenant, rng: np.random.Generator) -> list[int]:
    """A computer, a phone or tablet and perhaps a private computer, as device indices."""
    lag = tenant.update_lag
    computer = _one_of(_COMPUTERS, lag, rng, managed=rng.random() < tenant.managed)
    phone = _one_of(_PHONES, lag, rng) if rng.random() < 0.85 else computer
    other = _one_of(_COMPUTERS, lag, rng) if rng.random() < 0.3 else computer
    return [devices.add(device) for device in (computer, phone, other)]


def _one_of(
    kinds: dict[tuple[str, str], float],
    update_lag: float,
    rng: np.random.Generator,
    managed: bool = False,
) -> Device:
    shares = np.array(list(kinds.values()))
    system, browser = list(kinds)[rng.choice(len(kinds), p=shares / shares.sum())]
    # Most browsers update within days of a release, a few weeks later.
    lag = min(int(rng.exponential(update_lag)), 60)
    brand = "MAC" if system == "MacOs" else "LAPTOP"
    name = f"{brand}-{rng.integers(0, 16**6):06X}" if managed else ""
    return Device(system, browser, phone=kinds is _PHONES, name=name, lag=lag)
