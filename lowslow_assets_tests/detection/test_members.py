"""Members of a campaign: planted habits are found again among strays that have none."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowslow_assets.detection.members import (
    ASSIGNED,
    Suspects,
    first_of_visits,
    member_probability,
    members_by_pattern,
    returns,
    shares_prefix,
)
from lowslow_assets.detection.population import Population
from lowslow_assets.engines.base import Engine
from lowslow_assets.lake.tables import (
    CLUSTER_MEMBERS,
    FEATURES,
    NODATA,
    SUSPECT_FAILURES,
)
from lowslow_assets_tests.support.relations import relation

# A Monday.
START = datetime(2026, 5, 4, tzinfo=UTC)
TENANT = Population(accounts=1_000, days=60)
# The share of a week that one hour of all weekdays is.
HOUR_OF_WEEKDAYS = 5 / 7 / 24


def suspects(**columns: list) -> Suspects:
    """Suspects that are alike except in these columns of ``suspect_failures``."""
    number = len(next(iter(columns.values())))
    alike = {
        "signin_id": [f"{i:04}" for i in range(number)],
        "user": ["ann"] * number,
        "time_generated": [START + timedelta(hours=10)] * number,
        "pattern": [0] * number,
        "AppDisplayName": ["Azure Portal"] * number,
        "ClientAppUsed": ["Browser"] * number,
        "browser": ["Chrome 125"] * number,
        "operatingSystem": ["Windows10"] * number,
        "agent": [NODATA] * number,
        "Location": ["SE"] * number,
        "network": ["AS64500"] * number,
        "ip_address": ["192.0.2.1"] * number,
    }
    return Suspects.of(
        pa.Table.from_pydict(
            dict.fromkeys(SUSPECT_FAILURES.schema.names, [None] * number) | alike | columns,
            SUSPECT_FAILURES.schema,
        )
    )


def test_probability_as_calculated_manually() -> None:
    """Each account is predicted from the others, with the concentration that predicts best.

    Ann occurs twice and Bob once, of 1,000 accounts: with a = 1, the others' shares are (1 + 0.001)
    / 3 for Ann and 0.001 / 3 for Bob; a = 0.1 and a = 10 predict the three worse. All are on the
    only day, at one hour, from one of 10,000 prefixes: with a = 0.1, its share among the others is
    (2 + 0.1 w) / 2.1. One in ten is assumed to be a stray at first, and this share stays, as all
    are members.
    """
    found = member_probability(
        suspects(user=["ann", "bob", "ann"], ip_prefix=["p"] * 3), Population(1_000, days=1)
    )
    hour = (2 + 0.1 * HOUR_OF_WEEKDAYS) / 2.1 / HOUR_OF_WEEKDAYS
    prefix = (2 + 0.1 / 10_000) / 2.1 * 10_000
    odds = np.array([1_001 / 3, 1 / 3, 1_001 / 3]) * hour * prefix * 9
    np.testing.assert_allclose(found, odds / (1 + odds), rtol=1e-12)


def test_strays_show_other_tools() -> None:
    """Bob drops out, and the model learns that his values are a stray's.

    Forty members of Ann's account have one application and Bob has another, in one hour of one day,
    each from a prefix of its own.
    """
    number = 41
    is_ann = np.arange(number) < number - 1
    found = suspects(
        user=np.where(is_ann, "ann", "bob").tolist(),
        AppDisplayName=np.where(is_ann, "Portal", "Exchange").tolist(),
    )

    def campaigns(same: np.ndarray, weight: float) -> np.ndarray:
        """By the concentration that predicts the members best, each from the others."""
        size = members.sum() - members
        ratios = [
            np.log((same + a * weight) / (size + a) / weight)
            for a in (0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0)
        ]
        return max(ratios, key=lambda ratio: ratio[members].sum())

    members, stray_share = np.ones(number, bool), 0.1
    probability = np.ones(number)
    for settled in (False, True):
        strays = ~members
        alike = np.where(is_ann, members[is_ann].sum(), members[~is_ann].sum()) - members
        alike_strays = np.where(is_ann, strays[is_ann].sum(), strays[~is_ann].sum()) - strays
        log_odds = (
            np.log((1 - stray_share) / stray_share)
            + campaigns(alike, 1 / 1_000)
            + campaigns(members.sum() - members, HOUR_OF_WEEKDAYS)
            + campaigns(np.zeros(number), 1 / 10_000)
            + campaigns(alike, 1 / 2)
            # Each of two applications, 1,000 accounts and 10,000 prefixes counts as seen once.
            - np.log((alike_strays + 1) / (strays.sum() - strays + 2) / (1 / 2))
            - np.log((alike_strays + 1) / (strays.sum() - strays + 1_000) * 1_000)
            - np.log(1 / (strays.sum() - strays + 10_000) * 10_000)
        )
        probability = 1 / (1 + np.exp(-log_odds))
        stray_share = (1 - probability).mean()
        assert (members.tolist() == is_ann.tolist()) == settled
        members = probability >= 0.5
    np.testing.assert_allclose(
        member_probability(found, Population(1_000, days=1)), probability, rtol=1e-9
    )


def plain_probability(found: Suspects, population: Population) -> list[float]:
    """The documented formulas, suspect by suspect, from every start; the best fit's."""
    starts: list[tuple[list[bool], float]] = []
    days = [time.date() for time in found.time.tolist()]
    for length in (7, 10, 14, 20, 28, 40, 56, 79, 112):
        within = [[0 <= (day - begin).days < length for day in days] for begin in sorted({*days})]
        starts.append((max(within, key=sum), 30.0))
    accounts = [len({*found.user[found.ip_prefix == p]}) if p else 1 for p in found.ip_prefix]
    starts.append(([number >= 3 for number in accounts], 5.0))
    for column in (found.application, found.client, found.device, found.network):
        starts += [([*(column == value)], 5.0) for value in sorted({*column})]
    best, probability = plain_fit(found, population, [True] * len(found))
    for start, evidence in starts:
        if 0.15 <= np.mean(start) < 1:
            fit, by_fit = plain_fit(found, population, start)
            if fit > best + evidence:
                best, probability = fit, by_fit
    return probability


