"""The same assets on a cluster: a master and two workers that share only the lake."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lowslow_assets_tests.conftest import QUICK_JAVA
from lowslow_assets_tests.orchestration.conftest import INGEST, LAST, Project
from lowslow_assets_tests.orchestration.elsewhere import (
    HOST,
    all_but_last_day_ingested,
    free_port,
    materialize,
    started,
    wait_for,
)
from lowslow_assets_tests.orchestration.test_definitions import DOCUMENTS, HUNT
from lowslow_assets_tests.support.lakes import assert_same_lakes

pytestmark = pytest.mark.spark

DEPLOY = "org.apache.spark.deploy"


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[str]:
    """The address of a cluster of two workers with a core each."""
    port = str(free_port())
    address = f"spark://{HOST}:{port}"
    master = [f"{DEPLOY}.master.Master", "--host", HOST, "--port", port, "--webui-port", "0"]
    worker = [f"{DEPLOY}.worker.Worker", address, "--cores", "1", "--memory", "1g"]
    logs = [tmp_path / f"daemon-{number}.log" for number in range(3)]
    with ExitStack() as running:
        running.enter_context(started("spark-class", *master, memory="256m", log=logs[0]))
        for number in (1, 2):
            own = ["--webui-port", "0", "--work-dir", tmp_path / f"{number}"]
            command = ["spark-class", *worker, *own]
            running.enter_context(started(*command, memory="256m", log=logs[number]))
        wait_for("Registering worker", logs[0], times=2)
        yield address


def test_a_cluster_makes_the_same_tables(project: Project, cluster: str, tmp_path: Path) -> None:
    conf = tmp_path / "spark.conf"
    settings = {
        "spark.master": cluster,
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": QUICK_JAVA,
        "spark.executor.memory": "1g",
        "spark.executor.extraJavaOptions": QUICK_JAVA,
        "spark.sql.shuffle.partitions": "3",
    }
    conf.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    on_cluster = all_but_last_day_ingested(project, tmp_path / "lake")
    materialize(on_cluster, conf, "group:ingest or group:hunt", "--partition", str(LAST))
    # The workers did the work.
    assert all(list((tmp_path / number).glob("app-*")) for number in "12")
    assert_same_lakes(project.lake, on_cluster.lake, INGEST | HUNT - DOCUMENTS, [LAST])
