"""Microsoft Graph as a source, from a server on loopback that answers as documented."""

import json
import re
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lowslow_assets.export import graph
from lowslow_assets.export.graph import GraphExport, open_graph
from lowslow_assets.export.source import Export, SourceError, SourceUnavailable
from lowslow_assets.settings import LOGS, SERVICE_PRINCIPALS, SIGNIN_LOGS
from lowslow_assets.signins.ingest import parse_inputs
from lowslow_assets_tests.support.graph import CUT, NO_PAGE, TOKEN, Graph, serve

NON_INTERACTIVE, AD_FS = LOGS[1:3]
TODAY = datetime.now(UTC).date()
YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOWSLOW_GRAPH_TOKEN", TOKEN)


@pytest.fixture
def service() -> Iterator[tuple[Graph, GraphExport]]:
    """A service of 25 sign-ins of yesterday and one of ten days ago, and its export."""
    signins = [signin(number) for number in range(25)]
    served = Graph([*signins, signin(100, day=TODAY - timedelta(days=10))], most_of_page=10)
    with serve(served) as url, open_graph(url, SIGNIN_LOGS) as export:
        yield served, export


def signin(number: int, day: date = YESTERDAY, *kinds: str) -> dict[str, Any]:
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=number)
    found = {
        "id": f"id-{number}",
        "createdDateTime": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
        "userPrincipalName": "ann@example.com",
        "userId": "u",
        "ipAddress": "203.0.113.7",
        "status": {"errorCode": 50126},
    }
    return found | ({"signInEventTypes": list(kinds)} if kinds else {})


def ids(export: Export, *days: date) -> list[str]:
    """The sign-ins that the parser finds in these days' files; no line is rejected."""
    files = export.inputs([export.list_day(day) for day in days])
    assert export.open_files
    rows = [r for batch in parse_inputs(export.open_files(files)) for r in batch.to_pylist()]
    assert all(row["reason"] is None for row in rows)
    return sorted((row["signin_id"] for row in rows), key=lambda id_: int(id_[3:]))


def test_a_day_is_its_pages(service: tuple[Graph, GraphExport]):
    served, export = service
    assert ids(export, YESTERDAY) == [f"id-{number}" for number in range(25)]
    # One request for the day, and its three pages.
    assert len(served.asked) == 4
    tops = [re.findall(r"top=(\d+)", asked) for asked in served.asked]
    assert tops == [["1"], ["1000"], ["1000"], ["1000"]]


def test_days_are_those_with_sign_ins_newest_first(service: tuple[Graph, GraphExport]):
    served, export = service
    assert next(export.days()) == YESTERDAY
    assert len(served.asked) == 2
    assert list(export.days()) == [YESTERDAY, TODAY - timedelta(days=10)]
    # Each day was requested once.
    assert len(served.asked) == 30
    export.require_days()


def test_a_day_without_sign_ins_has_no_file(service: tuple[Graph, GraphExport]):
    _, export = service
    assert not export.list_day(TODAY - timedelta(days=5)).files
    assert export.inputs([export.list_day(TODAY - timedelta(days=5))]) == []


def test_a_day_that_graph_has_lost_is_no_day_without_sign_ins(service: tuple[Graph, GraphExport]):
    served, export = service
    with pytest.raises(SourceError, match="has the last 30 days only"):
        export.list_day(TODAY - timedelta(days=30))
    assert not served.asked


def test_a_day_changes_when_sign_ins_come_and_once_when_late_ones_have():
    before = TODAY - timedelta(days=3)
    served = Graph([signin(1), signin(2, before)])

    def version(day: date) -> str:
        with open_graph(url, SIGNIN_LOGS) as export:
            return export.list_day(day).version

    with serve(served) as url:
        assert version(YESTERDAY) == version(YESTERDAY)
        first = version(YESTERDAY), version(before)
        served.signins.append(signin(7))
        assert version(YESTERDAY) != first[0]
        assert version(before) == first[1]
        with open_graph(url, SIGNIN_LOGS) as export:
            [early], [late] = export.list_day(YESTERDAY).files, export.list_day(before).files
    assert early.version == "id-7 early"
    assert late.version == "id-2 complete"


def test_other_logs_are_asked_of_the_beta_version_by_their_kind():
    served = Graph(
        [
            signin(1),
            signin(2, YESTERDAY, "nonInteractiveUser"),
            signin(3, YESTERDAY, "servicePrincipal"),
        ]
    )
    with serve(served) as url:
        found = {}
        for log in (SIGNIN_LOGS, NON_INTERACTIVE, SERVICE_PRINCIPALS):
            with open_graph(url, log) as export:
                found[log] = ids(export, YESTERDAY)
        assert found == {
            SIGNIN_LOGS: ["id-1"],
            NON_INTERACTIVE: ["id-2"],
            SERVICE_PRINCIPALS: ["id-3"],
        }
        assert [path.split("/")[1] for path in served.asked] == ["v1.0"] * 2 + ["beta"] * 4
        with open_graph(f"{url}/beta", SIGNIN_LOGS) as export:
            assert ids(export, YESTERDAY) == ["id-1"]
        assert served.asked[-1].startswith("/beta/")
        with pytest.raises(
            SourceError, match="ADFSSignInLogs, which Microsoft Graph does not have"
        ):
            open_graph(url, AD_FS)


