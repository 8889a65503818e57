"""Signs of one attacker: each by a value computed another way, on strays, and on planted sprays."""

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats

from lowslow_assets.detection.members import Suspects
from lowslow_assets.detection.patterns import MODEL_PROPERTIES
from lowslow_assets.detection.population import KnownAccount, Population
from lowslow_assets.detection.signs import (
    BEGINNING_AND_END,
    MIN_ATTEMPTS,
    Sign,
    at_least,
    lasting_signs,
    occupancy_p_value,
    signs_of_members,
    signs_of_size,
)
from lowslow_assets.detection.spray_tests import (
    DEFAULTS,
    confidence,
    honest_strays_among,
    spray_tests,
)
from lowslow_assets.detection.statistics import size_of
from lowslow_assets.lake.tables import NODATA, SUSPECT_FAILURES

# A Monday.
START = datetime(2026, 5, 4, tzinfo=UTC)
TENANT = Population(accounts=1_000, days=60)
DEVICE = 1 << list(MODEL_PROPERTIES).index("device")


def suspects(days: list[float], **columns: list) -> Suspects:
    """One suspect per time, in days after START: unlike each other but for what is given."""
    number = len(days)
    rows: dict[str, Any] = {
        "signin_id": [f"{i:05}" for i in range(number)],
        "time_generated": [START + timedelta(days=day) for day in days],
        "user": [f"user{i}" for i in range(number)],
        "pattern": [DEVICE] * number,
        "browser": [f"invented {i}" for i in range(number)],
        "operatingSystem": ["Windows10"] * number,
        "agent": [NODATA] * number,
        "AppDisplayName": ["Azure Portal"] * number,
        "ClientAppUsed": ["Browser"] * number,
        "network": [f"AS{i}" for i in range(number)],
        "Location": ["SE"] * number,
        "ip_address": [f"address {i}" for i in range(number)],
        "ip_prefix": [f"prefix {i}" for i in range(number)],
        "result_type": ["50126"] * number,
    }
    nothing = dict.fromkeys(SUSPECT_FAILURES.schema.names, [None] * number)
    return Suspects.of(pa.Table.from_pydict(nothing | rows | columns, SUSPECT_FAILURES.schema))


def signs(
    members: Suspects, among: Suspects | None = None, population: Population = TENANT
) -> dict[str, Sign]:
    found = [*signs_of_members(members, among or members, population)]
    found += signs_of_size(size_of(0, members), population.honest_strays_a_day, 10.0)
    assert all(0 <= sign.p_value <= 1 for sign in found)
    return {sign.name: sign for sign in found}


def strays(number: int, seed: int) -> Suspects:
    """At any time of the window, on any account."""
    rng = np.random.default_rng(seed)
    accounts = rng.integers(0, TENANT.accounts, number)
    return suspects(
        rng.uniform(0, TENANT.days, number).tolist(), user=[f"user{a}" for a in accounts]
    )


@pytest.mark.parametrize(
    ("events", "places", "occupied", "p_value"),
    [
        (1, 3, 1, 1.0),
        (2, 3, 2, 2 / 3),
        (3, 3, 3, 6 / 27),
        # All three on two places at most: 1 - 6/27.
        (3, 3, 2, 24 / 27 + 0),
        (10, 10, 10, math.factorial(10) / 10**10),
        (10**6, 30, 30, 1.0),
        (5, 7, 6, 0.0),
        (5, 0, 0, 1.0),
    ],
)
def test_occupancy(events: int, places: int, occupied: int, p_value: float) -> None:
    assert occupancy_p_value(events, places, occupied) == pytest.approx(p_value)


@pytest.mark.parametrize(
    ("events", "expected"), [(0, 0.5), (1, 0.0), (1, 0.5), (3, 1.0), (40, 12.5), (700, 600.0)]
)
def test_at_least_is_the_tail_of_poisson(events: int, expected: float) -> None:
    assert at_least(events, expected) == pytest.approx(stats.poisson.sf(events - 1, expected))


