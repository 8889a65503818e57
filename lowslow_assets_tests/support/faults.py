"""What can fail between us and Azure Storage: a proxy that fails at regular intervals."""

import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle

from lowslow_assets_tests.support.azurite import HOST, Emulator

BUSY, THROTTLED, RESET, LOST, TRUNCATED, SLOW = (
    *("503", "429", "reset", "lost", "truncated", "slow"),
)
FAULTS = (BUSY, THROTTLED, RESET, LOST, TRUNCATED, SLOW)
"""An answer of 503; an answer of 429 with Retry-After; the connection reset before the call is
passed on; the connection reset afterwards, so that a write was done but its writer does not know;
half a body; a slow body."""

_SLOW_SECONDS = 0.3


@dataclass
class Proxy:
    """A running proxy: its address, and what it has seen and done."""

    emulator: Emulator
    calls: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)


@contextmanager
def proxy(
    target: Emulator, one_in: int = 5, faults: Sequence[str] = FAULTS, only: str = ""
) -> Iterator[Proxy]:
    """A proxy on the loopback; each ``one_in``-th call gets the next fault in turn.

    With ``only``, only calls whose path contains it meet faults. ``faults=()`` makes no faults.
    """
    turn, lock = cycle(faults or [""]), threading.Lock()
    counted = 0

    def next_fault(call: str) -> str:
        nonlocal counted
        with lock:
            running.calls.append(call)
            if only not in call:
                return ""
            counted += 1
            fault = next(turn) if counted % one_in == 0 else ""
            running.done[fault] += bool(fault)
            return fault

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = next_fault(f"{self.command} {self.path}")
            if fault in (BUSY, THROTTLED):
                return self._refuse(int(fault))
            if fault == RESET:
                return self._reset()
            upstream = HTTPConnection(HOST, target.port)
            upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                upstream.putheader(name, value)
            upstream.endheaders(body)
            response = upstream.getresponse()
            content = response.read()
            upstream.close()
            if fault == LOST:
                return self._reset()
            self._answer(response, content, fault)

        do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = _pass_on

        def _answer(self, response: HTTPResponse, content: bytes, fault: str) -> None:
            self.send_response_only(response.status, response.reason)
            for name, value in response.getheaders():
                if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                    self.send_header(name, value)
            length = response.getheader("Content-Length") if self.command == "HEAD" else None
            self.send_header("Content-Length", length or str(len(content)))
            self.end_headers()
            half = len(content) // 2
            self.wfile.write(content[:half])
            if fault == TRUNCATED and content:
                return self._reset()
            if fault == SLOW:
                time.sleep(_SLOW_SECONDS)
            self.wfile.write(content[half:])

        def _refuse(self, status: int) -> None:
            code = {503: "ServerBusy", 429: "TooManyRequests"}[status]
            error = f"<Error><Code>{code}</Code><Message>Try again.</Message></Error>"
            content = f'<?xml version="1.0" encoding="utf-8"?>{error}'.encode()
            self.send_response_only(status)
            self.send_header("x-ms-error-code", code)
            self.send_header("Retry-After", "1")
            if self.command == "HEAD":  # Azure's have no type then
                content = b""
            else:
                self.send_header("Content-Type", "application/xml")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _reset(self) -> None:
            self.wfile.flush()
            linger = struct.pack("ii", 1, 0)  # closing then resets, whatever was not sent
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.close_connection = True
            self.connection.close()

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing: tests read ``calls``."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    running = Proxy(Emulator(server.server_address[1]))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
