"""What distinguishes a low-and-slow spray from other clusters of odd failures; what it repeats."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from lowslow_assets.detection.members import Suspects
from lowslow_assets.detection.population import Population, system_family
from lowslow_assets.detection.signs import Sign, at_least
from lowslow_assets.detection.statistics import ClusterSize, FeatureVariation
from lowslow_assets.lake.tables import NODATA
from lowslow_assets.settings import Thresholds

DEFAULTS = Thresholds()
# This share of ``min_active_days`` is enough in a span this many times as long: weekends, for
# weeks. If the same sources return, the second share is enough: a burst does not come again.
SPREAD_DAYS, SPREAD_SPAN = 4 / 7, 20 / 7
RETURN_DAYS, RETURN_SPAN = 3 / 7, 15 / 7
LEAST_RETURNING = 0.5
# The three factors of the confidence, measured on 150 tenants of two generators.
STRAYS_ARE_LIKELIER = 20
SOMETHING_ELSE = 0.04
IF_A_TEST_FAILS = 0.5
# So improbable is it at most that attempts meet the systems of the accounts by chance.
MAX_OWN_P_VALUE = 1e-3
MAX_SHARE_OF_PEOPLE = 0.5
# How many failures people make is estimated generously, so less proof is needed for more of them.
MAX_PEOPLE_P_VALUE = 1e-3
# The others are people with a new device.
LEAST_OWN_SHARE = 0.8
# Few people are odd in three properties at once.
ODD_PROPERTIES, VERY_ODD_FACTOR = 3, 0.1

# A feature is an invariant if the campaign varies much less in it than the tenant does, or hardly
# at all.
MAX_INVARIANT_VARIABILITY = 0.1
MIN_INVARIANT_SHARE = 0.95


@dataclass(frozen=True)
class SprayTest:
    """One thing that sprays do and look-alikes do not; ``explanation`` is for an analyst."""

    name: str
    passed: bool
    value: float
    explanation: str


@dataclass(frozen=True)
class Invariant:
    """A feature that a campaign repeats, the repeated value, and its share of the attempts."""

    feature: str
    value: str
    share: float


def honest_strays_a_day(population: Population, odd_properties: int) -> float:
    """How many failures per day the tenant's people may have in a cluster as odd as this."""
    return population.honest_strays_a_day * _oddness_factor(odd_properties)


def honest_strays_among(
    members: Suspects, span_days: int, population: Population, odd_properties: int
) -> float:
    """How many of a group's attempts in ``span_days`` the tenant's people may have made.

    With each family of operating systems, these are as many as people are expected to have in the
    group's time, and at most as many as the group has: people who fail with iOS do not explain
    attempts with Windows.
    """
    factor = span_days * _oddness_factor(odd_properties)
    families = Counter(map(system_family, members.operating_system))
    return sum(
        min(float(attempts), factor * population.by_system.get(family, 0.0))
        for family, attempts in sorted(families.items())
    )


def _oddness_factor(odd_properties: int) -> float:
    return 1.0 if odd_properties < ODD_PROPERTIES else VERY_ODD_FACTOR


@dataclass(frozen=True)
class OwnSystems:
    """How often a group's attempts show an operating system that the account itself uses.

    pairs: distinct accounts with a system, of accounts whose systems are known. own: those with a
    system of the account. by_chance: expected number of them if systems and accounts are unrelated.
    """

    pairs: int = 0
    own: int = 0
    by_chance: float = 0.0

    @property
    def share_of_people(self) -> float:
        """The share of the attempts that the accounts' owners must have made, 0 if it may be none.

        An owner's attempt always shows an own system, and another's as often as by chance.
        """
        # It takes half a second to import, so it is imported when there is a cluster.
        from scipy import stats

        if not self.own or self.by_chance >= self.own:
            return 0.0
        # The variance of a sum of unequal chances is at most that of equal ones (Hoeffding 1956).
        p_value = stats.binom.sf(self.own - 1, self.pairs, self.by_chance / self.pairs)
        if p_value > MAX_OWN_P_VALUE:
            return 0.0
        return (self.own - self.by_chance) / (self.pairs - self.by_chance)

    @property
    def most_of_people(self) -> float:
        """The share of the attempts that the accounts' owners may have made at most.

        At least LEAST_OWN_SHARE of an owner's attempts show an own system, and others' attempts do
        as often as by chance. The share of own systems has the upper bound of Clopper and Pearson
        (The use of confidence or fiducial limits illustrated in the case of the binomial,
        Biometrika 26, 1934).
        """
        from scipy import stats

        if self.own == self.pairs:
            return 1.0
        bound = float(stats.beta.ppf(1 - MAX_OWN_P_VALUE, self.own + 1, self.pairs - self.own))
        chance = min(self.by_chance / self.pairs, bound)
        return min((bound - chance) / (1 - chance) / LEAST_OWN_SHARE, 1.0)


UNKNOWN_SYSTEMS = OwnSystems()


def own_systems(members: Suspects, population: Population) -> OwnSystems:
    """How often the attempts of a group show the operating systems of the accounts that they try.

    An attacker does not know who uses which system. By chance, an attempt shows a system of its
    account as often as of the group's other accounts.
    """
    systems = {user: known.systems for user, known in population.known.items() if known.systems}
    pairs = {
        (user, system)
        for user, system in zip(members.user, members.operating_system, strict=True)
        if system != NODATA and user in systems
    }
    accounts = {user for user, _ in pairs}
    users_of = Counter(system for user in accounts for system in systems[user])
    others = max(len(accounts) - 1, 1)
    own = sum(system in systems[user] for user, system in pairs)
    by_others = sum(users_of[system] - (system in systems[user]) for user, system in pairs)
    return OwnSystems(len(pairs), own, by_others / others)


