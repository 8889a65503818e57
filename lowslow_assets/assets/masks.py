"""feature_baseline, anomaly_masks and mask_patterns: what is anomalous in the window."""

from dataclasses import dataclass
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lowslow_assets.assets.declare import table_metadata
from lowslow_assets.assets.hunt import Hunt, hunt_asset
from lowslow_assets.detection.baseline import count_spectrum, fit_baseline, sum_counts
from lowslow_assets.detection.masks import count_patterns, mask_names
from lowslow_assets.signins.features import FAILURE, FEATURES, OTHER
from lowslow_assets.tables import (
    ANOMALY_MASKS,
    CATEGORY_COUNTS,
    ENCODED_FEATURES,
    FEATURE_BASELINE,
    MASK_PATTERNS,
)

_SHOWN_PATTERNS = 25


@hunt_asset(FEATURE_BASELINE, deps=[CATEGORY_COUNTS])
def feature_baseline(hunt: Hunt) -> tuple[DataFrame, dict[str, Any]]:
    """Fit each feature's baseline to the window's category counts."""
    spectra = count_spectrum(sum_counts(hunt.category_counts()))
    baselines = [fit_baseline(feature, spectra.get(feature, [])) for feature in FEATURES]
    ingested = hunt.ingested_days()
    partitions = [hunt.lake.partition(CATEGORY_COUNTS, day) for day in ingested]
    empty = sum(not partition or not partition.rows for partition in partitions)
    shown = (
        "feature",
        "threshold",
        "anomalous_below",
        "categories",
        "anomalous_categories",
        "anomalous_failure_share",
    )
    return hunt.frame(FEATURE_BASELINE, baselines), {
        "window": f"{hunt.parameters.lookback_days} days to {hunt.day}",
        "days ingested": len(ingested),
        "days without sign-ins": empty,
        "days not ingested": hunt.parameters.lookback_days - len(ingested),
        "successes": baselines[0].successes,
        "failures": baselines[0].failures,
        "features": table_metadata([{key: vars(b)[key] for key in shown} for b in baselines]),
    }


@hunt_asset(ANOMALY_MASKS, deps=[FEATURE_BASELINE, ENCODED_FEATURES, CATEGORY_COUNTS])
def anomaly_masks(hunt: Hunt) -> tuple[DataFrame, dict[str, Any]]:
    """Mask the day's successes and failures."""
    signins = hunt.signins([hunt.day]).where(F.col("outcome") != OTHER)
    return hunt.mask(signins).coalesce(1).sortWithinPartitions("signin_id"), {}


@dataclass(frozen=True)
class _Pattern:
    mask: int
    anomalous_features: list[str]
    failures: int


@hunt_asset(MASK_PATTERNS, deps=[ANOMALY_MASKS, FEATURE_BASELINE, ENCODED_FEATURES])
def mask_patterns(hunt: Hunt) -> tuple[DataFrame, dict[str, Any]]:
    """Count the window's failures by mask: the day's own, and the other days' masked as of it."""
    failed = F.col("outcome") == FAILURE
    earlier = hunt.mask(hunt.signins(hunt.ingested_days()[:-1]).where(failed))
    today = hunt.result(ANOMALY_MASKS).where(failed)
    counted = count_patterns(earlier.select("mask").unionAll(today.select("mask"))).collect()
    patterns = [
        _Pattern(row["mask"], mask_names(row["mask"], FEATURES), row["failures"])
        for row in sorted(counted, key=lambda row: (-row["failures"], row["mask"]))
    ]
    return hunt.frame(MASK_PATTERNS, patterns), {
        "patterns": len(patterns),
        "failures": sum(pattern.failures for pattern in patterns),
        "most common": table_metadata([vars(p) for p in patterns[:_SHOWN_PATTERNS]]),
    }
