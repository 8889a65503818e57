"""Entries: the probability that a visit is a campaign's, and the accounts."""

from datetime import date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lowslow_assets.detection.entries import (
    PROBABILITIES,
    compromised_accounts,
    entry_probability,
    likely_entries,
)
from lowslow_assets.detection.traits import TRAIT_COLUMNS, TRAITED, TRAITS
from lowslow_assets.engines.base import Engine
from lowslow_assets.lake.tables import INCIDENT_MEMBERS
from lowslow_assets_tests.support.relations import relation
from lowslow_assets_tests.support.visits import START

PLAIN = (0, 0, 0, 0, 0, 0, 0, 0, 1)
TRIED = (0, 0, 0, 0, 0, 0, 1, 0, 1)
FROM_SOURCE = (0, 0, 0, 0, 0, 0, 0, 1, 1)
FROM_SERVER = (0, 0, 0, 0, 1, 0, 0, 1, 1)
WITH_TOOL = (0, 0, 0, 0, 0, 1, 0, 0, 1)
ALL_NEW = (1, 1, 1, 1, 0, 0, 0, 0, 1)
NO_HISTORY = (1, 1, 1, 1, 0, 0, 0, 0, 0)


# The factor of a visit without the tool, if 10 failures do not show it either.
UNTOOLED = (10.5 / 11 + 0.99) / 2 / 0.99


def success_probability(failures: dict, visits: dict, honest_share: float = 0.0) -> dict:
    """The probability of successes, by their traits."""
    return entry_probability(failures, {"success": visits}, honest_share)["success"]


@pytest.mark.parametrize(
    ("honest_share", "of_honest"),
    [(0.0, 0.03), (0.02, 0.03), (0.04, 0.04), (0.25, 0.25)],
)
def test_probability_as_calculated_manually(honest_share: float, of_honest: float) -> None:
    """Visits of two kinds that differ in one trait, round after round.

    With half a count per level, 9 + 1/2 of 10 + 1 failures were on accounts that had been tried,
    and at first 4 + 1/2 of 20 + 1 visits. In the factors that all share, of 9, 3 and 6 levels, the
    one level has (n + 1/2) / (n + levels / 2) on either side. At first, one in 41 is an entry. None
    comes from the campaign's own sources or with its tool, as 10 + 1/2 of 10 + 1 failures do not;
    but half of the entries show the tool as seldom as honest visits.
    """
    failures, visits = {PLAIN: 1, TRIED: 9}, {PLAIN: 16, TRIED: 4}
    honest = {PLAIN: 1.0, TRIED: 1.0}
    for _ in range(10):
        plain, tried = 16 * honest[PLAIN], 4 * honest[TRIED]
        n = plain + tried
        share = (20 - n + 1) / 41
        shared = 1.0
        for levels in (9, 3, 6):
            shared *= 10.5 / (10 + levels / 2) / ((n + 0.5) / (n + levels / 2))
        ratios = {
            PLAIN: shared * (1.5 / 11) / ((plain + 0.5) / (n + 1)),
            TRIED: shared * (9.5 / 11) / ((tried + 0.5) / (n + 1)),
        }
        unmarked = 10.5 / 11 / (1 - of_honest) * UNTOOLED
        odds = {t: share / (1 - share) * unmarked * ratio for t, ratio in ratios.items()}
        honest = {traits: 1 / (1 + value) for traits, value in odds.items()}
    found = success_probability(failures, visits, honest_share)
    assert found == pytest.approx({traits: 1 - value for traits, value in honest.items()})
    assert found[PLAIN] < found[TRIED]


@pytest.mark.parametrize(
    ("marked", "honest_share", "factor", "factor_without", "other_mark"),
    [
        (FROM_SOURCE, 0.0, 9.5 / 11 / 0.03, 1.5 / 11 / (1 - 0.03), UNTOOLED),
        (FROM_SOURCE, 0.2, 9.5 / 11 / 0.2, 1.5 / 11 / 0.8, UNTOOLED),
        # Half of the entries show the tool as seldom as honest visits.
        (
            WITH_TOOL,
            0.0,
            (9.5 / 11 + 0.01) / 2 / 0.01,
            (1.5 / 11 + 0.99) / 2 / 0.99,
            10.5 / 11 / (1 - 0.03),
        ),
        (
            WITH_TOOL,
            0.2,
            (9.5 / 11 + 0.01) / 2 / 0.01,
            (1.5 / 11 + 0.99) / 2 / 0.99,
            10.5 / 11 / 0.8,
        ),
    ],
)
def test_how_often_honest_visits_bear_a_campaigns_mark_is_not_learned_from_few(
    marked: tuple[int, ...],
    honest_share: float,
    factor: float,
    factor_without: float,
    other_mark: float,
) -> None:
    """Of 10 failures 9 bear one of two marks, and none the other; of 20 visits 4 bear the one.

    All else is alike, as calculated above: four factors, of 9, 3, 6 and 2 levels.
    """
    n = 20.0
    odds: dict[tuple[int, ...], float] = {}
    for _ in range(10):
        alike = other_mark * (20 - n + 1) / (41 - (20 - n + 1))
        for levels in (9, 3, 6, 2):
            alike *= 10.5 / (10 + levels / 2) / ((n + 0.5) / (n + levels / 2))
        odds = {PLAIN: alike * factor_without, marked: alike * factor}
        n = 16 / (1 + odds[PLAIN]) + 4 / (1 + odds[marked])
    found = success_probability({PLAIN: 1, marked: 9}, {PLAIN: 16, marked: 4}, honest_share)
    assert found == pytest.approx({traits: o / (1 + o) for traits, o in odds.items()})


