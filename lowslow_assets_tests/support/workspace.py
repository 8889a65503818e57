"""A workspace on loopback that behaves as Azure's documentation says, and connections to it.

It accepts what the documented schemas allow and nothing else, has etags, throttles, loses requests
and answers, and knows which tokens are valid. Requests that it refused as malformed are in
``violations``.
"""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import requests
from azure.core.credentials import AccessToken
from azure.core.pipeline.transport import RequestsTransport
from requests.adapters import HTTPAdapter

from lowslow_assets.settings import LOG_ANALYTICS, SENTINEL, SinkSettings
from lowslow_assets.sinks.log_analytics import COLUMNS
from lowslow_assets.sinks.opening import connect
from lowslow_assets.sinks.updates import Sink

SETTINGS = SinkSettings(
    names=(SENTINEL, LOG_ANALYTICS),
    subscription="00000000-0000-0000-0000-000000000001",
    resource_group="security group",
    workspace="soc",
    ingestion_endpoint="https://soc.ingest.example",
    ingestion_rule="dcr-0123",
)
INCIDENTS = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/security%20group"
    "/providers/Microsoft.OperationalInsights/workspaces/soc"
    "/providers/Microsoft.SecurityInsights/incidents"
)
ROWS = "/dataCollectionRules/dcr-0123/streams/Custom-LowslowIncidents_CL"
THROTTLED, UNAVAILABLE, CUT, LOST = "throttled", "unavailable", "cut", "lost"
FAULTS = (THROTTLED, UNAVAILABLE, CUT, LOST)

_TEXT_LIMITS = {
    "title": 256,
    "description": 5_000,
    "classificationComment": 1_000,
}
_CHOICES = {
    "severity": {"High", "Medium", "Low", "Informational"},
    "status": {"New", "Active", "Closed"},
    "classification": {"Undetermined", "TruePositive", "BenignPositive", "FalsePositive"},
    "classificationReason": {
        "SuspiciousActivity",
        "SuspiciousButExpected",
        "IncorrectAlertLogic",
        "InaccurateData",
    },
}
_TIMES = ("firstActivityTimeUtc", "lastActivityTimeUtc")
_OWNER = {"objectId", "email", "assignedTo", "userPrincipalName"}
_JSON_TYPES: dict[str, Any] = {
    "string": str,
    "datetime": str,
    "real": (int, float),
    "long": int,
    "dynamic": list,
}


class Refused(Exception):
    """An answer that is not a success: status and code."""


class Malformed(Exception):
    """A document that the documented schema does not allow."""


def require(condition: object, what: str) -> None:
    if not condition:
        raise Malformed(what)


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


