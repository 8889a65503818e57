"""The rules of a small tenant's campaign, counted once more and run on its log."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import pytest

from lowslow_assets_tests.orchestration.conftest import DAYS, LAST, Project
from lowslow_assets_tests.support.rule_engines import run_kql, run_sigma

RAW_DETAILS = {
    "DeviceDetail": {
        "browser": "browser",
        "displayName": "device_name",
        "operatingSystem": "operating_system",
    },
    "LocationDetails": {"state": "state", "city": "city"},
}
RAW_COLUMNS = {
    "Id": "signin_id",
    "UserPrincipalName": "user_principal_name",
    "ResultType": "result_type",
    "IPAddress": "ip_address",
    "Location": "country",
    "AppDisplayName": "app_display_name",
    "ClientAppUsed": "client_app_used",
    "UserAgent": "user_agent",
}


@pytest.fixture(scope="module")
def rules(project: Project) -> list[dict[str, Any]]:
    return project.table("hunting_rules", LAST).to_pylist()


@pytest.fixture(scope="module")
def encoded(project: Project) -> pd.DataFrame:
    """The window's sign-ins as categories, with the incident's id of each, or none.

    Any attempt is a failure.
    """
    found = pd.concat([project.table("encoded_features", day).to_pandas() for day in DAYS])
    members = project.table("incident_members", LAST).to_pandas()
    owner = members.set_index("signin_id")["incident_id"]
    frame = found.replace({"outcome": ["stopped", "refused"]}, "failure").set_index("signin_id")
    return frame.assign(incident=owner.reindex(frame.index))


def meeting(encoded: pd.DataFrame, terms: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    for term in terms:
        among = encoded[term["feature"]].isin(term["values"])
        if term["feature"] == "network":
            among |= encoded["ip_prefix"].isin(term["values"])
        encoded = encoded.loc[among != term["negated"]]
    return encoded


def test_each_incident_has_a_usable_rule_for_each_outcome(rules, project):
    incidents = project.table("enriched_incidents", LAST)["incident_id"].to_pylist()
    assert [(rule["incident_id"], rule["outcome"]) for rule in rules] == [
        (incident, outcome) for incident in incidents for outcome in ("failure", "success")
    ]
    for rule in rules:
        assert rule["usable"]
        assert rule["attempts_share"] >= 0.9
        assert rule["legitimate_share"] <= 0.01
        assert f"Finds {rule['attempts_share']:.1%} of its" in rule["summary"]


def test_the_counts_are_those_of_a_plain_computation(rules, encoded):
    for rule in rules:
        for found, suffix in ((encoded, ""), (meeting(encoded, rule["terms"]), "_hit")):
            own = found[found["incident"] == rule["incident_id"]]
            others = found[found["incident"].isna()]
            assert rule[f"attempts{suffix}"] == (own["outcome"] == "failure").sum()
            assert rule[f"entries{suffix}"] == (own["outcome"] == "success").sum()
            assert rule[f"legitimate{suffix}"] == (others["outcome"] == "success").sum()
            assert rule[f"other_failures{suffix}"] == (others["outcome"] == "failure").sum()
        assert rule["since"] == DAYS[0]


def test_both_texts_find_in_the_log_what_was_counted(rules, encoded, project):
    events = [
        {name: row[column] for name, column in RAW_COLUMNS.items()}
        | {
            details: {key: row[column] for key, column in columns.items()}
            for details, columns in RAW_DETAILS.items()
        }
        | {
            "TimeGenerated": row["time_generated"].isoformat(),
            "AutonomousSystemNumber": asn and str(asn),
        }
        for day in DAYS
        for row in project.table("raw_signins", day).to_pylist()
        for asn in [row["autonomous_system_number"]]
    ]
    for rule in rules:
        hit = meeting(encoded, rule["terms"])
        expected = set(hit.index[hit["outcome"] == rule["outcome"]])
        assert expected
        assert run_kql(rule["kql"], events) == expected
        assert run_sigma(rule["sigma"], events) == expected


def test_the_files_are_the_tables_texts(rules, project):
    folder = project.lake / "rule_documents" / f"date={LAST}"
    files = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert files == {
        f"{rule['incident_id']}.{rule['outcome']}.{suffix}": rule[column]
        for rule in rules
        for column, suffix in (("kql", "kql"), ("sigma", "sigma.yml"))
    }


def test_the_texts_are_in_the_metadata(hunted, rules):
    [made] = hunted[1]["hunt"].asset_materializations_for_node("hunting_rules")
    metadata = {key: value.value for key, value in made.metadata.items()}
    assert metadata["rules"] == len(rules)
    for rule in rules:
        shown = metadata[f"{rule['outcome']} {rule['incident_id']}"]
        assert rule["kql"] in shown
        assert rule["sigma"] in shown


def test_campaigns_of_the_notebooks_preset_have_rules(notebook):
    rules = notebook.table("hunting_rules", LAST).to_pandas()
    incidents = notebook.table("enriched_incidents", LAST).num_rows
    assert len(rules) == 2 * incidents > 0
    # Nothing singles out a cluster of what people do every day.
    assert (rules["usable"] == rules["kql"].notna()).all()
    assert (rules["usable"] == rules["sigma"].notna()).all()
    assert rules["summary"].str.startswith("No rule: ").equals(~rules["usable"])