def plain_fit(
    found: Suspects, population: Population, members: list[bool]
) -> tuple[float, list[float]]:
    """The mixture's log-likelihood, over that of base weights, and the probabilities."""
    n = len(found)
    times = found.time.tolist()
    client = [*found.client]
    # Per attribute, the suspects' values, the weight of each, whether it is learned of strays, and
    # what the value depends on.
    values: list[tuple[list, list[float], bool, list]] = [
        ([time.date() for time in times], [1 / population.days] * n, False, [0] * n),
        (
            [(time.hour, time.weekday() >= 5) for time in times],
            [(2 if time.weekday() >= 5 else 5) / 7 / 24 for time in times],
            False,
            [0] * n,
        ),
        ([*found.user], [1 / population.accounts] * n, True, [0] * n),
        ([p or i for i, p in enumerate(found.ip_prefix)], [1 / 10_000] * n, True, [0] * n),
    ]
    for column, condition in (
        (client, [0] * n),
        ([*found.application], client),
        (list(zip(found.browser, found.operating_system, strict=True)), client),
        ([*found.network], [0] * n),
        ([":" in (address or "") for address in found.ip_address], [0] * n),
        ([*found.invented], [0] * n),
    ):
        values.append((column, [1 / len(set(column))] * n, True, condition))
    stray_share = min(max(1 - np.mean(members), 0.1), 0.95)
    fit, probability = 0.0, [1.0] * n
    for _ in range(10):
        campaign, stray = np.full(n, np.log(1 - stray_share)), np.full(n, np.log(stray_share))
        for column, weight, learned, condition in values:

            def others(
                i: int, of: list[bool], column: list = column, condition: list = condition
            ) -> tuple[int, int]:
                """How many others have the value of suspect i, of how many with its condition."""
                chosen = [j for j in range(n) if of[j] and j != i and condition[j] == condition[i]]
                return sum(column[j] == column[i] for j in chosen), len(chosen)

            counts = [others(i, members) for i in range(n)]
            ratios = [
                [
                    np.log((c + a * w) / (m + a) / w)
                    for (c, m), w in zip(counts, weight, strict=True)
                ]
                for a in (0.1, 1, 10, 100, 1_000, 10_000)
            ]
            campaign += max(ratios, key=lambda r: sum(np.array(r)[members]))
            if learned:
                counts = [others(i, [not member for member in members]) for i in range(n)]
                stray += [
                    np.log((c + 1) / (m + 1 / w) / w)
                    for (c, m), w in zip(counts, weight, strict=True)
                ]
        fit = float(np.log(np.exp(campaign) + np.exp(stray)).sum())
        probability = (1 / (1 + np.exp(stray - campaign))).tolist()
        stray_share = min(max(1 - np.mean(probability), 0.01), 0.95)
        before, members = members, [p >= 0.5 for p in probability]
        if members == before:
            break
    return fit, probability


