"""When, from where and on whom campaigns act: ``incident_members`` in figures that fit a page.

Each is bounded, however many members there are; rows come in a fixed order.
"""

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lowslow_assets.signins.features import FAILURE, MAX_CATEGORY_LENGTH, SUCCESS

MAX_PLACES = 500
MAX_MATRIX_SIDE = 24
MAX_MEMBERS = 50_000

_INCIDENT = "incident_id"


def by_hour(members: DataFrame) -> DataFrame:
    """Sign-ins by hour of the calendar, as (incident_id, outcome, hour, signins)."""
    hour = F.date_trunc("hour", "time_generated").alias("hour")
    counts = members.groupBy(_INCIDENT, "outcome", hour).agg(_number().alias("signins"))
    return counts.orderBy(_INCIDENT, "outcome", "hour")


def by_place(members: DataFrame) -> DataFrame:
    """Each incident's most common places that have coordinates, those of successes first.

    As (incident_id, outcome, city, state, Location, latitude, longitude, signins), a row an
    outcome; the coordinates are the mean of the place's own.
    """
    place = ["city", "state", "Location"]
    counts = (
        members.where("latitude IS NOT NULL AND longitude IS NOT NULL")
        .groupBy(_INCIDENT, "outcome", *place)
        .agg(
            F.avg("latitude").alias("latitude"),
            F.avg("longitude").alias("longitude"),
            _number().alias("signins"),
        )
    )
    by_number = [F.desc("outcome"), F.desc("signins"), *place]
    return _first(counts, MAX_PLACES, by_number)


def by_user_and_network(members: DataFrame) -> DataFrame:
    """The accounts and networks that say most of each incident, and what passed between them.

    As (incident_id, user, network, attempts, entries). Networks come by their successes, then
    by their attempts; accounts by their successes, then by the attempts from those networks.
    """
    pairs = members.groupBy(_INCIDENT, "user", "network").agg(
        F.count_if(F.col("outcome") == FAILURE).alias("attempts"),
        F.count_if(F.col("outcome") == SUCCESS).alias("entries"),
    )
    return _most_active(_most_active(pairs, "network"), "user").orderBy(
        _INCIDENT, "user", "network"
    )


def newest(members: DataFrame) -> DataFrame:
    """Each incident's members as text for its table: successes, then the newest attempts.

    As incident_id and a column a title; values are cut to the length of a category.
    """
    columns = {
        "Time (UTC)": F.date_format("time_generated", "yyyy-MM-dd HH:mm:ss"),
        "Outcome": "outcome",
        "Account": "user",
        "Address": "ip_address",
        "Network": "network",
        "Country": "Location",
        "State": "state",
        "City": "city",
        "Application": "AppDisplayName",
        "Client": "ClientAppUsed",
        "Browser": "browser",
        "Operating system": "operatingSystem",
        "Device name": "displayName",
        "Probability": F.format_string("%.3f", "score"),
        "Evidence": "evidence",
        "Sign-in id": "signin_id",
    }
    by_time = [F.desc("outcome"), F.desc("time_generated"), "signin_id"]
    return _first(members, MAX_MEMBERS, by_time).select(
        _INCIDENT, *(_cell(column).alias(title) for title, column in columns.items())
    )


def _number() -> Column:
    return F.count(F.lit(1))


def _cell(value: Column | str) -> Column:
    return F.coalesce(F.substring(value, 1, MAX_CATEGORY_LENGTH), F.lit(""))


def _first(rows: DataFrame, most: int, order: list[Column | str]) -> DataFrame:
    """The first rows of each incident, in order."""
    rank = F.row_number().over(Window.partitionBy(_INCIDENT).orderBy(*order))
    return rows.withColumn("rank", rank).where(F.col("rank") <= most).orderBy(_INCIDENT, "rank")


def _most_active(pairs: DataFrame, side: str) -> DataFrame:
    """The pairs of each incident's most active users or networks."""
    own = Window.partitionBy(_INCIDENT, side)
    by_activity = Window.partitionBy(_INCIDENT).orderBy(
        F.desc("side_entries"), F.desc("side_attempts"), side
    )
    return (
        pairs.withColumns(
            {
                "side_entries": F.sum("entries").over(own),
                "side_attempts": F.sum("attempts").over(own),
            }
        )
        .withColumn("rank", F.dense_rank().over(by_activity))
        .where(F.col("rank") <= MAX_MATRIX_SIDE)
        .select(pairs.columns)
    )
