"""The same assets on a cluster: a master and two workers that share only the lake."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pyspark
import pytest

from lowslow_assets.java import ensure_java
from lowslow_assets_tests.graph.conftest import DAYS, INGEST, LAST, Project
from lowslow_assets_tests.graph.test_definitions import DOCUMENTS, HUNT

HOST = "127.0.0.1"
DEPLOY = "org.apache.spark.deploy"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """The address of a cluster of two workers with a core each."""
    with closing(socket.socket()) as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    address = f"spark://{HOST}:{port}"
    environment = {
        **os.environ,
        "JAVA_HOME": ensure_java(),
        "SPARK_LOCAL_IP": HOST,
        "SPARK_DAEMON_MEMORY": "256m",
    }
    spark_class = str(Path(pyspark.__file__).parent / "bin" / "spark-class")
    master = [f"{DEPLOY}.master.Master", "--host", HOST, "--port", str(port), "--webui-port", "0"]
    worker = [f"{DEPLOY}.worker.Worker", address, "--cores", "1", "--memory", "1g"]
    with ExitStack() as running:
        for number, command in enumerate([master, worker, worker]):
            own = [] if number == 0 else ["--webui-port", "0", "--work-dir", tmp_path / f"{number}"]
            log = running.enter_context((tmp_path / f"daemon-{number}.log").open("w"))
            process = subprocess.Popen(
                [spark_class, *command, *own], env=environment, stdout=log, stderr=log
            )
            running.callback(process.wait)
            running.callback(process.terminate)
        said = tmp_path / "daemon-0.log"
        for _ in range(300):
            if said.read_text().count("Registering worker") == 2:
                break
            time.sleep(0.2)
        else:
            pytest.fail(f"The cluster did not start: {said.read_text()[-2000:]}")
        yield address


def test_a_cluster_makes_the_same_tables(project: Project, cluster: str, tmp_path: Path) -> None:
    conf = tmp_path / "spark.conf"
    conf.write_text(
        f"spark.master {cluster}\nspark.executor.memory 1g\nspark.driver.memory 1g\n"
        "spark.sql.shuffle.partitions 3\n"
    )
    on_cluster = Project(project.source, tmp_path / "lake")
    dagster = shutil.which("dagster", path=Path(sys.executable).parent)
    assert dagster
    environment = {
        **os.environ,
        "LOWSLOW_SOURCE": str(project.source),
        "LOWSLOW_LAKE": str(on_cluster.lake),
        "LOWSLOW_LOOKBACK_DAYS": str(project.lookback_days),
        "LOWSLOW_SPARK_CONF": str(conf),
        "DAGSTER_HOME": "",
    }
    for group, days in (
        ("ingest", ["--partition-range", f"{DAYS[0]}...{LAST}"]),
        ("hunt", ["--partition", str(LAST)]),
    ):
        command = [dagster, "asset", "materialize", "-m", "lowslow_assets.definitions"]
        ran = subprocess.run(
            [*command, "--select", f"group:{group}", *days],
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    # It was the workers that did it.
    assert all(list((tmp_path / number).glob("app-*")) for number in "12")
    for table in sorted(INGEST):
        for day in DAYS:
            assert project.table(table, day).equals(on_cluster.table(table, day)), (table, day)
    for table in sorted(HUNT - DOCUMENTS):
        assert project.table(table, LAST).equals(on_cluster.table(table, LAST)), table
