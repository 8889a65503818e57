"""A MaxMind database of a few networks, as small as the format allows: for tests only."""

import struct
from collections.abc import Mapping
from ipaddress import ip_network
from typing import Any

_STRING, _DOUBLE, _UINT16, _UINT32, _MAP, _UINT64, _ARRAY = 2, 3, 5, 6, 7, 9, 11
_BYTES = {_UINT16: 2, _UINT32: 4, _UINT64: 8}
_SEPARATOR = b"\x00" * 16


def write_mmdb(records: Mapping[str, Any], ip_version: int = 6) -> bytes:
    """The file for records by network. IPv4 is at the beginning of IPv6, as the format says."""
    nodes: list[list[int | bytes | None]] = [[None, None]]
    for text, record in records.items():
        network = ip_network(text)
        bits = f"{int(network.network_address):0{network.max_prefixlen}b}"[: network.prefixlen]
        if network.version == 4 and ip_version == 6:
            bits = "0" * 96 + bits
        node = 0
        for bit in bits[:-1]:
            child = nodes[node][int(bit)]
            if not isinstance(child, int):
                child = len(nodes)
                nodes[node][int(bit)] = child
                nodes.append([None, None])
            node = child
        nodes[node][int(bits[-1])] = _encode(record)
    data, tree = b"", b""
    for node in nodes:
        for child in node:
            if isinstance(child, bytes):
                pointer = len(nodes) + len(_SEPARATOR) + len(data)
                data += child
            else:
                pointer = len(nodes) if child is None else child
            tree += struct.pack(">I", pointer)
    about = {
        "node_count": (_UINT32, len(nodes)),
        "record_size": (_UINT16, 32),
        "ip_version": (_UINT16, ip_version),
        "database_type": "Test-City",
        "languages": ["en"],
        "binary_format_major_version": (_UINT16, 2),
        "binary_format_minor_version": (_UINT16, 0),
        "build_epoch": (_UINT64, 1),
        "description": {"en": "made for a test"},
    }
    return tree + _SEPARATOR + data + b"\xab\xcd\xefMaxMind.com" + _encode(about)


def _encode(value: Any) -> bytes:
    if isinstance(value, str):
        return _control(_STRING, len(value.encode())) + value.encode()
    if isinstance(value, float):
        return _control(_DOUBLE, 8) + struct.pack(">d", value)
    if isinstance(value, tuple):
        kind, number = value
        return _control(kind, _BYTES[kind]) + number.to_bytes(_BYTES[kind], "big")
    if isinstance(value, list):
        return _control(_ARRAY, len(value)) + b"".join(map(_encode, value))
    pairs = b"".join(_encode(key) + _encode(item) for key, item in value.items())
    return _control(_MAP, len(value)) + pairs


def _control(kind: int, size: int) -> bytes:
    """The control byte; kinds above 7 have a second one. Sizes here stay below 29."""
    assert size < 29, "a longer size takes more bytes"
    return bytes([kind << 5 | size]) if kind <= 7 else bytes([size, kind - 7])
