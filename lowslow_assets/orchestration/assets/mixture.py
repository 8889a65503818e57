"""mixture_model: the components of the window's failures."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np

from lowslow_assets.hunting.hunt import Hunt
from lowslow_assets.hunting.judge import fit_patterns
from lowslow_assets.lake.tables import MASK_PATTERNS, MIXTURE_MODEL
from lowslow_assets.orchestration.assets.declare import table_metadata
from lowslow_assets.orchestration.assets.hunt import Made, hunt_asset
from lowslow_assets.reports import plots

if TYPE_CHECKING:
    from lowslow_assets.detection.mixture import FitTrace, MixtureFit


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
    patterns = {row["mask"]: row["failures"] for row in hunt.rows(MASK_PATTERNS)}
    if not patterns:
        return [], {"failures": 0}
    features = hunt.model_features
    fit, trace = fit_patterns(patterns, len(features), hunt.settings)
    return _lines(fit, features), _metadata(fit, trace, features)


def read_fit(rows: Iterable[Mapping[str, Any]], features: Sequence[str]) -> "MixtureFit | None":
    """The fit from its rows of ``mixture_model``; None where the window has no failures."""
    # SciPy takes half a second to import, so it is imported when there is a fit.
    from lowslow_assets.detection.mixture import MixtureFit

    lines = {(row["component"], row["feature"]): row for row in rows}
    if not lines:
        return None
    components = range(1 + max(component for component, _ in lines))

    def array(column: str) -> np.ndarray:
        return np.array([[lines[k, feature][column] for k in components] for feature in features])

    return MixtureFit(array("concentration")[0], array("alpha"), array("beta"))


def _lines(fit: "MixtureFit", features: Sequence[str]) -> list[_Line]:
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


def _metadata(fit: "MixtureFit", trace: "FitTrace", features: Sequence[str]) -> dict[str, Any]:
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
