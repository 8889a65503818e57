"""The window's baseline: which categories are anomalous, per feature.

Everything follows from how many categories occur how often, so the driver sees
counts of counts, never the categories: at most about sqrt(2 N) rows a feature
for N sign-ins.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

PSEUDO_COUNT = 2.0
THRESHOLD_SIGMAS = 2.0


@dataclass(frozen=True)
class SpectrumLine:
    """How many categories have this many successes, and the failures those hold together."""

    successes: int
    categories: int
    failures: int


@dataclass(frozen=True)
class FeatureBaseline:
    """A feature's baseline; the fields are the columns of the table ``feature_baseline``."""

    feature: str
    successes: int
    failures: int
    categories: int
    entropy: float
    normalized_entropy: float | None
    mean_log_probability: float | None
    sd_log_probability: float | None
    threshold: float | None
    anomalous_below: int
    anomalous_categories: int
    anomalous_failures: int
    anomalous_failure_share: float | None


def sum_counts(counts: DataFrame) -> DataFrame:
    """The window's counts per (feature, category) from its days' ``category_counts``."""
    return counts.groupBy("feature", "category").agg(
        F.sum("successes").alias("successes"), F.sum("failures").alias("failures")
    )


def count_spectrum(window_counts: DataFrame) -> dict[str, list[SpectrumLine]]:
    """Collect, per feature, how many categories have how many successes."""
    rows = (
        window_counts.groupBy("feature", "successes")
        .agg(F.count(F.lit(1)).alias("categories"), F.sum("failures").alias("failures"))
        .orderBy("feature", "successes")
        .collect()
    )
    spectra: dict[str, list[SpectrumLine]] = {}
    for row in rows:
        line = SpectrumLine(row["successes"], row["categories"], row["failures"])
        spectra.setdefault(row["feature"], []).append(line)
    return spectra


def held_usual(
    entries: DataFrame, window_counts: DataFrame, baselines: Iterable[FeatureBaseline]
) -> DataFrame:
    """The categories that are not anomalous, but would be without these successes.

    ``entries`` are successes with their features, of those that the window counts. Thresholds stay
    as they are. Returns rows (feature, category, successes, of_campaigns), the worst first.
    """
    below = {baseline.feature: baseline.anomalous_below for baseline in baselines}
    pairs = F.explode(
        F.array(
            *(
                F.struct(
                    F.lit(feature).alias("feature"),
                    F.col(feature).alias("category"),
                    F.lit(least).alias("below"),
                )
                for feature, least in below.items()
            )
        )
    )
    of_campaigns = (
        entries.select(pairs.alias("pair"))
        .groupBy("pair.feature", "pair.category", "pair.below")
        .agg(F.count(F.lit(1)).alias("of_campaigns"))
    )
    usual = F.col("successes") >= F.col("below")
    held = F.col("successes") - F.col("of_campaigns") < F.col("below")
    return (
        window_counts.join(F.broadcast(of_campaigns), ["feature", "category"])
        .where(usual & held)
        .select("feature", "category", "successes", "of_campaigns")
        .orderBy(F.desc("of_campaigns"), "feature", "category")
    )


def fit_baseline(feature: str, spectrum: Iterable[SpectrumLine]) -> FeatureBaseline:
    """The baseline of one feature.

    With N successes, n of them with the category, and K categories among successes and
    failures: ``log p = log((n + 2) / (N + 2 K))``; mu and sigma are its mean and standard
    deviation over the successes; a category is anomalous where ``log p < mu - 2 sigma``.
    A window without successes has no baseline: nothing is anomalous in it.

    Sums are exact (``math.fsum``), so the result does not depend on any order.
    """
    lines = list(spectrum)
    total = sum(line.successes * line.categories for line in lines)
    categories = sum(line.categories for line in lines)
    failures = sum(line.failures for line in lines)

    def log_probability(successes: int) -> float:
        return math.log((successes + PSEUDO_COUNT) / (total + PSEUDO_COUNT * categories))

    mean = sd = threshold = None
    anomalous_below = 0
    if total:
        weighted = [
            (line.successes * line.categories, log_probability(line.successes)) for line in lines
        ]
        mean = math.fsum(weight * value for weight, value in weighted) / total
        variance = math.fsum(weight * (value - mean) ** 2 for weight, value in weighted) / total
        sd = math.sqrt(variance)
        threshold = mean - THRESHOLD_SIGMAS * sd
        anomalous_below = _first_normal_count(log_probability, threshold, total)
    anomalous = [line for line in lines if line.successes < anomalous_below]
    anomalous_failures = sum(line.failures for line in anomalous)
    entropy = entropy_of_counts((line.successes, line.categories) for line in lines)
    return FeatureBaseline(
        feature=feature,
        successes=total,
        failures=failures,
        categories=categories,
        entropy=entropy,
        normalized_entropy=entropy / math.log(categories) if categories > 1 else None,
        mean_log_probability=mean,
        sd_log_probability=sd,
        threshold=threshold,
        anomalous_below=anomalous_below,
        anomalous_categories=sum(line.categories for line in anomalous),
        anomalous_failures=anomalous_failures,
        anomalous_failure_share=anomalous_failures / failures if failures else None,
    )


def _first_normal_count(log_probability, threshold: float, total: int) -> int:
    """The smallest number of successes with which a category is not anomalous (bisection)."""
    low, high = 0, total
    while low < high:
        middle = (low + high) // 2
        if log_probability(middle) < threshold:
            low = middle + 1
        else:
            high = middle
    return low


def entropy_of_counts(counts: Iterable[tuple[int, int]]) -> float:
    """Shannon entropy in nats of a distribution given as (count, categories with that count)."""
    pairs = [(count, number) for count, number in counts if count > 0]
    total = sum(count * number for count, number in pairs)
    return math.fsum(-number * (count / total) * math.log(count / total) for count, number in pairs)
