"""Asset checks: silent on a sound tenant, and with a message if the input is wrong."""

import json
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from lowslow_assets_tests.orchestration.conftest import DAYS, LAST, MISSING, Project

Checks = dict[str, dg.AssetCheckEvaluation]


def checks_of(result: dg.ExecuteInProcessResult) -> Checks:
    return {check.check_name: check for check in result.get_asset_check_evaluations()}


def folder_of(source: Path, day: date) -> Path:
    return source / f"y={day.year}" / f"m={day.month:02d}" / f"d={day.day:02d}"


@pytest.fixture
def after(project: Project, tmp_path: Path) -> Callable[[Callable[[str], str]], Checks]:
    """The checks of the last day's ingest, after each line of its export was changed."""

    source, lake = tmp_path / "signins", tmp_path / "lake"
    for table in ("signin_hours", "category_counts"):
        shutil.copytree(project.lake / table, lake / table)

    def ingest(change: Callable[[str], str]) -> Checks:
        target = folder_of(source, LAST)
        shutil.copytree(folder_of(project.source, LAST), target)
        for path in target.rglob("*.json"):
            lines = map(change, path.read_text().splitlines())
            path.write_text("".join(f"{line}\n" for line in lines if line))
        return checks_of(Project(source, lake).run("ingest_range", [LAST]))

    return ingest


def test_a_missing_day_is_an_error_and_nothing_else_is_odd(hunted):
    checks = checks_of(hunted[1]["ingest"])
    assert {name for name, check in checks.items() if not check.passed} == {"volume_is_usual"}
    check = checks["volume_is_usual"]
    assert check.severity == dg.AssetCheckSeverity.ERROR
    assert check.description == f"{MISSING}: no sign-ins."


def test_the_hunts_own_checks_pass(hunted):
    checks = checks_of(hunted[1]["hunt"])
    assert checks.keys() == {"window_is_whole", "baseline_is_clean", "known_sources_are_current"}
    assert all(check.passed for check in checks.values())


def test_a_window_that_lacks_days_is_reported(project, tmp_path):
    shutil.copytree(project.lake / "category_counts", tmp_path / "category_counts")
    short = Project(project.source, tmp_path, lookback_days=30)
    baseline = [dg.AssetKey("feature_baseline")]
    result = short.run("hunt_as_of_day", [LAST], asset_selection=baseline)
    check = checks_of(result)["window_is_whole"]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert check.description == (
        f"{LAST}: {len(DAYS)} of the window's 30 days are in the lake, from {DAYS[0]}; "
        "after it none are missing."
    )


def test_lines_that_are_not_signins_are_reported(after):
    check = after(lambda line: line[:-1])["lines_are_signins"]
    assert not check.passed
    assert "rejected beside 0 sign-ins" in (check.description or "")


def test_a_feature_that_the_log_no_longer_gives_is_an_error(after):
    def without_cities(line: str) -> str:
        signin = json.loads(line)
        signin.pop("LocationDetails", None)
        return json.dumps(signin)

    check = after(without_cities)["features_are_given"]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.ERROR
    assert "100% of successes are without city" in (check.description or "")


def test_days_of_another_release_are_not_compared(after, tmp_path):
    changed = list((tmp_path / "lake").glob(f"*/date={DAYS[0]}/_provenance.json"))
    assert len(changed) == 2
    for path in changed:
        provenance = json.loads(path.read_text())
        path.write_text(json.dumps({**provenance, "schema_digest": "another"}))
    checks = after(lambda line: line)
    assert all(check.passed for check in checks.values())


def test_a_jump_of_failures_is_reported(after):
    def fail(line: str) -> str:
        return json.dumps({**json.loads(line), "ResultType": "50126"})

    check = after(fail)["volume_is_usual"]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    assert "100.0% of sign-ins failed" in (check.description or "")
