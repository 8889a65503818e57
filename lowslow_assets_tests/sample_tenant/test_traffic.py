"""The ordinary tenant: rhythm, mistakes, confusers, all of which sprays leave unchanged."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowslow_assets.sample_tenant import CONFUSERS, PRESETS, Tenant, apps
from lowslow_assets.sample_tenant.devices import Device
from lowslow_assets.sample_tenant.networks import text
from lowslow_assets.sample_tenant.signins import DAY, HOUR, MINUTE, Rows, label
from lowslow_assets.sample_tenant.streams import guids, mix, unit
from lowslow_assets.sample_tenant.tenant import EDITION
from lowslow_assets.sample_tenant.traffic import draw
from lowslow_assets.sample_tenant.world import World

TENANT = Tenant(users=500, signins_per_day=1_000, campaigns=(PRESETS["classic"],))
WORLD, ROWS = draw(TENANT)


def labelled(name: str, rows: Rows = ROWS) -> Rows:
    return rows[rows["label"] == label(name)]


def test_the_number_of_sign_ins_is_about_what_was_asked_for():
    assert 0.95 < len(ROWS) / (TENANT.days * TENANT.signins_per_day) < 1.05


def test_the_demo_is_about_two_hundred_thousand_sign_ins_a_tenth_of_them_failures():
    _, rows = draw(Tenant())
    assert 195_000 < len(rows) < 205_000
    assert 0.08 < np.isin(rows["result"], [50126, 50055]).mean() < 0.12
    assert 0.01 < (~np.isin(rows["result"], [0, 50126, 50055])).mean() < 0.05


def test_weekdays_are_busier_than_weekends_and_days_than_nights():
    ordinary = ROWS[ROWS["label"] == 0]
    per_weekday = np.bincount((ordinary["time"] // DAY + 3) % 7)  # 1970 began on a Thursday
    assert per_weekday[:5].min() > 3 * per_weekday[5:].max()
    head_office = ordinary[WORLD.people.office[ordinary["user"]] == 0]
    per_hour = np.bincount((head_office["time"] // HOUR - 7) % 24, minlength=24)
    assert per_hour[8:18].min() > 5 * per_hour[0:5].max()
    assert per_hour[12] < min(per_hour[10], per_hour[14])


def test_activity_is_heavy_tailed():
    per_user = np.sort(np.bincount(ROWS["user"], minlength=TENANT.users))
    assert per_user[-50:].sum() > 0.25 * per_user.sum()


def test_most_typing_errors_are_resolved_from_the_same_place_within_minutes():
    typos, good = labelled("typo"), ROWS[ROWS["result"] == 0]
    resolved = [
        np.any(
            (mine["address"] == typo["address"])
            & (mine["device"] == typo["device"])
            & (mine["time"] > typo["time"])
            & (mine["time"] < typo["time"] + 10 * MINUTE)
        )
        for typo in typos
        for mine in [good[good["user"] == typo["user"]]]
    ]
    assert 0.85 < np.mean(resolved) < 0.97


def test_campaigns_add_rows_and_change_no_other():
    _, quiet = draw(replace(TENANT, campaigns=()))
    _, other = draw(replace(TENANT, campaigns=(PRESETS["mimic"], PRESETS["slow"])))
    columns = [name for name in ROWS.dtype.names or () if name not in ("campaign", "device")]
    for rows in (ROWS, other):
        kept = rows[rows["campaign"] == 0]
        assert all(np.array_equal(kept[column], quiet[column]) for column in columns)


@pytest.mark.parametrize("name", CONFUSERS)
def test_each_confuser_can_be_had_alone(name: str):
    _, rows = draw(replace(TENANT, days=20, campaigns=(), confusers=(name,)))
    present = {label(other) for other in CONFUSERS} & set(rows["label"].tolist())
    assert present == {label(name)}


def test_a_quiet_tenant_has_nothing_but_people_and_their_mistakes():
    _, rows = draw(replace(TENANT, campaigns=(), confusers=()))
    assert set(rows["label"].tolist()) == {label("ordinary"), label("typo")}


def test_stale_devices_fail_every_half_hour_for_at_least_a_week():
    rows = labelled("stale_device")
    for user in np.unique(rows["user"]):
        mine = rows[rows["user"] == user]
        assert np.ptp(mine["time"]) > 6.5 * DAY
        assert 25 * MINUTE < np.median(np.diff(mine["time"])) < 35 * MINUTE
        assert len(np.unique(mine["device"])) == 1


def test_the_connector_is_one_address_and_many_users():
    rows = labelled("connector")
    assert len(np.unique(rows["address"])) == 1
    assert len(np.unique(rows["user"])) > 30


def test_bursts_are_over_within_an_hour():
    rows = labelled("burst")
    hours = np.flatnonzero(np.diff(rows["time"]) > HOUR)
    assert len(hours) + 1 == 2
    assert len(np.unique(rows["address"])) == 8
    assert len(np.unique(rows["user"])) > TENANT.users / 4


def test_the_password_expiry_is_one_day_and_many_users():
    rows = labelled("password_expiry")
    assert len(np.unique(rows["time"] // DAY)) <= 2
    expired = rows[rows["result"] == 50055]
    assert len(expired) > 0.75 * len(np.unique(rows["user"])) > 20


def test_the_new_office_is_new():
    rows = labelled("new_office")
    earlier = ROWS[ROWS["time"] < rows["time"].min()]
    assert not np.isin(earlier["asn"], np.unique(rows["asn"])).any()
    assert (rows["result"] == 0).any()
    assert (rows["result"] == 50126).any()


def test_travellers_keep_their_devices():
    for row in labelled("travel")[:200]:
        assert row["device"] in WORLD.people.devices[row["user"]]


def test_browsers_are_updated_as_months_pass():
    device = Device("Windows10", "Edge")
    assert device.browser_on(0, 20_000) == "Edge 130.0.0"
    assert device.browser_on(0, 20_030) == "Edge 131.0.0"
    assert Device("Tizen 3", "Whale 7.1", updates=False).browser_on(0, 20_030) == "Whale 7.1"


def test_the_default_tenant_is_the_one_it_always_was():
    # New settings leave the rows unchanged; if the rows are meant to change, EDITION changes too.
    known = {
        "time": "2410bd6a703b",
        "address": "8fd2ba35959f",
        "result": "3bf505556c25",
        "user": "cdec6b87d165",
    }
    found = {name: hashlib.sha256(ROWS[name].tobytes()).hexdigest()[:12] for name in known}
    assert (EDITION, found) == (1, known)


def quiet(**settings: object) -> tuple[World, Rows]:
    """A tenant of this module's size with some settings of its own, and nothing unusual in it."""
    return draw(replace(TENANT, campaigns=(), confusers=(), **settings))  # pyright: ignore


