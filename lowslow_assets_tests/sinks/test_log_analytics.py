"""Rows of the table, how they are sent, and the files in deploy/ that must fit them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lowslow_assets.sinks.log_analytics import COLUMNS, row
from lowslow_assets.sinks.updates import CREATED, FAILED
from lowslow_assets_tests.support.drawn_incidents import campaign_id, day, merged, update
from lowslow_assets_tests.support.kql import CheckKql
from lowslow_assets_tests.support.workspace import (
    FAULTS,
    LOST,
    THROTTLED,
    Connection,
    Killed,
    Workspace,
)

Connect = Callable[[Workspace], Connection]
DEPLOY = Path(__file__).parents[2] / "deploy" / "sentinel"


def test_a_row_is_the_same_whenever_it_is_made_and_another_when_something_is_new():
    one, again = row(update(0, 1), day(1)), row(update(0, 1), day(1))
    assert one == again
    assert list(one) == list(COLUMNS)
    changed, later, other = (
        row(update(0, 1, users=5), day(1)),
        row(update(0, 1), day(2)),
        row(update(1, 1), day(1)),
    )
    assert (changed["RowId"], changed["ContentHash"]) != (one["RowId"], one["ContentHash"])
    assert changed["RowId"] == one["RowId"]
    assert len({found["RowId"] for found in (one, later, other)}) == 3


def test_a_row_holds_bounded_names_as_logged():
    users = ["=cmd|' /C calc'!A0", "\u202eb@contoso.example", "c" * 10_000]
    found = row(update(0, 1, accounts=users, addresses=["2001:db8::1"]), day(1))
    assert found["Accounts"] == [users[0], "?b@contoso.example", "c" * 125 + "..."]
    assert found["Addresses"] == ["2001:db8::1"]
    assert found["HuntDate"] == "2026-04-02T00:00:00Z"


def test_a_row_names_the_accounts_whose_password_is_known():
    found = row(update(0, 1, known_passwords=["a@contoso.example"]), day(1))
    assert found["KnownPasswords"] == found["NewKnownPasswords"] == ["a@contoso.example"]
    assert found["CompromisedAccounts"] == []


def test_the_rules_query_is_one_over_the_tables_columns(check_kql: CheckKql):
    template = json.loads((DEPLOY / "analytics_rule.json").read_text())
    queries = [
        resource["properties"]["query"]
        for resource in template["resources"]
        if "query" in resource["properties"]
    ]
    assert len(queries) == 1
    [checked] = check_kql(queries)
    assert checked["problems"] == []
    [other] = check_kql([queries[0].replace("CampaignId", "Campaign")])
    assert other["problems"]


def test_rows_are_sent_again_as_they_were(connection: Connect):
    at = connection(Workspace())
    updates = [update(0, 0, addresses=["192.0.2.1"]), merged(1, into=0), update(2, 0)]
    for _ in range(2):
        made = at.log_analytics.deliver(day(0), updates)
        assert [(d.incident_id, d.action) for d in made] == [
            (campaign_id(0), CREATED),
            (campaign_id(2), CREATED),
        ]
    assert at.workspace.violations == []
    assert at.workspace.rows == [row(updates[0], day(0)), row(updates[2], day(0))] * 2


def test_a_day_without_incidents_sends_nothing(connection: Connect):
    at = connection(Workspace())
    assert at.log_analytics.deliver(day(0), [merged(1, into=0)]) == []
    assert at.workspace.requests == []


def test_one_that_is_refused_does_not_lose_the_others(connection: Connect):
    at = connection(Workspace(retry_after=3600, fault=lambda n: THROTTLED if n == 1 else None))
    made = at.log_analytics.deliver(day(0), [update(0, 0), update(1, 0)])
    assert [(d.action, d.detail) for d in made] == [
        (FAILED, "The answer was 429."),
        (CREATED, None),
    ]
    assert [found["CampaignId"] for found in at.workspace.rows] == [campaign_id(1)]


def test_the_largest_row_is_taken(connection: Connect):
    at = connection(Workspace())
    names = [f"{number}{'߷😀' * 500}" for number in range(100)]
    entities = {"accounts": names, "addresses": names}
    passwords = {"compromised_users": names, "known_passwords": names}
    largest = update(0, 0, **entities, **passwords, title="ß" * 999)
    assert [d.action for d in at.log_analytics.deliver(day(0), [largest])] == [CREATED]
    assert at.workspace.violations == []


def test_killed_or_faulty_and_made_again_every_row_is_there(connection: Connect):
    updates = [update(number, 0) for number in range(3)]
    expected = connection(Workspace())
    expected.log_analytics.deliver(day(0), updates)
    for fault in FAULTS:
        at = connection(Workspace(fault=lambda n, fault=fault: fault if n <= 2 else None))
        at.adapter.kill_after = 2
        with pytest.raises(Killed):
            at.log_analytics.deliver(day(0), updates)
        made = at.log_analytics.deliver(day(0), updates)
        assert {delivery.action for delivery in made} == {CREATED}
        assert at.workspace.state() == expected.workspace.state()
        assert len(at.workspace.rows) == 3 + 2 * (fault == LOST)


def template(name: str) -> dict[str, Any]:
    return json.loads((DEPLOY / name).read_text(encoding="utf-8"))


def resource(document: dict[str, Any], kind: str) -> dict[str, Any]:
    [found] = [r for r in document["resources"] if r["type"].endswith(kind)]
    return found


def test_the_table_and_the_rule_that_feeds_it_have_the_columns_that_are_sent():
    document = template("table.json")
    table = resource(document, "workspaces/tables")["properties"]["schema"]
    assert {c["name"]: c["type"].lower() for c in table["columns"]} == {
        "TimeGenerated": "datetime",
        **COLUMNS,
    }
    rule = resource(document, "dataCollectionRules")
    assert rule["kind"] == "Direct"
    [(stream, declared)] = rule["properties"]["streamDeclarations"].items()
    assert stream == "Custom-LowslowIncidents_CL"
    assert {c["name"]: c["type"] for c in declared["columns"]} == COLUMNS
    [flow] = rule["properties"]["dataFlows"]
    assert flow["streams"] == [stream]
    assert flow["outputStream"] == f"Custom-{table['name']}"
    assert "TimeGenerated = now()" in flow["transformKql"]


def test_the_analytics_rule_fits_the_table_and_makes_one_incident_per_campaign():
    rule = resource(template("analytics_rule.json"), "alertRules")["properties"]
    query = rule["query"]
    computed = set(re.findall(r"\b(\w+) = ", query))
    named = {
        mapping["columnName"]
        for entity in rule["entityMappings"]
        for mapping in entity["fieldMappings"]
    }
    override = rule["alertDetailsOverride"]
    for text in (override["alertDisplayNameFormat"], override["alertDescriptionFormat"]):
        named |= set(re.findall(r"{{(\w+)}}", text))
    named |= {override["alertSeverityColumnName"], *rule["customDetails"].values()}
    assert named <= COLUMNS.keys() | computed
    code = re.sub(r'//.*|"[^"]*"', "", query)
    used = set(re.findall(r"\b[A-Z][A-Za-z]+\b", code)) - {"LowslowIncidents_CL", "TimeGenerated"}
    assert used <= COLUMNS.keys() | computed
    assert "arg_max(TimeGenerated, *) by RowId" in query
    assert "arg_max(HuntDate, *) by CampaignId" in query

    kinds = [entity["entityType"] for entity in rule["entityMappings"]]
    assert (kinds.count("Account"), kinds.count("IP"), len(kinds)) == (5, 5, 10)
    assert rule["tactics"] == ["CredentialAccess"]
    assert (rule["techniques"], rule["subTechniques"]) == (["T1110"], ["T1110.003"])
    grouping = rule["incidentConfiguration"]["groupingConfiguration"]
    assert grouping["groupByCustomDetails"] == ["CampaignId"]
    assert rule["customDetails"]["CampaignId"] == "CampaignId"
    assert grouping["reopenClosedIncident"] is False
    assert rule["eventGroupingSettings"] == {"aggregationKind": "AlertPerResult"}
