"""A small tenant through the whole graph."""

import json

import numpy as np
import pandas as pd
import pytest

from lowslow_assets.detection.explanations import EXPLANATIONS
from lowslow_assets.detection.masks import mask_bits
from lowslow_assets.detection.mixture import fit_by_births, fit_by_restarts
from lowslow_assets.detection.patterns import MODEL_PROPERTIES
from lowslow_assets.lake.tables import (
    ENRICHED_INCIDENTS,
    FEATURES,
    NOTEBOOK_FEATURES,
    PRUNED_CLUSTERS,
)
from lowslow_assets_tests.orchestration.conftest import DAYS, LAST, MISSING, Project
from lowslow_assets_tests.support.notebook_parity import compare
from lowslow_assets_tests.support.notebook_parity import main as print_comparison


def labels(project: Project) -> pd.DataFrame:
    return pd.read_csv(project.source.parent / "labels" / "labels.csv")


def metadata(result, asset: str, day) -> dict:
    [found] = [
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.partition == str(day) and event.asset_key.to_user_string() == asset
    ]
    return {key: value.value for key, value in found.metadata.items()}


@pytest.mark.parametrize("of", ["project", "notebook"])
def test_masks_and_thresholds_equal_a_plain_computation(of: str, request):
    hunted_with = request.getfixturevalue(of)
    report = compare(hunted_with.lake, LAST, len(DAYS))
    assert report.preset == hunted_with.preset
    assert report.failures > 400
    assert report.anomalous_categories > 0
    assert report.threshold_difference < 1e-9
    assert report.category_differences == 0
    assert report.mask_differences == 0
    # The notebook's patterns are the masks of all failures; ours are suspects' properties.
    assert report.pattern_differences == (0 if of == "notebook" else None)


@pytest.mark.parametrize("of", ["project", "notebook"])
def test_the_comparison_says_what_it_did_not_compare(of: str, request, capsys):
    print_comparison(str(request.getfixturevalue(of).lake), str(LAST), str(len(DAYS)))
    said = capsys.readouterr().out
    assert "mask_differences: 0\n" in said
    assert ("pattern_differences: 0\n" in said) == (of == "notebook")
    assert ("Patterns were not compared" in said) == (of == "project")
    assert ("preset campaigns" in said) == (of == "project")


def fit_table(project: Project) -> pd.DataFrame:
    """The table ``mixture_model`` as feature by component."""
    rows = project.table("mixture_model", LAST).to_pandas()
    return rows.pivot(index="feature", columns="component", values=["alpha", "beta", "weight"])


def test_the_notebooks_fit_is_the_best_of_ten_starts_with_ten_components(notebook):
    patterns = notebook.table("mask_patterns", LAST).to_pandas().sort_values("mask")
    masks, counts = patterns["mask"].tolist(), patterns["failures"]
    bits = mask_bits(masks, len(NOTEBOOK_FEATURES))
    fit, _ = fit_by_restarts(bits, counts.to_numpy(), components=10, restarts=10, seed=0)
    found = fit_table(notebook)
    np.testing.assert_array_equal(found["alpha"].loc[[*NOTEBOOK_FEATURES]], fit.alpha)
    np.testing.assert_array_equal(found["beta"].loc[[*NOTEBOOK_FEATURES]], fit.beta)
    np.testing.assert_array_equal(found["weight"].iloc[0], fit.weights)


def test_the_notebooks_clusters_follow_its_rules(notebook):
    clusters = notebook.table("pruned_clusters", LAST).to_pandas().set_index("cluster_id")
    assert sorted(clusters.index) == sorted(clusters["component"]) == list(range(10))
    kept = clusters[clusters["kept"]]
    assert len(kept) >= 1
    assert (kept["anomalous_features"].str.len() >= 2).all()
    assert (kept["failures"] >= len(DAYS)).all()
    members = notebook.table("cluster_members", LAST).to_pandas()
    assert members.groupby("cluster_id").size().to_dict() == kept["failures"].to_dict()
    assert (members["assignment_probability"] >= 0.4).all()
    # It explains no failure, and follows no success.
    assert notebook.table("explained_failures", LAST).num_rows == 0
    assert notebook.table("suspect_failures", LAST).num_rows == 0
    incidents = notebook.table("incident_members", LAST).to_pandas()
    # Wrong passwords, and expired ones.
    assert set(incidents["outcome"]) <= {"failure", "stopped"}
    assert set(incidents["result_type"]) <= {"50126", "50055"}
    assert set(incidents["signin_id"]) == set(members["signin_id"])


def test_our_own_fit_is_that_of_the_suspects_properties(project):
    suspects = project.table("suspect_failures", LAST).to_pandas()
    counts = suspects.groupby("pattern").size()
    patterns = project.table("mask_patterns", LAST).to_pandas().set_index("mask")["failures"]
    assert patterns.to_dict() == counts.to_dict()
    fit, _ = fit_by_births(
        mask_bits(counts.index.tolist(), len(MODEL_PROPERTIES)), counts.to_numpy()
    )
    found = fit_table(project)
    np.testing.assert_array_equal(found["alpha"].loc[[*MODEL_PROPERTIES]], fit.alpha)
    np.testing.assert_array_equal(found["weight"].iloc[0], fit.weights)


