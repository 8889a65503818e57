"""Pruning: which masks belong to a component, and which components are kept."""

import numpy as np
import pytest

from lowslow_assets.detection.masks import mask_bits
from lowslow_assets.detection.mixture import MixtureFit
from lowslow_assets.detection.pruning import Assignment, Cluster, PruningRules, assign, prune

FEATURES = ["browser", "city", "network"]
# Beta(a, b) has exp(E[log P]) about a / (a + b) where a and b are large.
SURE, SELDOM = (900.0, 100.0), (100.0, 900.0)


def fit_of(concentration: list[float], *components: list[tuple[float, float]]) -> MixtureFit:
    """A fit from, per component, a (alpha, beta) for every feature."""
    parameters = np.array(components)
    return MixtureFit(np.array(concentration), parameters[..., 0].T, parameters[..., 1].T)


def judge(
    fit: MixtureFit,
    members: dict[int, int],
    rules: PruningRules | None = None,
    lookback_days: int = 10,
) -> list[Cluster]:
    return prune(fit, FEATURES, members, lookback_days, rules or PruningRules())


def test_every_component_gets_its_verdict() -> None:
    spray, single, thin, empty = (
        [SURE, SURE, SELDOM],
        [SURE, SELDOM, SELDOM],
        [SURE] * 3,
        [SURE] * 3,
    )
    fit = fit_of([60.0, 20.0, 15.0, 5.0], spray, single, thin, empty)
    clusters = judge(fit, {0: 30, 1: 25, 2: 9})
    assert [(c.cluster_id, c.kept, c.reason) for c in clusters] == [
        (0, True, "consistently anomalous in browser, city"),
        (1, False, "consistently anomalous in 1 feature(s), 2 are needed"),
        (2, False, "9 failures, 10 are needed (1 a day over 10 days)"),
        (3, False, "no failure belongs to it"),
    ]
    assert [c.component for c in clusters] == [0, 1, 2, 3]
    assert [c.failures for c in clusters] == [30, 25, 9, 0]
    assert [c.weight for c in clusters] == pytest.approx([0.6, 0.2, 0.15, 0.05])
    assert [c.attempts_per_day for c in clusters] == [3.0, 2.5, 0.9, 0.0]
    assert clusters[0].anomalous_features == ["browser", "city"]


def test_a_probability_at_the_threshold_is_not_consistent() -> None:
    # exp(digamma(1) - digamma(2)) = 1/e.
    fit = fit_of([1.0], [(1.0, 1.0)] * 3)
    at, below = (float(fit.geometric_probability[0, 0]) * factor for factor in (1, 1 - 1e-9))
    assert at == pytest.approx(1 / np.e)
    strict, lenient = (
        judge(fit, {0: 100}, PruningRules(min_feature_probability=threshold))[0]
        for threshold in (at, below)
    )
    assert (strict.kept, strict.anomalous_features) == (False, [])
    assert (lenient.kept, lenient.anomalous_features) == (True, FEATURES)


def test_consistency_is_judged_by_the_geometric_mean() -> None:
    # E[P] = 0.5, but exp(E[log P]) = 1/e < 0.4.
    fit = fit_of([1.0], [(1.0, 1.0)] * 3)
    assert fit.probability[0, 0] == 0.5
    assert not judge(fit, {0: 100})[0].kept


@pytest.mark.parametrize(
    ("rate", "days", "least"), [(1.0, 240, 240), (0.25, 10, 3), (1.1, 10, 11), (0.55, 20, 11)]
)
def test_as_many_members_as_needed_are_enough(rate: float, days: int, least: int) -> None:
    fit = fit_of([1.0], [SURE] * 3)
    rules = PruningRules(min_avg_attempts_per_day=rate)
    kept = [judge(fit, {0: n}, rules, days)[0].kept for n in (least - 1, least, least + 1)]
    assert kept == [False, True, True]


def test_a_longer_window_needs_more_members() -> None:
    fit = fit_of([1.0], [SURE] * 3)
    assert [judge(fit, {0: 30}, lookback_days=days)[0].kept for days in (30, 31)] == [True, False]


def test_a_rate_of_zero_still_needs_a_member() -> None:
    rules = PruningRules(min_avg_attempts_per_day=0)
    fit = fit_of([1.0, 1.0], [SURE] * 3, [SURE] * 3)
    assert [c.kept for c in judge(fit, {1: 1}, rules)] == [False, True]


@pytest.mark.parametrize(("needed", "kept"), [(2, True), (3, False)])
def test_features_needed(needed: int, kept: bool) -> None:
    fit = fit_of([1.0], [SURE, SURE, SELDOM])
    assert judge(fit, {0: 99}, PruningRules(min_anomalous_features=needed))[0].kept is kept


def assign_all(fit: MixtureFit, least: float) -> list[Assignment]:
    masks = list(range(8))
    rules = PruningRules(min_assignment_probability=least)
    return assign(fit, masks, mask_bits(masks, 3), rules)


def test_a_mask_belongs_to_its_most_probable_component() -> None:
    fit = fit_of([60.0, 40.0], [SELDOM] * 3, [SURE] * 3)
    assigned = assign_all(fit, 0.4)
    probability = fit.responsibilities(mask_bits(range(8), 3))
    # Two or three anomalous bits: the second component's.
    assert [a.cluster_id for a in assigned] == [0, 0, 0, 1, 0, 1, 1, 1]
    assert [a.mask for a in assigned] == list(range(8))
    assert [a.probability for a in assigned] == pytest.approx(list(probability.max(axis=1)))


def test_a_mask_without_a_clear_component_is_not_a_member() -> None:
    fit = fit_of([60.0, 40.0], [SELDOM] * 3, [SURE] * 3)
    best = fit.responsibilities(mask_bits(range(8), 3)).max(axis=1)
    least = float(np.sort(best)[3])
    # A probability at the threshold is enough.
    assert {a.mask for a in assign_all(fit, least)} == set(np.flatnonzero(best >= least))
    assert len(assign_all(fit, least)) < 8
    assert assign_all(fit, 1.0) == []


def test_a_tie_is_decided_for_the_heavier_component() -> None:
    """Two components of equal weight: the first one, because fits are ordered by weight."""
    fit = fit_of([50.0, 50.0], [SURE] * 3, [SURE] * 3)
    assigned = assign_all(fit, 0.4)
    assert {a.cluster_id for a in assigned} == {0}
    assert [a.probability for a in assigned] == pytest.approx([0.5] * 8)
    assert assign_all(fit, 0.51) == []
