"""Switching sinks on: nothing by default, printing in a dry run, and which credentials are used."""

import json
import re
import sys
from dataclasses import replace
from datetime import date

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ServiceRequestError
from azure.core.pipeline.transport import RequestsTransport

from lowslow_assets.orchestration.resources import SinksResource
from lowslow_assets.settings import SettingsError
from lowslow_assets.sinks import calls
from lowslow_assets.sinks.log_analytics import row
from lowslow_assets.sinks.opening import connect, open_sinks
from lowslow_assets.sinks.updates import CREATED, FAILED
from lowslow_assets_tests.support.drawn_incidents import campaign_id, day, merged, update
from lowslow_assets_tests.support.workspace import INCIDENTS, SETTINGS, check_incident

RESOURCE = SinksResource.of(SETTINGS)


def test_nothing_is_switched_on_by_default_and_no_sdk_is_needed(monkeypatch):
    monkeypatch.setitem(sys.modules, "lowslow_assets.sinks.opening", None)
    assert SinksResource().open() == []


def test_a_missing_sdk_is_reported_with_what_to_install(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delitem(sys.modules, "lowslow_assets.sinks.opening")
    monkeypatch.setitem(sys.modules, "azure.monitor.ingestion", None)
    with pytest.raises(SettingsError, match=r"azure.monitor.ingestion: .*lowslow-assets\[azure\]"):
        RESOURCE.open()


def test_the_sinks_that_are_named_are_opened_and_nothing_is_called(monkeypatch):
    def called(*_: object, **__: object) -> None:
        raise AssertionError("the network")

    monkeypatch.setattr(RequestsTransport, "send", called)
    assert [sink.name for sink in RESOURCE.open()] == ["sentinel", "log_analytics"]
    assert [sink.name for sink in open_sinks(replace(SETTINGS, names=("sentinel",)))] == [
        "sentinel"
    ]


def test_a_sink_that_does_not_exist_is_reported():
    with pytest.raises(SettingsError, match="'local', only sentinel and log_analytics"):
        SinksResource(names=["local"]).open()


def test_a_dry_run_prints_the_requests_and_sends_none(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("socket.socket.connect", None)
    monkeypatch.setattr(calls, "default_credential", None)
    updates = [update(0, 0, addresses=["192.0.2.1"]), merged(1, into=0)]
    sentinel, log_analytics = open_sinks(replace(SETTINGS, dry_run=True))
    assert [d.action for d in sentinel.deliver(day(0), updates)] == [CREATED, "unchanged"]
    printed = capsys.readouterr().out
    url = re.escape(f"https://management.azure.com{INCIDENTS}/")
    version = re.escape("?api-version=2024-03-01")
    one, other = campaign_id(0), campaign_id(1)
    found = re.fullmatch(
        f"GET {url}{one}{version}\nPUT {url}{one}{version}\n(.*)\nGET {url}{other}{version}\n",
        printed,
        re.DOTALL,
    )
    assert found
    check_incident(json.loads(found[1]))

    assert [d.action for d in log_analytics.deliver(day(0), updates)] == [CREATED]
    line, _, body = capsys.readouterr().out.partition("\n")
    assert line == (
        "POST https://soc.ingest.example/dataCollectionRules/dcr-0123"
        "/streams/Custom-LowslowIncidents_CL?api-version=2023-01-01"
    )
    assert json.loads(body) == [row(updates[0], day(0))]


def test_no_credential_asks_a_person(monkeypatch: pytest.MonkeyPatch):
    for name in ("AZURE_TOKEN_CREDENTIALS", "AZURE_CLIENT_ID", "AZURE_TENANT_ID"):
        monkeypatch.delenv(name, raising=False)
    chain = calls.default_credential().credentials  # pyright: ignore[reportAttributeAccessIssue]
    # The stand-in for a workload identity without its variables fails at once.
    assert {type(one).__name__ for one in chain} <= {
        "EnvironmentCredential",
        "WorkloadIdentityCredential",
        "ManagedIdentityCredential",
        "FailedDACCredential",
    }


class Unreachable(RequestsTransport):
    def __init__(self) -> None:
        super().__init__()
        self.sent = 0

    def send(self, request, **_):
        self.sent += 1
        raise ServiceRequestError(f"{request.url.partition('?')[0]} cannot be reached")

    def sleep(self, duration: float) -> None:
        assert duration < 60


class Anybody:
    def get_token(self, *scopes: str, **_: object) -> AccessToken:
        return AccessToken("planted-secret", 4_000_000_000)


@pytest.mark.parametrize("which", [0, 1])
def test_a_service_out_of_reach_is_tried_a_few_times_and_reported(which: int):
    transport = Unreachable()
    sink = connect(SETTINGS, Anybody(), transport)[which]
    [made] = sink.deliver(date(2026, 4, 1), [update(0, 0)])
    assert made.action == FAILED
    assert re.fullmatch(r"ServiceRequestError: https://\S+ cannot be reached", made.detail or "")
    assert transport.sent == 4


def test_http_is_refused():
    settings = replace(SETTINGS, ingestion_endpoint="http://soc.ingest.example")
    [made] = connect(settings, Anybody(), Unreachable())[1].deliver(day(0), [update(0, 0)])
    assert made.action == FAILED
    assert "non-https" in (made.detail or "")