def test_every_attribute_counts() -> None:
    found = suspects(
        user=["ann", "ann", "bob", "cid", "ann", "bob"],
        # 10 h and 11 h on weekdays, 10 h on the Saturday and the Sunday.
        time_generated=[
            START + timedelta(days=d, hours=h)
            for d, h in [(0, 10), (1, 10), (1, 11), (5, 10), (6, 10), (7, 11)]
        ],
        AppDisplayName=["Azure Portal"] * 4 + ["Exchange"] * 2,
        ClientAppUsed=["Browser", "IMAP"] * 3,
        browser=["Chrome", "Edge", "Chrome", "Chrome", "Safari", "Chrome"],
        operatingSystem=["Windows10"] * 3 + ["Ios"] * 3,
        ip_address=["192.0.2.1", "2001:db8::1", "2001:db8::2", None, "2001:db8::3", "192.0.2.9"],
        ip_prefix=["p", "q", "r", "s", "q", "p"],
        network=["AS1", "AS1", "AS2", "AS3", "AS1", "AS1"],
        result_type=["50126", "50034", "50126", "50126", "50034", "50126"],
    )
    np.testing.assert_allclose(
        member_probability(found, TENANT), plain_probability(found, TENANT), rtol=1e-9
    )


def test_a_campaign_with_two_clients_is_one_campaign() -> None:
    """Each client has its own devices and applications, so that they look like two campaigns."""
    half = 40
    hours = np.random.default_rng(0).integers(0, 60 * 24, 2 * half).tolist()
    found = suspects(
        user=[f"user{i}" for i in range(2 * half)],
        time_generated=[START + timedelta(hours=hour) for hour in hours],
        ClientAppUsed=["Browser", "Mobile Apps"] * half,
        browser=["Edge", "Rich Client"] * half,
        AppDisplayName=["Azure Portal", "Teams"] * half,
    )
    assert (member_probability(found, TENANT) >= 0.5).all()


@pytest.mark.parametrize("seed", range(4))
def test_probability_is_that_of_the_documented_formulas(seed: int) -> None:
    """Some suspects drop out, so strays learn; the best of several starts is taken."""
    rng = np.random.default_rng(seed)
    campaign, number = 20, 45
    strays = number - campaign

    def drawn(of_campaign: list, of_strays: list) -> list:
        chosen = [rng.choice(of_campaign, campaign), rng.choice(of_strays, strays)]
        return [*chosen[0].tolist(), *chosen[1].tolist()]

    accounts = [f"user{i}" for i in range(1_000)]
    prefixes = [f"p{i}" for i in range(1_000)]
    hours = drawn([33, 34, 35, 57, 58], [*range(1_440)])
    found = suspects(
        user=drawn(accounts[:12], accounts),
        time_generated=[START + timedelta(hours=hour) for hour in hours],
        AppDisplayName=drawn(["Azure Portal"], ["Azure Portal", "Exchange"]),
        ClientAppUsed=drawn(["Browser", "IMAP"], ["Browser", "IMAP", "POP"]),
        browser=drawn(["Chrome", "Edge"], ["Chrome", "Edge", "Safari"]),
        ip_address=drawn(["192.0.2.1"], ["192.0.2.1", "2001:db8::1"]),
        ip_prefix=[prefix or None for prefix in drawn(prefixes[:4], [*prefixes, *[""] * 300])],
        network=drawn(["AS1", "AS2"], ["AS1", "AS2", "AS3", "AS4"]),
        result_type=drawn(["50126"], ["50126", "50034"]),
    )
    expected = plain_probability(found, TENANT)
    assert 0.2 < np.mean(np.array(expected) >= 0.5) < 0.9
    np.testing.assert_allclose(member_probability(found, TENANT), expected, rtol=1e-9)


def test_times_before_1970_have_the_same_rhythm() -> None:
    """4,000 weeks earlier are the same weekdays and hours."""
    times = [START + timedelta(days=d, hours=h, minutes=59) for d, h in [(0, 0), (5, 23), (6, 0)]]
    early = [time - timedelta(weeks=4_000) for time in times]
    assert early[-1].year < 1970
    one, other = (member_probability(suspects(time_generated=t), TENANT) for t in (times, early))
    np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1", None])
def test_one_suspect_is_a_member_by_its_prior(address: str | None) -> None:
    found = member_probability(suspects(ip_address=[address]), TENANT)
    np.testing.assert_allclose(found, [0.9])


