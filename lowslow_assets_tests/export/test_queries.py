"""A workspace as a source, from a server that answers as the query API is documented."""

import json
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from azure.core.pipeline.policies import RetryPolicy, SansIOHTTPPolicy
from azure.identity import EnvironmentCredential
from azure.monitor.query import LogsQueryClient

from lowslow_assets.export import queries
from lowslow_assets.export.folders import LocalExport
from lowslow_assets.export.queries import QueriedExport, open_queries
from lowslow_assets.export.source import Export, SourceError, SourceUnavailable
from lowslow_assets.sample_tenant import Tenant, generate
from lowslow_assets.settings import LOGS
from lowslow_assets.signins.ingest import parse_inputs

WORKSPACE = "aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e"
URL = f"loganalytics://{WORKSPACE}"
DAY = date(2026, 6, 3)
COLUMNS = {
    **dict.fromkeys(("Id", "UserPrincipalName", "UserId", "ResultType"), "string"),
    **dict.fromkeys(("AppDisplayName", "ClientAppUsed", "Location", "IPAddress"), "string"),
    **dict.fromkeys(("UserAgent", "AutonomousSystemNumber"), "string"),
    **dict.fromkeys(("DeviceDetail", "LocationDetails"), "dynamic"),
    "TimeGenerated": "datetime",
    "IsInteractive": "bool",
}
# The requested columns that each table is documented to have.
_ALL = {"Id", "TimeGenerated", "ResultType", "Location", "IPAddress"}
_USER = {"UserPrincipalName", "UserId", "AppDisplayName", "DeviceDetail", "UserAgent"}
_PRINCIPAL = {"ServicePrincipalName", "ServicePrincipalId"}
_CLIENT = {"ClientAppUsed", "LocationDetails", "IsInteractive", "AutonomousSystemNumber"}
DOCUMENTED = {
    "SigninLogs": _ALL | _USER | _CLIENT | _PRINCIPAL,
    "AADNonInteractiveUserSignInLogs": _ALL | _USER | _CLIENT | {"ServicePrincipalId"},
    "ADFSSignInLogs": _ALL | _USER | {"IsInteractive"},
    "AADServicePrincipalSignInLogs": _ALL | _PRINCIPAL | {"LocationDetails"},
}


@dataclass
class Workspace:
    """A table, and what its API does besides: it refuses, and cuts long answers."""

    rows: list[dict[str, Any]]
    row_limit: int = 500_000
    refusals: list[int] = field(default_factory=list)
    """Statuses for the next calls."""
    hidden: int = 0
    """Rows at the end that counts include and answers lack."""
    asked: list[str] = field(default_factory=list)
    table: str = "SigninLogs"

    def answer(self, query: str) -> dict[str, Any]:
        start, end = map(moment, re.findall(r"datetime\((.*?)\)", query))
        found = [row for row in self.rows if start <= moment(row["TimeGenerated"]) < end]
        if "summarize" in query:
            columns = {"Day": "datetime", "Rows": "long", "Bytes": "real", "Newest": "datetime"}
            days = sorted({row["TimeGenerated"][:10] for row in found})
            values = [
                [f"{day}T00:00:00Z", len(rows), 1000.0 * len(rows), rows[-1]["TimeGenerated"]]
                for day in days
                if (rows := [row for row in found if row["TimeGenerated"].startswith(day)])
            ]
        else:
            columns = COLUMNS
            found = [row for row in found if row not in self.rows[len(self.rows) - self.hidden :]]
            values = [[row.get(name) for name in COLUMNS] for row in found[: self.row_limit]]
        described = [{"name": name, "type": kind} for name, kind in columns.items()]
        body = {"tables": [{"name": "PrimaryResult", "columns": described, "rows": values}]}
        if "summarize" not in query and len(found) > len(values):
            return body | {"error": {"code": "PartialError", "message": "There were errors."}}
        return body


@contextmanager
def serving(workspace: Workspace) -> Iterator[QueriedExport]:
    """The export of a workspace behind a server on the loopback."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            query = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["query"]
            assert self.path == f"/v1/workspaces/{WORKSPACE}/query"
            workspace.asked.append(query)
            status = workspace.refusals.pop(0) if workspace.refusals else 200
            error = {"error": {"code": "SomeError", "message": f"{query} is refused"}}
            content = json.dumps(workspace.answer(query) if status == 200 else error).encode()
            self.send_response_only(status)
            if status == 429:
                self.send_header("Retry-After", "1")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    client = LogsQueryClient(
        object(),  # type: ignore[arg-type]
        endpoint=f"http://127.0.0.1:{server.server_address[1]}",
        authentication_policy=SansIOHTTPPolicy(),
        retry_policy=RetryPolicy(retry_total=2, retry_backoff_factor=0.01),
    )
    try:
        with QueriedExport(URL, client, workspace.table) as export:
            yield export
    finally:
        server.shutdown()
        server.server_close()


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text[:26].removesuffix("Z")).replace(tzinfo=UTC)


def signin(number: int, at: timedelta = timedelta(), day: date = DAY) -> dict[str, Any]:
    moment = datetime.combine(day, time(), UTC) + at
    return {
        "Id": str(number),
        "TimeGenerated": f"{moment:%Y-%m-%dT%H:%M:%S.%f}7Z",
        "UserPrincipalName": "ann@example.com",
        "ResultType": "0",
        "DeviceDetail": '{"browser":"Edge"}',
    }


def spread(count: int) -> list[dict[str, Any]]:
    """Sign-ins of one day, at equal distances."""
    return [signin(n, n * timedelta(days=1) / count) for n in range(count)]


def copied(export: QueriedExport, day: date = DAY) -> list[dict[str, Any]]:
    """The lines of the day's copy."""
    [file] = export.inputs([export.list_day(day)])
    return [json.loads(line) for line in Path(file.location).read_text().splitlines()]


