"""What each ingredient is worth: ``python -m benchmarks.detection.ablations``.

The same tenants, hunted as of their last day with one ingredient left out at a time. The window's
failures are masked and explained once for each tenant; the judgement on them is the project's own.
"""

import argparse
import shutil
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import mkdtemp

import dagster as dg
import numpy as np
import pyarrow as pa

from benchmarks.detection.report import detectors_table
from benchmarks.detection.scenarios import SCENARIOS, TUNING_SEEDS, tenant_of
from benchmarks.detection.scoring import Alert, CampaignRow, TenantRow, Trial, score
from benchmarks.detection.tenants import Hunting
from lowslow_assets.detection.explanations import EXPLANATIONS, explain_failures
from lowslow_assets.detection.masks import suspects
from lowslow_assets.detection.members import Population, Suspects, population_of
from lowslow_assets.detection.patterns import MODEL_PROPERTIES, with_patterns
from lowslow_assets.detection.spray_tests import spray_tests
from lowslow_assets.engines.duckdb import DuckDBEngine
from lowslow_assets.engines.sql import sql
from lowslow_assets.hunting.hunt import Hunt
from lowslow_assets.hunting.judge import RECIPE, Recipe, fit_patterns, judge_suspects
from lowslow_assets.hunting.settings import HuntSettings
from lowslow_assets.lake.lake import Lake
from lowslow_assets.lake.tables import FEATURE_BASELINE, FEATURES
from lowslow_assets.settings import CAMPAIGNS, NOTEBOOK
from lowslow_assets.signins.features import attempts

DEFAULT_SCENARIOS = ("slow", "mimic", "two alike", "residential", "short", "quiet", "quiet, large")


@dataclass(frozen=True)
class Ablation:
    """What a hunt does without.

    unexplained: explanations that do not count.
    fit: the preset whose fit is taken.
    of_features: the model's bits are the features, not the properties.
    """

    unexplained: tuple[str, ...] = ()
    fit: str = CAMPAIGNS
    of_features: bool = False
    recipe: Recipe = RECIPE

    def hunt(self, failures: pa.Table, population: Population, day: date) -> list[Alert]:
        """The incidents as of a day, from rows of ``suspect_failures`` with ``explanation``."""
        explanations = failures["explanation"].to_pylist()
        rows = failures.filter(pa.array([e in (None, *self.unexplained) for e in explanations]))
        found, features = Suspects.of(rows), tuple(MODEL_PROPERTIES)
        if self.of_features:
            found, features = replace(found, pattern=rows["mask"].to_numpy()), FEATURES
        settings = HuntSettings(lookback_days=population.days)
        patterns = Counter(found.pattern.tolist())
        fit, _ = fit_patterns(patterns, len(features), replace(settings, preset=self.fit))
        clusters, members = judge_suspects(found, fit, population, settings, self.recipe)
        return [
            Alert(frozenset(found.signin_id[members.of([cluster.cluster_id]).position]), day)
            for cluster in clusters
            if cluster.kept
        ]


def _without_strays(*given):
    return [test for test in spray_tests(*given) if test.name != "more than stray failures"]


ABLATIONS = {
    "all of it": Ablation(),
    **{f"without the explanation: {name}": Ablation((name,)) for name in EXPLANATIONS},
    "without any explanation": Ablation(tuple(EXPLANATIONS)),
    "without births (K = 10, 10 starts)": Ablation(fit=NOTEBOOK),
    "without properties (nine features)": Ablation(of_features=True),
    "without habits of members": Ablation(
        recipe=replace(RECIPE, membership=lambda found, _: np.ones(len(found)))
    ),
    "without the split by device": Ablation(
        recipe=replace(RECIPE, split=lambda found: np.zeros(len(found), dtype=int))
    ),
    "without the test against strays": Ablation(recipe=replace(RECIPE, tests=_without_strays)),
}


def main() -> None:
    """Print a table: the hunt, and the hunt without one ingredient after the other."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection.ablations")
    parser.add_argument("--seeds", type=int, nargs="+", default=TUNING_SEEDS[:1])
    parser.add_argument("--scenarios", nargs="+", choices=SCENARIOS, default=DEFAULT_SCENARIOS)
    options = parser.parse_args()
    campaigns: list[CampaignRow] = []
    tenants: list[TenantRow] = []
    for seed in options.seeds:
        for scenario in options.scenarios:
            hunting = Hunting(tenant_of(scenario, seed), Path(mkdtemp(prefix="lowslow-benchmark-")))
            try:
                labels = hunting.ingest()
                failures, population = masked_and_explained(hunting)
            finally:
                shutil.rmtree(hunting.lake)
            for name, ablation in ABLATIONS.items():
                alerts = ablation.hunt(failures, population, hunting.days[-1])
                trial = Trial(scenario, seed, name)
                rows, tenant = score(trial, alerts, labels, hunting.tenant.start)
                campaigns += rows
                tenants.append(tenant)
    print(detectors_table(campaigns, tenants))


def masked_and_explained(hunting: Hunting) -> tuple[pa.Table, Population]:
    """All of the window's attempts as rows of ``suspect_failures``, with their explanation."""
    day, days = hunting.days[-1], len(hunting.days)
    hunting.materialize(dg.AssetSelection.assets(FEATURE_BASELINE.name), day)
    with closing(DuckDBEngine()) as engine:
        hunt = Hunt(day, Lake(str(hunting.lake), engine), HuntSettings(lookback_days=days))
        failures = attempts(hunt.signins()).held()
        explained = explain_failures(failures, hunt.sources(), days).held()
        # A drawn sign-in is in one day's folder only: its id is enough.
        rows = sql(
            """
            SELECT failures.*, explained.explanation
            FROM {failures} AS failures
            JOIN {explained} AS explained ON explained.signin_id = failures.signin_id
            ORDER BY failures.time_generated, failures.signin_id
            """,
            failures=suspects(failures, with_patterns(hunt.mask(failures))),
            explained=explained,
        ).held()
        unexplained = sql('SELECT "user" FROM {rows} WHERE explanation IS NULL', rows=rows)
        explained = Counter(rows.arrow()["explanation"].to_pylist())
        given_up = [
            {"explanation": name, "example": None, "failures": number}
            for name, number in explained.items()
        ]
        population = population_of(
            hunt.sources(), unexplained, given_up, hunt.success_hours(), days
        )
        return rows.arrow(), population


if __name__ == "__main__":
    main()
