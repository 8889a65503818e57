"""The Bernoulli mixture over anomaly masks, by variational Bayes.

    R ~ Dirichlet(1e-5, ..., 1e-5)      weights of the K components
    z_n ~ Categorical(R)                component of failure n
    P_fk ~ Beta(1/2, 1/2)               probability that feature f is anomalous in k
    x_nf ~ Bernoulli(P_f,z_n)           bit f of its mask

F bits allow 2^F masks, so the model is fitted on (mask, count) instead of one row per failure. The
posterior and the bound are the same, and the cost does not grow with the number of sign-ins.

BayesPy fits the model. The fit depends on where it starts and needs thousands of sweeps to
converge. So each start is first followed to convergence by the same updates in plain NumPy, and
BayesPy continues from the best one. There are two ways to choose the starts:

- ``fit_by_restarts``: K random components, several times (as the guided hunt does).
- ``fit_by_births``: one component at first, and then one more where the counts of masks most exceed
  what the model expects, as long as the bound rises. It needs neither K nor luck, and finds a spray
  that is a thousandth of the failures. Random starts seldom find such a spray.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import betaln, digamma, gammaln

from lowslow_assets.detection.priors import (
    ANOMALY_PRIOR,
    CONVERGED_GAIN,
    MAX_SWEEPS,
    WEIGHT_CONCENTRATION,
)

# In nats. With a smaller gain, births could repeat in circles.
_LEAST_BIRTH = 1.0
_BIRTHS_TRIED = 5


@dataclass(frozen=True)
class MixtureFit:
    """A fitted mixture; its components are in the order of falling weight.

    concentration: Dirichlet parameters, shape (K,).
    alpha, beta: Beta parameters of anomalous and normal, shape (F, K).
    """

    concentration: np.ndarray
    alpha: np.ndarray
    beta: np.ndarray

    @property
    def weights(self) -> np.ndarray:
        """E[R], shape (K,)."""
        return self.concentration / self.concentration.sum()

    @property
    def weight_deviations(self) -> np.ndarray:
        """Standard deviation of R, shape (K,)."""
        return np.sqrt(self.weights * (1 - self.weights) / (self.concentration.sum() + 1))

    @property
    def probability(self) -> np.ndarray:
        """E[P], shape (F, K)."""
        return self.alpha / (self.alpha + self.beta)

    @property
    def geometric_probability(self) -> np.ndarray:
        """exp(E[log P]), shape (F, K)."""
        return np.exp(digamma(self.alpha) - digamma(self.alpha + self.beta))

    def responsibilities(self, bits: np.ndarray) -> np.ndarray:
        """Probability of each component for each mask, shape (n, K); ``bits`` is (n, F)."""
        anomalous_bits = bits.astype(float)
        expectations = _expectations(self.concentration, self.alpha, self.beta)
        return _normalize(_log_joint(*expectations, anomalous_bits, 1 - anomalous_bits))[0]


@dataclass(frozen=True)
class FitTrace:
    """The course of a fit.

    elbo: evidence lower bound in nats after each sweep of the chosen start.
    start_elbos: the converged bound of every start, in the order of the starts.
    """

    elbo: np.ndarray
    start_elbos: np.ndarray


def fit_by_restarts(
    bits: np.ndarray, counts: np.ndarray, components: int, restarts: int, seed: int
) -> tuple[MixtureFit, FitTrace]:
    """Fit K components to distinct masks ``bits`` (n, F) that occur ``counts`` (n,) times.

    Deterministic in its arguments. Raises ValueError on an empty window.
    """
    _require_failures(bits)
    starts = (random_start(bits.shape[1], components, seed + i) for i in range(restarts))
    fits = [converge_from(bits, counts, start) for start in starts]
    best = max(fits, key=lambda fit: fit[-1][-1])
    return _confirm(bits, counts, best, [fit[-1][-1] for fit in fits])


def fit_by_births(bits: np.ndarray, counts: np.ndarray) -> tuple[MixtureFit, FitTrace]:
    """Fit as many components as the masks ``bits`` (n, F) with ``counts`` (n,) justify.

    A birth is tried around the masks whose counts, together with those of masks one bit away, most
    exceed the model's. It is kept if the bound rises by more than one nat. Deterministic in its
    arguments. Raises ValueError on an empty window.
    """
    _require_failures(bits)
    near = (bits[:, None, :] != bits[None, :, :]).sum(axis=2) <= 1
    share = counts @ bits / counts.sum()
    fit = converge_from(bits, counts, _inside(share)[:, None])
    bounds = [fit[-1][-1]]
    while True:
        births = (
            _bear(bits, counts, fit, near[seed]) for seed in _excesses(bits, counts, fit, near)
        )
        components = len(fit[0])
        # An empty component would lower the bound by this value: the Dirichlet's normaliser.
        padding = np.log1p(1 / components)
        born = next((b for b in births if b[-1][-1] + padding > bounds[-1] + _LEAST_BIRTH), None)
        if born is None:
            return _confirm(bits, counts, fit, bounds)
        fit = born
        bounds.append(fit[-1][-1])


def _require_failures(bits: np.ndarray) -> None:
    if not len(bits):
        raise ValueError("A mixture needs at least one failure.")


Posterior = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _excesses(bits: np.ndarray, counts: np.ndarray, fit: Posterior, near: np.ndarray) -> np.ndarray:
    """The few masks around which the counts most exceed the model's, by their G statistic."""
    concentration, alpha, beta, _ = fit
    _, log_probability = _normalize(
        _log_joint(*_expectations(concentration, alpha, beta), bits.astype(float), 1.0 - bits)
    )
    observed = near @ counts
    expected = near @ (counts.sum() * np.exp(log_probability))
    surprise = np.where(
        observed > expected, observed * np.log(observed / expected) - (observed - expected), 0
    )
    most = np.argsort(-surprise, kind="stable")[:_BIRTHS_TRIED]
    return most[surprise[most] > _LEAST_BIRTH]


