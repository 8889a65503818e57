"""Conditions that single a campaign out: what it repeats, and what of the tenant's it never shows.

A condition is a few terms that all hold. A term says of one feature that it is one of some
values, or none of them: an attacker has few applications to try, and an address nobody works from.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import NamedTuple

import numpy as np
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from lowslow_assets.signins.features import FEATURES, NODATA, OTHER

# What a reader still reads, and a rule's text has room for.
MAX_VALUES, MAX_VALUE_LENGTH, MAX_LIST_LENGTH = 50, 128, 2000
MAX_TERMS = 4

MIN_TERM_SHARE, MIN_CAMPAIGN_SHARE = 0.95, 0.9
# What is rarer in a campaign is no habit of it, maybe a stray's; what is rarer in the tenant not
# usual there, maybe an intruder's.
MIN_VALUE_SHARE, MIN_USUAL_SUCCESSES = 0.005, 10
# A term that most legitimate sign-ins meet is not worth a line.
MAX_TERM_LEGITIMATE_SHARE = 0.5
# One more term must spare a fifth of those hit besides, and one in two thousand of all.
MAX_EXCESS, SLACK = 1.25, 0.0005


@dataclass(frozen=True)
class Term:
    """The feature's category is one of ``values``, or none of them."""

    feature: str
    values: tuple[str, ...]
    negated: bool = False

    @property
    def systems(self) -> list[str]:
        """Of a network's values the autonomous systems, as AS64500."""
        return [value for value in self.values if value.startswith("AS")]

    @property
    def prefixes(self) -> list[str]:
        """Of a network's values the address prefixes, as 203.0.113 or 2001:db8:1::/48."""
        return [value for value in self.values if not value.startswith("AS")]

    def holds(self) -> Column:
        """Whether a row of ``encoded_features`` meets it."""
        if self.feature == "network":
            # A rule looks at addresses, whether or not the log knows their system.
            of_prefix = F.coalesce(F.col("ip_prefix").isin(self.prefixes), F.lit(False))
            among = F.col("network").isin(self.systems) | of_prefix
        else:
            among = F.col(self.feature).isin(*self.values)
        return ~among if self.negated else among


class ValueCount(NamedTuple):
    """A category, and how often the campaign's attempts and the window's successes show it."""

    feature: str
    category: str
    attempts: int
    successes: int


def common_values(members: DataFrame, window_counts: DataFrame) -> DataFrame:
    """The values that each campaign, and the tenant, shows most.

    ``members`` are failures with their ``incident_id`` and features. Returns rows (incident_id,
    feature, category, attempts, successes), at most 2 x MAX_VALUES an incident and feature.
    """
    pairs = F.array(
        *(F.struct(F.lit(f).alias("feature"), F.col(f).alias("category")) for f in FEATURES)
    )
    key = ["feature", "category"]
    # Nobody writes a rule for a network that the log does not give.
    usable = (F.length("category") <= MAX_VALUE_LENGTH) & ~(
        (F.col("feature") == "network") & (F.col("category") == NODATA)
    )
    shown = (
        members.select("incident_id", F.explode(pairs).alias("pair"))
        .groupBy("incident_id", "pair.feature", "pair.category")
        .agg(F.count(F.lit(1)).alias("attempts"))
        .where(usable)
    )
    successes = window_counts.select(*key, "successes").where(usable)
    of_campaigns = _most(shown, "attempts", "incident_id", "feature").join(successes, key, "left")
    of_tenant = (
        _most(successes, "successes", "feature")
        .crossJoin(shown.select("incident_id").distinct())
        .join(shown, ["incident_id", *key], "left")
    )
    both = of_campaigns.unionByName(of_tenant).fillna(0).distinct()
    return both.select("incident_id", *ValueCount._fields)


def _most(counts: DataFrame, count: str, *group: str) -> DataFrame:
    """The MAX_VALUES greatest counts of each group."""
    order = Window.partitionBy(*group).orderBy(F.desc(count), "category")
    ranked = counts.withColumn("rank", F.row_number().over(order))
    return ranked.where(F.col("rank") <= MAX_VALUES).drop("rank")


def candidate_terms(values: Iterable[ValueCount], attempts: int, successes: int) -> list[Term]:
    """Terms that nearly all of a campaign meets, and at most half of the successes.

    ``values`` are the campaign's and the tenant's most common ones; ``attempts`` and
    ``successes`` the totals of which they are counts.
    """
    by_feature: dict[str, list[ValueCount]] = {}
    for value in sorted(values):
        by_feature.setdefault(value.feature, []).append(value)
    found = []
    for feature, counted in by_feature.items():
        own = [v for v in counted if v.attempts * successes > v.successes * attempts]
        usual = [v for v in counted if v.attempts * successes < v.successes * attempts]
        found += _one_of(feature, own, attempts, successes)
        found += _none_of(feature, usual, attempts, successes)
    return found


