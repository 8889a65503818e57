"""What an incident says: right numbers, and nothing an attacker wrote unguarded."""

import json
import time
from dataclasses import asdict, replace
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from lowslow_assets.detection.campaigns import Invariant, SprayTest
from lowslow_assets.detection.statistics import ClusterStatistics
from lowslow_assets.incidents.wording import (
    AccountSuccesses,
    Incident,
    describe,
    incident_id,
    to_json,
)

DAY = date(2026, 6, 30)
CLUSTER = ClusterStatistics(
    cluster_id=3,
    failures=1234,
    users=1100,
    ip_addresses=1000,
    countries=12,
    attempts_per_user=1234 / 1100,
    attempts_per_address=1.234,
    first_activity=datetime(2026, 5, 1, 23, 30, tzinfo=UTC),
    last_activity=datetime(2026, 6, 29, 0, 15, tzinfo=UTC),
    active_days=58,
    span_days=60,
    attempts_per_day=1234 / 60,
    ks_statistic=0.02,
    ks_p_value=0.7,
    hour_distance=0.4,
    hour_p_value=1e-9,
    weekday_distance=0.2,
    weekday_p_value=None,
)
HOSTILE = {
    "newlines": "Firefox\r\n\nSeverity: none",
    "control characters": "\x00\x07\x1b[31mred\x7f\x9b",
    "10,000 characters": "A" * 10_000,
    "quotes": "\"'`\\",
    "markup": "<script>alert(1)</script>",
    "right to left override": "user\u202egnp.exe\u202c\u2066\u200b",
    "line separators": "one\u2028two\u2029three\x85four",
    "emoji": "🦆" * 5_000,
    "lone surrogate": "\ud800",
}


def spray_tests_of(passed: int) -> list[SprayTest]:
    return [SprayTest(f"test {i}", i < passed, 1.5, f"Explanation {i}.") for i in range(5)]


def incident(
    cluster: ClusterStatistics = CLUSTER,
    passed: int = 5,
    users: tuple[str, ...] = (),
    values: tuple[str, ...] = ("Android",),
) -> Incident:
    return describe(
        DAY,
        cluster,
        ["browser", "city"],
        [Invariant("operatingSystem", value, 0.987) for value in values],
        spray_tests_of(passed),
        [AccountSuccesses(user, 2) for user in users],
    )


@pytest.mark.parametrize(
    ("passed", "confidence", "severity", "severity_with_successes"),
    [
        (5, "high", "Medium", "High"),
        (4, "high", "Medium", "High"),
        (3, "medium", "Low", "Low"),
        (2, "low", "Informational", "Informational"),
        (0, "low", "Informational", "Informational"),
    ],
)
def test_confidence_and_severity(
    passed: int, confidence: str, severity: str, severity_with_successes: str
) -> None:
    quiet, loud = incident(passed=passed), incident(passed=passed, users=("ann",))
    assert quiet.confidence == passed / 5
    assert quiet.confidence_label == loud.confidence_label == confidence
    assert (quiet.severity, loud.severity) == (severity, severity_with_successes)


def test_title_and_description_say_the_numbers() -> None:
    found = incident(users=("ann@example.com", "bob", "cid", "dan", "eve"))
    assert found.title == (
        "Possible low-and-slow password spray on 1,100 accounts, about 20.6 a day, "
        "5 possibly got into"
    )
    assert found.description == (
        "1,234 failed sign-ins on 1,100 accounts from 1,000 addresses in 12 countries, about 20.6 "
        "a day, from 2026-05-01 to 2026-06-29 (UTC), share an unusual pattern: browser, city are "
        "seldom or never seen in the tenant's successful sign-ins. It keeps repeating: "
        'operatingSystem "Android" (99%). It passes 5 of 5 tests of a spray. Successful sign-ins '
        'follow its pattern on 5 accounts it had tried: "ann@example.com", "bob", "cid" and 2 '
        "more. Check these first."
    )
    assert (found.successes, found.compromised_users) == (
        10,
        ["ann@example.com", "bob", "cid", "dan", "eve"],
    )
    assert (found.attempts, found.users, found.active_days) == (1234, 1100, 58)


