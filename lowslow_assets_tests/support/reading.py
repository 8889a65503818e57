"""Reads a generated export back with nothing but `json`: an independent view for the tests."""

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class SignIn:
    """The facts of one line, whichever schema and shape it has."""

    id: str
    time: str
    user: str
    result: int
    app: str
    client: str
    address: str
    device: tuple[Any, ...]
    place: tuple[Any, ...]

    @property
    def moment(self) -> datetime:
        return datetime.strptime(self.time[:26], "%Y-%m-%dT%H:%M:%S.%f").replace(tzinfo=UTC)


def lines(source: Path) -> Iterator[tuple[Path, str]]:
    """Every line with its file, including malformed lines."""
    for path in sorted(source.rglob("*.json")):
        for line in path.read_text(encoding="utf-8").splitlines():
            yield path, line


def parse(line: str) -> SignIn | None:
    """The line's facts; None if it is malformed."""
    try:
        record = json.loads(line)
    except ValueError:
        return None
    if "properties" in record:
        record = {**record, **{key.lower(): value for key, value in record["properties"].items()}}
    record = {key.lower(): value for key, value in record.items()}
    if "id" not in record:
        return None
    device = _unpacked(record["devicedetail"])
    place = _unpacked(record["locationdetails"] if "type" in record else record["location"])
    status = _unpacked(record["status"])
    assert int(record["resulttype"]) == status["errorCode"]
    return SignIn(
        id=record["id"],
        time=record["timegenerated"] if "type" in record else record["time"],
        user=record["userid"],
        result=status["errorCode"],
        app=record["appdisplayname"],
        client=record["clientappused"],
        address=record["ipaddress"],
        device=tuple(device.get(name) for name in ("operatingSystem", "browser", "displayName")),
        place=tuple(place.get(name) for name in ("city", "state", "countryOrRegion")),
    )


def signins(source: Path) -> dict[str, SignIn]:
    """One sign-in per id: the one with the latest TimeGenerated."""
    latest: dict[str, SignIn] = {}
    for _, line in lines(source):
        signin = parse(line)
        if signin and (signin.id not in latest or signin.time > latest[signin.id].time):
            latest[signin.id] = signin
    return latest


def labels(path: Path) -> dict[str, tuple[str, str]]:
    """Label and campaign by sign-in id."""
    with path.open(newline="", encoding="utf-8") as file:
        return {row["signin_id"]: (row["label"], row["campaign"]) for row in csv.DictReader(file)}


def _unpacked(value: Any) -> dict[str, Any]:
    return json.loads(value) if isinstance(value, str) else value