def _one_of(feature: str, own: list[ValueCount], attempts: int, successes: int) -> Iterable[Term]:
    """The most telling values that together hold enough of the campaign."""
    chosen: list[ValueCount] = []
    habits = [value for value in own if value.attempts >= MIN_VALUE_SHARE * attempts]
    # One success more: a value that none shows is not infinitely telling.
    for value in sorted(habits, key=lambda v: -v.attempts / (v.successes + 1)):
        chosen.append(value)
        if sum(v.attempts for v in chosen) >= MIN_TERM_SHARE * attempts:
            break
    else:
        return
    legitimate = sum(v.successes for v in chosen)
    if _fits(chosen) and legitimate <= MAX_TERM_LEGITIMATE_SHARE * successes:
        yield Term(feature, _values(chosen))


def _none_of(
    feature: str, usual: list[ValueCount], attempts: int, successes: int
) -> Iterable[Term]:
    """The tenant's own values, as long as they cost little of the campaign."""
    chosen: list[ValueCount] = []
    common = [value for value in usual if value.successes >= MIN_USUAL_SUCCESSES]
    for value in sorted(common, key=lambda v: (v.attempts + 1) / v.successes):
        more = [*chosen, value]
        if sum(v.attempts for v in more) > (1 - MIN_TERM_SHARE) * attempts or not _fits(more):
            break
        chosen = more
    others = successes - sum(v.successes for v in chosen)
    if chosen and others <= MAX_TERM_LEGITIMATE_SHARE * successes:
        yield Term(feature, _values(chosen), negated=True)


def _fits(chosen: Sequence[ValueCount]) -> bool:
    length = sum(len(value.category) for value in chosen)
    return len(chosen) <= MAX_VALUES and length <= MAX_LIST_LENGTH


def _values(chosen: Sequence[ValueCount]) -> tuple[str, ...]:
    """Most common first, for the reader."""
    order = sorted(chosen, key=lambda v: (-v.attempts - v.successes, v.category))
    return tuple(value.category for value in order)


def count_patterns(signins: DataFrame, terms: Sequence[Sequence[Term]], *by: str) -> DataFrame:
    """How many sign-ins meet which of each campaign's terms, in one pass.

    Bit i of a pattern is set where the campaign's i-th term holds. Returns rows (*by, campaign,
    pattern, signins), at most 2^terms a campaign and group; ``campaign`` is a place in ``terms``.
    """
    patterns = [
        F.struct(
            F.lit(number).alias("campaign"),
            sum((t.holds().cast("int") * (1 << i) for i, t in enumerate(own)), F.lit(0)).alias(
                "pattern"
            ),
        )
        for number, own in enumerate(terms)
    ]
    return (
        signins.where(F.col("outcome") != OTHER)
        .select(*by, F.explode(F.array(*patterns)).alias("met"))
        .groupBy(*by, "met.campaign", "met.pattern")
        .agg(F.count(F.lit(1)).alias("signins"))
    )


class Hits(NamedTuple):
    """What a condition hits: of the campaign attempts and entries, of others the rest."""

    attempts: int
    entries: int
    legitimate: int
    other_failures: int


@dataclass(frozen=True)
class Condition:
    """Terms that all hold, and what they hit."""

    terms: tuple[Term, ...]
    hits: Hits


def conditions(
    terms: Sequence[Term], patterns: np.ndarray, counts: np.ndarray, attempts: int
) -> list[Condition]:
    """All conditions of up to MAX_TERMS terms that keep enough of a campaign's attempts.

    ``patterns`` are of shape (P,), ``counts`` of shape (P, 4), in the order of Hits.
    """
    numbers = range(len(terms))
    found = []
    for chosen in chain.from_iterable(combinations(numbers, k + 1) for k in range(MAX_TERMS)):
        wanted = sum(1 << i for i in chosen)
        hits = Hits(*map(int, counts[(patterns & wanted) == wanted].sum(axis=0)))
        if hits.attempts >= MIN_CAMPAIGN_SHARE * attempts:
            found.append(Condition(tuple(terms[i] for i in chosen), hits))
    return found


def for_attempts(found: Sequence[Condition], others: int) -> Condition | None:
    """The one to look for attempts with: the simplest that hits few sign-ins of others.

    Few: at most MAX_EXCESS times the fewest of any, and SLACK of all ``others``' sign-ins.
    """

    def bystanders(condition: Condition) -> int:
        return condition.hits.legitimate + condition.hits.other_failures

    least = min(map(bystanders, found), default=0)
    good = [c for c in found if bystanders(c) <= MAX_EXCESS * least + SLACK * others]
    return min(good, key=lambda c: (len(c.terms), bystanders(c)), default=None)


def for_entries(found: Sequence[Condition], legitimate: int) -> Condition | None:
    """The one to look for successes with: it hits few legitimate ones, and most known entries."""
    least = min((c.hits.legitimate for c in found), default=0)
    good = [c for c in found if c.hits.legitimate <= MAX_EXCESS * least + SLACK * legitimate]
    return min(good, key=lambda c: (-c.hits.entries, len(c.terms), c.hits.legitimate), default=None)
