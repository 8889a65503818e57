"""Files of indicators: what matches, and that no line stops the rest."""

import json
from datetime import date
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowslow_assets.enrichment.answers import (
    CLEAN,
    MALICIOUS,
    SUSPICIOUS,
    UNKNOWN,
    EnrichmentError,
    parse_address,
)
from lowslow_assets.enrichment.indicators import Matches, match_indicators

DAY = date(2026, 6, 30)
ADDRESSES = ("192.0.2.1", "198.51.100.77", "203.0.113.9", "2001:db8:7::1")


def match(folder: Path, text: str, name: str = "indicators.csv") -> tuple[Matches, dict[str, str]]:
    """A file's result, and its verdicts by address."""
    path = folder / name
    path.write_text(text, encoding="utf-8")
    matches = match_indicators(str(path), [ip_address(a) for a in ADDRESSES], DAY)
    return matches, {str(a): answer.verdict for a, answer in matches.answers.items()}


def verdicts(**others: str) -> dict[str, str]:
    return dict.fromkeys(ADDRESSES, UNKNOWN) | others


def test_a_plain_list_of_addresses_and_networks(tmp_path: Path):
    matches, found = match(
        tmp_path,
        "# a comment\n\n192.0.2[.]1, seen in June\n198.51.100.0/24\n2001:db8:7::/48,value\n",
    )
    assert found == dict.fromkeys(ADDRESSES, MALICIOUS) | {"203.0.113.9": UNKNOWN}
    assert (matches.indicators, matches.rejected) == (3, 0)
    said = matches.answers[ip_address("192.0.2.1")]
    assert (said.severity, said.details) == ("high", "192.0.2.1/32 seen in June")
    unknown = matches.answers[ip_address("203.0.113.9")]
    assert (unknown.severity, unknown.details, unknown.error) == (None, None, None)
    assert unknown.looked_up_at is not None


def test_a_file_with_a_header(tmp_path: Path):
    matches, found = match(
        tmp_path,
        "Source,IP,Verdict,Description,valid_until\n"
        'ours,192.0.2.1,suspicious,"one, two",2026-06-30\n'
        "ours,198.51.100.77,clean,our own scanner,\n"
        "ours,203.0.113.9,malicious,old,2026-06-29T23:59:59Z\n",
    )
    assert found == verdicts(**{"192.0.2.1": SUSPICIOUS, "198.51.100.77": CLEAN})
    assert (matches.indicators, matches.expired, matches.rejected) == (2, 1, 0)
    assert matches.answers[ip_address("192.0.2.1")].details == "192.0.2.1/32 one, two (ours)"


def test_the_worst_that_is_said_counts_and_the_narrowest_comes_first(tmp_path: Path):
    matches, _ = match(
        tmp_path,
        "ip,verdict,description\n192.0.0.0/16,malicious,wide\n192.0.2.1,clean,ours\n"
        "192.0.2.0/24,malicious,narrow\n",
    )
    said = matches.answers[ip_address("192.0.2.1")]
    assert said.verdict == MALICIOUS
    assert said.details == "192.0.2.0/24 narrow; 192.0.0.0/16 wide; 192.0.2.1/32 ours"


def test_what_cannot_be_used_is_counted_and_shown(tmp_path: Path):
    matches, found = match(
        tmp_path,
        "ip,verdict,valid_until\n"
        "0.0.0.0/0,,\n::/0,,\n"  # too broad
        "example.com,,\n,,\n192.0.2.1,terrible,\n192.0.2.1,,tomorrow\n"
        f"{'9' * 20_000},,\n"
        '"192.0.2.1,,\n'  # a quote that never closes takes only its own line
        "203.0.113.9,,\n",
    )
    assert found == verdicts(**{"203.0.113.9": MALICIOUS})
    assert (matches.indicators, matches.rejected) == (1, 8)
    assert len(matches.examples) == 5
    assert matches.examples[0] == "line 2: 0.0.0.0/0 is too broad"


def bundle(*objects: object) -> str:
    return json.dumps({"type": "bundle", "id": "bundle--1", "objects": objects})


def indicator(pattern: object, **fields: object) -> dict[str, object]:
    return {"type": "indicator", "pattern": pattern, "pattern_type": "stix"} | fields


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value = '192.0.2.1']",
        "[ipv4-addr:value ISSUBSET '192.0.2.0/24']",
        "[ipv4-addr:value = '192.0.2.0/24']",
        "[ ipv4-addr:value IN ('198.18.0.1', '192.0.2.1') ]",
        "[ipv4-addr:value='198.18.0.1' OR ipv4-addr:value='192.0.2.1']",
        "[ipv6-addr:value = '2001:db8::1'] OR ([ipv4-addr:value = '192.0.2.1'])",
    ],
)
def test_patterns_of_addresses(tmp_path: Path, pattern: str):
    matches, found = match(tmp_path, bundle(indicator(pattern, name="a proxy")), "x.json")
    assert found == verdicts(**{"192.0.2.1": MALICIOUS})
    assert "a proxy" in (matches.answers[ip_address("192.0.2.1")].details or "")
    assert matches.rejected == 0


