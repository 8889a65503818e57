"""Campaigns as incidents of Microsoft Sentinel.

An incident's name is its campaign's id. No state is kept here to know who wrote what: a label says
which hunts wrote first and last, and what they wrote (as digests). A field whose digest differs was
changed by somebody else and is not written again. The same holds for all of an incident that was
closed or has lost the label. The id of a comment is made from its content.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote

from azure.core import PipelineClient
from azure.core.exceptions import AzureError
from azure.core.rest import HttpRequest, HttpResponse

from lowslow_assets.reports.wording import SEVERITIES
from lowslow_assets.settings import SENTINEL
from lowslow_assets.sinks.calls import (
    CONFLICTS,
    MANAGEMENT,
    Deadline,
    DeliveryError,
    describe_answer,
    explain,
    read_object,
)
from lowslow_assets.sinks.news import News, news
from lowslow_assets.sinks.text import bounded, harmless
from lowslow_assets.sinks.updates import (
    COMMENTED,
    CREATED,
    FAILED,
    UNCHANGED,
    UPDATED,
    Delivery,
    IncidentUpdate,
    delivery,
)

API_VERSION = "2024-03-01"
MAX_TITLE, MAX_DESCRIPTION = 256, 5_000
# An incident can have 100 comments; the last ones are left to the analysts.
MAX_COMMENTS = 90
NEW, CLOSED = "New", "Closed"
_TRIES = 5
# A PUT replaces all of these; the others belong to the service.
_WRITABLE = (
    "title",
    "description",
    "severity",
    "status",
    "owner",
    "classification",
    "classificationComment",
    "classificationReason",
    "firstActivityTimeUtc",
    "lastActivityTimeUtc",
)


@dataclass(frozen=True)
class Note:
    """What was last written into an incident; stored as one of its labels.

    ``first_hunt`` made the incident, ``last_hunt`` is the newest hunt that wrote; ``title`` and
    ``description`` are digests.
    """

    first_hunt: date
    last_hunt: date
    title: str
    description: str
    severity: str

    def __str__(self) -> str:
        parts = (self.first_hunt, self.last_hunt, self.title, self.description, self.severity)
        return ":".join(["lowslow", *map(str, parts)])

    @classmethod
    def of(cls, labels: Sequence[str]) -> "Note | None":
        """The note among an incident's labels, if there is one."""
        day, digest = r"(\d{4}-\d\d-\d\d)", "([0-9a-f]{8})"
        pattern = f"lowslow:{day}:{day}:{digest}:{digest}:({'|'.join(SEVERITIES)})"
        for label in labels:
            if found := re.fullmatch(pattern, label, re.ASCII):
                first, last, *rest = found.groups()
                with suppress(ValueError):  # no such day: not ours
                    return cls(date.fromisoformat(first), date.fromisoformat(last), *rest)
        return None


def new_properties(incident: Mapping[str, Any], day: date) -> dict[str, Any]:
    """The properties of a new incident."""
    words = _words(incident)
    digests = {field: _digest(text) for field, text in words.items()}
    note = Note(day, day, severity=incident["severity"], **digests)
    return {
        **words,
        "severity": incident["severity"],
        "status": NEW,
        "firstActivityTimeUtc": _iso(incident["first_activity"]),
        "lastActivityTimeUtc": _iso(incident["last_activity"]),
        "labels": [{"labelName": str(note)}],
    }


def kept_properties(found: Mapping[str, Any]) -> dict[str, Any]:
    """The properties that a PUT must contain to leave the incident unchanged."""
    kept = {name: found[name] for name in _WRITABLE if found.get(name) is not None}
    kept["labels"] = [{"labelName": label} for label in _labels(found)]
    return kept


def merged_properties(
    found: Mapping[str, Any], incident: Mapping[str, Any], day: date
) -> dict[str, Any]:
    """The properties with what is new as of ``day``, and with everything that others wrote."""
    properties = kept_properties(found)
    labels = _labels(found)
    note = Note.of(labels)
    if note is None or day < note.last_hunt or properties["status"] == CLOSED:
        return properties
    written = replace(note, last_hunt=day)
    for field, text in _words(incident).items():
        if _digest(properties.get(field, "")) == getattr(note, field):
            properties[field] = text
            written = replace(written, **{field: _digest(text)})
    severities = (incident["severity"], properties["severity"])
    if properties["severity"] == note.severity:
        properties["severity"] = min(severities, key=SEVERITIES.index)
        written = replace(written, severity=properties["severity"])
    first, last = _iso(incident["first_activity"]), _iso(incident["last_activity"])
    properties["firstActivityTimeUtc"] = min(
        properties.get("firstActivityTimeUtc", first), first, key=_time
    )
    properties["lastActivityTimeUtc"] = max(
        properties.get("lastActivityTimeUtc", last), last, key=_time
    )
    others = [label for label in labels if label != str(note)]
    properties["labels"] = [{"labelName": label} for label in [*others, str(written)]]
    return properties


def _labels(found: Mapping[str, Any]) -> list[str]:
    return [label["labelName"] for label in found.get("labels") or []]


def _words(incident: Mapping[str, Any]) -> dict[str, str]:
    return {
        "title": bounded(harmless(incident["title"]), MAX_TITLE),
        "description": bounded(harmless(incident["description"]), MAX_DESCRIPTION),
    }


def _digest(text: str) -> str:
    # If the service trims or wraps lines, the text still says the same.
    return hashlib.sha256(" ".join(text.split()).encode()).hexdigest()[:8]


