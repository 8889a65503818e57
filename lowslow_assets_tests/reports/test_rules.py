"""Rules as text: an attacker's text stays a value, and every form hits the same sign-ins."""

import json
import re
from datetime import date
from io import BytesIO
from typing import Any
from uuid import UUID

import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from sigma.rule import SigmaRule
from sigma.types import SigmaCasedString

from lowslow_assets.detection.conditions import (
    MAX_LIST_LENGTH,
    MAX_TERMS,
    MAX_VALUE_LENGTH,
    Condition,
    Hits,
    Term,
    count_patterns,
)
from lowslow_assets.engines.base import Engine
from lowslow_assets.engines.sql import sql
from lowslow_assets.lake.tables import (
    ENCODED_FEATURES,
    FAILURE,
    FEATURES,
    NODATA,
    RAW_SIGNINS,
    SUCCESS,
)
from lowslow_assets.orchestration.assets.rules import fenced
from lowslow_assets.reports.rules import (
    HuntingRule,
    hunting_rule,
    kql_literal,
    to_kql,
    to_sigma,
)
from lowslow_assets.signins.features import encode_features
from lowslow_assets.signins.parser import PARSED, parse_files
from lowslow_assets_tests.support.drawn_signins import draw_many
from lowslow_assets_tests.support.kql import CheckKql
from lowslow_assets_tests.support.rule_engines import run_kql, run_sigma

DAYS = [date(2026, 6, 29), date(2026, 6, 30)]
FAILURES = ("50055", "50126")
INCIDENT = "42f5c214-03e4-5fa2-9e0a-bb18d1048b6f"
HOSTILE = [
    '"',
    "'",
    "\\",
    '\\"',
    '") or true or browser in ("',
    '" | take 1 //',
    "a\r\nb",
    "Firefox\n| project *",
    "// comment",
    "/* comment */",
    "```\n# heading",
    "@'verbatim'",
    "```",
    "{0} {conditions} %s $x",
    "a*b",
    "a?c",
    "\\*",
    "[a-z]",
    "%placeholder%",
    "a\\",
    "not: yaml\n- a: &b *c",
    "yes",
    "null",
    "~",
    "12",
    "1e3",
    "0x1f",
    "2026-06-30",
    "!!python/object:os.system",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    "\x01\x07\x1b[31mred\x7f\x9b",
    "user\u202egnp.exe\u202c\u2066\u200b",
    "one\u2028two\u2029three\x85four\u00a0five",
    "\ufeffbom",
    "🦆 \U000e0041",
    "Zürich São Paulo 東京",
    "x" * MAX_VALUE_LENGTH,
]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)

ODD_BROWSER = Term("browser", ("Odd 1.0", NODATA))
USUAL_CITY = Term("city", ("Graz", "Wien"), negated=True)
NETWORK = Term("network", ("AS64500", "203.0.113", "2001:db8:1::/48"))
SYSTEM = Term("operatingSystem", ("Windows10", "MacOs10.9"))


def rule(outcome: str = FAILURE, legitimate: int = 3, terms: tuple[Term, ...] = ()) -> HuntingRule:
    chosen = Condition(terms or (ODD_BROWSER, USUAL_CITY), Hits(96, 2, legitimate, 5))
    return hunting_rule(INCIDENT, outcome, chosen, Hits(100, 4, 1000, 50), DAYS, FAILURES)


def event(number: int, **values: Any) -> dict[str, Any]:
    """A failure as the log has it."""
    return {
        "Id": f"{number:04}",
        "TimeGenerated": "2026-06-30T10:00:00Z",
        "ResultType": "50126",
        "UserPrincipalName": "ann@example.com",
        **values,
    }


# --- what a rule says ------------------------------------------------------------------------


def test_a_rule_says_what_it_finds_and_what_it_touches() -> None:
    found = rule()
    assert found.usable
    assert found.summary == (
        "Finds 96.0% of its 100 attempts and 2 of 4 possible entries; would also hit 0.30% of "
        "1,000 legitimate sign-ins (3) and 5 of 50 other attempts."
    )
    assert (found.attempts_share, found.legitimate_share) == (0.96, 0.003)
    assert (found.attempts_hit, found.entries_hit) == (96, 2)
    assert (found.legitimate_hit, found.other_failures_hit) == (3, 5)
    assert found.since == DAYS[0]
    assert found.kql
    assert found.kql.startswith(
        f"// Password spray {INCIDENT}: attempts\n// As of 2026-06-30: {found.summary}\n"
    )