@pytest.mark.parametrize("visits", [10, 1_000, 100_000])
def test_among_visits_that_are_all_alike_no_account_is_named(visits: int) -> None:
    """Honest people may look like the campaign, so "no account is compromised" must be possible."""
    found = success_probability({PLAIN: visits}, {PLAIN: visits})
    assert found[PLAIN] < 0.2


@pytest.mark.parametrize("honest", [50, 5_000])
def test_a_visit_from_a_campaigns_own_source_is_all_but_certain(honest: int) -> None:
    found = success_probability({FROM_SERVER: 200}, {PLAIN: honest, FROM_SERVER: 2})
    assert found[FROM_SERVER] > 0.9
    assert found[PLAIN] < 0.01


def test_a_source_at_a_provider_of_the_tenants_people_says_less() -> None:
    """Of each two visits, one comes from a network that is usual in the tenant."""
    failures = {FROM_SOURCE: 100, FROM_SERVER: 100}
    found = success_probability(failures, {PLAIN: 500, FROM_SOURCE: 2, FROM_SERVER: 2})
    assert found[FROM_SOURCE] < 0.5
    assert found[FROM_SERVER] > 0.9


def test_a_visit_without_the_campaigns_tool_may_be_its_entry() -> None:
    """All failures show the tool, but who got in often looks around with another."""
    like, with_tool = (2, 2, 2, 2, 1, 0, 1, 0, 1), (2, 2, 2, 2, 1, 1, 1, 0, 1)
    found = success_probability({with_tool: 1_000}, {PLAIN: 200, like: 1})
    assert found[like] > 0.9
    assert found[PLAIN] < 0.01


@pytest.mark.parametrize("honest", [50, 5_000])
def test_where_honest_people_share_the_campaigns_source_it_says_little(honest: int) -> None:
    visits = {PLAIN: honest, FROM_SOURCE: 2}
    assert success_probability({FROM_SOURCE: 200}, visits, 0.5)[FROM_SOURCE] < 0.1
    # It is one factor of several: what looks like the campaign in all else is an entry.
    like = (2, 2, 2, 2, 1, 1, 1, 1, 1)
    found = success_probability({like: 200}, {PLAIN: honest, like: 2}, 0.5)
    assert found[like] > 0.9


def test_whoever_is_at_home_in_a_campaigns_sources_is_learned_from_many_visits() -> None:
    """An attacker uses a carrier's shared addresses, from which people come as they always do."""
    like = (2, 2, 2, 2, 1, 0, 1, 1, 1)
    found = success_probability(
        {like: 150, FROM_SOURCE: 50}, {PLAIN: 500, FROM_SOURCE: 60, like: 1}
    )
    assert found[FROM_SOURCE] < 0.1
    assert found[like] > 0.9
    # A few such visits are no decisive evidence: the attacker came as well.
    found = success_probability({like: 50, FROM_SERVER: 150}, {PLAIN: 500, FROM_SERVER: 3})
    assert found[FROM_SERVER] > 0.9


def test_if_nearly_all_visits_are_entries_they_are_not_what_honest_visits_are_like() -> None:
    """An attacker who got into a hundred accounts, in a tenant where people hardly travel."""
    like = (1, 1, 2, 2, 1, 0, 1, 1, 1)
    for visits in ({like: 100}, {like: 100, PLAIN: 3}):
        found = success_probability({like: 500}, visits)
        assert found[like] > 0.9
        assert found.get(PLAIN, 0.0) < 0.5


def test_that_all_is_new_to_an_account_without_a_history_says_nothing() -> None:
    failures = {ALL_NEW: 90, NO_HISTORY: 10}
    found = success_probability(failures, {PLAIN: 200, ALL_NEW: 2, NO_HISTORY: 5})
    assert found[ALL_NEW] > 0.9
    assert found[NO_HISTORY] < 0.1
    # From the campaign's own source, the account is named nevertheless.
    from_source = (1, 1, 1, 1, 1, 0, 0, 1, 0)
    found = success_probability(
        {FROM_SERVER: 90, from_source: 10}, {PLAIN: 200, NO_HISTORY: 5, from_source: 1}
    )
    assert found[from_source] > 0.9
    assert found[NO_HISTORY] < 0.1


