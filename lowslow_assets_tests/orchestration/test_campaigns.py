"""Campaign identity through the graph: consecutive days, other orders, repeats, other settings."""

import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from lowslow_assets.detection.identity import CONTINUED, NEW, SAMPLE_SIZE
from lowslow_assets_tests.orchestration.conftest import DAYS, LAST, Project
from lowslow_assets_tests.orchestration.test_definitions import DOCUMENTS, HUNT
from lowslow_assets_tests.orchestration.test_hunt import metadata
from lowslow_assets_tests.orchestration.test_repeatability import assert_same

HUNTED = DAYS[-3:]
# News depends on what was hunted before.
WITH_HISTORY = {"campaigns", "enriched_incidents"}
READ = ("category_counts", "cluster_members", "cluster_statistics", "cluster_features")


@pytest.fixture(scope="module")
def followed(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Three days hunted in one run, in a lake that had only the last of them."""
    lake = tmp_path_factory.mktemp("followed") / "lake"
    shutil.copytree(project.lake, lake)
    found = replace(project, lake=lake)
    found.run("hunt_as_of_day", HUNTED)
    return found


def without_campaigns(project: Project, lake: Path) -> Project:
    """A lake with the tables that ``campaigns`` is made from."""
    for table in READ:
        shutil.copytree(project.lake / table, lake / table)
    return replace(project, lake=lake)


def make(project: Project, days: Sequence[date]) -> dg.ExecuteInProcessResult:
    return project.run("hunt_as_of_day", days, asset_selection=[dg.AssetKey("campaigns")])


def ids(project: Project, days: Sequence[date]) -> list[list[str]]:
    return [project.table("campaigns", day)["campaign_id"].to_pylist() for day in days]


def test_days_of_one_spray_are_one_campaign_and_one_incident(project, followed):
    [[known]] = ids(project, [LAST])
    assert ids(followed, HUNTED) == [[known]] * 3
    for day, before in zip(HUNTED, [None, *HUNTED], strict=False):
        [campaign] = followed.table("campaigns", day).to_pylist()
        assert campaign["state"] == (CONTINUED if before else NEW)
        assert campaign["previous_hunt"] == before
        assert (campaign["first_hunted"], campaign["last_hunted"]) == (HUNTED[0], day)
        members = followed.table("cluster_members", day).to_pandas()
        by_day = members.groupby(members["time_generated"].dt.date).size().to_dict()
        assert dict(campaign["attempts_by_day"]) == by_day
        assert campaign["attempts"] == len(members)
        assert campaign["new_attempts"] == (by_day[day] if before else len(members))
        assert len(campaign["sample"]) == min(len(members), SAMPLE_SIZE)

        [incident] = followed.table("enriched_incidents", day).to_pylist()
        assert incident["incident_id"] == known
        assert incident["new_attempts"] == campaign["new_attempts"]
        history = f"Known since the hunt of {HUNTED[0]}; new since" if before else "First found by"
        assert incident["description"].startswith(history)
        of_incident = followed.table("incident_members", day)["incident_id"].to_pylist()
        assert set(of_incident) == {known}
        documents = (followed.lake / "incident_documents" / f"date={day}").iterdir()
        assert [path.name for path in documents] == [f"{known}.json"]


def test_a_hunt_in_a_range_after_its_neighbours_makes_what_it_makes_alone(project, followed):
    assert_same(project, followed, HUNT - DOCUMENTS - WITH_HISTORY, [LAST])
    for name in DOCUMENTS:
        folders = [p.lake / name / f"date={LAST}" for p in (project, followed)]
        texts = [{path.name: path.read_text() for path in folder.iterdir()} for folder in folders]
        assert texts[0].keys() == texts[1].keys()
        assert name != "rule_documents" or texts[0] == texts[1]


@pytest.mark.parametrize("order", [(2, 1, 0), (1, 2, 0), (0, 2, 1)])
def test_made_in_another_order_and_again_the_ids_are_the_same(followed, tmp_path, order):
    other = without_campaigns(followed, tmp_path)
    for number in order:
        make(other, [HUNTED[number]])
    assert ids(other, HUNTED) == ids(followed, HUNTED)
    # Made again in order, everything is as if it had been made in order.
    make(other, HUNTED)
    for day in HUNTED:
        assert other.table("campaigns", day).equals(followed.table("campaigns", day))


def test_a_hunt_finds_its_campaigns_over_missing_days_and_says_which_it_asked(followed, tmp_path):
    other = without_campaigns(followed, tmp_path)
    first = make(other, [HUNTED[0]])
    last = make(other, [LAST])
    assert ids(other, [HUNTED[0], LAST]) == ids(followed, [HUNTED[0], LAST])
    asked = [
        metadata(result, "campaigns", day) for result, day in ((first, HUNTED[0]), (last, LAST))
    ]
    assert asked[0]["earlier hunts asked"] == "none: it starts afresh"
    assert asked[1]["earlier hunts asked"] == str(HUNTED[0])
    [shown] = asked[1]["campaigns"].records
    assert (shown.data["state"], shown.data["new"]) == (
        CONTINUED,
        str(other.table("campaigns", LAST)["new_attempts"][0].as_py()),
    )


def test_windows_of_another_length_compare_and_other_presets_do_not(followed, notebook, tmp_path):
    other = without_campaigns(followed, tmp_path / "ours")
    shutil.copytree(followed.lake / "campaigns" / f"date={HUNTED[1]}", folder_of(other, HUNTED[1]))
    provenance = folder_of(other, HUNTED[1]) / "_provenance.json"
    longer = json.loads(provenance.read_text())
    longer["made_from"]["lookback_days"] += 100
    provenance.write_text(json.dumps(longer))
    asked = metadata(make(other, [LAST]), "campaigns", LAST)["earlier hunts asked"]
    assert asked == str(HUNTED[1])
    assert ids(other, [LAST]) == ids(followed, [LAST])

    theirs = without_campaigns(notebook, tmp_path / "notebook")
    shutil.copytree(followed.lake / "campaigns", theirs.lake / "campaigns")
    asked = metadata(make(theirs, [LAST]), "campaigns", LAST)["earlier hunts asked"]
    assert asked == "none: it starts afresh"


def folder_of(project: Project, day: date) -> Path:
    return project.lake / "campaigns" / f"date={day}"
