"""The same assets as one Spark job, here by spark-submit."""

from pathlib import Path

import dagster as dg
import pytest

from lowslow_assets.orchestration.spark_job import build_job_defs
from lowslow_assets.orchestration.spark_job.inside import as_sent
from lowslow_assets_tests.conftest import QUICK_JAVA
from lowslow_assets_tests.orchestration.conftest import INGEST, LAST, Project
from lowslow_assets_tests.orchestration.elsewhere import (
    all_but_last_day_ingested,
    environment_of,
    environment_of_spark,
    spark_program,
)
from lowslow_assets_tests.orchestration.test_definitions import DOCUMENTS, HUNT
from lowslow_assets_tests.support.lakes import assert_same_lakes


@pytest.fixture
def ran(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Project, dg.ExecuteInProcessResult]:
    """The last day's ingest and hunt, as one job."""
    in_job = all_but_last_day_ingested(project, tmp_path / "lake")
    for name, value in (environment_of_spark() | environment_of(in_job)).items():
        monkeypatch.setenv(name, value)
    settings = {
        "spark.master": "local[2]",
        "spark.driver.memory": "2g",
        "spark.driver.extraJavaOptions": QUICK_JAVA,
        "spark.sql.shuffle.partitions": "3",
    }
    conf = tmp_path / "job.conf"
    conf.write_text("".join(f"{name} {value}\n" for name, value in settings.items()))
    defs = build_job_defs([spark_program("spark-submit"), "--properties-file", str(conf)])
    job = defs.resolve_implicit_global_asset_job_def()
    return in_job, job.execute_in_process(partition_key=str(LAST))


@pytest.mark.spark
def test_a_job_makes_the_same_tables_and_says_what_it_made(project: Project, ran):
    in_job, result = ran
    assert_same_lakes(project.lake, in_job.lake, INGEST | HUNT - DOCUMENTS, [LAST])
    reported = {
        event.materialization.asset_key.to_user_string(): event.materialization
        for event in result.get_asset_materialization_events()
    }
    assert reported.keys() == INGEST | HUNT
    assert {materialization.partition for materialization in reported.values()} == {str(LAST)}
    for table in INGEST | HUNT - DOCUMENTS:
        rows = reported[table].metadata["dagster/partition_row_count"].value
        assert rows == project.table(table, LAST).num_rows
    clusters = reported["pruned_clusters"].metadata["clusters"]
    assert isinstance(clusters, dg.TableMetadataValue)
    assert len(clusters.records) == project.table("pruned_clusters", LAST).num_rows
    lineage = reported["encoded_features"].metadata["dagster/column_lineage"]
    assert isinstance(lineage, dg.TableColumnLineageMetadataValue)
    source = dg.TableColumnDep("raw_signins", "city")
    assert list(lineage.value.deps_by_column["city"]) == [source]


@pytest.mark.parametrize(
    ("value", "sent"),
    [
        (dg.MetadataValue.int(3), 3),
        (dg.MetadataValue.text("# three"), "# three"),
        (dg.MetadataValue.md("# three"), {"type": "md", "raw_value": "# three"}),
        (dg.MetadataValue.path("/three"), {"type": "path", "raw_value": "/three"}),
        (
            dg.MetadataValue.table([dg.TableRecord({"a": 3})]),
            {
                "type": "table",
                "raw_value": {"records": [{"a": 3}], "schema": [{"name": "a", "type": "int"}]},
            },
        ),
    ],
)
def test_metadata_keeps_its_type(value, sent):
    assert as_sent(value) == sent
