"""One line of the export to one typed sign-in, or to a reason why not.

Two schemas occur: rows of SigninLogs and the tables beside it as Microsoft Sentinel
exports them, and the records of Entra's own diagnostic settings (``{time, properties}``).
The detail columns come as JSON text or as nested objects; a schema of strings
reads both as text. Nothing is inferred from the data.
"""

from datetime import UTC, datetime

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F
from pyspark.sql import types as T

MAX_TEXT_LENGTH = 1024
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
# Seconds between any two times fit 32 bits.
LATEST = datetime(2067, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)

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
    "ServicePrincipalName",
    "ServicePrincipalId",
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
    "servicePrincipalName",
    "servicePrincipalId",
)


def _strings(*names: str) -> T.StructType:
    return T.StructType([T.StructField(name, T.StringType()) for name in names])


_SENTINEL = _strings(*_SENTINEL_FIELDS)
_DIAGNOSTIC = _strings("time", "resultType").add("properties", _strings(*_DIAGNOSTIC_FIELDS))
_DETAILS = T.MapType(T.StringType(), T.StringType())

_DEGREES = r"(-?(?:0|[1-9]\d{0,2})\.\d{1,20})"
_PLAIN_POINT = rf'^\{{"latitude":{_DEGREES},"longitude":{_DEGREES}\}}$'

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
    value = F.col("value")
    # Spark trims a set of characters by walking the whole line: only where there may be any.
    bare = value.startswith("{") & value.endswith("}")
    text = F.when(bare, value).otherwise(F.trim(value, F.lit("\ufeff \t")))
    # from_json reads an object and stops: text after its end, even a second object, would
    # go unnoticed. As the first of two items of an array it cannot have any.
    items = F.from_json(
        F.concat(F.lit("["), text, F.lit(",{}]")),
        T.ArrayType(_SENTINEL),
        {"allowNonNumericNumbers": "false"},
    )
    row = F.col("items")[0]
    return (
        lines.where(text != "")
        .withColumn("items", items)
        .select(
            "date",
            "file",
            "value",
            (text.startswith("{") & F.size("items").eqNullSafe(2)).alias("is_object"),
            row.alias("row"),
            F.when(row.properties.isNotNull(), F.from_json(text, _DIAGNOSTIC)).alias("record"),
        )
        .withColumn("device", F.from_json(_either("DeviceDetail", "deviceDetail"), _DETAILS))
        .withColumn("place", F.from_json(_either("LocationDetails", "location"), _DETAILS))
        .withColumn("status", F.from_json(F.col("record.properties.status"), _DETAILS))
        # Texts apart from types: together they are one method, too long for Java to compile.
        # Beside a from_json, which is not compiled, each text is a method of its own.
        .select(
            "date",
            "file",
            "value",
            "is_object",
            _point().alias("point"),
            *(bounded_text(text).alias(name) for name, text in _texts().items()),
        )
        .withColumns(_typed())
        .withColumns(_known_point())
        .withColumn("reason", _reject_reason())
        # Good lines are not kept as text: they are most of what a day weighs.
        .withColumn(
            "line",
            # Junk need not be UTF-8, and a Parquet string must be.
            F.when(
                F.col("reason").isNotNull(),
                F.substring(F.make_valid_utf8("value"), 1, MAX_TEXT_LENGTH),
            ),
        )
        .drop("value", "is_object", "point")
    )


def _either(sentinel: str, diagnostic: str) -> Column:
    """A property by its name in either schema."""
    return F.coalesce(F.col(f"row.{sentinel}"), F.col(f"record.properties.{diagnostic}"))


def _entry(details: str, key: str) -> Column:
    """An entry of a detail column; some exports write its keys in lower case."""
    column = F.col(details)
    return F.coalesce(column[key], column[key.lower()])


