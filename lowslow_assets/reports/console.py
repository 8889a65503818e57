"""Incidents as lines of a terminal."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

_MOST_ACCOUNTS = 5


def incidents_as_text(incidents: Sequence[Mapping[str, Any]], day: date) -> str:
    """What a hunt found, from rows of ``enriched_incidents``; nothing in it moves a cursor."""
    found = [f"Found as of {day}: {len(incidents)} campaign(s)"]
    for incident in incidents:
        unusual = ", ".join(incident["anomalous_features"])
        found.append(
            f"\n  [{incident['severity']}, confidence {incident['confidence_label']}] "
            f"{incident['title']}\n"
            f"    {incident['first_activity']:%Y-%m-%d} to {incident['last_activity']:%Y-%m-%d}, "
            f"{incident['attempts']:,} attempts from {incident['ip_addresses']:,} addresses; "
            f"unusual: {unusual or 'nothing but new sources'}"
        )
        known = [each["user"] for each in incident["known_passwords"]]
        for what, accounts in (
            ("check first", incident["compromised_users"]),
            ("password known, reset first", known),
        ):
            if accounts:
                more = len(accounts) - _MOST_ACCOUNTS
                shown = ", ".join(map(ascii, accounts[:_MOST_ACCOUNTS]))
                found.append(f"    {what}: {shown}{f' and {more} more' if more > 0 else ''}")
    return "\n".join(found)
