"""The mixture of ``mixture`` as BayesPy nodes, on distinct masks with counts."""

import numpy as np
from bayespy.inference import VB
from bayespy.inference.vmp.nodes.categorical import CategoricalMoments
from bayespy.nodes import Bernoulli, Beta, Dirichlet, Mixture, Multinomial

from lowslow_assets.detection.priors import (
    ANOMALY_PRIOR,
    CONVERGED_GAIN,
    MAX_SWEEPS,
    WEIGHT_CONCENTRATION,
)


class _CountedCategorical(Multinomial):
    """``count`` equal draws as one node, which Mixture takes for a Categorical.

    A Multinomial's moments are the expected counts: a Categorical's moments times the count, which
    is what the mixture's messages need. Only the node's type prevents this.
    """

    @classmethod
    def _constructor(cls, *args, **kwargs):  # pyright: ignore[reportIncompatibleMethodOverride]
        *head, moments, parent_moments = super()._constructor(*args, **kwargs)
        return (*head, CategoricalMoments(moments.categories), parent_moments)


class CountedMixture:
    """The mixture as BayesPy nodes, on distinct masks with counts."""

    def __init__(self, bits: np.ndarray, counts: np.ndarray, components: int) -> None:
        self.weights = Dirichlet([WEIGHT_CONCENTRATION] * components, name="R")
        self.classes = _CountedCategorical(
            np.asarray(counts)[:, None], self.weights, plates=(len(bits), 1), name="Z"
        )
        self.anomalous = Beta(
            [ANOMALY_PRIOR, ANOMALY_PRIOR], plates=(bits.shape[1], components), name="P"
        )
        masks = Mixture(self.classes, Bernoulli, self.anomalous, name="X")
        masks.observe(bits)
        self.inference = VB(self.classes, self.weights, masks, self.anomalous)

    def start_from(self, concentration: np.ndarray, alpha: np.ndarray, beta: np.ndarray) -> None:
        """Start from a posterior."""
        self.weights.initialize_from_parameters(concentration)
        self.anomalous.initialize_from_parameters(np.stack([alpha, beta], axis=-1))

    def sweep(self, sweeps: int) -> np.ndarray:
        """Update Z, R, X, P ``sweeps`` times; returns the bound after each sweep."""
        before = self.inference.iter
        self.inference.update(repeat=sweeps, tol=0, verbose=False)
        return np.asarray(self.inference.L)[before : self.inference.iter]

    def converge(self) -> np.ndarray:
        """Sweep until a sweep gains next to nothing; returns the bound after each sweep."""
        bounds = self.sweep(2)
        while bounds[-1] - bounds[-2] > CONVERGED_GAIN and len(bounds) < MAX_SWEEPS:
            bounds = np.concatenate([bounds, self.sweep(1)])
        return bounds

    def parameters(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Concentration (K,), alpha (F, K), beta (F, K)."""
        (concentration,), (beta_parameters,) = (
            self.weights.get_parameters(),
            self.anomalous.get_parameters(),
        )
        return concentration, beta_parameters[..., 0], beta_parameters[..., 1]