def _iso(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)


class _Conflict(Exception):
    """Somebody else wrote first."""


class SentinelIncidents:
    """The incidents of one workspace, through Azure Resource Manager."""

    name = SENTINEL

    def __init__(
        self, client: PipelineClient, subscription: str, resource_group: str, workspace: str
    ) -> None:
        self._client = client
        names = [quote(name, safe="") for name in (subscription, resource_group, workspace)]
        self._incidents = (
            MANAGEMENT
            + "/subscriptions/{}/resourceGroups/{}/providers/Microsoft.OperationalInsights"
            "/workspaces/{}/providers/Microsoft.SecurityInsights/incidents"
        ).format(*names)

    def deliver(self, day: date, updates: Sequence[IncidentUpdate]) -> list[Delivery]:
        """Create or update each incident, and comment on news."""
        deadline = Deadline()
        return [self._deliver_one(day, update, deadline) for update in updates]

    def _deliver_one(self, day: date, update: IncidentUpdate, deadline: Deadline) -> Delivery:
        commented = False
        try:
            for _ in range(_TRIES):
                try:
                    found = self._find(update, deadline)
                    uncommented = self._uncommented(found, update, day, deadline) if found else []
                    room = max(0, MAX_COMMENTS - _comments(found))
                    for item in uncommented[:room]:
                        self._comment(update, item, deadline)
                        commented = True
                    action = self._write(found, update, day, deadline)
                except _Conflict:
                    continue
                if action == UNCHANGED and commented:
                    action = COMMENTED
                detail = _detail(found, update, commented, full=len(uncommented) > room)
                return delivery(update, self.name, action, detail)
            raise DeliveryError(f"Others wrote to it {_TRIES} times meanwhile.")
        except AzureError as error:
            return delivery(update, self.name, FAILED, explain(error))
        except DeliveryError as error:
            return delivery(update, self.name, FAILED, str(error))

    def _find(self, update: IncidentUpdate, deadline: Deadline) -> dict[str, Any] | None:
        """The incident, if it exists."""
        found = self._get(self._incidents, update.campaign_id, deadline)
        if found is not None and not (
            found.get("etag") and isinstance(found.get("properties"), dict)
        ):
            raise DeliveryError("GET was not answered by an incident.")
        return found

    def _write(
        self, found: dict[str, Any] | None, update: IncidentUpdate, day: date, deadline: Deadline
    ) -> str:
        if update.incident is None:
            return UNCHANGED
        if found is None:
            body = {"properties": new_properties(update.incident, day)}
            self._put(self._incidents, update.campaign_id, body, deadline)
            return CREATED
        properties = merged_properties(found["properties"], update.incident, day)
        if properties == kept_properties(found["properties"]):
            return UNCHANGED
        body = {"etag": found["etag"], "properties": properties}
        self._put(self._incidents, update.campaign_id, body, deadline)
        return UPDATED

    def _uncommented(
        self, found: Mapping[str, Any], update: IncidentUpdate, day: date, deadline: Deadline
    ) -> list[News]:
        """The news that no comment has yet."""
        note = Note.of(_labels(found["properties"]))
        # A reader of the incident already knows what it was made from, and all earlier news.
        if note and day <= note.first_hunt:
            return []
        comments = self._comments_of(update)
        return [item for item in news(update, day) if not self._get(comments, item.id, deadline)]

    def _comment(self, update: IncidentUpdate, item: News, deadline: Deadline) -> None:
        body = {"properties": {"message": item.text}}
        self._put(self._comments_of(update), item.id, body, deadline)

    def _comments_of(self, update: IncidentUpdate) -> str:
        return f"{self._incidents}/{quote(update.campaign_id, safe='')}/comments"

    def _get(self, collection: str, name: str, deadline: Deadline) -> dict[str, Any] | None:
        response = self._call("GET", collection, name, None, deadline)
        if response.status_code == 404:
            return None
        if response.status_code != 200:
            raise DeliveryError(f"GET was answered {describe_answer(response)}.")
        return read_object(response)

    def _put(self, collection: str, name: str, body: dict[str, Any], deadline: Deadline) -> None:
        """Raises _Conflict if somebody else wrote after it was read, or an earlier attempt did."""
        response = self._call("PUT", collection, name, body, deadline)
        if response.status_code in CONFLICTS:
            raise _Conflict
        if response.status_code not in (200, 201):
            raise DeliveryError(f"PUT was answered {describe_answer(response)}.")

    def _call(
        self, method: str, collection: str, name: str, body: Any, deadline: Deadline
    ) -> HttpResponse:
        url = f"{collection}/{quote(name, safe='')}"
        request = HttpRequest(method, url, params={"api-version": API_VERSION}, json=body)
        return self._client.send_request(request, timeout=deadline.seconds_for_a_call())


def _comments(found: Mapping[str, Any] | None) -> int:
    return found["properties"].get("additionalData", {}).get("commentsCount", 0) if found else 0


def _detail(
    found: Mapping[str, Any] | None, update: IncidentUpdate, commented: bool, full: bool
) -> str | None:
    """What the action alone does not say."""
    if found is None:
        return None if update.incident else "merged before it was ever sent"
    said = ["with news as a comment"] if commented else []
    if full:
        said.append(f"news left out: it has {MAX_COMMENTS} comments")
    if found["properties"]["status"] == CLOSED:
        said.append("closed: only comments are added")
    elif Note.of(_labels(found["properties"])) is None:
        said.append("without our label: only comments are added")
    return "; ".join(said) or None
