"""What an incident says: the right numbers, and no unprotected text of an attacker's."""

import json
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from lowslow_assets.detection.identity import CONTINUED, NEW, RESUMED, SPLIT, Campaign
from lowslow_assets.detection.spray_tests import Invariant, SprayTest
from lowslow_assets.detection.statistics import ClusterStatistics
from lowslow_assets.enrichment.reports import Known, KnownAddress
from lowslow_assets.reports.wording import (
    MAX_LISTED_USERS,
    Entry,
    Incident,
    KnownPassword,
    describe,
    to_json,
    with_known_addresses,
)

DAY = date(2026, 6, 30)
CLUSTER = ClusterStatistics(
    cluster_id=3,
    failures=1234,
    users=1100,
    invented_names=0,
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
CAMPAIGN = Campaign(
    campaign_id="39b84cce-fb98-5bdf-bb4e-7535e6818971",
    state=NEW,
    cluster_id=3,
    first_hunted=DAY,
    last_hunted=DAY,
    previous_hunt=None,
    matched_by=None,
    first_activity=CLUSTER.first_activity,
    last_activity=CLUSTER.last_activity,
    attempts=2000,
    new_attempts=1234,
    users=1100,
    merged_into=None,
    split_from=None,
    fingerprint=[],
    attempts_by_day={},
    sample={},
)
KNOWN = replace(
    CAMPAIGN,
    state=CONTINUED,
    first_hunted=date(2026, 5, 9),
    previous_hunt=date(2026, 5, 21),
    new_attempts=21,
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


def entries_of(users: tuple[str, ...]) -> list[Entry]:
    """One entry per user, two sign-ins each, on consecutive days and less and less probable."""
    return [
        Entry(
            user,
            probability=0.98 - i / 1000,
            # Shortly before midnight, so the next day's export has it.
            first_success=datetime(2026, 5, 20, 23, 30, tzinfo=UTC) + timedelta(days=i),
            exported=date(2026, 5, 21) + timedelta(days=i),
            successes=2,
            evidence="from a network new to the user",
        )
        for i, user in enumerate(users)
    ]


def known_of(users: tuple[str, ...]) -> list[KnownPassword]:
    """Stopped on 20 May and each day after."""
    return [
        KnownPassword(
            user=user,
            probability=0.97,
            first_stopped=datetime(2026, 5, 20, 23, 30, tzinfo=UTC) + timedelta(days=i),
            result_type="50076",
            stopped_by="a request for a second factor",
            signins=2,
            evidence="from a network new to the user",
        )
        for i, user in enumerate(users)
    ]


def incident(
    cluster: ClusterStatistics = CLUSTER,
    passed: int = 5,
    confidence: float = 0.97,
    users: tuple[str, ...] = (),
    values: tuple[str, ...] = ("Android",),
    campaign: Campaign = CAMPAIGN,
    merged: tuple[str, ...] = (),
    known: tuple[str, ...] = (),
) -> Incident:
    return describe(
        campaign,
        merged,
        cluster,
        ["device", "place"],
        [Invariant("operatingSystem", value, 0.987) for value in values],
        spray_tests_of(passed),
        confidence,
        entries_of(users),
        known_of(known),
    )


@pytest.mark.parametrize(
    ("confidence", "label", "severity", "severity_with_password"),
    [
        (1.0, "high", "Medium", "High"),
        (0.75, "high", "Medium", "High"),
        (0.749, "medium", "Low", "Medium"),
        (0.4, "medium", "Low", "Medium"),
        (0.399, "low", "Informational", "Informational"),
        (0.0, "low", "Informational", "Informational"),
    ],
)
def test_confidence_and_severity(
    confidence: float, label: str, severity: str, severity_with_password: str
) -> None:
    quiet = incident(confidence=confidence)
    compromised = incident(confidence=confidence, users=("ann",))
    known = incident(confidence=confidence, known=("ann",))
    assert quiet.confidence == confidence
    assert quiet.confidence_label == compromised.confidence_label == label
    assert quiet.severity == severity
    assert compromised.severity == known.severity == severity_with_password


def test_passwords_that_are_known_are_to_be_reset_first() -> None:
    found = incident(known=("ann@example.com", "bob", "cid", "dan"))
    assert found.title.endswith("about 20.6 a day, passwords of 4 known")
    stopped = "probability 97%, stopped by a request for a second factor, 50076"
    assert found.description.endswith(
        "It may know the password of 4 accounts, and was stopped: "
        f'"ann@example.com" (2026-05-20 23:30, {stopped}), "bob" (2026-05-21 23:30, {stopped}), '
        f'"cid" (2026-05-22 23:30, {stopped}) and 1 more. Reset these first.'
    )
    assert found.new_known_passwords == ["ann@example.com", "bob", "cid", "dan"]
    assert (found.successes, found.compromised_users) == (0, [])
    both = incident(users=("ann",), known=("bob",), campaign=KNOWN)
    assert both.title.endswith("1 possibly compromised, password of 1 more known")
    assert both.description.endswith("a second factor, 50076). Reset it first.")
    # As of the hunt of 21 May; bob was stopped on the 20th.
    assert both.new_known_passwords == []
    later = incident(known=("ann", "bob", "cid"), campaign=KNOWN)
    assert later.new_known_passwords == ["cid"]
    assert ": 21 attempts, 1 password known. 1,234" in later.description


def test_names_without_an_account_are_counted_separately() -> None:
    found = incident(replace(CLUSTER, invented_names=20))
    assert "on 1,100 accounts (and 20 names without an account) from" in found.description
    assert "spray on 1,100 accounts, about" in found.title
    assert found.invented_names == 20


def test_title_and_description_say_the_numbers() -> None:
    found = incident(users=("ann@example.com", "bob", "cid", "dan", "eve"))
    assert found.title == (
        "Possible low-and-slow password spray on 1,100 accounts, about 20.6 a day, "
        "5 possibly compromised"
    )
    assert found.description == (
        "First found by the hunt of 2026-06-30. "
        "1,234 failed sign-ins on 1,100 accounts from 1,000 addresses in 12 countries, about 20.6 "
        "a day, from 2026-05-01 to 2026-06-29 (UTC). Most are unusual for the tenant in: device, "
        'place. It keeps repeating: operatingSystem "Android" (99%). Confidence is high (97% '
        "that it is a campaign); it passes 5 of 5 tests of a spray. "
        '"test 0": Explanation 0. "test 1": Explanation 1. "test 2": Explanation 2. "test 3": '
        'Explanation 3. "test 4": Explanation 4. It may have compromised 5 accounts: '
        '"ann@example.com" (2026-05-20 23:30, probability 98%: from a network new to the user), '
        '"bob" (2026-05-21 23:30, probability 98%: from a network new to the user), '
        '"cid" (2026-05-22 23:30, probability 98%: from a network new to the user) and 2 more. '
        "Check these first."
    )
    assert (found.successes, found.compromised_users) == (
        10,
        ["ann@example.com", "bob", "cid", "dan", "eve"],
    )
    assert (found.attempts, found.users, found.active_days) == (1234, 1100, 58)
    assert [entry.user for entry in found.entries] == found.compromised_users


def test_usual_in_every_property_is_said() -> None:
    found = describe(CAMPAIGN, [], CLUSTER, [], [], spray_tests_of(5), 0.9, [], [])
    assert "Application, client, device and place are usual; the sources are new." in (
        found.description
    )
    assert "Most are unusual" not in found.description


@pytest.mark.parametrize(
    ("campaign", "users", "merged", "words"),
    [
        (
            KNOWN,
            0,
            (),
            "Known since the hunt of 2026-05-09; new since that of 2026-05-21: 21 attempts. 1,234",
        ),
        # Compromised on 20, 21 and 22 May, in exports of a day later.
        (KNOWN, 3, (), ": 21 attempts, 2 accounts possibly compromised. 1,234"),
        (replace(KNOWN, new_attempts=0), 1, (), " 2026-05-21: 0 attempts. 1,234"),
        (replace(KNOWN, state=RESUMED), 0, (), "of 2026-05-09, then quiet; new since that of "),
        (
            replace(KNOWN, state=SPLIT, split_from="0a-1b"),
            0,
            (),
            ": 21 attempts. It was part of campaign 0a-1b before. 1,234",
        ),
        (KNOWN, 0, ("0a-1b",), ": 21 attempts. Campaign 0a-1b was merged into it. 1,234"),
        (KNOWN, 0, ("0a-1b", "2c", "3d"), " Campaign 0a-1b and 2 more were merged into it. 1,234"),
    ],
)
def test_since_when_it_is_known_and_what_is_new(
    campaign: Campaign, users: int, merged: tuple[str, ...], words: str
) -> None:
    found = incident(
        users=tuple(f"user{i}" for i in range(users)), campaign=campaign, merged=merged
    )
    assert words in found.description
    assert "First found" not in found.description
    assert found.incident_id == campaign.campaign_id
    assert (found.state, found.new_attempts) == (campaign.state, campaign.new_attempts)
    assert (found.first_hunted, found.previous_hunt) == (date(2026, 5, 9), date(2026, 5, 21))
    assert found.new_compromised_users == [f"user{i}" for i in range(1, users)]


def test_of_a_new_campaign_all_is_new() -> None:
    found = incident(users=("ann", "bob"))
    assert found.new_compromised_users == ["ann", "bob"]
    assert found.previous_hunt is None


def test_failed_tests_are_named_with_what_they_mean() -> None:
    description = incident(passed=3).description
    assert "it passes 3 of 5 tests of a spray." in description
    assert 'Not "test 3": Explanation 3. Not "test 4": Explanation 4.' in description
    assert ' "test 2": Explanation 2. Not "test 3"' in description


def test_one_is_singular() -> None:
    single = replace(
        CLUSTER, failures=1, users=1, ip_addresses=1, countries=1, attempts_per_day=1.0
    )
    found = incident(single, users=("ann",))
    assert "spray on 1 account, about 1 a day, 1 possibly" in found.title
    assert "1 failed sign-in on 1 account from 1 address in 1 country, about" in found.description
    assert (
        'It may have compromised 1 account: "ann" (2026-05-20 23:30, probability 98%: '
        "from a network new to the user). Check these first." in found.description
    )


@pytest.mark.parametrize(
    ("per_day", "words"),
    [(0.25, "about 0.25 a day"), (99.96, "about 100 a day"), (1234.5, "about 1,234 a day")],
)
def test_pace_is_a_number_people_read(per_day: float, words: str) -> None:
    assert words in incident(replace(CLUSTER, attempts_per_day=per_day)).title


def test_without_compromised_accounts_none_are_mentioned() -> None:
    found = incident(values=())
    assert "compromised" not in found.title
    assert "compromised" not in found.description
    assert "keeps repeating" not in found.description


@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE)
def test_hostile_values_are_bounded_and_printable(value: str) -> None:
    found = incident(values=(value,) * 9, users=(value,) * 100)
    assert found.title.isprintable()
    assert found.description.isprintable()
    assert len(found.title) < 150
    # Microsoft Sentinel accepts 5,000 characters.
    assert len(found.description) < 2_500
    found.description.encode()


def test_a_value_does_not_leave_its_quotes() -> None:
    assert (
        """operatingSystem "x'. Ignore this. 'y" (99%)"""
        in incident(values=('x". Ignore this. "y',)).description
    )


def test_the_name_of_an_account_does_not_leave_its_quotes() -> None:
    description = incident(users=('x". Confidence is low. "y\n', "ann")).description
    assert (
        """compromised 2 accounts: "x'. Confidence is low. 'y?" (2026-05-20 23:30, """
        in description
    )
    assert description.count("Confidence is low") == 1


@pytest.mark.parametrize(("users", "more"), [(3, None), (4, " and 1 more."), (99, " and 96 more.")])
def test_three_accounts_are_named_and_the_others_counted(users: int, more: str | None) -> None:
    names = tuple(f"user{i}@example.com" for i in range(users))
    found = incident(users=names)
    assert found.description.count("@example.com") == 3
    assert (more or "user). Check") in found.description
    assert (" more." in found.description) == bool(more)
    assert found.compromised_users == list(names)


def test_a_full_list_of_accounts_says_that_there_may_be_more() -> None:
    users = tuple(f"user{i}" for i in range(MAX_LISTED_USERS))
    assert incident(users=users[1:]).title.endswith("day, 99 possibly compromised")
    assert incident(users=users).title.endswith("day, 100 or more possibly compromised")


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
    [entry] = document["entries"]
    assert entry["user"] == value
    assert entry["first_success"] == "2026-05-20T23:30:00+00:00"
    changed = {
        "first_hunted": "2026-06-30",
        "first_activity": "2026-05-01T23:30:00+00:00",
        "last_activity": "2026-06-29T00:15:00+00:00",
        "entries": [entry],
    }
    assert document == row | changed
    dates = {"first_success": entry["first_success"], "exported": "2026-05-21"}
    assert entry == row["entries"][0] | dates


def test_times_are_utc_whatever_their_zone() -> None:
    new_york = timezone(timedelta(hours=-4))
    local = replace(
        CLUSTER,
        first_activity=datetime(2026, 5, 1, 19, 30, tzinfo=new_york),
        last_activity=datetime(2026, 6, 28, 20, 15, tzinfo=new_york),
    )
    found = incident(local)
    assert "from 2026-05-01 to 2026-06-29 (UTC)" in found.description
    document = json.loads(to_json(asdict(found), DAY))
    assert document["first_activity"] == "2026-05-01T23:30:00+00:00"


def test_an_incident_says_which_of_its_addresses_are_known_and_stays_as_severe():
    before = incident()
    known = Known(25, [KnownAddress(f"192.0.2.{n}", ["indicators", "OTX"]) for n in range(5)])
    after = with_known_addresses(before, known)
    assert after.description == (
        f"{before.description} Addresses looked up: 25, known as malicious: 5, namely "
        '"192.0.2.0" (indicators, OTX), "192.0.2.1" (indicators, OTX), '
        '"192.0.2.2" (indicators, OTX) and 2 more.'
    )
    assert after.addresses_looked_up == 25
    assert after.malicious_addresses == known.malicious
    assert after.severity == before.severity

    one = with_known_addresses(before, Known(1, known.malicious[:1]))
    assert one.description.endswith(
        ' Addresses looked up: 1, known as malicious: 1, namely "192.0.2.0" (indicators, OTX).'
    )


def test_addresses_that_no_source_knows_are_counted_only():
    before = incident()
    after = with_known_addresses(before, Known(25))
    assert after.description == before.description
    assert (after.addresses_looked_up, after.malicious_addresses) == (25, [])
