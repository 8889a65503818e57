"""The properties of a sign-in that the hunt treats as categorical variables.

A category is a short string. What is null or empty becomes ``NODATA``, so that
"the log does not say" is a category like any other.
"""

from collections.abc import Collection

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lowslow_assets.settings import SERVICE_PRINCIPALS
from lowslow_assets.signins.dataframes import let

NODATA = "NODATA"
MAX_CATEGORY_LENGTH = 256

# Bit i of an anomaly mask belongs to FEATURES[i].
FEATURES = (
    "AppDisplayName",
    "ClientAppUsed",
    "browser",
    "displayName",
    "operatingSystem",
    "network",
    "Location",
    "state",
    "city",
)

SOURCE = ("network", "ip_prefix", "Location", "state", "city", "latitude", "longitude")

SUCCESS_RESULT_TYPE = "0"
# 50055: password expired; 50126: wrong user name or password.
FAILURE_RESULT_TYPES = ("50055", "50126")
# Of a service principal: wrong client secret. An expired one (7000222) is a broken application.
_WRONG_SECRET = "7000215"

SUCCESS, FAILURE, OTHER = "success", "failure", "other"

_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"


def failure_result_types(logs: Collection[str]) -> list[str]:
    """The codes of a failure, by default, in these logs."""
    return [*FAILURE_RESULT_TYPES, *([_WRONG_SECRET] if SERVICE_PRINCIPALS in logs else [])]


def encode_features(signins: DataFrame, failure_result_types: tuple[str, ...]) -> DataFrame:
    """Turn ``raw_signins`` rows into ``encoded_features`` rows (same number of rows)."""
    network = F.coalesce(
        F.concat(F.lit("AS"), F.col("autonomous_system_number")), F.col("ip_prefix")
    )
    return signins.withColumn("ip_prefix", ip_prefix(F.col("ip_address"))).select(
        "date",
        "signin_id",
        "time_generated",
        F.lower(F.coalesce("user_principal_name", "user_id")).alias("user"),
        outcome(F.col("result_type"), failure_result_types).alias("outcome"),
        "ip_address",
        "ip_prefix",
        "latitude",
        "longitude",
        category(F.col("app_display_name")).alias("AppDisplayName"),
        category(F.col("client_app_used")).alias("ClientAppUsed"),
        category(F.col("browser")).alias("browser"),
        category(F.col("device_name")).alias("displayName"),
        # The log spells one system both "Windows 10" and "Windows10".
        category(F.regexp_replace("operating_system", r"\s+", "")).alias("operatingSystem"),
        category(network).alias("network"),
        category(F.col("country")).alias("Location"),
        category(F.col("state")).alias("state"),
        category(F.col("city")).alias("city"),
    )


def outcome(result_type: Column, failure_result_types: tuple[str, ...]) -> Column:
    """``success``, ``failure`` (the password was wrong or expired) or ``other``."""
    return (
        F.when(result_type == SUCCESS_RESULT_TYPE, SUCCESS)
        .when(result_type.isin(*failure_result_types), FAILURE)
        .otherwise(OTHER)
    )


def category(value: Column) -> Column:
    """A property's value as a category: trimmed, bounded, ``NODATA`` where there is none."""
    bounded = F.substring(F.trim(value), 1, MAX_CATEGORY_LENGTH)
    return F.coalesce(F.nullif(bounded, F.lit("")), F.lit(NODATA))


def ip_prefix(address: Column) -> Column:
    """The first three octets of an IPv4 address, the /48 of an IPv6 address, else null.

    ``203.0.113.7:443`` gives ``203.0.113``; ``[2001:db8:1::5%3]`` gives ``2001:db8:1::/48``.
    """
    # Nearly all addresses are; all others cost many times as much.
    is_plain = address.rlike(f"^{_IPV4}$")
    other = let(_bare_address(address), _prefix)
    return F.when(is_plain, F.substring_index(address, ".", 3)).otherwise(other)


def _bare_address(address: Column) -> Column:
    """Without the port, brackets or zone some rows carry: ``[2001:db8::1%3]:443``."""
    unbracketed = F.regexp_replace(address, r"^\[([^\]]*)\](:\d+)?$", "$1")
    without_port = F.regexp_replace(unbracketed, r"^(\d+\.\d+\.\d+\.\d+):\d+$", "$1")
    return F.lower(F.trim(F.regexp_replace(without_port, "%.*$", "")))


