"""Enrichment through the graph: off by default, and a local file of indicators."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from lowslow_assets.settings import EnrichmentSettings
from lowslow_assets_tests.orchestration.conftest import LAST, Project
from lowslow_assets_tests.orchestration.test_hunt import metadata

READ = (
    "category_counts",
    "feature_baseline",
    "campaigns",
    "cluster_members",
    "cluster_statistics",
    "cluster_features",
    "pruned_clusters",
    "explained_failures",
    "incident_members",
)
MADE = ("address_reports", "enriched_incidents", "incident_documents")


def enriched(project: Project, lake: Path, settings: EnrichmentSettings) -> Project:
    """The project with its own lake, which has all tables but those that are made here."""
    for table in READ:
        for partition in (project.lake / table).glob(f"date={LAST}"):
            shutil.copytree(partition, lake / table / partition.name)
    return replace(project, lake=lake, enrichment=settings)


def make(project: Project, assets: Sequence[str] = MADE, **options) -> dg.ExecuteInProcessResult:
    keys = [dg.AssetKey(name) for name in assets]
    return project.run("hunt_as_of_day", [LAST], asset_selection=keys, **options)


def test_without_a_setting_nothing_is_looked_up(hunted, project: Project):
    assert project.table("address_reports", LAST).num_rows == 0
    said = metadata(hunted[1]["hunt"], "address_reports", LAST)
    assert said["enrichment"].startswith("off: none of LOWSLOW_INDICATORS")
    [incident] = project.table("enriched_incidents", LAST).to_pylist()
    assert (incident["addresses_looked_up"], incident["malicious_addresses"]) == (0, [])


def test_a_file_of_indicators_is_in_the_rows_the_incident_and_its_document(
    project: Project, tmp_path: Path
):
    members = project.table("incident_members", LAST).to_pandas()
    compromised = set(members[members["outcome"] == "success"]["ip_address"])
    listed = min(compromised)
    path = tmp_path / "indicators.csv"
    path.write_text(f"ip,description\n{listed},a proxy\nnot an address,\n")
    settings = EnrichmentSettings(str(path), geo_database="iptocc", addresses_per_campaign=10)
    changed = enriched(project, tmp_path / "lake", settings)
    result = make(changed)

    rows = changed.table("address_reports", LAST).to_pylist()
    of_file = {row["ip_address"]: row for row in rows if row["provider"] == "indicators"}
    assert len(of_file) == 10
    assert sorted(row["rank"] for row in of_file.values()) == list(range(1, 11))
    # The address of an entry comes first.
    assert {a for a, row in of_file.items() if row["rank"] <= len(compromised)} == compromised
    for address, row in of_file.items():
        assert row["verdict"] == ("malicious" if address == listed else "unknown")
        assert row["looked_up_at"] is not None
        assert row["error"] is None
    unplaced = set(members[members["latitude"].isna()]["ip_address"])
    placed = {row["ip_address"] for row in rows if row["provider"] == "geolocation"}
    assert placed <= unplaced & of_file.keys()

    [incident] = changed.table("enriched_incidents", LAST).to_pylist()
    assert incident["addresses_looked_up"] == 10
    known = [{"ip_address": listed, "providers": ["indicators"]}]
    assert incident["malicious_addresses"] == known
    assert f'"{listed}" (indicators).' in incident["description"]
    [plain] = project.table("enriched_incidents", LAST).to_pylist()
    assert incident["severity"] == plain["severity"]
    [document] = (changed.lake / "incident_documents" / f"date={LAST}").iterdir()
    assert json.loads(document.read_text())["malicious_addresses"] == known

    said = metadata(result, "address_reports", LAST)
    assert (said["addresses"], said["indicators"], said["indicators rejected"]) == (10, 1, 1)
    assert said["providers"].records[0].data["malicious"] == "1"


@pytest.mark.parametrize(
    "settings",
    [
        EnrichmentSettings(indicators="absent.csv"),
        EnrichmentSettings(ti_providers=["Nobody"]),
        EnrichmentSettings(geo_database="absent.mmdb"),
    ],
    ids=["indicators", "provider", "database"],
)
def test_a_wrong_setting_fails_once_in_one_sentence(
    project: Project, tmp_path: Path, settings: EnrichmentSettings
):
    changed = enriched(project, tmp_path / "lake", settings)
    result = make(changed, ["address_reports"], raise_on_error=False)
    [event] = [e for e in result.all_node_events if e.is_step_failure]
    failure = event.step_failure_data.user_failure_data
    assert failure is not None
    assert failure.description is not None
    assert failure.description.startswith("LOWSLOW_")
    assert "\n" not in failure.description