def test_the_number_is_compared_with_noise_and_people() -> None:
    members = suspects([i * 59 / 699 for i in range(700)])
    noise = stats.poisson.sf(699, 10 * 60)
    assert signs(members)["number"].p_value == pytest.approx(noise)
    busy = Population(1_000, 60, honest_strays_a_day=2.0)
    assert signs(members, population=busy)["number"].p_value == pytest.approx(
        stats.poisson.sf(699, 12 * 60)
    )


def test_each_account_once_is_even() -> None:
    members = suspects([i * 0.59 for i in range(100)])
    once = math.prod(1 - i / 1_000 for i in range(100))
    sign = signs(members)["even accounts"]
    assert sign.p_value == pytest.approx(once)
    assert sign.explanation.startswith("0 of 100 attempts try an account again; strays would 5 ")


def tried(*tries: int) -> Suspects:
    """Accounts that are tried on so many days each, in turn."""
    users = [f"user{i}" for n in range(max(tries)) for i, times in enumerate(tries) if n < times]
    return suspects([float(i) for i in range(len(users))], user=users)


def variance_without_zeros(mean: float) -> float:
    """Of a Poisson distribution without zeros, by the probability of each number."""
    found = optimize.root_scalar(
        lambda rate: rate / -math.expm1(-rate) - mean, bracket=(1e-9, mean)
    )
    rate = float(found.root)
    numbers = np.arange(1, 100)
    probability = stats.poisson.pmf(numbers, rate) / -math.expm1(-rate)
    return float(probability @ (numbers - mean) ** 2)


@pytest.mark.parametrize(
    ("tries", "squares"),
    [
        ((6, 6), 0),
        ((5, 7), 2),
        ((4, 5, 6), 2),
        ((2, 2, 2, 2, 2, 2), 0),
        ((1, 2, 1, 2, 1, 2, 1, 2), 2),
        ((1, 1, 28), 2 * 9**2 + 18**2),
    ],
    ids=str,
)
def test_equal_tries_as_calculated_manually(tries: tuple[int, ...], squares: int) -> None:
    """One is added to the sum of the squares of the differences from the mean."""
    mean, accounts = sum(tries) / len(tries), len(tries)
    expected = stats.chi2.cdf((squares + 1) / variance_without_zeros(mean), accounts - 1)
    sign = signs(tried(*tries))["equal tries"]
    assert sign.p_value == pytest.approx(expected, rel=1e-3)
    assert sign.explanation == (
        f"each of {accounts} accounts is tried on {min(tries)} to {max(tries)} days; random tries "
        "would vary more"
    )


def test_equal_tries_are_as_improbable_as_they_are() -> None:
    """Fifty tries that leave out none of ten accounts fall on each of them five times.

    These are 50! / 5!^10 of 10^50 ways; some of the others leave out an account.
    """
    exact = math.factorial(50) / math.factorial(5) ** 10 / 10**50 / occupancy_p_value(50, 10, 10)
    assert signs(tried(*[5] * 10))["equal tries"].p_value == pytest.approx(exact, rel=0.5)


def test_accounts_that_are_hardly_tried_twice_have_no_equal_tries() -> None:
    assert "equal tries" in signs(tried(*[2] * 10, *[1] * 10))
    assert "equal tries" not in signs(tried(*[2] * 9, *[1] * 11))
    assert "equal tries" not in signs(tried(*[1] * 40))


def test_tries_of_one_day_are_one_of_equal_tries() -> None:
    """Who fails three times and gives up does so each time."""
    in_one_hour = suspects(
        [i + n / 100 for i in range(20) for n in range(3)],
        user=[f"user{i}" for i in range(20) for _ in range(3)],
    )
    assert "equal tries" not in signs(in_one_hour)


def test_one_account_is_tried_as_often_as_itself() -> None:
    assert signs(tried(12))["equal tries"].p_value == 1


@pytest.mark.parametrize("seed", range(20))
def test_random_tries_are_not_equal(seed: int) -> None:
    accounts = np.random.default_rng(seed).integers(0, 20, 200)
    members = suspects([i * 0.25 for i in range(200)], user=[f"user{a}" for a in accounts])
    assert signs(members)["equal tries"].p_value > 1e-3


# The first and the last of 60 days on which twelve accounts are tried, all within the first 20.
WITHIN_A_THIRD = [0.0, *np.linspace(1, 18, 10).tolist(), 19.5]


