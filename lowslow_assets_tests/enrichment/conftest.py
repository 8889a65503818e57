"""A provider's API on loopback that answers as a test sets; MSTICPy's providers use it."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from lowslow_assets.enrichment.cache import AnswerCache
from lowslow_assets.enrichment.providers import Limits, Provider

KEY = "k3y-that-must-not-be-seen"
# As fast as a test needs; a test of a limit sets it.
QUICK = Limits(calls_a_minute=1e6, seconds_a_call=5, seconds_a_run=60, retries=2, pause_seconds=0)


@dataclass
class Api:
    """The server: its requests, and its replies in order, the last one repeatedly."""

    url: str = ""
    replies: list[tuple[int, str]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    stalls: threading.Event = field(default_factory=threading.Event)

    def reply(self) -> tuple[int, str]:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    """The server; a reply of status 0 is one that arrives slowly and never ends."""
    monkeypatch.setenv("NO_PROXY", "*")
    served = Api()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            served.keys.append(self.headers.get("key"))
            status, body = served.reply()
            self.send_response(status or 200)
            self.end_headers()
            while status == 0 and not served.stalls.wait(0.02):
                self.wfile.write(b" ")
                self.wfile.flush()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield served
    served.stalls.set()
    server.shutdown()
    thread.join()
    server.server_close()


Open = Callable[..., Provider]


@pytest.fixture
def open_provider(api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Open:
    """Opens one of MSTICPy's providers on the server, by name; limits can be given by name."""
    lookups = pytest.importorskip("msticpy.context.tilookup").TILookup

    def opened(
        name: str = "GreyNoise",
        url: str = api.url,
        max_age: timedelta = timedelta(days=7),
        **limits: float,
    ) -> Provider:
        provider = lookups.import_provider(name)
        monkeypatch.setattr(provider, "_BASE_URL", f"{url}/")
        cache = AnswerCache(tmp_path / "answers" / name, max_age)
        client = provider(AuthKey=KEY, ApiID="an-id")
        return Provider(name, client, cache, replace(QUICK, **limits), [KEY])

    return opened
