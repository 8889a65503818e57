"""A small campaign whose figures can be counted on one hand, with any value from the log."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa

from lowslow_assets.reports.pages.campaign_page import CampaignPage, Cell, HuntDay, Place, Window

DAY = date(2026, 6, 7)
FIRST = date(2026, 6, 1)  # a Monday
HOSTILE = {
    "markup": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "end of the data": "</script><script>alert(1)</script><!--",
    "quotes": "\"'`\\ onmouseover=alert(1) \"x='",
    "template": "{{ 7 * 7 }}{% raw %}{#",
    "formula": "=cmd|' /C calc'!A0",
    "right to left": "user\u202egnp.exe\u202c\u2066\u200f\u200b\u061c",
    "right-to-left letters": "שלום.مرحبا@example.com",
    "line separators": "one\u2028two\u2029three\x85four\r\nfive\ttab",
    "control characters": "\x00\x07\x1b[31mred\x7f\x9b\ufeff",
    "10,000 characters": "A" * 10_000,
    "emoji": "🦆👩\u200d👩\u200d👧" * 500,
    "ampersands": "&lt;b&gt; &amp; &#60;script&#62;",
}


def time_of(day: int, hour: int) -> datetime:
    """An hour of a day, counted from FIRST."""
    return datetime(FIRST.year, FIRST.month, FIRST.day, hour, tzinfo=UTC) + timedelta(days=day)


def window_of(days: int = 7) -> Window:
    """The window's last days, each with ten successes at 9 and five at 10."""
    first = 7 - days
    return Window(
        day=DAY,
        lookback_days=240,
        days=[FIRST + timedelta(days=i) for i in range(first, 7)],
        successes={
            time_of(day, hour): number
            for day in range(first, 7)
            for hour, number in ((9, 10), (10, 5))
        },
        success_places=[Place("Oslo, NO", 59.9, 10.7, 105)],
    )


def page_of(value: str = "plain", members: int = 3) -> CampaignPage:
    """A campaign of four attempts and one entry; every text from the log is ``value``."""
    incident = {
        "incident_id": "00000000-0000-5000-8000-000000000001",
        "cluster_id": 0,
        "state": "continued",
        "first_hunted": FIRST,
        "previous_hunt": FIRST + timedelta(days=3),
        "new_attempts": 1,
        "addresses_looked_up": 3,
        "malicious_addresses": [{"ip_address": value, "providers": ["indicators", value]}],
        "new_compromised_users": [value],
        "new_known_passwords": [value],
        "severity": "High",
        "confidence": 0.97,
        "confidence_label": "high",
        "title": f"Possible spray {value}",
        "description": f"In words: {value}",
        "first_activity": time_of(1, 3),
        "last_activity": time_of(5, 22),
        "active_days": 3,
        "attempts": 4,
        "users": 3,
        "invented_names": 1,
        "ip_addresses": 4,
        "countries": 2,
        "attempts_per_day": 0.8,
        "attempts_per_user": 4 / 3,
        "anomalous_features": ["network", value],
        "invariants": [{"feature": "browser", "value": value, "share": 1.0}],
        "tests": [
            {"name": "many accounts", "passed": True, "value": 3.0, "explanation": value},
            {"name": "few attempts each", "passed": False, "value": 1.3, "explanation": value},
        ],
        "successes": 1,
        "compromised_users": [value],
        "entries": [
            {
                "user": value,
                "probability": 0.9,
                "first_success": time_of(5, 22),
                "exported": date(2026, 5, 22),
                "successes": 1,
                "evidence": value,
            }
        ],
        "known_passwords": [
            {
                "user": value,
                "probability": 0.97,
                "first_stopped": time_of(3, 12),
                "result_type": "50076",
                "stopped_by": "a request for a second factor",
                "signins": 1,
                "evidence": value,
            }
        ],
        "techniques": ["T1110.003"],
    }
    statistics = {
        "ks_statistic": 0.1,
        "ks_p_value": 0.5,
        "hour_distance": 0.4,
        "hour_p_value": 0.0,
        "weekday_distance": 0.2,
        "weekday_p_value": None,
    }
    feature = {
        "variability": 0.5,
        "anomalous_share": 0.75,
        "top_category": value,
        "top_share": 0.5,
    }
    return CampaignPage(
        window=window_of(),
        incident=incident,
        statistics=statistics,
        features=[
            {"feature": "browser", **feature},
            {"feature": "city", **feature, "variability": None},
        ],
        rules=[
            {
                "outcome": "failure",
                "usable": True,
                "summary": "Finds 75.0% of its 4 attempts.",
                "kql": f"SigninLogs | where Browser == {value}",
                "sigma": f"title: {value}",
            },
            {
                "outcome": "success",
                "usable": False,
                "summary": "No rule: the campaign repeats too little.",
                "kql": None,
                "sigma": None,
            },
        ],
        attempts={time_of(1, 3): 1, time_of(1, 4): 1, time_of(3, 12): 1, time_of(5, 22): 1},
        entries={time_of(5, 22): 1},
        attempt_places=[Place(value, -33.9, 18.4, 3), Place("Lima, PE", -12.0, -77.0, 1)],
        entry_places=[Place(value, -12.0, -77.0, 1)],
        matrix=[Cell(value, value, 2, 1), Cell("other", value, 1, 0), Cell("third", "AS1", 1, 0)],
        members=members_of(value, members),
    )


def members_of(value: str, number: int) -> pa.Table:
    """Columns as the asset gives them; all times and ids are different."""
    times = [f"2026-06-{1 + i % 7:02} {i % 24:02}:{i // 24 % 60:02}:00" for i in range(number)]
    return pa.table(
        {
            "Time (UTC)": times,
            "Outcome": ["success" if i == 0 else "failure" for i in range(number)],
            "Account": [value if i % 2 == 0 else f"user{i:06}@example.com" for i in range(number)],
            "Address": [f"198.51.{i // 256 % 256}.{i % 256}" for i in range(number)],
            "Browser": [value] * number,
            "Sign-in id": [f"id {i}" for i in range(number)],
        },
        schema=pa.schema([(name, pa.string()) for name in _TITLES]),
    )


_TITLES = ("Time (UTC)", "Outcome", "Account", "Address", "Browser", "Sign-in id")


def hunt_of(value: str = "plain") -> HuntDay:
    """A hunt over 20 failures: 15 explained, 5 suspect, one campaign among them."""
    cluster = {"failures": 4, "attempts_per_day": 0.8, "kept": True, "reason": value}
    return HuntDay(
        window=window_of(),
        failures=20,
        suspects=5,
        explanations=[
            {"explanation": "resolved", "failures": 10, "reason": "a typo"},
            {"explanation": "busy account", "failures": 5, "reason": value},
        ],
        clusters=[cluster, {**cluster, "failures": 1, "kept": False}],
        campaigns=[page_of(value)],
    )


def quiet_hunt() -> HuntDay:
    """A hunt in which nothing failed and nothing was found, and most days are missing."""
    window = replace(window_of(1), days=[FIRST, DAY], successes={}, success_places=[])
    return HuntDay(window, failures=0, suspects=0, explanations=[], clusters=[], campaigns=[])
