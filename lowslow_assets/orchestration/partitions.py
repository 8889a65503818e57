"""One partition per day (UTC), from LOWSLOW_START_DATE on; a day can be made once it is over."""

import warnings
from datetime import date

import dagster as dg

from lowslow_assets.settings import read_start_date

# Both are used on purpose and tested, so their warnings must not fill every command's output.
warnings.filterwarnings("ignore", r"Parameter `backfill_policy`", dg.BetaWarning)
warnings.filterwarnings(
    "ignore", r"Specifying a partitions_def on an AssetCheckSpec", dg.PreviewWarning
)

# A range of days is one run, so that an engine starts once.
SINGLE_RUN = dg.BackfillPolicy.single_run()
DAYS = dg.DailyPartitionsDefinition(start_date=read_start_date().isoformat())


def days_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[date]:
    """The days this run is for, in order: one, or a range in a single run."""
    days = sorted(date.fromisoformat(key) for key in context.partition_keys)
    if not days:
        raise dg.Failure("The range has no day: does it end before it begins?", allow_retries=False)
    return days