def within(share: float) -> float:
    """The range of 12 uniform variables is at most this share: 12 s^11 - 11 s^12."""
    return 12 * share**11 - 11 * share**12


def test_all_within_a_third_of_the_window() -> None:
    sign = signs(suspects(WITHIN_A_THIRD))["beginning and end"]
    assert sign.p_value == pytest.approx(within(20 / 60))
    assert sign.explanation == "all within 20 of 60 days"


@pytest.mark.parametrize(
    ("taken", "p_value", "within"),
    [
        # Of the days that another campaign leaves, these are all.
        (range(20, 60), 1.0, "20 of 20"),
        # Six of the twelve accounts are tried on ten of the fifty other days: 6 s^5 - 5 s^6.
        (range(10), 6 * 0.2**5 - 5 * 0.2**6, "10 of 50"),
        (range(60), 1.0, "0 of 0"),
    ],
    ids=["the rest", "some days", "all days"],
)
def test_days_of_another_campaign_do_not_count(taken: range, p_value: float, within: str) -> None:
    members = suspects(WITHIN_A_THIRD)
    first = (START.date() - date(1970, 1, 1)).days
    found = signs_of_members(members, members, TENANT, taken=[first + day for day in taken])
    [sign] = [sign for sign in found if sign.name == BEGINNING_AND_END]
    assert sign.p_value == pytest.approx(p_value)
    assert sign.explanation == f"all within {within} days without another campaign"


def on_weekdays(numbers: list[int]) -> dict[datetime, int]:
    """So many successes on each day of the week, for sixty days."""
    days = (START + timedelta(days=day) for day in range(60))
    return {day: numbers[day.weekday()] for day in days}


@pytest.mark.parametrize(
    ("successes", "p_value", "share"),
    [
        # 16 of the 56 days from the first Monday to the last Sunday are days off.
        ([12, 12, 12, 12, 12, 5, 4], stats.binom.sf(15, 40, 16 / 56), "40%"),
        # Here people are off on Fridays and Saturdays.
        ([12, 12, 12, 12, 5, 4, 12], 1.0, "0%"),
    ],
    ids=["sunday", "friday"],
)
def test_attempts_on_days_off(successes: list[int], p_value: float, share: str) -> None:
    """In each of eight weeks, three attempts on Monday and two on Sunday."""
    days = [7 * week + at for week in range(8) for at in (0, 0.1, 0.2, 6.3, 6.4)]
    population = replace(TENANT, successes=on_weekdays(successes))
    sign = signs(suspects(days), population=population)["days off"]
    assert sign.p_value == pytest.approx(p_value)
    assert sign.explanation.startswith(f"{share} of attempts on the two days of the week")


def test_without_successes_no_day_is_off() -> None:
    assert "days off" not in signs(suspects(np.linspace(0, 50, 40).tolist()))


def there(first: int, last: int) -> KnownAccount:
    """An account that succeeds first and last on these days after START."""
    day = START.date()
    return KnownAccount(frozenset(), day + timedelta(days=first), day + timedelta(days=last))


def each_day(successes: int, days: range) -> dict[datetime, int]:
    return {START + timedelta(days=day, hours=9): successes for day in days}


@pytest.mark.parametrize(
    ("known", "successes", "share"),
    [
        # Six people left, six stayed: of 6 * 20 + 6 * 60 days, 12 * 20 are in the first third.
        (
            {f"user{i}": there(0, 19 if i < 6 else 59) for i in range(12)},
            each_day(1, range(60)),
            240 / 480,
        ),
        # Everybody stays, but 60 of 100 successes are in the first third.
        (
            {f"user{i}": there(0, 59) for i in range(12)},
            each_day(3, range(20)) | each_day(1, range(20, 60)),
            60 / 100,
        ),
        # From the first day to the last, both included.
        ({"user3": there(19, 20)}, each_day(1, range(60)), 1 / 2),
        ({"user3": there(19, 19)}, each_day(1, range(60)), 1.0),
        # People who came later do not make it less probable.
        ({"user3": there(20, 59)}, each_day(1, range(60)), 20 / 60),
        # Others do not count, nor do accounts if nothing is known of the days.
        ({"user12": there(0, 19)}, each_day(1, range(60)), 20 / 60),
        ({"user3": there(0, 19)}, {}, 20 / 60),
        ({}, each_day(1, range(60)), 20 / 60),
    ],
    ids=["left", "busy", "2 days", "1 day", "came", "other account", "no successes", "unknown"],
)
def test_beginning_and_end_are_those_of_the_accounts(
    known: dict[str, KnownAccount], successes: dict[datetime, int], share: float
) -> None:
    population = replace(TENANT, known=known, successes=successes)
    sign = signs(suspects(WITHIN_A_THIRD), population=population)["beginning and end"]
    assert sign.p_value == pytest.approx(within(share))
    assert sign.explanation == "all within 20 of 60 days"