@pytest.mark.parametrize(
    "faults", [[429], [503, 429], [None, 429, 429], [None, CUT], [CUT, None, CUT], [None, NO_PAGE]]
)
def test_what_passes_is_waited_for(
    service: tuple[Graph, GraphExport], faults: list[int | str | None]
):
    served, export = service
    served.faults = list(faults)
    assert ids(export, YESTERDAY) == [f"id-{number}" for number in range(25)]
    assert len(served.asked) == 4 + sum(fault is not None for fault in faults)


def test_a_service_that_stays_busy_is_said(
    service: tuple[Graph, GraphExport], monkeypatch: pytest.MonkeyPatch
):
    served, export = service
    monkeypatch.setattr(graph, "_TRIES", 1)
    served.faults = [429] * 50
    with (
        open_graph(export.where, SIGNIN_LOGS) as hasty,
        pytest.raises(SourceUnavailable, match=r"busy or out of order \(status 429\)"),
    ):
        hasty.list_day(YESTERDAY)
    assert len(served.asked) == 2


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "token is wrong, has expired"),
        (403, "AuditLog.Read.All"),
        (403, "a licence of Entra ID P1 or P2"),
        (400, "does not know such a query"),
    ],
)
def test_what_is_refused_is_one_sentence(
    service: tuple[Graph, GraphExport], status: int, words: str
):
    served, export = service
    served.faults = [status]
    with pytest.raises(SourceError, match=re.escape(words)) as caught:
        export.require_days()
    assert re.fullmatch(r"LOWSLOW_SOURCE [^\n]+\.", str(caught.value))
    assert TOKEN not in str(caught.value)


def test_a_token_of_someone_else_is_refused(
    service: tuple[Graph, GraphExport], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LOWSLOW_GRAPH_TOKEN", "another")
    _, export = service
    with (
        open_graph(export.where, SIGNIN_LOGS) as refused,
        pytest.raises(SourceError, match=r"AuditLog\.Read\.All .* P1 or P2"),
    ):
        refused.require_days()


def test_without_token_and_identity_both_are_named(
    service: tuple[Graph, GraphExport], monkeypatch: pytest.MonkeyPatch
):
    from azure.identity import EnvironmentCredential

    monkeypatch.delenv("LOWSLOW_GRAPH_TOKEN")
    monkeypatch.setattr(graph, "identity", EnvironmentCredential)
    with (
        open_graph("graph://graph.microsoft.com", SIGNIN_LOGS) as export,
        pytest.raises(SourceError, match="az login, or set LOWSLOW_GRAPH_TOKEN"),
    ):
        export.require_days()
    with pytest.raises(SourceError, match="without TLS and so needs LOWSLOW_GRAPH_TOKEN"):
        open_graph(service[1].where, SIGNIN_LOGS)


@pytest.mark.parametrize("link", ["https://elsewhere.example/v1.0/auditLogs/signIns", ""])
def test_a_token_is_sent_to_no_other_service(service: tuple[Graph, GraphExport], link: str):
    served, export = service
    served.next_link = lambda _: link
    with pytest.raises(SourceUnavailable, match="does not say what follows a page"):
        export.inputs([export.list_day(YESTERDAY)])


def test_an_answer_that_is_not_a_page_makes_no_day(service: tuple[Graph, GraphExport]):
    served, export = service
    files = export.list_day(YESTERDAY)
    served.faults = [NO_PAGE] * 50
    with pytest.raises(SourceUnavailable, match="did not answer with a page of sign-ins"):
        export.inputs([files])


def test_no_more_than_a_page_is_held():
    wide = [signin(number) | {"userAgent": "x" * 20_000} for number in range(1_000)]
    with serve(Graph(wide, most_of_page=20)) as url, open_graph(url, SIGNIN_LOGS) as export:
        files = [export.list_day(YESTERDAY)]
        tracemalloc.start()
        try:
            [file] = export.inputs(files)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        size = Path(file.location).stat().st_size
        texts = Path(file.location).read_text().splitlines()
    assert size > 20e6
    assert sum(len(json.loads(text)["value"]) for text in texts) == 1_000
    # The server is in the same process, and makes several copies of a page of 400 kB.
    assert peak < 6e6


@pytest.mark.parametrize(
    "url", ["graph://", "graph://graph.microsoft.com/v2", "graph://a b", "graph://a@b/v1.0"]
)
def test_an_invalid_url_is_reported(url: str):
    with pytest.raises(SourceError, match="is not Microsoft Graph: write"):
        open_graph(url, SIGNIN_LOGS)