@dataclass
class Workspace:
    """The state of the workspace, and what happened to requests."""

    incidents: dict[str, dict[str, Any]] = field(default_factory=dict)
    comments: dict[str, dict[str, str]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    requests: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    fault: Callable[[int], str | None] = lambda number: None
    retry_after: int = 7
    stale: int = 409
    before_write: Callable[[], None] = lambda: None
    _etags: Iterator[int] = field(default_factory=lambda: count(1))

    def answer(self, method: str, path: str, query: dict[str, list[str]], body: bytes, headers):
        """Status and document of the answer to a request."""
        require(
            headers.get("Authorization", "").removeprefix("Bearer ") in self.tokens, "a good token"
        )
        if path == ROWS:
            return self._take_rows(method, query, body, headers)
        require(path.startswith(INCIDENTS + "/"), "a known path")
        require(query == {"api-version": ["2024-03-01"]}, "the version")
        name, _, comment = path.removeprefix(INCIDENTS + "/").partition("/comments/")
        document = None
        if method == "PUT":
            require(headers["Content-Type"] == "application/json", "a JSON content type")
            document = json.loads(body, parse_constant=lambda _: require(False, "no NaN"))
        if comment:
            return self._comment(method, name, comment, document)
        return self._incident(method, name, document)

    def edit(self, name: str, **properties: Any) -> None:
        """Edit an incident as an analyst does in the portal."""
        incident = self.incidents[name]
        incident["properties"].update(properties)
        incident["etag"] = f'"{next(self._etags)}"'

    def shown(self, name: str) -> dict[str, Any]:
        """An incident's properties as the interface gives them."""
        number = {"commentsCount": len(self.comments.get(name, {}))}
        return {**self.incidents[name]["properties"], "additionalData": number}

    def state(self) -> Any:
        """Everything that a reader of the workspace sees, for comparisons."""
        rows = {(row["RowId"], row["ContentHash"]): row for row in self.rows}
        return {name: self.shown(name) for name in self.incidents}, self.comments, rows

    def _incident(self, method: str, name: str, document: Any):
        if method == "PUT":
            check_incident(document)
            self.before_write()
            there = self.incidents.get(name)
            if (there or {}).get("etag") != document.get("etag"):
                raise Refused(self.stale, "Conflict")
            own = {
                "incidentNumber": len(self.incidents) + 1,
                "createdTimeUtc": "2026-07-01T00:00:00.1234567Z",
            }
            read_only = {name: there["properties"][name] for name in own} if there else own
            written = {"owner": dict.fromkeys(sorted(_OWNER)), **document["properties"]}
            labels = [
                {**label, "labelType": "User"} for label in document["properties"].get("labels", [])
            ]
            self.incidents[name] = {
                "etag": f'"{next(self._etags)}"',
                "properties": {**read_only, **written, "labels": labels},
            }
            return (200 if there else 201), self._resource(name)
        if name not in self.incidents:
            raise Refused(404, "NotFound")
        return 200, self._resource(name)

    def _resource(self, name: str) -> dict[str, Any]:
        etag = self.incidents[name]["etag"]
        return {"name": name, "etag": etag, "properties": self.shown(name)}

    def _comment(self, method: str, name: str, comment: str, document: Any):
        if name not in self.incidents:
            raise Refused(404, "NotFound")
        there = self.comments.setdefault(name, {})
        if method == "PUT":
            require(document.keys() == {"properties"}, "properties alone")
            require(document["properties"].keys() == {"message"}, "a message alone")
            require(0 < units(document["properties"]["message"]) <= 30_000, "a message's length")
            if comment in there:
                raise Refused(409, "Conflict")
            require(len(there) < 100, "no more than 100 comments")
            there[comment] = document["properties"]["message"]
            return 201, {}
        if comment not in there:
            raise Refused(404, "NotFound")
        return 200, {"properties": {"message": there[comment]}}

    def _take_rows(self, method: str, query: dict[str, list[str]], body: bytes, headers):
        require(method == "POST", "POST")
        require(query == {"api-version": ["2023-01-01"]}, "the version")
        require(headers["Content-Encoding"] == "gzip", "gzip")
        rows = json.loads(gzip.decompress(body), parse_constant=lambda _: require(False, "no NaN"))
        require(len(gzip.decompress(body)) <= 2**20, "no more than 1 MiB")
        for row in rows:
            require(row.keys() == COLUMNS.keys(), "the stream's columns")
            for name, value in row.items():
                require(isinstance(value, _JSON_TYPES[COLUMNS[name]]), f"the type of {name}")
                require(
                    len(json.dumps(value, ensure_ascii=False).encode()) <= 65_536,
                    f"the length of {name}",
                )
                if COLUMNS[name] == "datetime":
                    require(datetime.fromisoformat(value).tzinfo, "a time with its zone")
        self.rows += rows
        return 204, None


def check_incident(document: Any) -> None:
    """Raise Malformed if the body is not that of an incident."""
    require(document.keys() <= {"etag", "properties"}, "etag and properties")
    properties = document["properties"]
    require(
        properties.keys() <= {*_CHOICES, *_TEXT_LIMITS, *_TIMES, "owner", "labels"},
        "writable properties",
    )
    require(properties.keys() >= {"title", "severity", "status"}, "what is required")
    for name, limit in _TEXT_LIMITS.items():
        require(units(properties.get(name, "")) <= limit, f"the length of {name}")
    require(properties["title"], "a title")
    for name, choices in _CHOICES.items():
        require(properties.get(name) is None or properties[name] in choices, f"a {name}")
    for name in _TIMES:
        time_ = properties.get(name)
        require(time_ is None or datetime.fromisoformat(time_).tzinfo, "a time with its zone")
    for label in properties.get("labels", []):
        require(label.keys() == {"labelName"} and isinstance(label["labelName"], str), "a label")
    require(properties.get("owner", {}).keys() <= _OWNER, "an owner")


class Credential:
    """Gives tokens that are valid for a few requests, and must be called for each request."""

    def __init__(self, workspace: Workspace, requests_a_token: int = 3) -> None:
        self.workspace = workspace
        self.given: list[str] = []
        self._uses = count()
        self._requests_a_token = requests_a_token

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        number = next(self._uses) // self._requests_a_token
        token = f"planted-secret-{number}"
        self.workspace.tokens.clear()
        self.workspace.tokens.add(token)
        self.given.append(token)
        # So near its expiry that the SDK does not use it twice.
        return AccessToken(token, int(time.time()) + 1)


class Killed(BaseException):
    """The process ends here."""


class Loopback(HTTPAdapter):
    """Redirects https addresses to the server, after the SDK has built its usual requests."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self.number = 0
        self.kill_before: int | None = None
        self.kill_after: int | None = None

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any):
        self.number += 1
        if self.number == self.kill_before:
            raise Killed
        parts = urlsplit(request.url or "")
        request.url = urlunsplit(parts._replace(scheme="http", netloc=f"127.0.0.1:{self._port}"))
        try:
            return super().send(request, *args, **kwargs)
        finally:
            if self.number == self.kill_after:
                raise Killed


class Unhurried(RequestsTransport):
    """Records how long it should wait, and does not wait."""

    def __init__(self, session: requests.Session) -> None:
        super().__init__(session=session, use_env_settings=False)
        self.slept: list[float] = []

    def sleep(self, duration: float) -> None:
        self.slept.append(duration)


@dataclass
class Connection:
    """A workspace, the sinks that send to it, and the faults that requests can meet on the way."""

    workspace: Workspace
    sinks: list[Sink]
    adapter: Loopback
    transport: Unhurried
    credential: Credential

    @property
    def sentinel(self) -> Sink:
        return self.sinks[0]

    @property
    def log_analytics(self) -> Sink:
        return self.sinks[1]


@contextmanager
def serve() -> Iterator[Callable[[Workspace], Connection]]:
    """A server, and a function that connects to a separate workspace behind it."""
    served: list[Workspace] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        # Head and body are in one packet; otherwise each waits for the other's delayed
        # acknowledgement.
        wbufsize = -1

        def _answer(self) -> None:
            workspace = served[-1]
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            workspace.requests.append((self.command, parts.path))
            fault = workspace.fault(len(workspace.requests))
            if fault == CUT:
                self.close_connection = True
                return
            headers: dict[str, str] = {}
            if fault in (THROTTLED, UNAVAILABLE):
                status, document = (429 if fault == THROTTLED else 503), {}
                if fault == THROTTLED:
                    headers["Retry-After"] = str(workspace.retry_after)
            else:
                try:
                    status, document = workspace.answer(
                        self.command, parts.path, parse_qs(parts.query), body, self.headers
                    )
                except Refused as refused:
                    status, code = refused.args
                    if status == workspace.stale:
                        # Sending the same request again would not help, whatever this says.
                        headers["Retry-After"] = str(workspace.retry_after)
                    document = {"error": {"code": code, "message": str(self.headers)}}
                except Malformed as malformed:
                    workspace.violations.append(f"{self.command} {parts.path}: {malformed}")
                    status = 400
                    document = {"error": {"code": "BadRequest", "message": str(self.headers)}}
            if fault == LOST:
                self.close_connection = True
                return
            content = b"" if document is None else json.dumps(document).encode()
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = _answer

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing, because printed text is searched for secrets."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()

    def connection(workspace: Workspace) -> Connection:
        served.append(workspace)
        session = requests.Session()
        session.trust_env = False
        adapter = Loopback(server.server_address[1])
        session.mount("https://", adapter)
        transport, credential = Unhurried(session), Credential(workspace)
        sinks = connect(SETTINGS, credential, transport)
        return Connection(workspace, sinks, adapter, transport, credential)

    try:
        yield connection
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
