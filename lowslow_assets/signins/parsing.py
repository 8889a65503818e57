"""One line of the export to one typed sign-in, or to a reason why not.

Two schemas occur: rows of the SigninLogs table as Microsoft Sentinel exports
them, and the records of Entra's own diagnostic settings (``{time, properties}``).
The detail columns come as JSON text or as nested objects; a schema of strings
reads both as text. Nothing is inferred from the data.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

MAX_TEXT_LENGTH = 1024
YEARS = (2000, 2199)

_SENTINEL_FIELDS = (
    "Id",
    "TimeGenerated",
    "UserPrincipalName",
    "UserId",
    "ResultType",
    "AppDisplayName",
    "ClientAppUsed",
    "DeviceDetail",
    "Location",
    "LocationDetails",
    "IPAddress",
    "AutonomousSystemNumber",
    "UserAgent",
    "IsInteractive",
    "properties",
)
_DIAGNOSTIC_FIELDS = (
    "id",
    "userPrincipalName",
    "userId",
    "status",
    "appDisplayName",
    "clientAppUsed",
    "deviceDetail",
    "location",
    "ipAddress",
    "autonomousSystemNumber",
    "userAgent",
    "isInteractive",
)


def _strings(*names: str) -> T.StructType:
    return T.StructType([T.StructField(name, T.StringType()) for name in names])


_SENTINEL = _strings(*_SENTINEL_FIELDS)
_DIAGNOSTIC = _strings("time", "resultType").add("properties", _strings(*_DIAGNOSTIC_FIELDS))
_DETAILS = T.MapType(T.StringType(), T.StringType())

NOT_JSON = "not a JSON object"
NO_ID = "no Id"
NO_TIME = "no TimeGenerated that is a time"
NO_USER = "no user"
NO_RESULT_TYPE = "no ResultType"


def parse_lines(lines: DataFrame) -> DataFrame:
    """Parse lines, as (date, file, value).

    Returns a row a line: ``date``, ``file``, the columns of ``raw_signins`` except
    ``copies``, ``reason``, which is null for a good line, and ``line``, the text of a bad
    one, bounded. Blank lines are left out.
    """
    text = F.trim(F.col("value"), F.lit("\ufeff \t"))
    # from_json reads an object and stops: text after its end, even a second object, would
    # go unnoticed. As the first of two items of an array it cannot have any.
    items = F.from_json(F.concat(F.lit("["), text, F.lit(",{}]")), T.ArrayType(_SENTINEL))
    return (
        lines.where(text != "")
        .withColumn("items", items)
        .withColumn("row", F.col("items")[0])
        .withColumn(
            "record",
            F.when(F.col("row.properties").isNotNull(), F.from_json(text, _DIAGNOSTIC)),
        )
        .withColumn("device", F.from_json(_either("DeviceDetail", "deviceDetail"), _DETAILS))
        .withColumn("place", F.from_json(_either("LocationDetails", "location"), _DETAILS))
        .withColumn("point", F.from_json(_entry("place", "geoCoordinates"), _DETAILS))
        .withColumn("status", F.from_json(F.col("record.properties.status"), _DETAILS))
        .select("date", "file", "value", F.size("items").alias("size"), *_signin_columns())
        .withColumn("reason", _reject_reason(text))
        # Good lines are not kept as text: they are most of what a day weighs.
        .withColumn(
            "line",
            # Junk need not be UTF-8, and a Parquet string must be.
            F.when(
                F.col("reason").isNotNull(),
                F.substring(F.make_valid_utf8("value"), 1, MAX_TEXT_LENGTH),
            ),
        )
        .drop("size", "value")
    )


def _either(sentinel: str, diagnostic: str) -> Column:
    """A property by its name in either schema."""
    return F.coalesce(F.col(f"row.{sentinel}"), F.col(f"record.properties.{diagnostic}"))


def _entry(details: str, key: str) -> Column:
    """An entry of a detail column; some exports write its keys in lower case."""
    column = F.col(details)
    return F.coalesce(column[key], column[key.lower()])


def _text(value: Column) -> Column:
    """Trimmed and bounded; null where empty."""
    return F.nullif(F.substring(F.trim(value), 1, MAX_TEXT_LENGTH), F.lit(""))


def _pick(sentinel: str, diagnostic: str) -> Column:
    return _text(_either(sentinel, diagnostic))


def _detail(details: str, key: str) -> Column:
    return _text(_entry(details, key))


def _signin_columns() -> list[Column]:
    result_type = F.coalesce(
        F.col("row.ResultType"), _detail("status", "errorCode"), F.col("record.resultType")
    )
    asn = F.regexp_extract(_pick("AutonomousSystemNumber", "autonomousSystemNumber"), r"\d+", 0)
    country = F.coalesce(_text(F.col("row.Location")), _detail("place", "countryOrRegion"))
    latitude, longitude = _coordinate("latitude", 90), _coordinate("longitude", 180)
    known_point = (
        latitude.isNotNull() & longitude.isNotNull() & ~((latitude == 0) & (longitude == 0))
    )
    columns = {
        "signin_id": _pick("Id", "id"),
        "time_generated": parse_time(_text(F.coalesce("row.TimeGenerated", "record.time"))),
        "user_principal_name": _pick("UserPrincipalName", "userPrincipalName"),
        "user_id": _pick("UserId", "userId"),
        "result_type": _text(result_type),
        "is_interactive": parse_boolean(_pick("IsInteractive", "isInteractive")),
        "app_display_name": _pick("AppDisplayName", "appDisplayName"),
        "client_app_used": _pick("ClientAppUsed", "clientAppUsed"),
        "browser": _detail("device", "browser"),
        "device_name": _detail("device", "displayName"),
        "operating_system": _detail("device", "operatingSystem"),
        "user_agent": _pick("UserAgent", "userAgent"),
        "ip_address": _pick("IPAddress", "ipAddress"),
        # 0 is how the log writes an unknown system.
        "autonomous_system_number": F.nullif(asn.try_cast("bigint"), F.lit(0)),
        "country": country,
        "state": _detail("place", "state"),
        "city": _detail("place", "city"),
        "latitude": F.when(known_point, latitude),
        "longitude": F.when(known_point, longitude),
    }
    return [column.alias(name) for name, column in columns.items()]


def _coordinate(key: str, bound: int) -> Column:
    degrees = _detail("point", key).try_cast("double")
    return F.when(F.abs(degrees) <= bound, degrees)


def parse_time(text: Column) -> Column:
    """A timestamp in UTC from ISO 8601 (any number of fraction digits) or ``M/d/yyyy h:mm:ss a``.

    The check before the cast matters: Spark takes ``12345`` for a year. A time outside of
    ``YEARS`` is a default value (year 1 is .NET's), and more than pandas can hold.
    """
    iso = F.when(text.rlike(r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}"), text.try_cast("timestamp"))
    time = F.coalesce(iso, F.try_to_timestamp(text, F.lit("M/d/yyyy h:mm:ss a")))
    return F.when(F.year(time).between(*YEARS), time)


def parse_boolean(text: Column) -> Column:
    """True and false as the log spells them: JSON booleans, ``"True"``, 0 and 1."""
    lowered = F.lower(text)
    return F.when(lowered.isin("true", "1"), True).when(lowered.isin("false", "0"), False)


def _reject_reason(text: Column) -> Column:
    is_object = text.startswith("{") & F.col("size").eqNullSafe(2)
    user = F.coalesce("user_principal_name", "user_id")
    return (
        F.when(~is_object, NOT_JSON)
        .when(F.col("signin_id").isNull(), NO_ID)
        .when(F.col("time_generated").isNull(), NO_TIME)
        .when(user.isNull(), NO_USER)
        .when(F.col("result_type").isNull(), NO_RESULT_TYPE)
    )


def deduplicate(signins: DataFrame, *layout: str) -> DataFrame:
    """Keep one row per (date, signin_id) and count its ``copies``.

    The export repeats rows, exactly or with other details. Kept is the latest
    ``time_generated``, then the greatest row in column order: a total order, so
    the choice does not depend on how Spark split the data. ``layout`` are columns that depend
    on the date and id alone: rows that lie together by them already are not moved.
    """
    key = ("date", *layout, "signin_id")
    details = ["time_generated"] + [c for c in signins.columns if c not in (*key, "time_generated")]
    return (
        signins.groupBy(*key)
        .agg(F.max(F.struct(*details)).alias("kept"), F.count(F.lit(1)).alias("copies"))
        .select(*key, "kept.*", "copies")
    )
