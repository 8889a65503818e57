"""A small tenant, ingested once and hunted once per preset, and helpers to run more on it."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any, ClassVar

import dagster as dg
import pyarrow as pa
import pytest

from lowslow_assets.engines.base import Engine
from lowslow_assets.orchestration.definitions import build_defs
from lowslow_assets.orchestration.resources import EngineResource
from lowslow_assets.sample_tenant import Campaign, Tenant, generate
from lowslow_assets.settings import CAMPAIGNS, NOTEBOOK, EnrichmentSettings, Settings
from lowslow_assets_tests.support.lakes import sorted_rows

TENANT = Tenant(
    seed=11,
    days=14,
    users=150,
    signins_per_day=350,
    campaigns=(Campaign(name="classic", rate=25, successes=3),),
    missing_days=(5,),
)
DAYS = [TENANT.start + timedelta(days=n) for n in range(TENANT.days)]
MISSING, LAST = DAYS[5], DAYS[-1]
INGEST = {
    "raw_signins",
    "rejected_signins",
    "encoded_features",
    "signin_hours",
    "category_counts",
    "success_sources",
    "user_names",
    "failure_sources",
    "open_failures",
}


class SharedEngine(EngineResource):
    """An engine that all tests share, whichever run uses it."""

    # Dagster copies a resource that another one has.
    _engines: ClassVar[dict[int, Engine]] = {}
    number: int

    @classmethod
    def of_tests(cls, engine: Engine) -> "SharedEngine":
        """The resource that opens this engine."""
        cls._engines[id(engine)] = engine
        return cls(number=id(engine))

    def open(self) -> Engine:
        """The engine, which is not stopped: other tests use it."""
        return self._engines[self.number]

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """Nothing of this run is kept for the next."""
        self.open().forget()


@dataclass(frozen=True)
class Project:
    """The definitions over one source and one lake."""

    source: Path
    lake: Path
    lookback_days: int = TENANT.days
    preset: str = CAMPAIGNS
    enrichment: EnrichmentSettings = field(default_factory=EnrichmentSettings)
    engine: Engine | None = None
    known_sources: str = ""

    @property
    def settings(self) -> Settings:
        """The settings as the environment would give them."""
        return Settings(
            str(self.source),
            str(self.lake),
            self.lookback_days,
            preset=self.preset,
            enrichment=self.enrichment,
            known_sources=self.known_sources,
        )

    def run(self, job: str, days: Sequence[date], **options: Any) -> dg.ExecuteInProcessResult:
        """Run a job for a day or a range of days."""
        tags = {
            "dagster/asset_partition_range_start": str(days[0]),
            "dagster/asset_partition_range_end": str(days[-1]),
        }
        shared = SharedEngine.of_tests(self.engine) if self.engine else None
        defs = build_defs(self.settings, shared)
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        return defs.resolve_job_def(job).execute_in_process(tags=tags, run_config=quiet, **options)

    def table(self, name: str, day: date) -> pa.Table:
        """A partition's rows in an order that depends only on the rows."""
        return sorted_rows(self.lake / name / f"date={day}")


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of the small tenant; labels are in ``../labels``."""
    root = tmp_path_factory.mktemp("tenant")
    generate(TENANT, root / "signins", root / "labels" / "labels.csv")
    return root / "signins"


@pytest.fixture(scope="session")
def hunted(
    duckdb_engine: Engine, source: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Project, dict[str, dg.ExecuteInProcessResult]]:
    """All days ingested in one run, then a hunt as of the last."""
    project = Project(source, tmp_path_factory.mktemp("lake"), engine=duckdb_engine)
    return project, {
        "ingest": project.run("ingest_range", DAYS),
        "hunt": project.run("hunt_as_of_day", [LAST]),
    }


@pytest.fixture(scope="session")
def project(hunted) -> Project:
    """The project of the hunted tenant; tests read it and do not change it."""
    return hunted[0]


@pytest.fixture(scope="session")
def hunted_by_notebook(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Project, dg.ExecuteInProcessResult]:
    """The same days in a lake of their own, hunted with the notebook's preset."""
    lake = tmp_path_factory.mktemp("notebook")
    for table in INGEST:
        shutil.copytree(project.lake / table, lake / table)
    notebook = replace(project, lake=lake, preset=NOTEBOOK)
    return notebook, notebook.run("hunt_as_of_day", [LAST])


@pytest.fixture(scope="session")
def notebook(hunted_by_notebook) -> Project:
    """The project that was hunted with the notebook's preset; tests do not change it."""
    return hunted_by_notebook[0]