def parsed(export: Export, days: Sequence[date]) -> list[str]:
    """The sign-ins of these days, in any order."""
    files = export.inputs([export.list_day(day) for day in days])
    assert export.open_files
    batches = parse_inputs(export.open_files(files))
    rows = [row for batch in batches for row in batch.drop_columns("file").to_pylist()]
    return sorted(map(str, rows))


def test_sign_ins_are_those_of_the_export(tmp_path: Path):
    tenant = Tenant(seed=3, days=2, users=40, signins_per_day=80, schema="sentinel")
    generate(tenant, tmp_path / "signins", tmp_path / "labels.csv")
    files = (tmp_path / "signins").rglob("*.json")
    rows = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    for row in rows:
        for name in ("DeviceDetail", "LocationDetails"):
            row[name] = row[name] if isinstance(row[name], str) else json.dumps(row[name])
    local = LocalExport(str(tmp_path / "signins"))
    with serving(Workspace(rows)) as export:
        days = list(export.days())
        assert days == list(local.days())
        found = parsed(export, days)
    assert len(found) == len(rows) > 100
    assert found == parsed(local, days)


def test_a_look_at_the_newest_days_is_one_question(monkeypatch: pytest.MonkeyPatch):
    today = datetime.now(UTC).date()
    workspace = Workspace([signin(0, day=today)])
    with serving(workspace) as export:
        export.require_days()
        first = export.list_day(today)
        assert next(export.days()) == today
        assert len(workspace.asked) == 1
        assert export.list_day(today) == first
    workspace.rows.append(signin(1, day=today))
    with serving(workspace) as export:
        assert export.list_day(today).version != first.version


def test_what_comes_back_cut_is_asked_for_in_halves():
    workspace = Workspace(spread(50), row_limit=15)
    with serving(workspace) as export:
        assert [row["Id"] for row in copied(export)] == [str(n) for n in range(50)]
    # Counts; the day; its halves; their halves.
    assert len(workspace.asked) == 1 + 1 + 2 + 4


def test_days_of_much_are_asked_for_in_slices(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(queries, "_BYTES_A_SLICE", 20_000)
    workspace = Workspace(spread(50))
    with serving(workspace) as export:
        assert len(copied(export)) == 50
    assert len(workspace.asked) == 1 + 3


def test_rows_that_are_missing_are_no_day():
    with serving(Workspace(spread(5), hidden=1)) as export:
        files = export.list_day(DAY)
        with pytest.raises(SourceUnavailable, match="4 of 5 rows"):
            export.inputs([files])


def test_more_in_a_minute_than_a_query_returns_is_said():
    with serving(Workspace([signin(n) for n in range(5)], row_limit=3)) as export:
        files = export.list_day(DAY)
        with pytest.raises(SourceError, match="use an export"):
            export.inputs([files])


def test_a_throttled_or_failing_server_is_asked_again():
    workspace = Workspace(spread(5), refusals=[429, 503])
    with serving(workspace) as export:
        assert len(copied(export)) == 5
    assert len(workspace.asked) == 4


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        (403, SourceError, "lacks the permission"),
        (404, SourceError, "no such workspace"),
        (400, SourceError, "no such table"),
        (503, SourceUnavailable, "should pass"),
    ],
)
def test_what_is_refused_is_one_sentence(status: int, kind: type[Exception], words: str):
    with (
        serving(Workspace([], refusals=[status] * 3)) as export,
        pytest.raises(kind, match=words) as caught,
    ):
        export.require_days()
    assert re.fullmatch(r"LOWSLOW_SOURCE [^\n]+\.", str(caught.value))


@pytest.mark.parametrize("table", LOGS)
def test_a_table_is_asked_for_no_column_that_it_may_lack(table: str):
    workspace = Workspace(spread(2), table=table)
    with serving(workspace) as export:
        assert export.list_day(DAY).files[0].name == f"y=2026/m=06/d=03/{table}.json"
        assert len(copied(export)) == 2
    _, query = workspace.asked
    assert query.startswith(f"{table} | where ")
    asked = query.partition("| project ")[2].split(", ")
    plain = {column for column in asked if "=" not in column and '"' not in column}
    assert plain <= set.intersection(*DOCUMENTED.values())
    absent = re.findall(r'(\w+) = column_ifexists\("(\w+)", ""\)', query)
    assert all(name == of for name, of in absent)
    assert plain | {name for name, _ in absent} == set.union(*DOCUMENTED.values())


def test_without_an_identity_no_credentials_of_storage_are_suggested(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(queries, "identity", EnvironmentCredential)
    with open_queries(URL, "SigninLogs") as export, pytest.raises(SourceError) as caught:
        export.require_days()
    assert str(caught.value) == (
        f"LOWSLOW_SOURCE {URL!r} cannot be read: no identity was found or accepted (docs/azure.md)."
    )


def test_a_workspace_without_sign_ins_and_a_url_without_workspace_are_said():
    with serving(Workspace([])) as export, pytest.raises(SourceError, match="has no SigninLogs"):
        export.require_days()
    with pytest.raises(SourceError, match="names no workspace"):
        open_queries("loganalytics://soc", "SigninLogs")
