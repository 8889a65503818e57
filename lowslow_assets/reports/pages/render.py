"""Pages as HTML: one file each, which loads nothing and runs only its own script.

Attackers write what the log says. Whatever a template prints is escaped, and invisible or
reordering characters become visible. The page's policy allows the two inline blocks by their
hashes; its data is JSON, which no browser runs.
"""

import base64
import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from typing import Any

import pyarrow as pa
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from lowslow_assets.reports.pages import charts, words
from lowslow_assets.reports.pages.campaign_page import CampaignPage, Cell, Hours, HuntDay, Window

_HOURS = [f"{hour:02}" for hour in range(24)]
# Our own sentences are shorter; values of the log are cut earlier, to fit their places.
_LONGEST = 1_000
_WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


def render_campaign(page: CampaignPage) -> str:
    """The page of a campaign."""
    window = page.window
    days = _days(window)
    attempts, entries, successes = (
        _by_day(hours, days) for hours in (page.attempts, page.entries, window.successes)
    )
    timeline = {
        "first": str(days[0]),
        "attempts": attempts,
        "entries": entries,
        "successes": successes,
    }
    layers = {
        "normal": window.success_places,
        "campaign": page.attempt_places,
        "entry": page.entry_places,
    }
    return _page(
        "campaign.html",
        {
            "name": page.incident["incident_id"],
            "timeline": timeline,
            "members": _columns(page.members),
        },
        page=page,
        incident=page.incident,
        features=_features(page),
        days=days,
        summary=words.summary(page.incident),
        history=words.history(page.incident),
        steps=words.next_steps(page.incident, page.features),
        attempts_chart=charts.bars("campaign", attempts, entries, "plot tall"),
        successes_chart=charts.bars("normal", successes, [0] * len(days), "plot"),
        highest_attempts=max(attempts),
        highest_successes=max(successes),
        hours_chart=charts.rhythm(
            _HOURS, *(_by_bin(hours, 24, "hour") for hours in (page.attempts, window.successes))
        ),
        weekdays_chart=charts.rhythm(
            _WEEKDAYS,
            *(_by_bin(hours, 7, "weekday") for hours in (page.attempts, window.successes)),
        ),
        map_chart=charts.world_map(_land(), layers),
        on_the_map=sum(place.signins for place in page.attempt_places),
        matrix=_matrix(page.matrix),
        all_members=sum(attempts) + sum(entries),
    )


def render_day(hunt: HuntDay) -> str:
    """The page of a hunt: its campaigns, and the explanations of all other failures."""
    days = _days(hunt.window)
    return _page(
        "day.html",
        {},
        hunt=hunt,
        days=days,
        summary=words.hunt_summary(hunt),
        silent=_by_day(hunt.window.successes, days).count(0),
        sparklines={
            page.incident["incident_id"]: charts.bars(
                "campaign", _by_day(page.attempts, days), _by_day(page.entries, days), "plot"
            )
            for page in hunt.campaigns
        },
        in_campaigns=sum(page.incident["attempts"] for page in hunt.campaigns),
    )


def as_json(data: Any) -> Markup:
    """Data for an element that no browser runs; nothing in it can end the element."""
    text = json.dumps(data, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _page(template: str, data: Mapping[str, Any], **shown: Any) -> str:
    return _environment().get_template(template).render(data=as_json(data), **shown)


def _printed(value: Any) -> Any:
    """A value that a template prints, bounded; markup has already passed through this."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return words.visible(value if len(value) <= _LONGEST else value[:_LONGEST] + "…")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("lowslow_assets.reports.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_printed,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style, script = (_source(environment, name) for name in ("page.css", "page.js"))
    environment.globals |= {
        "style": style,
        "script": script,
        "policy": (
            f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; "
            "base-uri 'none'; form-action 'none'"
        ),
        "gauge": charts.gauge,
    }
    environment.filters |= {
        "number": words.number,
        "long_date": words.long_date,
        "p_value": words.p_value,
        # A text to copy stays exactly as it is.
        "exact": lambda text: Markup(escape(text)),
    }
    return environment


def _source(environment: Environment, name: str) -> Markup:
    assert environment.loader
    return Markup(environment.loader.get_source(environment, name)[0])


def _hash(block: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(block.encode()).digest()).decode()}'"


@cache
def _land() -> Markup:
    return Markup(_environment().get_template("land.svg").render())


def _days(window: Window) -> list[date]:
    """From the window's first day with a partition to the hunt's own."""
    first = min(window.days, default=window.day)
    return [first + timedelta(days=i) for i in range((window.day - first).days + 1)]


def _by_day(hours: Hours, days: Sequence[date]) -> list[int]:
    """Counts per day; times a little outside the window count on its first or last day."""
    counts = Counter[date]()
    for hour, number in hours.items():
        counts[min(max(hour.date(), days[0]), days[-1])] += number
    return [counts[day] for day in days]


def _by_bin(hours: Hours, bins: int, part: str) -> list[int]:
    counts = [0] * bins
    for hour, number in hours.items():
        counts[hour.hour if part == "hour" else hour.weekday()] += number
    return counts


def _features(page: CampaignPage) -> list[dict[str, Any]]:
    repeated = {invariant["feature"] for invariant in page.incident["invariants"]}
    rows = {row["feature"]: row for row in page.features}
    return [
        {**rows[feature], "label": label, "repeated": feature in repeated}
        for feature, label in words.PROPERTIES.items()
        if feature in rows
    ]


def _matrix(cells: Sequence[Cell]) -> dict[str, Any]:
    """Accounts and networks, those with successes first, then the busiest."""
    return {
        "users": _busiest(cells, "user"),
        "networks": _busiest(cells, "network"),
        "cells": {(cell.user, cell.network): cell for cell in cells},
    }


def _busiest(cells: Sequence[Cell], side: str) -> list[str]:
    entries, attempts = Counter[str](), Counter[str]()
    for cell in cells:
        name = getattr(cell, side)
        entries[name] += cell.entries
        attempts[name] += cell.attempts
    return sorted(attempts, key=lambda name: (-entries[name], -attempts[name], name))


def _columns(members: pa.Table) -> list[dict[str, Any]]:
    """The members by column: distinct values, and which of them each row has.

    If no two rows share a value, ``rows`` is null: the values are in the order of the rows.
    """
    found = []
    for name in members.column_names:
        coded = members[name].combine_chunks().dictionary_encode()
        values = coded.dictionary.to_pylist()
        rows = None if len(values) == len(members) else coded.indices.to_pylist()
        found.append({"name": name, "values": values, "rows": rows})
    return found