def test_a_condition_that_hits_too_much_is_no_rule() -> None:
    assert rule(legitimate=10).usable
    found = rule(legitimate=11)
    assert not found.usable
    assert found.summary == "No rule: the best would hit 1.1% of legitimate sign-ins."
    assert found.kql is found.sigma is None
    assert found.legitimate_hit == 11


@pytest.mark.parametrize("totals", [Hits(100, 4, 1000, 50), Hits(0, 0, 0, 0)])
def test_without_a_condition_there_is_no_rule(totals: Hits) -> None:
    found = hunting_rule(INCIDENT, FAILURE, None, totals, DAYS, FAILURES)
    assert not found.usable
    assert found.summary.startswith("No rule: the campaign repeats too little")
    assert found.kql is found.sigma is None
    assert (found.attempts, found.attempts_hit) == (totals.attempts, 0)


def test_each_outcome_has_a_rule_of_its_own() -> None:
    attempts, successes = rule(FAILURE), rule(SUCCESS)
    assert attempts.kql
    assert successes.kql
    assert attempts.kql.count('ResultType in ("50055", "50126")') == 2
    assert successes.kql.count('ResultType in ("0")') == 2
    of_attempts, of_successes = (yaml.safe_load(r.sigma or "") for r in (attempts, successes))
    assert of_attempts["detection"]["outcome"] == {"ResultType": ["50055", "50126"]}
    assert of_successes["detection"]["outcome"] == {"ResultType": ["0"]}
    assert of_attempts["id"] != of_successes["id"]
    # Sigma tools identify a rule by its id, which is the same in every run and release.
    assert of_attempts["id"] == "41cdb2ba-6956-504e-9c70-035a0987296b"
    assert UUID(of_successes["id"])


def test_a_query_as_a_whole() -> None:
    assert to_kql((ODD_BROWSER, NETWORK), FAILURES, DAYS[0]) == (
        """\
union isfuzzy=true
(
    SigninLogs
    | where TimeGenerated >= datetime(2026-06-29) and ResultType in ("50055", "50126")
    | extend DeviceDetail = todynamic(DeviceDetail), LocationDetails = todynamic(LocationDetails)
),
(
    AADNonInteractiveUserSignInLogs
    | where TimeGenerated >= datetime(2026-06-29) and ResultType in ("50055", "50126")
    | extend DeviceDetail = todynamic(DeviceDetail), LocationDetails = todynamic(LocationDetails)
)
| extend browser = trim(" +", tostring(DeviceDetail.browser))
| where isempty(browser) or browser in ("Odd 1.0")
| where tostring(AutonomousSystemNumber) in ("64500") or """
        """coalesce(ipv4_is_in_any_range(IPAddress, "203.0.113.0/24"), false) or """
        """coalesce(ipv6_is_in_any_range(IPAddress, "2001:db8:1::/48"), false)
| project TimeGenerated, Id, UserPrincipalName, IPAddress,
    Location, AppDisplayName, ClientAppUsed, DeviceDetail, UserAgent
| sort by TimeGenerated desc
"""
    )


