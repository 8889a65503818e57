"""The whole graph on both engines: the same tables, and lakes that either one continues."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from lowslow_assets.engines.base import Engine
from lowslow_assets.settings import NOTEBOOK
from lowslow_assets_tests.orchestration.conftest import DAYS, INGEST, LAST, Project
from lowslow_assets_tests.orchestration.elsewhere import all_but_last_day_ingested
from lowslow_assets_tests.orchestration.test_definitions import DOCUMENTS, HUNT
from lowslow_assets_tests.support.lakes import assert_same_lakes

pytestmark = pytest.mark.spark


@pytest.fixture(scope="module")
def on_spark(
    project: Project, spark_engine: Engine, tmp_path_factory: pytest.TempPathFactory
) -> Project:
    """The small tenant, ingested and hunted as ``project`` was, on Spark."""
    made = replace(project, lake=tmp_path_factory.mktemp("spark-lake"), engine=spark_engine)
    assert made.run("ingest_range", DAYS).success
    assert made.run("hunt_as_of_day", [LAST]).success
    return made


def test_both_engines_ingest_the_same(project: Project, on_spark: Project):
    assert_same_lakes(project.lake, on_spark.lake, INGEST, DAYS)


def test_both_engines_hunt_the_same(project: Project, on_spark: Project):
    assert_same_lakes(project.lake, on_spark.lake, HUNT - DOCUMENTS, [LAST])
    for name in ("incident_documents", "rule_documents"):
        one, other = (
            {path.name: path.read_text() for path in (p.lake / name / f"date={LAST}").iterdir()}
            for p in (project, on_spark)
        )
        assert one.keys() == other.keys()
        assert name != "rule_documents" or one == other


def test_both_engines_hunt_the_notebooks_way_alike(
    notebook: Project, spark_engine: Engine, tmp_path: Path
):
    for table in INGEST:
        shutil.copytree(notebook.lake / table, tmp_path / table)
    made = replace(notebook, lake=tmp_path, preset=NOTEBOOK, engine=spark_engine)
    assert made.run("hunt_as_of_day", [LAST]).success
    assert_same_lakes(notebook.lake, made.lake, HUNT - DOCUMENTS, [LAST])


def test_duckdb_continues_a_lake_of_spark(project: Project, on_spark: Project, tmp_path: Path):
    """The other direction is in test_cluster.py, test_connect.py and test_spark_job.py."""
    after = replace(project, lake=all_but_last_day_ingested(on_spark, tmp_path).lake)
    assert after.run("ingest_and_hunt", [LAST]).success
    assert_same_lakes(project.lake, after.lake, INGEST, [LAST])
    assert_same_lakes(project.lake, after.lake, HUNT - DOCUMENTS, [LAST])
