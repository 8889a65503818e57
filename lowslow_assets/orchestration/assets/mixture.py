"""mixture_model: the components of the window's failures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import numpy as np

from lowslow_assets.detection.masks import mask_bits
from lowslow_assets.detection.mixture import (
    FitTrace,
    MixtureFit,
    fit_by_births,
    fit_by_restarts,
)
from lowslow_assets.lake.tables import MASK_PATTERNS, MIXTURE_MODEL
from lowslow_assets.orchestration.assets.declare import table_metadata
from lowslow_assets.orchestration.assets.hunt import Hunt, Made, hunt_asset
from lowslow_assets.reports import plots


@dataclass(frozen=True)
class _Line:
    component: int
    concentration: float
    weight: float
    feature: str
    alpha: float
    beta: float
    probability: float
    geometric_probability: float


@hunt_asset(MIXTURE_MODEL, "bayespy", deps=[MASK_PATTERNS])
def mixture_model(hunt: Hunt) -> Made:
    """Fit the mixture; a window without failures has no components."""
    # In the order of masks: sums in another order end in other last digits.
    patterns = sorted(hunt.rows(MASK_PATTERNS), key=lambda row: row["mask"])
    if not patterns:
        return [], {"failures": 0}
    features = hunt.model_features
    bits = mask_bits([row["mask"] for row in patterns], len(features))
    counts = np.array([row["failures"] for row in patterns])
    if hunt.of_notebook:
        p = hunt.parameters
        fit, trace = fit_by_restarts(bits, counts, p.components, p.restarts, p.seed)
    else:
        fit, trace = fit_by_births(bits, counts)
    return _lines(fit, features), _metadata(fit, trace, features)


def read_fit(hunt: Hunt) -> MixtureFit | None:
    """This hunt's fit, from its table; None where the window has no failures."""
    lines = {(row["component"], row["feature"]): row for row in hunt.rows(MIXTURE_MODEL)}
    if not lines:
        return None
    components = range(1 + max(component for component, _ in lines))

    def array(column: str) -> np.ndarray:
        return np.array(
            [[lines[k, feature][column] for k in components] for feature in hunt.model_features]
        )

    return MixtureFit(array("concentration")[0], array("alpha"), array("beta"))


def _lines(fit: MixtureFit, features: Sequence[str]) -> list[_Line]:
    return [
        _Line(
            component=k,
            concentration=float(fit.concentration[k]),
            weight=float(fit.weights[k]),
            feature=feature,
            alpha=float(fit.alpha[f, k]),
            beta=float(fit.beta[f, k]),
            probability=float(fit.probability[f, k]),
            geometric_probability=float(fit.geometric_probability[f, k]),
        )
        for k in range(len(fit.weights))
        for f, feature in enumerate(features)
    ]


def _metadata(fit: MixtureFit, trace: FitTrace, features: Sequence[str]) -> dict[str, Any]:
    components = [
        {
            "component": k,
            "weight": float(weight),
            "anomalous in (E[P] > 0.4)": [
                f for f, p in zip(features, fit.probability[:, k], strict=True) if p > 0.4
            ],
        }
        for k, weight in enumerate(fit.weights)
    ]
    return {
        "ELBO": float(trace.elbo[-1]),
        "sweeps": len(trace.elbo),
        "ELBO of each start": [round(float(bound), 6) for bound in trace.start_elbos],
        "ELBO trace": dg.MetadataValue.md(plots.elbo_trace(trace.elbo)),
        "component weights": dg.MetadataValue.md(
            plots.hinton_weights(fit.weights, fit.weight_deviations)
        ),
        "anomaly probabilities": dg.MetadataValue.md(
            plots.hinton_probabilities(fit.probability, features)
        ),
        "components": table_metadata(components),
    }
