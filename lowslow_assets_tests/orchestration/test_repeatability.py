"""A partition has the same contents however, whenever and with whatever else it is made."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from lowslow_assets.detection.explanations import DAY_RULES_VERSION
from lowslow_assets.engines import spark as spark_module
from lowslow_assets.engines import workers
from lowslow_assets.settings import NOTEBOOK
from lowslow_assets_tests.orchestration.conftest import DAYS, INGEST, LAST, Project
from lowslow_assets_tests.support.lakes import assert_same_lakes


@pytest.fixture
def copy(project: Project, tmp_path: Path) -> Project:
    """The hunted lake, to be made again."""
    shutil.copytree(project.lake, tmp_path / "lake")
    return replace(project, lake=tmp_path / "lake")


def assert_same(one: Project, other: Project, tables, days) -> None:
    for table in sorted(tables):
        for day in days:
            assert one.table(table, day).equals(other.table(table, day)), (table, day)


def test_ingested_alone_and_again(project, copy):
    copy.run("ingest_range", [DAYS[3]])
    copy.run("ingest_range", DAYS[3:5])
    assert_same(project, copy, INGEST, DAYS[2:5])


def test_ingested_by_several_processes(project, copy, monkeypatch):
    monkeypatch.setattr(workers, "_BYTES_PER_WORKER", 10_000)
    copy.run("ingest_range", DAYS[3:5])
    assert_same(project, copy, INGEST, DAYS[3:5])


@pytest.fixture
def partitions(spark):
    """More partitions than tests have by default."""
    spark.conf.set("spark.sql.shuffle.partitions", "8")
    yield
    spark.conf.set("spark.sql.shuffle.partitions", "1")


@pytest.mark.spark
def test_a_day_of_many_files_holds_what_one_of_one_file_does(
    project, copy, spark_engine, partitions, monkeypatch
):
    monkeypatch.setattr(spark_module, "ROWS_PER_FILE", 100)
    on_spark = replace(copy, engine=spark_engine)
    on_spark.run("ingest_range", DAYS[3:5])
    assert_same_lakes(project.lake, copy.lake, INGEST, DAYS[3:5])
    for table in ("raw_signins", "encoded_features"):
        for day in DAYS[3:5]:
            files = (copy.lake / table / f"date={day}").glob("*.parquet")
            assert len(list(files)) > 1


def test_a_hunt_of_a_day_that_is_not_ingested_says_so(project):
    result = project.run("hunt_as_of_day", [DAYS[0].replace(month=4, day=1)], raise_on_error=False)
    assert not result.success
    [failure] = [e for e in result.get_step_failure_events() if e.step_key == "feature_baseline"]
    error = failure.step_failure_data.error
    assert error is not None
    assert "materialize category_counts" in error.message


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"lookback_days": 7}, "made with lookback_days 14, not 7"),
        ({"preset": NOTEBOOK}, "made with preset campaigns, not notebook"),
    ],
    ids=["windows", "presets"],
)
def test_a_hunt_does_not_mix_windows_or_presets(project, other, said):
    result = replace(project, **other).run(
        "hunt_as_of_day",
        [LAST],
        asset_selection=[dg.AssetKey("mixture_model")],
        raise_on_error=False,
    )
    assert not result.success
    error = result.get_step_failure_events()[0].step_failure_data.error
    assert error is not None
    assert said in error.message


@pytest.mark.parametrize("table", ["open_failures", "failure_sources"])
def test_a_hunt_does_not_read_a_day_that_other_rules_explained(copy, table):
    path = copy.lake / table / f"date={LAST}" / "_provenance.json"
    provenance = json.loads(path.read_text())
    del provenance["made_from"]["day_rules"]
    path.write_text(json.dumps(provenance))
    result = copy.run(
        "hunt_as_of_day",
        [LAST],
        asset_selection=[dg.AssetKey("explained_failures"), dg.AssetKey("suspect_failures")],
        raise_on_error=False,
    )
    assert not result.success
    error = result.get_step_failure_events()[0].step_failure_data.error
    assert error is not None
    assert f"made with day_rules None, not {DAY_RULES_VERSION}" in error.message


def test_one_of_two_tables_made_together_can_be_asked_for(copy):
    result = copy.run("ingest_range", [DAYS[0]], asset_selection=[dg.AssetKey("raw_signins")])
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert made == {"raw_signins"}


def test_a_sign_in_of_another_year_stays_out_of_the_hunt(project, copy, tmp_path):
    shutil.copytree(project.source, tmp_path / "source")
    hour = tmp_path / "source" / f"y={LAST.year}" / f"m={LAST.month:02d}" / f"d={LAST.day:02d}"
    row = {
        "Id": "stray",
        "TimeGenerated": "2000-01-01T00:00:00Z",
        "UserPrincipalName": "someone@example.com",
        "ResultType": "50126",
    }
    (hour / "h=00").mkdir(exist_ok=True)
    (hour / "h=00" / "stray.json").write_text(json.dumps(row))
    other = replace(copy, source=tmp_path / "source")
    ingested = other.run("ingest_range", [LAST])
    masks = other.run(
        "hunt_as_of_day",
        [LAST],
        asset_selection=[dg.AssetKey("feature_baseline"), dg.AssetKey("anomaly_masks")],
    )
    assert ingested.success
    assert masks.success
    assert "stray" in other.table("raw_signins", LAST)["signin_id"].to_pylist()
    assert "stray" not in other.table("anomaly_masks", LAST)["signin_id"].to_pylist()


def test_a_range_that_ends_before_it_begins_says_so(project):
    result = project.run("ingest_range", [DAYS[3], DAYS[2]], raise_on_error=False)
    assert not result.success
    error = result.get_step_failure_events()[0].step_failure_data.error
    assert error is not None
    assert "The range has no day" in error.message
