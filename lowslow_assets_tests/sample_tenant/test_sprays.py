"""The properties of a planted campaign, for all of its settings."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowslow_assets.sample_tenant import PRESETS, Campaign, Tenant
from lowslow_assets.sample_tenant.apps import CLIENTS
from lowslow_assets.sample_tenant.cities import CITIES
from lowslow_assets.sample_tenant.signins import DAY, HOUR, Rows, label
from lowslow_assets.sample_tenant.sprays import spray
from lowslow_assets.sample_tenant.traffic import draw
from lowslow_assets.sample_tenant.truth import account_of
from lowslow_assets.sample_tenant.world import World
from lowslow_assets_tests.sample_tenant.conftest import Generated
from lowslow_assets_tests.support.reading import labels, signins

DAYS, USERS = 60, 400
WORLD, ROWS = draw(Tenant(seed=3, days=DAYS, users=USERS, signins_per_day=400, campaigns=()))


def planted(campaign: Campaign) -> tuple[World, Rows]:
    """The rows of a campaign in the tenant of this module."""
    world = replace(WORLD, tenant=replace(WORLD.tenant, campaigns=(campaign,)))
    return world, spray(world, campaign)


def attempts_of(rows: Rows) -> Rows:
    """The rows without the visits that follow an entry."""
    first = np.unique(rows["user"][rows["label"] == label("spray_success")], return_index=True)[1]
    wins = np.flatnonzero(rows["label"] == label("spray_success"))[first]
    return rows[np.sort(np.concatenate([np.flatnonzero(rows["result"] != 0), wins]))]


@settings(max_examples=40, deadline=None)
@given(
    campaign=st.builds(
        Campaign,
        name=st.just("spray"),
        rate=st.floats(0.5, 60),
        first_day=st.integers(0, 30),
        last_day=st.none() | st.integers(30, 90),
        pauses=st.sampled_from([(), ((12, 16),), ((0, 5), (40, 44))]),
        hours=st.sampled_from(["any", "business", "nights"]),
        rhythm=st.sampled_from(["steady", "poisson"]),
        clients=st.sampled_from(["invented", "common", "fixed", "legacy", "ropc"]),
        places=st.sampled_from(["anywhere", "home"]),
        ipv6=st.booleans(),
        address_reuse=st.just(0.0),
        targets=st.none() | st.integers(7, USERS),
        order=st.sampled_from(["rounds", "list", "sorted", "random"]),
        locked=st.floats(0, 0.4),
        stopped=st.integers(0, 3),
        successes=st.integers(0, 3),
    )
)
def test_a_campaign_keeps_to_its_settings(campaign: Campaign):
    world, rows = planted(campaign)
    attempts = attempts_of(rows)
    day = (attempts["time"] - world.tenant.start_ms) // DAY
    active = campaign.active_days(DAYS)
    assert set(day.tolist()) <= set(active)
    if campaign.hours == "any":
        expected = campaign.rate * len(active)
        assert abs(len(attempts) - expected) <= 4 + 4 * np.sqrt(expected)
    assert len(np.unique(attempts["address"])) == len(attempts)
    assert isinstance(campaign.targets, int | None)
    assert len(np.unique(attempts["user"])) <= (campaign.targets or USERS)
    compromised = attempts[attempts["result"] == 0]
    stopped = attempts[attempts["label"] == label("spray_stopped")]
    assert len(compromised) <= campaign.successes
    assert len(stopped) <= campaign.stopped
    for entry in (*compromised, *stopped):
        later = attempts[attempts["time"] > entry["time"]]
        assert entry["user"] not in later["user"]
    assert (attempts["address"] >= 2**32).all() == (campaign.ipv6 or not len(attempts))


def test_users_are_tried_in_rounds():
    _, rows = planted(Campaign("spray", rate=20, targets=25, address_reuse=0))
    for start in range(0, len(rows) - 25, 25):
        assert len(set(rows["user"][start : start + 25].tolist())) == 25
    assert not (np.diff([rows["user"][i : i + 25].tolist() for i in (0, 25)], axis=0) == 0).all()


def test_named_targets_are_the_ones_tried():
    names = tuple(WORLD.people.upn[:7])
    _, rows = planted(Campaign("spray", rate=5, targets=names))
    assert {WORLD.people.upn[user] for user in rows["user"]} == set(names)
    with pytest.raises(ValueError, match="unknown users"):
        planted(Campaign("spray", rate=5, targets=("nobody@example.com",)))


def test_addresses_are_reused_as_often_as_asked():
    _, rows = planted(Campaign("spray", rate=30, address_reuse=0.3))
    assert 0.65 < len(np.unique(rows["address"])) / len(rows) < 0.75


def test_attempts_are_spread_over_the_day():
    _, rows = planted(PRESETS["classic"])
    per_hour = np.bincount(rows["time"] // HOUR % 24, minlength=24)
    assert per_hour.min() > 0.5 * per_hour.mean()
    assert np.bincount((rows["time"] - WORLD.tenant.start_ms) // DAY, minlength=DAYS).max() < 60


def test_business_hours_are_the_head_offices_weekdays():
    _, rows = planted(replace(PRESETS["business_hours"], successes=0))
    local = rows["time"] - 7 * HOUR  # Seattle in summer
    assert ((local // DAY + 3) % 7 < 5).all()  # 1970 began on a Thursday
    assert ((local // HOUR % 24 >= 8) & (local // HOUR % 24 < 18)).all()


def local(rows: Rows) -> np.ndarray:
    """The clock of the head office: Seattle in summer."""
    return rows["time"] - 7 * HOUR


def test_sundays_are_sundays_from_one_to_five():
    _, rows = planted(replace(PRESETS["sundays"], successes=0))
    assert ((local(rows) // DAY + 3) % 7 == 6).all()  # 1970 began on a Thursday
    assert set((local(rows) // HOUR % 24).tolist()) == {1, 2, 3, 4}
    sundays = np.unique(local(rows) // DAY, return_counts=True)[1]
    assert len(sundays) == 9
    assert 36 < sundays[1:-1].mean() < 44


def test_nights_are_from_ten_to_six():
    _, rows = planted(Campaign("spray", rate=20, hours="nights"))
    assert set((local(rows) // HOUR % 24).tolist()) == {22, 23, 0, 1, 2, 3, 4, 5}


def networks_of(rows: Rows) -> tuple[int, int, int]:
    """How many addresses, /24 prefixes and AS numbers."""
    prefixes = np.unique(rows["address"] >> np.uint64(8))
    return len(np.unique(rows["address"])), len(prefixes), len(np.unique(rows["asn"]))


def test_kept_sources_are_in_as_many_networks_as_their_kind_has():
    assert networks_of(planted(PRESETS["rented"])[1]) == (40, 8, 3)
    assert networks_of(planted(PRESETS["server"])[1]) == (1, 1, 1)
    assert networks_of(planted(Campaign("s", 20, sources="rented", addresses=7))[1])[:2] == (7, 2)
    addresses, prefixes, providers = networks_of(planted(PRESETS["cloud"])[1])
    assert 250 < addresses <= 300
    assert 90 < prefixes <= 100
    assert providers == 1


def test_some_exits_are_much_used_and_many_hardly():
    _, rows = planted(PRESETS["exits"])
    addresses, _, providers = networks_of(rows)
    assert 300 < addresses < 1_000
    assert 40 < providers <= 60
    uses = np.unique(rows["address"], return_counts=True)[1]
    assert np.sort(uses)[-50:].sum() > 0.25 * len(rows)
    assert (uses == 1).sum() > 100


def test_random_order_comes_back_to_an_account_before_the_others_were_tried():
    _, rows = planted(Campaign("spray", rate=20, targets=25, order="random"))
    assert any(len(set(rows["user"][i : i + 25].tolist())) < 25 for i in range(0, 1_000, 25))
    assert len(np.unique(rows["user"])) == 25


@pytest.mark.parametrize("order", ["list", "sorted"])
def test_a_list_is_tried_in_the_same_order_again_and_again(order):
    world, rows = planted(Campaign("spray", rate=20, targets=25, order=order))
    first = rows["user"][:25].tolist()
    assert len(set(first)) == 25
    assert (rows["user"][25:1_000] == rows["user"][: 1_000 - 25]).all()
    names = [world.people.upn[user] for user in first]
    assert (names == sorted(names)) == (order == "sorted")


def test_poisson_gaps_vary_more_than_steady_ones():
    gaps = [
        np.diff(planted(Campaign("spray", rate=20, rhythm=rhythm))[1]["time"])
        for rhythm in ("steady", "poisson")
    ]
    steady, poisson = (gap.std() / gap.mean() for gap in gaps)
    assert steady < 0.5
    assert 0.85 < poisson < 1.15


def test_lockout_answers_the_share_asked_for():
    _, rows = planted(PRESETS["locked"])
    attempts = rows[rows["label"] == label("spray_failure")]
    assert set(attempts["result"].tolist()) == {50053, 50126}
    assert 0.28 < (attempts["result"] == 50053).mean() < 0.39


def test_right_passwords_that_were_stopped_are_in_the_summary():
    campaign = replace(PRESETS["stopped"], successes=2)
    world, rows = planted(campaign)
    stopped = rows[rows["label"] == label("spray_stopped")]
    assert len(np.unique(stopped["user"])) == len(stopped) == 5
    assert set(stopped["result"].tolist()) <= {50074, 50076, 50079, 53003, 50158, 50055}
    account = account_of(world, rows, campaign)
    assert account["accounts_stopped"] == [
        world.people.upn[user] for user in sorted(stopped["user"])
    ]
    assert len(account["accounts_compromised"]) == 2
    assert account["attempts"] == len(attempts_of(rows))


def test_ropc_has_one_user_agent():
    world, rows = planted(PRESETS["ropc"])
    agents = {
        (row["client"], world.devices.known[row["device"]].user_agent(row["client"], 0))
        for row in attempts_of(rows)
    }
    assert agents == {(CLIENTS.index("Other clients"), "BAV2ROPC")}


def test_successes_are_followed_by_visits_from_the_same_network():
    _, rows = planted(PRESETS["classic"])
    inside = rows[rows["label"] == label("spray_success")]
    assert len(np.unique(inside["user"])) == 3
    for user in np.unique(inside["user"]):
        visits = inside[inside["user"] == user]
        assert 2 <= len(visits) <= 3
        assert len(np.unique(visits["address"])) == 1
        assert np.ptp(visits["time"]) < HOUR
    assert (inside["result"] == 0).all()


@pytest.mark.parametrize("kind", PRESETS)
def test_presets_differ_in_what_they_claim(kind: str):
    world, rows = planted(PRESETS[kind])
    attempts = attempts_of(rows)
    devices = [world.devices.known[number] for number in attempts["device"]]
    countries = {CITIES[place].country for place in attempts["place"]}
    clients = {CLIENTS[number] for number in attempts["client"]}
    makes = len({(device.os, device.browser) for device in devices}) / len(attempts)
    homes = {CITIES[place].country for place in WORLD.people.home}
    assert (makes > 0.9) == (PRESETS[kind].clients == "invented")
    assert (countries <= homes) == (kind == "residential")
    assert (clients <= {"IMAP4", "POP3", "Authenticated SMTP", "Other clients"}) == (
        kind in ("legacy", "ropc")
    )
    assert all(not device.name for device in devices)


def test_campaigns_use_networks_that_no_ordinary_sign_in_uses():
    _, rows = planted(PRESETS["residential"])
    usual = set((ROWS["address"] >> np.uint64(8)).tolist())
    new = [prefix not in usual for prefix in (rows["address"] >> np.uint64(8)).tolist()]
    assert np.mean(new) > 0.99


def test_the_account_of_campaigns_agrees_with_labels_and_files(small: Generated):
    written, labelled = signins(small.source), labels(small.labels)
    accounts = json.loads((small.labels.parent / "campaigns.json").read_text())
    assert [account["kind"] for account in accounts] == ["classic", "mimic"]
    for account in accounts:
        mine = [written[id_] for id_, (_, name) in labelled.items() if name == account["name"]]
        failures = [signin for signin in mine if signin.result]
        compromised = {signin.user for signin in mine if not signin.result}
        assert len(failures) + len(compromised) == account["attempts"]
        assert len({signin.user for signin in mine}) == account["accounts_tried"]
        assert len(compromised) == len(account["accounts_compromised"])
        assert min(signin.time for signin in mine)[:23] == account["first_attempt"][:23]