def test_a_missing_address_is_not_an_ipv6_address() -> None:
    addresses = ["192.0.2.1", None, "192.0.2.2", None]
    without, with_one = (
        member_probability(suspects(ip_address=column), TENANT)
        for column in (addresses, ["192.0.2.3"] * 4)
    )
    np.testing.assert_allclose(without, with_one)
    assert len(member_probability(suspects(ip_address=[None] * 4), TENANT)) == 4


def test_an_unknown_prefix_is_shared_with_no_other_suspect() -> None:
    """A missing value is nothing that attempts share."""
    users = [f"user{i}" for i in range(6)]
    own = suspects(user=users, ip_prefix=[f"prefix {i}" for i in range(6)])
    one, other = (member_probability(s, TENANT) for s in (suspects(user=users), own))
    np.testing.assert_array_equal(one, other)


def test_a_tenant_without_accounts_is_not_divided_by() -> None:
    found = member_probability(suspects(user=["ann", "bob", "ann"]), Population(0, days=1))
    assert ((found >= 0) & (found <= 1)).all()


def test_without_suspects_there_are_no_probabilities() -> None:
    assert member_probability(suspects(user=[]), TENANT).tolist() == []
    assert shares_prefix(suspects(user=[])).tolist() == []


_WILD = st.lists(
    st.tuples(
        st.sampled_from("abcdefgh"),
        st.integers(0, 59 * 24 * 60),
        st.sampled_from(["p", "q", None]),
        st.sampled_from(["AS1", "AS2", NODATA]),
        st.sampled_from(["Chrome", "Edge", "Hydra", NODATA]),
        st.sampled_from([None, "192.0.2.1", "2001:db8::1", ""]),
        st.integers(0, 31),
    ),
    min_size=1,
    max_size=25,
)


@settings(max_examples=60)
@given(_WILD, st.integers(1, 10**6), st.integers(1, 400))
def test_probabilities_are_probabilities(rows: list[tuple], accounts: int, days: int) -> None:
    user, minute, prefix, network, browser, address, pattern = map(list, zip(*rows, strict=True))
    found = suspects(
        user=user,
        time_generated=[START + timedelta(minutes=m) for m in minute],
        ip_prefix=prefix,
        network=network,
        browser=browser,
        ip_address=address,
        pattern=pattern,
    )
    probability = member_probability(found, Population(accounts, days))
    assert probability.shape == (len(rows),)
    assert ((probability >= 0) & (probability <= 1)).all()


def planted(campaign: int, strays: int, seed: int) -> tuple[Suspects, np.ndarray]:
    """Suspects of a campaign with habits and of strays without, and which are the campaign's.

    The campaign acts in business hours of weekdays, in three weeks of sixty days, on 25 accounts.
    Strays come at any time, on any account. Both have the tenant's tools.
    """
    rng = np.random.default_rng(seed)
    weekdays = np.array([14, 15, 16, 17, 18, 21, 22, 23, 24, 25, 28, 29, 30, 31, 32])
    begin = np.concatenate(
        [
            rng.choice(weekdays, campaign) + rng.integers(8, 18, campaign) / 24,
            rng.integers(0, 60, strays) + rng.integers(0, 24, strays) / 24,
        ]
    )
    accounts = np.concatenate([rng.integers(0, 25, campaign), rng.integers(0, 1_000, strays)])
    number = campaign + strays
    found = suspects(
        user=[f"user{account}" for account in accounts],
        time_generated=[START + timedelta(days=d, minutes=17) for d in begin],
        AppDisplayName=rng.choice(["Azure Portal", "Office 365", "Teams"], number).tolist(),
        browser=rng.choice(["Chrome 125", "Edge 125", "Safari 17"], number).tolist(),
        ip_address=[f"192.0.2.{i % 250}" for i in range(number)],
    )
    return found, np.arange(number) < campaign


