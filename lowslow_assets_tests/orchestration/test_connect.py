"""The same assets over Spark Connect: a session on a server that shares only source and lake."""

from collections.abc import Iterator
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

SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """The address of a server of Spark Connect."""
    port = free_port()
    settings = {
        "spark.master": "local[2]",
        "spark.driver.extraJavaOptions": QUICK_JAVA,
        "spark.ui.enabled": "false",
        "spark.local.dir": str(tmp_path),
        "spark.connect.grpc.binding.address": HOST,
        "spark.connect.grpc.binding.port": str(port),
    }
    conf, log = tmp_path / "server.conf", tmp_path / "server.log"
    conf.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    command = ["spark-submit", "--properties-file", conf, "--class", SERVER]
    with started(*command, memory="2g", log=log):
        wait_for("Spark Connect server started", log)
        yield f"sc://{HOST}:{port}"


def test_a_server_makes_the_same_tables(project: Project, server: str, tmp_path: Path) -> None:
    conf = tmp_path / "spark.conf"
    conf.write_text(f"spark.remote {server}\nspark.sql.shuffle.partitions 3\n")
    over_connect = all_but_last_day_ingested(project, tmp_path / "lake")
    materialize(over_connect, conf, "group:ingest or group:hunt", "--partition", str(LAST))
    # The server did the work.
    assert "Closing session" in (tmp_path / "server.log").read_text()
    assert_same_lakes(project.lake, over_connect.lake, INGEST | HUNT - DOCUMENTS, [LAST])
