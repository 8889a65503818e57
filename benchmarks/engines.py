"""Both engines on one lake, step by step: ``python -m benchmarks.engines LAKE DAY DAYS``.

The lake holds the sign-ins of the DAYS days until DAY. From them, each engine makes everything that
an ingest and a hunt make, in its own lake and twice: first as a new process does, then as a process
that has done it before. The command prints the seconds of every step that an engine computes, and
the differences between the two lakes. A step has the name of the function that requests its rows,
or of the table that is written.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Callable
from datetime import date
from functools import wraps
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, ClassVar

import dagster as dg
import pyarrow as pa

from lowslow_assets.engines.base import Engine
from lowslow_assets.lake.lake import window_days
from lowslow_assets.lake.tables import RAW_SIGNINS, REJECTED_SIGNINS, TABLES
from lowslow_assets.orchestration.definitions import build_defs
from lowslow_assets.orchestration.resources import EngineResource
from lowslow_assets.settings import DUCKDB, ENGINES, SPARK, Settings
from lowslow_assets_tests.support.lakes import compare

_FROM_FILES = (RAW_SIGNINS, REJECTED_SIGNINS)
_JOBS = {
    "ingest_range": dg.AssetSelection.groups("ingest")
    - dg.AssetSelection.assets(*(table.name for table in _FROM_FILES)),
    "hunt_as_of_day": dg.AssetSelection.groups("hunt"),
}
_COMPUTES = ("hold", "arrow", "write")
# The function that requests rows is above these in the stack.
_BELOW = ("lowslow_assets.engines.", "lowslow_assets.lake.")


Seconds = dict[str, float]
"""Seconds by step, in the order of the steps."""


class Stopwatch:
    """Records the time of what an engine computes."""

    def __init__(self, engine: Engine) -> None:
        """Replaces the engine's own methods by timed ones, because relations hold their engine."""
        self._seconds: Seconds = {}
        self._busy = False
        for name in _COMPUTES:
            setattr(engine, name, self._timed(getattr(engine, name)))

    def taken(self) -> Seconds:
        """The seconds since the last call of this method."""
        taken, self._seconds = self._seconds, {}
        return taken

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def timed(*given: Any, **named: Any) -> Any:
            if self._busy:
                return method(*given, **named)
            self._busy, began = True, time.perf_counter()
            try:
                return method(*given, **named)
            finally:
                took, step = time.perf_counter() - began, _step(given)
                self._busy = False
                self._seconds[step] = self._seconds.get(step, 0.0) + took

        return timed


class KeptEngine(EngineResource):
    """An engine that several runs share."""

    # Dagster copies a resource that another resource holds.
    _engines: ClassVar[dict[str, Engine]] = {}

    def open(self) -> Engine:
        """The same engine for all runs."""
        if self.name not in self._engines:
            self._engines[self.name] = self._open()
        return self._engines[self.name]

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Leaves the engine running for the next run."""
        self.open().forget()


def main() -> None:
    """Print the steps of both engines side by side; the exit message says what differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines")
    parser.add_argument("lake", type=Path, help="a lake with sign-ins, such as demo/lake")
    parser.add_argument("day", type=date.fromisoformat)
    parser.add_argument("days", type=int)
    options = parser.parse_args()
    days = window_days(options.day, options.days)
    with TemporaryDirectory(prefix="lowslow-engines-") as folder:
        lakes = {name: Path(folder, name) for name in ENGINES}
        first: dict[str, Seconds] = {}
        again: dict[str, Seconds] = {}
        for name, lake in lakes.items():
            _link_signins(options.lake, lake, days)
            engine = KeptEngine(name=name)
            stopwatch = Stopwatch(engine.open())
            for seconds in (first, again):
                _ingest_and_hunt(engine, lake, days)
                seconds[name] = stopwatch.taken()
            engine.open().close()
        print(_table(first, again))
        compared = list(compare(*lakes.values()))
    different = [f"{name}: {difference}" for name, difference in compared if difference]
    print(f"\n{len(compared)} partitions compared, {len(different)} differ")
    if different:
        sys.exit("\n".join(different))


def _link_signins(source: Path, lake: Path, days: list[date]) -> None:
    for table in _FROM_FILES:
        for day in days:
            partition = Path(table.name, f"date={day}")
            if (source / partition).is_dir():
                shutil.copytree(source / partition, lake / partition, copy_function=os.link)


def _ingest_and_hunt(engine: KeptEngine, lake: Path, days: list[date]) -> None:
    defs = build_defs(Settings("unused", str(lake), len(days)), engine)
    for job, assets in _JOBS.items():
        first = days[0] if job == "ingest_range" else days[-1]
        defs.resolve_job_def(job).execute_in_process(
            asset_selection=sorted(assets.resolve(defs.resolve_asset_graph())),
            tags={
                "dagster/asset_partition_range_start": str(first),
                "dagster/asset_partition_range_end": str(days[-1]),
            },
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )


def _step(given: tuple[Any, ...]) -> str:
    """The name of a step, by the schema that is written or by the function that requests it."""
    for table in TABLES:
        if any(isinstance(value, pa.Schema) and value is table.schema for value in given):
            return f"write {table.name}"
    frame = sys._getframe()
    while frame := frame.f_back:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("lowslow_assets.") and not module.startswith(_BELOW):
            return f"{module.rpartition('.')[2]}.{frame.f_code.co_name}"
    raise AssertionError


def _table(first: dict[str, Seconds], again: dict[str, Seconds]) -> str:
    """One line per step, in the order of the steps, and one line with their sums."""
    columns = [counts[name] for name in (DUCKDB, SPARK) for counts in (first, again)]
    lines = [
        "| step | DuckDB s | again s | Spark s | again s | Spark over DuckDB, again |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    steps = list(dict.fromkeys(step for column in columns for step in column))
    rows = {step: [column.get(step, 0.0) for column in columns] for step in steps}
    rows["all of them"] = [sum(column.values()) for column in columns]
    for step, seconds in rows.items():
        ratio = f"{seconds[3] / seconds[1]:.1f}" if seconds[1] else ""
        lines.append(f"| {step} | {' | '.join(f'{s:.3f}' for s in seconds)} | {ratio} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
