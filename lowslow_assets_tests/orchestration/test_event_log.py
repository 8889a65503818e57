"""Our event log records the same as Dagster's own, in files that both read."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.test_utils import instance_for_test

DAYS = dg.DailyPartitionsDefinition("2026-06-01")
FIRST, LAST = "2026-06-01", "2026-06-07"
OURS = {"module": "lowslow_assets.orchestration.event_log", "class": "EventLog"}


@dg.multi_asset(
    specs=[dg.AssetSpec("one"), dg.AssetSpec("two")],
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
)
def both(context: dg.AssetExecutionContext):
    for key in ("one", "two"):
        for day in context.partition_keys:
            context.add_asset_metadata({"day": day}, dg.AssetKey(key), day)
        yield dg.MaterializeResult(asset_key=key)


@dg.asset(deps=["one"], partitions_def=DAYS, backfill_policy=dg.BackfillPolicy.single_run())
def three(context: dg.AssetExecutionContext) -> None:
    context.log.info("nothing")


@contextmanager
def home(folder: Path, ours: bool) -> Iterator[dg.DagsterInstance]:
    """An instance whose records are in a folder."""
    folder.mkdir(exist_ok=True)
    overrides = {"event_log_storage": OURS | {"config": {"home": str(folder)}}} if ours else {}
    with instance_for_test(overrides, temp_dir=str(folder)) as instance:
        yield instance


def run(instance: dg.DagsterInstance) -> str:
    """A range, then its last day again; the id of the first run."""
    ids = []
    for first in (FIRST, LAST):
        tags = {
            "dagster/asset_partition_range_start": first,
            "dagster/asset_partition_range_end": LAST,
        }
        ids.append(dg.materialize([both, three], instance=instance, tags=tags).run_id)
    return ids[0]


def facts(instance: dg.DagsterInstance) -> dict[str, Any]:
    """The parts that the UI reads."""
    found: dict[str, Any] = {}
    for number, record in enumerate(instance.get_runs()):
        events = [event.dagster_event for event in instance.all_logs(record.run_id)]
        found[f"events {number}"] = [
            (event.event_type_value, str(event.asset_key), event.partition)
            for event in events
            if event
        ]
        found[f"steps {number}"] = instance.get_run_stats(record.run_id).steps_succeeded
    for key in sorted(instance.all_asset_keys()):
        entry = instance.get_asset_records([key])[0].asset_entry
        last = entry.last_materialization_record
        assert last
        made = last.event_log_entry.asset_materialization
        assert made
        found[str(key)] = (
            sorted(instance.get_materialized_partitions(key)),
            len(instance.fetch_materializations(key, limit=1_000).records),
            made.partition,
            {name: value.value for name, value in made.metadata.items()},
        )
    return found


@pytest.mark.filterwarnings("ignore")
def test_it_records_what_dagsters_own_does_and_each_reads_the_other(tmp_path: Path):
    recorded = {}
    for ours in (False, True):
        with home(tmp_path / str(ours), ours) as instance:
            run(instance)
            recorded[ours] = facts(instance)
        with home(tmp_path / str(ours), not ours) as other:
            assert facts(other) == recorded[ours]
    assert recorded[True] == recorded[False]
    days, made, *_ = recorded[True][str(dg.AssetKey("one"))]
    assert (len(days), made) == (7, 8)


@pytest.mark.filterwarnings("ignore")
def test_who_watches_a_run_sees_its_events(tmp_path: Path):
    """The UI watches in this way: it reads again when the run's file changes."""
    with home(tmp_path / "home", ours=True) as instance:
        seen, all_seen = [], threading.Event()

        def see(event: dg.EventLogEntry, _: str) -> None:
            seen.append(event)
            if len(seen) == expected:
                all_seen.set()

        run_id = run(instance)
        expected = len(instance.all_logs(run_id))
        instance.watch_event_logs(run_id, None, see)
        instance.report_engine_event("one more", instance.get_run_by_id(run_id))
        expected += 1
        assert all_seen.wait(20), f"{len(seen)} of {expected}"
