"""The pages of the small tenant's hunt say what its tables say."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from markupsafe import escape

from lowslow_assets.reports.pages.words import long_date
from lowslow_assets_tests.orchestration.conftest import DAYS, LAST, Project
from lowslow_assets_tests.orchestration.test_hunt import metadata


def data_of(page: str) -> dict:
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', page)
    assert found
    return json.loads(found[1])


@pytest.mark.parametrize("of", ["project", "notebook"])
def test_one_page_per_incident_and_one_for_the_day(of: str, request):
    hunted_with = request.getfixturevalue(of)
    incidents = hunted_with.table("enriched_incidents", LAST).to_pylist()
    folder = hunted_with.lake / "case_pages" / f"date={LAST}"
    names = {f"{incident['incident_id']}.html" for incident in incidents}
    assert {path.name for path in folder.iterdir()} == {"index.html", *names}
    index = (folder / "index.html").read_text()
    for incident in incidents:
        assert f'href="{incident["incident_id"]}.html">{incident["title"]}</a>' in index
    assert f"1 day of the 14 since {long_date(DAYS[0])} has no success in the lake" in index


@pytest.mark.parametrize("of", ["project", "notebook"])
def test_a_campaign_s_page_counts_its_members(of: str, request):
    hunted_with = request.getfixturevalue(of)
    members = hunted_with.table("incident_members", LAST).to_pandas()
    successes = hunted_with.table("success_hours", LAST).to_pandas()
    for incident, own in members.groupby("incident_id"):
        page = (hunted_with.lake / "case_pages" / f"date={LAST}" / f"{incident}.html").read_text()
        data = data_of(page)
        assert data["name"] == incident
        compromised = own["outcome"] == "success"
        for of_line, line in ((~compromised, "attempts"), (compromised, "entries")):
            by_day = Counter(own[of_line]["time_generated"].dt.date)
            assert data["timeline"][line] == [by_day[day] for day in DAYS]
        assert sum(data["timeline"]["successes"]) == successes["successes"].sum()
        ids = next(column for column in data["members"] if column["name"] == "Sign-in id")
        assert sorted(ids["values"]) == sorted(own["signin_id"])
        assert "The table holds" not in page


def test_compromised_accounts_are_on_the_page_with_the_evidence(project: Project):
    [incident] = project.table("enriched_incidents", LAST).to_pylist()
    folder = project.lake / "case_pages" / f"date={LAST}"
    page = (folder / f"{incident['incident_id']}.html").read_text()
    for entry in incident["entries"]:
        assert f">{entry['user']}</bdi>" in page
        assert entry["evidence"] in page
    for test in incident["tests"]:
        assert str(escape(test["explanation"])) in page


def test_the_run_says_where_the_page_is(hunted, project: Project):
    seen = metadata(hunted[1]["hunt"], "case_pages", LAST)
    assert seen["pages"] == 2
    assert Path(seen["open"]) == project.lake / "case_pages" / f"date={LAST}" / "index.html"
    assert Path(seen["open"]).is_file()


def test_the_incidents_lead_to_the_page(hunted, project: Project):
    [event] = hunted[1]["hunt"].get_asset_observation_events()
    observed = event.asset_observation_data.asset_observation
    assert (observed.asset_key.to_user_string(), observed.partition) == (
        "enriched_incidents",
        str(LAST),
    )
    assert Path(observed.metadata["case pages"].value).is_file()
