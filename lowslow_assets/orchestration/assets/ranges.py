"""A run's days in parts, each written whole before the next: a long run that stops is not lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import dagster as dg

from lowslow_assets.orchestration.partitions import days_of

# Each part costs some seconds of planning, and what is not done when a run stops.
INGESTED_AT_ONCE = 60


@contextmanager
def in_parts(context: dg.AssetExecutionContext, length: int) -> Iterator[Iterator[list[date]]]:
    """The run's days, in order, in parts of at most ``length``; the run's log says which it is at.

    Dagster records a range when all of it is made. So if the run fails or a person stops it, the
    days of the parts before are reported as made: whoever goes on can ask for what is missing.
    """
    days, made = days_of(context), list[date]()

    def parts() -> Iterator[list[date]]:
        for done in range(0, len(days), length):
            part = days[done : done + length]
            if len(days) > length:
                context.log.info(_position(part, done, len(days)))
            yield part
            made.extend(part)

    try:
        yield parts()
    except BaseException:
        described = f"Made by the run {context.run.run_id}, which did not come to its end."
        for day in made:
            for asset in sorted(context.selected_asset_keys):
                context.instance.report_runless_asset_event(
                    dg.AssetMaterialization(asset, partition=day.isoformat(), description=described)
                )
        raise


def _position(part: list[date], done: int, all_days: int) -> str:
    if len(part) == 1:
        return f"{part[0]}, day {done + 1} of {all_days}"
    return f"{part[0]} to {part[-1]}, days {done + 1} to {done + len(part)} of {all_days}"
