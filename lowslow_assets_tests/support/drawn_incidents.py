"""Incidents as hunts would make them."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid5

from lowslow_assets.detection.identity import CONTINUED, NEW
from lowslow_assets.sinks.updates import IncidentUpdate

FIRST = date(2026, 4, 1)
_NAMES = UUID("00000000-0000-0000-0000-000000000000")


def campaign_id(number: int) -> str:
    return str(uuid5(_NAMES, str(number)))


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def incident(number: int, of_day: int, **changes: Any) -> dict[str, Any]:
    """The row of campaign ``number`` as of a day; ``changes`` are columns."""
    until = datetime.combine(day(of_day), time(22, 30, 15), UTC)
    users = list(changes.get("compromised_users", ()))
    known = [
        {
            "user": user,
            "probability": 0.9,
            "first_stopped": until,
            "result_type": "50076",
            "stopped_by": "a request for a second factor",
            "signins": 1,
            "evidence": "from a network new to the user",
        }
        for user in changes.pop("known_passwords", ())
    ]
    return {
        "incident_id": campaign_id(number),
        "state": NEW if of_day == 0 else CONTINUED,
        "severity": "Medium",
        "confidence": 0.9,
        "title": f"Possible password spray on {100 + of_day} accounts",
        "description": f"Known since {FIRST}. {1000 + of_day} failed sign-ins of {number}.",
        "first_activity": datetime(2026, 3, 1, 4, tzinfo=UTC),
        "last_activity": until,
        "attempts": 1000 + of_day,
        "new_attempts": 3,
        "users": 100 + of_day,
        "ip_addresses": 900 + of_day,
        "compromised_users": users,
        "new_compromised_users": users,
        "entries": [
            {"user": u, "probability": 0.8, "first_success": until, "evidence": "new network"}
            for u in users
        ],
        "known_passwords": known,
        "new_known_passwords": [each["user"] for each in known],
        "techniques": ["T1110.003"],
        **changes,
    }


def update(number: int, of_day: int, **changes: Any) -> IncidentUpdate:
    """The update of campaign ``number`` as of a day, with the given accounts and addresses."""
    own = {key: changes.pop(key) for key in ("accounts", "addresses") if key in changes}
    row: Mapping[str, Any] = incident(number, of_day, **changes)
    split_from = changes.get("split_from")
    return IncidentUpdate(campaign_id(number), row, split_from=split_from, **own)


def merged(number: int, into: int) -> IncidentUpdate:
    return IncidentUpdate(campaign_id(number), None, merged_into=campaign_id(into))
