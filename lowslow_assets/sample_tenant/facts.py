"""From a row of numbers to the content of a log line, with its oddities.

`Facts` are the same for both schemas. The oddities of real exports are a function of the row's key,
so a row keeps them whatever else is generated.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from lowslow_assets.sample_tenant import apps, networks
from lowslow_assets.sample_tenant.apps import APPS, CLIENTS, App
from lowslow_assets.sample_tenant.cities import CITIES
from lowslow_assets.sample_tenant.devices import Device, device_id
from lowslow_assets.sample_tenant.signins import DAY, MINUTE, Rows, ids
from lowslow_assets.sample_tenant.streams import guids, mix, unit
from lowslow_assets.sample_tenant.world import World


@dataclass
class Facts:
    """The content of a log line; times in ISO 8601 with 7 and with 3 fractional digits."""

    id: str
    time: str
    created: str
    correlation: str
    upn: str
    user_id: str
    user_name: str
    app: App
    client: str
    device: dict[str, Any]
    location: dict[str, Any]
    status: dict[str, Any]
    address: str
    asn: str | int | None
    user_agent: str
    interactive: bool | str | int
    result: str | int


def facts_of(world: World, rows: Rows) -> Iterator[Facts]:
    """The facts of each row, in order."""
    people, key = world.people, rows["key"]
    delay = (unit(key, "delay") * 3 * MINUTE).astype(np.int64) + MINUTE
    columns = zip(
        ids(rows),
        timestamps(rows["time"], key),
        _iso(rows["time"] - delay),
        guids(mix(key, "correlation"), mix(key, "correlation, second half")),
        unit(key, "interactive").tolist(),
        unit(key, "asn").tolist(),
        _oddities(rows),
        rows.tolist(),
        strict=True,
    )
    for id_, time, created, correlation, interactive, asn, odd, row in columns:
        ms, _, address, user, device_number, place, as_number, result, app, client, *_ = row
        device = world.devices.known[device_number]
        day = ms // DAY
        facts = Facts(
            id=id_,
            time=time,
            created=f"{created}Z",
            correlation=correlation,
            upn=people.upn[user],
            user_id=people.guid[user],
            user_name=people.name[user],
            app=APPS[app],
            client=CLIENTS[client],
            device=_device_detail(device, device.browser_on(client, day)),
            location=_location(place),
            status=_status(result),
            address=networks.text(address),
            asn=str(as_number) if asn < world.tenant.asn else None,
            user_agent=device.user_agent(client, day),
            interactive=client <= apps.RICH_CLIENT and interactive < 0.9,
            result=str(result),
        )
        for name in odd:
            ODDITIES[name][1](facts)
        yield facts


def timestamps(times: np.ndarray, key: np.ndarray) -> list[str]:
    """Milliseconds since 1970 as ISO 8601 in UTC, with the 7 fractional digits of the export."""
    ticks = (mix(key, "ticks") % np.uint64(10_000)).tolist()
    return [f"{text}{tick:04d}Z" for text, tick in zip(_iso(times), ticks, strict=True)]


def _iso(times: np.ndarray) -> list[str]:
    return np.datetime_as_string(times.astype("datetime64[ms]"), unit="ms").tolist()


def _device_detail(device: Device, browser: str) -> dict[str, Any]:
    return {
        "deviceId": device_id(device.name),
        "displayName": device.name,
        "operatingSystem": device.os,
        "browser": browser,
        "isManaged": bool(device.name),
    }


def _location(place: int) -> dict[str, Any]:
    city = CITIES[place]
    return {
        "city": city.name,
        "state": city.state,
        "countryOrRegion": city.country,
        "geoCoordinates": {"latitude": city.latitude, "longitude": city.longitude},
    }


def _status(result: int) -> dict[str, Any]:
    if result == apps.SUCCESS:
        details = "MFA requirement satisfied by claim in the token"
        return {"errorCode": 0, "additionalDetails": details}
    return {"errorCode": result, "failureReason": apps.REASONS[result]}


def _upn_is_guid(facts: Facts) -> None:
    facts.upn = facts.user_id


def _no_address(facts: Facts) -> None:
    facts.address = ""


def _address_is_guid(facts: Facts) -> None:
    facts.address = facts.correlation


def _private_address(facts: Facts) -> None:
    facts.address = f"10.20.{int(facts.id[:2], 16)}.{1 + int(facts.id[2:4], 16) % 254}"


def _no_city(facts: Facts) -> None:
    facts.location["city"] = ""


def _no_coordinates(facts: Facts) -> None:
    facts.location["geoCoordinates"] = {}


def _zero_coordinates(facts: Facts) -> None:
    facts.location["geoCoordinates"] = {"latitude": 0, "longitude": 0}


def _no_location(facts: Facts) -> None:
    facts.location = {"geoCoordinates": {}}


def _no_device(facts: Facts) -> None:
    facts.device = {"deviceId": "", "operatingSystem": "", "browser": ""}


def _result_is_int(facts: Facts) -> None:
    facts.result = int(facts.result)


def _asn_is_int(facts: Facts) -> None:
    facts.asn = None if facts.asn is None else int(facts.asn)


def _interactive_is_text(facts: Facts) -> None:
    facts.interactive = str(bool(facts.interactive))


def _interactive_is_int(facts: Facts) -> None:
    facts.interactive = int(bool(facts.interactive))


ODDITIES: dict[str, tuple[float, Callable[[Facts], None]]] = {
    "upn is a guid": (0.002, _upn_is_guid),
    "no address": (0.001, _no_address),
    "address is a guid": (0.001, _address_is_guid),
    "private address": (0.001, _private_address),
    "no city": (0.008, _no_city),
    "no coordinates": (0.008, _no_coordinates),
    "zero coordinates": (0.003, _zero_coordinates),
    "no location": (0.003, _no_location),
    "no device": (0.005, _no_device),
    "result is an int": (0.02, _result_is_int),
    "asn is an int": (0.05, _asn_is_int),
    "interactive is text": (0.02, _interactive_is_text),
    "interactive is an int": (0.01, _interactive_is_int),
}
"""The oddities of real exports: the share of rows, and what happens to them."""


def _oddities(rows: Rows) -> list[tuple[str, ...]]:
    """Per row, the names of its oddities (mostly none)."""
    odd: list[tuple[str, ...]] = [()] * len(rows)
    for name, (share, _) in ODDITIES.items():
        for row in np.flatnonzero(unit(rows["key"], name) < share):
            odd[row] += (name,)
    return odd
