"""The judgement: from suspects and a fit to clusters, each with verdict, tests and members."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from lowslow_assets.detection.masks import mask_bits
from lowslow_assets.detection.members import Suspects, member_probability, returns
from lowslow_assets.detection.mixture import MixtureFit, fit_by_births, fit_by_restarts
from lowslow_assets.detection.patterns import MODEL_PROPERTIES
from lowslow_assets.detection.population import Population
from lowslow_assets.detection.pruning import Cluster, PruningRules
from lowslow_assets.detection.signs import (
    MIN_ATTEMPTS,
    Sign,
    lasting_signs,
    signs_of_members,
    signs_of_size,
)
from lowslow_assets.detection.spray_tests import (
    SprayTest,
    confidence,
    honest_strays_a_day,
    honest_strays_among,
    spray_tests,
    verdict,
)
from lowslow_assets.detection.statistics import size_of
from lowslow_assets.hunting.judge import (
    RECIPE,
    Members,
    fit_patterns,
    judge_patterns,
    judge_suspects,
    with_tests,
)
from lowslow_assets.hunting.settings import HuntSettings
from lowslow_assets.lake.tables import NODATA, SUSPECT_FAILURES
from lowslow_assets.settings import NOTEBOOK, Thresholds

START = datetime(2026, 5, 4, tzinfo=UTC)
TENANT = Population(accounts=1_000, days=60)
SETTINGS = HuntSettings(lookback_days=60)
SPRAY, TYPO, NETWORK, CLIENT = 0b11101, 0b01000, 0b10000, 0b00010
TRAVEL = TYPO | NETWORK
SURE, SELDOM = 900.0, 100.0
COMPONENTS = 2


def fit_of(*patterns: int, weights: tuple[float, ...] = (60.0, 40.0)) -> MixtureFit:
    """A fit in which each component is sure of the bits of one pattern."""
    bits = mask_bits(patterns, len(MODEL_PROPERTIES)).T
    return MixtureFit(np.array(weights), np.where(bits, SURE, SELDOM), np.where(bits, SELDOM, SURE))


FIT = fit_of(SPRAY, TYPO)


def table(attempts: int, pattern: int, first: int = 0, **columns: list) -> pa.Table:
    """So many suspects of one pattern: two a day, each of another user and prefix."""
    numbers = range(first, first + attempts)
    rows: dict[str, Any] = {
        "signin_id": [f"{i:04}" for i in numbers],
        "user": [f"user{i}" for i in numbers],
        "time_generated": [START + timedelta(hours=12 * (i - first)) for i in numbers],
        "pattern": [pattern] * attempts,
        "AppDisplayName": ["Azure Portal"] * attempts,
        "ClientAppUsed": ["Browser"] * attempts,
        "browser": [f"invented {i}" for i in numbers],
        "operatingSystem": ["Windows10"] * attempts,
        "agent": [NODATA] * attempts,
        "result_type": ["50126"] * attempts,
        "network": [f"AS{i}" for i in numbers],
        "Location": ["SE"] * attempts,
        "ip_address": [f"192.0.{i}.7" for i in numbers],
        "ip_prefix": [f"192.0.{i}" for i in numbers],
    }
    nothing = dict.fromkeys(SUSPECT_FAILURES.schema.names, [None] * attempts)
    return pa.Table.from_pydict(nothing | rows | columns, SUSPECT_FAILURES.schema)


def of_tables(*tables: pa.Table) -> Suspects:
    return Suspects.of(pa.concat_tables(tables))


def judged(suspects: Suspects, **changes: Any) -> tuple[dict[int, Cluster], Members]:
    given = {"fit": FIT, "population": TENANT, "settings": SETTINGS}
    clusters, members = judge_suspects(suspects, **(given | changes))
    by_id = {cluster.cluster_id: cluster for cluster in clusters}
    assert list(by_id) == sorted(by_id)
    assert len(by_id) == len(clusters)
    failures = Counter({c.cluster_id: c.failures for c in clusters})
    assert failures == Counter(members.cluster_id.tolist())
    return by_id, members


def test_a_spray_is_kept_and_ten_typos_are_not() -> None:
    suspects = of_tables(table(110, SPRAY), table(10, TYPO, first=500))
    clusters, members = judged(suspects)
    assert {k: c.kept for k, c in clusters.items()} == {0: True, 1: False}
    spray, typos = clusters[0], clusters[1]
    assert spray.anomalous_features == ["application", "device", "place", "network"]
    assert typos.anomalous_features == ["place"]
    assert [spray.component, typos.component] == [0, 1]
    assert [spray.weight, typos.weight] == pytest.approx([0.6, 0.4])
    assert (members.position[members.cluster_id == 1] >= 110).all()
    for cluster in clusters.values():
        own = suspects.at(members.of([cluster.cluster_id]).position)
        size = size_of(cluster.cluster_id, own)
        assert cluster.tests == expected_tests(own, own, cluster)
        assert cluster.confidence == confidence(cluster.tests)
        assert (cluster.kept, cluster.reason) == verdict(cluster.tests, cluster.anomalous_features)
        assert cluster.attempts_per_day == size.attempts_per_day


def expected_tests(own: Suspects, among: Suspects, cluster: Cluster) -> list[SprayTest]:
    """The tests of a cluster whose visits are its own, chosen from among others."""
    honest = honest_strays_a_day(TENANT, len(cluster.anomalous_features))

    def signs_of(visits: Suspects, left_out: np.datetime64 | None) -> list[Sign]:
        of_size = signs_of_size(size_of(0, visits), honest, 10.0)
        outsiders = not {"application", "client"} & {*cluster.anomalous_features}
        members = signs_of_members(visits, among, TENANT, left_out, outsiders=outsiders)
        return [*of_size, *members]

    size = size_of(0, own)
    odd_properties = len(cluster.anomalous_features)
    strays = honest_strays_among(own, size.span_days, TENANT, odd_properties)
    returning = float(returns(own, 3).mean())
    return spray_tests(size, lasting_signs(signs_of, own), strays, returning=returning)


def unrelated(
    attempts: int, seed: int, pattern: int = SPRAY, first: int = 0, **columns: list
) -> pa.Table:
    """Noise: at any time of the window, on any account, each from a prefix of its own."""
    rng = np.random.default_rng(seed)
    return table(
        attempts,
        pattern,
        first,
        **columns,
        user=[f"user{user}" for user in rng.integers(0, TENANT.accounts, attempts)],
        time_generated=[
            START + timedelta(days=float(day)) for day in rng.uniform(0, TENANT.days, attempts)
        ],
    )


def rented(attempts: int, seed: int, pattern: int = SPRAY) -> pa.Table:
    """A spray at random times of the first 40 days, each account once, from three servers."""
    rng = np.random.default_rng(seed)
    server = rng.integers(0, 3, attempts)
    return table(
        attempts,
        pattern,
        time_generated=[START + timedelta(days=float(day)) for day in rng.uniform(0, 40, attempts)],
        browser=["Edge"] * attempts,
        ip_prefix=[f"203.0.{number}" for number in server],
        ip_address=[f"203.0.{number}.7" for number in server],
        network=[f"AS64500{number}" for number in server],
    )


def test_a_spray_from_rented_servers_is_kept_far_below_the_rate_of_noise() -> None:
    clusters, members = judged(of_tables(rented(80, seed=1)))
    assert Thresholds().noise_a_day / 4 > 80 / 40
    assert [cluster.kept for cluster in clusters.values()] == [True]
    assert len(members.position) == 80
    assert "address prefixes that try several accounts" in clusters[0].tests[-1].explanation


@pytest.mark.parametrize("seed", range(5))
def test_unrelated_attempts_are_no_spray_however_odd(seed: int) -> None:
    clusters, _ = judged(of_tables(unrelated(9 * TENANT.days, seed)))
    assert clusters
    for cluster in clusters.values():
        assert not cluster.kept
        assert cluster.reason.startswith("unusual in application, device, place, network; not ")
        assert not cluster.tests[-1].passed


@pytest.mark.parametrize("seed", range(3))
def test_a_spray_is_distinguished_from_the_noise_of_its_component(seed: int) -> None:
    spray, noise = 160, 240
    rows = rented(spray, seed), unrelated(noise, seed + 50, first=spray)
    clusters, members = judged(of_tables(*rows))
    [kept] = [cluster.cluster_id for cluster in clusters.values() if cluster.kept]
    position = members.of([kept]).position
    own = position < spray
    assert own.sum() >= 0.95 * spray
    assert own.mean() >= 0.95


def test_people_who_are_expected_to_give_up_are_no_spray() -> None:
    # The same attempts, steady as a clock, in a tenant whose people hardly travel, and in one
    # whose people would make as many.
    suspects = of_tables(table(120, TYPO))
    kept = [
        judged(
            suspects,
            population=replace(TENANT, honest_strays_a_day=strays, by_system={"Windows": strays}),
        )[0][1].kept
        for strays in (0.1, 2.0)
    ]
    assert kept == [True, False]


def test_few_of_a_tenants_people_are_odd_in_three_properties_at_once() -> None:
    people = replace(TENANT, honest_strays_a_day=2.0, by_system={"Windows": 2.0})
    assert judged(of_tables(table(120, SPRAY)), population=people)[0][0].kept


def test_a_property_counts_where_half_of_the_members_are_odd_in_it() -> None:
    rows = table(110, SPRAY)
    for odd, expected in ((55, True), (54, False)):
        patterns = [SPRAY] * odd + [SPRAY & ~1] * (110 - odd)
        place = rows.schema.get_field_index("pattern")
        suspects = Suspects.of(rows.set_column(place, "pattern", pa.array(patterns, pa.int32())))
        clusters, members = judged(suspects)
        assert len(members.position) == 110
        assert ("application" in clusters[0].anomalous_features) == expected


def test_without_suspects_nothing_is_judged() -> None:
    clusters, members = judged(of_tables(table(0, SPRAY)))
    assert clusters == {}
    assert len(members.position) == 0
    assert len(members.of([]).position) == 0


def test_a_suspect_without_a_component_is_not_a_member() -> None:
    # Equally far from both.
    one, between, other = 0b11101, 0b01101, 0b01001
    suspects = of_tables(table(50, one), table(50, between, first=100))
    fit = fit_of(one, other, weights=(50.0, 50.0))
    for least, members in ((0.4, 100), (0.6, 50)):
        settings = replace(SETTINGS, pruning=PruningRules(min_assignment_probability=least))
        found = judged(suspects, settings=settings, fit=fit)[1]
        assert set(found.position) == set(range(members))


def test_a_component_of_two_groups_has_two_clusters() -> None:
    # An enumeration of names that no account has, and a spray, which is found beside it.
    names = table(
        60,
        SPRAY,
        result_type=["50034"] * 60,
        browser=["curl"] * 60,
        ip_prefix=["203.0.113"] * 60,
        ip_address=["203.0.113.7"] * 60,
    )
    spray = table(40, SPRAY, 60)
    suspects = of_tables(names, spray)
    clusters, members = judged(suspects)
    assert {k: (c.component, c.kept) for k, c in clusters.items()} == {
        0: (0, False),
        COMPONENTS: (0, True),
    }
    assert set(members.of([0]).position) == set(range(60))
    assert set(members.of([COMPONENTS]).position) == set(range(60, 100))
    # Each group is judged on its own.
    by_mask = FIT.responsibilities(mask_bits([SPRAY], len(MODEL_PROPERTIES)))[0, 0]
    expected = by_mask * member_probability(Suspects.of(spray), TENANT)
    np.testing.assert_array_equal(members.of([COMPONENTS]).probability, expected)


@pytest.mark.parametrize(("least", "members"), [(0.0, 1), (0.89, 1), (0.9, 0), (1.0, 0)])
def test_the_masks_probability_and_the_suspects_own_have_to_be_enough(
    least: float, members: int
) -> None:
    # One suspect is a member with 0.9 by its prior, its mask the component's with a little less
    # than 1.
    rules = PruningRules(min_assignment_probability=least)
    settings = replace(SETTINGS, pruning=rules)
    _, found = judged(of_tables(table(1, SPRAY)), settings=settings)
    assert len(found.position) == members


def with_strays(seed: int) -> tuple[Suspects, pa.Table]:
    """A campaign in business hours on 25 accounts, and strays at any time on any account."""
    rng = np.random.default_rng(seed)
    campaign, strays = 100, 50
    hours = [*(24 * rng.choice([0, 1, 2, 3, 4], campaign) + rng.integers(8, 18, campaign))]
    hours += [*rng.integers(0, 60 * 24, strays)]
    users = [*rng.integers(0, 25, campaign), *rng.integers(0, 1_000, strays)]
    rows = table(
        campaign + strays,
        SPRAY,
        user=[f"user{user}" for user in users],
        time_generated=[START + timedelta(hours=int(hour)) for hour in hours],
    )
    return Suspects.of(rows), rows


def test_an_outsider_is_left_out_however_sure_the_mask_is() -> None:
    suspects, _ = with_strays(seed=1)
    rules = replace(SETTINGS, pruning=PruningRules(min_assignment_probability=0.0))
    clusters, members = judged(suspects, settings=rules)
    probability = member_probability(suspects, TENANT)
    assert 0 < (probability < 0.5).sum() < 60
    assert set(members.of([0]).position) == set(np.flatnonzero(probability >= 0.5))
    # The outsiders are a group of their own, in which nothing is a sign.
    others = clusters[COMPONENTS]
    assert set(members.of([COMPONENTS]).position) == set(np.flatnonzero(probability < 0.5))
    assert [clusters[0].kept, others.kept] == [True, False]
    outside = suspects.at(probability < 0.5)
    assert others.tests == expected_tests(outside, outside, others)


def spray(
    attempts: int,
    seed: int,
    begin: int,
    days: int,
    server: str,
    first: int = 0,
    pattern: int = SPRAY,
    **columns: list,
) -> pa.Table:
    """Each account once, at random times of some days, from three servers with one application."""
    rng = np.random.default_rng(seed)
    moments = begin + rng.uniform(0, days, attempts)
    prefixes = [f"{server}.{number}" for number in rng.integers(0, 3, attempts)]
    rows: dict[str, list] = {
        "time_generated": [START + timedelta(days=float(day)) for day in moments],
        "browser": ["Edge"] * attempts,
        "AppDisplayName": [f"App {server}"] * attempts,
        "ip_prefix": prefixes,
        "ip_address": [f"{prefix}.7" for prefix in prefixes],
        "network": [f"AS {server}"] * attempts,
    }
    return table(attempts, pattern, first, **(rows | columns))


@pytest.mark.parametrize("seed", range(3))
def test_two_campaigns_that_look_alike_are_one_cluster_without_the_noise(seed: int) -> None:
    # Through residential proxies with one device; each has one application and one provider. One
    # attacker who changes both may look the same, so what is kept is not divided.
    prefixes = [f"proxy {i}" for i in range(150)]
    first = spray(90, seed, begin=2, days=40, server="203.0", ip_prefix=prefixes[:90])
    second = spray(
        60, seed + 9, begin=15, days=30, server="198.51", first=90, ip_prefix=prefixes[90:]
    )
    noise = unrelated(60, seed + 50, first=150)
    clusters, members = judged(of_tables(first, second, noise))
    kept = [
        set(members.of([cluster.cluster_id]).position.tolist())
        for cluster in clusters.values()
        if cluster.kept
    ]
    assert kept == [set(range(150))]
    assert {k % COMPONENTS for k in clusters} == {0}
    assert [*clusters] == [COMPONENTS * i for i in range(len(clusters))]


def at_hours(hours: tuple[float, float], seed: int, first: int, **columns: list) -> pa.Table:
    """80 attempts on accounts of their own in 40 days, between two hours, from five networks."""
    rng = np.random.default_rng(seed)
    moments = rng.integers(0, 40, 80) * 24 + rng.uniform(*hours, 80)
    rows: dict[str, list] = {
        "time_generated": [START + timedelta(hours=float(hour)) for hour in moments],
        "network": [f"AS{first + number}" for number in rng.integers(0, 5, 80)],
    }
    return table(80, SPRAY, first, **(rows | columns))


NIGHT, MORNING = (0.0, 4.0), (8.0, 12.0)


@pytest.mark.parametrize("seed", range(3))
def test_two_campaigns_at_once_are_two_clusters(seed: int) -> None:
    both = of_tables(at_hours(NIGHT, seed, 0), at_hours(MORNING, seed + 9, 80))
    clusters, members = judged(both)
    assert len(kept(clusters)) == 2
    for number in kept(clusters):
        own = members.of([number]).position
        # An attempt or two may be in no cluster.
        assert 75 <= len(own) <= 80
        assert len(set((own < 80).tolist())) == 1


def test_campaigns_at_once_are_one_cluster_if_one_of_them_alone_is_none() -> None:
    # The second tries four accounts, each of them twenty times.
    few: dict[str, list] = {"user": [f"user{i % 4}" for i in range(80)]}
    clusters, _ = judged(of_tables(at_hours(NIGHT, 1, 0), at_hours(MORNING, 2, 80, **few)))
    assert [clusters[number].failures >= 155 for number in kept(clusters)] == [True]


def test_a_campaign_with_a_tool_is_one_cluster_whatever_its_networks_do() -> None:
    tool: dict[str, list] = {"browser": ["Hydra"] * 80}
    clusters, _ = judged(of_tables(at_hours(NIGHT, 1, 0, **tool), at_hours(MORNING, 2, 80, **tool)))
    assert [clusters[number].failures >= 155 for number in kept(clusters)] == [True]


def kept(clusters: dict[int, Cluster]) -> list[int]:
    return [number for number, cluster in clusters.items() if cluster.kept]


@pytest.mark.parametrize("seed", range(3))
def test_a_small_campaign_among_noise_of_two_kinds_is_found_without_either(seed: int) -> None:
    # Too few of all suspects have the campaign's sources for a start. So the noise of mail
    # protocols is first separated from all else, which is kept because of the campaign's hours.
    at_work = [START + timedelta(days=i, hours=8 + i % 4) for i in range(60)]
    campaign = spray(60, seed, begin=0, days=60, server="203.0", time_generated=at_work)
    noise = unrelated(100, seed + 50, first=60)
    mail = {
        "ClientAppUsed": ["IMAP4"] * 300,
        "AppDisplayName": ["Exchange"] * 300,
        "browser": [NODATA] * 300,
        "operatingSystem": [NODATA] * 300,
    }
    clusters, members = judged(
        of_tables(campaign, noise, unrelated(300, seed + 90, SPRAY, 160, **mail))
    )
    [kept] = [cluster.cluster_id for cluster in clusters.values() if cluster.kept]
    assert set(members.of([kept]).position) == set(range(60))


def test_beside_a_campaign_from_few_sources_another_is_found_by_its_beginning_and_end() -> None:
    # The first is there all the time, but all from its servers: it took no strays that look like
    # the other, which tries a few accounts within three weeks, and shows nothing else.
    rng = np.random.default_rng(1)
    first = spray(200, 1, begin=0, days=60, server="203.0")
    second = table(
        90,
        SPRAY,
        200,
        user=[f"user{user}" for user in rng.integers(0, 20, 90)],
        time_generated=[START + timedelta(days=float(day)) for day in rng.uniform(4, 26, 90)],
    )
    clusters, _ = judged(of_tables(first, second))
    assert [cluster.kept for cluster in clusters.values()] == [True, True]
    assert clusters[COMPONENTS].tests[-1].explanation.startswith("All within 22 of 60 days.")


@pytest.mark.parametrize("seed", range(3))
def test_a_campaign_behind_a_burst_of_a_day_is_found(seed: int) -> None:
    burst = spray(150, seed, begin=20, days=1, server="203.0")
    campaign = spray(60, seed + 9, begin=5, days=40, server="198.51", first=150)
    clusters, members = judged(of_tables(burst, campaign))
    [kept] = [cluster for cluster in clusters.values() if cluster.kept]
    assert set(members.of([kept.cluster_id]).position) == set(range(150, 210))


def day_of_one_tool(attempts: int, seed: int, first: int) -> pa.Table:
    """A burst in the likeness of noise: each account from its own prefix, with one device."""
    return spray(
        attempts,
        seed,
        begin=20,
        days=1,
        server="203.0",
        first=first,
        AppDisplayName=["Azure Portal"] * attempts,
        ip_prefix=[f"burst {i}" for i in range(attempts)],
        network=[f"AS of burst {i}" for i in range(attempts)],
    )


@pytest.mark.parametrize("seed", range(3))
def test_a_burst_among_strays_is_no_campaign_and_a_campaign_with_a_burst_is(seed: int) -> None:
    clusters, _ = judged(of_tables(unrelated(120, seed), day_of_one_tool(90, seed, first=120)))
    assert not any(cluster.kept for cluster in clusters.values())
    clusters, members = judged(of_tables(rented(80, seed), day_of_one_tool(40, seed, first=80)))
    [kept] = [cluster.cluster_id for cluster in clusters.values() if cluster.kept]
    assert set(range(80)) <= set(members.of([kept]).position.tolist())


def test_a_group_that_is_not_kept_is_divided_until_it_is_one() -> None:
    """Hand-made membership: of the suspects it is given, those of the first half belong."""
    number = 4 * MIN_ATTEMPTS

    def first_half(suspects: Suspects, population: Population) -> np.ndarray:
        return (np.arange(len(suspects)) < max(len(suspects) / 2, MIN_ATTEMPTS)).astype(float)

    def by_size(least: int, most: int) -> Any:
        def tests(size: Any, *_: Any) -> list[SprayTest]:
            return [SprayTest("size", least <= size.failures <= most, size.failures, "")]

        return tests

    def sizes(least: int, most: int) -> list[tuple[set[int], bool]]:
        recipe = replace(RECIPE, membership=first_half, tests=by_size(least, most))
        clusters, members = judged(of_tables(table(number, SPRAY)), recipe=recipe)
        found = [(set(members.of([k]).position.tolist()), c.kept) for k, c in clusters.items()]
        return sorted(found, key=lambda each: min(each[0]))

    quarters = [set(range(i * 12, (i + 1) * 12)) for i in range(4)]
    # Halves are kept as they are, and what is beside the first half is divided.
    half = quarters[0] | quarters[1]
    assert sizes(24, 24) == [(half, True), (quarters[2], False), (quarters[3], False)]
    # No half is kept, so each is divided.
    assert sizes(12, 12) == [(quarter, True) for quarter in quarters]
    assert sizes(100, 100) == [(quarter, False) for quarter in quarters]


def test_a_part_of_which_nothing_belongs_has_no_group() -> None:
    # Two components are equally probable, and each of the attempts belongs with 0.9: 0.45.
    suspects = of_tables(unrelated(100, seed=1, pattern=0b01101))
    rules = replace(SETTINGS, pruning=PruningRules(min_assignment_probability=0.475))
    fit = fit_of(0b11101, 0b01001, weights=(50.0, 50.0))
    clusters, members = judged(suspects, fit=fit, settings=rules)
    assert (clusters, len(members.position)) == ({}, 0)


def test_a_visit_is_judged_by_its_first_attempt_and_all_of_it_is_a_member() -> None:
    alone = table(110, SPRAY)
    # Ten minutes later the first five try again, so that their attempts look like typos; and the
    # first typo of the others is followed by one that looks like the spray.
    typo = table(1, TYPO, 500)
    times = [START + timedelta(hours=12 * i, minutes=10) for i in range(5)]
    again = table(5, TYPO, time_generated=times, signin_id=[f"again {i}" for i in range(5)])
    more = table(
        1, SPRAY, 500, time_generated=[START + timedelta(hours=1)], signin_id=["again typo"]
    )
    clusters, members = judged(of_tables(alone, typo, again, more))
    of_spray = members.of([0])
    probability = dict(zip(of_spray.position.tolist(), of_spray.probability, strict=True))
    assert set(probability) == {*range(110), *range(111, 116)}
    assert [probability[111 + i] for i in range(5)] == [probability[i] for i in range(5)]
    assert set(members.of([1]).position) == {110, 116}
    assert (clusters[0].failures, clusters[1].failures) == (115, 2)
    # Retries are no further signs, and no further tries of an account.
    without = judged(of_tables(alone, typo))[0]
    assert [clusters[k].tests for k in (0, 1)] == [without[k].tests for k in (0, 1)]
    assert clusters[0].anomalous_features == without[0].anomalous_features


def test_members_do_not_depend_on_the_order_of_suspects() -> None:
    suspects, rows = with_strays(seed=4)
    order = np.random.default_rng(0).permutation(len(suspects))
    other = Suspects.of(rows.take(order))
    found = []
    for each in (suspects, other):
        clusters, members = judged(each)
        ids = each.signin_id[members.position]
        found.append(
            (clusters, sorted(zip(ids, members.cluster_id, members.probability, strict=True)))
        )
    # To the last digit, because a table's bytes depend on it.
    assert found[0] == found[1]


@pytest.mark.parametrize(("pattern", "kept"), [(0, False), (NETWORK, False), (SPRAY, True)])
def test_hours_are_no_sign_of_what_is_unusual_in_nothing_but_the_network(
    pattern: int, kept: bool
) -> None:
    """Attempts at random on random days, all in the evening."""
    # With the seed of the accounts, times and names would be related.
    rng = np.random.default_rng(2)
    evenings = zip(rng.integers(0, TENANT.days, 120), rng.uniform(16, 20, 120), strict=True)
    rows = unrelated(120, seed=1, pattern=pattern)
    times = [START + timedelta(days=int(day), hours=hour) for day, hour in evenings]
    column = rows.schema.get_field_index("time_generated")
    found = rows.set_column(
        column, rows.schema.field(column), pa.array(times, rows.schema[column].type)
    )
    clusters, _ = judged(Suspects.of(found), fit=fit_of(pattern, TYPO))
    assert {cluster.kept for cluster in clusters.values()} == {kept}


@pytest.mark.parametrize(("pattern", "kept"), [(0, False), (NETWORK, False), (SPRAY, True)])
def test_days_off_are_no_sign_of_what_is_unusual_in_nothing_but_the_network(
    pattern: int, kept: bool
) -> None:
    """Attempts at random times of weekends, where people succeed on weekdays."""
    # With the seed of the accounts, times and names would be related.
    rng = np.random.default_rng(2)
    rows = unrelated(120, seed=1, pattern=pattern)
    weekends = [day for day in range(TENANT.days) if (START + timedelta(days=day)).weekday() >= 5]
    begins = rng.choice(weekends, 120) + rng.uniform(0, 1, 120)
    times = [START + timedelta(days=float(day)) for day in begins]
    column = rows.schema.get_field_index("time_generated")
    found = rows.set_column(
        column, rows.schema.field(column), pa.array(times, rows.schema[column].type)
    )
    hours = {START + timedelta(hours=hour): 9 for hour in range(24 * TENANT.days)}
    at_work = {hour: number for hour, number in hours.items() if hour.weekday() < 5}
    clusters, _ = judged(
        Suspects.of(found), fit=fit_of(pattern, TYPO), population=replace(TENANT, successes=at_work)
    )
    assert {cluster.kept for cluster in clusters.values()} == {kept}


@pytest.mark.parametrize(("pattern", "kept"), [(0, False), (NETWORK, False), (SPRAY, True)])
def test_beginning_and_end_are_no_sign_of_what_is_unusual_in_nothing_but_the_network(
    pattern: int, kept: bool
) -> None:
    """Attempts at random on random days of the first third of the window."""
    # With the seed of the accounts, times and names would be related.
    rng = np.random.default_rng(2)
    rows = unrelated(120, seed=1, pattern=pattern)
    times = [START + timedelta(days=float(day)) for day in rng.uniform(0, 20, 120)]
    column = rows.schema.get_field_index("time_generated")
    found = rows.set_column(
        column, rows.schema.field(column), pa.array(times, rows.schema[column].type)
    )
    clusters, _ = judged(Suspects.of(found), fit=fit_of(pattern, TYPO))
    assert {cluster.kept for cluster in clusters.values()} == {kept}


@pytest.mark.parametrize(
    ("prefixes", "weeks", "kept"),
    [(4, 3, True), (10**6, 3, False), (4, 2, False), (10**6, 4, True)],
    ids=["servers", "fresh", "two Sundays", "four Sundays"],
)
def test_three_sundays_are_a_campaign_if_its_servers_return(
    prefixes: int, weeks: int, kept: bool
) -> None:
    """Each account once, on Sundays between 1 and 5."""
    rng = np.random.default_rng(8)
    times = [
        START + timedelta(days=6 + 7 * (i % weeks), hours=float(hour))
        for i, hour in enumerate(rng.uniform(1, 5, 120))
    ]
    names = [f"server {i}" for i in rng.integers(0, prefixes, 120)]
    rows = table(120, SPRAY, time_generated=times, ip_prefix=names, ip_address=names)
    clusters, _ = judged(Suspects.of(rows))
    assert {cluster.kept for cluster in clusters.values()} == {kept}


@pytest.mark.parametrize(
    ("pattern", "kept"), [(TRAVEL, False), (TRAVEL | CLIENT, True), (SPRAY, True)]
)
def test_names_that_no_account_has_may_be_those_of_people_with_usual_clients_and_applications(
    pattern: int, kept: bool
) -> None:
    """One name each, at any time of 60 days."""
    rng = np.random.default_rng(9)
    times = [START + timedelta(days=float(day)) for day in rng.uniform(0, TENANT.days, 300)]
    names = [f"name{i}" for i in rng.permutation(300)]
    real = ["50126"] * 30 + ["50034"] * 270
    rows = table(300, pattern, time_generated=times, user=names, result_type=real)
    clusters, _ = judged(Suspects.of(rows), fit=fit_of(pattern, TYPO))
    assert {cluster.kept for cluster in clusters.values()} == {kept}


def test_what_a_campaign_leaves_over_is_no_campaign_by_its_hours() -> None:
    """A campaign keeps to office hours, so the strays beside it come at night."""
    rng = np.random.default_rng(4)
    hours = zip(rng.integers(0, TENANT.days, 900), rng.uniform(7, 17, 900), strict=True)
    campaign = table(
        900,
        SPRAY,
        user=[f"user{i}" for i in rng.permutation(TENANT.accounts)[:900]],
        time_generated=[START + timedelta(days=int(day), hours=hour) for day, hour in hours],
    )
    suspects = of_tables(campaign, unrelated(150, seed=2, first=900))
    clusters, members = judged(suspects)
    assert [cluster.kept for cluster in clusters.values()] == [True, False]
    beside = suspects.at(members.of([max(clusters)]).position)
    [hours_of_day] = [
        sign for sign in signs_of_members(beside, beside, TENANT) if sign.name == "hours of the day"
    ]
    assert hours_of_day.p_value < 1e-6


@pytest.mark.parametrize(("days", "kept"), [((10, 30), True), ((0, 60), False)])
def test_a_spray_beside_a_larger_one_is_found_by_its_other_days(
    days: tuple[int, int], kept: bool
) -> None:
    """It repeats nothing; a part of its days is before the larger one."""
    rng = np.random.default_rng(6)
    times = [START + timedelta(days=float(day)) for day in rng.uniform(*days, 80)]
    other = table(80, SPRAY, 300, time_generated=times)
    suspects = of_tables(spray(300, 5, begin=20, days=40, server="203.0"), other)
    clusters, _ = judged(suspects)
    assert [cluster.kept for cluster in clusters.values()] == [True, kept]


def all_belong(suspects: Suspects, population: Population) -> np.ndarray:
    return np.ones(len(suspects))


@pytest.mark.parametrize("mark", ["sources", "tool", None])
def test_a_part_of_another_pattern_joins_the_campaign_whose_marks_it_bears(
    mark: str | None,
) -> None:
    """The part is unusual in its place only, so it is of another component."""

    def attempts(number: int, server: str, first: int, pattern: int) -> pa.Table:
        numbers = range(first, first + number)
        own = {"browser": [f"invented {i}" for i in numbers]}
        if mark == "tool":
            own = {"browser": ["Hydra"] * number, "ip_prefix": [f"proxy {i}" for i in numbers]}
        return spray(number, first, 5, 40, server, first, pattern, **own)

    campaign = attempts(80, "203.0", 0, SPRAY)
    part = attempts(60, "203.0" if mark == "sources" else "198.51", 80, TYPO)
    suspects = of_tables(campaign, part)
    clusters, members = judged(suspects)
    assert all(test.passed for cluster in clusters.values() for test in cluster.tests)
    assert [clusters[k].kept for k in (0, 1)] == [True, mark is None]
    of_campaign = set(members.of([0]).position.tolist())
    if mark is None:
        assert of_campaign == set(range(80))
        return
    assert of_campaign == set(range(140))
    assert clusters[0].attempts_per_day == size_of(0, suspects).attempts_per_day
    # It is judged by its own attempts, as before.
    assert clusters[0].tests == judged(of_tables(campaign))[0][0].tests
    assert (clusters[1].failures, clusters[1].attempts_per_day) == (0, 0.0)
    assert clusters[1].reason == (
        "its 60 failures count for cluster 0: at least half of them come from its sources or show "
        "its tool"
    )


@pytest.mark.parametrize(
    ("prefixes", "kept", "joined"),
    [
        # Half of its attempts are enough, and less is not.
        (["aaaa", "aabb"], "01", [0, 0]),
        (["aaaa", "abb"], "01", [0, 1]),
        # Two accounts do not make a source the campaign's, and nobody knows an unknown one.
        (["aabbcc", "aabb"], "01", [0, 1]),
        (["????", "???"], "01", [0, 1]),
        # The larger one is not always the first; of two that are as large, it is.
        (["aaa", "aaaa"], "01", [1, 1]),
        (["aaa", "aaa"], "01", [0, 0]),
        # Neither what is not kept joins, nor is it joined.
        (["aaaa", "aaa"], "0", [0, 1]),
        (["aaaa", "aaa"], "1", [0, 1]),
        # What has joined brings its own marks.
        (["aaaaaaa", "aaabbb", "bb"], "012", [0, 0, 0]),
        # Of two campaigns with the mark, the larger one counts.
        (["aaaaaaaa", "aaabbbb", "aa"], "012", [0, 1, 0]),
        (["aaabbbb", "aaaaaaaa", "aa"], "012", [0, 1, 1]),
        (["aaaa", "bbbb", "cccc"], "012", [0, 1, 2]),
    ],
    ids=str,
)
def test_which_clusters_join_which(prefixes: list[str], kept: str, joined: list[int]) -> None:
    """Per component, one letter per attempt; hand-made tests keep some of the components."""
    patterns = (SPRAY, TYPO, 0b00010)[: len(prefixes)]
    rows = of_tables(
        *(
            table(
                len(letters),
                pattern,
                first=100 * number,
                ip_prefix=[None if letter == "?" else letter for letter in letters],
            )
            for number, (letters, pattern) in enumerate(zip(prefixes, patterns, strict=True))
        )
    )
    sizes = {len(prefixes[int(k)]) for k in kept}

    def tests(size: Any, *_: Any) -> list[SprayTest]:
        return [SprayTest("size", size.failures in sizes, 1.0, "")]

    recipe = replace(RECIPE, membership=all_belong, tests=tests)
    fit = fit_of(*patterns, weights=(30.0,) * len(patterns))
    for order in (np.arange(len(rows)), np.arange(len(rows))[::-1]):
        clusters, members = judged(rows.at(order), fit=fit, recipe=recipe)
        of_id = dict(zip(rows.signin_id[order[members.position]], members.cluster_id, strict=True))
        assert len(of_id) == len(rows)
        for number, cluster in enumerate(joined):
            own = {k for id, k in of_id.items() if int(id) // 100 == number}
            assert own == {cluster}
            assert clusters[number].kept == (str(number) in kept and cluster == number)


def test_a_recipe_leaves_a_step_out() -> None:
    suspects, _ = with_strays(seed=1)
    members = judged(suspects, recipe=replace(RECIPE, membership=all_belong))[1]
    assert len(members.position) == len(suspects)
    first = replace(RECIPE, tests=lambda *given: spray_tests(*given)[:1])
    [cluster] = judged(of_tables(table(15, SPRAY)), recipe=first)[0].values()
    assert (cluster.kept, [test.name for test in cluster.tests]) == (True, ["many accounts"])


PATTERNS = {SPRAY: 40, SPRAY & ~1: 5, TYPO: 20, 0: 100}


def test_each_preset_fits_in_its_own_way_whatever_the_order() -> None:
    patterns = sorted(PATTERNS)
    bits, counts = mask_bits(patterns, 5), np.array([PATTERNS[p] for p in patterns])
    of_notebook = HuntSettings(preset=NOTEBOOK, components=3, restarts=2, seed=9)
    for settings, (expected, _) in (
        (SETTINGS, fit_by_births(bits, counts)),
        (of_notebook, fit_by_restarts(bits, counts, 3, 2, 9)),
    ):
        for given in (PATTERNS, dict(reversed(PATTERNS.items()))):
            fit, trace = fit_patterns(given, 5, settings)
            np.testing.assert_array_equal(fit.alpha, expected.alpha)
            np.testing.assert_array_equal(fit.concentration, expected.concentration)
            assert len(trace.elbo)


def test_the_notebook_judges_by_rules_and_its_tests_decide_nothing() -> None:
    features = list(MODEL_PROPERTIES)
    settings = HuntSettings(lookback_days=30, preset=NOTEBOOK)
    clusters, assigned = judge_patterns(PATTERNS, FIT, features, settings)
    assert [c.kept for c in clusters] == [True, False]
    assert [c.failures for c in clusters] == [45, 120]
    assert {a.mask: a.cluster_id for a in assigned} == {SPRAY: 0, SPRAY & ~1: 0, TYPO: 1, 0: 1}
    assert [(c.tests, c.confidence) for c in clusters] == [([], None)] * 2
    size = size_of(0, of_tables(table(45, SPRAY)))
    [spray, typos] = with_tests(clusters, [size], Thresholds())
    assert spray.tests == spray_tests(size, [*signs_of_size(size, 0.0, 10.0)], 0.0)
    assert spray.confidence == confidence(spray.tests)
    assert replace(spray, tests=[], confidence=None) == clusters[0]
    assert typos == clusters[1]


def test_a_verdict_is_read_as_it_was_stored() -> None:
    clusters, _ = judge_suspects(of_tables(table(110, SPRAY)), FIT, TENANT, SETTINGS)
    rows = [
        vars(cluster) | {"tests": [vars(test) for test in cluster.tests]} for cluster in clusters
    ]
    assert [Cluster.from_row(row) for row in rows] == clusters
