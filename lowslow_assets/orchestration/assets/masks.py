"""feature_baseline, anomaly_masks and mask_patterns: what is anomalous in the window."""

from dataclasses import dataclass

from lowslow_assets.detection.baseline import count_spectrum, fit_baseline
from lowslow_assets.detection.masks import (
    count_patterns,
    mask_names,
    masks_as_patterns,
    suspects,
    with_masks_of_day,
    with_outcomes,
)
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.sql import sql
from lowslow_assets.hunting.hunt import Hunt
from lowslow_assets.lake.tables import (
    ANOMALY_MASKS,
    CATEGORY_COUNTS,
    ENCODED_FEATURES,
    FEATURE_BASELINE,
    FEATURES,
    MASK_PATTERNS,
    SUCCESS,
    SUSPECT_FAILURES,
    USER_NAMES,
)
from lowslow_assets.orchestration.assets.declare import table_metadata
from lowslow_assets.orchestration.assets.hunt import Made, hunt_asset
from lowslow_assets.signins.features import attempts, of_outcome, password_failures

_SHOWN_PATTERNS = 25


@hunt_asset(FEATURE_BASELINE, deps=[CATEGORY_COUNTS])
def feature_baseline(hunt: Hunt) -> Made:
    """Fit each feature's baseline to the window's category counts."""
    spectra = count_spectrum(hunt.window_counts())
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
    return baselines, {
        "window": f"{hunt.settings.lookback_days} days to {hunt.day}",
        "days ingested": len(ingested),
        "days without sign-ins": empty,
        "days not ingested": hunt.settings.lookback_days - len(ingested),
        "successes": baselines[0].successes,
        "failures": baselines[0].failures,
        "features": table_metadata([{key: vars(b)[key] for key in shown} for b in baselines]),
    }


@hunt_asset(ANOMALY_MASKS, deps=[FEATURE_BASELINE, ENCODED_FEATURES, USER_NAMES, CATEGORY_COUNTS])
def anomaly_masks(hunt: Hunt) -> Made:
    """Mask the day's successes and the attempts that the preset judges."""
    day = hunt.signins([hunt.day])
    failures = password_failures(day) if hunt.settings.of_notebook else attempts(day)
    signins = sql(
        "SELECT * FROM {successes} UNION ALL SELECT * FROM {failures}",
        successes=of_outcome(day, SUCCESS),
        failures=failures,
    )
    return with_outcomes(signins, hunt.mask(signins)), {}


@dataclass(frozen=True)
class _Pattern:
    mask: int
    anomalous_features: list[str]
    failures: int


@hunt_asset(MASK_PATTERNS, deps=[SUSPECT_FAILURES, ANOMALY_MASKS, FEATURE_BASELINE])
def mask_patterns(hunt: Hunt) -> Made:
    """Count the failures that the model is fitted on by mask."""
    counted = count_patterns(modelled_failures(hunt)).rows()
    patterns = [
        _Pattern(row["mask"], mask_names(row["mask"], hunt.model_features), row["failures"])
        for row in sorted(counted, key=lambda row: (-row["failures"], row["mask"]))
    ]
    return patterns, {
        "patterns": len(patterns),
        "failures": sum(pattern.failures for pattern in patterns),
        "most common": table_metadata([vars(p) for p in patterns[:_SHOWN_PATTERNS]]),
    }


def modelled_failures(hunt: Hunt) -> Relation:
    """The failures that the model is fitted on, with their ``pattern`` over its features.

    Rows of ``suspect_failures``. The notebook takes all of the window's wrong and expired
    passwords; its patterns are their anomaly masks.
    """
    if not hunt.settings.of_notebook:
        return hunt.result(SUSPECT_FAILURES)
    failures = password_failures(hunt.signins())
    return suspects(failures, masks_as_patterns(masks_of(hunt, failures)))


def masks_of(hunt: Hunt, failures: Relation) -> Relation:
    """The masks of the window's failures; those of the hunt's own day are already made."""
    earlier = sql("SELECT * FROM {failures} WHERE date <> {day}", failures=failures, day=hunt.day)
    today = sql("SELECT * FROM {failures} WHERE date = {day}", failures=failures, day=hunt.day)
    return with_masks_of_day(hunt.mask(earlier), today, hunt.result(ANOMALY_MASKS))
