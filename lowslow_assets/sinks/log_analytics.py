"""Campaigns as rows of a Log Analytics table, by the Logs Ingestion API.

A row there can be neither changed nor deleted, so a hunt that is made again sends its rows again.
``RowId`` is the same for the same campaign and hunt's day, ``ContentHash`` for the same content.
The analytics rule in ``deploy/sentinel`` takes the newest row of each.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID, uuid5

from azure.core.exceptions import AzureError
from azure.monitor.ingestion import LogsIngestionClient

from lowslow_assets.settings import LOG_ANALYTICS
from lowslow_assets.sinks.calls import Deadline, DeliveryError, explain
from lowslow_assets.sinks.text import bounded, harmless, printable
from lowslow_assets.sinks.updates import CREATED, FAILED, Delivery, IncidentUpdate, delivery

MAX_TITLE, MAX_DESCRIPTION = 256, 5_000
# A hundred names fit into a column (64 KB), whatever their letters; Entra's names have at most 113
# characters.
_MAX_NAME = 128
_NAMESPACE = UUID("a3d5f1f4-0a3c-5c0e-9d53-2a6f0c1f6c55")

# Name and type as in the stream's declaration.
COLUMNS = {
    "RowId": "string",
    "ContentHash": "string",
    "HuntDate": "datetime",
    "CampaignId": "string",
    "State": "string",
    "Severity": "string",
    "Confidence": "real",
    "Title": "string",
    "Description": "string",
    "FirstActivity": "datetime",
    "LastActivity": "datetime",
    "Attempts": "long",
    "NewAttempts": "long",
    "Users": "long",
    "IpAddresses": "long",
    "CompromisedAccounts": "dynamic",
    "NewCompromisedAccounts": "dynamic",
    "KnownPasswords": "dynamic",
    "NewKnownPasswords": "dynamic",
    "Accounts": "dynamic",
    "Addresses": "dynamic",
    "Techniques": "dynamic",
}


def row(update: IncidentUpdate, day: date) -> dict[str, Any]:
    """The row of an update that has an incident, with the names of ``COLUMNS``.

    ``Accounts`` and ``Addresses`` are as logged, because entities are looked up by them, but
    unprintable characters are replaced and they are cut to 128 characters.
    """
    incident = update.incident or {}
    content = {
        "HuntDate": _iso(datetime.combine(day, time(), UTC)),
        "CampaignId": update.campaign_id,
        "State": incident["state"],
        "Severity": incident["severity"],
        "Confidence": incident["confidence"],
        "Title": bounded(harmless(incident["title"]), MAX_TITLE),
        "Description": bounded(harmless(incident["description"]), MAX_DESCRIPTION),
        "FirstActivity": _iso(incident["first_activity"]),
        "LastActivity": _iso(incident["last_activity"]),
        "Attempts": incident["attempts"],
        "NewAttempts": incident["new_attempts"],
        "Users": incident["users"],
        "IpAddresses": incident["ip_addresses"],
        "CompromisedAccounts": _names(incident["compromised_users"]),
        "NewCompromisedAccounts": _names(incident["new_compromised_users"]),
        "KnownPasswords": _names([each["user"] for each in incident["known_passwords"]]),
        "NewKnownPasswords": _names(incident["new_known_passwords"]),
        "Accounts": _names(update.accounts),
        "Addresses": _names(update.addresses),
        "Techniques": list(incident["techniques"]),
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    row_id = str(uuid5(_NAMESPACE, f"{update.campaign_id}/{day}"))
    return {"RowId": row_id, "ContentHash": digest[:32], **content}


class LogAnalyticsTable:
    """One table, which is filled through a data collection rule."""

    name = LOG_ANALYTICS

    def __init__(self, client: LogsIngestionClient, rule_id: str, stream: str) -> None:
        self._client = client
        self._rule_id = rule_id
        self._stream = stream

    def deliver(self, day: date, updates: Sequence[IncidentUpdate]) -> list[Delivery]:
        """Send one row per update that has an incident, each by a request of its own."""
        deadline = Deadline()
        return [self._deliver_one(day, update, deadline) for update in updates if update.incident]

    def _deliver_one(self, day: date, update: IncidentUpdate, deadline: Deadline) -> Delivery:
        try:
            self._client.upload(
                self._rule_id,
                self._stream,
                [row(update, day)],
                # This is safe, because a row that arrives twice counts once.
                retry_on_methods=["POST"],
                timeout=deadline.seconds_for_a_call(),
            )
        except AzureError as error:
            return delivery(update, self.name, FAILED, explain(error))
        except DeliveryError as error:
            return delivery(update, self.name, FAILED, str(error))
        return delivery(update, self.name, CREATED)


def _names(values: Sequence[str]) -> list[str]:
    return [bounded(printable(value), _MAX_NAME) for value in values]


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
