"""delivered_incidents: off by default; one row per incident and sink; repeated until sent."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lowslow_assets.engines.base import Engine
from lowslow_assets.lake.lake import Lake
from lowslow_assets.lake.stores.folders import Folders
from lowslow_assets.lake.tables import (
    CAMPAIGNS,
    DELIVERED_INCIDENTS,
    ENRICHED_INCIDENTS,
    INCIDENT_MEMBERS,
)
from lowslow_assets.orchestration.assets.deliveries import delivered_incidents
from lowslow_assets.orchestration.resources import (
    EngineResource,
    HuntParameters,
    LakeResource,
    SinksResource,
)
from lowslow_assets.settings import CAMPAIGNS as PRESET
from lowslow_assets.sinks import opening
from lowslow_assets_tests.support.drawn_incidents import campaign_id, day, incident
from lowslow_assets_tests.support.workspace import SETTINGS, UNAVAILABLE, Workspace, serve

PARAMETERS = HuntParameters(lookback_days=30)
BOTH = SinksResource.of(SETTINGS)
DAYS = [day(0), day(1)]
IDS = [campaign_id(0), campaign_id(1)]


@pytest.fixture
def lake(duckdb_engine: Engine, tmp_path: Path) -> Lake:
    """Two incidents on two days, with the parts of campaigns and members that are read."""
    lake = Lake(str(tmp_path), duckdb_engine)
    settings = PARAMETERS.settings
    made_from = {
        "lookback_days": settings.lookback_days,
        "preset": PRESET,
        "settings": settings.digest,
    }
    for number, of_day in enumerate(DAYS):
        compromised = [["user3@contoso.example"] if number else [], []]
        incidents = [incident(n, number, compromised_users=compromised[n]) for n in range(2)]
        campaigns = [{"campaign_id": id_, "state": "continued"} for id_ in IDS]
        # The first has no address, the last one is not an attempt.
        tried = [1, 2, 2, 3, 3]
        members = [
            {
                "incident_id": IDS[0],
                "signin_id": str(n),
                "outcome": "success" if n > 3 else "failure",
                "time_generated": datetime(2026, 4, 1, tzinfo=UTC),
                "user": f"user{which}@contoso.example",
                "ip_address": f"192.0.2.{which}" if n else None,
            }
            for n, which in enumerate(tried)
        ]
        lake.write_rows(ENRICHED_INCIDENTS, incidents, of_day, made_from)
        lake.write_rows(CAMPAIGNS, campaigns, of_day, made_from)
        lake.write_rows(INCIDENT_MEMBERS, members, of_day, made_from)
    return lake


@pytest.fixture
def workspace(monkeypatch: pytest.MonkeyPatch):
    """A workspace to which the sinks send."""
    with serve() as connection:
        at = connection(Workspace())
        monkeypatch.setattr(opening, "default_credential", lambda: at.credential)
        monkeypatch.setattr(opening, "default_transport", lambda: at.transport)
        yield at.workspace


def deliver(lake: Lake, sinks: SinksResource) -> dg.ExecuteInProcessResult:
    folders = lake.store
    assert isinstance(folders, Folders)
    tags = {
        "dagster/asset_partition_range_start": str(DAYS[0]),
        "dagster/asset_partition_range_end": str(DAYS[-1]),
    }
    resources = {
        "lake": LakeResource(root=str(folders.root), engine=EngineResource()),
        "parameters": PARAMETERS,
        "sinks": sinks,
    }
    assets: list[Any] = [delivered_incidents]
    return dg.materialize(assets, resources=resources, tags=tags, raise_on_error=False)


def metadata(result: dg.ExecuteInProcessResult, of_day: date) -> dict[str, object]:
    [found] = [
        event.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.partition == str(of_day)
    ]
    return {key: value.value for key, value in found.items()}


def actions(lake: Lake, of_day: date) -> list[tuple[str, str, str]]:
    rows = lake.rows(DELIVERED_INCIDENTS, [of_day])
    return [(row["incident_id"], row["sink"], row["action"]) for row in rows]


def test_nothing_is_sent_unless_a_sink_is_switched_on(lake: Lake, workspace: Workspace):
    result = deliver(lake, SinksResource())
    assert result.success
    for of_day in DAYS:
        assert actions(lake, of_day) == []
        assert metadata(result, of_day)["sinks"] == "none: nothing is sent"
    assert workspace.requests == []


def test_each_day_is_sent_to_each_sink_and_made_again_changes_nothing(
    lake: Lake, workspace: Workspace
):
    result = deliver(lake, BOTH)
    assert result.success
    assert metadata(result, DAYS[1])["sinks"] == "sentinel, log_analytics"
    assert metadata(result, DAYS[1])["updated"] == 2
    sinks = {"sentinel": ["created", "updated"], "log_analytics": ["created", "created"]}
    for number, of_day in enumerate(DAYS):
        assert actions(lake, of_day) == [
            (id_, sink, said[number]) for sink, said in sinks.items() for id_ in IDS
        ]
    entities = [(row["Accounts"], row["Addresses"]) for row in workspace.rows]
    addresses = ["192.0.2.2", "192.0.2.3"]
    assert entities == [
        ([f"user{n}@contoso.example" for n in (2, 1, 3)], addresses),
        ([], []),
        ([f"user{n}@contoso.example" for n in (3, 2, 1)], addresses),
        ([], []),
    ]
    [comment] = workspace.comments[IDS[0]].values()
    assert '"user3@contoso.example": 2026-04-02 22:30 UTC, probability 80%' in comment

    before = workspace.state()
    assert deliver(lake, BOTH).success
    assert workspace.state() == before
    assert workspace.violations == []


def test_a_failure_is_recorded_then_raised_and_a_repeated_run_finishes(
    lake: Lake, workspace: Workspace
):
    # The first incident's first request, with its retries.
    workspace.fault = lambda number: UNAVAILABLE if number <= 4 else None
    result = deliver(lake, BOTH)
    assert not result.success
    [failure] = [event for event in result.all_events if event.is_step_failure]
    data = failure.step_failure_data.user_failure_data
    assert data
    assert data.description == (
        "1 incident(s) could not be sent; made again, this sends them: "
        f"{IDS[0]} (2026-04-01, sentinel): GET was answered 503."
    )
    assert actions(lake, DAYS[0])[:2] == [
        (IDS[0], "sentinel", "failed"),
        (IDS[1], "sentinel", "created"),
    ]
    assert actions(lake, DAYS[1])[0] == (IDS[0], "sentinel", "created")
    assert deliver(lake, BOTH).success
    assert workspace.incidents.keys() == set(IDS)


def test_a_dry_run_says_so_in_every_row(lake: Lake, workspace: Workspace):
    dry = SinksResource.of(replace(SETTINGS, names=("sentinel",), dry_run=True))
    result = deliver(lake, dry)
    said = "dry run: requests are printed, none is sent"
    assert metadata(result, DAYS[0])["sinks"] == f"sentinel, {said}"
    assert {row["detail"] for row in lake.rows(DELIVERED_INCIDENTS, DAYS)} == {said}
    assert workspace.requests == []