def seen_once(rows: Rows) -> float:
    """Share of the successes from a /24 or /48 that no other sign-in comes from."""
    address = rows["address"][rows["result"] == 0]
    prefix = np.where(address < 2**32, address >> np.uint64(8), address >> np.uint64(16))
    return float((np.unique(prefix, return_counts=True)[1] == 1).sum() / len(prefix))


def test_networks_are_as_diverse_as_asked():
    assert seen_once(quiet()[1]) < 0.01
    pools = {"mobile_pools": 20_000, "home_pools": 3_000}
    assert 0.02 < seen_once(quiet(**pools)[1]) < 0.2
    abroad = {**pools, "office": 0.1, "mobile": 0.95, "hotspots": 0.9, "further": 0.05}
    assert 0.55 < seen_once(quiet(**abroad)[1]) < 0.9


def test_leases_change_as_often_as_asked():
    world, rows = quiet(lease_days=(1, 2), pools_per_home=40, ipv6=0)
    at_home = rows[rows["asn"] == world.people.home_asn[rows["user"]]]
    _, once = quiet(ipv6=0)
    assert len(np.unique(at_home["address"])) > 3 * len(
        np.unique(once["address"][once["asn"] == world.people.home_asn[once["user"]]])
    )


def test_noise_typos_and_those_given_up_are_as_many_as_asked():
    _, rows = draw(replace(TENANT, campaigns=(), noise=8))
    assert 400 < len(labelled("internet_noise", rows)) < 560
    usual, double = (len(labelled("typo", quiet(typos=typos)[1])) for typos in (0.05, 0.1))
    assert 1.8 < double / usual < 2.2
    _, resigned = quiet(given_up=1.0)
    assert len(resigned[resigned["result"] == 0]) < 0.98 * len(quiet(given_up=0.0)[1])


def test_lockout_answers_those_who_mistype_a_third_time():
    _, rows = quiet(lockout=True)
    typos = labelled("typo", rows)
    assert 0.05 < (typos["result"] == 50053).mean() < 0.3
    assert not (labelled("typo")["result"] == 50053).any()


def test_some_prompts_are_refused():
    _, rows = quiet(refused=0.25)
    prompts = np.isin(rows["result"], [50074, 50076, 500121])
    assert 0.2 < (rows["result"][prompts] == 500121).mean() < 0.3


def test_the_security_service_takes_over_all_offices_on_its_day():
    _, before = quiet()
    world, rows = quiet(egress_day=30)
    moved = rows["address"] != before["address"]
    assert len(np.unique(rows["asn"][moved])) == 1
    assert len(np.unique(rows["address"][moved])) <= 4 * 8
    assert 0 <= rows["time"][moved].min() - world.moment(30) < DAY
    assert np.isin(labelled("typo", rows)["asn"], rows["asn"][moved]).any()


def test_a_conference_is_three_days_on_one_hotels_wifi():
    _, rows = quiet(conference=100)
    there = labelled("travel", rows)
    assert len(np.unique(there["address"])) <= 6
    assert len(np.unique(there["address"] >> np.uint64(8))) == 1
    assert 50 < len(np.unique(there["user"])) <= 100
    assert np.ptp(there["time"]) < 4.5 * DAY


def test_a_new_application_is_not_opened_before_its_day():
    world, rows = quiet(new_app_day=30)
    opened = rows["time"][rows["app"] == apps.NEW_APP]
    assert len(opened) > 500
    assert opened.min() > world.moment(30) - HOUR
    assert not (ROWS["app"] == apps.NEW_APP).any()


@given(st.integers(0, 2**64 - 1))
def test_hashes_are_the_same_for_scalars_and_arrays(number: int):
    array = np.array([number, 1], dtype=np.uint64)
    assert int(mix(number, "a name")) == int(mix(array, "a name")[0])
    assert 0 <= float(unit(number)) < 1
    assert len(guids(mix(array), mix(array, 2))[0]) == 36


def test_addresses_are_written_as_in_a_log():
    assert text((81 << 24) | (2 << 16) | (3 << 8) | 4) == "81.2.3.4"
    assert text(0x2A00_1234_5678_9ABC).startswith("2a00:1234:5678:9abc:")
