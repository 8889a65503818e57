"""The window's baseline: which categories are anomalous, per feature.

The baseline depends only on how many categories occur how often. So Python sees counts of counts
and never the categories: for N sign-ins, at most about sqrt(2 N) rows per feature.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow as pa

from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.lake.tables import CATEGORIES, CATEGORY_COUNTS

COUNTS = CATEGORY_COUNTS.schema
_LEAST = schema("feature string, below bigint")

PSEUDO_COUNT = 2.0
THRESHOLD_SIGMAS = 2.0


@dataclass(frozen=True)
class SpectrumLine:
    """How many categories have this many successes, and the sum of their failures."""

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


@transform(COUNTS, counts=COUNTS)
def sum_counts(counts: Relation) -> Relation:
    """The window's counts per (feature, category) from its days' ``category_counts``."""
    return sql(
        """
        SELECT
            feature,
            category,
            CAST(sum(successes) AS BIGINT) AS successes,
            CAST(sum(failures) AS BIGINT) AS failures
        FROM {counts}
        GROUP BY feature, category
        """,
        counts=counts,
    )


def count_spectrum(window_counts: Relation) -> dict[str, list[SpectrumLine]]:
    """Per feature, how many categories have how many successes."""
    spectra: dict[str, list[SpectrumLine]] = {}
    for row in count_counts(window_counts).rows():
        line = SpectrumLine(row["successes"], row["categories"], row["failures"])
        spectra.setdefault(row["feature"], []).append(line)
    return spectra


@transform(
    schema("feature string, successes bigint, categories bigint, failures bigint"), counts=COUNTS
)
def count_counts(counts: Relation) -> Relation:
    """The rows of `count_spectrum`, in order."""
    return sql(
        """
        SELECT
            feature,
            successes,
            count(*) AS categories,
            CAST(sum(failures) AS BIGINT) AS failures
        FROM {counts}
        GROUP BY feature, successes
        ORDER BY feature NULLS FIRST, successes NULLS FIRST
        """,
        counts=counts,
    )


def held_usual(
    entries: Relation, window_counts: Relation, baselines: Iterable[FeatureBaseline]
) -> Relation:
    """The categories that are not anomalous, but would be without these successes.

    ``entries`` are successes with their features, and are among those that the window counts. The
    thresholds are not fitted again. Returns rows (feature, category, successes, of_campaigns), the
    worst first.
    """
    rows = [{"feature": b.feature, "below": b.anomalous_below} for b in baselines]
    least = entries.engine.from_arrow(pa.Table.from_pylist(rows, _LEAST))
    return usual_by_entries(entries, window_counts, least)


@transform(
    schema("feature string, category string, successes bigint, of_campaigns bigint"),
    entries=CATEGORIES,
    counts=COUNTS,
    least=_LEAST,
)
def usual_by_entries(entries: Relation, counts: Relation, least: Relation) -> Relation:
    """The rows of `held_usual`; a category with fewer than ``below`` successes is anomalous."""
    return sql(
        """
        WITH _of_campaigns AS (
            SELECT feature, category, count(*) AS of_campaigns
            FROM {entries} UNPIVOT (
                category FOR feature IN ({features})
            )
            GROUP BY feature, category
        )
        SELECT counts.feature, counts.category, counts.successes, _of_campaigns.of_campaigns
        FROM {counts} AS counts
        JOIN _of_campaigns
            ON _of_campaigns.feature = counts.feature
            AND _of_campaigns.category = counts.category
        JOIN {least} AS least ON least.feature = counts.feature
        WHERE counts.successes >= least.below
            AND counts.successes - _of_campaigns.of_campaigns < least.below
        ORDER BY of_campaigns DESC NULLS LAST, feature NULLS FIRST, category NULLS FIRST
        """,
        features=Columns(CATEGORIES),
        entries=entries,
        counts=counts,
        least=least,
    )


def fit_baseline(feature: str, spectrum: Iterable[SpectrumLine]) -> FeatureBaseline:
    """The baseline of one feature.

    With N successes, n of them with the category, and K categories among successes and
    failures: ``log p = log((n + 2) / (N + 2 K))``; mu and sigma are its mean and standard deviation
    over the successes; a category is anomalous where ``log p < mu - 2 sigma``. A window without
    successes has no baseline, and no category in it is anomalous.

    Sums are exact (``math.fsum``), so the result does not depend on the order of the rows.
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
