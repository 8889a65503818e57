"""Anomaly masks: per sign-in one bit a feature, set where its category is anomalous."""

from collections.abc import Iterable, Sequence

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lowslow_assets.detection.baseline import FeatureBaseline


def mask_signins(
    signins: DataFrame, window_counts: DataFrame, baselines: Iterable[FeatureBaseline]
) -> DataFrame:
    """Add the column ``mask``; bit i belongs to the i-th of ``baselines``.

    ``window_counts`` are the window's counts per (feature, category). Categories can be
    millions, so they are joined, one feature at a time; a category that the window does
    not know has no successes.
    """
    mask = F.lit(0)
    for bit, baseline in enumerate(baselines):
        if baseline.anomalous_below == 0:
            continue
        feature = baseline.feature
        # Normal categories are the few: what finds no partner is anomalous.
        normal = window_counts.where(
            (F.col("feature") == feature) & (F.col("successes") >= baseline.anomalous_below)
        ).select(F.col("category").alias(feature), F.lit(0).alias(f"bit_{bit}"))
        signins = signins.join(normal, feature, "left")
        mask = mask.bitwiseOR(F.coalesce(f"bit_{bit}", F.lit(1 << bit)))
    helpers = [column for column in signins.columns if column.startswith("bit_")]
    return signins.withColumn("mask", mask).drop(*helpers)


def count_patterns(masked: DataFrame) -> DataFrame:
    """How many rows have each mask, as (mask, failures)."""
    return masked.groupBy("mask").agg(F.count(F.lit(1)).alias("failures"))


def mask_bits(masks: Sequence[int], features: int) -> np.ndarray:
    """Masks as a boolean array of shape (len(masks), features)."""
    return (np.asarray(masks, dtype=np.int64)[:, None] >> np.arange(features)) & 1 == 1


def mask_names(mask: int, features: Sequence[str]) -> list[str]:
    """The features whose bit is set."""
    return [feature for bit, feature in enumerate(features) if mask >> bit & 1]
