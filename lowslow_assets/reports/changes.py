"""What another setting would have changed, as lines of a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

_MOST_ACCOUNTS, _MOST_INCIDENTS = 5, 50
Row = Mapping[str, Any]
Incidents = Mapping[date, Sequence[Row]]
"""Rows of ``enriched_incidents`` by the day of their hunt."""


def changes_as_text(before: Incidents, after: Incidents) -> str:
    """Which incidents are added, removed and changed; nothing in the text moves a cursor.

    An incident is compared by the last hunt that has it, and by the days whose hunts have it.
    """
    old, new = _by_id(before), _by_id(after)
    said: dict[str, list[list[str]]] = {"added": [], "removed": [], "changed": []}
    same = 0
    for key in sorted(old.keys() | new.keys()):
        if key not in old:
            said["added"].append(_whole(new[key]))
        elif key not in new:
            said["removed"].append(_whole(old[key]))
        elif differences := [*_differences(old[key], new[key])]:
            said["changed"].append([_headline(new[key]), *differences])
        else:
            same += 1
    lines = []
    for word, incidents in said.items():
        for headline, *more in incidents[:_MOST_INCIDENTS]:
            lines += [f"{word:8} {headline}", *(f"{'':8} {line}" for line in more)]
        if (left := len(incidents) - _MOST_INCIDENTS) > 0:
            lines.append(f"{word:8} {left} more")
    return "\n".join([*lines, f"{same} incident(s) stay as they are"])


def _by_id(incidents: Incidents) -> dict[str, dict[date, Row]]:
    found: dict[str, dict[date, Row]] = {}
    for day in sorted(incidents):
        for row in incidents[day]:
            found.setdefault(row["incident_id"], {})[day] = row
    return found


def _last(incident: Mapping[date, Row]) -> Row:
    return incident[max(incident)]


def _headline(incident: Mapping[date, Row]) -> str:
    row = _last(incident)
    return f"[{row['severity']}, confidence {row['confidence_label']}] {row['title']}"


def _whole(incident: Mapping[date, Row]) -> list[str]:
    shown = [f"{name}: {value}" for name, value in _facts(incident).items() if value]
    return [_headline(incident), *shown]


def _facts(incident: Mapping[date, Row]) -> dict[str, str]:
    """The compared facts, each in words."""
    row = _last(incident)
    days = f"{len(incident)} day(s), {min(incident)} to {max(incident)}"
    return {
        "in the hunts of": days,
        "severity": row["severity"],
        "confidence": row["confidence_label"],
        "attempts": f"{row['attempts']:,}",
        "accounts tried": f"{row['users']:,}",
    } | {name: _listed(accounts) for name, accounts in _tiers(row).items()}


def _tiers(row: Row) -> dict[str, list[str]]:
    return {
        "possibly compromised": list(row["compromised_users"]),
        "password known": [each["user"] for each in row["known_passwords"]],
    }


def _differences(old: Mapping[date, Row], new: Mapping[date, Row]) -> Iterator[str]:
    tiers = _tiers(_last(new))
    before, after = _facts(old), _facts(new)
    for name, value in after.items():
        if name in tiers:
            was, now = set(_tiers(_last(old))[name]), set(tiers[name])
            for word, accounts in (("also", now - was), ("no longer", was - now)):
                if accounts:
                    yield f"{name}: {word} {_listed(sorted(accounts))}"
        elif before[name] != value:
            yield f"{name}: {before[name]} -> {value}"


def _listed(accounts: Sequence[str]) -> str:
    more = len(accounts) - _MOST_ACCOUNTS
    shown = ", ".join(map(ascii, accounts[:_MOST_ACCOUNTS]))
    return f"{shown} and {more} more" if more > 0 else shown
