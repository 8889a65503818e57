"""Runs over a range: the progress in their log, and what is left if one stops."""

from collections.abc import Callable
from datetime import date

import dagster as dg
import pytest

from lowslow_assets.orchestration.assets.ranges import in_parts

DAYS = [f"2026-06-{day:02}" for day in range(1, 8)]


def run(
    instance: dg.DagsterInstance,
    fails_at: str | None = None,
    error: BaseException | None = None,
    weight_of: Callable[[date], int] = lambda _: 0,
    most_weight: int = 0,
) -> tuple[list[list[str]], set[str], list[str]]:
    """The parts that began, the days that count as made, and the log."""
    begun: list[list[str]] = []

    @dg.asset(
        partitions_def=dg.DailyPartitionsDefinition(DAYS[0]),
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    def counted(context: dg.AssetExecutionContext) -> None:
        with in_parts(context, 3, weight_of, most_weight) as parts:
            for part in parts:
                begun.append([str(day) for day in part])
                if fails_at in begun[-1]:
                    raise error or RuntimeError()

    tags = {
        "dagster/asset_partition_range_start": DAYS[0],
        "dagster/asset_partition_range_end": DAYS[-1],
    }
    result = dg.materialize([counted], instance=instance, tags=tags, raise_on_error=False)
    logged = [entry.user_message for entry in instance.all_logs(result.run_id)]
    return begun, instance.get_materialized_partitions(counted.key), logged


@pytest.fixture
def instance():
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


def test_a_range_is_made_in_parts_and_the_log_says_which_of_how_many(instance):
    begun, made, logged = run(instance)
    assert begun == [DAYS[:3], DAYS[3:6], DAYS[6:]]
    assert made == set(DAYS)
    assert [line for line in logged if " of 7" in line] == [
        "2026-06-01 to 2026-06-03, days 1 to 3 of 7",
        "2026-06-04 to 2026-06-06, days 4 to 6 of 7",
        "2026-06-07, day 7 of 7",
    ]


def test_a_part_is_no_heavier_than_it_may_be_unless_it_is_one_day(instance):
    weighed: list[int] = []

    def weight_of(day: date) -> int:
        weighed.append(day.day)
        return {1: 4, 2: 6, 3: 1, 4: 50, 5: 10}.get(day.day, 0)

    begun, made, logged = run(instance, weight_of=weight_of, most_weight=10)
    assert begun == [DAYS[:2], DAYS[2:3], DAYS[3:4], DAYS[4:]]
    assert made == set(DAYS)
    assert "2026-06-05 to 2026-06-07, days 5 to 7 of 7" in logged
    # No day before its part, but the one that is too much.
    assert weighed == [1, 2, 3, 3, 4, 4, 5, 5, 6, 7]


@pytest.mark.parametrize("error", [RuntimeError(), dg.DagsterExecutionInterruptedError()])
def test_the_parts_before_a_failure_or_a_stop_count_as_made(instance, error):
    begun, made, _ = run(instance, DAYS[4], error)
    assert begun == [DAYS[:3], DAYS[3:6]]
    assert made == set(DAYS[:3])
