"""A small tenant through the whole graph."""

import json

import pandas as pd
import pytest

from lowslow_assets.signins.features import FEATURES
from lowslow_assets.tables import ENRICHED_INCIDENTS, PRUNED_CLUSTERS
from lowslow_assets_tests.graph.conftest import DAYS, LAST, MISSING, Project
from lowslow_assets_tests.parity import compare


def labels(project: Project) -> pd.DataFrame:
    return pd.read_csv(project.source.parent / "labels" / "labels.csv")


def metadata(result, asset: str, day) -> dict:
    events = result.asset_materializations_for_node(
        "ingest_signins" if asset in ("raw_signins", "rejected_signins") else asset
    )
    [found] = [
        event
        for event in events
        if event.partition == str(day) and event.asset_key.to_user_string() == asset
    ]
    return {key: value.value for key, value in found.metadata.items()}


def test_masks_and_thresholds_equal_a_plain_computation(project):
    report = compare(project.lake, LAST, len(DAYS))
    assert report.failures > 400
    assert report.anomalous_categories > 0
    assert report.threshold_difference < 1e-9
    assert report.category_differences == 0
    assert report.mask_differences == 0
    assert report.pattern_differences == 0


def test_every_line_of_the_export_is_accounted_for(hunted, project):
    for day in (DAYS[0], LAST):
        seen = metadata(hunted[1]["ingest"], "raw_signins", day)
        folder = project.source / f"y={day.year}" / f"m={day.month:02d}" / f"d={day.day:02d}"
        files = list(folder.rglob("*.json"))
        lines = sum(len(path.read_bytes().splitlines()) for path in files)
        assert seen["files"] == len(files)
        assert seen["rows in"] == lines
        assert seen["rows in"] == seen["rows out"] + seen["duplicates"] + seen["rejected"]
        assert seen["rows out"] == project.table("raw_signins", day).num_rows


def test_a_missing_day_is_an_empty_partition_that_warns(hunted, project):
    assert project.table("raw_signins", MISSING).num_rows == 0
    assert metadata(hunted[1]["hunt"], "feature_baseline", LAST)["days without sign-ins"] == 1
    [check] = hunted[1]["ingest"].get_asset_check_evaluations()
    assert not check.passed
    assert set(check.metadata["days"].value) == {str(MISSING)}


def test_outcomes_add_up(hunted):
    seen = metadata(hunted[1]["ingest"], "encoded_features", LAST)
    outcomes = (seen["successes"], seen["failures"], seen["other outcomes"])
    assert all(outcomes)
    assert sum(outcomes) == seen["dagster/partition_row_count"]


def test_the_spray_is_found(project):
    members = project.table("incident_members", LAST).to_pandas()
    incidents = project.table("enriched_incidents", LAST).to_pandas().set_index("incident_id")
    labelled = members.merge(labels(project), how="left", on="signin_id")
    spray = labels(project).query("label == 'spray_failure'")
    of_spray = labelled.query("label == 'spray_failure'").groupby("incident_id").size()
    best = of_spray.idxmax()
    assert of_spray.max() >= 0.8 * len(spray)
    assert incidents.loc[best, "severity"] in ("High", "Medium")
    assert incidents.loc[best, "techniques"].tolist() == ["T1110.003"]


def test_members_are_failures_of_kept_clusters_with_enough_probability(project):
    members = project.table("cluster_members", LAST).to_pandas()
    clusters = project.table(PRUNED_CLUSTERS.name, LAST).to_pandas().set_index("cluster_id")
    assert (members["assignment_probability"] >= 0.4).all()
    assert members.groupby("cluster_id").size().to_dict() == (
        clusters.query("kept")["failures"].to_dict()
    )
    assert clusters["reason"].str.len().gt(0).all()


def test_incident_documents_say_what_the_table_says(project):
    incidents = project.table(ENRICHED_INCIDENTS.name, LAST).to_pylist()
    folder = project.lake / "incident_documents" / f"date={LAST}"
    documents = [json.loads(path.read_text()) for path in folder.glob("*.json")]
    assert {d["incident_id"] for d in documents} == {i["incident_id"] for i in incidents}
    by_id = {document["incident_id"]: document for document in documents}
    for incident in incidents:
        document = by_id[incident["incident_id"]]
        assert document["hunt_date"] == str(LAST)
        assert document["attempts"] == incident["attempts"]
        assert document["first_activity"].startswith(str(incident["first_activity"].date()))


def test_exports_count_every_success_once(project):
    baseline = project.table("feature_baseline", LAST).to_pylist()
    successes = baseline[0]["successes"]
    for table in ("success_hours", "success_weekdays", "success_hours_of_day", "success_locations"):
        assert sum(project.table(table, LAST)["successes"].to_pylist()) == successes
    assert project.table("success_sample", LAST).num_rows == min(successes, 10_000)
    assert [row["feature"] for row in baseline] == sorted(FEATURES)


@pytest.mark.parametrize(
    ("asset", "pictures"),
    [
        ("mixture_model", {"ELBO trace", "component weights", "anomaly probabilities"}),
        ("enriched_incidents", {"attempts by day"}),
    ],
)
def test_pictures_are_in_the_metadata_and_small(hunted, asset, pictures):
    seen = metadata(hunted[1]["hunt"], asset, LAST)
    for picture in pictures:
        assert "data:image/png;base64," in seen[picture]
        assert len(seen[picture]) < 100_000
