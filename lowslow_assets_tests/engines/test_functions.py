"""The functions that each engine defines, compared with the same in Python."""

import hashlib
import ipaddress
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lowslow_assets.engines.base import Engine
from lowslow_assets.engines.functions import FUNCTIONS
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import sql
from lowslow_assets_tests.support.drawn_relations import HOSTILE

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND, SECOND = timedelta(microseconds=1), timedelta(seconds=1)


class Computed(NamedTuple):
    """What Python makes of a value, and the values to try."""

    function: Callable[[Any], Any]
    values: st.SearchStrategy[Any]


TIMES = st.one_of(
    st.integers(-(2**51), 2**52).map(lambda micros: EPOCH + micros * MICROSECOND),
    # The borders of a second.
    st.builds(
        lambda seconds, micros: EPOCH + timedelta(seconds=seconds, microseconds=micros),
        st.integers(-10, 2**32),
        st.sampled_from([0, 1, 500_000, 999_999]),
    ),
)
TEXTS = st.one_of(st.text(), st.sampled_from(HOSTILE), st.text(" \t\n\v\f\r\u00a0\u200bab"))

# Written as the parser does, by inet_ntop: as ipaddress writes it, except for an embedded IPv4
# host.
ADDRESSES = st.one_of(
    st.ip_addresses(),
    st.integers(0, 2**32 - 1).map(lambda low: ipaddress.IPv6Address(0x20010DB8 << 96 | low)),
    st.sampled_from(["::", "::1", "1::", "1:2:3:4:5:6:7:8", "0:0:1::", "1:0:0:2::3"]).map(
        ipaddress.ip_address
    ),
    st.sampled_from([0, 9, 10, 255]).map(lambda n: ipaddress.IPv4Address(n << 24 | n)),
).map(str)


def address_key(text: str) -> str | None:
    if (":" in text) == ("." in text):
        return None
    address = ipaddress.ip_address(text)
    if address.version == 4:
        return "v4 " + "".join(f"{octet:03d}" for octet in address.packed)
    return f"v6 {address.packed.hex()}"


def agent_product(text: str) -> str:
    return re.split("[/0-9 (]", text, maxsplit=1)[0]


PYTHON = {
    "epoch_seconds": Computed(lambda t: (t - EPOCH) // SECOND, TIMES),
    "epoch_micros": Computed(lambda t: (t - EPOCH) // MICROSECOND, TIMES),
    "epoch_day": Computed(
        lambda d: (d - EPOCH.date()).days, st.dates(date(1900, 1, 1), date(2199, 12, 31))
    ),
    "iso_weekday": Computed(lambda t: t.isoweekday(), TIMES),
    "hour_of_day": Computed(lambda t: t.hour, TIMES),
    "text_hash": Computed(lambda s: int(hashlib.md5(s.encode()).hexdigest()[:15], 16), TEXTS),
    "address_key": Computed(address_key, ADDRESSES | st.text("ab\U0001f986 '\"\\", max_size=50)),
    "agent_product": Computed(
        agent_product, TEXTS | st.sampled_from(["axios/1.7.0", "curl", "iPhone12 (x)", "/1", "()"])
    ),
    "without_spaces": Computed(lambda s: "".join(c for c in s if c not in " \t\n\v\f\r"), TEXTS),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_both_engines_compute_what_python_does(engine: Engine, name: str, data: st.DataObject):
    declared, computed = FUNCTIONS[name], PYTHON[name]
    given_type = schema(declared.parameters.lower()).field(0).type
    given_values = data.draw(st.lists(st.none() | computed.values, min_size=100, max_size=200))
    table = pa.table({"n": range(len(given_values)), "x": pa.array(given_values, given_type)})
    made = sql(
        f"SELECT n, x, {name}(x) AS y FROM {{rows}} ORDER BY n", rows=engine.from_arrow(table)
    ).arrow()
    assert made["y"].type == schema(f"y {declared.result.lower()}").field("y").type
    expected = [None if x is None else computed.function(x) for x in given_values]
    assert made["x"].to_pylist() == given_values
    assert made["y"].to_pylist() == expected
