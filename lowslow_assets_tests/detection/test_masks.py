"""Masks of each engine against plain Python."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pytest

from lowslow_assets.detection.baseline import (
    FeatureBaseline,
    count_spectrum,
    fit_baseline,
    sum_counts,
)
from lowslow_assets.detection.masks import count_patterns, mask_bits, mask_names, mask_signins
from lowslow_assets.engines.base import Engine, Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.lake.tables import CATEGORY_COUNTS, ENCODED_FEATURES
from lowslow_assets.lake.tables import FEATURES as ALL_FEATURES
from lowslow_assets_tests.support.relations import relation

COUNTS = CATEGORY_COUNTS.schema
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
    # A city's name is not a country: categories belong to their feature.
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


def window(engine: Engine) -> Relation:
    return relation(engine, COUNTS, WINDOW)


def signins(engine: Engine, rows: Sequence[tuple[int, str, str, str]] = ROWS) -> Relation:
    """Sign-ins of a day; the window knows three of their features."""
    named = [
        {
            **dict.fromkeys(ALL_FEATURES, "something"),
            **dict(zip(FEATURES, values, strict=True)),
            "date": DAY,
            "signin_id": str(signin),
        }
        for signin, *values in rows
    ]
    return relation(engine, ENCODED_FEATURES.dated, named)


def masks_of(masked: Relation) -> dict[int, int]:
    rows = masked.rows()
    assert {row["date"] for row in rows} == {DAY}
    assert len(rows) == len({row["signin_id"] for row in rows}), "a join made rows out of nothing"
    return {int(row["signin_id"]): row["mask"] for row in rows}


def test_masks_are_those_of_plain_python(engine: Engine) -> None:
    masked = mask_signins(signins(engine), window(engine), baselines(ANOMALOUS_BELOW))
    expected = {1: 0, 2: 0b010, 3: 0b100, 4: 0b110, 5: 0b110, 6: 0}
    assert plain_masks() == expected
    assert masks_of(masked) == expected
    patterns = [{"pattern": row["mask"]} for row in masked.rows()]
    counted = count_patterns(relation(engine, schema("pattern int"), patterns))
    assert {row["mask"]: row["failures"] for row in counted.rows()} == {
        0: 2,
        0b010: 1,
        0b100: 1,
        0b110: 2,
    }


def test_a_sign_in_that_stands_in_several_rows_has_one_mask(engine: Engine) -> None:
    """It stands once for each campaign that it may belong to."""
    masked = mask_signins(signins(engine, ROWS * 3), window(engine), baselines(ANOMALOUS_BELOW))
    assert masks_of(masked) == plain_masks()


def test_bits_are_in_the_order_of_the_baselines(engine: Engine) -> None:
    below = {feature: ANOMALOUS_BELOW[feature] for feature in ("Location", "browser", "city")}
    masked = mask_signins(signins(engine), window(engine), baselines(below))
    assert masks_of(masked) == {1: 0, 2: 0b100, 3: 0b001, 4: 0b101, 5: 0b101, 6: 0}
    assert mask_names(0b101, list(below)) == ["Location", "city"]


def test_without_an_anomalous_category_every_mask_is_zero(engine: Engine) -> None:
    none = baselines(dict.fromkeys(FEATURES, 0))
    assert set(masks_of(mask_signins(signins(engine), window(engine), none)).values()) == {0}


def test_from_counts_to_masks_with_fitted_baselines(engine: Engine) -> None:
    """A category is anomalous if log p < mu - 2 sigma, or if the window lacks it."""
    counts = {"common": 400, "second": 380, "third": 390, "rare": 1, "failed": 0}
    rows = [("city", c, n, 1) for c, n in counts.items()]
    summed = sum_counts(relation(engine, COUNTS, rows))
    n = np.array(list(counts.values()))
    log_p = np.log((n + 2) / (n.sum() + 2 * len(n)))
    mean = np.average(log_p, weights=n)
    threshold = mean - 2 * np.sqrt(np.average((log_p - mean) ** 2, weights=n))
    anomalous = {c for c, value in zip(counts, log_p, strict=True) if value < threshold}
    assert anomalous == {"rare", "failed"}

    fitted = [fit_baseline("city", count_spectrum(summed)["city"])]
    named = dict(enumerate([*counts, "new"]))
    of_day = signins(engine, [(number, "", city, "") for number, city in named.items()])
    masks = masks_of(mask_signins(of_day, summed, fitted))
    assert {named[number] for number, mask in masks.items() if mask} == anomalous | {"new"}


def test_mask_bits_and_names() -> None:
    bits = mask_bits([0, 1, 0b110], 3)
    assert bits.dtype == bool
    assert bits.tolist() == [[False] * 3, [True, False, False], [False, True, True]]
    assert mask_bits([], 9).shape == (0, 9)
    assert mask_names(0b110, ["a", "b", "c"]) == ["b", "c"]
    assert mask_names(0, ["a", "b", "c"]) == []
    assert bits @ (1 << np.arange(3)) == pytest.approx([0, 1, 0b110])
