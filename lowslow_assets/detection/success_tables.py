"""The successes in a few small tables: what plots and rhythm tests compare with."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

MOST_COMMON_LOCATIONS = 5_000
SAMPLE_SIZE = 10_000
# More than five standard deviations: hardly a window in ten million has fewer than SAMPLE_SIZE.
_SAMPLE_MARGIN = 600


@dataclass(frozen=True)
class Hour:
    """A row of ``success_hours``; ``hour`` is its beginning in UTC."""

    hour: datetime
    successes: int


@dataclass(frozen=True)
class HourOfDay:
    """A row of ``success_hours_of_day``."""

    hour_of_day: int
    successes: int


@dataclass(frozen=True)
class Weekday:
    """A row of ``success_weekdays``; 1 is Monday."""

    weekday: int
    successes: int


def by_hour_of_day(hours: Iterable[tuple[datetime, int]]) -> list[HourOfDay]:
    """Successes by hour of the day from those by hour of the calendar, both in UTC."""
    sums = Counter[int]()
    for hour, successes in hours:
        sums[hour.hour] += successes
    return [HourOfDay(*item) for item in sorted(sums.items())]


def by_weekday(hours: Iterable[tuple[datetime, int]]) -> list[Weekday]:
    """Successes by ISO day of the week from those by hour of the calendar, in UTC."""
    sums = Counter[int]()
    for hour, successes in hours:
        sums[hour.isoweekday()] += successes
    return [Weekday(*item) for item in sorted(sums.items())]


def most_common_locations(sources: DataFrame) -> DataFrame:
    """The most common places of ``success_sources``; equal ones in the order of their names."""
    place = ["Location", "state", "city", "latitude", "longitude"]
    counts = sources.groupBy(*place).agg(F.sum("successes").alias("successes"))
    return counts.orderBy(F.desc("successes"), *place).limit(MOST_COMMON_LOCATIONS)


def sample(successes: DataFrame, number: int) -> DataFrame:
    """A sample without replacement that depends on nothing but the ids in the window.

    ``number`` is how many successes there are: most need not be sorted, nor read whole.
    """
    order = F.xxhash64("signin_id")
    share = (SAMPLE_SIZE + _SAMPLE_MARGIN) / max(number, 1)
    if share < 1:
        # The hash is uniform over the 64-bit integers.
        successes = successes.where(order < round((share - 0.5) * 2**64))
    return successes.orderBy(order, "signin_id").limit(SAMPLE_SIZE)