@pytest.mark.parametrize(
    ("campaign", "strays"), [(150, 5), (150, 50), (150, 100), (60, 25)], ids=str
)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_planted_habits_are_found_among_strays(campaign: int, strays: int, seed: int) -> None:
    found, is_campaigns = planted(campaign, strays, seed)
    members = member_probability(found, TENANT) >= 0.5
    assert members[is_campaigns].mean() >= 0.95
    assert is_campaigns[members].mean() >= 0.9


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_campaign_in_a_part_of_the_window_is_found_beside_noise_that_goes_on(seed: int) -> None:
    """Noise tries twenty accounts for sixty days; a campaign tries others for twenty days."""
    rng = np.random.default_rng(seed)
    days = np.concatenate([rng.uniform(20, 40, 200), rng.uniform(0, 60, 100)])
    accounts = [*rng.permutation(900)[:200], *rng.integers(980, 1_000, 100)]
    found = suspects(
        user=[f"user{account}" for account in accounts],
        time_generated=[START + timedelta(days=float(day)) for day in days],
        ip_prefix=[f"prefix {i}" for i in range(300)],
    )
    members = member_probability(found, TENANT) >= 0.5
    assert members[:200].all()
    assert members[200:].mean() < 0.3
    # On other days than the campaign's, there is no member.
    assert days[members].min() >= 20
    assert days[members].max() < 40


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_without_habits_no_suspect_is_left_out(seed: int) -> None:
    """Nothing distinguishes members from strays, so the campaign keeps what the mask gave it."""
    found, _ = planted(0, 150, seed)
    alike = {"application": "Azure Portal", "browser": "Chrome 125"}
    same = {name: np.full(150, value, object) for name, value in alike.items()}
    assert (member_probability(replace(found, **same), TENANT) >= 0.5).mean() >= 0.95


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_names_without_an_account_are_a_habit(seed: int) -> None:
    found, is_campaigns = planted(60, 25, seed)
    members = member_probability(replace(found, invented=is_campaigns), TENANT) >= 0.5
    assert members.tolist() == is_campaigns.tolist()
    # Otherwise, strays at the campaign's hours are members.
    assert ((member_probability(found, TENANT) >= 0.5) & ~is_campaigns).any()


def visits(*rows: tuple[str, str, str | None, float]) -> list[str]:
    """The id of the first attempt of each row's visit; rows are (id, user, prefix, minutes)."""
    ids, users, prefixes, minutes = map(list, zip(*rows, strict=True))
    found = suspects(
        signin_id=ids,
        user=users,
        ip_prefix=prefixes,
        time_generated=[START + timedelta(minutes=minute) for minute in minutes],
    )
    return found.signin_id[first_of_visits(found)].tolist()


def test_attempts_within_an_hour_are_one_visit() -> None:
    # An hour exactly, and again an hour; then a minute more.
    rows = [("d", "ann", "p", 181.0), ("b", "ann", "p", 60), ("a", "ann", "p", 0)]
    rows += [("c", "ann", "p", 120), ("e", "ann", "p", 182)]
    assert visits(*rows) == ["d", "a", "a", "a", "d"]


def test_the_first_of_attempts_at_one_time_has_the_smallest_id() -> None:
    rows = [("e", "ann", "p", 5.0), ("b", "ann", "p", 5), ("c", "ann", "p", 5)]
    rows += [("a", "ann", "p", 6), ("d", "ann", "p", 4)]
    assert visits(*rows) == ["d"] * 5
    assert visits(*rows[:4]) == ["b"] * 4


def test_another_user_prefix_or_unknown_prefix_is_another_visit() -> None:
    rows = [("a", "ann", "p", 0.0), ("b", "bob", "p", 1), ("c", "ann", "q", 2)]
    # Another visit's attempts between do not end a visit.
    rows += [("d", "ann", "p", 3), ("e", "bob", "p", 4)]
    assert visits(*rows) == ["a", "b", "c", "a", "b"]
    assert visits(("a", "ann", None, 0), ("b", "ann", None, 0)) == ["a", "b"]


def test_visits_of_no_or_one_suspect() -> None:
    assert first_of_visits(suspects(user=[])).tolist() == []
    assert visits(("a", "ann", "p", 0)) == ["a"]


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"),
            st.sampled_from(["p", "q", None]),
            st.integers(0, 8).map(lambda halves: 30.0 * halves),
        ),
        min_size=1,
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
def test_visits_do_not_depend_on_the_order(rows: list[tuple], random: Random) -> None:
    named = [(f"{i:02}", *row) for i, row in enumerate(rows)]
    shuffled = random.sample(named, len(named))
    found = dict(zip([row[0] for row in named], visits(*named), strict=True))
    assert dict(zip([row[0] for row in shuffled], visits(*shuffled), strict=True)) == found
    # The first of a visit is its own first.
    assert all(found[first] == first for first in found.values())