def spray_tests(
    cluster: ClusterSize,
    signs: Sequence[Sign],
    honest_strays: float,
    thresholds: Thresholds = DEFAULTS,
    own: OwnSystems = UNKNOWN_SYSTEMS,
    returning: float = 0.0,
) -> list[SprayTest]:
    """Judge a cluster by how sprays work: many accounts, few attempts each, a long time.

    ``honest_strays`` are to be expected from the tenant's people. They count whatever signs there
    are, because people have habits too. ``own`` says how many of the attempts show a system
    of the account: people who keep an old password and share a network look like a spray otherwise,
    and where few do, people did not make many of the attempts. ``returning`` is the share of the
    attempts that come from shared prefixes which are used on RETURN_DAYS of ``min_active_days``.
    """
    monthly = cluster.attempts_per_user * 30 / max(cluster.span_days, 30)
    share_of_people = own.share_of_people
    clearest = min(signs, key=lambda sign: sign.p_value)
    of_people = min(honest_strays, own.most_of_people * cluster.failures)
    p_value = clearest.p_value
    if (by_people := at_least(cluster.failures, of_people)) >= MAX_PEOPLE_P_VALUE:
        p_value = max(p_value, by_people)
    return [
        SprayTest(
            "many accounts",
            cluster.users >= thresholds.min_accounts,
            float(cluster.users),
            f"{_accounts(cluster.users)} tried; a forgotten device tries one.",
        ),
        SprayTest(
            "few attempts each",
            monthly <= thresholds.max_attempts_per_account,
            cluster.attempts_per_user,
            f"{cluster.attempts_per_user:.1f} attempts per account; a device or connector with an "
            "old password makes hundreds.",
        ),
        SprayTest(
            "many days",
            _lasts(cluster, thresholds.min_active_days, returning),
            float(cluster.active_days),
            f"Active on {cluster.active_days} days; a brute-force burst or a password-expiry "
            "morning lasts hours.",
        ),
        SprayTest(
            "strangers' devices",
            share_of_people < MAX_SHARE_OF_PEOPLE,
            share_of_people,
            _systems(own),
        ),
        SprayTest(
            "more than stray failures",
            p_value < thresholds.max_p_value,
            p_value,
            f"{clearest.explanation[0].upper()}{clearest.explanation[1:]}. The tenant's people "
            f"would make about {of_people:,.0f} such failures.",
        ),
    ]


def _lasts(cluster: ClusterSize, least_days: int, returning: float) -> bool:
    """Whether attempts come on so many days, or on fewer days that are spread over weeks."""
    days, span = (
        (RETURN_DAYS, RETURN_SPAN) if returning >= LEAST_RETURNING else (SPREAD_DAYS, SPREAD_SPAN)
    )
    return cluster.active_days >= least_days or (
        cluster.active_days >= days * least_days and cluster.span_days >= span * least_days
    )


def confidence(tests: Sequence[SprayTest]) -> float:
    """Confidence, from 0 to 1, that a cluster is a campaign.

    The odds against strays follow from the last test, by the bound of Sellke, Bayarri and Berger
    (Calibration of p values for testing precise null hypotheses, The American Statistician 55,
    2001) on the Bayes factor of its p-value. STRAYS_ARE_LIKELIER times as many clusters are assumed
    to be strays. A cluster that is no set of strays may still be something other than a campaign:
    the probability of that is SOMETHING_ELSE. Each other test that the cluster fails multiplies the
    confidence by IF_A_TEST_FAILS.
    """
    *others, strays = tests
    p_value = min(max(strays.value, 1e-300), 1 / math.e)
    odds = STRAYS_ARE_LIKELIER * -math.e * p_value * math.log(p_value)
    failed = sum(not test.passed for test in others)
    return (1 - SOMETHING_ELSE) * IF_A_TEST_FAILS**failed / (1 + odds)


def _systems(own: OwnSystems) -> str:
    if not own.pairs:
        return "Nothing is known of the accounts' operating systems."
    return (
        f"Of {own.pairs:,} pairs of an account and the operating system that is shown, {own.own:,} "
        f"are the account's own; by chance, about {own.by_chance:,.0f} would be."
    )


def _accounts(number: int) -> str:
    return "1 account was" if number == 1 else f"{number:,} accounts were"


def verdict(tests: Sequence[SprayTest], odd: Sequence[str]) -> tuple[bool, str]:
    """Whether a cluster is a candidate, and why, in one sentence."""
    failed = [test for test in tests if not test.passed]
    unusual = f"unusual in {', '.join(odd)}" if odd else "of a new source, else of usual kind"
    if failed:
        return False, f"{unusual}; not {', not '.join(test.name for test in failed)}: " + " ".join(
            test.explanation for test in failed
        )
    return True, f"{unusual}; passes all tests of a spray"


def invariants(variation: Iterable[FeatureVariation]) -> list[Invariant]:
    """The campaign's fingerprint: the values that it repeats, the steadiest first.

    That there is no agent is none of them: clients with a device have none.
    """
    found = [
        Invariant(line.feature, line.top_category, line.top_share)
        for line in variation
        if (line.feature, line.top_category) != ("agent", NODATA)
        and (
            line.top_share >= MIN_INVARIANT_SHARE
            or (line.variability is not None and line.variability <= MAX_INVARIANT_VARIABILITY)
        )
    ]
    return sorted(found, key=lambda invariant: (-invariant.share, invariant.feature))
