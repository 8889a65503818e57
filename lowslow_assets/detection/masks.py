"""Anomaly masks: per sign-in one bit a feature, set where its category is anomalous."""

from collections.abc import Sequence

import numpy as np
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lowslow_assets.detection.baseline import FeatureBaseline


def mask_signins(
    signins: DataFrame, window_counts: DataFrame, baselines: Sequence[FeatureBaseline]
) -> DataFrame:
    """Add the column ``mask``; bit i belongs to the i-th of ``baselines``.

    ``window_counts`` are the window's counts per (feature, category). Categories can be
    millions, so they are joined; a category that the window does not know has no successes.
    Rows of one ``date`` and ``signin_id`` are one sign-in, and have one mask.
    """
    selective = [(bit, b) for bit, b in enumerate(baselines) if b.anomalous_below > 0]
    if not selective:
        return signins.withColumn("mask", F.lit(0))
    feature = F.col("feature")
    least = F.coalesce(*(F.when(feature == b.feature, b.anomalous_below) for _, b in selective))
    # Normal categories are the few: what finds no partner is anomalous.
    normal = window_counts.where(F.col("successes") >= least).select(
        "feature", "category", F.lit(0).alias("normal_bit")
    )
    # One join of (feature, category) pairs: a join a feature reads the counts as often,
    # and takes Spark longer to plan than to run.
    pairs = F.explode(
        F.array(
            *(
                F.struct(
                    F.lit(1 << bit).alias("bit"),
                    F.lit(b.feature).alias("feature"),
                    F.col(b.feature).alias("category"),
                )
                for bit, b in selective
            )
        )
    )
    masks = (
        signins.select("date", "signin_id", pairs.alias("pair"))
        .select("date", "signin_id", "pair.*")
        .join(normal, ["feature", "category"], "left")
        .groupBy("date", "signin_id")
        .agg(F.bit_or(F.coalesce("normal_bit", "bit")).alias("mask"))
    )
    return signins.join(masks, ["date", "signin_id"])


def count_patterns(failures: DataFrame) -> DataFrame:
    """How many rows have each ``pattern``, as (mask, failures)."""
    mask = F.col("pattern").alias("mask")
    return failures.groupBy(mask).agg(F.count(F.lit(1)).alias("failures"))


def mask_bits(masks: Sequence[int], features: int) -> np.ndarray:
    """Masks as a boolean array of shape (len(masks), features)."""
    return (np.asarray(masks, dtype=np.int64)[:, None] >> np.arange(features)) & 1 == 1


def mask_names(mask: int, features: Sequence[str]) -> list[str]:
    """The features whose bit is set."""
    return [feature for bit, feature in enumerate(features) if mask >> bit & 1]
