"""Windows with hardly anything in them: the hunt reports that nothing was found."""

import json
from datetime import date

import pytest

from lowslow_assets.engines.base import Engine
from lowslow_assets_tests.orchestration.conftest import DAYS, Project
from lowslow_assets_tests.orchestration.test_definitions import HUNT

FAILURES_ONLY, SUCCESSES_ONLY, ONE_FAILURE, NOTHING = DAYS[:4]
WRONG_PASSWORD, SUCCESS = "50126", "0"


def signin(day: date, number: int, result: str) -> dict[str, str]:
    """Each of another user and address, at another hour."""
    return {
        "Id": f"{day} {number}",
        "TimeGenerated": f"{day}T{number % 24:02}:{number % 60:02}:00Z",
        "UserPrincipalName": f"user{number}@example.com",
        "ResultType": result,
        "AppDisplayName": "Azure Portal",
        "IPAddress": f"198.51.{number}.7",
    }


@pytest.fixture(scope="module")
def bare(duckdb_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Four days, each hunted as a window of its own, in one run."""
    root = tmp_path_factory.mktemp("bare")
    days = {
        # One more on a single day would be a burst.
        FAILURES_ONLY: [signin(FAILURES_ONLY, i, WRONG_PASSWORD) for i in range(25)],
        SUCCESSES_ONLY: [signin(SUCCESSES_ONLY, i, SUCCESS) for i in range(30)],
        ONE_FAILURE: [signin(ONE_FAILURE, 0, WRONG_PASSWORD)],
    }
    for day, rows in days.items():
        folder = root / "signins" / f"y={day.year}" / f"m={day.month:02}" / f"d={day.day:02}"
        folder.mkdir(parents=True)
        (folder / "PT05M.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    project = Project(root / "signins", root / "lake", lookback_days=1, engine=duckdb_engine)
    project.run("ingest_range", DAYS[:4])
    project.run("hunt_as_of_day", DAYS[:4])
    return project


@pytest.mark.parametrize(
    ("day", "failures", "successes"),
    [(FAILURES_ONLY, 25, 0), (SUCCESSES_ONLY, 0, 30), (ONE_FAILURE, 1, 0), (NOTHING, 0, 0)],
    ids=["failures only", "successes only", "one failure", "nothing"],
)
def test_a_bare_window_is_hunted_and_holds_no_incident(
    bare: Project, day: date, failures: int, successes: int
) -> None:
    baseline = bare.table("feature_baseline", day).to_pylist()
    assert {(row["failures"], row["successes"]) for row in baseline} == {(failures, successes)}
    assert bare.table("anomaly_masks", day).num_rows == failures + successes
    assert bare.table("suspect_failures", day).num_rows == failures
    assert sum(bare.table("mask_patterns", day)["failures"].to_pylist()) == failures
    # Without a success, no value is known to be unusual: one pattern, one component.
    components = set(bare.table("mixture_model", day)["component"].to_pylist())
    assert components == ({0} if failures else set())
    clusters = bare.table("pruned_clusters", day).to_pylist()
    assert [(c["failures"], c["kept"]) for c in clusters] == (
        [(failures, False)] if failures else []
    )
    for table in (
        "cluster_members",
        "cluster_statistics",
        "incident_members",
        "enriched_incidents",
        "hunting_rules",
    ):
        assert bare.table(table, day).num_rows == 0
    assert all((bare.lake / name / f"date={day}").is_dir() for name in HUNT)
    assert not list((bare.lake / "incident_documents" / f"date={day}").iterdir())
    [page] = (bare.lake / "case_pages" / f"date={day}").iterdir()
    assert "No campaign as of" in page.read_text()
