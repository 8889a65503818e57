"""A whois service on loopback that answers, sends slowly, and closes the connection."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address

from lowslow_assets.enrichment.answers import NOT_PUBLIC
from lowslow_assets.enrichment.whois import whois

FIRST, SECOND = ip_address("192.88.99.1"), ip_address("64:ff9b::c058:6301")
PRIVATE = ip_address("10.0.0.1")
REPLY = """Bulk mode; whois service [2026-06-30 00:00:00 +0000]
64500   | 192.88.99.1      | 192.88.99.0/24      | ZZ | ripencc  | 2001-05-25 | ONE | MORE
64500   | 192.88.99.1      | 192.88.99.0/24      | ZZ | ripencc  | 2001-05-25 | EXAMPLE, ZZ
NA      | 64:ff9b::c058:6301 | NA                | NA |          |            | NA
Error: no ASN or IP match on line 3.
"""


@contextmanager
def service(answer: Callable[[socket.socket, str], None]) -> Iterator[tuple[tuple[str, int], list]]:
    """Serves one connection; gives its address and what it received."""
    asked: list[str] = []

    def serve() -> None:
        connection, _ = listening.accept()
        with connection:
            question = b""
            while not question.endswith(b"end\n"):
                question += connection.recv(4096)
            asked.append(question.decode())
            answer(connection, asked[0])

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listening.getsockname(), asked
        thread.join()


def test_all_public_addresses_are_sent_over_one_connection():
    def in_two_packets(connection: socket.socket, _: str) -> None:
        connection.sendall(REPLY[:100].encode())
        connection.sendall(REPLY[100:].encode())

    with service(in_two_packets) as (server, asked):
        found = whois([FIRST, PRIVATE, SECOND], server)
    assert asked == [f"begin\nverbose\n{FIRST}\n{SECOND}\nend\n"]
    assert found[FIRST].details == "AS64500 EXAMPLE, ZZ, 192.88.99.0/24, ZZ (ripencc)"
    assert (found[SECOND].details, found[SECOND].error) == (None, None)
    assert (found[PRIVATE].error, found[PRIVATE].looked_up_at) == (NOT_PUBLIC, None)


def test_a_service_that_drips_ends_at_the_time_limit():
    closed = threading.Event()

    def drip(connection: socket.socket, _: str) -> None:
        while not closed.wait(0.02):
            connection.sendall(b" ")

    with service(drip) as (server, _):
        found = whois([FIRST], server, seconds=0.2)
        closed.set()
    assert (found[FIRST].error or "").startswith("TimeoutError")


def test_a_service_that_is_not_there_is_an_error_in_the_row():
    with socket.create_server(("127.0.0.1", 0)) as free:
        server = free.getsockname()
    found = whois([FIRST], server)
    assert (found[FIRST].error or "").startswith("ConnectionRefusedError")
    assert found[FIRST].details is None


def test_private_addresses_alone_open_no_connection():
    # Nothing listens there, so an attempt would be another error.
    assert whois([PRIVATE], ("127.0.0.1", 1))[PRIVATE].error == NOT_PUBLIC
