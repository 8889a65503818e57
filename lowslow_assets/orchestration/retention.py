"""A job that drops old partitions, started by a person or from outside (cron)."""

from datetime import timedelta

import dagster as dg
from pydantic import Field

from lowslow_assets.detection.identity import MEMORY_DAYS
from lowslow_assets.lake.tables import (
    CAMPAIGNS,
    CATEGORY_COUNTS,
    ENCODED_FEATURES,
    FAILURE_SOURCES,
    OPEN_FAILURES,
    RAW_SIGNINS,
    SIGNIN_HOURS,
    SUCCESS_SOURCES,
    TABLES,
    USER_NAMES,
)
from lowslow_assets.orchestration.assets.declare import permanent_failures, table_metadata
from lowslow_assets.orchestration.resources import HuntParameters, LakeResource

_OF_WINDOWS = (
    ENCODED_FEATURES,
    SIGNIN_HOURS,
    CATEGORY_COUNTS,
    SUCCESS_SOURCES,
    FAILURE_SOURCES,
    OPEN_FAILURES,
    USER_NAMES,
)
_DOCUMENTS = ("incident_documents", "rule_documents", "case_pages")
_NAMES = [*(table.name for table in TABLES), *_DOCUMENTS]


class Retention(dg.Config):
    """What to keep."""

    keep_days: int = Field(
        ge=1,
        description="Days to keep, up to the last ingested one; tables that hunts read over "
        "their window keep that many days at least, and campaigns those in which they are known.",
    )


@dg.op(description="Drop partitions that are older than the days to keep.")
def drop_old_partitions(
    context: dg.OpExecutionContext,
    config: Retention,
    lake: LakeResource,
    parameters: HuntParameters,
) -> None:
    """Count back from the last ingested day, not from today: a lake without new days keeps all."""
    with permanent_failures():
        opened = lake.open()
        ingested = opened.days(RAW_SIGNINS)
        if not ingested:
            raise dg.Failure("The lake has no day.", allow_retries=False)
        dropped = []
        for name in _NAMES:
            keep = config.keep_days
            if name in {table.name for table in _OF_WINDOWS}:
                keep = max(keep, parameters.lookback_days)
            if name == CAMPAIGNS.name:
                keep = max(keep, parameters.lookback_days, MEMORY_DAYS)
            days = opened.drop(name, ingested[-1] - timedelta(days=keep - 1))
            if days:
                dropped.append({"table": name, "days": len(days), "from": days[0], "to": days[-1]})
    context.add_output_metadata({"dropped": table_metadata(dropped)})


@dg.job(description="Drop what is older than `keep_days`; Dagster's records of it stay.")
def retention() -> None:
    """One step."""
    drop_old_partitions()