def test_beginning_and_end_count_accounts() -> None:
    """Twelve accounts, twice each: strays on the same account depend on each other."""
    days = [0.0, *np.linspace(1, 18, 22).tolist(), 19.5]
    members = suspects(days, user=[f"user{i % 12}" for i in range(24)])
    assert signs(members)["beginning and end"].p_value == pytest.approx(within(20 / 60))


def test_signs_of_time_count_an_account_once_a_day() -> None:
    days = [i * 1.4 + 0.01 * i for i in range(40)]
    users = [f"user{i % 30}" for i in range(40)]
    # The last account again and again on its day, in any order; and somebody else, once more.
    again = [days[-1] + minutes / 1_440 for minutes in (9, 3, 3, 7, 1, 8)]
    once = suspects(days, user=users)
    often = suspects([*again, *days], user=[users[-1]] * 6 + users)
    found, expected = signs(often), signs(once)
    for name in ("beginning and end", "even gaps", "hours of the day"):
        assert found[name] == expected[name]
    assert found["number"] != expected["number"]
    another = suspects([*again, *days], user=["user41"] * 6 + users)
    assert signs(another)["even gaps"].p_value != expected["even gaps"].p_value


def lasting(days: list[float], p_values: dict[int, dict[str, float]]) -> dict[str, float]:
    """The lasting signs, given their p-values by the number of members; all of these are asked."""
    asked = set[int]()

    def signs_of(members: Suspects, left_out: np.datetime64 | None) -> list[Sign]:
        assert (left_out is None) == (len(members) == len(days))
        asked.add(len(members))
        found = p_values[len(members)].items()
        return [Sign(name, p_value, f"of {len(members)}") for name, p_value in found]

    found = lasting_signs(signs_of, suspects(days))
    assert asked == {*p_values}
    assert all(sign.explanation == f"of {len(days)}" for sign in found)
    return {sign.name: sign.p_value for sign in found}


def test_a_sign_lasts_if_it_is_one_without_the_busiest_24_hours() -> None:
    # Four of the six within 24 hours exactly, in any order.
    days = [9.0, 5.0, 0.0, 5.2, 6.0, 5.9]
    p_values = {6: {"a": 0.1, "b": 0.2, "c": 0.3}, 2: {"a": 0.5, "b": 0.05}}
    assert lasting(days, p_values) == {"a": 0.5, "b": 0.2, "c": 1.0}
    # A sign of the rest alone is none.
    assert lasting(days, {6: {"a": 0.1}, 2: {"a": 0.1, "b": 0.1}}) == {"a": 0.1}


def test_nothing_lasts_of_24_hours() -> None:
    assert lasting([5.0, 5.5, 6.0], {3: {"a": 0.1}}) == {"a": 1.0}
    assert lasting([5.0], {1: {"a": 0.1}}) == {"a": 1.0}


def test_of_two_days_that_are_as_busy_one_is_left_out() -> None:
    assert lasting([1.0, 1.1, 5.0, 5.1, 9.0], {5: {"a": 0.1}, 3: {"a": 0.2}}) == {"a": 0.2}


def test_gaps_like_a_clocks_are_even_and_random_ones_are_not() -> None:
    clock = signs(suspects([i * 0.5 for i in range(100)]))["even gaps"]
    assert clock.p_value == pytest.approx(stats.norm.sf(np.sqrt(99)))
    assert signs(strays(100, seed=1))["even gaps"].p_value > 1e-3


