"""Anomaly masks: per sign-in one bit per feature, set where its category is anomalous."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from lowslow_assets.detection.baseline import COUNTS, FeatureBaseline
from lowslow_assets.detection.patterns import PATTERNS
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.lake.tables import (
    ANOMALY_MASKS,
    CATEGORIES,
    ENCODED_FEATURES,
    NOTEBOOK_FEATURES,
    OPEN_FAILURES,
    SUSPECT_FAILURES,
)

_BITS = schema("feature string, below bigint, bit int")
MASKS = schema("date date, signin_id string, mask int")
_SIGNINS = pa.schema([*schema("date date, signin_id string"), *CATEGORIES])


def mask_signins(
    signins: Relation, window_counts: Relation, baselines: Sequence[FeatureBaseline]
) -> Relation:
    """The mask of each sign-in, as (date, signin_id, mask); bit i is the i-th of ``baselines``.

    ``window_counts`` are the window's counts per (feature, category). There can be millions of
    categories, so they are joined. A category that is missing from the window has no successes.
    Rows with one ``date`` and ``signin_id`` are one sign-in and have one mask.
    """
    bits = [
        {
            "feature": b.feature,
            "below": b.anomalous_below,
            # If no number of successes is too few, no category is anomalous.
            "bit": 1 << bit if b.anomalous_below > 0 else 0,
        }
        for bit, b in enumerate(baselines)
    ]
    of_features = signins.engine.from_arrow(pa.Table.from_pylist(bits, _BITS))
    return join_bits(signins, window_counts, of_features)


@transform(MASKS, signins=_SIGNINS, counts=COUNTS, bits=_BITS)
def join_bits(signins: Relation, counts: Relation, bits: Relation) -> Relation:
    """The masks of sign-ins, given the bit of each feature and what is normal in the window.

    A category with at least ``below`` successes is normal; ``bits`` has each feature once.
    """
    return sql(
        """
        WITH _pairs AS (
            SELECT date, signin_id, feature, category
            FROM {signins} UNPIVOT (
                category FOR feature IN ({features})
            )
        ),
        -- Normal categories are few, so they are joined: a row without a match is anomalous.
        _normal AS (
            SELECT counts.feature, counts.category
            FROM {counts} AS counts
            JOIN {bits} AS bits ON bits.feature = counts.feature
            WHERE counts.successes >= bits.below
        )
        SELECT
            _pairs.date,
            _pairs.signin_id,
            bit_or(CASE WHEN _normal.feature IS NULL THEN bits.bit ELSE 0 END) AS mask
        FROM _pairs
        JOIN {bits} AS bits ON bits.feature = _pairs.feature
        LEFT JOIN _normal
            ON _normal.feature = _pairs.feature AND _normal.category = _pairs.category
        GROUP BY _pairs.date, _pairs.signin_id
        """,
        features=Columns(CATEGORIES),
        signins=signins,
        counts=counts,
        bits=bits,
    )


@transform(ANOMALY_MASKS.schema, signins=ENCODED_FEATURES.dated, masks=MASKS)
def with_outcomes(signins: Relation, masks: Relation) -> Relation:
    """Rows of ``anomaly_masks``: one per row of the sign-ins."""
    return sql(
        """
        SELECT signins.signin_id, signins.outcome, masks.mask
        FROM {signins} AS signins
        JOIN {masks} AS masks
            ON masks.date = signins.date AND masks.signin_id = signins.signin_id
        """,
        signins=signins,
        masks=masks,
    )


@transform(
    MASKS,
    masks=MASKS,
    today=schema("date date, signin_id string"),
    made=ANOMALY_MASKS.schema,
)
def with_masks_of_day(masks: Relation, today: Relation, made: Relation) -> Relation:
    """Masks of earlier days, and those that a day's ``anomaly_masks`` have for some of its rows."""
    return sql(
        """
        SELECT date, signin_id, mask FROM {masks}
        UNION ALL
        SELECT today.date, today.signin_id, made.mask
        FROM {today} AS today
        JOIN {made} AS made ON made.signin_id = today.signin_id
        """,
        masks=masks,
        today=today,
        made=made,
    )


@transform(PATTERNS, masks=MASKS)
def masks_as_patterns(masks: Relation) -> Relation:
    """The masks as patterns of a model whose bits are the notebook's features themselves."""
    return sql(
        "SELECT date, signin_id, mask, mask & {notebooks} AS pattern FROM {masks}",
        masks=masks,
        notebooks=(1 << len(NOTEBOOK_FEATURES)) - 1,
    )


@transform(SUSPECT_FAILURES.schema, failures=OPEN_FAILURES.dated, patterns=PATTERNS)
def suspects(failures: Relation, patterns: Relation) -> Relation:
    """Failures with their mask and pattern: rows of ``suspect_failures``."""
    return sql(
        """
        WITH _suspects AS (
            SELECT {of_failures}, patterns.mask, patterns.pattern
            FROM {failures} AS failures
            JOIN {patterns} AS patterns
                ON patterns.date = failures.date AND patterns.signin_id = failures.signin_id
        )
        SELECT {columns} FROM _suspects
        """,
        columns=Columns(SUSPECT_FAILURES.schema),
        of_failures=Columns(OPEN_FAILURES.dated, "failures"),
        failures=failures,
        patterns=patterns,
    )


@transform(schema("mask int, failures bigint"), failures=schema("pattern int"))
def count_patterns(failures: Relation) -> Relation:
    """How many rows have each ``pattern``, as (mask, failures)."""
    return sql(
        "SELECT pattern AS mask, count(*) AS failures FROM {failures} GROUP BY pattern",
        failures=failures,
    )


def mask_bits(masks: Sequence[int], features: int) -> np.ndarray:
    """Masks as a boolean array of shape (len(masks), features)."""
    return (np.asarray(masks, dtype=np.int64)[:, None] >> np.arange(features)) & 1 == 1


def mask_names(mask: int, features: Sequence[str]) -> list[str]:
    """The features whose bit is set."""
    return [feature for bit, feature in enumerate(features) if mask >> bit & 1]
