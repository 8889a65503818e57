"""Masks on Spark against plain Python."""

from datetime import date

import numpy as np
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lowslow_assets.detection.baseline import (
    FeatureBaseline,
    count_spectrum,
    fit_baseline,
    sum_counts,
)
from lowslow_assets.detection.masks import count_patterns, mask_bits, mask_names, mask_signins

COUNTS = "feature string, category string, successes long, failures long"
SIGNINS = "signin_id int, browser string, city string, Location string"
DAY = date(2026, 5, 2)

# city: N = 98, K = 3, anomalous below 98 successes (see test_baseline). browser: no category
# is anomalous, however rare. Location: anomalous below 3.
WINDOW = [
    ("browser", "Edge", 50, 1),
    ("browser", "Firefox", 48, 3),
    ("browser", "curl", 0, 2),
    ("city", "Oslo", 98, 5),
    ("city", "Rome", 0, 7),
    ("city", "Bern", 0, 1),
    ("Location", "NO", 98, 5),
    ("Location", "SE", 2, 5),
]
ANOMALOUS_BELOW = {"browser": 0, "city": 98, "Location": 3}
FEATURES = list(ANOMALOUS_BELOW)
ROWS = [
    (1, "Edge", "Oslo", "NO"),
    (2, "curl", "Rome", "NO"),
    (3, "curl", "Oslo", "SE"),
    (4, "never seen", "Bern", "never seen"),
    # A city's name is no country: categories belong to their feature.
    (5, "Oslo", "NO", "Oslo"),
    (6, "Edge", "Oslo", "NO"),
]


def baselines(below: dict[str, int]) -> list[FeatureBaseline]:
    fitted = fit_baseline("", [])
    return [
        FeatureBaseline(**{**vars(fitted), "feature": f, "anomalous_below": n})
        for f, n in below.items()
    ]


def plain_masks() -> dict[int, int]:
    """Every bit from the window's counts, in plain Python."""
    successes = {(feature, category): n for feature, category, n, _ in WINDOW}
    return {
        signin: sum(
            1 << bit
            for bit, (feature, value) in enumerate(zip(FEATURES, values, strict=True))
            if successes.get((feature, value), 0) < ANOMALOUS_BELOW[feature]
        )
        for signin, *values in ROWS
    }


@pytest.fixture(scope="module")
def window(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(WINDOW, COUNTS)


def masks_of(masked: DataFrame) -> dict[int, int]:
    rows = masked.select("signin_id", "mask").collect()
    assert len(rows) == len({row["signin_id"] for row in rows}), "a join made rows out of nothing"
    return {row["signin_id"]: row["mask"] for row in rows}


@pytest.mark.parametrize("partitions", [1, 8])
def test_masks_are_those_of_plain_python(
    spark: SparkSession, window: DataFrame, partitions: int
) -> None:
    signins = (
        spark.createDataFrame(ROWS, SIGNINS).withColumn("date", F.lit(DAY)).repartition(partitions)
    )
    masked = mask_signins(signins, window.repartition(partitions), baselines(ANOMALOUS_BELOW))
    expected = {1: 0, 2: 0b010, 3: 0b100, 4: 0b110, 5: 0b110, 6: 0}
    assert plain_masks() == expected
    assert masks_of(masked) == expected
    patterns = count_patterns(masked.withColumnRenamed("mask", "pattern")).collect()
    assert {row["mask"]: row["failures"] for row in patterns} == {
        0: 2,
        0b010: 1,
        0b100: 1,
        0b110: 2,
    }


def test_only_the_features_columns_matter_and_the_others_stay(
    spark: SparkSession, window: DataFrame
) -> None:
    # One sign-in can stand in several rows, one a campaign it may belong to.
    extra = [(*row, DAY, f"note {n} on {row[0]}") for row in ROWS for n in range(3)]
    signins = spark.createDataFrame(extra, SIGNINS + ", date date, note string")
    masked = mask_signins(signins, window, baselines(ANOMALOUS_BELOW))
    assert set(masked.columns) == {*signins.columns, "mask"}
    assert masked.count() == len(extra)
    assert masks_of(masked.where("note LIKE 'note 1%'")) == plain_masks()
    assert masks_of(masked.where("note LIKE 'note 2%'")) == plain_masks()
    assert {tuple(row) for row in masked.select(*signins.columns).collect()} == set(extra)


def test_bits_are_in_the_order_of_the_baselines(spark: SparkSession, window: DataFrame) -> None:
    below = {feature: ANOMALOUS_BELOW[feature] for feature in ("Location", "browser", "city")}
    signins = spark.createDataFrame(ROWS, SIGNINS).withColumn("date", F.lit(DAY))
    masked = mask_signins(signins, window, baselines(below))
    assert masks_of(masked) == {1: 0, 2: 0b100, 3: 0b001, 4: 0b101, 5: 0b101, 6: 0}
    assert mask_names(0b101, list(below)) == ["Location", "city"]


def test_without_an_anomalous_category_every_mask_is_zero(
    spark: SparkSession, window: DataFrame
) -> None:
    signins = spark.createDataFrame(ROWS, SIGNINS).withColumn("date", F.lit(DAY))
    masked = mask_signins(signins, window, baselines(dict.fromkeys(FEATURES, 0)))
    assert set(masks_of(masked).values()) == {0}


def test_from_counts_to_masks_with_fitted_baselines(spark: SparkSession) -> None:
    """A category of the window is anomalous where log p < mu - 2 sigma; one it has not, too."""
    counts = {"common": 400, "second": 380, "third": 390, "rare": 1, "failed": 0}
    window = sum_counts(
        spark.createDataFrame([("city", c, n, 1) for c, n in counts.items()], COUNTS)
    )
    n = np.array(list(counts.values()))
    log_p = np.log((n + 2) / (n.sum() + 2 * len(n)))
    mean = np.average(log_p, weights=n)
    threshold = mean - 2 * np.sqrt(np.average((log_p - mean) ** 2, weights=n))
    anomalous = {c for c, value in zip(counts, log_p, strict=True) if value < threshold}
    assert anomalous == {"rare", "failed"}

    fitted = [fit_baseline("city", count_spectrum(window)["city"])]
    signins = spark.createDataFrame(
        [(DAY, c, c) for c in [*counts, "new"]], "date date, signin_id string, city string"
    )
    rows = mask_signins(signins, window, fitted).collect()
    assert {row["city"] for row in rows if row["mask"]} == anomalous | {"new"}


def test_mask_bits_and_names() -> None:
    bits = mask_bits([0, 1, 0b110], 3)
    assert bits.dtype == bool
    assert bits.tolist() == [[False] * 3, [True, False, False], [False, True, True]]
    assert mask_bits([], 9).shape == (0, 9)
    assert mask_names(0b110, ["a", "b", "c"]) == ["b", "c"]
    assert mask_names(0, ["a", "b", "c"]) == []
    assert bits @ (1 << np.arange(3)) == pytest.approx([0, 1, 0b110])
