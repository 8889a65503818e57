"""What distinguishes a spray from its look-alikes, with which confidence, and what it repeats."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from lowslow_assets.detection.members import Suspects
from lowslow_assets.detection.population import KnownAccount, Population
from lowslow_assets.detection.signs import Sign
from lowslow_assets.detection.spray_tests import (
    DEFAULTS,
    UNKNOWN_SYSTEMS,
    Invariant,
    OwnSystems,
    SprayTest,
    confidence,
    honest_strays_a_day,
    honest_strays_among,
    invariants,
    own_systems,
    spray_tests,
    verdict,
)
from lowslow_assets.detection.statistics import ClusterSize, FeatureVariation
from lowslow_assets.lake.tables import NODATA, SUSPECT_FAILURES
from lowslow_assets.settings import Thresholds

FIRST = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
CLEAR = [Sign("a", 0.5, "nothing"), Sign("b", 1e-9, "all of 90 attempts, in a sentence")]


def cluster(failures: int, users: int, active: int, span: int) -> ClusterSize:
    return ClusterSize(
        cluster_id=0,
        failures=failures,
        users=users,
        invented_names=0,
        ip_addresses=failures,
        countries=1,
        attempts_per_user=failures / users,
        attempts_per_address=1.0,
        first_activity=FIRST,
        last_activity=FIRST + timedelta(days=span - 1),
        active_days=active,
        span_days=span,
        attempts_per_day=failures / span,
    )


@pytest.mark.parametrize(("odd", "strays"), [(0, 4.0), (2, 4.0), (3, 0.4), (5, 0.4)])
def test_few_people_are_odd_in_three_properties_at_once(odd: int, strays: float) -> None:
    assert honest_strays_a_day(Population(1, 1, 4.0), odd) == pytest.approx(strays)


def test_people_make_attempts_with_the_systems_that_they_have() -> None:
    """In ten days, people are expected to fail 20 times with iOS and once with Linux."""
    people = Population(100, 60, by_system={"Ios": 2.0, "Linux": 0.1, "MacOs": 50.0})
    seen = (
        [("ann", "Ios17.1")] * 15
        + [("ann", "Ios18")] * 15
        + [("bob", "Linux")] * 5
        + [("cid", "Symbian")] * 40
    )
    members = of_systems(*seen)
    assert honest_strays_among(members, 10, people, 0) == pytest.approx(20 + 1)
    assert honest_strays_among(members, 10, people, 3) == pytest.approx(2 + 0.1)
    # At most as many as there are.
    few = members.at(np.arange(10))
    assert honest_strays_among(few, 10, people, 0) == pytest.approx(10)


@pytest.mark.parametrize(
    ("suspect", "failed"),
    [
        (cluster(failures=300, users=120, active=55, span=60), []),
        (
            cluster(failures=2880, users=1, active=60, span=60),
            ["many accounts", "few attempts each"],
        ),
        (cluster(failures=32_000, users=200, active=60, span=60), ["few attempts each"]),
        (cluster(failures=900, users=400, active=1, span=1), ["many days"]),
        # Each at its limit, and each just past it.
        (cluster(failures=600, users=10, active=7, span=14), []),
        (
            cluster(failures=541, users=9, active=6, span=13),
            ["many accounts", "few attempts each", "many days"],
        ),
        # Only on Sundays: four of them, in three weeks.
        (cluster(failures=80, users=60, active=4, span=22), []),
        (cluster(failures=80, users=60, active=4, span=20), []),
        (cluster(failures=80, users=60, active=4, span=19), ["many days"]),
        (cluster(failures=80, users=60, active=3, span=22), ["many days"]),
        # If a campaign lasts longer than a month, the attempts per account are those of a month.
        (cluster(failures=1_200, users=10, active=60, span=60), []),
        (cluster(failures=1_201, users=10, active=60, span=60), ["few attempts each"]),
    ],
    ids=[
        "spray",
        "stale device",
        "connector",
        "burst",
        "limits",
        "past limits",
        "Sundays",
        "Sundays, at the limit",
        "Sundays, too short",
        "three Sundays",
        "120 in two months",
        "more in two months",
    ],
)
def test_spray_tests(suspect: ClusterSize, failed: list[str]) -> None:
    tests = spray_tests(suspect, CLEAR, 0.0)
    assert [test.name for test in tests if not test.passed] == failed
    assert len(tests) == 5


@pytest.mark.parametrize(
    ("active", "span", "returning", "enough"),
    [
        (3, 15, 1.0, True),
        (3, 15, 0.5, True),
        # Most attempts come from sources that were used once.
        (3, 15, 0.49, False),
        (3, 14, 1.0, False),
        (2, 22, 1.0, False),
    ],
)
def test_three_days_over_two_weeks_are_enough_if_the_sources_return(
    active: int, span: int, returning: float, enough: bool
) -> None:
    suspect = cluster(failures=180, users=60, active=active, span=span)
    tests = spray_tests(suspect, CLEAR, 0.0, returning=returning)
    assert [test.name for test in tests if not test.passed] == ([] if enough else ["many days"])


@pytest.mark.parametrize(
    ("thresholds", "failed"),
    [
        (Thresholds(), []),
        (Thresholds(min_accounts=20), []),
        (Thresholds(min_accounts=21), ["many accounts"]),
        (Thresholds(max_attempts_per_account=5), []),
        (Thresholds(max_attempts_per_account=4.9), ["few attempts each"]),
        # Four sevenths of so many days are enough if the span is 20 sevenths of them.
        (Thresholds(min_active_days=14), []),
        (Thresholds(min_active_days=15), ["many days"]),
        (Thresholds(max_p_value=2e-9), []),
        (Thresholds(max_p_value=1e-9), ["more than stray failures"]),
    ],
    ids=str,
)
def test_thresholds_decide(thresholds: Thresholds, failed: list[str]) -> None:
    suspect = cluster(failures=133, users=20, active=8, span=40)
    tests = spray_tests(suspect, CLEAR, 0.0, thresholds)
    assert [test.name for test in tests if not test.passed] == failed


@pytest.mark.parametrize(
    ("p_values", "honest", "expected"),
    [
        # The clearest of the signs counts.
        ((0.3, 1e-9, 1e-6), 0.0, 1e-9),
        ((0.3, 0.2), 0.0, 0.2),
        # P(N >= 2), N ~ Poisson(2): people would make as many, whatever the signs are.
        ((1e-9,), 2.0, 1 - 3 * math.exp(-2)),
    ],
)
def test_signs_count_where_people_do_not_make_as_many(
    p_values: tuple[float, ...], honest: float, expected: float
) -> None:
    signs = [Sign(str(i), p, f"sign {i}") for i, p in enumerate(p_values)]
    last = spray_tests(cluster(2, 2, 2, 2), signs, honest)[-1]
    assert last.value == pytest.approx(expected)
    assert last.passed == (expected < DEFAULTS.max_p_value)


def test_every_test_says_its_value_in_words() -> None:
    tests = spray_tests(cluster(3000, 1200, active=45, span=60), CLEAR, 30.0)
    assert [test.value for test in tests] == pytest.approx([1200, 2.5, 45, 0.0, 1e-9])
    shown = [
        "1,200 accounts were tried",
        "2.5 attempts per account",
        "45 days",
        "Nothing is known of the accounts' operating systems.",
        "All of 90 attempts, in a sentence. The tenant's people would make about 30 such failures.",
    ]
    for test, words in zip(tests, shown, strict=True):
        assert words in test.explanation
    tests = spray_tests(cluster(9, 1, 1, 1), CLEAR, 0.0)
    assert tests[0].explanation.startswith("1 account was tried")


def of_systems(*attempts: tuple[str, str]) -> Suspects:
    """Suspects given as (user, operating system)."""
    users, systems = (list(values) for values in zip(*attempts, strict=True))
    nothing = dict.fromkeys(SUSPECT_FAILURES.schema.names, [None] * len(users))
    given = {"user": users, "operatingSystem": systems, "pattern": [0] * len(users)}
    return Suspects.of(pa.Table.from_pydict(nothing | given, SUSPECT_FAILURES.schema))


def test_own_systems_as_calculated_manually() -> None:
    systems = {
        "ann": frozenset({"Windows", "Ios"}),
        "bob": frozenset({"Windows"}),
        "cid": frozenset({"Linux"}),
        "eve": frozenset[str](),
    }
    day = FIRST.date()
    known = {user: KnownAccount(own, day, day) for user, own in systems.items()}
    found = own_systems(
        of_systems(
            # Of the two others, one has Windows, none has Ios, one has Linux.
            *(("ann", "Windows"), ("ann", "Windows"), ("ann", "Ios"), ("cid", "Linux")),
            # Of the two others, both have Windows.
            ("cid", "Windows"),
            # Nothing is known of the system, of the account, or of the account's systems.
            *(("bob", NODATA), ("dan", "Windows"), ("eve", "Windows")),
        ),
        Population(10, 10, known=known),
    )
    # Bob shows no system, so his do not count: of ann's and cid's, the other one's.
    assert found == OwnSystems(pairs=4, own=3, by_chance=0 + 0 + 0 + 1)


@pytest.mark.parametrize(
    ("own", "share"),
    [
        (UNKNOWN_SYSTEMS, 0.0),
        # By chance half of 20: 20 of them are P = 2^-20; (20 - 10) / (20 - 10).
        (OwnSystems(20, 20, 10.0), 1.0),
        (OwnSystems(20, 10, 10.0), 0.0),
        # P(X >= 16) = 0.0059 and P(X >= 17) = 0.0013 are not enough, P(X >= 18) = 0.0002 is.
        (OwnSystems(20, 17, 10.0), 0.0),
        (OwnSystems(20, 18, 10.0), 0.8),
        # A part of a spray may be people's typos.
        (OwnSystems(1_000, 650, 500.0), 0.3),
        # Everybody has the same system, so it tells nothing.
        (OwnSystems(20, 20, 20.0), 0.0),
    ],
    ids=["none", "all", "by chance", "perhaps", "most", "a part", "one system"],
)
def test_share_of_people(own: OwnSystems, share: float) -> None:
    assert own.share_of_people == pytest.approx(share)
    [test] = [
        test
        for test in spray_tests(cluster(300, 120, 55, 60), CLEAR, 0.0, own=own)
        if test.name == "strangers' devices"
    ]
    assert (test.passed, test.value) == (share < 0.5, pytest.approx(share))
    if own.own == 650:
        assert test.explanation == (
            "Of 1,000 pairs of an account and the operating system that is shown, 650 are the "
            "account's own; by chance, about 500 would be."
        )


@pytest.mark.parametrize(
    ("own", "share"),
    [
        (UNKNOWN_SYSTEMS, 1.0),
        (OwnSystems(30, 30, 10.0), 1.0),
        # None of n: the bound b has (1 - b)^n = 0.001; by chance none, a tenth, or more than b.
        (OwnSystems(30, 0, 0.0), (1 - 0.001 ** (1 / 30)) / 0.8),
        (OwnSystems(30, 0, 3.0), (0.9 - 0.001 ** (1 / 30)) / 0.9 / 0.8),
        (OwnSystems(30, 0, 15.0), 0.0),
        (OwnSystems(3, 0, 0.0), 1.0),
        # Nearly everybody has the same system, so it tells nothing.
        (OwnSystems(40, 39, 39.0), 1.0),
    ],
    ids=["unknown", "all", "none", "hardly any", "fewer", "none of 3", "one system"],
)
def test_most_of_people(own: OwnSystems, share: float) -> None:
    assert own.most_of_people == pytest.approx(share)


def test_people_did_not_make_what_shows_strangers_systems() -> None:
    """People would make 120 of such failures in 60 days; of these 100, they made 26 at most."""
    suspect = cluster(100, 90, 50, 60)
    assert not spray_tests(suspect, CLEAR, 120.0)[-1].passed
    last = spray_tests(suspect, CLEAR, 120.0, own=OwnSystems(30, 0, 0.0))[-1]
    assert last.passed
    assert "The tenant's people would make about 26 such failures." in last.explanation


def of_p_value(p_value: float, failed: int) -> list[SprayTest]:
    others = [SprayTest(f"test {i}", i >= failed, 1.0, "") for i in range(3)]
    return [*others, SprayTest("more than stray failures", True, p_value, "")]


@pytest.mark.parametrize(
    ("tests", "expected"),
    [
        # 20 (-e p log p) to one against it; and one in 25 is something else.
        (of_p_value(1e-5, 0), 0.96 / (1 + 20 * math.e * 1e-5 * math.log(1e5))),
        (of_p_value(0.01, 0), 0.96 / (1 + 20 * math.e * 0.01 * math.log(100))),
        # Above 1 / e, the bound is that p decides nothing: twenty to one.
        (of_p_value(1 / math.e, 0), 0.96 / 21),
        (of_p_value(0.9, 0), 0.96 / 21),
        (of_p_value(0.0, 0), 0.96),
        (of_p_value(0.0, 1), 0.48),
        (of_p_value(0.0, 2), 0.24),
    ],
)
def test_confidence_is_what_the_p_value_can_bear(tests: list[SprayTest], expected: float) -> None:
    assert confidence(tests) == pytest.approx(expected)


def judged(*passed: bool) -> list[SprayTest]:
    return [SprayTest(f"test {i}", ok, 1.5, f"Explanation {i}.") for i, ok in enumerate(passed)]


@pytest.mark.parametrize(
    ("tests", "odd", "expected"),
    [
        (
            judged(True, True),
            ["device", "place"],
            (True, "unusual in device, place; passes all tests of a spray"),
        ),
        (
            judged(True, True),
            [],
            (True, "of a new source, else of usual kind; passes all tests of a spray"),
        ),
        (
            judged(False, True, False),
            ["device"],
            (False, "unusual in device; not test 0, not test 2: Explanation 0. Explanation 2."),
        ),
    ],
    ids=["kept", "usual", "pruned"],
)
def test_verdict(tests: list[SprayTest], odd: list[str], expected: tuple[bool, str]) -> None:
    assert verdict(tests, odd) == expected


def variation(feature: str, variability: float | None, top_share: float) -> FeatureVariation:
    return FeatureVariation(
        cluster_id=0,
        feature=feature,
        categories=2,
        entropy=0.1,
        baseline_entropy=1.0,
        variability=variability,
        anomalous_share=1.0,
        top_category=f"a {feature}",
        top_share=top_share,
    )


def test_invariants_are_what_varies_little_or_hardly_at_all_steadiest_first() -> None:
    lines = [
        variation("city", 0.1, 0.8),
        variation("network", 0.11, 0.94),
        variation("browser", 0.9, 0.95),
        variation("state", 0.0, 1.0),
        variation("Location", None, 0.5),
        variation("displayName", None, 1.0),
    ]
    assert invariants(lines) == [
        Invariant("displayName", "a displayName", 1.0),
        Invariant("state", "a state", 1.0),
        Invariant("browser", "a browser", 0.95),
        Invariant("city", "a city", 0.8),
    ]
    assert invariants([]) == []


def test_that_clients_have_a_device_and_no_agent_is_no_invariant() -> None:
    line = variation("agent", 0.0, 1.0)
    assert invariants([line]) == [Invariant("agent", "a agent", 1.0)]
    assert invariants([replace(line, top_category=NODATA)]) == []
