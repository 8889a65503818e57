"""Terms, conditions and their choice, on cases that are small enough to count manually."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from lowslow_assets.detection.conditions import (
    MAX_LIST_LENGTH,
    MAX_TERMS,
    MAX_VALUE_LENGTH,
    MAX_VALUES,
    Condition,
    Hits,
    Term,
    ValueCount,
    candidate_terms,
    common_values,
    conditions,
    count_hits,
    count_patterns,
    find_terms,
    for_attempts,
    for_entries,
)
from lowslow_assets.engines.base import Engine, Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.lake.tables import FEATURES, INCIDENT_MEMBERS, NODATA
from lowslow_assets_tests.support.relations import relation

USUAL = dict.fromkeys(FEATURES, "usual") | {"network": "AS1", "ip_prefix": "192.0.2"}


def signins(engine: Engine, *rows: Mapping[str, str | None]) -> Relation:
    """Failures of the incident a, usual in all that is not given."""
    full = [{"incident_id": "a", "outcome": "failure", **USUAL, **row} for row in rows]
    return relation(engine, INCIDENT_MEMBERS.schema, full)


# --- terms -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("term", "held_by"),
    [
        (Term("browser", ("Edge",)), {"edge"}),
        (Term("browser", ("Edge", NODATA)), {"edge", "none"}),
        (Term("browser", ("Edge", "usual"), negated=True), {"none"}),
        (Term("network", ("AS64500",)), {"edge"}),
        # A prefix is looked up by the address, whether or not the system is known.
        (Term("network", ("203.0.113",)), {"edge"}),
        (Term("network", ("AS64500", "2001:db8:1::/48")), {"edge", "six"}),
        (Term("network", ("AS64500", "203.0.113"), negated=True), {"none", "six", "no address"}),
    ],
)
def test_who_meets_a_term(engine: Engine, term: Term, held_by: set[str]) -> None:
    rows = signins(
        engine,
        {
            "incident_id": "edge",
            "browser": "Edge",
            "network": "AS64500",
            "ip_prefix": "203.0.113",
        },
        {"incident_id": "none", "browser": NODATA},
        {"incident_id": "six", "network": "2001:db8:1::/48", "ip_prefix": "2001:db8:1::/48"},
        {"incident_id": "no address", "network": NODATA, "ip_prefix": None},
    )
    met = count_patterns(signins(engine), rows, [[term]])
    assert {count.incident_id for count in met if count.pattern} == held_by


def terms_of(values: Sequence[ValueCount]) -> list[Term]:
    """Of a campaign of 100 attempts in a tenant of 1,000 successes."""
    return candidate_terms(values, attempts=100, successes=1000)


def test_a_campaigns_own_value_and_the_tenants_usual_ones() -> None:
    values = [
        ValueCount("browser", "Odd", 96, 0),
        ValueCount("browser", "Edge", 4, 900),
        ValueCount("browser", "Chrome", 0, 95),
        # It may be the intruder's, so it is not usual.
        ValueCount("browser", "Rare", 0, 5),
    ]
    assert terms_of(values) == [
        Term("browser", ("Odd",)),
        Term("browser", ("Edge", "Chrome"), negated=True),
    ]


def test_the_most_informative_values_are_taken_until_enough_of_the_campaign_is_held() -> None:
    values = [
        ValueCount("AppDisplayName", "A", 60, 1),
        ValueCount("AppDisplayName", "B", 36, 0),
        ValueCount("AppDisplayName", "C", 4, 10),
    ]
    assert terms_of(values) == [Term("AppDisplayName", ("A", "B"))]
    assert terms_of([ValueCount("AppDisplayName", "A", 94, 0)]) == []


def test_usual_values_that_cost_too_much_of_the_campaign_are_left_out() -> None:
    cheap, dear = ValueCount("city", "Graz", 3, 600), ValueCount("city", "Wien", 3, 300)
    assert terms_of([cheap, dear]) == [Term("city", ("Graz",), negated=True)]


def test_a_stray_among_the_members_is_no_habit() -> None:
    values = [ValueCount("city", "Lima", 199, 1), ValueCount("city", "Oslo", 1, 0)]
    assert candidate_terms(values, 200, 1000) == [Term("city", ("Lima",))]
    assert candidate_terms(values, 201, 1000) == [Term("city", ("Lima",))]


def test_values_of_most_legitimate_sign_ins_make_no_term() -> None:
    assert terms_of([ValueCount("displayName", NODATA, 100, 500)]) == [
        Term("displayName", (NODATA,))
    ]
    assert terms_of([ValueCount("displayName", NODATA, 100, 501)]) == []
    assert terms_of([ValueCount("displayName", "PC-7", 0, 499)]) == []


def test_a_list_is_bounded() -> None:
    many = [ValueCount("city", f"{n:02}", 2, 0) for n in range(MAX_VALUES)]
    assert [len(term.values) for term in terms_of(many)] == [48]
    long = [ValueCount("city", f"{n:02}" + "x" * 98, 10, 0) for n in range(10)]
    assert [len(term.values) for term in terms_of(long)] == [10]
    longer = [ValueCount("city", f"{n:02}" + "x" * 125, 5, 0) for n in range(20)]
    assert MAX_LIST_LENGTH < 19 * 127
    assert terms_of(longer) == []
    usual = [ValueCount("city", value.category, 0, 50) for value in longer]
    [term] = terms_of(usual)
    assert term.negated
    assert sum(map(len, term.values)) == MAX_LIST_LENGTH // 127 * 127


@pytest.mark.parametrize(("attempts", "successes"), [(0, 0), (0, 1000), (100, 0)])
def test_without_a_campaign_or_without_successes_there_is_no_term(
    attempts: int, successes: int
) -> None:
    values = [ValueCount("city", "Lima", attempts, 0), ValueCount("city", "Graz", 0, successes)]
    assert candidate_terms(values, attempts, successes) == [
        *([Term("city", ("Graz",), negated=True)] if successes and attempts else [])
    ]
    assert candidate_terms([], attempts, successes) == []


COUNTS = schema("feature string, category string, successes bigint")


def test_common_values_are_the_campaigns_and_the_tenants(engine: Engine) -> None:
    members = signins(
        engine,
        {"city": "Rome", "outcome": "success"},
        {"city": "Lima", "network": NODATA},
        {"city": "Lima"},
        {"city": "x" * (MAX_VALUE_LENGTH + 1)},
        {"incident_id": "b", "city": "Oslo"},
    )
    counts = [("city", "Lima", 1), ("city", "Graz", 50), ("network", NODATA, 7)]
    rows = common_values(members, relation(engine, COUNTS, counts)).rows()
    assert {tuple(row.values()) for row in rows if row["feature"] in ("city", "network")} == {
        ("a", "city", "Lima", 2, 1),
        ("a", "city", "Graz", 0, 50),
        ("a", "network", "AS1", 2, 0),
        ("b", "city", "Oslo", 1, 0),
        ("b", "city", "Lima", 0, 1),
        ("b", "city", "Graz", 0, 50),
        ("b", "network", "AS1", 1, 0),
    }


def test_common_values_are_so_many_and_of_equals_the_first(engine: Engine) -> None:
    members = signins(engine, *({"city": f"{n:03}"} for n in range(MAX_VALUES + 5)))
    counts = [("city", f"{n:03}", 1) for n in range(100, MAX_VALUES + 105)]
    rows = common_values(members, relation(engine, COUNTS, counts)).rows()
    found = {row["category"] for row in rows if row["feature"] == "city"}
    assert found == {f"{n:03}" for start in (0, 100) for n in range(start, start + MAX_VALUES)}


def test_terms_of_each_incident(engine: Engine) -> None:
    members = signins(
        engine,
        {"city": "Lima"},
        {"incident_id": "b", "city": "Oslo"},
        {"incident_id": "b", "city": "Lima", "outcome": "success"},
    )
    counts = relation(engine, COUNTS, [("city", "Graz", 900), ("city", "Lima", 100)])
    a, b, none = find_terms(["a", "b", "c"], members, counts, successes=1000)
    assert [term for term in a if term.feature == "city"] == [
        Term("city", ("Lima",)),
        Term("city", ("Graz",), negated=True),
    ]
    assert [term for term in b if term.feature == "city"] == [
        Term("city", ("Oslo",)),
        Term("city", ("Graz", "Lima"), negated=True),
    ]
    # Values that no success shows; here these are all that are "usual".
    assert {term.feature for term in a} == {term.feature for term in b} == {*FEATURES}
    assert none == []


# --- conditions ------------------------------------------------------------------------------

ODD, FAR, SMALL = Term("browser", ("Odd",)), Term("city", ("Lima",)), Term("state", ("Lima",))


def test_patterns_are_counted_for_all_campaigns_in_one_pass(engine: Engine) -> None:
    window = signins(
        engine,
        {"browser": "Odd", "city": "Lima"},
        {"browser": "Odd", "outcome": "success"},
        {"browser": "Odd", "outcome": "other"},
        {"city": "Lima"},
        {"city": "Lima"},
    )
    members = signins(engine, {"incident_id": "b", "browser": "Odd"})
    counted = count_patterns(window, members, [[ODD, FAR], [FAR], []])
    assert {tuple(count) for count in counted} == {
        (None, "failure", 0, 0b11, 1),
        (None, "failure", 0, 0b10, 2),
        (None, "success", 0, 0b01, 1),
        (None, "failure", 1, 0b1, 3),
        (None, "success", 1, 0b0, 1),
        (None, "failure", 2, 0, 3),
        (None, "success", 2, 0, 1),
        ("b", "failure", 0, 0b01, 1),
        ("b", "failure", 1, 0b0, 1),
        ("b", "failure", 2, 0b0, 1),
    }


def test_a_missing_value_equals_no_value(engine: Engine) -> None:
    terms = [[Term("city", ("Lima",)), Term("city", ("Lima",), negated=True)]]
    [count] = count_patterns(signins(engine, {"city": None}), signins(engine), terms)
    assert count.pattern == 0b10


def test_hits_are_those_of_the_incident_and_of_no_other(engine: Engine) -> None:
    members = [
        {"browser": "Odd"},
        {"browser": "Odd"},
        {"browser": "Odd", "outcome": "success"},
        {"incident_id": "b", "browser": "Odd"},
        {"incident_id": "b", "city": "Lima", "outcome": "success"},
    ]
    others = [
        {"browser": "Odd", "outcome": "success"},
        {"outcome": "success"},
        {"outcome": "success"},
        {"browser": "Odd"},
        {"browser": "Odd", "outcome": "other"},
    ]
    a, b = count_hits(
        ["a", "b"], [[ODD], [FAR]], signins(engine, *members, *others), signins(engine, *members)
    )
    assert {pattern: Hits(*map(int, hits)) for pattern, hits in a.items()} == {
        0b1: Hits(attempts=2, entries=1, legitimate=1, other_failures=1),
        0b0: Hits(attempts=0, entries=0, legitimate=2, other_failures=0),
    }
    assert {pattern: Hits(*map(int, hits)) for pattern, hits in b.items()} == {
        0b1: Hits(attempts=0, entries=1, legitimate=0, other_failures=0),
        0b0: Hits(attempts=1, entries=0, legitimate=3, other_failures=1),
    }


def test_conditions_are_all_combinations_that_keep_enough_of_the_campaign() -> None:
    patterns = np.array([0b011, 0b001, 0b111, 0b000])
    counts = np.array([[90, 1, 3, 5], [8, 2, 40, 60], [1, 0, 0, 0], [1, 0, 900, 800]])
    assert conditions([ODD, FAR, SMALL], patterns, counts, attempts=100) == [
        Condition((ODD,), Hits(99, 3, 43, 65)),
        Condition((FAR,), Hits(91, 1, 3, 5)),
        Condition((ODD, FAR), Hits(91, 1, 3, 5)),
    ]


def test_a_condition_has_few_terms() -> None:
    terms = [Term("city", (str(number),)) for number in range(MAX_TERMS + 2)]
    found = conditions(terms, np.array([0b111111]), np.array([[1, 0, 0, 0]]), attempts=1)
    assert {len(condition.terms) for condition in found} == {1, 2, 3, 4}
    assert len(found) == 6 + 15 + 20 + 15


def test_for_attempts_another_term_must_spare_many() -> None:
    one = Condition((ODD,), Hits(99, 0, 100, 20))
    two = Condition((ODD, FAR), Hits(95, 0, 90, 10))
    three = Condition((ODD, FAR, SMALL), Hits(91, 0, 60, 0))
    assert for_attempts([one, two, three], others=1000) == three
    # 120 is not much more than 100.
    assert for_attempts([one, two], others=1000) == one
    # In a large tenant 120 and 60 are both next to nothing.
    assert for_attempts([one, two, three], others=1_000_000) == one
    assert for_attempts([], others=1000) is None


def test_for_entries_only_successes_count_and_known_entries_first() -> None:
    blind = Condition((ODD,), Hits(99, 0, 10, 0))
    seeing = Condition((ODD, FAR), Hits(91, 2, 12, 5000))
    broad = Condition((FAR,), Hits(99, 3, 200, 0))
    assert for_entries([blind, seeing, broad], legitimate=1000) == seeing
    assert for_entries([], legitimate=1000) is None
