"""An entry for a known source explains the attempts that meet it, and no others."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowslow_assets.detection.explanations import describe_groups, explained_sources
from lowslow_assets.detection.known_sources import (
    KnownSource,
    explain_window,
    in_words,
    uses,
    without_known,
)
from lowslow_assets.engines.base import Engine
from lowslow_assets.lake.tables import FAILURE_SOURCES, NODATA, OPEN_FAILURES, SUCCESS_SOURCES
from lowslow_assets.signins.addresses import ip_prefix
from lowslow_assets_tests.support.relations import relation

START, END = date(2026, 6, 10), date(2026, 6, 12)
NOON = datetime(2026, 6, 11, 12, tzinfo=UTC)
ATTEMPT = {
    **dict.fromkeys(("Location", "state", "city", "operatingSystem"), NODATA),
    "outcome": "failure",
    "result_type": "50126",
    "network": "AS64500",
    "ip_address": "198.51.100.7",
    "AppDisplayName": "Azure CLI",
    "user_agent": "Nessus 10.8",
    "time_generated": NOON,
}


def attempts(*changed: dict[str, Any]) -> list[dict[str, Any]]:
    """Attempts like ATTEMPT, each of an account of its own unless one is given."""
    rows = []
    for number, changes in enumerate(changed):
        row = {"user": f"user{number}@example.com", **ATTEMPT, **changes}
        row |= {
            "signin_id": f"{number:04d}",
            "date": row["time_generated"].date(),
            "ip_prefix": ip_prefix(row["ip_address"]) if row["ip_address"] else None,
        }
        rows.append(row)
    return rows


def sources(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The attempts as rows of ``failure_sources``, one each."""
    return [
        {name: row[name] for name in ("user", "ip_prefix", "ip_address", "date")}
        | {"failures": 1, "invented": 0, "first_failure": row["time_generated"], "seconds": 0}
        for row in rows
    ]


def explain(engine: Engine, rows: list[dict[str, Any]], *entries: KnownSource) -> list[str | None]:
    """The explanation of each attempt, in a window of 60 days without successes."""
    found = explain_window(
        relation(engine, OPEN_FAILURES.dated, rows),
        relation(engine, FAILURE_SOURCES.dated, sources(rows)),
        relation(engine, SUCCESS_SOURCES.dated),
        60,
        entries,
    ).rows()
    assert len(found) == len(rows)
    by_id = {row["signin_id"]: row["explanation"] for row in found}
    return [by_id[row["signin_id"]] for row in rows]


def known(**named: Any) -> KnownSource:
    return KnownSource("a test", END, START, **named)


Changes = list[dict[str, Any]]
CASES: dict[str, tuple[KnownSource, Changes, Changes]] = {
    "address": (
        known(addresses=("198.51.100.4/30", "2001:db8:7::/48", "203.0.113.9/32")),
        [{"ip_address": a} for a in ("198.51.100.4", "198.51.100.7", "203.0.113.9")]
        + [{"ip_address": a} for a in ("2001:db8:7::", "2001:db8:7:ffff::1")],
        [{"ip_address": a} for a in ("198.51.100.3", "198.51.100.8", "203.0.113.90", None)]
        + [{"ip_address": a} for a in ("2001:db8:8::", "2001:db8:6:ffff::1")],
    ),
    "account": (
        known(accounts=("Probe@Example.com",)),
        [{"user": "probe@example.com"}],
        [{"user": "probe@example.com.evil"}, {"user": None}],
    ),
    "AS number": (
        known(as_numbers=(64500,)),
        [{}],
        [{"network": "AS645001"}, {"network": "198.51.100"}],
    ),
    "application": (
        known(applications=("Azure CLI", 'it\'s a "test"; --')),
        [{}, {"AppDisplayName": 'it\'s a "test"; --'}],
        [{"AppDisplayName": "azure cli"}, {"AppDisplayName": NODATA}],
    ),
    "user agent": (
        known(user_agents=("Nessus*", "curl/8.5.0")),
        [{}, {"user_agent": "Nessus"}, {"user_agent": "curl/8.5.0"}],
        [{"user_agent": a} for a in ("nessus 10", "curl/8.5.01", "my Nessus", None)],
    ),
    # All named kinds, one value of each.
    "all kinds": (
        known(addresses=("198.51.100.0/24",), user_agents=("Nessus*",), as_numbers=(1, 64500)),
        [{}],
        [{"ip_address": "203.0.113.9"}, {"user_agent": "curl/8.5.0"}, {"network": "AS2"}],
    ),
    # From the first moment of its first day to the last of its last one.
    "dates": (
        known(as_numbers=(64500,)),
        [
            {"time_generated": datetime(2026, 6, 10, tzinfo=UTC)},
            {"time_generated": datetime(2026, 6, 12, 23, 59, 59, 999_999, tzinfo=UTC)},
        ],
        [
            {"time_generated": datetime(2026, 6, 9, 23, 59, 59, 999_999, tzinfo=UTC)},
            {"time_generated": datetime(2026, 6, 13, tzinfo=UTC)},
        ],
    ),
}


