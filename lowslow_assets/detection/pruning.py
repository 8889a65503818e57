"""From mixture components to candidates: which clusters could be a spray."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lowslow_assets.detection.spray_tests import SprayTest

if TYPE_CHECKING:
    from lowslow_assets.detection.mixture import MixtureFit


@dataclass(frozen=True)
class PruningRules:
    """What a cluster must show to be kept; the defaults are the guided hunt's."""

    min_feature_probability: float = 0.4
    min_anomalous_features: int = 2
    min_assignment_probability: float = 0.4
    min_avg_attempts_per_day: float = 1.0


@dataclass(frozen=True)
class Cluster:
    """One cluster's verdict; the fields are the columns of the table ``pruned_clusters``."""

    cluster_id: int
    component: int
    weight: float
    anomalous_features: list[str]
    failures: int
    attempts_per_day: float
    kept: bool
    reason: str
    tests: list[SprayTest] = field(default_factory=list)
    confidence: float | None = None

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Cluster":
        """Made from a row as the lake gives it."""
        return cls(**{**row, "tests": [SprayTest(**test) for test in row["tests"]]})


@dataclass(frozen=True)
class Assignment:
    """The most probable component of a mask."""

    mask: int
    cluster_id: int
    probability: float


def assign(
    fit: "MixtureFit", masks: Sequence[int], bits: np.ndarray, rules: PruningRules
) -> list[Assignment]:
    """The masks that belong to one component with enough probability, with that component.

    ``bits`` are the masks as booleans, shape (len(masks), F). A tie is decided for the component
    with the larger weight.
    """
    probability = fit.responsibilities(bits)
    best = probability.argmax(axis=1)
    chosen = probability[np.arange(len(masks)), best]
    return [
        Assignment(int(mask), int(k), float(p))
        for mask, k, p in zip(masks, best, chosen, strict=True)
        if p >= rules.min_assignment_probability
    ]


def prune(
    fit: "MixtureFit",
    features: Sequence[str],
    members: Mapping[int, int],
    lookback_days: int,
    rules: PruningRules,
) -> list[Cluster]:
    """Judge every component by its number of members (``members`` maps component to failures)."""
    least_members = rules.min_avg_attempts_per_day * lookback_days
    clusters = []
    for k, weight in enumerate(fit.weights):
        consistent = [
            feature
            for feature, probability in zip(features, fit.geometric_probability[:, k], strict=True)
            if probability > rules.min_feature_probability
        ]
        failures = members.get(k, 0)
        enough_features = len(consistent) >= rules.min_anomalous_features
        attempts_per_day = failures / lookback_days
        # Rounded as the rule itself is, because 1.1 * 10 is more than 11.
        enough_members = attempts_per_day >= rules.min_avg_attempts_per_day and failures > 0
        if not failures:
            reason = "no failure belongs to it"
        elif not enough_features:
            reason = (
                f"consistently anomalous in {len(consistent)} feature(s), "
                f"{rules.min_anomalous_features} are needed"
            )
        elif not enough_members:
            reason = (
                f"{failures} failures, {least_members:g} are needed "
                f"({rules.min_avg_attempts_per_day:g} a day over {lookback_days} days)"
            )
        else:
            reason = f"consistently anomalous in {', '.join(consistent)}"
        clusters.append(
            Cluster(
                cluster_id=k,
                component=k,
                weight=float(weight),
                anomalous_features=consistent,
                failures=failures,
                attempts_per_day=attempts_per_day,
                kept=enough_features and enough_members,
                reason=reason,
            )
        )
    return clusters
