"""The same assets with the lake in a container: ingest, hunt and retention."""

import json
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import dagster as dg
import pytest
from azure.storage.blob import ContainerClient
from dagster_azure.blob import AzureBlobStorageKeyCredential, AzureBlobStorageResource

from lowslow_assets.engines.base import Engine
from lowslow_assets.lake.lake import Lake
from lowslow_assets.lake.tables import ENRICHED_INCIDENTS
from lowslow_assets.orchestration.resources import LakeResource
from lowslow_assets.platform import azure
from lowslow_assets.platform.azure import Location
from lowslow_assets.settings import Settings
from lowslow_assets_tests.orchestration.conftest import DAYS, INGEST, LAST, Project, SharedEngine
from lowslow_assets_tests.orchestration.test_definitions import DOCUMENTS, HUNT
from lowslow_assets_tests.orchestration.test_retention import drop
from lowslow_assets_tests.support.azurite import KEY, Emulator
from lowslow_assets_tests.support.faults import FAULTS, proxy


@dataclass(frozen=True)
class InContainer(Project):
    """A project whose lake is in a container; ``lake`` is for downloads from there."""

    url: str = ""

    @property
    def settings(self) -> Settings:
        """The settings as the environment would give them."""
        return replace(super().settings, lake=self.url)

    def fetch(self, client: ContainerClient, prefix: str) -> None:
        """Download what each provenance names, and nothing else, as another engine would."""
        for name in list(client.list_blob_names()):
            if not name.endswith("/_provenance.json"):
                continue
            folder = name.rpartition("/")[0]
            for file in json.loads(client.download_blob(name).readall())["files"]:
                path = self.lake / folder.removeprefix(prefix) / file.rpartition("/")[2]
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(client.download_blob(f"{folder}/{file}").readall())


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(azure.KEY, KEY)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_lake_in_a_container_has_the_same_tables(
    project: Project, azurite: Emulator, container: Location, tmp_path: Path
) -> None:
    """The hunt's calls meet faults; with one fault in five calls it would take a minute more."""
    there = InContainer(project.source, tmp_path / "fetched", url=container.url("lake"))
    there.run("ingest_range", DAYS)
    with proxy(azurite, one_in=20) as between:
        location = between.emulator.location(container.container)
        result = replace(there, url=location.url("lake")).run("hunt_as_of_day", [LAST])
    assert {*between.done} >= {*FAULTS}
    client = azurite.service.get_container_client(container.container)
    there.fetch(client, "lake/")
    for table in sorted(INGEST):
        for day in DAYS:
            assert project.table(table, day).equals(there.table(table, day)), (table, day)
    for table in sorted(HUNT - DOCUMENTS):
        assert project.table(table, LAST).equals(there.table(table, LAST)), table
    for name in sorted(DOCUMENTS):
        theirs, ours = (folder / name / f"date={LAST}" for folder in (project.lake, there.lake))
        assert sorted(p.name for p in theirs.iterdir()) == sorted(p.name for p in ours.iterdir())
    said = [
        value.value
        for event in result.get_asset_materialization_events()
        for value in event.materialization.metadata.values()
        if isinstance(value, dg.PathMetadataValue)
    ]
    assert len(said) == len(DOCUMENTS)
    assert all(str(path).startswith(location.url("lake")) for path in said)

    drop(container.url("lake"), keep_days=3, lookback_days=5)
    names = list(client.list_blob_names(name_starts_with="lake/raw_signins/"))
    assert {name.split("/")[2] for name in names} == {f"date={day}" for day in DAYS[-3:]}


def test_a_resource_of_its_own_gives_the_credentials(
    duckdb_engine: Engine,
    azurite: Emulator,
    container: Location,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.delenv(azure.KEY)
    monkeypatch.setenv("ANOTHER_KEY", KEY)
    lake = Lake(container.url("lake"), duckdb_engine, azurite.storage)
    lake.write_rows(ENRICHED_INCIDENTS, [], LAST, {})
    storage = AzureBlobStorageResource(
        account_url=azurite.account_url,
        credential=AzureBlobStorageKeyCredential(key=dg.EnvVar("ANOTHER_KEY")),
    )
    found: list[date] = []

    @dg.asset
    def reader(lake: LakeResource) -> None:
        found.extend(lake.open().days(ENRICHED_INCIDENTS))

    resource = LakeResource(
        root=container.url("lake"), engine=SharedEngine.of_tests(duckdb_engine), storage=storage
    )
    assert dg.materialize([reader], resources={"lake": resource}).success
    assert found == [LAST]
