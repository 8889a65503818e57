"""The sample tenant read from a container, in each way that runs here, and from a folder.

``python -m benchmarks.azure OUT``: Azurite holds 60 days with 200,000 sign-ins, as a workspace
exports them, and the lake in another container. For each way, the command line is used as a person
would use it: what the sensor requests, the days before the last one in one run, and the last day as
it was requested. The command prints the times side by side, and every difference from the results
of the folder.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import pyarrow.dataset as ds
from azure.storage.blob import BlobType, ContainerClient

from lowslow_assets.export.workspace import export_url
from lowslow_assets.lake.stores.base import PROVENANCE
from lowslow_assets.lake.tables import ENRICHED_INCIDENTS
from lowslow_assets.orchestration.resources import SourceResource
from lowslow_assets.orchestration.sensors import new_days
from lowslow_assets.platform import azure
from lowslow_assets.platform.azure import locate
from lowslow_assets.sample_tenant import Tenant, generate
from lowslow_assets.settings import EXECUTORS, STAGED
from lowslow_assets_tests.support import azurite as emulator
from lowslow_assets_tests.support.lakes import compare

FOLDER = "folder"
TENANT = Tenant()
DAYS = [TENANT.day(offset) for offset in range(TENANT.days)]
EXPORT = locate(
    export_url("any", "aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e", "rg-security", "soc-logs")
)
UPLOADS_AT_ONCE = 16


@dataclass(frozen=True)
class Way:
    """A way from an export to a lake: Dagster's command line in its own environment."""

    name: str
    source: str
    lake: str
    home: Path

    def requests(self) -> list[dg.RunRequest]:
        """The runs that the sensor requests in its first tick."""
        resource = SourceResource(root=self.source)
        result = new_days(dg.build_sensor_context(resources={"source": resource}))
        assert isinstance(result, dg.SensorResult)
        if not result.run_requests:
            sys.exit(f"{self.name}: the sensor requests nothing: {result.skip_reason}")
        return list(result.run_requests)

    def materialize(self, *options: str) -> float:
        """Make assets with the command line; returns the seconds that it took."""
        self.home.mkdir(parents=True, exist_ok=True)
        command = [Path(sys.executable).parent / "dagster", "asset", "materialize"]
        began = time.monotonic()
        with (self.home / "log").open("ab") as log:
            done = subprocess.run(
                [*command, "-m", "lowslow_assets.definitions", *options],
                env={**os.environ, **self._environment},
                stdout=log,
                stderr=log,
            )
        if done.returncode:
            sys.exit(f"{self.name}: {' '.join(options)} failed: see {self.home / 'log'}")
        return time.monotonic() - began

    @property
    def _environment(self) -> Mapping[str, str]:
        return {
            "DAGSTER_HOME": str(self.home),
            "XDG_CACHE_HOME": str(self.home / "cache"),
            "LOWSLOW_SOURCE": self.source,
            "LOWSLOW_LAKE": self.lake,
            "LOWSLOW_START_DATE": str(DAYS[0]),
            "LOWSLOW_READ": STAGED if self.name == FOLDER else self.name,
        }


def main() -> None:
    """Run the benchmark and print what happens; the exit message says what differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.azure")
    parser.add_argument("out", type=Path, help="a folder for all that it makes, without runs")
    out = parser.parse_args().out.absolute()
    export, in_folder = out / "signins", out / FOLDER / "lake"
    signins = generate(TENANT, export, out / "labels.csv").signins
    measure(Way(FOLDER, str(export), str(in_folder), out / FOLDER))
    (out / "azurite").mkdir(exist_ok=True)
    emulator.install(out / "azurite")
    os.environ[azure.KEY] = emulator.KEY
    different, compared = [], 0
    with emulator.running(out / "azurite") as azurite:
        source = replace(EXPORT, account_url=azurite.account_url)
        container = azurite.service.create_container(source.container)
        began = time.monotonic()
        count = upload(export, container, source.prefix)
        print(f"{signins:,} sign-ins uploaded as {count:,} blobs: {time.monotonic() - began:.0f} s")
        for name in (STAGED, EXECUTORS):
            client = azurite.service.create_container(f"lowslow-{name}")
            lake = azurite.location(client.container_name, "lake").url()
            measure(Way(name, source.url(), lake, out / name))
            fetch(client, "lake/", out / name / "fetched")
            for partition, difference in compare(in_folder, out / name / "fetched"):
                compared += 1
                different += [f"{name}, {partition}: {difference}"] if difference else []
    day = f"date={DAYS[-1]}"
    incidents = ds.dataset(in_folder / ENRICHED_INCIDENTS.name / day, format="parquet").count_rows()
    print(f"{incidents} incidents; {compared} partitions compared, {len(different)} differ")
    if different:
        sys.exit("\n".join(different))


def upload(folder: Path, container: ContainerClient, prefix: str) -> int:
    """Upload an export's files to a container, as the kind of blobs that the export writes."""
    files = [path for path in folder.rglob("*") if path.is_file()]

    def put(path: Path) -> None:
        name = prefix + path.relative_to(folder).as_posix()
        container.upload_blob(name, path.read_bytes(), blob_type=BlobType.APPENDBLOB)

    with ThreadPoolExecutor(UPLOADS_AT_ONCE) as pool:
        list(pool.map(put, files))
    return len(files)


def measure(way: Way) -> None:
    """Fill an empty lake in one way, and print how long each step takes."""
    began = time.monotonic()
    requests = way.requests()
    looked = time.monotonic() - began
    days = [str(request.partition_key) for request in requests]
    earlier = f"{DAYS[0]}...{DAYS[-2]}"
    ingest = way.materialize("--select", "group:ingest", "--partition-range", earlier)
    both = "group:ingest or group:hunt"  # the job that the sensor requests
    last = way.materialize("--select", both, "--partition", days[-1])
    print(
        f"{way.name}: {looked:.1f} s for the sensor, which requests {days[0]} to {days[-1]}; "
        f"{ingest:.0f} s to ingest {earlier}; {last:.0f} s for the run of {days[-1]}",
        flush=True,
    )


def fetch(container: ContainerClient, prefix: str, folder: Path) -> None:
    """Copy what each provenance of a lake names, and nothing else, as another engine does."""
    for name in list(container.list_blob_names(name_starts_with=prefix)):
        place, _, file_name = name.rpartition("/")
        if file_name != PROVENANCE:
            continue
        for file in json.loads(container.download_blob(name).readall())["files"]:
            path = folder / place.removeprefix(prefix) / file.rpartition("/")[2]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(container.download_blob(f"{place}/{file}").readall())


if __name__ == "__main__":
    main()
