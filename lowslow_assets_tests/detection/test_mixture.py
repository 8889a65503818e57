"""The mixture on counts is BayesPy's on the expanded rows: sweep by sweep, and at its end."""

from collections.abc import Callable

import numpy as np
import pytest
from bayespy.inference import VB
from bayespy.nodes import Bernoulli, Beta, Categorical, Dirichlet, Mixture
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln

from lowslow_assets.detection import mixture
from lowslow_assets.detection.counted_mixture import CountedMixture
from lowslow_assets.detection.masks import mask_bits
from lowslow_assets.detection.mixture import (
    MixtureFit,
    converge_from,
    fit_by_births,
    fit_by_restarts,
    random_start,
)

# Ordinary failures, a stale device, and a spray: weights, and P (feature by component).
WEIGHTS = np.array([0.7, 0.2, 0.1])
OVERLAPPING = np.array(
    [
        [0.05, 0.02, 0.90],
        [0.10, 0.95, 0.85],
        [0.02, 0.90, 0.10],
        [0.30, 0.05, 0.95],
        [0.05, 0.10, 0.05],
        [0.15, 0.02, 0.60],
    ]
)
SEPARATED = np.array([[0.02, 0.03, 0.95]] * 4 + [[0.05, 0.97, 0.04]] * 4 + [[0.10, 0.50, 0.90]])


def draw_patterns(probability: np.ndarray, failures: int, seed: int):
    """Distinct masks as bits (n, F) and how often each occurs (n,), among so many failures."""
    rng = np.random.default_rng(seed)
    component = rng.choice(len(WEIGHTS), failures, p=WEIGHTS)
    bits = rng.random((failures, len(probability))) < probability[:, component].T
    masks, counts = np.unique(bits @ (1 << np.arange(len(probability))), return_counts=True)
    return mask_bits(masks.tolist(), len(probability)), counts


BITS, COUNTS = draw_patterns(OVERLAPPING, 900, seed=1)
ROWS = np.repeat(BITS, COUNTS, axis=0)
START = random_start(BITS.shape[1], 5, seed=7)


