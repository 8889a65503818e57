"""The window's successes in small tables: baselines for rhythm tests, maps and plots."""

from datetime import datetime

from lowslow_assets.detection.success_tables import (
    Hour,
    by_hour_of_day,
    by_weekday,
    most_common_locations,
    sample,
)
from lowslow_assets.hunting.hunt import Hunt
from lowslow_assets.lake.tables import (
    ENCODED_FEATURES,
    FEATURE_BASELINE,
    SIGNIN_HOURS,
    SUCCESS_HOURS,
    SUCCESS_HOURS_OF_DAY,
    SUCCESS_LOCATIONS,
    SUCCESS_SAMPLE,
    SUCCESS_SOURCES,
    SUCCESS_WEEKDAYS,
    USER_NAMES,
)
from lowslow_assets.orchestration.assets.hunt import Made, hunt_asset


@hunt_asset(SUCCESS_HOURS, deps=[SIGNIN_HOURS])
def success_hours(hunt: Hunt) -> Made:
    """Sum up the days' successes by hour."""
    return [Hour(*item) for item in sorted(hunt.success_hours().items())], {}


@hunt_asset(SUCCESS_HOURS_OF_DAY, deps=[SUCCESS_HOURS])
def success_hours_of_day(hunt: Hunt) -> Made:
    """Sum up the successes by hour of the day."""
    return by_hour_of_day(_hours(hunt)), {}


@hunt_asset(SUCCESS_WEEKDAYS, deps=[SUCCESS_HOURS])
def success_weekdays(hunt: Hunt) -> Made:
    """Sum up the successes by day of the week."""
    return by_weekday(_hours(hunt)), {}


@hunt_asset(SUCCESS_LOCATIONS, deps=[SUCCESS_SOURCES, USER_NAMES])
def success_locations(hunt: Hunt) -> Made:
    """Count the window's successes by place."""
    return most_common_locations(hunt.sources()), {}


@hunt_asset(SUCCESS_SAMPLE, deps=[ENCODED_FEATURES, USER_NAMES, FEATURE_BASELINE])
def success_sample(hunt: Hunt) -> Made:
    """Draw from the window's successes."""
    successes = hunt.rows(FEATURE_BASELINE)[0]["successes"]
    return sample(hunt.signins(), successes), {}


def _hours(hunt: Hunt) -> list[tuple[datetime, int]]:
    return [(row["hour"], row["successes"]) for row in hunt.rows(SUCCESS_HOURS)]
