"""The successes in a few small tables: what plots and rhythm tests compare with."""

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

MOST_COMMON_LOCATIONS = 5_000
SAMPLE_SIZE = 10_000


def by_calendar_hour(successes: DataFrame) -> DataFrame:
    """Successes by hour of the calendar, as (hour, successes)."""
    return _count_by(successes, F.date_trunc("hour", "time_generated"), "hour")


def by_weekday(successes: DataFrame) -> DataFrame:
    """Successes by ISO day of the week, as (weekday, successes)."""
    return _count_by(successes, F.weekday("time_generated") + 1, "weekday")


def by_hour_of_day(successes: DataFrame) -> DataFrame:
    """Successes by hour of the day in UTC, as (hour_of_day, successes)."""
    return _count_by(successes, F.hour("time_generated"), "hour_of_day")


def _count_by(successes: DataFrame, key, name: str) -> DataFrame:
    return (
        successes.groupBy(key.alias(name)).agg(F.count(F.lit(1)).alias("successes")).orderBy(name)
    )


def most_common_locations(successes: DataFrame) -> DataFrame:
    """The most common places of successes; equal ones in the order of their names."""
    place = ["Location", "state", "city", "latitude", "longitude"]
    counts = successes.groupBy(*place).agg(F.count(F.lit(1)).alias("successes"))
    return counts.orderBy(F.desc("successes"), *place).limit(MOST_COMMON_LOCATIONS)


def sample(successes: DataFrame) -> DataFrame:
    """A sample without replacement that depends on nothing but the ids in the window."""
    return successes.orderBy(F.xxhash64("signin_id"), "signin_id").limit(SAMPLE_SIZE)
