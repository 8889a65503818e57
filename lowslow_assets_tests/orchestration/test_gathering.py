"""A campaign through the graph that people's cities hide: what its sources show to be its own."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from lowslow_assets.engines.base import Engine
from lowslow_assets.lake.tables import FEATURES
from lowslow_assets.sample_tenant import Campaign, Tenant, generate
from lowslow_assets_tests.orchestration.conftest import INGEST, Project
from lowslow_assets_tests.orchestration.test_hunt import labels

# From rented servers in the cities of the tenant's people, with the systems that people have. There
# are so many servers that some prefixes try too few accounts to be known as those of a spray.
RENTED = Campaign(
    "rented", rate=25, clients="common", sources="rented", addresses=320, places="home"
)
TENANT = Tenant(seed=11, days=14, users=150, signins_per_day=350, campaigns=(RENTED,))
DAYS = [TENANT.start + timedelta(days=n) for n in range(TENANT.days)]
LAST = DAYS[-1]


@pytest.fixture(scope="module")
def hunted(duckdb_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """All days ingested, then a hunt as of the last; tests read the project's lake."""
    root = tmp_path_factory.mktemp("rented")
    generate(TENANT, root / "signins", root / "labels" / "labels.csv")
    project = Project(root / "signins", root / "lake", engine=duckdb_engine)
    project.run("ingest_range", DAYS)
    project.run("hunt_as_of_day", [LAST])
    return project


@pytest.fixture(scope="module")
def explained(hunted: Project) -> pd.DataFrame:
    """The campaign's attempts that are explained by what its victims do, in the order of time."""
    spray = set(labels(hunted).query("label == 'spray_failure'")["signin_id"])
    attempts = pd.concat(hunted.table("open_failures", day).to_pandas() for day in DAYS)
    spray -= set(hunted.table("suspect_failures", LAST)["signin_id"].to_pylist())
    found = attempts.query("signin_id in @spray")
    assert len(found) >= 10
    groups = hunted.table("explained_failures", LAST).to_pandas()
    own_device = groups[groups["explanation"] == "own device"]["example"].dropna()
    assert set(own_device) & set(found["user"])
    return found.sort_values("time_generated")


def members(project: Project) -> pd.DataFrame:
    return project.table("cluster_members", LAST).to_pandas().set_index("signin_id")


def gathered(project: Project) -> pd.DataFrame:
    """The members that have the probability of what is gathered; no suspect's is that exactly."""
    return members(project).query("assignment_probability == 0.5")


def test_explained_attempts_from_a_campaigns_own_sources_are_its_members(
    hunted: Project, explained: pd.DataFrame
) -> None:
    assert members(hunted).index.is_unique
    found = gathered(hunted)
    assert set(explained["signin_id"]) <= set(found.index)
    # The others are suspects of no kept cluster.
    spray = set(labels(hunted).query("label == 'spray_failure'")["signin_id"])
    suspects = set(hunted.table("suspect_failures", LAST)["signin_id"].to_pylist())
    others = set(found.index) - set(explained["signin_id"])
    assert others
    assert others <= suspects & spray


def test_a_gathered_attempt_has_the_mask_of_its_features(hunted: Project) -> None:
    """Each category has the bit that it has among the sign-ins of the hunt's own day."""
    masks = hunted.table("anomaly_masks", LAST).to_pandas().set_index("signin_id")["mask"]
    today = hunted.table("encoded_features", LAST).to_pandas().set_index("signin_id")
    today = today.loc[masks.index]
    found = gathered(hunted)
    compared = 0
    for number, feature in enumerate(FEATURES):
        bits = dict(zip(today[feature], masks.to_numpy() >> number & 1, strict=True))
        for category, mask in zip(found[feature], found["mask"], strict=True):
            if category in bits:
                assert mask >> number & 1 == bits[category]
                compared += 1
    assert compared >= 5 * len(found)


def test_the_incident_counts_what_was_gathered_and_the_verdict_does_not(
    hunted: Project, explained: pd.DataFrame
) -> None:
    [incident] = hunted.table("enriched_incidents", LAST).to_pylist()
    [kept] = [row for row in hunted.table("pruned_clusters", LAST).to_pylist() if row["kept"]]
    assert incident["attempts"] == len(members(hunted))
    assert incident["attempts"] == kept["failures"] + len(gathered(hunted))
    of_incident = set(hunted.table("incident_members", LAST)["signin_id"].to_pylist())
    assert set(explained["signin_id"]) <= of_incident


def test_what_a_known_source_explains_is_not_gathered(
    hunted: Project, explained: pd.DataFrame, tmp_path: Path
) -> None:
    """Two of the accounts are the organisation's own test."""
    accounts = explained["user"].drop_duplicates().tolist()[:2]
    file = tmp_path / "known.toml"
    file.write_text(f'[[known]]\nreason = "a test"\nend = {LAST}\naccounts = {accounts}\n')
    for table in INGEST:
        shutil.copytree(hunted.lake / table, tmp_path / "lake" / table)
    known = replace(hunted, lake=tmp_path / "lake", known_sources=str(file))
    known.run("hunt_as_of_day", [LAST])
    found = members(known)
    assert not set(accounts) & set(found["user"])
    others = explained[~explained["user"].isin(accounts)]
    assert set(others["signin_id"]) == set(found.index) & set(explained["signin_id"])
