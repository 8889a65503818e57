"""Sign-ins from Microsoft Graph through the sensor, a day's partition and a first look."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from lowslow_assets.engines.base import Engine
from lowslow_assets.orchestration.definitions import build_defs
from lowslow_assets.orchestration.resources import SourceResource
from lowslow_assets.orchestration.sensors import new_days
from lowslow_assets.sample_tenant import Tenant
from lowslow_assets.sample_tenant.facts import facts_of
from lowslow_assets.sample_tenant.schemas import diagnostic
from lowslow_assets.sample_tenant.traffic import draw
from lowslow_assets.settings import Settings
from lowslow_assets_tests.orchestration.conftest import SharedEngine
from lowslow_assets_tests.signins.test_forms import graph
from lowslow_assets_tests.support.graph import TOKEN, Graph, serve
from lowslow_assets_tests.support.lakes import sorted_rows

TODAY = datetime.now(UTC).date()
# The day before yesterday has been over long enough at any hour of the test.
TENANT = Tenant(
    seed=3, start=TODAY - timedelta(days=3), days=2, users=40, signins_per_day=80, duplicates=0.0
)
LAST = TENANT.day(1)


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Graph with the sign-ins of a small tenant, page by page."""
    monkeypatch.setenv("LOWSLOW_GRAPH_TOKEN", TOKEN)
    records = [graph(json.loads(diagnostic(fact))) for fact in facts_of(*draw(TENANT))]
    with serve(Graph(records, most_of_page=30)) as url:
        yield url


def test_the_sensor_requests_the_days_that_graph_has(url: str):
    def tick(cursor: str | None = None) -> dg.SensorResult:
        context = dg.build_sensor_context(
            cursor=cursor, resources={"source": SourceResource(root=url)}
        )
        result = new_days(context)
        assert isinstance(result, dg.SensorResult)
        return result

    first = tick()
    assert first.run_requests
    days = [request.partition_key for request in first.run_requests]
    assert days == [str(TENANT.day(number)) for number in range(2)]
    assert not tick(first.cursor).run_requests


def test_a_days_partition_is_made_of_what_graph_has(
    url: str, tmp_path: Path, duckdb_engine: Engine
):
    defs = build_defs(Settings(url, str(tmp_path)), SharedEngine.of_tests(duckdb_engine))
    tags = {
        "dagster/asset_partition_range_start": str(TENANT.start),
        "dagster/asset_partition_range_end": str(LAST),
    }
    quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    job = defs.resolve_job_def("ingest_range")
    assert job.execute_in_process(tags=tags, run_config=quiet).success
    rows = [
        row
        for number in range(2)
        for row in sorted_rows(tmp_path / "raw_signins" / f"date={TENANT.day(number)}").to_pylist()
    ]
    assert len({row["signin_id"] for row in rows}) == len(list(facts_of(*draw(TENANT)))) > 100
    assert {row["copies"] for row in rows} == {1}
    assert not sorted_rows(tmp_path / "rejected_signins" / f"date={LAST}").num_rows


def test_a_first_look_takes_graph_in_place_of_files(url: str, tmp_path: Path):
    def look(token: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "lowslow_assets.first_look", url],
            cwd=tmp_path,
            env={**os.environ, "DAGSTER_HOME": "", "LOWSLOW_GRAPH_TOKEN": token},
            capture_output=True,
            text=True,
            check=False,
        )

    ran = look(TOKEN)
    assert not ran.returncode, ran.stderr
    assert "Read 2 file(s)" in ran.stdout
    assert f"sign-ins from {TENANT.start} to {LAST}" in ran.stdout
    refused = look("another")
    assert refused.returncode == 1
    assert refused.stderr.startswith(f"LOWSLOW_SOURCE {url!r} cannot be read: ")
    assert refused.stderr.count("\n") == 1
