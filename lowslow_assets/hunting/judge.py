"""The judgement of a hunt: which of the window's failures belong to a campaign.

The judgement is implemented only here. The assets, the detection limit and the benchmarks call it
with plain inputs: this module uses no orchestrator, no lake and no engine. In order:

1. ``fit_patterns`` fits the mixture to the failures, counted by pattern.
2. ``judge_suspects`` assigns each suspect to its component, finds the component's campaigns by
   their habits and tests each of them. ``judge_patterns`` judges as the notebook does, by rules on
   components.
3. The result says whether each cluster is kept and why, with tests and confidence. It is stored in
   ``pruned_clusters`` and read from there.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import TYPE_CHECKING

import numpy as np

from lowslow_assets.detection.masks import mask_bits
from lowslow_assets.detection.members import (
    MIN_MEMBER_PROBABILITY,
    Population,
    Suspects,
    first_of_visits,
    member_probability,
)
from lowslow_assets.detection.patterns import MODEL_PROPERTIES
from lowslow_assets.detection.pruning import Assignment, Cluster, assign, prune
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
    spray_tests,
    verdict,
)
from lowslow_assets.detection.statistics import ClusterSize, size_of
from lowslow_assets.hunting.settings import HuntSettings
from lowslow_assets.settings import Thresholds

if TYPE_CHECKING:
    from lowslow_assets.detection.mixture import FitTrace, MixtureFit

_LEAST_ODD_SHARE = 0.5


@dataclass(frozen=True)
class Recipe:
    """The steps from a component's suspects to a verdict; benchmarks leave single steps out.

    ``membership`` gives each suspect of a group its probability of belonging to the group's
    campaign. ``tests`` takes a cluster's size, its signs, the strays that people make per day, and
    the thresholds.
    """

    membership: Callable[[Suspects, Population], np.ndarray] = member_probability
    tests: Callable[[ClusterSize, Sequence[Sign], float, Thresholds], list[SprayTest]] = spray_tests


RECIPE = Recipe()
"""The recipe of a hunt."""


@dataclass(frozen=True, eq=False)
class Members:
    """Suspects that belong to a cluster, kept or not; arrays of shape (m,).

    ``position`` is a member's position among the suspects; ``chosen_among`` has, per cluster, the
    suspects that could have been its members.
    """

    position: np.ndarray
    cluster_id: np.ndarray
    probability: np.ndarray
    chosen_among: Mapping[int, np.ndarray]

    def of(self, cluster_ids: Sequence[int]) -> "Members":
        """The members of some clusters."""
        chosen = np.isin(self.cluster_id, cluster_ids)
        return Members(
            self.position[chosen],
            self.cluster_id[chosen],
            self.probability[chosen],
            {k: self.chosen_among[k] for k in cluster_ids},
        )


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

    Visits are judged by their first attempts. The members are all attempts of these visits.
    """
    first = first_of_visits(suspects)
    component, by_pattern = _components(suspects.pattern, fit, settings)
    is_first = first == np.arange(len(first))
    clusters, among = [], {}
    found = [(np.array([], int), np.array([], int), np.array([], float))]
    for k in map(int, np.unique(component[component >= 0])):
        visits = np.flatnonzero((component == k) & is_first)
        # In a fixed order, because sums in another order differ in their last digits.
        visits = visits[np.argsort(suspects.signin_id[visits], kind="stable")]
        groups = _groups(suspects, visits, by_pattern, population, settings, recipe)
        for cluster_id, group in zip(count(k, len(fit.weights)), groups, strict=False):
            attempts = np.flatnonzero(np.isin(first, group.visits))
            probability = np.zeros(len(first))
            probability[group.visits] = group.probability
            found.append(
                (attempts, np.full(len(attempts), cluster_id), probability[first[attempts]])
            )
            among[cluster_id] = group.among
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
    members = Members(*map(np.concatenate, zip(*found, strict=True)), chosen_among=among)
    return sorted(clusters, key=lambda cluster: cluster.cluster_id), members


@dataclass(frozen=True, eq=False)
class _Group:
    """Visits that belong together, with their probabilities, and the verdict on them.

    ``visits`` and ``among`` are positions of suspects; the visits were chosen from ``among``.
    """

    visits: np.ndarray
    probability: np.ndarray
    among: np.ndarray
    odd: list[str]
    tests: list[SprayTest]
    kept: bool
    reason: str


def _groups(
    suspects: Suspects,
    component: np.ndarray,
    by_pattern: np.ndarray,
    population: Population,
    settings: HuntSettings,
    recipe: Recipe,
) -> Iterator[_Group]:
    """The groups of a component's visits, found one after the other.

    What remains beside a group may hide another campaign. So may a group that is not kept; it is
    divided until all of its visits belong to each other.
    """
    undivided = [(component, component)]
    while undivided:
        visits, among = undivided.pop()
        membership = recipe.membership(suspects.at(visits), population)
        probability = by_pattern[visits] * membership
        belongs = probability >= settings.pruning.min_assignment_probability
        belongs &= membership >= MIN_MEMBER_PROBABILITY
        members, rest = visits[belongs], visits[~belongs]
        if not len(members):
            continue
        if len(rest) >= MIN_ATTEMPTS:
            undivided.append((rest, rest))
        odd, tests, kept, reason = _verdict(
            suspects.at(members), suspects.at(among), population, settings, recipe
        )
        if not kept and len(rest) and len(members) >= MIN_ATTEMPTS:
            undivided.append((members, among))
            continue
        yield _Group(members, probability[belongs], among, odd, tests, kept, reason)


def _verdict(
    own: Suspects, among: Suspects, population: Population, settings: HuntSettings, recipe: Recipe
) -> tuple[list[str], list[SprayTest], bool, str]:
    """In which properties a group is odd, its tests, whether it is kept, and why."""
    shares = own.odd.mean(axis=0)
    odd = [
        p for p, share in zip(MODEL_PROPERTIES, shares, strict=True) if share >= _LEAST_ODD_SHARE
    ]
    honest = honest_strays_a_day(population, len(odd))
    noise = settings.thresholds.noise_a_day
    signs = lasting_signs(
        lambda part: [
            *signs_of_size(size_of(0, part), honest, noise),
            *signs_of_members(part, among, population),
        ],
        own,
    )
    tests = recipe.tests(size_of(0, own), signs, honest, settings.thresholds)
    return odd, tests, *verdict(tests, odd)


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
