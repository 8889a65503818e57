"""A partition comes out the same however, whenever and beside whatever it is made."""

import shutil
from pathlib import Path

import dagster as dg
import pytest

from lowslow_assets_tests.graph.conftest import DAYS, LAST, Project
from lowslow_assets_tests.graph.test_definitions import DEPENDENCIES, INGEST

HUNT_TABLES = DEPENDENCIES.keys() - INGEST - {"incident_documents"}


@pytest.fixture
def copy(project: Project, tmp_path: Path) -> Project:
    """The hunted lake, to be made again."""
    shutil.copytree(project.lake, tmp_path / "lake")
    return Project(project.source, tmp_path / "lake")


def assert_same(one: Project, other: Project, tables, days) -> None:
    for table in sorted(tables):
        for day in days:
            assert one.table(table, day).equals(other.table(table, day)), (table, day)


def test_ingested_alone_again_and_with_more_partitions(project, copy, spark):
    spark.conf.set("spark.sql.shuffle.partitions", "8")
    try:
        copy.run("ingest_range", [DAYS[3]])
        copy.run("ingest_range", DAYS[3:5])
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", "1")
    assert_same(project, copy, INGEST, DAYS[2:5])


def test_hunted_in_a_range_after_its_neighbour_and_with_more_partitions(project, copy, spark):
    spark.conf.set("spark.sql.shuffle.partitions", "8")
    try:
        copy.run("hunt_as_of_day", DAYS[-2:])
    finally:
        spark.conf.set("spark.sql.shuffle.partitions", "1")
    assert_same(project, copy, HUNT_TABLES, [LAST])
    documents = [p.lake / "incident_documents" / f"date={LAST}" for p in (project, copy)]
    texts = [{path.name: path.read_text() for path in folder.iterdir()} for folder in documents]
    assert texts[0] == texts[1]


def test_a_hunt_of_a_day_that_is_not_ingested_says_so(project):
    result = project.run("hunt_as_of_day", [DAYS[0].replace(month=4, day=1)], raise_on_error=False)
    assert not result.success
    [failure] = [e for e in result.get_step_failure_events() if e.step_key == "feature_baseline"]
    error = failure.step_failure_data.error
    assert error is not None
    assert "materialize category_counts" in error.message


def test_a_hunt_does_not_mix_windows(project, copy):
    other = Project(copy.source, copy.lake, lookback_days=7)
    result = other.run(
        "hunt_as_of_day",
        [LAST],
        asset_selection=[dg.AssetKey("mixture_model")],
        raise_on_error=False,
    )
    assert not result.success
    error = result.get_step_failure_events()[0].step_failure_data.error
    assert error is not None
    assert "made with lookback_days 14, not 7" in error.message
