"""MSTICPy's real providers against an API that answers, fails, lies and stalls."""

import importlib
import json
import logging
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, ip_address
from pathlib import Path

import pytest

from lowslow_assets.enrichment.answers import (
    CLEAN,
    MALICIOUS,
    NOT_PUBLIC,
    SUSPICIOUS,
    UNKNOWN,
    Address,
    Answer,
    EnrichmentError,
)
from lowslow_assets.enrichment.cache import AnswerCache
from lowslow_assets.enrichment.providers import CALLS_A_MINUTE, ask_all, open_providers
from lowslow_assets_tests.enrichment.conftest import KEY, Api, Open

# An address of a block that has belonged to nobody since 2015 (RFC 7526) and still counts as
# public.
ADDRESS = ip_address("192.88.99.1")
OTHERS: list[Address] = [IPv4Address("192.88.99.2") + n for n in range(9)]
MALICIOUS_NOISE = json.dumps({"classification": "malicious", "riot": False, "name": "a scanner"})


def vt(positives: int) -> dict:
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    url = {"url": "http://example.com", "positives": positives, "scan_date": now}
    return {"response_code": 1, "detected_urls": [url]}


@pytest.mark.parametrize(
    ("provider", "reply", "verdict", "severity"),
    [
        ("GreyNoise", {"classification": "malicious", "riot": False}, MALICIOUS, "high"),
        ("GreyNoise", {"classification": "benign", "riot": False}, CLEAN, "information"),
        ("GreyNoise", {"classification": "unknown", "riot": False}, UNKNOWN, "information"),
        ("AbuseIPDB", {"data": {"abuseConfidenceScore": 51}}, MALICIOUS, "high"),
        ("AbuseIPDB", {"data": {"abuseConfidenceScore": 1}}, SUSPICIOUS, "warning"),
        ("AbuseIPDB", {"data": {"abuseConfidenceScore": 0}}, UNKNOWN, "information"),
        ("AbuseIPDB", {"data": {"isWhitelisted": True}}, CLEAN, "information"),
        ("VirusTotal", vt(2), MALICIOUS, "high"),
        ("VirusTotal", vt(1), SUSPICIOUS, "warning"),
        ("VirusTotal", vt(0), UNKNOWN, "information"),
        ("VirusTotal", {"response_code": 0}, UNKNOWN, "information"),
        ("OTX", {"pulse_info": {"pulses": [{}, {}]}}, MALICIOUS, "high"),
        ("OTX", {"pulse_info": {"pulses": []}, "sections": []}, UNKNOWN, "information"),
        ("OTX", {"detail": "try again later"}, UNKNOWN, "information"),
        ("XForce", {"score": 7, "reason": "Anonymisation"}, MALICIOUS, "high"),
        ("XForce", {"score": 1}, UNKNOWN, "information"),
    ],
)
def test_answers_and_that_no_report_is_unknown(
    api: Api, open_provider: Open, provider: str, reply: dict, verdict: str, severity: str
):
    api.replies = [(200, json.dumps(reply))]
    answer = open_provider(provider)([ADDRESS])[ADDRESS]
    assert (answer.verdict, answer.severity, answer.error) == (verdict, severity, None)
    assert len(api.asked) == 1
    assert str(ADDRESS) in api.asked[0]


@pytest.mark.parametrize(
    ("status", "body", "calls", "error"),
    [
        (200, "<html>Please log in</html>", 3, "its answer has an undocumented form"),
        (200, "", 3, "its answer has an undocumented form"),
        (200, "{}", 3, "its answer has an undocumented form"),
        (200, "[1]", 3, "its answer has an undocumented form"),
        (200, '"malicious"', 3, "its answer has an undocumented form"),
        (200, '{"riot": false}', 3, "its answer has an undocumented form"),
        (302, "", 1, "status 302: Found"),
        (401, "", 1, "status 401: Authorization failed. Check account and key details."),
        (429, "", 3, "status 429: Too Many Requests"),
        (503, "", 3, "status 503: Service Unavailable"),
    ],
)
def test_a_failure_is_unknown_with_a_reason_and_is_not_kept(
    api: Api, open_provider: Open, status: int, body: str, calls: int, error: str
):
    api.replies = [(status, body)]
    ask = open_provider()
    answer = ask([ADDRESS])[ADDRESS]
    assert answer.verdict == UNKNOWN
    assert answer.severity is None
    assert (answer.error, len(api.asked)) == (error, calls)
    api.replies = [(200, MALICIOUS_NOISE)]
    assert ask([ADDRESS])[ADDRESS].verdict == MALICIOUS


def test_an_answer_that_cannot_be_parsed_is_a_failure(api: Api, open_provider: Open):
    api.replies = [(200, '{"data": null}')]
    answer = open_provider("AbuseIPDB")([ADDRESS])[ADDRESS]
    assert (answer.verdict, (answer.error or "").split(":")[0]) == (UNKNOWN, "AttributeError")