def test_without_visits_there_are_no_entries() -> None:
    assert entry_probability({PLAIN: 3}, {}) == {}


def test_what_honest_visits_are_like_is_learned_from_those_of_both_outcomes() -> None:
    """No honest user was stopped; of 200 who succeeded elsewhere, none is like the campaign."""
    found = entry_probability({TRIED: 300}, {"success": {PLAIN: 200}, "stopped": {TRIED: 5}})
    assert found["stopped"][TRIED] > 0.9
    assert found["success"][PLAIN] < 0.01
    # If honest users who succeed look like that, those who are stopped do too.
    alike: dict[str, dict[tuple[int, ...], int]]
    alike = {"success": {TRIED: 200}, "stopped": {TRIED: 5}}
    assert entry_probability({TRIED: 300}, alike)["stopped"][TRIED] < 0.5


_TRAITS = st.tuples(*(st.integers(0, levels - 1) for levels in TRAITS.values()))
_COUNTS = st.dictionaries(_TRAITS, st.integers(1, 1_000_000), min_size=1, max_size=12)


@settings(max_examples=100, deadline=None)
@given(_COUNTS, _COUNTS)
def test_probabilities_are_probabilities_and_no_order_matters(failures: dict, visits: dict) -> None:
    found = success_probability(failures, visits)
    assert found.keys() == visits.keys()
    assert all(0 <= probability <= 1 for probability in found.values())
    backwards = [dict(reversed(counts.items())) for counts in (failures, visits)]
    assert success_probability(backwards[0], backwards[1]) == pytest.approx(
        found, rel=1e-6, abs=1e-9
    )


@settings(max_examples=50, deadline=None)
@given(_COUNTS, st.integers(0, len(TRAITS) - 1), st.data())
def test_a_visit_more_like_the_failures_is_more_probable(
    visits: dict, trait: int, data: st.DataObject
) -> None:
    """All failures have one level of a trait: a visit with this level is more probable."""
    levels = list(TRAITS.values())[trait]
    level, other = data.draw(st.permutations(range(levels)))[:2]
    # How often honest visits show the campaign's tool is given. How often they come from its
    # sources is learned from many, which may all be honest.
    assume(list(TRAITS)[trait] != "source")
    assume(list(TRAITS)[trait] != "tool" or level == 1)
    # Accounts with a history and accounts without are not compared.
    assume(list(TRAITS)[trait] != "history")
    base = data.draw(_TRAITS)
    # In a usual network, a source says less.
    assume(list(TRAITS)[trait] != "network" or not base[list(TRAITS).index("source")])
    like, unlike = ((*base[:trait], value, *base[trait + 1 :]) for value in (level, other))
    # As many visits of either kind, so that the level is not also the more common one of visits.
    visits = {t: n for t, n in visits.items() if t[trait] not in (level, other)}
    found = success_probability({like: 50}, {**visits, like: 10, unlike: 10})
    assert found[like] > found[unlike] or found[unlike] > 1 - 1e-9


@pytest.mark.parametrize(
    ("levels", "words"),
    [
        (PLAIN, []),
        (TRIED, ["the campaign had tried the account"]),
        (FROM_SOURCE, []),
        ((0, 0, 0, 0, 0, 1, 1, 0, 1), ["the campaign had tried the account"]),
        ((1, 0, 0, 0, 0, 1, 0, 0, 1), ["new to the user: application"]),
        ((0, 0, 0, 0, 0, 1, 0, 1, 1), []),
        (
            (0, 1, 0, 0, 0, 1, 1, 1, 1),
            ["the campaign had tried the account", "new to the user: client"],
        ),
        (
            (0, 1, 0, 0, 0, 0, 1, 1, 1),
            ["the campaign had tried the account", "new to the user: client"],
        ),
        (NO_HISTORY, ["the user succeeds nowhere else"]),
        ((0, 0, 1, 2, 1, 0, 0, 0, 1), ["new to the user: device, place"]),
        (
            (1, 2, 1, 2, 1, 0, 1, 0, 1),
            [
                "the campaign had tried the account",
                "new to the user: application, client, device, place",
            ],
        ),
    ],
)
def test_evidence_in_words(engine: Engine, levels: tuple[int, ...], words: list[str]) -> None:
    visit = {"cluster_id": 0, "outcome": "success", "signin_id": "visit"}
    traits = dict(zip(TRAIT_COLUMNS, levels, strict=True))
    probability = {"cluster_id": 0, "outcome": "success", **traits, "probability": 1.0}
    [found] = likely_entries(
        relation(engine, TRAITED, [visit | traits]),
        relation(engine, PROBABILITIES, [probability]),
    ).rows()
    source = "from an address prefix from which the campaign tries other accounts"
    tool = "with the tool of the campaign"
    first = {
        (0, 0): ["from a network new to the user and an address prefix nobody else succeeds from"],
        (0, 1): [tool],
        (1, 0): [source],
        (1, 1): [source, tool],
    }[traits["trait_source"], traits["trait_tool"]]
    assert found["evidence"] == "; ".join([*first, *words])


