"""Thresholds, anomalous categories and masks, computed a second time in plain pandas.

This is an independent computation of the design's formulas from ``encoded_features``. It is
compared with what a hunt left in its lake: ``python -m lowslow_assets_tests.support.notebook_parity
LAKE DAY DAYS``. Thresholds and masks are the same for both presets. The patterns of the window's
masks are the hunt's only if it was made with the preset ``notebook``.
"""

import json
import sys
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from lowslow_assets.lake.tables import FEATURES, NOTEBOOK_FEATURES
from lowslow_assets.settings import NOTEBOOK


@dataclass(frozen=True)
class Report:
    """How far the hunt is from the plain computation; None for what was not compared."""

    preset: str
    signins: int
    failures: int
    threshold_difference: float
    anomalous_categories: int
    category_differences: int
    mask_differences: int
    pattern_differences: int | None


def compare(lake: Path, day: date, lookback_days: int) -> Report:
    """Compare the hunt as of ``day`` in ``lake`` with the plain computation."""
    window = [day - timedelta(days=back) for back in range(lookback_days)]
    folders = [lake / "encoded_features" / f"date={d}" for d in window]
    signins = pd.concat([pd.read_parquet(f) for f in folders if f.is_dir()], ignore_index=True)
    # The notebook's two codes, and any other code that was set to be a wrong password.
    signins = signins.query("outcome in ('success', 'failure') or result_type == '50055'")
    today = pd.read_parquet(lake / "encoded_features" / f"date={day}")
    baseline = pd.read_parquet(lake / "feature_baseline" / f"date={day}").set_index("feature")
    is_success = signins["outcome"] == "success"

    differences, anomalous_total, category_differences = [0.0], 0, 0
    window_masks = np.zeros(len(signins), dtype=int)
    today_masks = np.zeros(len(today), dtype=int)
    for bit, feature in enumerate(FEATURES):
        counts = signins[is_success].groupby(feature).size()
        counts = counts.reindex(sorted(set(signins[feature])), fill_value=0)
        log_p = np.log((counts + 2) / (counts.sum() + 2 * len(counts)))
        mean = np.average(log_p, weights=counts)
        sd = np.sqrt(np.average((log_p - mean) ** 2, weights=counts))
        threshold = mean - 2 * sd
        differences.append(abs(threshold - baseline.loc[feature, "threshold"]))
        anomalous = {c for c, value in log_p.items() if value < threshold}
        ours = {c for c, n in counts.items() if n < baseline.loc[feature, "anomalous_below"]}
        anomalous_total += len(anomalous)
        category_differences += len(anomalous ^ ours)
        window_masks |= signins[feature].isin(list(anomalous)).to_numpy() * (1 << bit)
        today_masks |= today[feature].isin(list(anomalous)).to_numpy() * (1 << bit)

    masks = pd.read_parquet(lake / "anomaly_masks" / f"date={day}")
    counted = (today["outcome"].isin(["success", "failure"])) | (today["result_type"] == "50055")
    # Our own hunt also masks other attempts, whose categories may be missing from the baseline.
    masks = masks[masks["signin_id"].isin([*today["signin_id"][counted]])]
    preset = preset_of(lake, day)
    return Report(
        preset=preset,
        signins=len(signins),
        failures=int((~is_success).sum()),
        threshold_difference=float(max(differences)),
        anomalous_categories=anomalous_total,
        category_differences=category_differences,
        mask_differences=_differences(
            dict(zip(masks["signin_id"], masks["mask"], strict=True)),
            dict(zip(today["signin_id"][counted], today_masks[counted], strict=True)),
        ),
        pattern_differences=(
            _pattern_differences(lake, day, window_masks[~is_success])
            if preset == NOTEBOOK
            else None
        ),
    )


def preset_of(lake: Path, day: date) -> str:
    """The preset that the hunt was made with."""
    provenance = lake / "mask_patterns" / f"date={day}" / "_provenance.json"
    return json.loads(provenance.read_text())["made_from"]["preset"]


def _pattern_differences(lake: Path, day: date, masks: np.ndarray) -> int:
    patterns = pd.read_parquet(lake / "mask_patterns" / f"date={day}")
    masks = masks & ((1 << len(NOTEBOOK_FEATURES)) - 1)
    return _differences(
        dict(zip(patterns["mask"], patterns["failures"], strict=True)),
        dict(zip(*np.unique(masks, return_counts=True), strict=True)),
    )


def _differences(ours: dict, expected: dict) -> int:
    return sum(ours.get(key) != expected.get(key) for key in ours.keys() | expected.keys())


def main(lake: str, day: str, lookback_days: str) -> None:
    """Print the comparison, one line per number."""
    report = compare(Path(lake), date.fromisoformat(day), int(lookback_days))
    for name, value in asdict(report).items():
        if value is not None:
            print(f"{name}: {value}")
    if report.pattern_differences is None:
        print(
            f"Patterns were not compared: the hunt was made with the preset {report.preset}, "
            f"and they are the window's masks only with {NOTEBOOK}."
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
