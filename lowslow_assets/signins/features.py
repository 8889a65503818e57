"""The properties of a sign-in that the hunt treats as categorical variables.

A category is a short string. What is null or empty becomes ``NODATA``, so that
"the log does not say" is a category like any other.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

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

SUCCESS_RESULT_TYPE = "0"
# 50055: password expired; 50126: wrong user name or password.
FAILURE_RESULT_TYPES = ("50055", "50126")

SUCCESS, FAILURE, OTHER = "success", "failure", "other"

_IPV4 = r"^(\d{1,3}\.\d{1,3}\.\d{1,3})\.\d{1,3}$"


def encode_features(signins: DataFrame, failure_result_types: tuple[str, ...]) -> DataFrame:
    """Turn ``raw_signins`` rows into ``encoded_features`` rows (same number of rows)."""
    address = _bare_address(F.col("ip_address"))
    prefix = ip_prefix(address)
    network = F.coalesce(F.concat(F.lit("AS"), F.col("autonomous_system_number")), prefix)
    return signins.select(
        "date",
        "signin_id",
        "time_generated",
        F.lower(F.coalesce("user_principal_name", "user_id")).alias("user"),
        outcome(F.col("result_type"), failure_result_types).alias("outcome"),
        "ip_address",
        prefix.alias("ip_prefix"),
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

    ``203.0.113.7`` gives ``203.0.113``; ``2001:db8:1::5`` gives ``2001:db8:1::/48``.
    """
    # A mapped address (::ffff:203.0.113.7) is the IPv4 host it names.
    ipv4 = F.regexp_extract(F.regexp_replace(address, r"^::ffff:", ""), _IPV4, 1)
    return F.when(ipv4 != "", ipv4).when(address.contains(":"), _ipv6_prefix(address))


def _bare_address(address: Column) -> Column:
    """Without the port, brackets or zone some rows carry: ``[2001:db8::1%3]:443``."""
    unbracketed = F.regexp_replace(address, r"^\[([^\]]*)\](:\d+)?$", "$1")
    without_port = F.regexp_replace(unbracketed, r"^(\d+\.\d+\.\d+\.\d+):\d+$", "$1")
    return F.lower(F.trim(F.regexp_replace(without_port, "%.*$", "")))


def _ipv6_prefix(address: Column) -> Column:
    halves = F.split(address, "::")
    head, tail = _hextets(halves[0]), _hextets(F.try_element_at(halves, F.lit(2)))
    zeros = F.array_repeat(F.lit("0"), F.lit(8) - F.size(head) - F.size(tail))
    hextets = F.when(F.size(halves) == 2, F.concat(head, zeros, tail)).otherwise(head)
    valid = F.forall(hextets, lambda h: h.rlike("^[0-9a-f]{1,4}$")) & (F.size(hextets) == 8)
    shortest = F.transform(F.slice(hextets, 1, 3), lambda h: F.regexp_replace(h, "^0+(?=.)", ""))
    return F.when(valid, F.concat(F.array_join(shortest, ":"), F.lit("::/48")))


def _hextets(half: Column) -> Column:
    groups = F.split(F.coalesce(half, F.lit("")), ":")
    return F.filter(groups, lambda group: group != "")


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
