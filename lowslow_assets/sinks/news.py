"""The news of a hunt that becomes a comment on a known incident."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid5

from lowslow_assets.detection.identity import RESUMED, SPLIT
from lowslow_assets.sinks.text import bounded, harmless
from lowslow_assets.sinks.updates import IncidentUpdate

MAX_COMMENT = 30_000
_NAMESPACE = UUID("0d1c7c58-3f0e-5d0c-8b55-6f2f0a1f7a34")
_SHOWN_VALUE = 200


@dataclass(frozen=True)
class News:
    """A comment; the same news of the same campaign has the same ``id`` in every hunt."""

    id: str
    text: str


def news(update: IncidentUpdate, day: date) -> list[News]:
    """What is new for an analyst as of ``day``; more attempts alone are not news."""
    incident = update.incident
    if incident is None:
        text = f"This campaign continues in another one: incident {update.merged_into}."
        return [_news(update, day, ["merged", str(update.merged_into)], [text])]
    found = []
    if incident["state"] == RESUMED:
        text = f"It is active again after a pause: {incident['new_attempts']:,} new attempts."
        found.append(_news(update, day, ["resumed", str(day)], [text]))
    if incident["state"] == SPLIT:
        text = f"It split from campaign {update.split_from}, of which it was a part."
        found.append(_news(update, day, ["split", str(update.split_from), str(day)], [text]))
    users = incident["new_compromised_users"]
    if users:
        # A part of the comment's id: another word would repeat comments that exist.
        found.append(_news(update, day, ["entered", *sorted(users)], _entries(incident, users)))
    users = incident["new_known_passwords"]
    if users:
        found.append(_news(update, day, ["known", *sorted(users)], _known(incident, users)))
    return found


def _entries(incident: Mapping[str, Any], users: Sequence[str]) -> list[str]:
    of_user = {entry["user"]: entry for entry in incident["entries"]}
    lines = [f"It may have compromised {len(users)} more account(s). Check these first:"]
    for user in users:
        entry = of_user[user]
        lines.append(
            f"- {_quoted(user)}: {entry['first_success']:%Y-%m-%d %H:%M} UTC, "
            f"probability {entry['probability']:.0%}, {bounded(entry['evidence'], _SHOWN_VALUE)}"
        )
    return lines


def _known(incident: Mapping[str, Any], users: Sequence[str]) -> list[str]:
    of_user = {known["user"]: known for known in incident["known_passwords"]}
    lines = [f"It may know the password of {len(users)} more account(s). Reset these first:"]
    for user in users:
        known = of_user[user]
        lines.append(
            f"- {_quoted(user)}: {known['first_stopped']:%Y-%m-%d %H:%M} UTC, stopped by "
            f"{known['stopped_by']}, {bounded(known['result_type'], _SHOWN_VALUE)}"
        )
    return lines


def _quoted(user: str) -> str:
    # With quotes of its own, the value could end early and continue in our name.
    named = bounded(user, _SHOWN_VALUE).replace('"', "'")
    return f'"{named}"'


def _news(update: IncidentUpdate, day: date, what: Sequence[str], lines: Sequence[str]) -> News:
    # Each part has its length with it, so that no user name can be invented that looks like two.
    key = "".join(f"{len(part)}:{part}" for part in (update.campaign_id, *what))
    said = "\n".join(harmless(line) for line in [f"Hunt of {day}: {lines[0]}", *lines[1:]])
    return News(str(uuid5(_NAMESPACE, key)), bounded(said, MAX_COMMENT))