def _prefix(address: Column) -> Column:
    # A mapped address (::ffff:203.0.113.7) is the IPv4 host it names.
    host = F.regexp_replace(address, r"^(?:::|(?:0{1,4}:){5})ffff:(?=.*\.)", "")
    ipv4 = F.when(host.rlike(f"^{_IPV4}$"), F.substring_index(host, ".", 3))
    return F.coalesce(ipv4, F.when(address.contains(":"), let(address, _ipv6_prefix)))


def _ipv6_prefix(address: Column) -> Column:
    # The last 32 bits may be written as IPv4 (64:ff9b::192.0.2.1); no /48 contains them.
    hexadecimal = F.regexp_replace(address, f"(?<=:){_IPV4}$", "0:0")
    return let(let(F.split(hexadecimal, "::"), _ipv6_hextets), _join_prefix)


def _ipv6_hextets(halves: Column) -> Column:
    """All eight groups, the zeros that :: stands for included; null where :: comes twice."""
    head, tail = _hextets(halves[0]), _hextets(F.try_element_at(halves, F.lit(2)))
    zeros = F.array_repeat(F.lit("0"), F.lit(8) - F.size(head) - F.size(tail))
    compressed = (F.size(halves) == 2) & (F.size(zeros) > 0)
    return F.when(compressed, F.concat(head, zeros, tail)).when(F.size(halves) == 1, head)


def _join_prefix(hextets: Column) -> Column:
    valid = F.forall(hextets, lambda h: h.rlike("^[0-9a-f]{1,4}$")) & (F.size(hextets) == 8)
    shortest = F.transform(F.slice(hextets, 1, 3), lambda h: F.regexp_replace(h, "^0+(?=.)", ""))
    # A mapped address may be written in hexadecimal throughout (::ffff:cb00:7107).
    mapped = F.array_join(F.slice(hextets, 1, 6), ":").rlike("^(0{1,4}:){5}ffff$")
    high, low = (F.conv(hextets[i], 16, 10).cast("int") for i in (6, 7))
    octets = F.concat_ws(".", F.shiftright(high, 8), high.bitwiseAND(255), F.shiftright(low, 8))
    return F.when(valid & mapped, octets).when(
        valid, F.concat(F.array_join(shortest, ":"), F.lit("::/48"))
    )


def _hextets(half: Column) -> Column:
    return F.when(half != "", F.split(half, ":")).otherwise(F.array().cast("array<string>"))


def with_seconds_to_success(encoded: DataFrame, *layout: str) -> DataFrame:
    """Add ``seconds_to_success`` to failures: until their user's next success that ``date``.

    From the same network; one in the same second counts. Null where there is none. ``layout``
    are columns that depend on the date and user alone: rows that lie together by them already
    are not moved.
    """
    second = F.unix_seconds("time_generated")
    # From the day's end on: the other way round Spark takes the square of the time.
    later = Window.partitionBy("date", *layout, "user", "network").orderBy(second.desc())
    next_success = F.min(F.when(F.col("outcome") == SUCCESS, second)).over(later)
    return encoded.withColumn(
        "seconds_to_success",
        F.when(F.col("outcome") == FAILURE, next_success - second).cast("int"),
    )


def sum_sources(encoded: DataFrame) -> DataFrame:
    """From where each user succeeded, by day: rows of ``success_sources`` with ``date``."""
    first, last = F.min("time_generated"), F.max("time_generated")
    return (
        encoded.where(F.col("outcome") == SUCCESS)
        .groupBy("date", "user", *SOURCE)
        .agg(
            F.count(F.lit(1)).alias("successes"),
            F.date_trunc("second", first).alias("first_success"),
            (F.unix_seconds(last) - F.unix_seconds(first)).cast("int").alias("seconds"),
        )
    )


def count_hours(encoded: DataFrame) -> DataFrame:
    """Count sign-ins by date, outcome and hour (UTC): rows of ``signin_hours`` with ``date``."""
    hour = F.date_trunc("hour", "time_generated").alias("hour")
    return encoded.groupBy("date", "outcome", hour).agg(F.count(F.lit(1)).alias("signins"))


def count_categories(encoded: DataFrame) -> DataFrame:
    """Count each day's successes and failures per (feature, category).

    The counts are additive: a window's baseline is the sum of its days' counts.
    """
    pairs = F.explode(
        F.array(
            *(F.struct(F.lit(f).alias("feature"), F.col(f).alias("category")) for f in FEATURES)
        )
    )
    return (
        encoded.where(F.col("outcome") != OTHER)
        .select("date", "outcome", pairs.alias("pair"))
        .groupBy("date", "pair.feature", "pair.category")
        .agg(
            F.count_if(F.col("outcome") == SUCCESS).alias("successes"),
            F.count_if(F.col("outcome") == FAILURE).alias("failures"),
        )
    )