def test_a_throttled_provider_is_asked_again(api: Api, open_provider: Open):
    api.replies = [(429, ""), (503, ""), (200, MALICIOUS_NOISE)]
    answer = open_provider()([ADDRESS])[ADDRESS]
    assert (answer.verdict, answer.error, len(api.asked)) == (MALICIOUS, None, 3)


def test_a_provider_that_does_not_know_an_address_is_no_failure(api: Api, open_provider: Open):
    api.replies = [(404, "{}")]
    ask = open_provider()
    answer = ask([ADDRESS])[ADDRESS]
    assert (answer.verdict, answer.details, answer.error) == (UNKNOWN, "not found", None)
    assert ask([ADDRESS])[ADDRESS].from_cache
    assert len(api.asked) == 1


def test_a_dead_provider_costs_only_its_own_column(api: Api, open_provider: Open):
    with socket.create_server(("127.0.0.1", 0)) as free:
        nowhere = f"http://127.0.0.1:{free.getsockname()[1]}"
    api.replies = [(200, json.dumps({"data": {"abuseConfidenceScore": 99}}))]
    providers = {"GreyNoise": open_provider(url=nowhere), "AbuseIPDB": open_provider("AbuseIPDB")}
    answers = ask_all(providers, OTHERS)
    assert {answer.verdict for answer in answers["AbuseIPDB"].values()} == {MALICIOUS}
    errors = [answers["GreyNoise"][address].error or "" for address in OTHERS]
    assert all(error.startswith("ConnectError") for error in errors[:3])
    assert set(errors[3:]) == {"not asked: 3 look-ups in a row had failed"}
    assert {answer.verdict for answer in answers["GreyNoise"].values()} == {UNKNOWN}


def test_an_answer_in_drops_ends_at_the_time_limit(api: Api, open_provider: Open):
    api.replies = [(0, MALICIOUS_NOISE)]
    answer = open_provider(seconds_a_call=0.3, retries=0)([ADDRESS])[ADDRESS]
    assert answer.verdict == UNKNOWN
    assert "Timeout" in (answer.error or "")


def test_when_time_is_up_the_rest_waits_for_the_next_run(api: Api, open_provider: Open):
    api.replies = [(200, MALICIOUS_NOISE)]
    answers = open_provider(seconds_a_run=-1)(OTHERS)
    assert {answer.error for answer in answers.values()} == {"not asked: no time was left"}
    assert api.asked == []
    assert {a.verdict for a in open_provider()(OTHERS).values()} == {MALICIOUS}


def test_calls_keep_their_distance(open_provider: Open, api: Api, monkeypatch: pytest.MonkeyPatch):
    clock, slept = [100.0], []

    def sleep(seconds: float) -> None:
        slept.append(round(seconds, 6))
        clock[0] += seconds

    monkeypatch.setattr("lowslow_assets.enrichment.providers.time.sleep", sleep)
    monkeypatch.setattr("lowslow_assets.enrichment.providers.time.monotonic", lambda: clock[0])
    api.replies = [(200, MALICIOUS_NOISE), (429, ""), (200, MALICIOUS_NOISE)]
    ask = open_provider(calls_a_minute=4, pause_seconds=20)
    answers = ask(OTHERS[:2])
    assert [answer.error for answer in answers.values()] == [None, None]
    # Immediately, a quarter of a minute later, and after a 429 twice the pause.
    assert slept == [0, 15, 40]


def test_answers_are_kept_for_their_age_and_never_for_another_provider(
    api: Api, open_provider: Open
):
    api.replies = [(200, MALICIOUS_NOISE)]
    first = open_provider()([ADDRESS])[ADDRESS]
    again = open_provider()([ADDRESS])[ADDRESS]
    assert len(api.asked) == 1
    assert (first.from_cache, again.from_cache) == (False, True)
    assert again.looked_up_at == first.looked_up_at
    assert (again.verdict, again.details) == (first.verdict, first.details)

    api.replies = [(200, '{"data": {}}'), (200, MALICIOUS_NOISE)]
    assert open_provider("AbuseIPDB")([ADDRESS])[ADDRESS].verdict == UNKNOWN
    assert len(api.asked) == 2
    assert not open_provider(max_age=timedelta())([ADDRESS])[ADDRESS].from_cache
    assert len(api.asked) == 3


def test_a_private_address_is_never_sent(api: Api, open_provider: Open):
    api.replies = [(200, MALICIOUS_NOISE)]
    private = [
        ip_address(text)
        for text in ("10.1.2.3", "100.64.0.1", "192.0.2.1", "fe80::1", "2002:a01:203::", "ff0e::1")
    ]
    for provider in ("GreyNoise", "AbuseIPDB"):
        answers = open_provider(provider)(private)
        assert {(a.verdict, a.error, a.looked_up_at) for a in answers.values()} == {
            (UNKNOWN, NOT_PUBLIC, None)
        }
    assert api.asked == []