def test_a_visit_is_one_entry_of_the_likeliest_campaign(engine: Engine) -> None:
    """By the level of one trait: each sign-in has the probability of its level."""

    def visit(id: str, prefix: str, cluster: int, level: int, user: str = "ann") -> dict[str, Any]:
        return {
            "cluster_id": cluster,
            "outcome": "success",
            "date": date(2026, 6, 1),
            "signin_id": id,
            "user": user,
            "ip_prefix": prefix,
            **dict.fromkeys(TRAIT_COLUMNS, 0),
            "trait_application": level,
        }

    visits = [
        # As likely as the likelier of its two sign-ins.
        visit("first", "away", 0, 0),
        visit("second", "away", 0, 2),
        # The likelier one of two campaigns.
        visit("first", "away", 1, 1),
        visit("second", "away", 1, 1),
        # The first of equals.
        visit("third", "far", 0, 1),
        visit("third", "far", 1, 1),
        # More likely an honest one.
        visit("honest", "near", 0, 0),
        visit("attempt", "near", 0, 2) | {"outcome": "failure"},
        # Of two users of one prefix, one is likely an entry, or either is one of another campaign.
        visit("ann's", "of two", 0, 2),
        visit("bob's", "of two", 0, 0, "bob"),
        visit("cid's", "of campaigns", 0, 2, "cid"),
        visit("cid's", "of campaigns", 1, 1, "cid"),
        visit("dan's", "of campaigns", 0, 0, "dan"),
        visit("dan's", "of campaigns", 1, 1, "dan"),
        # Of another outcome, which is rarer in a campaign.
        visit("stopped", "away", 0, 2) | {"outcome": "stopped"},
    ]
    probabilities = [
        {
            "cluster_id": cluster,
            "outcome": "success",
            **dict.fromkeys(TRAIT_COLUMNS, 0),
            "trait_application": level,
            "probability": probability,
        }
        for cluster in (0, 1)
        for level, probability in enumerate((0.49, 0.5, 0.9))
    ]
    found = likely_entries(
        relation(engine, TRAITED, visits), relation(engine, PROBABILITIES, probabilities)
    )
    assert sorted((row["signin_id"], row["cluster_id"], row["score"]) for row in found.rows()) == [
        ("ann's", 0, 0.9),
        ("cid's", 0, 0.9),
        ("dan's", 1, 0.5),
        ("first", 0, 0.9),
        ("second", 0, 0.9),
        ("third", 0, 0.5),
    ]


def test_compromised_accounts_are_the_likeliest_few(engine: Engine) -> None:
    def success(incident: str, user: str, score: float, hour: int, **more: Any) -> dict[str, Any]:
        return {
            "incident_id": incident,
            "outcome": "success",
            "user": user,
            "score": score,
            "time_generated": START + timedelta(hours=hour),
            "exported": date(2026, 6, 1 + hour // 24),
            "signin_id": f"{user} {hour}",
            "evidence": f"evidence of {hour}",
            **more,
        }

    members = [
        success("a", "ann", 0.7, 3),
        # The likeliest gives the evidence, the earliest of equals; the first gives the time.
        success("a", "bob", 0.6, 5),
        success("a", "bob", 0.9, 30),
        success("a", "bob", 0.9, 29),
        success("a", "cid", 0.7, 2),
        success("a", "dan", 0.55, 1),
        success("a", "eve", 1.0, 1, outcome="failure"),
        success("b", "dan", 0.5, 1),
    ]
    found = compromised_accounts(relation(engine, INCIDENT_MEMBERS.schema, members), 3).rows()
    columns = ("incident_id", "user", "probability", "first_success", "exported", "evidence")
    first_day = date(2026, 6, 1)

    def at(hour: int) -> datetime:
        return START + timedelta(hours=hour)

    assert [tuple(row[column] for column in columns) for row in found] == [
        ("a", "bob", 0.9, at(5), first_day, "evidence of 29"),
        ("a", "cid", 0.7, at(2), first_day, "evidence of 2"),
        ("a", "ann", 0.7, at(3), first_day, "evidence of 3"),
        ("b", "dan", 0.5, at(1), first_day, "evidence of 1"),
    ]
    assert [row["successes"] for row in found] == [3, 1, 1, 1]
