"""The detection limit: what is planted, and from which rate on it is found."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from lowslow_assets.detection.population import Population
from lowslow_assets.engines.base import Engine
from lowslow_assets.engines.schemas import extended, schema
from lowslow_assets.hunting.limit import (
    KINDS,
    RATES,
    STOPPED_PASSWORDS,
    SYNTHETIC,
    Limit,
    draw_accounts,
    find_limits,
    in_words,
    synthetic_attempts,
)
from lowslow_assets.hunting.settings import HuntSettings
from lowslow_assets.lake.tables import FEATURES, NODATA, SUSPECT_FAILURES
from lowslow_assets_tests.support.relations import relation

START = datetime(2026, 6, 1, tzinfo=UTC)
DAYS, USERS = 10, 40
INVENTED, ANYWHERE, AT_HOME, RENTED, SERVER, CLOUD = KINDS
FRESH = [kind for kind, made in KINDS.items() if made.prefixes is None]
MODEL = {
    **dict.fromkeys(FEATURES, "usual"),
    "signin_id": "id",
    "time_generated": START,
    "user": "somebody",
    "outcome": "success",
    "seconds_to_success": None,
    "ip_address": "203.0.113.7",
    "ip_prefix": "203.0.113",
    "latitude": 59.9,
    "longitude": None,
}


@pytest.fixture(scope="module")
def planted() -> pa.Table:
    models = [{**MODEL, "ClientAppUsed": f"client {n}"} for n in range(100)]
    return synthetic_attempts(models, [f"user{n}" for n in range(USERS)], START.date(), DAYS)


def test_attempts_are_spread_over_days_accounts_and_addresses(planted: pa.Table):
    attempts = RATES[0] * DAYS
    assert planted.schema.equals(SYNTHETIC)
    assert len(set(planted["signin_id"].to_pylist())) == len(planted)
    assert all(prefix.startswith("2001:db8:") for prefix in planted["ip_prefix"].to_pylist())
    for kind in KINDS:
        all_rows = planted.filter(pc.field("kind") == kind).to_pylist()
        spray, stopped = all_rows[:attempts], all_rows[attempts:]
        assert {(row["outcome"], row["result_type"]) for row in spray} == {("failure", "50126")}
        assert {(row["outcome"], row["result_type"]) for row in stopped} == {("stopped", "50076")}
        assert [row["number"] for row in stopped] == [None] * STOPPED_PASSWORDS
        assert [row["number"] for row in spray] == list(range(attempts))
        assert {row["date"] for row in spray} == {
            START.date() + timedelta(days=n) for n in range(DAYS)
        }
        assert all(row["date"] == row["time_generated"].date() for row in spray)
        users = [row["user"] for row in spray]
        assert {users.count(user) for user in users} == {attempts // USERS}
        # The models in turn, then from the first one again.
        assert [row["ClientAppUsed"] for row in spray] == [
            f"client {n % 100}" for n in range(attempts)
        ]


@pytest.mark.parametrize(
    ("kind", "prefixes", "least", "most"),
    # Within so few days, some addresses stay unused.
    [(RENTED, 8, 30, 40), (SERVER, 1, 1, 1), (CLOUD, 20, 100, 300)],
)
def test_some_use_their_sources_again(
    planted: pa.Table, kind: str, prefixes: int, least: int, most: int
) -> None:
    spray = planted.filter(pc.field("kind") == kind)
    assert len(set(spray["ip_prefix"].to_pylist())) == prefixes
    assert least <= len(set(spray["ip_address"].to_pylist())) <= most
    of_prefix = {(row["ip_prefix"], row["network"]) for row in spray.to_pylist()}
    assert len(of_prefix) == prefixes
    others = planted.filter(pc.field("kind") != kind)["ip_prefix"].to_pylist()
    assert not {prefix for prefix, _ in of_prefix} & set(others)


@pytest.mark.parametrize("kind", FRESH)
def test_others_have_a_fresh_source_per_attempt(planted: pa.Table, kind: str) -> None:
    spray = planted.filter(pc.field("kind") == kind)
    for name in ("ip_address", "ip_prefix"):
        assert len(set(spray[name].to_pylist())) == len(spray)


def test_attempts_are_the_same_when_made_again(planted: pa.Table):
    models = [{**MODEL, "ClientAppUsed": f"client {n}"} for n in range(100)]
    accounts = [f"user{n}" for n in range(USERS)]
    assert synthetic_attempts(models, accounts, START.date(), DAYS).equals(planted)


def test_each_kind_invents_its_own_features(planted: pa.Table):
    for kind in FRESH:
        invented = KINDS[kind].invented
        spray = planted.filter(pc.field("kind") == kind)
        for feature in set(FEATURES) - {"ClientAppUsed"}:
            values = set(spray[feature].to_pylist())
            assert len(values) == (len(spray) if feature in invented else 1)
            assert ("usual" in values) == (feature not in invented)


def test_a_tenant_without_successes_has_no_models():
    assert len(synthetic_attempts([], ["ann"], START.date(), DAYS)) == 0


def test_accounts_are_drawn_by_their_names_alone(engine: Engine):
    names = [f"user{n}" for n in range(50)]
    drawn = [
        [row["user"] for row in draw_accounts(relation(engine, USER, rows), 20).rows()]
        for rows in ([(n,) for n in names], [(n,) for n in names[::-1] + names])
    ]
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 20
    assert set(drawn[0]) < set(names)
    assert drawn[0] != sorted(drawn[0])


USER = schema("user string")
NUMBERED = extended(SUSPECT_FAILURES.schema, "number bigint")


def suspects(pattern: int, attempts_a_day: int = RATES[0], days: int = 30) -> pa.Table:
    """A spray of one pattern at random times, and one stray every third day."""
    rng = np.random.default_rng(0)
    planted = attempts_a_day * days
    strays = days // 3
    hours = [*rng.uniform(0, 24 * days, planted), *rng.uniform(0, 24 * days, strays)]
    size = planted + strays
    columns: dict[str, Any] = {
        "signin_id": [f"id{n}" for n in range(size)],
        "number": [*range(planted), *[None] * strays],
        "pattern": [pattern] * planted + [0b11000] * strays,
        "time_generated": [START + timedelta(hours=hour) for hour in hours],
        "user": [f"user{n % 500}" for n in range(size)],
        "result_type": ["50126"] * size,
        "ip_address": [f"203.{n // 256}.{n % 256}.7" for n in range(size)],
        "ip_prefix": [f"203.{n // 256}.{n % 256}" for n in range(size)],
        "network": [f"AS{n}" for n in range(size)],
        "AppDisplayName": [f"app{n % 7}" for n in range(size)],
        "ClientAppUsed": ["Browser"] * size,
        "browser": [f"browser{n}" for n in range(size)],
        "operatingSystem": ["odd"] * size,
        "agent": [NODATA] * size,
        "Location": ["Nowhere"] * size,
    }
    nothing = dict.fromkeys(NUMBERED.names, [None] * size)
    return pa.Table.from_pydict(nothing | columns, NUMBERED)


def limits(rows: pa.Table, strays: float = 0) -> dict[int, int | None]:
    population = Population(500, 30, strays, {"odd": strays})
    found = list(find_limits("a kind", rows, population, HuntSettings()))
    assert {limit.kind for limit in found} == {"a kind"}
    return {limit.attempts_per_day: limit.found_after_days for limit in found}


def test_the_more_attempts_the_sooner_they_are_found():
    found = limits(suspects(0b11101))
    assert found[16] == 10  # the first look at which seven days are over
    assert found[4] is not None
    after = [found[rate] or 999 for rate in sorted(RATES)]
    assert after == sorted(after, reverse=True)


def test_what_people_do_as_well_is_found_later_or_never():
    # Few are odd in three properties at once, whatever the others do.
    odd, less_odd = (limits(suspects(pattern), 5) for pattern in (0b11101, 0b11000))
    assert odd == limits(suspects(0b11101), 0)
    assert odd[4] is not None
    assert less_odd[4] is None
    assert limits(suspects(0b11101), strays=200)[16] is None


def test_in_words():
    found = [
        Limit(INVENTED, 1, None),
        Limit(INVENTED, 2, 25),
        Limit(INVENTED, 4, 10),
        Limit(ANYWHERE, 1, 30),
        Limit(AT_HOME, 16, None),
        Limit(SERVER, 8, 10, 0.8),
    ]
    assert in_words(found) == [
        "A spray with invented clients is found from 2 attempts a day on, after 25 days.",
        "A spray with common clients, anywhere is found from 1 attempt a day on, after 30 days.",
        "A spray with common clients, in your cities is not found up to 16 attempts a day.",
        "A spray with common clients, from 40 rented servers is not found up to 16 attempts a day.",
        "A spray with common clients, from one server is found from 8 attempts a day on, after 10 "
        "days; of the right passwords that something stops, 80% are named.",
        "A spray with common clients, from 300 gateways of a cloud is not found up to 16 attempts "
        "a day.",
    ]
