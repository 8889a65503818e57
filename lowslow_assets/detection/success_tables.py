"""The successes in a few small tables, with which plots and rhythm tests compare."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.lake.tables import (
    ENCODED_FEATURES,
    SUCCESS,
    SUCCESS_LOCATIONS,
    SUCCESS_SAMPLE,
    SUCCESS_SOURCES,
)

MOST_COMMON_LOCATIONS = 5_000
SAMPLE_SIZE = 10_000
# More than five standard deviations: fewer than one window in ten million has less than
# SAMPLE_SIZE.
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


@transform(SUCCESS_LOCATIONS.schema, sources=SUCCESS_SOURCES.schema)
def most_common_locations(sources: Relation) -> Relation:
    """The most common places of ``success_sources``; equal ones in the order of their names."""
    return sql(
        """
        SELECT
            Location,
            state,
            city,
            latitude,
            longitude,
            CAST(sum(successes) AS BIGINT) AS successes
        FROM {sources}
        GROUP BY Location, state, city, latitude, longitude
        ORDER BY
            successes DESC NULLS LAST,
            Location NULLS FIRST,
            state NULLS FIRST,
            city NULLS FIRST,
            latitude NULLS FIRST,
            longitude NULLS FIRST
        LIMIT {number}
        """,
        sources=sources,
        number=MOST_COMMON_LOCATIONS,
    )


@transform(SUCCESS_SAMPLE.schema, signins=ENCODED_FEATURES.schema)
def sample(signins: Relation, successes: int) -> Relation:
    """A sample of the successes, without replacement, that depends on nothing but their ids.

    ``successes`` is how many there are. With it, most successes need not be sorted or read
    completely.
    """
    share = min((SAMPLE_SIZE + _SAMPLE_MARGIN) / max(successes, 1), 1)
    return sql(
        """
        WITH _hashed AS (
            SELECT
                {columns},
                md5(signin_id) AS hash
            FROM {signins}
            WHERE outcome = {success}
        )
        SELECT
            {columns}
        FROM _hashed
        WHERE hash < {bound}
        ORDER BY hash NULLS FIRST, signin_id NULLS FIRST
        LIMIT {number}
        """,
        signins=signins,
        columns=Columns(SUCCESS_SAMPLE.schema),
        success=SUCCESS,
        # The hash is uniform, in hexadecimal digits: a text before "g".
        bound=f"{round(share * 16**15):015x}" if share < 1 else "g",
        number=SAMPLE_SIZE,
    )