class OrdinaryMixture:
    """The same model from BayesPy's own parts.

    ``parts`` are pairs of bits (n, F) and a multiplicity: each row stands for so many failures. One
    row per failure is one part with multiplicity 1.
    """

    def __init__(self, parts: list[tuple[np.ndarray, int]], components: int) -> None:
        features = parts[0][0].shape[1]
        self.weights = Dirichlet([1e-5] * components, name="R")
        self.anomalous = Beta([0.5, 0.5], plates=(features, components), name="P")
        self.classes, masks = [], []
        for part, (bits, multiplicity) in enumerate(parts):
            z = Categorical(
                self.weights,
                plates=(len(bits), 1),
                plates_multiplier=(multiplicity, 1),
                name=f"Z{part}",
            )
            x = Mixture(
                z, Bernoulli, self.anomalous, plates_multiplier=(multiplicity, 1), name=f"X{part}"
            )
            x.observe(bits)
            self.classes.append(z)
            masks.append(x)
        self.inference = VB(*self.classes, self.weights, *masks, self.anomalous)

    def bound(self) -> float:
        return float(self.inference.loglikelihood_lowerbound())

    def parameters(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Concentration (K,), alpha (F, K), beta (F, K)."""
        concentration = self.weights.get_parameters()[0]
        beta_parameters = self.anomalous.get_parameters()[0]
        return concentration, beta_parameters[..., 0], beta_parameters[..., 1]


def counts_by_bit(bits: np.ndarray, counts: np.ndarray) -> list[tuple[np.ndarray, int]]:
    """Counts written in powers of two: the masks whose count has bit b stand for 2^b failures."""
    powers = range(int(counts.max()).bit_length())
    parts = [(bits[(counts >> b & 1) == 1], 1 << b) for b in powers]
    return [(part, multiplicity) for part, multiplicity in parts if len(part)]


@pytest.mark.parametrize(
    "parts",
    [[(ROWS, 1)], counts_by_bit(BITS, COUNTS)],
    ids=["one row per failure", "powers of two"],
)
def test_counts_give_the_same_bound_and_posterior_at_every_sweep(
    parts: list[tuple[np.ndarray, int]],
) -> None:
    counted, ordinary = CountedMixture(BITS, COUNTS, 5), OrdinaryMixture(parts, 5)
    counted.anomalous.initialize_from_value(START)
    ordinary.anomalous.initialize_from_value(START)
    bounds = []
    for _ in range(15):
        bounds.append(float(counted.sweep(1)[0]))
        ordinary.inference.update(repeat=1, verbose=False)
        assert bounds[-1] == pytest.approx(ordinary.bound(), rel=1e-10)
        for one, other in zip(counted.parameters(), ordinary.parameters(), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-12)
    assert bounds[-1] > bounds[0] + 1, "the sweeps have to go somewhere"


@pytest.mark.parametrize("sweeps", [1, 2, 20])
def test_numpy_sweeps_are_bayespys(monkeypatch: pytest.MonkeyPatch, sweeps: int) -> None:
    monkeypatch.setattr(mixture, "MAX_SWEEPS", sweeps)
    *posterior, bounds = converge_from(BITS, COUNTS, START)
    model = CountedMixture(BITS, COUNTS, 5)
    model.anomalous.initialize_from_value(START)
    model.sweep(sweeps)
    assert len(bounds) == sweeps
    for ours, theirs in zip(posterior, model.parameters(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-8, atol=1e-12)
    # Our bound has Z at its optimum, theirs after it has updated Z once more.
    model.classes.update()
    assert bounds[-1] == pytest.approx(model.inference.loglikelihood_lowerbound(), rel=1e-10)


@pytest.mark.parametrize("times", [1, 1000])
def test_bounds_never_fall_and_end_where_more_sweeps_gain_nothing(times: int) -> None:
    """In nats, however many failures there are: a stop relative to the bound gives up early."""
    fit, trace = fit_by_restarts(BITS, COUNTS * times, 5, restarts=3, seed=0)
    assert np.diff(trace.elbo).min() > -1e-14 * times * 1e6
    assert len(trace.start_elbos) == 3
    assert trace.elbo[-1] == pytest.approx(trace.start_elbos.max(), abs=1e-3)

    model = CountedMixture(BITS, COUNTS * times, 5)
    model.start_from(fit.concentration, fit.alpha, fit.beta)
    further = model.sweep(300)
    assert further[-1] - trace.elbo[-1] < 1e-4


def test_fit_is_the_same_bit_by_bit_when_made_again() -> None:
    (one, one_trace), (other, other_trace) = (
        fit_by_restarts(BITS, COUNTS, 5, restarts=3, seed=4) for _ in range(2)
    )
    for field in ("concentration", "alpha", "beta"):
        assert np.array_equal(getattr(one, field), getattr(other, field))
    assert np.array_equal(one_trace.elbo, other_trace.elbo)


def test_fit_does_not_depend_on_the_order_of_patterns() -> None:
    order = np.random.default_rng(0).permutation(len(BITS))
    one, one_trace = fit_by_restarts(BITS, COUNTS, 5, restarts=3, seed=4)
    other, other_trace = fit_by_restarts(BITS[order], COUNTS[order], 5, restarts=3, seed=4)
    assert one_trace.elbo[-1] == pytest.approx(other_trace.elbo[-1], rel=1e-10)
    np.testing.assert_allclose(one.concentration, other.concentration, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(one.probability, other.probability, rtol=1e-5)


def test_bound_is_at_least_that_of_the_guided_hunts_setup() -> None:
    """K = 10 on one row per failure, default stop rule, best of five seeded starts."""
    best = -np.inf
    for seed in range(5):
        model = OrdinaryMixture([(ROWS, 1)], 10)
        model.anomalous.initialize_from_value(random_start(ROWS.shape[1], 10, seed=100 + seed))
        model.inference.update(repeat=5000, tol=1e-5, verbose=False)
        best = max(best, model.bound())
    _, trace = fit_by_restarts(BITS, COUNTS, 10, restarts=10, seed=0)
    assert trace.elbo[-1] >= best


def test_a_known_mixture_is_recovered() -> None:
    bits, counts = draw_patterns(SEPARATED, 20_000, seed=3)
    fit, _ = fit_by_restarts(bits, counts, 10, restarts=10, seed=0)
    # Beyond three standard errors: sqrt(0.7 * 0.3 / 20,000) = 0.003; sqrt(0.25 / 2,000) = 0.011.
    np.testing.assert_allclose(fit.weights[:3], WEIGHTS, atol=0.012)
    np.testing.assert_allclose(fit.probability[:, :3], SEPARATED, atol=0.04)
    assert fit.weights[3:].sum() < 1e-3


def test_components_come_by_falling_weight_and_moments_are_those_of_dirichlet_and_beta() -> None:
    fit, _ = fit_by_restarts(BITS, COUNTS, 5, restarts=2, seed=0)
    assert (np.diff(fit.concentration) <= 0).all()
    assert fit.concentration.sum() == pytest.approx(900 + 5e-5)

    small = MixtureFit(np.array([3.0, 1.0]), np.array([[1.0, 2.0]]), np.array([[1.0, 1.0]]))
    np.testing.assert_allclose(small.weights, [0.75, 0.25])
    # Var R_k = m (1 - m) / (a + 1).
    np.testing.assert_allclose(small.weight_deviations, np.sqrt([0.1875 / 5, 0.1875 / 5]))
    np.testing.assert_allclose(small.probability, [[1 / 2, 2 / 3]])
    # digamma(1) - digamma(2) = -1; digamma(2) - digamma(3) = -1/2.
    np.testing.assert_allclose(small.geometric_probability, np.exp([[-1, -0.5]]))


@pytest.mark.parametrize(
    "fit",
    [lambda bits, counts: fit_by_restarts(bits, counts, 10, 2, 0), fit_by_births],
    ids=["starts", "births"],
)
def test_an_empty_window_has_no_mixture(fit: Callable) -> None:
    with pytest.raises(ValueError, match="at least one failure"):
        fit(np.empty((0, 6), dtype=bool), np.empty(0, dtype=int))


@pytest.mark.parametrize("failures", [1, 1000])
def test_one_pattern_is_one_component(failures: int) -> None:
    bits = np.array([[True, False, True]])
    fit, trace = fit_by_restarts(bits, np.array([failures]), 10, restarts=3, seed=0)
    assert fit.weights[0] > 0.999
    # Beta(1/2 + n, 1/2), and its mirror image.
    expected = (failures + 0.5) / (failures + 1)
    np.testing.assert_allclose(fit.probability[:, 0], [expected, 1 - expected, expected], rtol=2e-3)
    assert np.isfinite(trace.elbo).all()


def test_more_components_than_failures_leaves_the_rest_at_the_prior() -> None:
    fit, _ = fit_by_restarts(np.array([[True, False]]), np.array([1]), 10, restarts=3, seed=0)
    np.testing.assert_allclose(fit.concentration[1:], 1e-5, atol=1e-3)
    np.testing.assert_allclose(fit.probability[:, 1:], 0.5, atol=1e-3)


def test_responsibilities_are_bayespys() -> None:
    fit, _ = fit_by_restarts(BITS, COUNTS, 5, restarts=3, seed=0)
    model = OrdinaryMixture([(ROWS, 1)], 5)
    model.weights.initialize_from_parameters(fit.concentration)
    model.anomalous.initialize_from_parameters(np.stack([fit.alpha, fit.beta], axis=-1))
    model.classes[0].update()
    expected = model.classes[0].get_moments()[0][:, 0, :]
    np.testing.assert_allclose(fit.responsibilities(ROWS), expected, atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_responsibilities_sum_to_one_even_where_all_are_far_away(data: st.DataObject) -> None:
    components = data.draw(st.integers(1, 4))
    parameter = st.floats(1e-5, 1e7)

    def draw(length: int) -> np.ndarray:
        return np.array(data.draw(st.lists(parameter, min_size=length, max_size=length)))

    fit = MixtureFit(
        draw(components),
        draw(3 * components).reshape(3, components),
        draw(3 * components).reshape(3, components),
    )
    probability = fit.responsibilities(mask_bits(range(8), 3))
    assert probability.shape == (8, components)
    assert (probability >= 0).all()
    np.testing.assert_allclose(probability.sum(axis=1), 1, rtol=1e-12)


def counts_of(weights: list[float], probability: np.ndarray, failures: int, seed: int):
    """All masks that occur in a draw from components with independent bits, and how often.

    ``probability`` is (F, K). The counts of masks are drawn at once, not one failure at a time.
    """
    bits = mask_bits(range(1 << len(probability)), len(probability))
    of_mask = np.where(bits[:, :, None], probability, 1 - probability).prod(axis=1) @ weights
    counts = np.random.default_rng(seed).multinomial(failures, of_mask / of_mask.sum())
    return bits[counts > 0], counts[counts > 0]


ORDINARY = [0.02, 0.05, 0.10, 0.30, 0.01, 0.15, 0.03, 0.20, 0.08]
SPRAY = [0.97, 0.90, 0.95, 0.50, 0.98, 0.93, 0.05, 0.60, 0.90]


def test_births_find_a_spray_that_is_a_thousandth_of_the_failures() -> None:
    probability = np.column_stack([ORDINARY, SPRAY])
    bits, counts = counts_of([0.999, 0.001], probability, 1_000_000, seed=5)
    fit, trace = fit_by_births(bits, counts)
    assert fit.weights.shape == (2,)
    # Three standard errors: of the weight sqrt(0.001 / 1e6), of P sqrt(0.25 / 1,000).
    np.testing.assert_allclose(fit.weights[1], 0.001, atol=1e-4)
    np.testing.assert_allclose(fit.probability, probability, atol=0.048)
    assert len(trace.start_elbos) == 2
    assert trace.start_elbos[1] > trace.start_elbos[0] + 1_000


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("failures", [50, 1_000, 1_000_000])
def test_independent_bits_are_one_component(failures: int, seed: int) -> None:
    fit, trace = fit_by_births(*counts_of([1.0], np.array([ORDINARY]).T, failures, seed))
    assert fit.weights.tolist() == [1.0]
    assert len(trace.start_elbos) == 1


@pytest.mark.parametrize("failures", [300, 30_000])
def test_two_planted_profiles_are_two_components(failures: int) -> None:
    probability = SEPARATED[:, 1:]
    fit, _ = fit_by_births(*counts_of([0.7, 0.3], probability, failures, seed=2))
    error = 3 * np.sqrt(0.25 / (0.3 * failures))
    assert fit.weights.shape == (2,)
    np.testing.assert_allclose(fit.weights, [0.7, 0.3], atol=error)
    np.testing.assert_allclose(fit.probability, probability, atol=error)


def test_births_find_no_less_than_many_starts_do() -> None:
    _, births = fit_by_births(BITS, COUNTS)
    fit, starts = fit_by_restarts(BITS, COUNTS, 10, restarts=10, seed=0)
    # Of their ten components some are empty, and each of those costs its padding.
    used = (fit.concentration > 1e-3).sum()
    padding = np.log(10 / used)
    assert births.elbo[-1] > starts.elbo[-1] + padding - 1


def test_births_are_the_same_bit_by_bit_when_made_again() -> None:
    (one, one_trace), (other, other_trace) = (fit_by_births(BITS, COUNTS) for _ in range(2))
    for field in ("concentration", "alpha", "beta"):
        assert np.array_equal(getattr(one, field), getattr(other, field))
    assert np.array_equal(one_trace.elbo, other_trace.elbo)


@pytest.mark.parametrize("seed", range(3))
def test_births_do_not_depend_on_the_order_of_patterns(seed: int) -> None:
    order = np.random.default_rng(seed).permutation(len(BITS))
    one, one_trace = fit_by_births(BITS, COUNTS)
    other, other_trace = fit_by_births(BITS[order], COUNTS[order])
    assert one_trace.elbo[-1] == pytest.approx(other_trace.elbo[-1], rel=1e-10)
    np.testing.assert_allclose(one.concentration, other.concentration, rtol=1e-5)
    np.testing.assert_allclose(one.probability, other.probability, rtol=1e-5)


def test_births_end_where_bayespy_gains_nothing() -> None:
    fit, trace = fit_by_births(BITS, COUNTS)
    assert len(fit.weights) > 1
    model = OrdinaryMixture(counts_by_bit(BITS, COUNTS), len(fit.weights))
    model.weights.initialize_from_parameters(fit.concentration)
    model.anomalous.initialize_from_parameters(np.stack([fit.alpha, fit.beta], axis=-1))
    model.inference.update(repeat=1, tol=0, verbose=False)
    assert trace.elbo[-1] == pytest.approx(model.bound(), abs=1e-5)
    assert trace.start_elbos[-1] == pytest.approx(model.bound(), abs=1e-3)
    model.inference.update(repeat=100, tol=0, verbose=False)
    assert model.bound() - trace.elbo[-1] < 1e-4


@settings(max_examples=20, deadline=None)
@given(
    st.dictionaries(
        st.integers(0, 15),
        st.one_of(st.integers(1, 9), st.integers(1, 10**5)),
        min_size=1,
        max_size=8,
    )
)
def test_every_birth_raises_the_bound(patterns: dict[int, int]) -> None:
    bits, counts = mask_bits(list(patterns), 4), np.array(list(patterns.values()))
    fit, trace = fit_by_births(bits, counts)
    assert len(trace.start_elbos) == len(fit.weights) <= len(patterns)
    assert (np.diff(trace.start_elbos) > 0).all()
    assert fit.concentration.sum() == pytest.approx(counts.sum() + len(fit.weights) * 1e-5)
    # Never worse than one component, whose bound has a closed form.
    anomalous = counts @ bits
    alone = betaln(0.5 + anomalous, 0.5 + counts.sum() - anomalous) - betaln(0.5, 0.5)
    assert trace.start_elbos[0] == pytest.approx(alone.sum(), rel=1e-9, abs=1e-6)
    # Sums over many thousand failures cancel: to rounding.
    assert trace.elbo[-1] >= alone.sum() - 1e-9 * abs(alone.sum()) - 1e-6