def test_every_attempt_is_explained_or_suspect(project):
    groups = project.table("explained_failures", LAST).to_pandas()
    totals = groups[groups["example"].isna()].set_index("explanation")["failures"]
    outcomes = [
        outcome
        for day in DAYS
        for outcome in project.table("encoded_features", day)["outcome"].to_pylist()
    ]
    attempts = sum(outcome not in ("success", "other") for outcome in outcomes)
    assert totals.sum() + project.table("suspect_failures", LAST).num_rows == attempts
    assert set(totals.index) <= EXPLANATIONS.keys()
    assert totals["resolved"] > 0
    # A row for a group does not count in addition to the row for all.
    examples = groups.dropna(subset="example").groupby("explanation")["failures"].sum()
    assert (examples <= totals[examples.index]).all()
    assert groups["reason"].str.len().gt(0).all()


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


def test_outcomes_add_up(hunted):
    seen = metadata(hunted[1]["ingest"], "encoded_features", LAST)
    outcomes = [
        seen[name] for name in ("successes", "failures", "stopped", "refused", "other outcomes")
    ]
    assert all(outcomes[:2])
    assert sum(outcomes) == seen["dagster/partition_row_count"]


def test_the_spray_is_one_incident_and_the_only_one(project):
    incidents = project.table("enriched_incidents", LAST).to_pandas()
    assert len(incidents) == 1
    [incident] = incidents.to_dict("records")
    assert incident["severity"] == "High"
    assert list(incident["techniques"]) == ["T1110.003"]
    assert all(test["passed"] for test in incident["tests"])
    members = project.table("incident_members", LAST).to_pandas()
    attempts = members[members["outcome"] != "success"]
    assert set(members["incident_id"]) == {incident["incident_id"]}
    assert len(attempts) == incident["attempts"]
    spray = set(labels(project).query("label == 'spray_failure'")["signin_id"])
    found = spray & set(attempts["signin_id"])
    assert len(found) >= 0.9 * len(spray)
    assert len(found) >= 0.9 * len(attempts)


def test_compromised_accounts_are_named_with_the_evidence(project):
    [campaign] = json.loads((project.source.parent / "labels" / "campaigns.json").read_text())
    compromised = set(campaign["accounts_compromised"])
    assert len(compromised) == 3
    members = project.table("incident_members", LAST).to_pandas()
    successes = members[members["outcome"] == "success"]
    of_spray = set(labels(project).query("label == 'spray_success'")["signin_id"])
    named = set(successes["user"])
    assert len(named & compromised) >= 2
    assert len(named - compromised) <= 1
    assert len(of_spray & set(successes["signin_id"])) >= 0.6 * len(successes)
    assert (successes["score"] >= 0.5).all()
    assert successes["evidence"].str.startswith("from a network new to the user").all()
    assert members[members["outcome"] != "success"]["evidence"].isna().all()
    assert members[members["outcome"] != "success"]["exported"].isna().all()
    for day, own in successes.groupby("exported"):
        encoded = project.table("encoded_features", day).to_pandas()
        assert set(own["signin_id"]) <= set(encoded["signin_id"])

    [incident] = project.table("enriched_incidents", LAST).to_pylist()
    assert incident["compromised_users"] == [entry["user"] for entry in incident["entries"]]
    assert set(incident["compromised_users"]) == named
    assert incident["successes"] == len(successes)
    likelihood = [entry["probability"] for entry in incident["entries"]]
    assert likelihood == sorted(likelihood, reverse=True)
    for entry in incident["entries"]:
        own = successes[successes["user"] == entry["user"]]
        assert entry["probability"] == own["score"].max()
        assert entry["successes"] == len(own)
        assert entry["first_success"] == own["time_generated"].min()
        assert entry["exported"] == own["exported"].min()
        assert entry["evidence"] in set(own["evidence"])
        assert entry["evidence"] in incident["description"]


def test_members_are_failures_of_kept_clusters_with_enough_probability(project):
    members = project.table("cluster_members", LAST).to_pandas()
    clusters = project.table(PRUNED_CLUSTERS.name, LAST).to_pandas().set_index("cluster_id")
    assert (members["assignment_probability"] >= 0.4).all()
    assert members.groupby("cluster_id").size().to_dict() == (
        clusters.query("kept")["failures"].to_dict()
    )
    assert clusters["reason"].str.len().gt(0).all()


def test_suspects_are_in_a_cluster_or_counted_as_outside(project, hunted):
    clusters = project.table(PRUNED_CLUSTERS.name, LAST).to_pylist()
    seen = metadata(hunted[1]["hunt"], "pruned_clusters", LAST)
    in_clusters = sum(cluster["failures"] for cluster in clusters)
    suspects = project.table("suspect_failures", LAST).num_rows
    assert seen["suspects in no cluster"] == suspects - in_clusters


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


def test_the_detection_limit_says_what_would_be_missed(project):
    result = project.run("detection_limit_as_of_day", [LAST])
    rows = project.table("detection_limit", LAST).to_pylist()
    assert len({(row["kind"], row["attempts_per_day"]) for row in rows}) == len(rows) == 30
    found = {(row["kind"], row["attempts_per_day"]): row["found_after_days"] for row in rows}
    assert found["invented clients", 16] == 10
    assert found["common clients, in your cities", 1] is None
    known = {row["kind"]: row["known_passwords"] for row in rows if row["known_passwords"]}
    assert known["invented clients"] == 1
    assert known["common clients, from one server"] == 1
    seen = metadata(result, "detection_limit", LAST)
    assert "of the right passwords that something stops, 100% are named" in seen["in words"]
    assert "invented clients is found from" in seen["in words"]
    assert "data:image/png;base64," in seen["days to detection"]