def _texts() -> dict[str, Column]:
    """The values of a sign-in by their name in ``raw_signins``, as text; all but its point."""
    user, user_id = (
        F.nullif(F.trim(value), F.lit(""))
        for value in (
            _either("UserPrincipalName", "userPrincipalName"),
            _either("UserId", "userId"),
        )
    )
    # Looked at only where the log names no user.
    principal = F.when(user_id.isNull(), _either("ServicePrincipalName", "servicePrincipalName"))
    principal_id = F.when(user.isNull(), _either("ServicePrincipalId", "servicePrincipalId"))
    return {
        "signin_id": _either("Id", "id"),
        "time_generated": F.coalesce("row.TimeGenerated", "record.time"),
        "user_principal_name": F.coalesce(user, principal),
        "user_id": F.coalesce(user_id, principal_id),
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
    }


def bounded_text(value: Column) -> Column:
    """Trimmed and bounded; null where empty."""
    trimmed = F.trim(value)
    # Characters are counted one by one: only where there may be too many.
    is_long = F.octet_length(trimmed) > MAX_TEXT_LENGTH
    bounded = F.when(is_long, F.substring(trimmed, 1, MAX_TEXT_LENGTH)).otherwise(trimmed)
    return F.when(trimmed != "", bounded)


def _point() -> Column:
    """The coordinates of ``place``, as text by name."""
    text = _entry("place", "geoCoordinates")
    latitude, longitude = (F.regexp_extract(text, _PLAIN_POINT, group) for group in (1, 2))
    plain = F.create_map(F.lit("latitude"), latitude, F.lit("longitude"), longitude)
    # Nearly all are written alike, and the pattern costs half of what from_json does.
    return F.when(text.rlike(_PLAIN_POINT), plain).otherwise(F.from_json(text, _DETAILS))


def _typed() -> dict[str, Column]:
    """The columns of ``raw_signins`` that are no text, from their texts and ``point``."""
    asn = F.regexp_extract("autonomous_system_number", r"\d+", 0)
    return {
        "time_generated": parse_time(F.col("time_generated")),
        "is_interactive": parse_boolean(F.col("is_interactive")),
        # 0 is how the log writes an unknown system.
        "autonomous_system_number": F.nullif(asn.try_cast("bigint"), F.lit(0)),
        "latitude": _degrees("latitude", 90),
        "longitude": _degrees("longitude", 180),
    }


def _degrees(key: str, bound: int) -> Column:
    degrees = bounded_text(_entry("point", key)).try_cast("double")
    return F.when(F.abs(degrees) <= bound, degrees)


def _known_point() -> dict[str, Column]:
    """Both coordinates or neither; 0,0 is how the log writes an unknown point."""
    latitude, longitude = F.col("latitude"), F.col("longitude")
    known = latitude.isNotNull() & longitude.isNotNull() & ~((latitude == 0) & (longitude == 0))
    return {"latitude": F.when(known, latitude), "longitude": F.when(known, longitude)}


def parse_time(text: Column) -> Column:
    """A timestamp in UTC from ISO 8601 (any number of fraction digits) or ``M/d/yyyy h:mm:ss a``.

    The check before the cast matters: Spark takes ``12345`` for a year. A time before
    ``EARLIEST`` or after ``LATEST`` is a default value (year 1 is .NET's), and more than pandas
    or a count of seconds can hold.
    """
    iso = F.when(text.rlike(r"^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}"), text.try_cast("timestamp"))
    time = F.coalesce(iso, F.try_to_timestamp(text, F.lit("M/d/yyyy h:mm:ss a")))
    return F.when(time.between(EARLIEST, LATEST), time)


def parse_boolean(text: Column) -> Column:
    """True and false as the log spells them: JSON booleans, ``"True"``, 0 and 1."""
    lowered = F.lower(text)
    return F.when(lowered.isin("true", "1"), True).when(lowered.isin("false", "0"), False)


def _reject_reason() -> Column:
    user = F.coalesce("user_principal_name", "user_id")
    return (
        F.when(~F.col("is_object"), NOT_JSON)
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