def test_suspects_are_chosen_by_position_and_by_booleans() -> None:
    found = suspects(user=["ann", "bob", "cid"], pattern=[0b00100, 0b10001, 0b11111])
    assert [*found.at(np.array([2, 0])).user] == ["cid", "ann"]
    assert [*found.at(found.user != "bob").user] == ["ann", "cid"]
    assert len(found) == 3
    assert found.odd.tolist() == [
        [False, False, True, False, False],
        [True, False, False, False, True],
        [True] * 5,
    ]
    assert found.day.tolist() == [START.date()] * 3


def repeated(core: int, strays: int, **columns: Any) -> tuple[Suspects, np.ndarray]:
    """Suspects unlike strays, the first of which repeat the columns; and which are these."""
    number = core + strays
    rng = np.random.default_rng(7)
    invented = {
        "user": [f"user{i}" for i in rng.integers(0, 1_000, number)],
        "time_generated": [
            START + timedelta(hours=h) for h in rng.integers(0, 1_440, number).tolist()
        ],
        "browser": rng.choice(["Chrome", "Edge", "Safari", "Opera"], number).tolist(),
        "AppDisplayName": rng.choice(["Azure Portal", "Teams", "Office 365"], number).tolist(),
        "ClientAppUsed": ["Browser"] * number,
        "ip_prefix": [f"p{i}" for i in range(number)],
        "network": [f"AS{i % 97}" for i in range(number)],
        "pattern": [0b11100] * number,
    }
    for name, value in columns.items():
        invented[name][:core] = [value.format(i % 8) for i in range(core)]
    return suspects(**invented), np.arange(number) < core


@pytest.mark.parametrize(
    "habit",
    [
        {"ip_prefix": "rented {}"},
        {"network": "AS64500", "ip_prefix": "rented {}"},
        {"browser": "Hydra", "network": "AS64500"},
        {"AppDisplayName": "Exchange", "user": "user{}"},
        {"ClientAppUsed": "IMAP", "user": "user{}"},
    ],
    ids=["prefixes", "cloud", "tool", "application", "client"],
)
def test_a_campaign_is_distinguished_from_as_many_strays(habit: dict[str, str]) -> None:
    found, is_campaigns = repeated(100, 200, **habit)
    members = member_probability(found, TENANT) >= 0.5
    assert members[is_campaigns].mean() >= 0.95
    assert is_campaigns[members].mean() >= 0.9


def test_a_prefix_is_shared_by_three_accounts_or_more() -> None:
    found = suspects(
        user=["ann", "bob", "cid", "ann", "bob", "bob", "dan", "eve", "fay"],
        ip_prefix=["p", "p", "p", "q", "q", "q", None, None, None],
    )
    assert shares_prefix(found).tolist() == [True] * 3 + [False] * 6


def test_a_shared_prefix_returns_if_attempts_come_from_it_on_several_days() -> None:
    """From the last prefix, one account is tried on three days."""
    found = suspects(
        user=[*"abc", *"abc", *"aaa"],
        ip_prefix=["p"] * 3 + ["q"] * 3 + ["r"] * 3,
        time_generated=[START + timedelta(days=day) for day in (1, 8, 15, 1, 8, 8, 1, 8, 15)],
    )
    assert returns(found, 2).tolist() == [True] * 6 + [False] * 3
    assert returns(found, 3).tolist() == [True] * 3 + [False] * 6
    assert returns(suspects(user=[]), 3).tolist() == []


def test_members_by_pattern_are_the_failures_of_assigned_patterns(engine: Engine) -> None:
    columns = SUSPECT_FAILURES.schema
    rows = [
        {"signin_id": name, "pattern": pattern, "mask": pattern, "user": "O'Hara \\ {x}"}
        | {feature: f"{feature} of {name}" for feature in FEATURES}
        for name, pattern in (("a", 3), ("b", 5), ("c", 3), ("d", 0))
    ]
    assigned = [(3, 7, 0.75), (5, 0, 0.5), (6, 1, 1.0)]
    found = members_by_pattern(
        relation(engine, columns, rows), relation(engine, ASSIGNED, assigned)
    ).arrow()
    assert found.column_names == CLUSTER_MEMBERS.schema.names
    by_id = {row["signin_id"]: row for row in found.to_pylist()}
    assert {
        name: (row["cluster_id"], row["assignment_probability"]) for name, row in by_id.items()
    } == {"a": (7, 0.75), "b": (0, 0.5), "c": (7, 0.75)}
    for row in rows[:3]:
        expected = {name: row.get(name) for name in columns.names if name != "pattern"}
        assert by_id[row["signin_id"]].items() >= expected.items()
