"""Spark in processes of its own, and runs of the graph that use it."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pyspark
import pytest

from lowslow_assets.platform.java import ensure_java
from lowslow_assets_tests.orchestration.conftest import DAYS, INGEST, Project

HOST = "127.0.0.1"


def free_port() -> int:
    """A port on which nothing listens."""
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def spark_program(name: str) -> str:
    """The path of one of the programs that come with Spark."""
    return str(Path(pyspark.__file__).parent / "bin" / name)


def environment_of_spark() -> dict[str, str]:
    """The variables by which those programs find this Java, this Python and its packages."""
    return {
        "JAVA_HOME": ensure_java(),
        "PYSPARK_PYTHON": sys.executable,
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "SPARK_LOCAL_IP": HOST,
    }


@contextmanager
def started(program: str, *arguments: str | Path, memory: str, log: Path) -> Iterator[None]:
    """One of Spark's daemons, for as long as the context; its output is written to ``log``."""
    environment = {**os.environ, **environment_of_spark(), "SPARK_DAEMON_MEMORY": memory}
    command = [spark_program(program), *arguments]
    with log.open("w") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
        try:
            yield
        finally:
            process.terminate()
            process.wait()


def wait_for(text: str, log: Path, times: int = 1) -> None:
    """Wait until a daemon has printed it."""
    for _ in range(300):
        if log.read_text().count(text) >= times:
            return
        time.sleep(0.2)
    pytest.fail(f"No {text!r} in a minute: {log.read_text()[-2000:]}")


def all_but_last_day_ingested(project: Project, lake: Path) -> Project:
    """The project with a lake of its own: the last day's ingest and hunt are to be made."""
    for table in INGEST:
        for day in DAYS[:-1]:
            folder = Path(table, f"date={day}")
            shutil.copytree(project.lake / folder, lake / folder)
    return replace(project, lake=lake)


def environment_of(project: Project) -> dict[str, str]:
    """The variables for the settings of the project's definitions."""
    return {
        "LOWSLOW_SOURCE": str(project.source),
        "LOWSLOW_LAKE": str(project.lake),
        "LOWSLOW_LOOKBACK_DAYS": str(project.lookback_days),
    }


def materialize(project: Project, conf: Path, selection: str, *days: str) -> None:
    """Run assets as a person would, in a process of its own, with Spark's settings from a file."""
    dagster = shutil.which("dagster", path=Path(sys.executable).parent)
    assert dagster
    environment = {
        **os.environ,
        **environment_of(project),
        "LOWSLOW_ENGINE": "spark",
        "LOWSLOW_SPARK_CONF": str(conf),
        "DAGSTER_HOME": "",
        # The run is in another time zone than Spark.
        "TZ": "Asia/Tokyo",
    }
    command = [dagster, "asset", "materialize", "-m", "lowslow_assets.definitions"]
    ran = subprocess.run(
        [*command, "--select", selection, *days],
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