def test_what_is_left_out_is_no_gap() -> None:
    """A clock's attempts, four a day, are as even without those of one day."""
    members = suspects([i * 0.25 for i in range(80)])
    found = lasting_signs(
        lambda visits, left_out: signs_of_members(visits, visits, TENANT, left_out), members
    )
    [even] = [sign for sign in found if sign.name == "even gaps"]
    # Both ends of the 24 hours belong to them, so five are left out, here the first five.
    assert even.p_value == pytest.approx(stats.norm.sf(np.sqrt(74)))
    middle = suspects([i * 0.25 for i in range(80) if not 20 <= i <= 24])
    begin = np.datetime64(START.replace(tzinfo=None) + timedelta(days=5))
    [even] = [
        sign for sign in signs_of_members(middle, middle, TENANT, begin) if sign.name == "even gaps"
    ]
    assert even.p_value == pytest.approx(stats.norm.sf(np.sqrt(73)))


def test_a_share_of_own_sources_counts_among_all_that_could_be_members() -> None:
    rented = [f"rented {i % 4}" for i in range(40)]
    members = suspects([i * 1.4 for i in range(40)], ip_prefix=rented)
    assert signs(members)["own sources"].p_value == pytest.approx(stats.binom.sf(39, 40, 0.4))
    among = suspects([i * 0.5 for i in range(100)])
    assert signs(members, among)["own sources"].p_value == pytest.approx(
        stats.binom.sf(39, 100, 0.4)
    )


def test_two_accounts_do_not_make_a_prefix_a_campaigns() -> None:
    members = suspects([i * 1.4 for i in range(40)], ip_prefix=[f"p{i // 2}" for i in range(40)])
    assert signs(members)["own sources"].p_value == 1.0


def test_one_tool_is_a_device_that_the_tenant_hardly_has() -> None:
    browser = ["Hydra"] * 30 + [f"invented {i}" for i in range(30)]
    days = [i * 0.9 for i in range(60)]
    odd = suspects(days, browser=browser)
    assert signs(odd)["one tool"].p_value == pytest.approx(stats.binom.sf(29, 60, 0.3))
    assert "one tool" not in signs(suspects(days, browser=browser, pattern=[0] * 60))


def test_a_client_that_does_not_say_what_it_is_may_be_anything() -> None:
    days, silent = [i * 0.9 for i in range(60)], ["NODATA"] * 60
    assert "one tool" not in signs(suspects(days, browser=silent, operatingSystem=silent))
    # With a system, it says a little.
    assert signs(suspects(days, browser=silent))["one tool"].p_value < 1e-9
    # The noise of the internet has few products of user agents.
    by_agent = suspects(days, browser=silent, operatingSystem=silent, agent=["axios"] * 60)
    assert "one tool" not in signs(by_agent)


def test_sources_and_tool_together_say_more_than_each_alone() -> None:
    # Of 60 attempts, 30 come from five prefixes, and 30 show one device: 20 do both.
    prefixes = [f"p{i % 5}" for i in range(30)] + [f"q{i}" for i in range(30)]
    browser = [f"invented {i}" for i in range(10)] + ["Hydra"] * 30
    browser += [f"invented {i}" for i in range(20)]
    days = [i * 0.9 for i in range(60)]
    found = signs(suspects(days, browser=browser, ip_prefix=prefixes))
    alone = [found[name].p_value for name in ("own sources", "one tool")]
    assert alone == pytest.approx([stats.binom.sf(29, 60, share) for share in (0.4, 0.3)])
    together = found["own sources and tool"]
    assert together.p_value == pytest.approx(stats.binom.sf(19, 60, 0.12))
    assert together.explanation.startswith("20 of 60 attempts are made with the same tool")
    usual = suspects(days, browser=browser, ip_prefix=prefixes, pattern=[0] * 60)
    assert "own sources and tool" not in signs(usual)


