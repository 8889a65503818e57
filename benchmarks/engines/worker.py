"""All cases on one engine, in a process of its own: ``python -m benchmarks.engines.worker``.

Each case runs once cold and three times warm; rows are written to Parquet, as the project does.
An error ends the case, not the run.
"""

import argparse
import json
import os
import re
import shutil
import statistics
import sys
import time
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.engines.sessions import PACKAGES, SESSIONS

_STARTED = time.perf_counter()
WARM_RUNS = 3


def main() -> None:
    """Run the cases; results and rows go below the work folder, in the engine's name."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines.worker")
    parser.add_argument("engine", choices=SESSIONS)
    parser.add_argument("lake", type=Path)
    parser.add_argument("export", type=Path)
    parser.add_argument("day", type=date.fromisoformat)
    parser.add_argument("work", type=Path)
    options = parser.parse_args()
    try:
        spark, version = SESSIONS[options.engine]()
    except ModuleNotFoundError as error:
        sys.exit(f"{error}: install {PACKAGES[options.engine]} in the environment of this engine")
    spark.sql("SELECT 1").collect()
    session_seconds = time.perf_counter() - _STARTED

    # After the session: SQLFrame puts itself in the place of pyspark.
    from benchmarks.engines.transforms import CASES, Inputs, of_scratch

    out = options.work / options.engine
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    scratch = out / "scratch"
    inputs = Inputs(spark, options.work, options.lake, options.export, options.day, scratch)
    results: dict[str, Any] = {
        "version": version,
        "session": session_seconds,
        "session_cpu": cpu_seconds(),
        "cases": {},
    }
    for name, case in CASES.items():
        seconds: list[float] = []
        cpu: list[float] = []
        problem = None
        for number in range(1 + WARM_RUNS):
            target = out / f"{name}-{number}"
            began, cpu_before = time.perf_counter(), cpu_seconds()
            try:
                _keep(case(of_scratch(inputs, target)), target)
            except Exception as error:
                problem = _brief(error)
                break
            seconds.append(time.perf_counter() - began)
            cpu.append(cpu_seconds() - cpu_before)
        results["cases"][name] = {
            "problem": problem,
            "cold": seconds[0] if seconds else None,
            "warm": statistics.median(seconds[1:]) if len(seconds) > 1 else None,
            "cold_cpu": cpu[0] if cpu else None,
            "warm_cpu": statistics.median(cpu[1:]) if len(cpu) > 1 else None,
        }
        (out / "results.json").write_text(json.dumps(results, indent=1), encoding="utf-8")
        print(f"{options.engine} {name}: {results['cases'][name]}", file=sys.stderr, flush=True)
    with suppress(Exception):
        spark.stop()


def cpu_seconds() -> float:
    """Processor time of this process and all below it, such as Spark's JVM.

    On a machine that does other things too, this says more than the clock.
    """
    parents, used = {}, {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = entry.read_text().rpartition(") ")[2].split()
            number = int(entry.parent.name)
            parents[number] = int(fields[1])
            used[number] = sum(map(int, fields[11:15]))
    below, found = {os.getpid()}, 0
    while len(below) > found:
        found = len(below)
        below |= {number for number, parent in parents.items() if parent in below}
    return sum(used[number] for number in below) / os.sysconf("SC_CLK_TCK")


def _keep(result: Any, target: Path) -> None:
    """Write what came out: rows of the engine as Parquet, rows of the driver as text."""
    if isinstance(result, list):
        Path(f"{target}.txt").write_text("\n".join(result), encoding="utf-8")
    elif not isinstance(result, Path):
        result.write.parquet(str(target))


def _brief(error: Exception) -> str:
    """The first line of an error, short enough for a table."""
    text = re.sub(r"\s+", " ", str(error).strip() or repr(error))
    return f"{type(error).__name__}: {text}"[:400]


if __name__ == "__main__":
    main()
