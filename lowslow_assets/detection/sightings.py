"""What today's clusters are recognised by in other hunts, from ``cluster_members``.

Both are a Spark query; what comes to the driver is bounded by days and by the sample.
"""

from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as F

from lowslow_assets.detection.identity import SAMPLE_SIZE


@dataclass(frozen=True)
class Calendar:
    """A cluster's attempts by day, in order, and the id of its earliest sign-in."""

    attempts_by_day: dict[date, int]
    earliest_signin: str


def calendars(members: DataFrame) -> dict[int, Calendar]:
    """The calendar of each cluster."""
    rows = (
        members.groupBy("cluster_id", F.to_date("time_generated").alias("day"))
        .agg(
            F.count(F.lit(1)).alias("attempts"),
            F.min_by("signin_id", F.struct("time_generated", "signin_id")).alias("earliest"),
        )
        .orderBy("cluster_id", "day")
        .collect()
    )
    found: dict[int, Calendar] = {}
    for row in rows:
        calendar = found.setdefault(row["cluster_id"], Calendar({}, row["earliest"]))
        calendar.attempts_by_day[row["day"]] = row["attempts"]
    return found


def samples(members: DataFrame) -> dict[int, dict[int, date]]:
    """Of each cluster the members with the smallest hashes of their ids: hash to day."""
    smallest = Window.partitionBy("cluster_id").orderBy("hash")
    rows = (
        members.groupBy("cluster_id", F.xxhash64("signin_id").alias("hash"))
        # An id that comes twice is one member: a sample that is short of one passes as the whole.
        .agg(F.min(F.to_date("time_generated")).alias("day"))
        .withColumn("rank", F.row_number().over(smallest))
        .where(F.col("rank") <= SAMPLE_SIZE)
        .orderBy("cluster_id", "rank")
        .collect()
    )
    found: dict[int, dict[int, date]] = {}
    for row in rows:
        found.setdefault(row["cluster_id"], {})[row["hash"]] = row["day"]
    return found