def test_a_tool_of_own_sources_may_be_a_user_agent_and_no_application() -> None:
    silent = {name: [NODATA] * 60 for name in ("browser", "operatingSystem")}
    silent |= {"ip_prefix": [f"p{i % 5}" for i in range(60)], "pattern": [0b00101] * 60}
    days = [i * 0.9 for i in range(60)]
    found = signs(suspects(days, agent=["axios"] * 60, **silent))
    assert found["own sources and tool"].p_value == pytest.approx(0.12**60)
    assert "one tool" not in found
    assert "own sources and tool" not in signs(suspects(days, **silent))


def office_hours() -> dict[datetime, int]:
    """Successes of a tenant that works from 8 to 16 on weekdays."""
    return {
        START + timedelta(days=day, hours=hour): 100
        for day in range(60)
        for hour in range(8, 16)
        if (START + timedelta(days=day)).weekday() < 5
    }


def by_block(*attempts: int) -> Suspects:
    """So many attempts in each block of four hours, each on a day and an account of its own."""
    blocks = [block for block, number in enumerate(attempts) for _ in range(number)]
    return suspects([day + block / 6 for day, block in enumerate(blocks)])


@pytest.mark.parametrize(
    ("attempts", "p_value"),
    [
        # Noise is as likely in each block.
        ((10, 10, 10, 10, 10, 10), 1.0),
        # Of people, 31 of 66 in each of the two in which they work, 1 of 66 in each other one: a
        # tenth of the usual number may fail at any hour.
        ((1, 1, 31, 31, 1, 1), 1.0),
        # Half of each: of noise 11 of 66.
        ((6, 6, 21, 21, 6, 6), 1.0),
        # Nearest to noise alone: four expect 11 and have 5, two have 23. With five degrees of
        # freedom, P(X >= x) is a sum of three terms.
        ((23, 5, 5, 5, 5, 23), None),
    ],
    ids=["noise", "people", "both", "neither"],
)
def test_hours_are_compared_with_noise_and_people_and_both(
    attempts: tuple[int, ...], p_value: float | None
) -> None:
    population = replace(TENANT, successes=office_hours())
    found = signs(by_block(*attempts), population=population)["hours of the day"]
    if p_value is None:
        x = (4 * 6**2 + 2 * 12**2) / 11
        p_value = math.erfc(math.sqrt(x / 2)) + math.sqrt(2 * x / math.pi) * math.exp(-x / 2) * (
            1 + x / 3
        )
    assert found.p_value == pytest.approx(p_value)


@pytest.mark.parametrize(
    ("hour", "is_a_sign"), [(12, False), (2, True)], ids=["as people work", "at night"]
)
def test_hours_are_a_sign_if_neither_noise_nor_people_keep_them(hour: int, is_a_sign: bool) -> None:
    rng = np.random.default_rng(3)
    days = [d for d in range(56) if (START + timedelta(days=d)).weekday() < 5]
    around = min(hour, 4)
    moments = rng.choice(days, 120) + (hour + rng.uniform(-around, around, 120)) / 24
    population = replace(TENANT, successes=office_hours())
    found = signs(suspects(moments.tolist()), population=population)
    assert (found["hours of the day"].p_value < DEFAULTS.max_p_value) == is_a_sign


def test_few_attempts_have_a_number_only() -> None:
    assert signs(suspects([0.0] * (MIN_ATTEMPTS - 1))).keys() == {"number"}


def test_attempts_at_once_have_no_even_gaps() -> None:
    assert "even gaps" not in signs(suspects([3.5] * 20))


ORDER = ("sorted names", "same order")


def in_turn(accounts: list[str], hours: float = 12) -> Suspects:
    """The accounts one after the other, always so many hours later."""
    return suspects([i * hours / 24 for i in range(len(accounts))], user=accounts)


def test_names_in_the_order_of_the_alphabet() -> None:
    """Twice through a list of ten: nine pairs rise and one falls."""
    found = signs(in_turn([f"user{i}" for i in range(10)] * 2))["sorted names"]
    assert found.p_value == pytest.approx(stats.binom.sf(8, 10, 0.5))
    assert found.explanation.startswith("in 9 of 10 pairs of accounts")
    backwards = signs(in_turn([f"user{9 - i}" for i in range(10)] * 2))["sorted names"]
    assert backwards.p_value == pytest.approx(1, abs=1e-2)