def test_an_address_of_a_kind_that_it_does_not_know_is_not_sent(api: Api, open_provider: Open):
    api.replies = [(200, json.dumps({"data": {"abuseConfidenceScore": 99}}))]
    of_version_6 = ip_address("64:ff9b::c058:6301")
    answer = open_provider("VirusTotal")([of_version_6])[of_version_6]
    assert (answer.verdict, answer.error) == (UNKNOWN, "not asked: it knows no ipv6")
    assert api.asked == []
    assert open_provider("AbuseIPDB")([of_version_6])[of_version_6].verdict == MALICIOUS


def test_keys_are_sent_to_their_provider_and_seen_nowhere_else(
    api: Api, open_provider: Open, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    # A provider that answers with the key it was sent, and a log that takes everything.
    caplog.set_level(logging.DEBUG)
    environment = {"LOWSLOW_TI_VIRUSTOTAL_KEY": KEY, "LOWSLOW_TI_GREYNOISE_KEY": KEY}
    names = ["VirusTotal", "GreyNoise"]
    for name in names:
        open_provider(name)  # aims it at the server
    providers = open_providers(names, tmp_path / "answers", timedelta(1), environment)
    api.replies = [(200, json.dumps({"classification": "malicious", "riot": 0, "name": KEY}))]
    found = ask_all(providers, [ADDRESS])
    assert (found["GreyNoise"][ADDRESS].details or "").count("***") == 1
    assert KEY in api.keys
    assert any(KEY in path for path in api.asked)
    written = "".join(path.read_text() for path in (tmp_path / "answers").rglob("*.json"))
    assert written
    for text in (repr(found), written, caplog.text, repr(providers)):
        assert KEY not in text


def test_details_are_bounded(api: Api, open_provider: Open):
    hostile = "<script>\u202e\x00\n" + "x" * 10_000
    api.replies = [
        (200, json.dumps({"classification": "malicious", "riot": False, "name": hostile}))
    ]
    details = open_provider()([ADDRESS])[ADDRESS].details
    assert details is not None
    assert len(details) == 500
    assert details.isprintable()


FIRST_IMPORT = """
import logging, sys
from datetime import timedelta
from pathlib import Path
from lowslow_assets.enrichment.providers import open_providers
assert "msticpy" not in sys.modules
open_providers(["OTX"], Path(sys.argv[1]), timedelta(days=1), {"LOWSLOW_TI_OTX_KEY": "a key"})
assert "msticpy" in sys.modules
assert logging.getLogger().handlers == []
"""


def test_msticpy_is_imported_when_asked_for_and_changes_no_logging(tmp_path: Path):
    pytest.importorskip("msticpy")
    subprocess.run([sys.executable, "-c", FIRST_IMPORT, str(tmp_path)], check=True)


@pytest.mark.parametrize(
    ("names", "environment", "sentence"),
    [
        (["Tor"], {}, "LOWSLOW_TI_PROVIDERS must be of AbuseIPDB, .*, not 'Tor'."),
        (["OTX"], {}, "LOWSLOW_TI_OTX_KEY is not set, and LOWSLOW_TI_PROVIDERS asks for it."),
        (["XForce"], {"LOWSLOW_TI_XFORCE_KEY": KEY}, "LOWSLOW_TI_XFORCE_ID is not set, .*"),
    ],
)
def test_a_wrong_setting_is_one_sentence(tmp_path: Path, names, environment, sentence: str):
    with pytest.raises(EnrichmentError, match=f"^{sentence}$"):
        open_providers(names, tmp_path, timedelta(days=1), environment)


def test_msticpy_knows_our_providers():
    registry = importlib.import_module("msticpy.context.tilookup").TILookup
    assert CALLS_A_MINUTE.keys() <= registry.PROVIDERS.keys()


def test_a_damaged_or_strange_cached_answer_is_not_used(tmp_path: Path):
    cache = AnswerCache(tmp_path, timedelta(days=1))
    cache.put(ADDRESS, Answer(MALICIOUS, looked_up_at=datetime.now(UTC)))
    [path] = tmp_path.iterdir()
    assert cache.get(ADDRESS) is not None
    assert cache.get(OTHERS[0]) is None
    for text in ("", "{", "[]", "{}", '{"looked_up_at": 3}', '{"looked_up_at": "2026-06-30"}'):
        path.write_text(text)
        assert cache.get(ADDRESS) is None


def test_old_answers_are_removed(tmp_path: Path):
    old = Answer(MALICIOUS, looked_up_at=datetime.now(UTC) - timedelta(days=2))
    AnswerCache(tmp_path, timedelta(days=3)).put(ADDRESS, old)
    assert AnswerCache(tmp_path, timedelta(days=3)).get(ADDRESS) is not None
    assert AnswerCache(tmp_path, timedelta(days=1)).get(ADDRESS) is None
    AnswerCache(tmp_path, timedelta())
    assert list(tmp_path.iterdir()) == []
