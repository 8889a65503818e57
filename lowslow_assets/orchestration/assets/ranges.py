"""A run's days in parts, each written before the next begins, so that a stopped run keeps them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date

import dagster as dg

from lowslow_assets.orchestration.partitions import days_of

# The work that is lost when a run stops; each part costs some planning.
INGESTED_AT_ONCE = 60


def _weightless(_: date) -> int:
    return 0


@contextmanager
def in_parts(
    context: dg.AssetExecutionContext,
    most_days: int,
    weight_of: Callable[[date], int] = _weightless,
    most_weight: int = 0,
) -> Iterator[Iterator[list[date]]]:
    """The run's days, in order, in parts; the run's log says which part is being made.

    A part has at most ``most_days``, and a weight of at most ``most_weight`` unless it is one day.
    Dagster records a range only when all of it is made. So if the run fails or a person stops it,
    the days of the finished parts are reported as made, and a later run can make what is missing.
    """
    days, made = days_of(context), list[date]()

    def parts() -> Iterator[list[date]]:
        while len(made) < len(days):
            part, weight = list[date](), 0
            for day in days[len(made) : len(made) + most_days]:
                weight += weight_of(day)
                if part and weight > most_weight:
                    break
                part.append(day)
            if len(part) < len(days):
                context.log.info(_position(part, len(made), len(days)))
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