def test_the_order_of_a_list_that_is_not_sorted() -> None:
    """Each of five accounts is followed by one of four others."""
    found = signs(in_turn([*"decab"] * 3))
    assert found["same order"].p_value == pytest.approx(0.25**5)
    assert found["sorted names"].p_value > 0.1


def test_an_account_that_is_tried_more_often_follows_more_often() -> None:
    """Of twelve attempts, a has six, and b and c have three each."""
    found = signs(in_turn([*"abac" * 3], hours=31))["same order"]
    # Of a's four others, b and c have three each of six; of b's nine, a has six and c three.
    of_a, of_b = 2 * (3 / 6) ** 2, (6 / 9) ** 2 + (3 / 9) ** 2
    # Only b and c are followed by the same account both first times.
    assert found.p_value == pytest.approx(stats.binom.sf(1, 3, (of_a + 2 * of_b) / 3))


def test_each_time_another_order_is_none() -> None:
    assert signs(in_turn([*"decab", *"abdce", *"daceb"]))["same order"].p_value == 1


def test_an_order_of_a_few_accounts_is_none_of_the_group() -> None:
    """Of 26 and of 27 attempts, 8 are on accounts that are followed by the same one."""
    listed = [*"abcde"] * 2
    for others, is_a_sign in ((16, True), (17, False)):
        found = signs(in_turn([*listed, *(f"user{i}" for i in range(others))]))["same order"]
        assert found.explanation.startswith("4 of 4 accounts")
        assert (found.p_value < 1) == is_a_sign


@pytest.mark.parametrize("names", ["abcde", "edcba"])
def test_bots_with_a_list_of_names_are_no_attacker_who_takes_turns(names: str) -> None:
    """Each tries the same names within minutes, and nothing joins its time to that of others."""
    begins = np.random.default_rng(4).uniform(0, 60, 24)
    bots = [day + i / 24 / 60 for day in begins for i in range(5)]
    found = signs(suspects(bots, user=[*names] * 24))
    # The last account is followed by the first one.
    assert found["sorted names"].p_value >= 0.5
    assert found["same order"].p_value == 1


def test_devices_at_their_time_of_each_day_have_no_order() -> None:
    """Twelve devices with old passwords, each on most days."""
    rng = np.random.default_rng(5)
    hours = rng.uniform(0, 24, 12)
    tries = [(day + hours[i] / 24, i) for day in range(60) for i in range(12) if rng.random() < 0.7]
    found = signs(suspects([day for day, _ in tries], user=[f"user{i:02}" for _, i in tries]))
    assert min(found.get(name, Sign(name, 1, "")).p_value for name in ORDER) > 1e-3


@pytest.mark.parametrize("accounts", [8, 40, 300])
def test_random_attempts_have_no_order(accounts: int) -> None:
    rng = np.random.default_rng(accounts)
    p_values = [
        sign.p_value
        for _ in range(40)
        for name, sign in signs(
            suspects(
                rng.uniform(0, 60, 150).tolist(),
                user=[f"user{i:03}" for i in rng.integers(0, accounts, 150)],
            )
        ).items()
        if name in ORDER
    ]
    assert len(p_values) >= 40
    assert min(p_values) > 1e-4


def test_outsiders_at_the_wrong_door_are_no_attacker() -> None:
    """Each tries a name of its own in the evening, which is a sign if the names are accounts."""
    rng = np.random.default_rng(3)
    times = [day + rng.uniform(17, 22) / 24 for day in rng.integers(0, 60, 300)]

    def least(codes: list[str], outsiders: bool) -> float:
        found = suspects(times[: len(codes)], result_type=codes)
        named = {
            sign.name: sign for sign in signs_of_members(found, found, TENANT, outsiders=outsiders)
        }
        # It describes all attempts.
        assert named["even accounts"].explanation.startswith(f"0 of {len(codes)} attempts")
        return min(sign.p_value for sign in named.values())

    assert least(["50034"] * 300, outsiders=False) < 1e-9
    assert least(["50034"] * 300, outsiders=True) > 1e-2
    assert least(["50126"] * 300, outsiders=True) < 1e-9
    # Eleven attempts on accounts are too few to look at them alone.
    assert least(["50126"] * 11 + ["50034"] * 289, outsiders=True) > 1e-2
    assert least(["50126"] * 12 + ["50034"] * 288, outsiders=True) < 1e-2


