"""Microsoft Graph on the loopback: pages of sign-ins as the service's documentation describes."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

PERMISSION = "Calling principal does not have required MSGraph permissions AuditLog.Read.All"
LICENCE = "Neither tenant is B2C or tenant doesn't have premium license"
TOKEN = "a-token"
CUT, NO_PAGE = "cut", "no page"
Answer = int | str


@dataclass
class Graph:
    """The sign-ins of a tenant, and how the service behaves besides returning them."""

    signins: list[dict[str, Any]]
    """Objects with ``createdDateTime``, and with ``signInEventTypes`` if not interactive."""
    most_of_page: int = 1000
    faults: list[Answer | None] = field(default_factory=list)
    """Faults of the next calls: statuses, CUT, NO_PAGE; None for a call that succeeds."""
    retry_after: int = 1
    next_link: Callable[[str], str] = str
    """What becomes of a link to the next page."""
    asked: list[str] = field(default_factory=list)

    def page(self, host: str, path: str, query: dict[str, str]) -> dict[str, Any]:
        """The page that a client of this version gets for this query."""
        version, rest = path.strip("/").split("/", 1)
        assert (version, rest) in {("v1.0", "auditLogs/signIns"), ("beta", "auditLogs/signIns")}
        condition = query["$filter"]
        begin, end = re.findall(r"createdDateTime (?:ge|lt) ([\dTZ:-]+)", condition)
        kind = re.search(r"signInEventTypes/any\(t: t eq '(\w+)'\)", condition)
        assert not kind or version == "beta"
        asked_kind = kind[1] if kind else "interactiveUser"
        found = [
            signin
            for signin in self.signins
            if begin <= signin["createdDateTime"] < end
            and asked_kind in signin.get("signInEventTypes", ["interactiveUser"])
        ]
        found.sort(key=lambda signin: signin["createdDateTime"], reverse=True)
        first = int(query.get("$skiptoken", 0))
        last = first + min(int(query["$top"]), self.most_of_page)
        context = f"{host}/{version}/$metadata#auditLogs/signIns"
        page: dict[str, Any] = {"@odata.context": context}
        if last < len(found):
            link = f"{host}{path}?{urlencode(query | {'$skiptoken': str(last)})}"
            page["@odata.nextLink"] = self.next_link(link)
        return page | {"value": found[first:last]}


@contextmanager
def serve(graph: Graph) -> Iterator[str]:
    """A server of these sign-ins; gives its URL in the form of LOWSLOW_SOURCE."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            graph.asked.append(self.path)
            fault = graph.faults.pop(0) if graph.faults else None
            if self.headers["Authorization"] != f"Bearer {TOKEN}":
                fault = 401
            parts = urlsplit(self.path)
            host = f"http://{self.headers['Host']}"
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            status, document = 200, graph.page(host, parts.path, query)
            if isinstance(fault, int):
                message = {401: "Access token has expired.", 403: PERMISSION}.get(fault, "busy")
                status, document = fault, {"error": {"code": "SomeCode", "message": message}}
            content = b"<html>" if fault == NO_PAGE else json.dumps(document).encode()
            self.send_response_only(status)
            if status == 429:
                self.send_header("Retry-After", str(graph.retry_after))
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if fault == CUT:
                self.wfile.write(content[: len(content) // 2])
                self.close_connection = True
                return
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"graph://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
