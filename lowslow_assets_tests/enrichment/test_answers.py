"""Which texts are addresses, and which addresses may be shown to others."""

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowslow_assets.enrichment.answers import bounded, is_public, parse_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1\n", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("192.0.2.1:443", None),
        ("010.1.1.1", None),
        ("1b4d7e0c-9f1c-4c58-a3f4-0123456789ab", None),
        ("", None),
    ],
)
def test_addresses_are_read_in_one_form(text: str, expected: str | None):
    assert parse_address(text) == (ip_address(expected) if expected else None)


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("192.88.99.1", True),
        ("64:ff9b::c058:6301", True),
        ("10.0.0.1", False),
        ("::ffff:10.0.0.1", False),
        ("2002:a00:1::", False),  # 6to4 of 10.0.0.1
        ("100.64.0.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("192.0.2.1", False),
        ("224.0.0.1", False),
        ("0.0.0.0", False),
    ],
)
def test_only_hosts_of_the_internet_are_public(text: str, public: bool):
    address = parse_address(text)
    assert address is not None
    assert is_public(address) == public


@given(st.text(max_size=2000))
def test_texts_of_others_are_one_short_printable_line(text: str):
    said = bounded(text)
    assert len(said) <= 500
    assert said.isprintable()
    if text.isprintable() and len(text) <= 500:
        assert said == text