def test_what_attempts_on_accounts_show_alone_is_no_sign_of_the_group() -> None:
    """Those on accounts are within ten days, the others within the whole window."""
    rng = np.random.default_rng(6)
    times = [*rng.uniform(20, 30, 20), *rng.uniform(0, 60, 200)]
    found = suspects(times, result_type=["50126"] * 20 + ["50034"] * 200)
    for sign in signs_of_members(found, found, TENANT, outsiders=True):
        assert sign.p_value > 1e-3


def test_more_accounts_than_the_tenant_has_are_no_sign() -> None:
    """If the number of accounts is wrong, it says nothing."""
    members = suspects([i * 0.5 for i in range(40)], user=[f"user{i % 20}" for i in range(40)])
    for accounts in (0, 1, 19):
        found = signs(members, population=Population(accounts, 60))
        assert found["even accounts"].p_value == pytest.approx(occupancy_p_value(40, 20, 20))


def test_an_unknown_prefix_is_no_source_of_its_own() -> None:
    members = suspects([i * 1.4 for i in range(40)], ip_prefix=[None] * 40)
    assert signs(members)["own sources"].p_value == 1.0


_MOMENTS = st.tuples(
    st.floats(0, 70),
    st.sampled_from("abcdefghijkl"),
    st.sampled_from(["p", "q", None]),
    st.integers(0, 31),
)
_STRAYS = st.dictionaries(st.sampled_from([NODATA, "Ios"]), st.floats(0, 1_000))
_HOURS = st.dictionaries(
    st.integers(-2_000, 4_000).map(lambda hour: START + timedelta(hours=hour)),
    st.integers(0, 10**5),
    max_size=8,
)
_KNOWN = st.dictionaries(
    st.sampled_from("abcdefghijkl"),
    st.tuples(st.integers(-80, 160), st.integers(0, 80)).map(lambda d: there(d[0], d[0] + d[1])),
)


@settings(max_examples=100)
@given(
    st.lists(_MOMENTS, min_size=1, max_size=60),
    st.builds(
        *(Population, st.integers(0, 10**5), st.integers(1, 70), st.floats(0, 1_000)),
        _STRAYS,
        *(_HOURS, _KNOWN),
    ),
)
def test_signs_are_probabilities_whatever_is_seen(
    rows: list[tuple], population: Population
) -> None:
    days, user, prefix, pattern = map(list, zip(*rows, strict=True))
    members = suspects(days, user=user, ip_prefix=prefix, pattern=pattern)
    found = signs(members, population=population)
    size = size_of(0, members)
    honest = honest_strays_among(members, size.span_days, population, 0)
    tests = spray_tests(size, list(found.values()), honest)
    assert 0 <= tests[-1].value <= 1
    assert 0 <= confidence(tests) <= 1


@pytest.mark.parametrize("number", [60, 240, 540])
def test_strays_hardly_ever_look_like_one_hand(number: int) -> None:
    clearest = [
        min(sign.p_value for sign in signs(strays(number, seed)).values()) for seed in range(40)
    ]
    assert sum(p_value < DEFAULTS.max_p_value for p_value in clearest) == 0


@pytest.mark.parametrize("rate", [1, 4, 8])
def test_a_spray_of_even_pace_in_a_part_of_the_window_looks_like_one_hand(rate: int) -> None:
    rng = np.random.default_rng(rate)
    moments = 10 + np.cumsum(rng.uniform(0.3, 1.7, 40 * rate)) / rate
    members = suspects(moments[moments < 50].tolist())
    assert min(sign.p_value for sign in signs(members).values()) < DEFAULTS.max_p_value


def test_days_before_1970_are_days() -> None:
    early = suspects([i * 0.5 - 30_000 for i in range(40)])
    assert early.day.min().astype(date) < date(1970, 1, 1)
    assert signs(early)["beginning and end"].explanation == "all within 20 of 60 days"
