"""Sign-ins to categories, and their counts; addresses against Python's own `ipaddress`."""

import ipaddress
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import strategies as st
from pyspark.sql import SparkSession

from lowslow_assets.lake.tables import (
    CATEGORY_COUNTS,
    ENCODED_FEATURES,
    RAW_SIGNINS,
    SUCCESS_SOURCES,
)
from lowslow_assets.signins.features import (
    FAILURE_RESULT_TYPES,
    FEATURES,
    MAX_CATEGORY_LENGTH,
    NODATA,
    count_categories,
    count_hours,
    encode_features,
    sum_sources,
    with_seconds_to_success,
)
from lowslow_assets_tests.support.drawn_signins import draw_many

DAY = date(2026, 6, 30)


def encode(
    spark: SparkSession,
    signins: Sequence[dict[str, Any]],
    failures: tuple[str, ...] = FAILURE_RESULT_TYPES,
) -> list[dict[str, Any]]:
    """The encoded sign-ins, in the order given."""
    rows = [
        dict.fromkeys(RAW_SIGNINS.schema.names)
        | {"signin_id": f"{i:06d}", "user_id": "u", "result_type": "0", "date": DAY}
        | signin
        for i, signin in enumerate(signins)
    ]
    names = [*RAW_SIGNINS.schema.names, "date"]
    schema = RAW_SIGNINS.schema.simpleString()[len("struct<") : -1] + ",date:date"
    frame = spark.createDataFrame([tuple(row[name] for name in names) for row in rows], schema)
    encoded = with_seconds_to_success(encode_features(frame, failures))
    assert sorted(encoded.columns) == sorted([*ENCODED_FEATURES.schema.names, "date"])
    return [row.asDict() for row in encoded.orderBy("signin_id").collect()]


def prefixes(spark: SparkSession, addresses: Sequence[str | None]) -> list[str | None]:
    rows = encode(spark, [{"ip_address": address} for address in addresses])
    assert [row["network"] for row in rows] == [row["ip_prefix"] or NODATA for row in rows]
    assert [row["ip_address"] for row in rows] == list(addresses)
    return [row["ip_prefix"] for row in rows]


# --- addresses -------------------------------------------------------------------------------

ADDRESSES = {
    "203.0.113.7": "203.0.113",
    "203.0.113.7:51234": "203.0.113",
    "0.0.0.0": "0.0.0",
    "255.255.255.255": "255.255.255",
    "10.1.2.3": "10.1.2",
    "2001:db8:1::5": "2001:db8:1::/48",
    "2001:0DB8:0001:0000:0000:0000:0000:0005": "2001:db8:1::/48",
    "[2001:db8:1::5]": "2001:db8:1::/48",
    "[2001:db8:1::5]:443": "2001:db8:1::/48",
    "[2001:db8:1::5%3]:443": "2001:db8:1::/48",
    "fe80::1%eth0": "fe80:0:0::/48",
    "::": "0:0:0::/48",
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
            *("http://203.0.113.7", "203.0.113.7, 10.0.0.1", "٢.٢.٢.٢", "[203.0.113.7", "[]:443"),
        )
    ),
}


@pytest.fixture(scope="module")
def encoded_addresses(spark: SparkSession) -> dict[str, str | None]:
    return dict(zip(ADDRESSES, prefixes(spark, list(ADDRESSES)), strict=True))


@pytest.mark.parametrize("address", ADDRESSES)
def test_prefix_of_an_address(encoded_addresses: dict[str, str | None], address: str):
    assert encoded_addresses[address] == ADDRESSES[address]


