"""The baseline, calculated manually and by a second implementation of the same formulas."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowslow_assets.detection.baseline import (
    FeatureBaseline,
    SpectrumLine,
    count_spectrum,
    entropy_of_counts,
    fit_baseline,
    held_usual,
    sum_counts,
)
from lowslow_assets.engines.base import Engine
from lowslow_assets.lake.tables import CATEGORY_COUNTS, ENCODED_FEATURES, FEATURES
from lowslow_assets_tests.support.relations import relation

COUNTS = CATEGORY_COUNTS.schema


def spectrum_of(counts: list[tuple[int, int]]) -> list[SpectrumLine]:
    """The spectrum of categories given as (successes, failures) each."""
    return [
        SpectrumLine(n, len(failures), sum(failures))
        for n in sorted({n for n, _ in counts})
        for failures in [[f for m, f in counts if m == n]]
    ]


def fit(counts: list[tuple[int, int]]) -> FeatureBaseline:
    return fit_baseline("city", spectrum_of(counts))


def reference(counts: list[tuple[int, int]]) -> tuple[pd.DataFrame, float, float, float]:
    """The design's formulas, category by category: (log p and anomalous), mu, sigma, entropy."""
    successes, failures = zip(*counts, strict=True)
    table = pd.DataFrame({"successes": successes, "failures": failures})
    n = table.successes.to_numpy(dtype=float)
    table["log_p"] = np.log((n + 2) / (n.sum() + 2 * len(table)))
    mean = np.average(table.log_p, weights=n)
    sd = np.sqrt(np.average((table.log_p - mean) ** 2, weights=n))
    table["anomalous"] = table.log_p < mean - 2 * sd
    share = n[n > 0] / n.sum()
    return table, float(mean), float(sd), float(-(share * np.log(share)).sum())


def test_three_categories_as_calculated_manually() -> None:
    # N = 98 + 0 + 0 and K = 3, so p = 100/104, 2/104, 2/104.
    baseline = fit([(98, 5), (0, 7), (0, 1)])
    assert vars(baseline) == pytest.approx(
        {
            "feature": "city",
            "successes": 98,
            "failures": 13,
            "categories": 3,
            "entropy": 0.0,
            "normalized_entropy": 0.0,
            "mean_log_probability": math.log(100 / 104),
            "sd_log_probability": 0.0,
            "threshold": math.log(100 / 104),
            # log p is below the threshold up to 97 successes.
            "anomalous_below": 98,
            "anomalous_categories": 2,
            "anomalous_failures": 8,
            "anomalous_failure_share": 8 / 13,
        }
    )


def test_mean_and_deviation_are_weighted_by_successes() -> None:
    # N = 8, K = 2: p = 8/12 with weight 6, 4/12 with weight 2; the values are log 2 apart.
    baseline = fit([(6, 0), (2, 3)])
    mean = 0.75 * math.log(8 / 12) + 0.25 * math.log(4 / 12)
    sd = math.log(2) * math.sqrt(0.75 * 0.25)
    assert baseline.mean_log_probability == pytest.approx(mean)
    assert baseline.sd_log_probability == pytest.approx(sd)
    assert baseline.threshold == pytest.approx(mean - 2 * sd)
    assert baseline.entropy == pytest.approx(0.75 * math.log(4 / 3) + 0.25 * math.log(4))
    # exp(threshold) = 0.561 * 0.549 = 0.308, times 12 is 3.69, less 2 is 1.69.
    assert baseline.anomalous_below == 2
    assert baseline.anomalous_categories == 0


def test_a_category_of_failures_alone_counts_for_k() -> None:
    without, with_it = fit([(6, 1), (2, 3)]), fit([(6, 1), (2, 3), (0, 5)])
    assert with_it.categories == without.categories + 1 == 3
    # The same successes, so the mean moves by the denominators alone: 12 and 14.
    assert without.mean_log_probability is not None
    assert with_it.mean_log_probability == pytest.approx(
        without.mean_log_probability + math.log(12 / 14)
    )
    assert with_it.anomalous_failures == 5
    assert with_it.normalized_entropy == pytest.approx(without.entropy / math.log(3))


@pytest.mark.parametrize("successes", [1, 3, 7, 10**6 + 3])
def test_categories_that_are_all_alike_are_all_normal(successes: int) -> None:
    """With no spread, threshold and log p are the same number but for rounding."""
    for categories in (1, 2, 3, 10):
        baseline = fit([(successes, 1)] * categories)
        assert baseline.anomalous_categories == 0
        assert baseline.anomalous_failure_share == 0
        assert baseline.entropy == pytest.approx(math.log(categories), abs=1e-12)


def test_one_category_has_no_normalized_entropy() -> None:
    assert fit([(5, 2)]).normalized_entropy is None


