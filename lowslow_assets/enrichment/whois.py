"""Whose network an address is in, from Team Cymru's whois service.

All addresses are sent over one connection, as the service requests (begin, verbose, end), with a
time limit. MSTICPy opens one connection per address, waits without a limit and reads only the first
packet.
"""

import socket
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from lowslow_assets.enrichment.answers import (
    NOT_PUBLIC,
    Address,
    Answer,
    bounded,
    is_public,
    parse_address,
)

SERVER = ("whois.cymru.com", 43)
SECONDS = 15.0
_MAX_BYTES = 1 << 20


def whois(
    addresses: Sequence[Address], server: tuple[str, int] = SERVER, seconds: float = SECONDS
) -> dict[Address, Answer]:
    """The network and its owner, as text; an error for each address if nobody can be asked."""
    answers = {a: Answer(error=NOT_PUBLIC) for a in addresses if not is_public(a)}
    public = [address for address in addresses if address not in answers]
    if not public:
        return answers
    now = datetime.now(UTC)
    try:
        found = _parse(_ask(public, server, time.monotonic() + seconds))
    except OSError as error:
        failed = Answer(error=bounded(f"{type(error).__name__}: {error}"), looked_up_at=now)
        return answers | dict.fromkeys(public, failed)
    return answers | {a: Answer(details=found.get(a), looked_up_at=now) for a in public}


def _ask(addresses: Sequence[Address], server: tuple[str, int], ends: float) -> str:
    lines = "\n".join(["begin", "verbose", *map(str, addresses), "end", ""])
    received = b""
    with socket.create_connection(server, timeout=_left(ends)) as connection:
        connection.sendall(lines.encode())
        while len(received) < _MAX_BYTES:
            # If a server sends a byte now and then, no single wait is long.
            connection.settimeout(_left(ends))
            packet = connection.recv(65536)
            if not packet:
                break
            received += packet
    return received.decode("utf-8", errors="replace")


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError("out of time")
    return left


def _parse(text: str) -> dict[Address, str]:
    """The answers from lines ``AS | IP | BGP prefix | CC | registry | allocated | AS name``."""
    found = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.split("|")]
        if len(cells) == 7 and cells[0].isdigit() and (address := parse_address(cells[1])):
            number, _, prefix, country, registry, _, name = cells
            found[address] = bounded(f"AS{number} {name}, {prefix}, {country} ({registry})")
    return found
