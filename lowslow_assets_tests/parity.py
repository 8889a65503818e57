"""Thresholds, anomalous categories and masks once more, in plain pandas.

An independent computation of the design's formulas from ``encoded_features``, compared
with what a hunt left in its lake: ``python -m lowslow_assets_tests.parity LAKE DAY DAYS``.
"""

import sys
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from lowslow_assets.signins.features import FEATURES


@dataclass(frozen=True)
class Report:
    """How far the hunt is from the plain computation."""

    signins: int
    failures: int
    threshold_difference: float
    anomalous_categories: int
    category_differences: int
    mask_differences: int
    pattern_differences: int


def compare(lake: Path, day: date, lookback_days: int) -> Report:
    """Compare the hunt as of ``day`` in ``lake`` with a computation of its own."""
    window = [day - timedelta(days=back) for back in range(lookback_days)]
    folders = [lake / "encoded_features" / f"date={d}" for d in window]
    signins = pd.concat([pd.read_parquet(f) for f in folders if f.is_dir()], ignore_index=True)
    signins = signins[signins["outcome"] != "other"]
    today = pd.read_parquet(lake / "encoded_features" / f"date={day}")
    baseline = pd.read_parquet(lake / "feature_baseline" / f"date={day}").set_index("feature")
    is_success = signins["outcome"] == "success"

    differences, anomalous_total, category_differences = [0.0], 0, 0
    window_masks = pd.Series(0, index=signins.index)
    today_masks = pd.Series(0, index=today.index)
    for bit, feature in enumerate(FEATURES):
        counts = signins.loc[is_success, feature].value_counts()
        counts = counts.reindex(signins[feature].unique(), fill_value=0)
        log_p = np.log((counts + 2) / (counts.sum() + 2 * len(counts)))
        mean = np.average(log_p, weights=counts)
        sd = np.sqrt(np.average((log_p - mean) ** 2, weights=counts))
        threshold = mean - 2 * sd
        differences.append(abs(threshold - baseline.loc[feature, "threshold"]))
        anomalous = log_p < threshold
        anomalous_total += int(anomalous.sum())
        ours = counts < baseline.loc[feature, "anomalous_below"]
        category_differences += int((anomalous != ours).sum())
        window_masks |= signins[feature].map(anomalous).astype(int) * (1 << bit)
        today_masks |= today[feature].map(anomalous).fillna(False).astype(int) * (1 << bit)

    masks = pd.read_parquet(lake / "anomaly_masks" / f"date={day}").set_index("signin_id")["mask"]
    expected = today_masks[today["outcome"] != "other"]
    expected.index = today.loc[expected.index, "signin_id"]
    patterns = pd.read_parquet(lake / "mask_patterns" / f"date={day}").set_index("mask")["failures"]
    expected_patterns = window_masks[~is_success].value_counts()
    return Report(
        signins=len(signins),
        failures=int((~is_success).sum()),
        threshold_difference=float(max(differences)),
        anomalous_categories=anomalous_total,
        category_differences=category_differences,
        mask_differences=_differences(masks, expected),
        pattern_differences=_differences(patterns, expected_patterns),
    )


def _differences(ours: pd.Series, expected: pd.Series) -> int:
    both = pd.concat([ours, expected], axis=1, keys=["ours", "expected"])
    return int((both["ours"] != both["expected"]).sum())


if __name__ == "__main__":
    for name, value in asdict(
        compare(Path(sys.argv[1]), date.fromisoformat(sys.argv[2]), int(sys.argv[3]))
    ).items():
        print(f"{name}: {value}")
