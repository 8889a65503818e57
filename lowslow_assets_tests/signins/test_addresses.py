"""Prefixes of addresses against Python's own `ipaddress`."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowslow_assets.signins.addresses import bare_address, ip_prefix

ADDRESSES = {
    "203.0.113.7": "203.0.113",
    "203.0.113.7:51234": "203.0.113",
    "255.255.255.255": "255.255.255",
    "10.1.2.3": "10.1.2",
    "2001:db8:1::5": "2001:db8:1::/48",
    "2001:0DB8:0001:0000:0000:0000:0000:0005": "2001:db8:1::/48",
    "[2001:db8:1::5]": "2001:db8:1::/48",
    "[2001:db8:1::5]:443": "2001:db8:1::/48",
    "[2001:db8:1::5%3]:443": "2001:db8:1::/48",
    "fe80::1%eth0": "fe80:0:0::/48",
    "::1": "0:0:0::/48",
    "2001:db8::": "2001:db8:0::/48",
    "1:2:3:4:5:6:7::": "1:2:3::/48",
    "::2:3:4:5:6:7:8": "0:2:3::/48",
    # An IPv4 host under a mapped address, and one at the end of an IPv6 address.
    "::ffff:203.0.113.7": "203.0.113",
    "::FFFF:203.0.113.7": "203.0.113",
    "0:0:0:0:0:ffff:203.0.113.7": "203.0.113",
    "::ffff:cb00:7107": "203.0.113",
    "[::FFFF:C633:6409]:443": "198.51.100",
    "0000:0:0:0:0:ffff:a:b": "0.10.0",
    "::fffe:cb00:7107": "0:0:0::/48",
    "64:ff9b::203.0.113.7": "64:ff9b:0::/48",
    "1:2:3:4:5:6:203.0.113.7": "1:2:3::/48",
    **dict.fromkeys(
        (
            *("", " ", "unknown", "0b9d1c2e-0000-4000-8000-000000000001", "localhost"),
            *("203.0.113", "203.0.113.7.9", "203.0.113.256", "999.1.2.3", "203.0.113.", "1.2.3.x"),
            *(":", ":::", "1", "1:2:3", "1:2:3:4:5:6:7:8:9", "1::2::3", "1:::2", ":1:2:3:4:5:6:7"),
            *("1::2:3:4:5:6:7:8", "12345::1", "g::1", "::ffff:203.0.113.256", "203.0.113.7::"),
            *("http://203.0.113.7", "0.0.0.0", "::", "٢.٢.٢.٢", "[203.0.113.7", "[]:443"),
            *("203.0.113.07", "203.0.113.7\0", "203.0.113.xxx", "0xcb.0.113.7", "3405803783"),
        )
    ),
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_prefix_of_an_address(address: str):
    assert ip_prefix(address) == ADDRESSES[address]


def python_prefix(text: str) -> str | None:
    """The same by `ipaddress`, for an address without port, brackets and zone."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if address.is_unspecified:
        return None
    if isinstance(address, ipaddress.IPv4Address):
        return str(address).rpartition(".")[0]
    groups = (int(address) >> shift & 0xFFFF for shift in (112, 96, 80))
    return ":".join(f"{group:x}" for group in groups) + "::/48"


def spellings(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> list[str]:
    if isinstance(address, ipaddress.IPv4Address):
        return [str(address)]
    hextets = [f"{int(address) >> shift & 0xFFFF:x}" for shift in range(112, -1, -16)]
    tail = str(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [
        *(address.compressed, address.exploded, address.compressed.upper()),
        *(":".join(hextets), ":".join([*hextets[:6], tail])),
    ]


@given(st.ip_addresses(v=6) | st.ip_addresses(v=4))
def test_prefixes_agree_with_python_for_every_spelling(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
):
    for text in spellings(address):
        expected = python_prefix(text)
        ornate = f"[{text}%7]:443" if ":" in text else f"{text}:443"
        assert (ip_prefix(text), ip_prefix(ornate)) == (expected, expected)


@given(
    st.ip_addresses(v=6),
    st.integers(0, 60),
    st.sampled_from(["", ":", "::", "0", "f", "g", ".", "1."]),
)
def test_a_damaged_address_has_a_prefix_only_where_python_reads_one(
    address: ipaddress.IPv6Address, place: int, other: str
):
    for text in spellings(address):
        cut = place % (len(text) + 1)
        damaged = text[:cut] + other + text[cut + (not other) :]
        assert ip_prefix(damaged) == python_prefix(damaged)


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7:443 ", "203.0.113.7"),
        ("203.0.113.7/32", "203.0.113.7"),
        ("203.0.113.7, 10.1.2.3", "203.0.113.7"),
        ("10.1.2.3,203.0.113.7", "203.0.113.7"),
        ("203.0.113.7;198.51.100.4", "203.0.113.7"),
        ("unknown, 10.1.2.3 100.64.0.1", "10.1.2.3"),
        ("127.0.0.1 169.254.1.1 172.16.0.1 192.168.1.1 172.32.0.1", "172.32.0.1"),
        ("fe80::1%3, fd00::1, 2001:DB8:1:0:0:0:0:5", "2001:db8:1::5"),
        ("[2001:db8:1::5%eth0]:443", "2001:db8:1::5"),
        ("::ffff:cb00:7107", "203.0.113.7"),
        ("::1", "::1"),
        ("0.0.0.0", None),
        ("::", None),
        ("x.x.x.x", None),
        ("<null>", None),
        ("", None),
    ],
)
def test_one_host_of_a_text(text: str, bare: str | None):
    assert bare_address(text) == bare


@given(st.text() | st.text("0123456789abcdef:.[]%, "))
def test_a_bare_address_is_read_as_itself(text: str):
    bare = bare_address(text)
    if bare is not None:
        assert bare_address(bare) == bare
        ipaddress.ip_address(bare)
        assert ip_prefix(bare) == ip_prefix(text)


@given(st.text() | st.text("0123456789abcdef:.[]%"))
def test_no_text_raises(text: str):
    prefix = ip_prefix(text)
    assert prefix is None or prefix.count(".") == 2 or prefix.endswith("::/48")