def test_a_sigma_rule_as_a_whole() -> None:
    text = to_sigma(
        (ODD_BROWSER, USUAL_CITY, NETWORK, SYSTEM), FAILURES, "A title", "A summary.", DAYS[-1]
    )
    assert yaml.safe_load(text) == {
        "title": "A title",
        "id": "754e7c8d-98ec-52b7-90d4-bfe6f99848b4",
        "status": "experimental",
        "description": "A summary.",
        "author": "lowslow_assets",
        "date": "2026-06-30",
        "tags": ["attack.credential-access", "attack.t1110.003"],
        "logsource": {"product": "azure", "service": "signinlogs"},
        "detection": {
            "outcome": {"ResultType": ["50055", "50126"]},
            "own_browser": [
                {"DeviceDetail.browser": [None, ""]},
                {"DeviceDetail.browser|cased": ["Odd 1.0"]},
            ],
            "usual_city": [{"LocationDetails.city|cased": ["Graz", "Wien"]}],
            "own_network": [
                {"AutonomousSystemNumber": ["64500"]},
                {"IPAddress|cidr": ["203.0.113.0/24", "2001:db8:1::/48"]},
            ],
            "own_operatingSystem": [
                {"DeviceDetail.operatingSystem|re": [r"^Windows\s*10$", r"^Mac\s*Os\s*10\.9$"]}
            ],
            "condition": (
                "outcome and own_browser and not usual_city and own_network and own_operatingSystem"
            ),
        },
        "falsepositives": ["As many as the description says, in the past."],
        "level": "medium",
    }
    assert SigmaRule.from_yaml(text).errors == []


# --- nothing gets out of a literal -----------------------------------------------------------

