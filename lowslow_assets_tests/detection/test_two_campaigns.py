"""Two campaigns at once: divided where networks differ in hours or accounts, else one campaign."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowslow_assets.detection.members import Suspects
from lowslow_assets.detection.population import Population
from lowslow_assets.detection.two_campaigns import first_of_two
from lowslow_assets.lake.tables import SUSPECT_FAILURES

# A Monday.
START = datetime(2026, 5, 4, tzinfo=UTC)
TENANT = Population(accounts=1_000, days=60)
DAYS = 40


def attempts(
    days: np.ndarray, hours: np.ndarray, users: np.ndarray, networks: Sequence
) -> pa.Table:
    """Attempts on days of the window, at hours of the day (with fractions)."""
    rows = {
        "time_generated": [
            START + timedelta(days=int(day), hours=float(hour))
            for day, hour in zip(days, hours, strict=True)
        ],
        "user": [f"user{user}" for user in users],
        "network": [f"AS{network}" for network in networks],
    }
    nothing = dict.fromkeys(SUSPECT_FAILURES.schema.names, [None] * len(days))
    alike = {
        "ip_address": ["192.0.2.1"] * len(days),
        "pattern": [0] * len(days),
    }
    return pa.Table.from_pydict(nothing | alike | rows, SUSPECT_FAILURES.schema)


def drawn(
    seed: int,
    number: int,
    networks: range,
    hours: tuple[float, float] = (0, 24),
    users: range = range(1_000),
    days: tuple[int, int] = (0, DAYS),
) -> pa.Table:
    """Attempts at random, each independent of the others."""
    rng = np.random.default_rng(seed)
    return attempts(
        rng.integers(*days, number),
        rng.uniform(*hours, number),
        rng.choice(users, number),
        rng.choice(networks, number).tolist(),
    )


def divided(*parts: pa.Table, population: Population = TENANT) -> list[set[str]]:
    """The networks of each campaign that is found."""
    found = Suspects.of(pa.concat_tables(parts))
    first = first_of_two(found, population)
    assert first.shape == (len(found),)
    sides = [set(found.network[chosen].tolist()) for chosen in (first, ~first) if chosen.any()]
    return sorted(sides, key=sorted)


def networks_of(*numbers: range) -> list[set[str]]:
    return sorted(({f"AS{number}" for number in range_} for range_ in numbers), key=sorted)


NIGHTS, ANY = (0, 6), (0, 24)


@pytest.mark.parametrize("seed", range(3))
def test_two_campaigns_at_other_hours_are_divided_by_their_networks(seed: int) -> None:
    nights = drawn(seed, 120, range(5), NIGHTS)
    days = drawn(seed + 9, 80, range(5, 9), (9, 17))
    assert divided(nights, days) == networks_of(range(5), range(5, 9))


@pytest.mark.parametrize("seed", range(3))
def test_two_campaigns_with_other_accounts_are_divided_by_their_networks(seed: int) -> None:
    one = drawn(seed, 150, range(5), users=range(30))
    other = drawn(seed + 9, 150, range(5, 9), users=range(30, 60))
    assert divided(one, other) == networks_of(range(5), range(5, 9))


@pytest.mark.parametrize("networks", [1, 2, 5, 40, 200])
@pytest.mark.parametrize("hours", [NIGHTS, ANY])
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), accounts=st.sampled_from([10, 100, 1_000]))
def test_a_campaign_that_chooses_its_sources_at_random_is_one(
    networks: int, hours: tuple[float, float], seed: int, accounts: int
) -> None:
    alone = drawn(seed, 300, range(networks), hours, range(accounts))
    assert divided(alone) == [set(alone["network"].to_pylist())]


def test_few_attempts_are_no_evidence() -> None:
    apart = [drawn(1, 4, range(1), NIGHTS, days=(0, 2)), drawn(2, 4, range(1, 2), days=(0, 2))]
    assert divided(*apart) == [{"AS0", "AS1"}]


def test_sessions_of_an_hour_from_a_network_each_are_one_campaign() -> None:
    # Several sessions a day, so networks differ in their hours, and come on the same days.
    rng = np.random.default_rng(3)
    session = np.repeat(np.arange(60), 10)
    days, hours = rng.integers(0, 20, 60)[session], rng.integers(0, 23, 60)[session]
    users = np.tile(rng.permutation(1_000), 2)[: len(session)]
    networks = rng.integers(0, 40, 60)[session]
    alone = attempts(days, hours + rng.uniform(0, 1, len(session)), users, networks.tolist())
    assert len(divided(alone)) == 1


def test_a_campaign_that_changes_its_sources_and_its_hours_is_one() -> None:
    before = drawn(1, 100, range(5), NIGHTS, days=(0, 20))
    after = drawn(2, 100, range(5, 9), (9, 17), days=(20, DAYS))
    assert len(divided(before, after)) == 1


def test_the_division_does_not_depend_on_the_order() -> None:
    both = pa.concat_tables([drawn(1, 120, range(5), NIGHTS), drawn(2, 80, range(5, 9), (9, 17))])
    backwards = both.take(list(range(len(both)))[::-1])
    assert divided(backwards) == divided(both)


def test_a_single_attempt_is_one_campaign() -> None:
    assert divided(drawn(1, 1, range(1))) == [{"AS0"}]
