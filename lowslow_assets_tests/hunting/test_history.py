"""What a hunt reads of other hunts, of its own release and of one with other samples."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from lowslow_assets.detection.identity import CONTINUED, NEW, QUIET, Campaign, Candidate, follow
from lowslow_assets.detection.sightings import calendars, samples
from lowslow_assets.engines.base import Engine
from lowslow_assets.hunting.history import read_history
from lowslow_assets.hunting.hunt import Hunt
from lowslow_assets.hunting.settings import HuntSettings
from lowslow_assets.lake.lake import Lake
from lowslow_assets.lake.tables import CAMPAIGNS, CLUSTER_MEMBERS
from lowslow_assets.settings import NOTEBOOK

DAY = date(2026, 6, 29)
NEXT = DAY + timedelta(days=1)
START = datetime(2026, 6, 1, tzinfo=UTC)
OLD = {"lookback_days": 240, "preset": "campaigns"}
"""The provenance of partitions before it named the hunt's settings."""


@pytest.fixture
def lake(duckdb_engine: Engine, tmp_path: Path) -> Iterator[Lake]:
    yield Lake(str(tmp_path), duckdb_engine)
    duckdb_engine.forget()


def members(cluster: int, attempts: range) -> pa.Table:
    """Attempts of one spray: the n-th attempt has the n-th id, a day after the one before."""
    rows = [
        {
            "cluster_id": cluster,
            "signin_id": f"signin {n}",
            "time_generated": START + timedelta(hours=6 * n),
        }
        for n in attempts
    ]
    return pa.Table.from_pylist(rows, CLUSTER_MEMBERS.schema)


def write_members(hunt: Hunt, rows: pa.Table) -> None:
    hunt.write(CLUSTER_MEMBERS, hunt.lake.engine.from_arrow(rows))


def candidate(hunt: Hunt, cluster: int) -> Candidate:
    found = hunt.result(CLUSTER_MEMBERS)
    calendar = calendars(found)[cluster]
    return Candidate(
        cluster_id=cluster,
        users=10,
        first_activity=START,
        last_activity=START + timedelta(days=20),
        earliest_signin=calendar.earliest_signin,
        attempts_by_day=calendar.attempts_by_day,
        sample=samples(found)[cluster],
        # It invents all values, so only members decide.
        fingerprint=[],
    )


def hunted(hunt: Hunt, cluster: int, earlier: list[tuple[date, list[Campaign]]]) -> list[Campaign]:
    days = hunt.settings.lookback_days
    found = follow(hunt.day, [candidate(hunt, cluster)], earlier, [], days)
    hunt.write(CAMPAIGNS, found)
    return found


def as_old(lake: Lake) -> Campaign:
    """The first day as the earlier release made it, with samples by another hash."""
    hunt = Hunt(DAY, lake, HuntSettings())
    write_members(hunt, members(3, range(20)))
    [campaign] = hunted(hunt, 3, [])
    rows = hunt.rows(CAMPAIGNS)
    for row in rows:
        row["sample"] = {-n - 1: day for n, (_, day) in enumerate(row["sample"])}
    lake.write_rows(CAMPAIGNS, rows, DAY, OLD)
    lake.write_rows(CLUSTER_MEMBERS, hunt.result(CLUSTER_MEMBERS).rows(), DAY, OLD)
    return campaign


def test_a_hunt_reads_what_others_of_its_preset_knew(lake: Lake) -> None:
    hunt = Hunt(DAY, lake, HuntSettings())
    write_members(hunt, members(3, range(20)))
    [campaign] = hunted(hunt, 3, [])
    longer = Hunt(NEXT, lake, HuntSettings(lookback_days=300))
    assert list(read_history(longer, [NEXT, DAY])) == [(DAY, [campaign])]
    assert list(read_history(Hunt(NEXT, lake, HuntSettings(preset=NOTEBOOK)), [DAY])) == []


def test_a_campaign_of_the_release_before_keeps_its_id(lake: Lake) -> None:
    known = as_old(lake)
    hunt = Hunt(NEXT, lake, HuntSettings())
    # One cluster's number is another's on the next day; the earliest attempt has left the window.
    write_members(hunt, members(0, range(1, 25)))
    earlier = list(read_history(hunt, [DAY]))
    assert earlier == [(DAY, [known])]
    [campaign] = hunted(hunt, 0, earlier)
    assert (campaign.campaign_id, campaign.state) == (known.campaign_id, CONTINUED)
    assert campaign.matched_by == "members"
    assert campaign.previous_hunt == DAY
    # From here on, nothing is different.
    assert list(read_history(hunt, [NEXT])) == [(NEXT, [campaign])]


def test_without_its_samples_it_would_be_another_campaign(lake: Lake) -> None:
    """What the previous test would miss if samples of both releases were compared unchanged."""
    known = as_old(lake)
    hunt = Hunt(NEXT, lake, HuntSettings())
    write_members(hunt, members(0, range(1, 25)))
    as_stored = [Campaign.from_row(row) for row in lake.rows(CAMPAIGNS, [DAY], {})]
    new, quiet = hunted(hunt, 0, [(DAY, as_stored)])
    assert (new.state, quiet.state) == (NEW, QUIET)
    assert new.campaign_id != quiet.campaign_id == known.campaign_id


def test_an_old_hunt_whose_members_are_missing_or_made_again_is_not_compared(lake: Lake) -> None:
    """Its ids are not used either: a campaign with the same attempts gets the same id again."""
    known = as_old(lake)
    hunt = Hunt(DAY, lake, HuntSettings())
    write_members(hunt, members(5, range(20)))
    assert list(read_history(hunt, [DAY])) == []
    [campaign] = hunted(hunt, 5, [])
    assert campaign.campaign_id == known.campaign_id

    as_old(lake)
    lake.drop(CLUSTER_MEMBERS.name, NEXT)
    assert list(read_history(hunt, [DAY])) == []


def test_what_was_quiet_in_an_old_hunt_has_no_members_to_compare(lake: Lake) -> None:
    known = as_old(lake)
    rows = lake.rows(CAMPAIGNS, [DAY], {})
    quiet = rows[0] | {"campaign_id": "quiet", "cluster_id": None, "state": "quiet"}
    lake.write_rows(CAMPAIGNS, [*rows, quiet], DAY, OLD)
    [(_, [first, second])] = read_history(Hunt(NEXT, lake, HuntSettings()), [DAY])
    assert first == known
    assert (second.campaign_id, second.sample) == ("quiet", {})