@pytest.mark.parametrize(
    "pattern",
    [
        "[ipv4-addr:value = '192.0.2.1' AND url:value = 'http://example.com']",
        "[ipv4-addr:value != '192.0.2.1']",
        "[ipv4-addr:value NOT ISSUBSET '192.0.2.0/24']",
        "[ipv4-addr:value = '192.0.2.1'] FOLLOWEDBY [ipv4-addr:value = '192.0.2.1']",
        "[ipv4-addr:value = '0.0.0.0/0']",
        "[ipv4-addr:value = 'x']",
        "ipv4-addr:value = '192.0.2.1' ! ",
        "[ipv4-addr:value LIKE '192.0.2.%']",
    ],
)
def test_patterns_that_say_more_or_less_are_rejected(tmp_path: Path, pattern: str):
    matches, found = match(tmp_path, bundle(indicator(pattern)), "x.json")
    assert found == verdicts()
    assert matches.rejected == 1


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        ({}, MALICIOUS),
        ({"indicator_types": ["malicious-activity"]}, MALICIOUS),
        ({"indicator_types": ["anomalous-activity"]}, SUSPICIOUS),
        ({"indicator_types": ["benign"]}, CLEAN),
        ({"labels": ["benign", "compromised"]}, MALICIOUS),
        ({"revoked": True}, UNKNOWN),
        ({"valid_until": "2026-06-29T00:00:00Z"}, UNKNOWN),
        ({"valid_until": "2026-06-30T00:00:00Z"}, MALICIOUS),
    ],
)
def test_types_and_times_of_stix_indicators(tmp_path: Path, fields: dict, verdict: str):
    text = bundle(indicator("[ipv4-addr:value = '192.0.2.1']", **fields))
    assert match(tmp_path, text, "x.json")[1]["192.0.2.1"] == verdict


def test_other_objects_of_a_bundle_are_no_mistakes(tmp_path: Path):
    matches, found = match(
        tmp_path,
        bundle(
            {"type": "ipv4-addr", "value": "192.0.2.1"},
            indicator("[domain-name:value = 'example.com']"),
            indicator("alert tcp 192.0.2.1 any", pattern_type="snort"),
            "not an object",
            indicator("[ipv4-addr:value = '192.0.2.1']", labels=3),
            {"type": "indicator"},
        ),
        "x.json",
    )
    assert found == verdicts()
    assert (matches.indicators, matches.others, matches.rejected) == (0, 2, 3)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"objects": 1}', "[" * 100_000])
def test_a_file_that_is_not_a_bundle_is_one_sentence(tmp_path: Path, text: str):
    with pytest.raises(
        EnrichmentError, match=r"^LOWSLOW_INDICATORS .* is not a STIX bundle: .*\.$"
    ):
        match(tmp_path, text, "x.json")


def test_a_file_that_is_missing_is_one_sentence(tmp_path: Path):
    with pytest.raises(
        EnrichmentError, match=r"^LOWSLOW_INDICATORS .*absent\.csv.* cannot be read"
    ):
        match_indicators(str(tmp_path / "absent.csv"), [], DAY)


HOSTILE = st.text(st.characters(codec="utf-8"), max_size=200)


@given(lines=st.lists(HOSTILE, max_size=5))
def test_no_line_of_a_csv_file_hides_another(tmp_path_factory: pytest.TempPathFactory, lines):
    # A header comes first, because a hostile first line may be a header itself.
    text = "\n".join(["ip", *lines, "203.0.113.9"])
    matches, found = match(tmp_path_factory.mktemp("csv"), text)
    assert found["203.0.113.9"] == MALICIOUS
    assert all(len(example) <= 500 and example.isprintable() for example in matches.examples)


@given(pattern=HOSTILE, name=HOSTILE, kind=st.one_of(HOSTILE, st.none(), st.integers()))
def test_no_indicator_of_a_bundle_hides_another(
    tmp_path_factory: pytest.TempPathFactory, pattern, name, kind
):
    text = bundle(
        indicator(f"[ipv4-addr:value = '{pattern}'", name=name),
        indicator("[ipv4-addr:value = '192.0.2.1']", indicator_types=[kind], name=name),
        {"type": kind, "pattern": pattern},
        indicator("[ipv4-addr:value = '203.0.113.9']"),
    )
    matches, found = match(tmp_path_factory.mktemp("stix"), text, "x.json")
    assert found["203.0.113.9"] == MALICIOUS
    details = matches.answers[ip_address("192.0.2.1")].details
    assert details is not None
    assert len(details) <= 500
    assert details.isprintable()


NETWORKS = st.one_of(
    st.tuples(st.integers(0, 2**32 - 1), st.integers(8, 32)).map(
        lambda n: ip_network((n[0], n[1]), strict=False)
    ),
    st.tuples(st.integers(0, 2**128 - 1), st.integers(16, 128)).map(
        lambda n: ip_network((n[0], n[1]), strict=False)
    ),
)


@given(networks=st.lists(NETWORKS, max_size=5), offsets=st.lists(st.integers(0, 300), max_size=5))
def test_an_address_matches_the_networks_that_hold_it(
    tmp_path_factory: pytest.TempPathFactory, networks, offsets
):
    path = tmp_path_factory.mktemp("networks") / "x.csv"
    path.write_text("\n".join(["network", *map(str, networks)]))
    addresses = [
        network[min(offset, network.num_addresses - 1)]
        for network in networks
        for offset in offsets
    ] + [parse_address(text) for text in ADDRESSES]
    found = match_indicators(str(path), addresses, DAY).answers
    for address in addresses:
        held = any(address in network for network in networks)
        assert found[address].verdict == (MALICIOUS if held else UNKNOWN)