def test_what_an_entry_names_is_known(engine: Engine):
    """All cases in one run: each entry holds in a month of its own, in which its attempts are."""
    rows: Changes = []
    entries, expected = [], []
    for number, (name, (entry, meets, misses)) in enumerate(CASES.items()):
        later = timedelta(days=30 * number)
        assert entry.start
        entries.append(
            replace(entry, reason=name, start=entry.start + later, end=entry.end + later)
        )
        rows += [ATTEMPT | changes for changes in (*meets, *misses)]
        for row in rows[len(expected) :]:
            row["time_generated"] += later
        expected += [f"known: {name}"] * len(meets) + [None] * len(misses)
    assert explain(engine, attempts(*rows), *entries) == expected


def test_an_entry_without_a_start_has_always_been(engine: Engine):
    rows = attempts({"time_generated": datetime(2000, 1, 1, tzinfo=UTC)})
    assert explain(engine, rows, KnownSource("x", END, as_numbers=(64500,))) == ["known: x"]


def test_the_first_entry_that_is_met_in_time_says_why(engine: Engine):
    over = KnownSource("over", date(2026, 6, 1), as_numbers=(64500,))
    first, second = (KnownSource(name, END, as_numbers=(64500,)) for name in ("one", "two"))
    rows = attempts({}, {"time_generated": datetime(2026, 5, 1, tzinfo=UTC)})
    assert explain(engine, rows, over, first, second) == ["known: one", "known: over"]


# Two a day for 30 days from one address, on accounts of their own: nothing explains these. With 20
# more on one day they are still many accounts tried seldom; alone, the 20 are a burst.
SPRAY = [{"time_generated": NOON + timedelta(hours=12 * n)} for n in range(60)]
TEST = [{"time_generated": NOON + timedelta(seconds=n), "user_agent": "probe"} for n in range(20)]


def test_a_campaign_from_a_known_source_is_not_hidden(engine: Engine):
    rows = attempts(*SPRAY, *TEST)
    of_test = KnownSource("a test", END, addresses=("198.51.100.0/24",), user_agents=("probe",))
    assert explain(engine, rows, of_test) == [None] * 60 + ["known: a test"] * 20


def test_what_is_known_counts_for_no_other_attempt(engine: Engine):
    # The test makes the address a burst, and another attempt from there a part of it.
    rows = attempts(*TEST, {"time_generated": NOON + timedelta(hours=1), "user_agent": "other"})
    assert explain(engine, rows) == ["burst"] * 21
    of_test = KnownSource("a test", END, user_agents=("probe",))
    assert explain(engine, rows, of_test) == ["known: a test"] * 20 + [None]


def test_an_entry_that_nothing_meets_changes_nothing(engine: Engine):
    rows = attempts(*SPRAY, *TEST, *({"ip_address": "203.0.113.9"},) * 12)
    assert explain(engine, rows, known(as_numbers=(1,))) == explain(engine, rows)


def test_what_ended_is_counted_and_said(engine: Engine):
    later = {"time_generated": datetime(2026, 6, 20, tzinfo=UTC)}
    failures = relation(engine, OPEN_FAILURES.dated, attempts({}, {}, later))
    entries = (
        known(as_numbers=(64500,)),
        known(as_numbers=(1,)),
        KnownSource("over", date(2026, 6, 1), as_numbers=(64500,)),
    )
    found = uses(failures, entries)
    assert [(use.explained, use.too_late) for use in found] == [(2, 1), (0, 0), (0, 3)]
    assert [in_words(use) for use in found] == [
        'the known source "a test" ended on 2026-06-12: 1 later attempts meet it and are not '
        "explained, it explains 2 of before",
        'the known source "a test" ended on 2026-06-12: nothing meets it any more, take it out',
        'the known source "over" ended on 2026-06-01: 3 later attempts meet it and are not '
        "explained, take it out",
    ]
    assert uses(failures, ()) == []
    left = without_known(failures, entries).rows()
    assert [row["time_generated"] for row in left] == [later["time_generated"]]
    assert without_known(failures, ()) is failures