_ESCAPES = {'"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t"}


def kql_value(literal: str) -> str:
    """A KQL string literal, read strictly: anything outside of the language is an error."""
    assert literal[0] == literal[-1] == '"'
    token = re.compile(r'\\(?P<escape>["\\nrt])|\\u(?P<unit>[0-9a-f]{4})|(?P<plain>[^"\\])')
    units, place, body = b"", 0, literal[1:-1]
    while place < len(body):
        match = token.match(body, place)
        assert match, body[place:]
        escape, unit, plain = match.group("escape", "unit", "plain")
        assert plain is None or plain.isprintable()
        character = _ESCAPES[escape] if escape else plain or ""
        units += bytes.fromhex(unit) if unit else character.encode("utf-16-be")
        place = match.end()
    return units.decode("utf-16-be")


@given(TEXT | st.sampled_from(HOSTILE))
def test_a_kql_literal_is_one_line_that_says_the_value(value: str) -> None:
    literal = kql_literal(value)
    assert kql_value(literal) == value
    assert len(literal.splitlines()) == 1
    assert literal.isprintable()


def test_microsofts_parser_finds_the_values_and_nothing_else(check_kql: CheckKql) -> None:
    values = [*HOSTILE, *draw_many(TEXT, 100)]
    plain = to_kql([Term("browser", ("Odd",))], FAILURES, DAYS[0])
    queries = [to_kql([Term("browser", (value,))], FAILURES, DAYS[0]) for value in values]
    expected, *found = check_kql([plain, *queries])
    assert expected["problems"] == []
    assert expected["literals"].count("Odd") == 1
    for value, seen in zip(values, found, strict=True):
        assert seen["problems"] == [], value
        assert seen["literals"] == [value if x == "Odd" else x for x in expected["literals"]]


def test_microsofts_parser_knows_every_feature_in_both_tables(check_kql: CheckKql) -> None:
    terms = [
        Term(f, NETWORK.values if f == "network" else ("a", NODATA), negated)
        for f in FEATURES
        for negated in (False, True)
    ]
    queries = [to_kql([term], FAILURES, DAYS[0]) for term in terms]
    *found, together, wrong = check_kql(
        [*queries, to_kql(terms[::2], FAILURES, DAYS[0]), "SigninLogs | where browser == 'x'"]
    )
    assert [seen["problems"] for seen in [*found, together]] == [[]] * (2 * len(FEATURES) + 1)
    # It would report a missing column.
    assert len(wrong["problems"]) == 1


@given(TEXT | st.sampled_from(HOSTILE))
def test_a_sigma_value_is_read_back_without_wildcards(value: str) -> None:
    text = to_sigma([Term("browser", (value,))], FAILURES, "title", "summary", DAYS[0])
    assert text.isascii()
    [condition] = SigmaRule.from_yaml(text).detection.parsed_condition
    parsed: Any = condition.parsed
    found = parsed.args[1].value
    assert isinstance(found, SigmaCasedString)
    assert not found.contains_special()
    assert "".join(part for part in found.s if isinstance(part, str)) == value


def test_comments_and_titles_hold_no_value() -> None:
    harmless = rule(terms=(Term("browser", ("x",)),)).kql or ""
    for value in HOSTILE:
        found = rule(terms=(Term("browser", (value,)),))
        assert found.kql
        lines = found.kql.splitlines()
        assert len(lines) == len(harmless.splitlines())
        assert [line for line in lines if line.startswith("//")] == [
            f"// Password spray {INCIDENT}: attempts",
            f"// As of 2026-06-30: {found.summary}",
        ]


def test_a_query_of_plain_text_fits_an_analytics_rule_of_sentinel() -> None:
    usual = Term("city", tuple("x" * 40 + f"{n:02}" for n in range(MAX_LIST_LENGTH // 42)))
    assert len(to_kql([usual] * MAX_TERMS, FAILURES, DAYS[0])) < 10_000


@given(st.text("`~\n# a", max_size=30))
def test_a_fence_is_not_broken_out_of(text: str) -> None:
    lines = fenced(text + "\n").split("\n")
    assert lines[0] == lines[-1]
    assert "\n".join(lines[1:-1]) == text
    closing = re.compile(r" {0,3}(`{3,})\s*$")
    for line in lines[1:-1]:
        match = closing.match(line)
        assert not match or len(match[1]) < len(lines[0])


# --- the three forms agree -------------------------------------------------------------------


def hit_by_engine(engine: Engine, terms: list[list[Term]], events: list[dict]) -> list[set]:
    """Per condition the ids of the events it hits, after they were ingested as usual."""
    lines = "".join(json.dumps(found) + "\n" for found in events).encode(errors="surrogatepass")
    parsed = pa.Table.from_batches(parse_files([("PT05M.json", BytesIO(lines))]), PARSED)
    days = pa.array([DAYS[-1]] * len(parsed), pa.date32())
    copies = pa.array([1] * len(parsed), pa.int64())
    raw = parsed.append_column("copies", copies).append_column("date", days)
    encoded = encode_features(
        engine.from_arrow(raw.select(RAW_SIGNINS.dated.names)), FAILURES, [], []
    )
    # Each event is an incident of its own, so that the patterns show which event has which.
    members = sql("SELECT *, signin_id AS incident_id FROM {encoded}", encoded=encoded)
    nobody = engine.from_arrow(ENCODED_FEATURES.dated.empty_table())
    hit: list[set] = [set() for _ in terms]
    for counted in count_patterns(nobody, members, terms):
        if counted.pattern == (1 << len(terms[counted.campaign])) - 1:
            hit[counted.campaign].add(counted.incident_id)
    return hit


def assert_agree(engine: Engine, terms: list[list[Term]], events: list[dict]) -> list[set]:
    """By the engine, KQL and Sigma the same events; returns them per condition.

    DuckDB's KQL knows neither \\u escapes nor ranges of addresses.
    """
    hit = hit_by_engine(engine, terms, events)
    for own, expected in zip(terms, hit, strict=True):
        query = to_kql(own, FAILURES, DAYS[0])
        if "\\u" not in query and "_is_in_any_range" not in query:
            assert run_kql(query, events) == expected
        assert run_sigma(to_sigma(own, FAILURES, "t", "s", DAYS[0]), events) == expected
    return hit


def test_the_three_forms_agree_on_hand_made_cases(engine: Engine) -> None:
    events = [
        event(0, DeviceDetail={"browser": "Odd 1.0", "operatingSystem": "Windows 10"}),
        event(1, DeviceDetail={"browser": ""}, LocationDetails={"city": "Graz"}),
        event(2, DeviceDetail={"browser": None, "operatingSystem": "Windows10"}),
        event(3, LocationDetails={"city": "Lima", "countryOrRegion": "PE"}),
        event(4, DeviceDetail={"browser": "odd 1.0"}, AutonomousSystemNumber="64500"),
        event(5, IPAddress="203.0.113.7", Location="AT"),
        event(6, IPAddress="2001:db8:1:2::7", DeviceDetail={"browser": "Edge"}),
        event(7, IPAddress="203.0.114.7", AutonomousSystemNumber="64501"),
        event(8, IPAddress="unknown", DeviceDetail={"operatingSystem": "Mac Os 10.9"}),
        event(9, UserAgent="axios/1.7.0", Location="AT"),
        event(10, UserAgent=" axios", DeviceDetail={"browser": "", "operatingSystem": None}),
        event(11, UserAgent="axiosx/1.7.0"),
        event(12, UserAgent="axios/1.7.0", DeviceDetail={"operatingSystem": "Linux"}),
        event(13, UserAgent="a.*(b)", DeviceDetail={"browser": ""}),
        event(14, UserAgent="1.0", DeviceDetail={"browser": ""}),
    ]
    everything = {found["Id"] for found in events}
    odd, known, network, elsewhere, another, systems, country, *agents = assert_agree(
        engine,
        [
            [ODD_BROWSER],
            [USUAL_CITY],
            [NETWORK],
            [Term("network", NETWORK.values, negated=True), ODD_BROWSER],
            [Term("network", ("AS64500",), negated=True)],
            [SYSTEM],
            [Term("Location", ("AT",))],
            [Term("agent", ("axios", "a.*"))],
            [Term("agent", ("axios", NODATA), negated=True)],
            [Term("agent", (NODATA,))],
        ],
        events,
    )
    no_browser = {"0001", "0002", "0003", "0005", "0007", "0008"}
    with_agent = {"0009", "0010", "0011", "0012", "0013", "0014"}
    assert odd == {"0000"} | no_browser | with_agent
    assert known == everything - {"0001"}
    assert network == {"0004", "0005", "0006"}
    assert elsewhere == {"0000"} | no_browser - {"0005"} | with_agent
    assert another == everything - {"0004"}
    assert systems == {"0000", "0002", "0008"}
    assert country == {"0005", "0009"}
    in_agent = {"0009", "0010", "0011", "0013"}
    assert agents == [in_agent - {"0011"}, {"0011", "0013"}, everything - in_agent]


def test_the_country_is_taken_from_the_details_if_the_row_lacks_it(engine: Engine) -> None:
    events = [event(0, LocationDetails={"countryOrRegion": "PE"}), event(1, Location="PE")]
    terms = [Term("Location", ("PE",))]
    assert hit_by_engine(engine, [terms], events) == [{"0000", "0001"}]
    assert run_kql(to_kql(terms, FAILURES, DAYS[0]), events) == {"0000", "0001"}


@pytest.mark.parametrize("negated", [False, True])
def test_every_hostile_value_is_found_by_its_own_rule_and_by_no_other(
    engine: Engine, negated: bool
) -> None:
    values = [*HOSTILE, *draw_many(TEXT.filter(lambda v: v.strip() == v), 20)]
    distinct = list(dict.fromkeys(values))
    events = [event(n, DeviceDetail={"browser": value}) for n, value in enumerate(distinct)]
    everything = {found["Id"] for found in events}
    terms = [[Term("browser", (value,), negated)] for value in distinct]
    for found, hit in zip(events, assert_agree(engine, terms, events), strict=True):
        assert hit == (everything - {found["Id"]} if negated else {found["Id"]})


def test_spaces_around_a_value_are_no_part_of_it(engine: Engine) -> None:
    events = [event(0, AppDisplayName="  Odd app "), event(1, AppDisplayName="   ")]
    terms = [[Term("AppDisplayName", ("Odd app",))], [Term("AppDisplayName", (NODATA,))]]
    assert hit_by_engine(engine, terms, events) == [{"0000"}, {"0001"}]
    assert [run_kql(to_kql(own, FAILURES, DAYS[0]), events) for own in terms] == [
        {"0000"},
        {"0001"},
    ]


def test_the_other_outcome_and_earlier_days_are_not_hit() -> None:
    events = [
        event(0, DeviceDetail={"browser": "Odd 1.0"}),
        event(1, DeviceDetail={"browser": "Odd 1.0"}, ResultType="0"),
        event(2, DeviceDetail={"browser": "Odd 1.0"}, TimeGenerated="2026-06-28T23:59:59Z"),
    ]
    assert run_kql(to_kql([ODD_BROWSER], FAILURES, DAYS[0]), events) == {"0000"}
    assert run_kql(to_kql([ODD_BROWSER], ["0"], DAYS[0]), events) == {"0001"}
