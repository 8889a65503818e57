"""Campaigns as rows of a Log Analytics table, by the Logs Ingestion API.

A row there can neither be changed nor deleted, so a hunt made again sends its rows again:
``RowId`` is the same for a campaign and a hunt's day, ``ContentHash`` for the same content. The
analytics rule in ``deploy/sentinel`` takes the newest of each.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID, uuid5

from azure.core.exceptions import AzureError
from azure.monitor.ingestion import LogsIngestionClient, LogsUploadError

from lowslow_assets.settings import LOG_ANALYTICS
from lowslow_assets.sinks.calls import Deadline, explain
from lowslow_assets.sinks.cases import CREATED, FAILED, Case, Delivery, delivery
from lowslow_assets.sinks.text import bounded, harmless, printable

MAX_TITLE, MAX_DESCRIPTION = 256, 5_000
_MAX_NAME = 256
_NAMESPACE = UUID("a3d5f1f4-0a3c-5c0e-9d53-2a6f0c1f6c55")

# Name and type in the stream's declaration.
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
    "Accounts": "dynamic",
    "Addresses": "dynamic",
    "Techniques": "dynamic",
}


def row(case: Case, day: date) -> dict[str, Any]:
    """The row of a case that has an incident, with the names of ``COLUMNS``.

    ``Accounts`` and ``Addresses`` are as logged but for what cannot be printed, cut to
    256 characters: entities are looked up by them.
    """
    incident = case.incident or {}
    content = {
        "HuntDate": _iso(datetime.combine(day, time(), UTC)),
        "CampaignId": case.campaign_id,
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
        "Accounts": _names(case.accounts),
        "Addresses": _names(case.addresses),
        "Techniques": list(incident["techniques"]),
    }
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
    row_id = str(uuid5(_NAMESPACE, f"{case.campaign_id}/{day}"))
    return {"RowId": row_id, "ContentHash": digest[:32], **content}


class LogAnalyticsTable:
    """One table, through a data collection rule."""

    name = LOG_ANALYTICS

    def __init__(self, client: LogsIngestionClient, rule_id: str, stream: str) -> None:
        self._client = client
        self._rule_id = rule_id
        self._stream = stream

    def deliver(self, day: date, cases: Sequence[Case]) -> list[Delivery]:
        """Send a row a case that has an incident; where a part is refused, the others go on."""
        sent = [case for case in cases if case.incident is not None]
        failed: dict[str, str] = {}

        def note(error: LogsUploadError) -> None:
            if not isinstance(error.error, AzureError):
                raise error.error
            reason = explain(error.error)
            failed.update({log["CampaignId"]: reason for log in error.failed_logs})

        if sent:
            self._client.upload(
                self._rule_id,
                self._stream,
                [row(case, day) for case in sent],
                on_error=note,
                # Safe, as a row that comes twice counts once.
                retry_on_methods=["POST"],
                timeout=Deadline().seconds_for_a_call(),
            )
        return [self._said(case, failed.get(case.campaign_id)) for case in sent]

    def _said(self, case: Case, reason: str | None) -> Delivery:
        return delivery(case, self.name, FAILED if reason else CREATED, reason)


def _names(values: Sequence[str]) -> list[str]:
    return [bounded(printable(value), _MAX_NAME) for value in values]


def _iso(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