def _bear(bits: np.ndarray, counts: np.ndarray, fit: Posterior, around: np.ndarray) -> Posterior:
    """The fit with one more component, born from the masks ``around``, converged."""
    _, alpha, beta, _ = fit
    born = counts[around] @ bits[around] / counts[around].sum()
    return converge_from(bits, counts, np.column_stack([alpha / (alpha + beta), _inside(born)]))


def _inside(probability: np.ndarray) -> np.ndarray:
    """The probability, kept away from 0 and 1, which no update can leave."""
    return np.clip(probability, 0.01, 0.99)


def _confirm(
    bits: np.ndarray, counts: np.ndarray, fit: Posterior, start_elbos: list[float]
) -> tuple[MixtureFit, FitTrace]:
    """Let BayesPy continue from a converged fit; returns components in order of falling weight."""
    # BayesPy takes as long to import as all Python of a daily ingest, so it is imported on use.
    from lowslow_assets.detection.counted_mixture import CountedMixture

    *posterior, bounds = fit
    model = CountedMixture(bits, counts, len(posterior[0]))
    model.start_from(*posterior)
    confirmed = model.converge()
    concentration, alpha, beta = model.parameters()
    order = np.argsort(-concentration, kind="stable")
    fitted = MixtureFit(concentration[order], alpha[:, order], beta[:, order])
    return fitted, FitTrace(np.concatenate([bounds, confirmed]), np.array(start_elbos))


def random_start(features: int, components: int, seed: int) -> np.ndarray:
    """Probabilities drawn from the prior, shape (F, K); never 0 or 1 to machine precision."""
    drawn = np.random.default_rng(seed).beta(ANOMALY_PRIOR, ANOMALY_PRIOR, (features, components))
    return np.clip(drawn, 1e-12, 1 - 1e-12)


def converge_from(
    bits: np.ndarray, counts: np.ndarray, start: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Follow one start, shape (F, K), to convergence by the model's updates, in NumPy.

    Returns concentration (K,), alpha (F, K), beta (F, K) and the bound after each sweep, with
    Z at its optimum. The updates are those of Bishop, Pattern Recognition and Machine Learning
    (2006), section 10.2, with Bernoulli observations.
    """
    anomalous_bits = bits.astype(float)
    normal_bits = 1 - anomalous_bits
    expectations = (
        _log_weights(np.full(start.shape[1], WEIGHT_CONCENTRATION)),
        np.log(start),
        np.log1p(-start),
    )
    responsibility, log_normalizer = _normalize(
        _log_joint(*expectations, anomalous_bits, normal_bits)
    )
    bounds: list[float] = []
    while True:
        expected = counts[:, None] * responsibility
        concentration = WEIGHT_CONCENTRATION + expected.sum(axis=0)
        alpha = ANOMALY_PRIOR + anomalous_bits.T @ expected
        beta = ANOMALY_PRIOR + normal_bits.T @ expected
        expectations = _expectations(concentration, alpha, beta)
        responsibility, log_normalizer = _normalize(
            _log_joint(*expectations, anomalous_bits, normal_bits)
        )
        divergence = _divergence(concentration, alpha, beta, expectations)
        bounds.append(float(counts @ log_normalizer) - divergence)
        gained = bounds[-1] - bounds[-2] if len(bounds) > 1 else np.inf
        if gained < CONVERGED_GAIN or len(bounds) == MAX_SWEEPS:
            return concentration, alpha, beta, np.array(bounds)


def _expectations(
    concentration: np.ndarray, alpha: np.ndarray, beta: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """E[log R], E[log P], E[log(1 - P)] under the posterior."""
    total = digamma(alpha + beta)
    return _log_weights(concentration), digamma(alpha) - total, digamma(beta) - total


def _log_weights(concentration: np.ndarray) -> np.ndarray:
    return digamma(concentration) - digamma(concentration.sum(axis=-1, keepdims=True))


def _log_joint(log_weights, log_anomalous, log_normal, anomalous_bits, normal_bits) -> np.ndarray:
    """E[log p(x_n, z_n = k)], shape (n, K)."""
    return log_weights + anomalous_bits @ log_anomalous + normal_bits @ log_normal


def _normalize(log_joint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each row's softmax, shape (n, K), and logsumexp, shape (n,).

    SciPy's functions are correct, but take half of a fit's time on such small arrays.
    """
    greatest = log_joint.max(axis=1, keepdims=True)
    scaled = np.exp(log_joint - greatest)
    total = scaled.sum(axis=1, keepdims=True)
    return scaled / total, (greatest + np.log(total))[:, 0]


def _divergence(
    concentration: np.ndarray,
    alpha: np.ndarray,
    beta: np.ndarray,
    expectations: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> float:
    """KL divergence in nats of the posterior of R and P from their priors."""
    log_weights, log_anomalous, log_normal = expectations
    components = len(concentration)
    of_weights = (
        gammaln(concentration.sum())
        - gammaln(concentration).sum()
        - gammaln(components * WEIGHT_CONCENTRATION)
        + components * gammaln(WEIGHT_CONCENTRATION)
        + (concentration - WEIGHT_CONCENTRATION) @ log_weights
    )
    of_probabilities = (
        betaln(ANOMALY_PRIOR, ANOMALY_PRIOR)
        - betaln(alpha, beta)
        + (alpha - ANOMALY_PRIOR) * log_anomalous
        + (beta - ANOMALY_PRIOR) * log_normal
    )
    return float(of_weights + of_probabilities.sum())