def test_groups_are_shown_with_the_reason(engine: Engine):
    rows = attempts({}, {}, {"ip_address": "203.0.113.9"}, {"network": "AS1"})
    entry = KnownSource("test: a <b>bold</b> one", END, as_numbers=(64500,))
    explained = explain_window(
        relation(engine, OPEN_FAILURES.dated, rows),
        relation(engine, FAILURE_SOURCES.dated, sources(rows)),
        relation(engine, SUCCESS_SOURCES.dated),
        60,
        [entry],
    )
    none = relation(engine, FAILURE_SOURCES.dated)
    found = describe_groups(explained_sources(none, explained))
    assert {group.explanation for group in found} == {"known: test: a <b>bold</b> one"}
    assert [(group.example, group.failures, group.users) for group in found] == [
        (None, 3, 3),
        ("198.51.100.7", 2, 2),
        ("203.0.113.9", 1, 1),
    ]
    assert [group.reason for group in found] == [
        "the organisation knows it: test: a <b>bold</b> one",
        "2 accounts, one address, every 0 seconds: the organisation knows it: test: a <b>bold</b> "
        "one",
        "one account, one address, once: the organisation knows it: test: a <b>bold</b> one",
    ]


# --- drawn -----------------------------------------------------------------------------------

V4 = st.integers(0, 2**32 - 1).map(IPv4Address)
V6 = st.integers(0, 2**128 - 1).map(IPv6Address)
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)


@st.composite
def networks_and_addresses(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Networks, and addresses at and around their borders."""
    networks, addresses = [], []
    for host in draw(st.lists(V4 | V6, min_size=1, max_size=4)):
        network = ip_network((host, draw(st.integers(0, host.max_prefixlen))), strict=False)
        networks.append(str(network))
        for border in (int(network.network_address), int(network.broadcast_address)):
            for near in (border - 1, border, border + 1):
                if 0 <= near < 2**host.max_prefixlen:
                    addresses.append(str(type(host)(near)))
        addresses.append(str(draw(V4 | V6)))
    # An IPv4 host within an IPv6 address is written apart, and is no host of the internet.
    return networks, [a for a in addresses if not (":" in a and "." in a)]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(drawn=networks_and_addresses())
def test_a_network_is_what_python_says(engine: Engine, drawn: tuple[list[str], list[str]]):
    networks, addresses = drawn
    rows = attempts(*({"ip_address": address} for address in addresses))
    entry = known(addresses=tuple(networks))
    left = without_known(relation(engine, OPEN_FAILURES.dated, rows), [entry]).rows()
    inside = [
        address
        for address in addresses
        if any(ip_address(address) in ip_network(network) for network in networks)
    ]
    assert sorted(row["ip_address"] for row in left) == sorted(
        address for address in addresses if address not in inside
    )


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_wild_texts_are_met_as_python_compares_them(engine: Engine, data: st.DataObject):
    names = data.draw(st.lists(TEXT, min_size=1, max_size=4))
    agents = tuple(f"{data.draw(TEXT)}*" if data.draw(st.booleans()) else n for n in names)
    entry = known(user_agents=agents, applications=tuple(names))
    drawn = st.sampled_from(names) | TEXT
    given_ = [
        {
            "user_agent": data.draw(st.none() | drawn | drawn.map(lambda t: t + "x")),
            "AppDisplayName": data.draw(drawn),
            "time_generated": datetime.combine(
                data.draw(st.dates(date(2026, 6, 8), date(2026, 6, 14))), time(12), UTC
            ),
        }
        for _ in range(12)
    ]

    def meets(row: dict[str, Any]) -> bool:
        agent = row["user_agent"]
        return (
            START <= row["time_generated"].date() <= END
            and row["AppDisplayName"] in names
            and agent is not None
            and any(agent.startswith(a[:-1]) if a.endswith("*") else agent == a for a in agents)
        )

    rows = attempts(*given_)
    left = without_known(relation(engine, OPEN_FAILURES.dated, rows), [entry]).rows()
    assert sorted(row["signin_id"] for row in left) == [
        row["signin_id"] for row in rows if not meets(row)
    ]
