"""Addresses as a log writes them: one host, and its network prefix."""

import re
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop, inet_pton

_BRACKETS = re.compile(r"\[([^\]]*)\](?::\d+)?", re.ASCII)
_IPV4_AND_PORT = re.compile(r"(\d+\.\d+\.\d+\.\d+):\d+", re.ASCII)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_PLAIN_IPV4 = re.compile(rf"(?!0\.0\.0\.0){_OCTET}(?:\.{_OCTET}){{3}}", re.ASCII)
_SEPARATOR = re.compile(r"[,;\s]+")
_MAPPED = bytes(10) + b"\xff\xff"
_ANY_HOST = (bytes(4), bytes(16))


@lru_cache(1 << 13)
def bare_address(text: str) -> str | None:
    """The first public address in a text, else its first address; None if it has no address.

    The result looks like ``203.0.113.7`` or ``2001:db8::5``, without port, brackets and zone. An
    IPv4 host that is mapped into an IPv6 address becomes the IPv4 address. 0.0.0.0 is not a host.
    """
    # Nearly all are written so, and need no further look.
    if _PLAIN_IPV4.fullmatch(text):
        return text
    found = [packed for part in _SEPARATOR.split(text) if (packed := _packed(part))]
    if not found:
        return None
    packed = next(filter(_is_public, found), found[0])
    return inet_ntop(AF_INET if len(packed) == 4 else AF_INET6, packed)


@lru_cache(1 << 13)
def ip_prefix(address: str) -> str | None:
    """The first three octets of an IPv4 address, the /48 of an IPv6 address, else None.

    ``203.0.113.7`` gives ``203.0.113``; ``2001:db8:1::5`` gives ``2001:db8:1::/48``. The address
    may be written in any way that ``bare_address`` reads.
    """
    bare = bare_address(address)
    if bare is None:
        return None
    if ":" not in bare:
        return bare.rpartition(".")[0]
    packed = inet_pton(AF_INET6, bare)
    groups = (int.from_bytes(packed[i : i + 2]) for i in (0, 2, 4))
    return ":".join(f"{group:x}" for group in groups) + "::/48"


def _packed(text: str) -> bytes | None:
    """An address as bytes."""
    for dressed in (_BRACKETS, _IPV4_AND_PORT):
        if match := dressed.fullmatch(text):
            text = match[1]
    bare = text.partition("%")[0].removesuffix("/32").removesuffix("/128")
    try:
        # Ten times as fast as Python's ipaddress, and it accepts the same addresses.
        packed = inet_pton(AF_INET6 if ":" in bare else AF_INET, bare)
    except (OSError, ValueError):
        return None
    packed = packed.removeprefix(_MAPPED)
    return None if packed in _ANY_HOST else packed


def _is_public(packed: bytes) -> bool:
    """Whether an address is neither private, nor link-local, nor loopback."""
    if len(packed) == 16:
        return packed[0] & 0xFE != 0xFC and packed[:2] < b"\xfe\x80" and packed[:8] != bytes(8)
    first, second = packed[:2]
    return not (
        first in (0, 10, 127)
        or (first == 100 and 64 <= second < 128)
        or (first == 169 and second == 254)
        or (first == 172 and 16 <= second < 32)
        or (first == 192 and second == 168)
    )