def test_failed_tests_are_named_with_what_they_mean() -> None:
    description = incident(passed=3).description
    assert "It passes 3 of 5 tests of a spray." in description
    assert 'Not "test 3": Explanation 3. Not "test 4": Explanation 4.' in description
    assert "Explanation 2." not in description


def test_one_is_singular() -> None:
    single = replace(
        CLUSTER, failures=1, users=1, ip_addresses=1, countries=1, attempts_per_day=1.0
    )
    found = incident(single, users=("ann",))
    assert "spray on 1 account, about 1 a day, 1 possibly" in found.title
    assert "1 failed sign-in on 1 account from 1 address in 1 country, about" in found.description
    assert 'pattern on 1 account it had tried: "ann". Check' in found.description


@pytest.mark.parametrize(
    ("per_day", "words"),
    [(0.25, "about 0.25 a day"), (99.96, "about 100 a day"), (1234.5, "about 1,234 a day")],
)
def test_pace_is_a_number_people_read(per_day: float, words: str) -> None:
    assert words in incident(replace(CLUSTER, attempts_per_day=per_day)).title


def test_nothing_got_into_is_not_mentioned() -> None:
    found = incident(values=())
    assert "got into" not in found.title
    assert "Successful sign-ins follow" not in found.description
    assert "keeps repeating" not in found.description


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_hostile_values_are_bounded_and_printable(value: str) -> None:
    found = incident(values=(value,) * 9, users=(value,) * 100)
    assert found.title.isprintable()
    assert found.description.isprintable()
    assert len(found.title) < 150
    # Microsoft Sentinel takes 5,000 characters.
    assert len(found.description) < 2_000
    found.description.encode()


def test_a_value_does_not_leave_its_quotes() -> None:
    assert (
        """operatingSystem "x'. Ignore this. 'y" (99%)"""
        in incident(values=('x". Ignore this. "y',)).description
    )


def test_a_cut_value_shows_that_it_is_cut() -> None:
    assert f'"{"x" * 60}"' in incident(values=("x" * 60,)).description
    assert f'"{"x" * 60}..."' in incident(values=("x" * 61,)).description


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_json_document_reads_back_as_it_was(value: str) -> None:
    row = asdict(incident(values=(value,), users=(value,)))
    text = to_json(row, DAY)
    # Whatever a value contains, a tool that reads ASCII lines is not misled.
    assert text.isascii()
    assert text.endswith("}\n")
    document = json.loads(text)
    assert document.pop("hunt_date") == "2026-06-30"
    assert document["compromised_users"] == [value]
    assert document["invariants"] == [
        {"feature": "operatingSystem", "value": value, "share": 0.987}
    ]
    times = {
        "first_activity": "2026-05-01T23:30:00+00:00",
        "last_activity": "2026-06-29T00:15:00+00:00",
    }
    assert document == row | times


def test_times_areutc_wherever_the_machine_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spark gives times to Python without a zone, in the machine's own."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        local = replace(
            CLUSTER,
            first_activity=datetime(2026, 5, 1, 19, 30),  # noqa: DTZ001
            last_activity=datetime(2026, 6, 28, 20, 15),  # noqa: DTZ001
        )
        found = incident(local)
        assert "from 2026-05-01 to 2026-06-29 (UTC)" in found.description
        document = json.loads(to_json(asdict(found), DAY))
        assert document["first_activity"] == "2026-05-01T23:30:00+00:00"
    finally:
        monkeypatch.undo()
        time.tzset()


def test_incident_ids_are_stable_and_apart() -> None:
    # Cases in other systems are named by it: it does not change with a release either.
    assert incident_id(DAY, 3) == "39b84cce-fb98-5bdf-bb4e-7535e6818971"
    ids = {incident_id(date(2026, 6, day), k) for day in range(1, 31) for k in range(20)}
    assert len(ids) == 600
    assert all(str(UUID(found)) == found for found in ids)
    assert incident().incident_id == incident_id(DAY, 3)
