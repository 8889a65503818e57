"""detection_limit: what a hunt over this window would have missed. Made on demand only."""

from dataclasses import replace
from datetime import UTC, datetime, time

import dagster as dg
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lowslow_assets.detection.explanations import explain_failures
from lowslow_assets.detection.limit import (
    KINDS,
    RATES,
    Limit,
    find_limits,
    in_words,
    synthetic_attempts,
)
from lowslow_assets.detection.patterns import is_anomalous, pattern
from lowslow_assets.lake.tables import (
    CLUSTER_MEMBERS,
    DETECTION_LIMIT,
    ENCODED_FEATURES,
    EXPLAINED_FAILURES,
    FEATURE_BASELINE,
    SUCCESS_SOURCES,
    SUSPECT_FAILURES,
)
from lowslow_assets.orchestration.assets.clusters import population, resolved_a_day
from lowslow_assets.orchestration.assets.declare import table_metadata
from lowslow_assets.orchestration.assets.hunt import Hunt, Made, hunt_asset
from lowslow_assets.reports import plots
from lowslow_assets.signins.dataframes import held
from lowslow_assets.signins.features import FAILURE


@hunt_asset(
    DETECTION_LIMIT,
    deps=[
        ENCODED_FEATURES,
        SUCCESS_SOURCES,
        FEATURE_BASELINE,
        EXPLAINED_FAILURES,
        SUSPECT_FAILURES,
        CLUSTER_MEMBERS,
    ],
    group="on_demand",
)
def detection_limit(hunt: Hunt) -> Made:
    """Put sprays of falling rate into the window and see from which rate on they are found."""
    if hunt.of_notebook:
        return [], {"in words": "Only the preset campaigns has one."}
    days = hunt.ingested_days()
    tenant = replace(population(hunt), days=(days[-1] - days[0]).days + 1)
    resolved, rules = resolved_a_day(hunt), hunt.parameters.pruning_rules

    def of_kind(suspects: pd.DataFrame) -> pd.DataFrame:
        limits = find_limits(suspects, tenant, resolved, rules)
        return pd.DataFrame([vars(limit) for limit in limits]).astype({"found_after_days": "Int64"})

    found = (
        _own_and_synthetic(hunt, tenant.days)
        .groupBy("kind")
        .applyInPandas(of_kind, "kind string, attempts_per_day long, found_after_days long")
        .collect()
    )
    after = {(row["kind"], row["attempts_per_day"]): row["found_after_days"] for row in found}
    limits = [
        Limit(kind, rate, after.get((kind, rate))) for kind in KINDS for rate in sorted(RATES)
    ]
    by_kind = {
        kind: {x.attempts_per_day: x.found_after_days for x in limits if x.kind == kind}
        for kind in KINDS
    }
    return limits, {
        "in words": dg.MetadataValue.md("\n".join(f"- {line}" for line in in_words(limits))),
        "limits": table_metadata([vars(limit) for limit in limits]),
        "days to detection": dg.MetadataValue.md(plots.detection_limits(by_kind, tenant.days)),
    }


def _own_and_synthetic(hunt: Hunt, days: int) -> DataFrame:
    """Per kind of spray the window's own suspects, without known campaigns, and the spray's."""
    signins = hunt.signins()
    midnight = datetime.combine(hunt.ingested_days()[0], time(), UTC)
    synthetic = synthetic_attempts(signins, F.lit(midnight.timestamp()), days).persist()
    failures = synthetic.drop("kind", "number")
    own_failures = signins.where(F.col("outcome") == FAILURE)
    explained = explain_failures(own_failures.unionByName(failures), hunt.sources(), days)
    unexplained = explained.where(F.col("explanation").isNull()).select("date", "signin_id")
    planted = (
        hunt.mask(held(synthetic.join(unexplained, ["date", "signin_id"], "left_semi")))
        .withColumn("pattern", pattern())
        .withColumn("odd_device", is_anomalous("device") == 1)
    )
    own = (
        hunt.result(SUSPECT_FAILURES)
        .join(hunt.result(CLUSTER_MEMBERS).select("signin_id"), "signin_id", "left_anti")
        .withColumn("odd_device", is_anomalous("device") == 1)
        .withColumn("kind", F.explode(F.array(*(F.lit(kind) for kind in KINDS))))
    )
    return planted.unionByName(own, allowMissingColumns=True)
