"""The network prefix of an address as a log writes it."""

import re
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_pton

_BRACKETS = re.compile(r"\[([^\]]*)\](?::\d+)?", re.ASCII)
_IPV4_AND_PORT = re.compile(r"(\d+\.\d+\.\d+\.\d+):\d+", re.ASCII)
_MAPPED = bytes(10) + b"\xff\xff"


@lru_cache(1 << 13)
def ip_prefix(address: str) -> str | None:
    """The first three octets of an IPv4 address, the /48 of an IPv6 address, else None.

    ``203.0.113.7:443`` gives ``203.0.113``; ``[2001:db8:1::5%3]`` gives ``2001:db8:1::/48``. An
    IPv4 address that is mapped into IPv6 is the IPv4 host it names.
    """
    bare = _bare(address)
    try:
        # Ten times as fast as Python's ipaddress, with the same idea of what an address is.
        packed = inet_pton(AF_INET6 if ":" in bare else AF_INET, bare)
    except (OSError, ValueError):
        return None
    if packed.startswith(_MAPPED):
        packed = packed.removeprefix(_MAPPED)
    if len(packed) == 4:
        return f"{packed[0]}.{packed[1]}.{packed[2]}"
    groups = (int.from_bytes(packed[i : i + 2]) for i in (0, 2, 4))
    return ":".join(f"{group:x}" for group in groups) + "::/48"


def _bare(address: str) -> str:
    """Without the port, brackets or zone some rows carry: ``[2001:db8::1%3]:443``."""
    for dressed in (_BRACKETS, _IPV4_AND_PORT):
        if match := dressed.fullmatch(address):
            address = match[1]
    return address.partition("%")[0].strip(" ")
