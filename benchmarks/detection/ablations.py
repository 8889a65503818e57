"""What each ingredient is worth: ``python -m benchmarks.detection.ablations``.

The same tenants, hunted as of their last day with one ingredient left out at a time. Spark masks
and explains the failures; the rest runs on the data frame of failures, by the project's own
functions.
"""

import argparse
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from unittest.mock import patch

import dagster as dg
import numpy as np
import pandas as pd
from pyspark.sql import functions as F

from benchmarks.detection.report import detectors_table
from benchmarks.detection.scenarios import SCENARIOS, TUNING_SEEDS, tenant_of
from benchmarks.detection.scoring import Alert, Case, score
from benchmarks.detection.tenants import Hunting, KeptSpark
from lowslow_assets.detection import members
from lowslow_assets.detection.explanations import EXPLANATIONS, explain_failures
from lowslow_assets.detection.limit import size_of
from lowslow_assets.detection.masks import mask_bits
from lowslow_assets.detection.mixture import fit_by_births, fit_by_restarts
from lowslow_assets.detection.patterns import PROPERTIES, is_anomalous, pattern
from lowslow_assets.detection.pruning import PruningRules, assign
from lowslow_assets.detection.spray_tests import spray_tests, strays_a_day
from lowslow_assets.lake.lake import Lake
from lowslow_assets.orchestration.assets import clusters
from lowslow_assets.orchestration.assets.hunt import Hunt
from lowslow_assets.orchestration.resources import HuntParameters
from lowslow_assets.signins.features import FAILURE, FEATURES

DEFAULT_SCENARIOS = ("slow", "mimic", "two alike", "residential", "short", "quiet", "quiet, large")
Frame = Any


class Recipe:
    """How a hunt goes from masked, explained failures to incidents."""

    unexplained: tuple[str, ...] = ()
    column, features = "pattern", tuple(PROPERTIES)
    births, habits, kits, strays = True, True, True, True

    def __init__(self, **changes: Any) -> None:
        """The hunt as it is, but for these changes."""
        vars(self).update(changes)

    def hunt(self, failures: Frame, population: members.Population, day: Any) -> list[Alert]:
        """The incidents as of the last day."""
        resolved = (failures["explanation"] == "resolved").sum() / population.days
        suspect = failures["explanation"].isna() | failures["explanation"].isin(self.unexplained)
        suspects = failures[suspect]
        masks, counts = np.unique(suspects[self.column].to_numpy(), return_counts=True)
        bits = mask_bits(masks.tolist(), len(self.features))
        fit, _ = (
            fit_by_births(bits, counts)
            if self.births
            else fit_by_restarts(bits, counts, components=10, restarts=10, seed=0)
        )
        assigned = {a.mask: a for a in assign(fit, masks.tolist(), bits, PruningRules())}
        suspects = suspects[suspects[self.column].isin(assigned)].assign(
            component=lambda s: [assigned[m].cluster_id for m in s[self.column]],
            assignment_probability=lambda s: [assigned[m].probability for m in s[self.column]],
        )
        alerts = []
        with self._patched():
            for _, component in suspects.groupby("component"):
                found = members.campaign_members(component, population, len(fit.weights), 0.4)
                for _, cluster in found.groupby("cluster_id"):
                    if self._keeps(cluster, resolved):
                        alerts.append(Alert(frozenset(cluster["signin_id"]), day))
        return alerts

    def _keeps(self, cluster: Frame, resolved: float) -> bool:
        odd = mask_bits(cluster["pattern"].tolist(), len(PROPERTIES)).mean(axis=0) >= 0.5
        tests = spray_tests(size_of(cluster), strays_a_day(resolved, int(odd.sum())))
        return all(t.passed for t in tests if self.strays or t.name != "more than stray failures")

    @contextmanager
    def _patched(self) -> Iterator[None]:
        with ExitStack() as stack:
            if not self.habits:
                ones: Callable[..., np.ndarray] = lambda s, p: np.ones(len(s))  # noqa: E731
                stack.enter_context(patch.object(members, "member_probability", ones))
            if not self.kits:
                zeros: Callable[..., np.ndarray] = lambda s: np.zeros(len(s), int)  # noqa: E731
                stack.enter_context(patch.object(members, "split_by_kit", zeros))
            yield


RECIPES = {
    "all of it": Recipe(),
    **{f"without the explanation: {name}": Recipe(unexplained=(name,)) for name in EXPLANATIONS},
    "without any explanation": Recipe(unexplained=tuple(EXPLANATIONS)),
    "without births (K = 10, 10 starts)": Recipe(births=False),
    "without properties (nine features)": Recipe(column="mask", features=FEATURES),
    "without habits of members": Recipe(habits=False),
    "without the split by device": Recipe(kits=False),
    "without the test against strays": Recipe(strays=False),
}


def main() -> None:
    """Print a table: the hunt, and the hunt without one ingredient after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.ablations")
    parser.add_argument("--seeds", type=int, nargs="+", default=TUNING_SEEDS[:1])
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=DEFAULT_SCENARIOS)
    options = parser.parse_args()
    spark = KeptSpark()
    campaigns, tenants = [], []
    for seed in options.seeds:
        for scenario in options.scenarios:
            hunting = Hunting(
                tenant_of(scenario, seed), Path(mkdtemp(prefix="lowslow-benchmark-")), spark
            )
            try:
                labels = hunting.ingest()
                failures, population = _failures(hunting)
            finally:
                shutil.rmtree(hunting.lake)
            for name, recipe in RECIPES.items():
                alerts = recipe.hunt(failures, population, hunting.days[-1])
                rows, tenant = score(
                    Case(scenario, seed, name), alerts, labels, hunting.tenant.start
                )
                campaigns += rows
                tenants.append(tenant)
    print(detectors_table(campaigns, tenants))


def _failures(hunting: Hunting) -> tuple[pd.DataFrame, members.Population]:
    """All of the window's failures, with mask, pattern and explanation."""
    day = hunting.days[-1]
    made = dg.AssetSelection.assets("feature_baseline", "anomaly_masks", "suspect_failures")
    hunting.materialize(made, day)
    parameters = HuntParameters(lookback_days=len(hunting.days))
    hunt = Hunt(day, Lake(str(hunting.lake), hunting.spark.spark_session), parameters)
    failures = hunt.signins().where(F.col("outcome") == FAILURE)
    explained = explain_failures(failures, hunt.sources(), len(hunting.days))
    judged = (
        hunt.mask(failures)
        .withColumn("pattern", pattern())
        .withColumn("odd_device", is_anomalous("device") == 1)
        .join(explained.select("date", "signin_id", "explanation"), ["date", "signin_id"])
    )
    return judged.toPandas(), clusters.population(hunt)


if __name__ == "__main__":
    main()