def python_prefix(text: str) -> str | None:
    """The same by `ipaddress`, for an address without port, brackets and zone."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
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


def test_prefixes_agree_with_python_for_every_spelling(spark: SparkSession):
    addresses = draw_many(st.ip_addresses(v=6) | st.ip_addresses(v=4), 300)
    texts = [text for address in addresses for text in spellings(address)]
    expected = [python_prefix(text) for text in texts]
    assert None not in expected
    ornate = [f"[{text}%7]:443" if ":" in text else f"{text}:443" for text in texts]
    assert prefixes(spark, texts + ornate) == expected * 2


def test_a_damaged_address_has_a_prefix_only_where_python_reads_one(spark: SparkSession):
    def damage(address: ipaddress.IPv6Address, spelling: int, place: int, other: str) -> str:
        text = spellings(address)[spelling]
        cut = place % (len(text) + 1)
        return text[:cut] + other + text[cut + (not other) :]

    damaged = st.builds(
        damage,
        st.ip_addresses(v=6),
        st.integers(0, 4),
        st.integers(0, 60),
        st.sampled_from(["", ":", "::", "0", "f", "g", "."]),
    )
    texts = draw_many(damaged, 500)
    expected = [python_prefix(text) for text in texts]
    assert 50 < expected.count(None) < 450
    assert dict(zip(texts, prefixes(spark, texts), strict=True)) == dict(
        zip(texts, expected, strict=True)
    )


# --- categories ------------------------------------------------------------------------------


def test_a_sign_in_as_categories(spark: SparkSession):
    signin = {
        "signin_id": "s",
        "time_generated": datetime(2026, 6, 30, 2, 5, tzinfo=UTC),
        "user_principal_name": "Anna@Contoso.com",
        "user_id": "ABC",
        "result_type": "50126",
        "app_display_name": "Teams",
        "client_app_used": "Browser",
        "browser": "Edge 131.0",
        "device_name": "PC-7",
        "operating_system": "Windows 10",
        "ip_address": "203.0.113.7",
        "autonomous_system_number": 64500,
        "country": "AT",
        "state": "Steiermark",
        "city": "Graz",
        "latitude": 47.07,
        "longitude": 15.44,
    }
    (row,) = encode(spark, [signin])
    assert row.pop("time_generated").timestamp() == signin["time_generated"].timestamp()
    assert row == {
        "date": DAY,
        "signin_id": "s",
        "user": "anna@contoso.com",
        "outcome": "failure",
        "seconds_to_success": None,
        "ip_address": "203.0.113.7",
        "ip_prefix": "203.0.113",
        "latitude": 47.07,
        "longitude": 15.44,
        "AppDisplayName": "Teams",
        "ClientAppUsed": "Browser",
        "browser": "Edge 131.0",
        "displayName": "PC-7",
        "operatingSystem": "Windows10",
        "network": "AS64500",
        "Location": "AT",
        "state": "Steiermark",
        "city": "Graz",
    }


CATEGORIES = [
    ({"operating_system": "Windows 10"}, "operatingSystem", "Windows10"),
    ({"operating_system": "Windows10"}, "operatingSystem", "Windows10"),
    ({"operating_system": " \t"}, "operatingSystem", NODATA),
    ({"city": "New York"}, "city", "New York"),
    ({"city": " Graz "}, "city", "Graz"),
    ({"city": "  "}, "city", NODATA),
    ({"browser": "b" * 300}, "browser", "b" * MAX_CATEGORY_LENGTH),
    ({"autonomous_system_number": 64500}, "network", "AS64500"),
    ({"autonomous_system_number": 64500, "ip_address": "10.0.0.1"}, "network", "AS64500"),
    ({"autonomous_system_number": 64500, "ip_address": "10.0.0.1"}, "ip_prefix", "10.0.0"),
    ({"ip_address": "10.0.0.1"}, "network", "10.0.0"),
    ({"user_principal_name": "A@B.c", "user_id": "X"}, "user", "a@b.c"),
    ({"user_principal_name": None, "user_id": "X"}, "user", "x"),
    ({"result_type": "0"}, "outcome", "success"),
    ({"result_type": "50055"}, "outcome", "failure"),
    ({"result_type": "50126"}, "outcome", "failure"),
    ({"result_type": "50053"}, "outcome", "other"),
    ({"result_type": "00"}, "outcome", "other"),
    *(({}, feature, NODATA) for feature in FEATURES),
    ({}, "ip_prefix", None),
]


@pytest.fixture(scope="module")
def categories(spark: SparkSession) -> list[dict[str, Any]]:
    return encode(spark, [signin for signin, _, _ in CATEGORIES])


@pytest.mark.parametrize("case", range(len(CATEGORIES)))
def test_a_property_as_a_category(categories: list[dict[str, Any]], case: int):
    _, column, expected = CATEGORIES[case]
    assert categories[case][column] == expected


def test_what_counts_as_a_failure_can_be_set(spark: SparkSession):
    codes = ["0", "50126", "50053", "50055"]
    rows = encode(spark, [{"result_type": code} for code in codes], ("50053", "50055"))
    assert [row["outcome"] for row in rows] == ["success", "other", "failure", "failure"]


def test_counts_by_hand(spark: SparkSession):
    other_day = date(2026, 7, 1)
    signins = [
        (DAY, "success", "Teams", "Graz"),
        (DAY, "success", "Teams", "Wien"),
        (DAY, "failure", "Teams", "Graz"),
        (DAY, "failure", "Azure", NODATA),
        (DAY, "other", "Hidden", "Nowhere"),
        (other_day, "success", "Teams", "Graz"),
    ]
    rows = [
        (day, outcome, *({"AppDisplayName": app, "city": city}.get(f, "same") for f in FEATURES))
        for day, outcome, app, city in signins
    ]
    schema = ", ".join(["date date", "outcome string", *(f"{f} string" for f in FEATURES)])
    counts = count_categories(spark.createDataFrame(rows, schema))
    assert sorted(counts.columns) == sorted([*CATEGORY_COUNTS.schema.names, "date"])
    found = {
        (row["date"], row["feature"], row["category"]): (row["successes"], row["failures"])
        for row in counts.collect()
    }
    constant = set(FEATURES) - {"AppDisplayName", "city"}
    assert found == {
        (DAY, "AppDisplayName", "Teams"): (2, 1),
        (DAY, "AppDisplayName", "Azure"): (0, 1),
        (DAY, "city", "Graz"): (1, 1),
        (DAY, "city", "Wien"): (1, 0),
        (DAY, "city", NODATA): (0, 1),
        **{(DAY, feature, "same"): (2, 2) for feature in constant},
        (other_day, "AppDisplayName", "Teams"): (1, 0),
        (other_day, "city", "Graz"): (1, 0),
        **{(other_day, feature, "same"): (1, 0) for feature in constant},
    }


TIMES = (
    "date date, signin_id string, user string, network string, outcome string, "
    "time_generated timestamp"
)


def test_seconds_to_the_next_success(spark: SparkSession) -> None:
    def row(id: str, outcome: str, second: int, user: str = "ann", network: str = "home") -> tuple:
        time = datetime(2026, 6, 1, 12, tzinfo=UTC) + timedelta(seconds=second)
        return (DAY, id, user, network, outcome, time)

    rows = [
        row("before", "success", 0),
        row("60 seconds", "failure", 40),
        row("0 seconds", "failure", 100),
        row("now", "success", 100),
        row("one of two", "failure", 110),
        row("next", "success", 130),
        row("after that", "success", 131),
        row("too late", "failure", 132),
        row("other", "other", 90),
        row("another network's", "failure", 90, network="cafe"),
        row("another user's", "failure", 90, user="bob"),
        # The same time, in another day's folder.
        (date(2026, 6, 2), *row("another day's", "failure", 90)[1:]),
    ]
    found = with_seconds_to_success(spark.createDataFrame(rows, TIMES)).collect()
    seconds = {row["signin_id"]: row["seconds_to_success"] for row in found}
    assert {id: value for id, value in seconds.items() if value is not None} == {
        "60 seconds": 60,
        "0 seconds": 0,
        "one of two": 20,
    }
    assert len(seconds) == len(rows)


def test_hours_count_signins_by_outcome(spark: SparkSession) -> None:
    at = [datetime(2026, 6, 1, 9, minute, tzinfo=UTC) for minute in (0, 59)]
    rows = [(DAY, "success", at[0]), (DAY, "success", at[1]), (DAY, "failure", at[1])]
    # The same time, in another day's folder.
    rows += [(date(2026, 6, 2), "success", at[0]), (DAY, "success", at[0] + timedelta(hours=1))]
    encoded = spark.createDataFrame(rows, "date date, outcome string, time_generated timestamp")
    found = {
        (row["date"].day, row["outcome"], row["hour"].astimezone(UTC).hour): row["signins"]
        for row in count_hours(encoded).collect()
    }
    assert found == {
        (DAY.day, "success", 9): 2,
        (DAY.day, "failure", 9): 1,
        (2, "success", 9): 1,
        (DAY.day, "success", 10): 1,
    }


def test_sources_sum_up_successes_by_where_they_are_from(spark: SparkSession) -> None:
    home = {"ip_address": "203.0.113.7", "city": "Rome", "latitude": 41.9, "user_id": "ann"}
    at = [datetime(2026, 6, 1, hour, tzinfo=UTC) for hour in (9, 12, 17)]
    signins = [
        home | {"time_generated": at[1]},
        home | {"time_generated": at[0], "app_display_name": "Mail"},
        home | {"time_generated": at[2], "result_type": "50126"},
        home | {"time_generated": at[2], "city": None},
        home | {"time_generated": at[2], "user_id": "bob"},
    ]
    rows = [
        dict.fromkeys(RAW_SIGNINS.schema.names) | {"result_type": "0", "date": DAY} | signin
        for signin in signins
    ]
    names = [*RAW_SIGNINS.schema.names, "date"]
    schema = RAW_SIGNINS.schema.simpleString()[len("struct<") : -1] + ",date:date"
    frame = spark.createDataFrame([tuple(row[name] for name in names) for row in rows], schema)
    found = sum_sources(encode_features(frame, FAILURE_RESULT_TYPES))
    assert sorted(found.columns) == sorted([*SUCCESS_SOURCES.schema.names, "date"])
    sums = {
        (row["user"], row["city"]): (
            row["successes"],
            row["first_success"].astimezone(UTC).hour,
            row["seconds"],
        )
        for row in found.collect()
    }
    assert sums == {
        ("ann", "Rome"): (2, 9, 3 * 3600),
        ("ann", NODATA): (1, 17, 0),
        ("bob", "Rome"): (1, 17, 0),
    }
