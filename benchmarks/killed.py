"""Runs that are killed: ``python -m benchmarks.killed [TIMES] [--seed N]``.

A small tenant is ingested and hunted by `dagster asset materialize`, in processes that get SIGKILL
after random times. After each kill, every partition must be either complete or missing. The last
run is not killed, and its lake is compared, table by table, with a lake that was never disturbed.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow.parquet as pq

from lowslow_assets.lake.stores.base import PROVENANCE
from lowslow_assets.lake.tables import TABLES
from lowslow_assets.sample_tenant import Tenant, generate
from lowslow_assets_tests.support.lakes import compare

_TENANT = Tenant(seed=3, days=40, users=600, signins_per_day=2_000)
# Columns that say when, and after which hunts, a hunt was made.
_OF_THE_RUN = {"delivered_incidents", "campaigns", "enriched_incidents"}


def main() -> None:
    """Kill the given number of times, and report what was found."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.killed")
    parser.add_argument("times", type=int, nargs="?", default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    with TemporaryDirectory(prefix="lowslow-killed-") as folder:
        root = Path(folder)
        generate(_TENANT, root / "signins", root / "labels" / "labels.csv")
        whole = _seconds(root, root / "undisturbed")
        lake = root / "killed"
        print("| killed after | at | partitions, all whole |\n| --- | --- | --- |")
        for number in range(options.times):
            stage = number % 2
            after = draw.uniform(2, whole[stage])
            ended = _run(root, lake, stage, after)
            print(
                f"| {after:.1f} s | {('ingest', 'hunt')[stage]}{'' if ended is None else ', ended'}"
                f" | {_whole_partitions(lake)} |",
                flush=True,
            )
        for stage in (0, 1):
            if _run(root, lake, stage, None):
                sys.exit("The run after them failed.")
        compared = _compare(root / "undisturbed", lake)
        print(f"\nThe next run ended well; {compared} partitions equal those never disturbed.")


def _seconds(root: Path, lake: Path) -> list[float]:
    """The seconds that ingest and hunt take undisturbed."""
    found = []
    for stage in (0, 1):
        began = time.monotonic()
        if _run(root, lake, stage, None):
            sys.exit("The undisturbed run failed.")
        found.append(time.monotonic() - began)
    return found


def _run(root: Path, lake: Path, stage: int, kill_after: float | None) -> int | None:
    """Run ingest (stage 0) or hunt (1); returns the exit code, None if the run was killed."""
    first, last = _TENANT.start, _TENANT.day(_TENANT.days - 1)
    what = (
        ["group:ingest", "--partition-range", f"{first}...{last}"],
        ["group:hunt", "--partition", str(last)],
    )[stage]
    environment = {
        **os.environ,
        "LOWSLOW_SOURCE": str(root / "signins"),
        "LOWSLOW_LAKE": str(lake),
        "LOWSLOW_LOOKBACK_DAYS": str(_TENANT.days),
        "DAGSTER_HOME": "",
    }
    dagster = str(Path(sys.executable).with_name("dagster"))
    process = subprocess.Popen(
        [dagster, "asset", "materialize", "-m", "lowslow_assets.definitions", "--select", *what],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        return process.wait(kill_after)
    except subprocess.TimeoutExpired:
        # This also kills the processes that parse files.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return None


def _whole_partitions(lake: Path) -> int:
    """The number of partitions; ends the program if one is incomplete."""
    found = 0
    for folder in lake.glob("[!.]*/date=*"):
        if not (folder / PROVENANCE).is_file():
            if any(folder.glob("*.parquet")):
                sys.exit(f"{folder} has data and no provenance.")
            continue
        found += 1
        provenance = json.loads((folder / PROVENANCE).read_text())
        there = {path.name: path.stat().st_size for path in folder.glob("*.parquet")}
        rows = sum(pq.read_metadata(folder / name).num_rows for name in there)
        if there != provenance["files"] or rows != provenance["rows"]:
            sys.exit(f"{folder} is not what its provenance says.")
    return found


def _compare(one: Path, other: Path) -> int:
    """The number of equal partitions of tables; ends the program at the first that differs."""
    names = {table.name for table in TABLES} - _OF_THE_RUN
    found = [(p, how) for p, how in compare(one, other) if p.partition("/")[0] in names]
    for partition, how in found:
        if how:
            sys.exit(f"{partition} differs: {how}")
    return len(found)


if __name__ == "__main__":
    main()
