"""One line of the export to one typed sign-in, or to a reason why not.

Two schemas occur: rows of the SigninLogs table as Microsoft Sentinel exports
them, and the records of Entra's own diagnostic settings (``{time, properties}``).
The detail columns come as JSON text or as nested objects; a schema of strings
reads both as text. Nothing is inferred from the data.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

from lowslow_assets.signins.dataframes import let

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
    items = F.from_json(
        F.concat(F.lit("["), text, F.lit(",{}]")),
        T.ArrayType(_SENTINEL),
        {"allowNonNumericNumbers": "false"},
    )
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
        .withColumn("texts", F.transform(F.array(*_texts().values()), bounded_text))
        .select("date", "file", "value", F.size("items").alias("size"), *_typed())
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


def _texts() -> dict[str, Column]:
    """The values of a sign-in by their name in ``raw_signins``, all as the text they are."""
    return {
        "signin_id": _either("Id", "id"),
        "time_generated": F.coalesce("row.TimeGenerated", "record.time"),
        "user_principal_name": _either("UserPrincipalName", "userPrincipalName"),
        "user_id": _either("UserId", "userId"),
        "result_type": F.coalesce(
            F.col("row.ResultType"),
            bounded_text(_entry("status", "errorCode")),
            F.col("record.resultType"),
        ),
        "is_interactive": _either("IsInteractive", "isInteractive"),
        "app_display_name": _either("AppDisplayName", "appDisplayName"),
        "client_app_used": _either("ClientAppUsed", "clientAppUsed"),
        "browser": _entry("device", "browser"),
        "device_name": _entry("device", "displayName"),
        "operating_system": _entry("device", "operatingSystem"),
        "user_agent": _either("UserAgent", "userAgent"),
        "ip_address": _either("IPAddress", "ipAddress"),
        "autonomous_system_number": _either("AutonomousSystemNumber", "autonomousSystemNumber"),
        "country": F.coalesce(
            bounded_text(F.col("row.Location")), _entry("place", "countryOrRegion")
        ),
        "state": _entry("place", "state"),
        "city": _entry("place", "city"),
        "latitude": _entry("point", "latitude"),
        "longitude": _entry("point", "longitude"),
    }


def bounded_text(value: Column) -> Column:
    """Trimmed and bounded; null where empty."""
    return F.nullif(F.substring(F.trim(value), 1, MAX_TEXT_LENGTH), F.lit(""))


def _typed() -> list[Column]:
    """The columns of ``raw_signins`` from the column ``texts``, in the order of ``_texts``."""
    text = {name: F.col("texts")[index] for index, name in enumerate(_texts())}
    asn = F.regexp_extract(text["autonomous_system_number"], r"\d+", 0)
    latitude, longitude = _degrees(text["latitude"], 90), _degrees(text["longitude"], 180)
    known_point = (
        latitude.isNotNull() & longitude.isNotNull() & ~((latitude == 0) & (longitude == 0))
    )
    columns = text | {
        "time_generated": let(text["time_generated"], parse_time),
        "is_interactive": parse_boolean(text["is_interactive"]),
        # 0 is how the log writes an unknown system.
        "autonomous_system_number": F.nullif(asn.try_cast("bigint"), F.lit(0)),
        "latitude": F.when(known_point, latitude),
        "longitude": F.when(known_point, longitude),
    }
    return [column.alias(name) for name, column in columns.items()]


def _degrees(text: Column, bound: int) -> Column:
    degrees = text.try_cast("double")
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
