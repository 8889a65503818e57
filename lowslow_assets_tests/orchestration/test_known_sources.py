"""Known sources through the graph, and what they and thresholds would have changed."""

import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from lowslow_assets import what_if
from lowslow_assets.engines.base import Engine
from lowslow_assets_tests.orchestration.conftest import DAYS, INGEST, LAST, Project
from lowslow_assets_tests.orchestration.test_checks import checks_of
from lowslow_assets_tests.orchestration.test_hunt import labels, metadata

REASON = "test: <script>alert(1)</script> of 'ours'"


def entry(reason: str, addresses: list[str], end: object) -> str:
    return f'[[known]]\nreason = "{reason}"\nend = {end}\naddresses = {addresses}\n'


@pytest.fixture
def suspects(project: Project) -> pd.DataFrame:
    """The spray's attempts that are suspects, in the order of time."""
    spray = set(labels(project).query("label == 'spray_failure'")["signin_id"])
    rows = project.table("suspect_failures", LAST).to_pandas()
    return rows[rows["signin_id"].isin(spray)].sort_values("time_generated")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "known.toml"


def test_what_is_known_is_no_suspect_and_hides_nothing_else(
    project: Project, suspects: pd.DataFrame, duckdb_engine: Engine, file: Path, tmp_path: Path
):
    first, second = (
        sorted(set(part["ip_address"])) for part in (suspects.head(60), suspects.tail(60))
    )
    over = DAYS[1]
    blind = entry("where synthetic sprays come from", ["2001:db8::/32"], LAST)
    file.write_text(entry(REASON, first, LAST) + entry("over", second, over) + blind)
    for table in INGEST:
        shutil.copytree(project.lake / table, tmp_path / "lake" / table)
    known = Project(
        project.source, tmp_path / "lake", engine=duckdb_engine, known_sources=str(file)
    )
    result = known.run("hunt_as_of_day", [LAST])
    explained = known.table("explained_failures", LAST).to_pandas()
    explained = explained[explained["example"].isna()].set_index("explanation")["failures"]
    expected = suspects[suspects["ip_address"].isin(first)]
    assert explained[f"known: {REASON}"] == len(expected) >= 60
    assert "known: over" not in explained
    # The spray is still found, without these.
    [incident] = known.table("enriched_incidents", LAST).to_pylist()
    [of_before] = project.table("enriched_incidents", LAST).to_pylist()
    assert of_before["attempts"] - 70 <= incident["attempts"] <= of_before["attempts"] - 50
    members = set(known.table("incident_members", LAST)["signin_id"].to_pylist())
    assert not members & set(expected["signin_id"])
    assert set(suspects.tail(60)["signin_id"]) & members
    # Both entries are reported, and the check warns of the one that ended.
    [of_test, of_over, _] = metadata(result, "explained_failures", LAST)["known sources"].records
    assert of_test.data["reason"] == REASON
    assert of_test.data["explains"] == str(len(expected))
    assert of_over.data["to"] == f"{over} (ended)"
    check = checks_of(result)["known_sources_are_current"]
    assert not check.passed
    assert check.severity == dg.AssetCheckSeverity.WARN
    late = (suspects["ip_address"].isin(second)).sum()
    assert check.description == (
        f'{LAST}: the known source "over" ended on {over}: {late} later attempts meet it and are '
        "not explained, take it out."
    )
    page = (known.lake / "case_pages" / f"date={LAST}" / "index.html").read_text()
    assert "Known: test: &lt;script&gt;alert(1)&lt;/script&gt; of &#39;ours&#39;" in page
    assert "<script>alert" not in page
    # The detection limit does not promise what the entry hides.
    known.run("detection_limit_as_of_day", [LAST])
    assert not any(known.table("detection_limit", LAST)["found_after_days"].to_pylist())


def test_a_file_that_is_wrong_stops_the_hunt_in_a_sentence(project: Project, file: Path):
    file.write_text("[[known]]\nreason = 'x'\n")
    wrong = replace(project, known_sources=str(file), engine=None)
    with pytest.raises(dg.Failure, match=r"entry 1 \(line 1\), end: is missing"):
        wrong.run("hunt_as_of_day", [LAST], asset_selection=[dg.AssetKey("feature_baseline")])


def files(root: Path) -> dict[Path, tuple[int, int]]:
    return {
        path: (path.stat().st_size, path.stat().st_mtime_ns)
        for path in root.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("which", ["known sources", "thresholds", "nothing"])
def test_what_would_have_changed_is_reported_and_the_lake_stays(
    project: Project,
    suspects: pd.DataFrame,
    file: Path,
    which: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    [incident] = project.table("enriched_incidents", LAST).to_pylist()
    addresses = sorted(set(suspects["ip_address"]))
    file.write_text(entry(REASON, addresses, LAST))
    arguments = {
        "known sources": ["--known-sources", str(file)],
        "thresholds": ["--thresholds", f"min_accounts={incident['users'] + 1}"],
        "nothing": ["--days", "1"],
    }[which]
    monkeypatch.setattr("sys.argv", ["what_if", *arguments])
    monkeypatch.setattr(what_if, "read_settings", lambda: project.settings)
    before = files(project.lake)
    what_if.main()
    said = capsys.readouterr().out.splitlines()
    assert files(project.lake) == before
    assert said[0] == f"Hunts of 1 day(s), {LAST} to {LAST}, as they are and as they would be"
    if which == "nothing":
        assert said[1:] == ["1 incident(s) stay as they are"]
        return
    if which == "known sources":
        assert said.pop(1) == f"known: {REASON}: {len(suspects)} attempts, as of {LAST}"
    assert said[1] == f"removed  [High, confidence high] {incident['title']}"
    assert f"         attempts: {incident['attempts']}" in said
    assert any(line.startswith("         possibly compromised: ") for line in said)
    assert said[-1] == "0 incident(s) stay as they are"


def test_a_lake_without_hunts_is_reported(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("sys.argv", ["what_if"])
    empty = replace(project, lake=tmp_path)
    monkeypatch.setattr(what_if, "read_settings", lambda: empty.settings)
    with pytest.raises(SystemExit, match="The lake has no hunt to compare with"):
        what_if.main()
    # Nor a lake without the tables that a hunt reads.
    shutil.copytree(project.lake / "enriched_incidents", tmp_path / "enriched_incidents")
    with pytest.raises(SystemExit, match="category_counts cannot be used"):
        what_if.main()


def test_days_without_gaps_are_one_run():
    days = [LAST + timedelta(days=n) for n in (0, 1, 3, 4, 5, 9)]
    assert [*what_if.stretches(days)] == [
        (days[0], days[1]),
        (days[2], days[4]),
        (days[5], days[5]),
    ]
