"""The judgement of a hunt: which of the window's failures belong to a campaign.

The judgement is implemented only here. The assets, the detection limit and the benchmarks call it
with plain inputs: this module uses no orchestrator, no lake and no engine. In order:

1. ``fit_patterns`` fits the mixture to the failures, counted by pattern.
2. ``judge_suspects`` takes the attempts of one user from one prefix as one visit, and assigns each
   visit to its component. In each component it finds groups by their habits, one after the other,
   and tests each of them. ``judge_patterns`` judges as the notebook does, by rules on components.
3. A kept cluster that bears the marks of a larger one joins it.
4. The result says whether each cluster is kept and why, with tests and confidence. It is stored in
   ``pruned_clusters`` and read from there.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from lowslow_assets.detection.gathering import LEAST_SHARE, marks_of
from lowslow_assets.detection.masks import mask_bits
from lowslow_assets.detection.members import (
    MIN_MEMBER_PROBABILITY,
    Suspects,
    first_of_visits,
    member_probability,
    returns,
    shares_prefix,
)
from lowslow_assets.detection.patterns import MODEL_PROPERTIES
from lowslow_assets.detection.population import Population
from lowslow_assets.detection.pruning import Assignment, Cluster, assign, prune
from lowslow_assets.detection.signs import (
    BEGINNING_AND_END,
    DAYS_OFF,
    HOURS_OF_THE_DAY,
    MIN_ATTEMPTS,
    Sign,
    lasting_signs,
    signs_of_members,
    signs_of_size,
)
from lowslow_assets.detection.spray_tests import (
    RETURN_DAYS,
    OwnSystems,
    SprayTest,
    confidence,
    honest_strays_a_day,
    honest_strays_among,
    own_systems,
    spray_tests,
    verdict,
)
from lowslow_assets.detection.statistics import ClusterSize, size_of
from lowslow_assets.detection.two_campaigns import first_of_two
from lowslow_assets.hunting.settings import HuntSettings
from lowslow_assets.settings import Thresholds

if TYPE_CHECKING:
    from lowslow_assets.detection.mixture import FitTrace, MixtureFit

_LEAST_ODD_SHARE = 0.5
# If less of a kept group was left out, this would be the campaign's as often as noise.
_LEAST_NOISE = 0.1
# A campaign may have taken strays if this share of its attempts come from prefixes like theirs.
_LEAST_TAKEN = 0.1


@dataclass(frozen=True)
class Recipe:
    """The steps from a component's visits to a verdict; benchmarks leave single steps out.

    ``membership`` gives each visit its probability of belonging to the campaign among the visits.
    ``tests`` takes a group's size, its signs, how many of its attempts people may have made, the
    thresholds, how often its attempts show the accounts' own systems, and how many of them come
    from sources that return.
    """

    membership: Callable[[Suspects, Population], np.ndarray] = member_probability
    tests: Callable[
        [ClusterSize, Sequence[Sign], float, Thresholds, OwnSystems, float], list[SprayTest]
    ] = spray_tests


RECIPE = Recipe()
"""The recipe of a hunt."""


@dataclass(frozen=True, eq=False)
class Members:
    """Suspects that belong to a cluster, kept or not; arrays of shape (m,).

    ``position`` is a member's position among the suspects.
    """

    position: np.ndarray
    cluster_id: np.ndarray
    probability: np.ndarray

    def of(self, cluster_ids: Sequence[int]) -> "Members":
        """The members of some clusters."""
        chosen = np.isin(self.cluster_id, cluster_ids)
        return Members(self.position[chosen], self.cluster_id[chosen], self.probability[chosen])


def fit_patterns(
    failures: Mapping[int, int], features: int, settings: HuntSettings
) -> tuple["MixtureFit", "FitTrace"]:
    """Fit the mixture to the number of failures per pattern.

    Raises ValueError if there is no failure.
    """
    # SciPy takes half a second to import, so it is imported when there is something to fit.
    from lowslow_assets.detection.mixture import fit_by_births, fit_by_restarts

    # The order is that of the patterns, because sums in another order differ in their last digits.
    patterns = sorted(failures)
    bits = mask_bits(patterns, features)
    counts = np.array([failures[pattern] for pattern in patterns])
    if settings.of_notebook:
        s = settings
        return fit_by_restarts(bits, counts, s.components, s.restarts, s.seed)
    return fit_by_births(bits, counts)


def judge_suspects(
    suspects: Suspects,
    fit: "MixtureFit",
    population: Population,
    settings: HuntSettings,
    recipe: Recipe = RECIPE,
) -> tuple[list[Cluster], Members]:
    """Every cluster of the suspects with its verdict, in the order of ``cluster_id``; the members.

    ``fit`` is the fit of the suspects' patterns. The first cluster of a component has its number;
    each further one has the number of the one before it plus the number of components.

    A visit is judged by its first attempt. All of its attempts are members of its cluster, with the
    first one's probability.
    """
    first = first_of_visits(suspects)
    component, by_pattern = _components(suspects.pattern, fit, settings)
    component[first != np.arange(len(first))] = -1
    search = _Search(suspects, by_pattern, population, settings, recipe)
    clusters = list[Cluster]()
    found = [(np.array([], int), np.array([], int), np.array([], float))]
    for k in map(int, np.unique(component[component >= 0])):
        visits = np.flatnonzero(component == k)
        # In a fixed order, because sums in another order differ in their last digits.
        visits = visits[np.argsort(suspects.signin_id[visits], kind="stable")]
        numbers = count(k, len(fit.weights))
        for cluster_id, group in zip(numbers, search.groups(visits), strict=False):
            attempts = np.flatnonzero(np.isin(first, group.visits))
            probability = np.zeros(len(first))
            probability[group.visits] = group.probability
            found.append(
                (attempts, np.full(len(attempts), cluster_id), probability[first[attempts]])
            )
            size = size_of(cluster_id, suspects.at(attempts))
            clusters.append(
                Cluster(
                    cluster_id=cluster_id,
                    component=k,
                    weight=float(fit.weights[k]),
                    anomalous_features=group.odd,
                    failures=size.failures,
                    attempts_per_day=size.attempts_per_day,
                    kept=group.kept,
                    reason=group.reason,
                    tests=group.tests,
                    confidence=confidence(group.tests),
                )
            )
    members = Members(*map(np.concatenate, zip(*found, strict=True)))
    clusters, members = _joined(clusters, members, suspects)
    return sorted(clusters, key=lambda cluster: cluster.cluster_id), members


def _joined(
    clusters: list[Cluster], members: Members, suspects: Suspects
) -> tuple[list[Cluster], Members]:
    """The clusters, of which the kept ones with the marks of a larger one have joined it.

    A cluster that has joined another keeps its tests, but has no members.
    """
    cluster_id = members.cluster_id.copy()
    found = dict[int, Cluster]()
    for cluster in sorted(clusters, key=lambda cluster: (-cluster.failures, cluster.cluster_id)):
        own = suspects.at(members.of([cluster.cluster_id]).position)
        larger = [other.cluster_id for other in found.values() if cluster.kept and other.kept]
        marks = ((c, marks_of(suspects.at(members.position[cluster_id == c]))) for c in larger)
        campaign = next((c for c, of_c in marks if of_c.on(own).mean() >= LEAST_SHARE), None)
        found[cluster.cluster_id] = cluster
        if campaign is None:
            continue
        cluster_id[members.cluster_id == cluster.cluster_id] = campaign
        size = size_of(campaign, suspects.at(members.position[cluster_id == campaign]))
        found[campaign] = replace(
            found[campaign], failures=size.failures, attempts_per_day=size.attempts_per_day
        )
        reason = (
            f"its {cluster.failures:,} failures count for cluster {campaign}: at least half of "
            "them come from its sources or show its tool"
        )
        found[cluster.cluster_id] = replace(
            cluster, kept=False, reason=reason, failures=0, attempts_per_day=0.0
        )
    return list(found.values()), replace(members, cluster_id=cluster_id)


@dataclass(frozen=True, eq=False)
class _Group:
    """Visits that belong to each other, and the verdict on them.

    ``visits`` are the positions of the visits' first attempts among the suspects; ``probability``
    is each visit's probability of belonging to the group. ``odd`` are the properties in which the
    group is anomalous.
    """

    visits: np.ndarray
    probability: np.ndarray
    odd: list[str]
    tests: list[SprayTest]
    kept: bool
    reason: str


@dataclass(frozen=True, eq=False)
class _Search:
    """The search for groups among the visits of a component.

    ``by_pattern`` is the probability of each suspect's component.
    """

    suspects: Suspects
    by_pattern: np.ndarray
    population: Population
    settings: HuntSettings
    recipe: Recipe

    def groups(self, component: np.ndarray) -> Iterator[_Group]:
        """The groups of a component's visits (their positions), found one after the other.

        The visits beside a group may hide another campaign, so they are searched as well.
        """
        unsearched = [(component, component, frozenset[int]())]
        while unsearched:
            visits, among, taken = unsearched.pop()
            group = self._group(visits, among, taken)
            if group and group.kept:
                group = self._without_noise(group, among, taken)
            if not group:
                continue
            beside = _beside(visits, group)
            if _may_hide_a_campaign(beside):
                unsearched.append((beside, beside, taken | self._days_of(group)))
            if _may_be_divided(group, beside):
                unsearched.append((group.visits, among, taken))
            elif group.kept:
                yield from self._apart(group, among, taken)
            else:
                yield group

    def _group(self, visits: np.ndarray, among: np.ndarray, taken: frozenset[int]) -> _Group | None:
        """The visits that belong to each other, tested; None if there are none."""
        membership = self.recipe.membership(self.suspects.at(visits), self.population)
        probability = self.by_pattern[visits] * membership
        belongs = probability >= self.settings.pruning.min_assignment_probability
        belongs &= membership >= MIN_MEMBER_PROBABILITY
        if not belongs.any():
            return None
        return self._tested(visits[belongs], probability[belongs], among, taken)

    def _without_noise(self, group: _Group, among: np.ndarray, taken: frozenset[int]) -> _Group:
        """A kept group, or the part of it that is the campaign if the rest is noise.

        A component may hold several kinds of noise, and the group was separated from one of them
        only. If the rest is a campaign as well, both may be one that has changed, so they stay
        together.
        """
        while (part := self._group(group.visits, among, taken)) and part.kept:
            rest = _beside(group.visits, part)
            if len(rest) < _LEAST_NOISE * len(group.visits):
                break
            others = self._tested(rest, self.by_pattern[rest], among, taken | self._days_of(part))
            if others.kept:
                break
            group = part
        return group

    def _apart(self, group: _Group, among: np.ndarray, taken: frozenset[int]) -> Iterator[_Group]:
        """The campaigns of a kept group: mostly one, else each would be kept without the others.

        Parts that would join again, because they show one tool, are one campaign.
        """
        first = first_of_two(self.suspects.at(group.visits), self.population)
        if first.all():
            yield group
            return
        one, other = (
            self._tested(group.visits[chosen], group.probability[chosen], among, taken)
            for chosen in (first, ~first)
        )
        if not (one.kept and other.kept) or self._join(one, other):
            yield group
            return
        for part in (one, other):
            yield from self._apart(part, among, taken)

    def _join(self, one: _Group, other: _Group) -> bool:
        """Whether one of two groups bears the marks of the other."""
        of_one, of_other = (self.suspects.at(group.visits) for group in (one, other))
        pairs = ((of_one, of_other), (of_other, of_one))
        return any(marks_of(own).on(others).mean() >= LEAST_SHARE for own, others in pairs)

    def _tested(
        self,
        own: np.ndarray,
        probability: np.ndarray,
        among: np.ndarray,
        taken: frozenset[int],
    ) -> _Group:
        """The visits ``own`` as a group with its verdict; it was chosen from ``among``."""
        odd, tests = _tests(
            *(self.suspects.at(own), self.suspects.at(among), taken),
            *(self.population, self.settings.thresholds, self.recipe),
        )
        return _Group(own, probability, odd, tests, *verdict(tests, odd))

    def _days_of(self, group: _Group) -> frozenset[int]:
        """The days (since 1970) on which a kept group may have taken strays for its own.

        They are those from its first attempt to its last one, but none if nearly all attempts come
        from prefixes that try several accounts, because strays do not. (They may show its tool.)
        """
        own = self.suspects.at(group.visits)
        if not group.kept or shares_prefix(own).mean() > 1 - _LEAST_TAKEN:
            return frozenset()
        days = own.day.astype(np.int64)
        return frozenset(range(days.min(), days.max() + 1))


def _beside(visits: np.ndarray, group: _Group) -> np.ndarray:
    """The visits that do not belong to a group."""
    return visits[~np.isin(visits, group.visits)]


def _may_hide_a_campaign(beside: np.ndarray) -> bool:
    """Whether the visits beside a group are enough for another one."""
    return len(beside) >= MIN_ATTEMPTS


def _may_be_divided(group: _Group, beside: np.ndarray) -> bool:
    """Whether a group that is not kept may still hide a campaign.

    A group that is all of the visits that were searched cannot be divided further.
    """
    return not group.kept and len(beside) > 0 and len(group.visits) >= MIN_ATTEMPTS


def _tests(
    own: Suspects,
    among: Suspects,
    taken: frozenset[int],
    population: Population,
    thresholds: Thresholds,
    recipe: Recipe,
) -> tuple[list[str], list[SprayTest]]:
    """The properties in which a group is odd, and its tests; it was chosen from ``among``.

    ``taken`` are the days of campaigns that have left these over: those took the strays that look
    like them.
    """
    shares = own.odd.mean(axis=0)
    odd = [
        p for p, share in zip(MODEL_PROPERTIES, shares, strict=True) if share >= _LEAST_ODD_SHARE
    ]
    honest = honest_strays_a_day(population, len(odd))
    # They have usual clients, and want what the tenant's people use.
    outsiders = not {"application", "client"} & {*odd}
    signs = lasting_signs(
        lambda visits, left_out: [
            *signs_of_size(size_of(0, visits), honest, thresholds.noise_a_day),
            *signs_of_members(visits, among, population, left_out, taken, outsiders),
        ],
        own,
    )
    # People have such habits too, also in a network that the tenant hardly has; and what a campaign
    # leaves over is what comes at other hours.
    like_people = {*odd} <= {"network"}
    if like_people:
        signs = [sign for sign in signs if sign.name != BEGINNING_AND_END]
    if taken or like_people:
        signs = [sign for sign in signs if sign.name not in (HOURS_OF_THE_DAY, DAYS_OFF)]
    size = size_of(0, own)
    strays = honest_strays_among(own, size.span_days, population, len(odd))
    systems = own_systems(own, population)
    returning = float(returns(own, RETURN_DAYS * thresholds.min_active_days).mean())
    return odd, recipe.tests(size, signs, strays, thresholds, systems, returning)


def _components(
    patterns: np.ndarray, fit: "MixtureFit", settings: HuntSettings
) -> tuple[np.ndarray, np.ndarray]:
    """The component of each suspect, -1 if none is clearly the most probable; its probability."""
    values, position = np.unique(patterns, return_inverse=True)
    distinct = values.tolist()
    assigned = assign(fit, distinct, mask_bits(distinct, len(fit.alpha)), settings.pruning)
    of_pattern = {a.mask: (a.cluster_id, a.probability) for a in assigned}
    found = np.array([of_pattern.get(pattern, (-1, 0.0)) for pattern in distinct]).reshape(-1, 2)
    return found[position, 0].astype(int), found[position, 1]


def judge_patterns(
    failures: Mapping[int, int], fit: "MixtureFit", features: Sequence[str], settings: HuntSettings
) -> tuple[list[Cluster], list[Assignment]]:
    """The notebook's judgement: every component by its rules, and the patterns of each component.

    ``failures`` are counts by pattern, and the pattern's bits are ``features``. No cluster is
    tested yet.
    """
    patterns = sorted(failures)
    bits = mask_bits(patterns, len(features))
    assignments = assign(fit, patterns, bits, settings.pruning)
    members = Counter[int]()
    for assignment in assignments:
        members[assignment.cluster_id] += failures[assignment.mask]
    clusters = prune(fit, features, members, settings.lookback_days, settings.pruning)
    return clusters, assignments


def with_tests(
    clusters: Iterable[Cluster], sizes: Iterable[ClusterSize], thresholds: Thresholds
) -> list[Cluster]:
    """The clusters with spray tests and confidence, for those whose sizes are given.

    The notebook has no such tests. They do not decide here: they show the analyst how far to trust
    a cluster of the notebook.
    """
    of_cluster = {size.cluster_id: size for size in sizes}

    def tested(cluster: Cluster) -> Cluster:
        if not (size := of_cluster.get(cluster.cluster_id)):
            return cluster
        signs = [*signs_of_size(size, 0.0, thresholds.noise_a_day)]
        tests = spray_tests(size, signs, 0.0, thresholds)
        return replace(cluster, tests=tests, confidence=confidence(tests))

    return [tested(cluster) for cluster in clusters]