@pytest.mark.parametrize("counts", [[], [(0, 4), (0, 1)]])
def test_without_successes_nothing_is_anomalous(counts: list[tuple[int, int]]) -> None:
    baseline = fit(counts)
    assert baseline.threshold is None
    assert baseline.mean_log_probability is None
    assert baseline.sd_log_probability is None
    assert (baseline.anomalous_below, baseline.anomalous_categories) == (0, 0)
    assert baseline.entropy == 0
    assert baseline.anomalous_failure_share == (0 if counts else None)


# Mostly heavy tails, as real categories have.
CATEGORY = st.tuples(
    st.one_of(st.integers(0, 5), st.integers(0, 200), st.integers(0, 10**7)), st.integers(0, 20)
)


@settings(max_examples=300, deadline=None)
@given(st.lists(CATEGORY, min_size=1, max_size=60))
def test_baseline_equals_the_formulas_category_by_category(counts: list[tuple[int, int]]) -> None:
    baseline = fit(counts)
    if not any(n for n, _ in counts):
        assert baseline.threshold is None
        return
    table, mean, sd, entropy = reference(counts)
    # sigma, a root of squared differences, is exact to about 1e-15 of the logs it comes from.
    assert baseline.mean_log_probability == pytest.approx(mean, rel=1e-9, abs=1e-14)
    assert baseline.sd_log_probability == pytest.approx(sd, rel=1e-9, abs=1e-13)
    assert baseline.threshold == pytest.approx(mean - 2 * sd, rel=1e-9, abs=1e-13)
    assert baseline.entropy == pytest.approx(entropy, rel=1e-9, abs=1e-14)

    below = table.successes < baseline.anomalous_below
    assert baseline.threshold is not None
    # To the last digit against the baseline's own threshold ...
    log_p = [
        math.log((n + 2) / (baseline.successes + 2 * baseline.categories)) for n in table.successes
    ]
    assert list(below) == [value < baseline.threshold for value in log_p]
    # ... and against the reference's, where rounding does not decide.
    decided = (table.log_p - (mean - 2 * sd)).abs() > 1e-12
    assert (below == table.anomalous)[decided].all()
    assert baseline.anomalous_categories == below.sum()
    assert baseline.anomalous_failures == table.failures[below].sum()


@settings(max_examples=50, deadline=None)
@given(st.lists(CATEGORY, min_size=2, max_size=20), st.randoms())
def test_baseline_does_not_depend_on_the_order_of_the_spectrum(counts, random) -> None:
    spectrum = spectrum_of(counts)
    shuffled = random.sample(spectrum, len(spectrum))
    assert fit_baseline("city", shuffled) == fit_baseline("city", spectrum)


def test_days_add_up_and_the_spectrum_counts_counts(engine: Engine) -> None:
    days = relation(
        engine,
        COUNTS,
        [
            ("city", "Oslo", 3, 1),
            ("city", "Oslo", 2, 0),
            ("city", "Rome", 5, 4),
            ("city", "Bern", 0, 2),
            ("Location", "NO", 5, 1),
        ],
    )
    assert count_spectrum(sum_counts(days)) == {
        "Location": [SpectrumLine(successes=5, categories=1, failures=1)],
        "city": [
            SpectrumLine(successes=0, categories=1, failures=2),
            SpectrumLine(successes=5, categories=2, failures=5),
        ],
    }


def test_entropy_of_counts_of_counts() -> None:
    assert entropy_of_counts([(3, 4)]) == pytest.approx(math.log(4))
    # 2, 1, 1 of 4.
    assert entropy_of_counts([(2, 1), (1, 2), (0, 9)]) == pytest.approx(1.5 * math.log(2))
    assert entropy_of_counts([]) == 0


def test_categories_that_only_entries_hold_up_are_found(engine: Engine) -> None:
    counts = relation(
        engine,
        COUNTS,
        [
            ("city", "Oslo", 5, 0),
            ("city", "Lima", 5, 9),
            ("city", "Rome", 2, 0),
            ("browser", "Edge", 12, 9),
        ],
    )
    cities = ("Lima", "Lima", "Lima", "Oslo", "Rome")
    others = dict.fromkeys(FEATURES, "NODATA") | {"browser": "Edge"}
    entries = relation(engine, ENCODED_FEATURES.schema, [others | {"city": c} for c in cities])
    # A city is usual from 3 successes on: Lima has 2 without the entries, Oslo 4, Rome never had.
    baselines = [
        replace(fit([(5, 2), (2, 1)]), feature="city", anomalous_below=3),
        replace(fit([(12, 1)]), feature="browser", anomalous_below=7),
    ]
    rows = held_usual(entries, counts, baselines).rows()
    assert [tuple(row.values()) for row in rows] == [("city", "Lima", 5, 3)]
    none = relation(engine, ENCODED_FEATURES.schema)
    assert held_usual(none, counts, baselines).rows() == []
