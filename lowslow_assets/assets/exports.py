"""The window's successes in small tables: baselines for rhythm tests, maps and plots."""

from collections.abc import Callable
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lowslow_assets.assets.hunt import Hunt, hunt_asset
from lowslow_assets.detection import exports
from lowslow_assets.signins.features import SUCCESS
from lowslow_assets.tables import (
    ENCODED_FEATURES,
    SUCCESS_HOURS,
    SUCCESS_HOURS_OF_DAY,
    SUCCESS_LOCATIONS,
    SUCCESS_SAMPLE,
    SUCCESS_WEEKDAYS,
    Table,
)


def _export(table: Table, summarize: Callable[[DataFrame], DataFrame]):
    @hunt_asset(table, deps=[ENCODED_FEATURES])
    def successes(hunt: Hunt) -> tuple[DataFrame, dict[str, Any]]:
        window = hunt.signins().where(F.col("outcome") == SUCCESS)
        return summarize(window), {}

    return successes


success_hours = _export(SUCCESS_HOURS, exports.by_calendar_hour)
success_weekdays = _export(SUCCESS_WEEKDAYS, exports.by_weekday)
success_hours_of_day = _export(SUCCESS_HOURS_OF_DAY, exports.by_hour_of_day)
success_locations = _export(SUCCESS_LOCATIONS, exports.most_common_locations)
success_sample = _export(SUCCESS_SAMPLE, exports.sample)
