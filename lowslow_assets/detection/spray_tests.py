"""What tells a low-and-slow spray from other clusters of odd failures, and what it repeats."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from lowslow_assets.detection.statistics import ClusterSize, FeatureVariation

MIN_USERS = 10
MAX_ATTEMPTS_PER_USER_AND_MONTH = 15.0
MAX_ATTEMPTS_PER_ADDRESS = 2.0
MIN_ACTIVE_DAYS = 7

# Stray failures look like attempts of a spray, one by one: noise of the internet, and people
# who mistype in odd places and give up. The first are about one a day; with a tenant's size,
# told by its resolved typos, grow both. Few people are odd in three properties at once.
STRAYS_A_DAY, STRAYS_A_RESOLVED_TYPO = 1.0, 0.005
ODD_PROPERTIES, LESS_ODD_FACTOR = 3, 2.5
# A hunt is made every day, so the bars are high.
MAX_VOLUME_P_VALUE, MAX_STEADINESS_P_VALUE = 1e-4, 1e-3
MIN_STEADY_SPAN_DAYS = 20
# With more attempts a day than this on average, no day is left out anyway.
_ALL_BUT_SURE = 20

# A feature is an invariant where the campaign varies much less than the tenant does,
# or hardly at all.
MAX_INVARIANT_VARIABILITY = 0.1
MIN_INVARIANT_SHARE = 0.95


@dataclass(frozen=True)
class SprayTest:
    """One thing sprays do and look-alikes don't; ``explanation`` is for an analyst."""

    name: str
    passed: bool
    value: float
    explanation: str


@dataclass(frozen=True)
class Invariant:
    """A feature that a campaign repeats, the value it repeats, and in which share of attempts."""

    feature: str
    value: str
    share: float


def strays_a_day(resolved_typos_a_day: float, odd_properties: int) -> float:
    """How many stray failures a day the tenant may have in a cluster as odd as this."""
    strays = max(STRAYS_A_DAY, STRAYS_A_RESOLVED_TYPO * resolved_typos_a_day)
    return strays if odd_properties >= ODD_PROPERTIES else strays * LESS_ODD_FACTOR


def spray_tests(cluster: ClusterSize, strays: float) -> list[SprayTest]:
    """Judge a cluster by how sprays work: many accounts, few tries, fresh addresses, for long.

    ``strays`` a day are expected without any spray.
    """
    monthly = cluster.attempts_per_user * 30 / max(cluster.span_days, 30)
    volume, steadiness = _volume_p_value(cluster, strays), _steadiness_p_value(cluster)
    return [
        SprayTest(
            "many accounts",
            cluster.users >= MIN_USERS,
            float(cluster.users),
            f"{_accounts(cluster.users)} tried; a forgotten device tries one.",
        ),
        SprayTest(
            "few tries each",
            monthly <= MAX_ATTEMPTS_PER_USER_AND_MONTH,
            cluster.attempts_per_user,
            f"{cluster.attempts_per_user:.1f} attempts an account; a device or connector with an "
            "old password makes hundreds.",
        ),
        SprayTest(
            "fresh addresses",
            cluster.attempts_per_address <= MAX_ATTEMPTS_PER_ADDRESS,
            cluster.attempts_per_address,
            f"{cluster.attempts_per_address:.1f} attempts an address; people and services come "
            "back from the same one.",
        ),
        SprayTest(
            "goes on for days",
            cluster.active_days >= MIN_ACTIVE_DAYS,
            float(cluster.active_days),
            f"Active on {cluster.active_days} days; a brute-force burst or a password-expiry "
            "morning lasts hours.",
        ),
        SprayTest(
            "more than stray failures",
            volume < MAX_VOLUME_P_VALUE or steadiness < MAX_STEADINESS_P_VALUE,
            min(volume, steadiness),
            f"{cluster.failures:,} attempts on {cluster.active_days} of {cluster.span_days} days; "
            f"strays, at most {strays:.1f} a day, would be about "
            f"{strays * cluster.span_days:,.0f}, "
            f"and so many scattered at random would leave out {_idle_days(cluster):.0f} days.",
        ),
    ]


def confidence(cluster: ClusterSize, strays: float, tests: Sequence[SprayTest]) -> float:
    """The share of the cluster, 0 to 1, that stray failures do not explain.

    Of its attempts; where their number alone would not raise suspicion, of the days that
    scattered ones would leave out. Less by the share of its spray tests that it fails.
    """
    if _volume_p_value(cluster, strays) < MAX_VOLUME_P_VALUE:
        explained = strays * cluster.span_days / cluster.failures
    else:
        explained = (cluster.span_days - cluster.active_days) / max(_idle_days(cluster), 1e-9)
    return max(0.0, 1 - explained) * sum(test.passed for test in tests) / len(tests)


def _volume_p_value(cluster: ClusterSize, strays: float) -> float:
    """How probable it is for strays to be so many (Poisson)."""
    # Takes half a second to import: not before there is a cluster.
    from scipy.special import pdtrc

    return float(pdtrc(cluster.failures - 1, strays * cluster.span_days))


def _steadiness_p_value(cluster: ClusterSize) -> float:
    """How probable it is for so many strays to leave out so few days."""
    if cluster.span_days < MIN_STEADY_SPAN_DAYS:
        return 1.0
    return occupancy_p_value(cluster.failures, cluster.span_days, cluster.active_days)


def occupancy_p_value(events: int, days: int, active: int) -> float:
    """Probability that events scattered over days at random fall on at least so many of them.

    The classical occupancy distribution (Feller, An Introduction to Probability Theory and Its
    Applications I, section IV.2), by adding one event after the other. It needs no assumption on
    how many strays there are.
    """
    occupied = np.zeros(days + 1)
    occupied[0] = 1.0
    again = np.arange(days + 1) / days
    for _ in range(min(events, _ALL_BUT_SURE * days)):
        occupied[1:] = occupied[1:] * again[1:] + occupied[:-1] * (1 - again[:-1])
        occupied[0] = 0.0
    return float(min(occupied[active:].sum(), 1.0))


def _idle_days(cluster: ClusterSize) -> float:
    """Days without an attempt to be expected if the attempts were scattered at random."""
    return cluster.span_days * (1 - 1 / cluster.span_days) ** cluster.failures


def _accounts(number: int) -> str:
    return "1 account was" if number == 1 else f"{number:,} accounts were"


def verdict(tests: Sequence[SprayTest], odd: Sequence[str]) -> tuple[bool, str]:
    """Whether a cluster is a candidate, and why, in a sentence."""
    failed = [test for test in tests if not test.passed]
    unusual = f"unusual in {', '.join(odd)}" if odd else "of a new source, else of usual kind"
    if failed:
        return False, f"{unusual}; not {', not '.join(test.name for test in failed)}: " + " ".join(
            test.explanation for test in failed
        )
    return True, f"{unusual}; passes all tests of a spray"


def invariants(variation: Iterable[FeatureVariation]) -> list[Invariant]:
    """What the campaign cannot help repeating, steadiest first: its fingerprint."""
    found = [
        Invariant(line.feature, line.top_category, line.top_share)
        for line in variation
        if line.top_share >= MIN_INVARIANT_SHARE
        or (line.variability is not None and line.variability <= MAX_INVARIANT_VARIABILITY)
    ]
    return sorted(found, key=lambda invariant: (-invariant.share, invariant.feature))
