"""Old partitions are dropped, and what a hunt needs is kept."""

import shutil
from pathlib import Path

import dagster as dg
import pytest

from lowslow_assets.orchestration.definitions import build_defs
from lowslow_assets.settings import Settings
from lowslow_assets_tests.orchestration.conftest import DAYS, INGEST, LAST, Project


def drop(lake: Path | str, keep_days: int, lookback_days: int, raise_on_error: bool = True):
    """Run the job on a lake."""
    settings = Settings("unused", str(lake), lookback_days)
    job = build_defs(settings).resolve_job_def("retention")
    config = {"ops": {"drop_old_partitions": {"config": {"keep_days": keep_days}}}}
    return job.execute_in_process(run_config=config, raise_on_error=raise_on_error)


def days_of(lake: Path, table: str) -> list[str]:
    return sorted(path.name.removeprefix("date=") for path in (lake / table).iterdir())


# The tables that hunts read over their window.
OF_WINDOWS = INGEST - {"raw_signins", "rejected_signins"}


@pytest.fixture
def lake(project: Project, tmp_path: Path) -> Path:
    return Path(shutil.copytree(project.lake, tmp_path / "lake"))


def test_old_partitions_are_dropped_and_the_window_stays(lake: Path) -> None:
    result = drop(lake, keep_days=3, lookback_days=5)
    last_3, last_5 = ([str(day) for day in DAYS[-n:]] for n in (3, 5))
    assert days_of(lake, "raw_signins") == days_of(lake, "rejected_signins") == last_3
    for table in OF_WINDOWS:
        assert days_of(lake, table) == last_5
    assert days_of(lake, "enriched_incidents") == [str(LAST)]
    assert not list((lake / ".staging").iterdir())
    [event] = [e for e in result.all_node_events if e.is_successful_output]
    table = event.step_output_data.metadata["dropped"]
    assert isinstance(table, dg.TableMetadataValue)
    said = {record.data["table"]: record.data["days"] for record in table.records}
    assert said == {
        "raw_signins": "11",
        "rejected_signins": "11",
        **dict.fromkeys(OF_WINDOWS, "9"),
    }


def test_a_hunt_of_another_day_is_dropped_by_its_day(lake: Path) -> None:
    for table in ("incident_documents", "campaigns"):
        shutil.copytree(lake / table / f"date={LAST}", lake / table / f"date={DAYS[0]}")
    drop(lake, keep_days=13, lookback_days=5)
    assert days_of(lake, "incident_documents") == [str(LAST)]
    # The tables by which later hunts recognise their campaigns.
    assert days_of(lake, "campaigns") == [str(DAYS[0]), str(LAST)]
    assert days_of(lake, "raw_signins") == [str(day) for day in DAYS[1:]]


def test_twice_is_once_and_nothing_to_drop_is_no_error(lake: Path) -> None:
    for _ in range(2):
        drop(lake, keep_days=100, lookback_days=5)
        assert len(days_of(lake, "raw_signins")) == len(DAYS)


def test_an_empty_lake_is_reported(tmp_path: Path) -> None:
    result = drop(tmp_path / "nothing", 3, 5, raise_on_error=False)
    assert not result.success
