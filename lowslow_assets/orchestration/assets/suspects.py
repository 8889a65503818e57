"""explained_failures and suspect_failures: what is left when the harmless is explained."""

from collections.abc import Iterator

from pyspark.sql import functions as F

from lowslow_assets.detection.explanations import (
    describe_groups,
    explain_by_window,
    sum_failures,
)
from lowslow_assets.detection.patterns import pattern
from lowslow_assets.lake.tables import (
    ANOMALY_MASKS,
    CATEGORY_COUNTS,
    EXPLAINED_FAILURES,
    FAILURE_SOURCES,
    FEATURE_BASELINE,
    OPEN_FAILURES,
    SUCCESS_SOURCES,
    SUSPECT_FAILURES,
)
from lowslow_assets.orchestration.assets.declare import table_metadata
from lowslow_assets.orchestration.assets.hunt import Hunt, Made, hunt_assets
from lowslow_assets.orchestration.assets.masks import masked


@hunt_assets(
    "explain_failures",
    (EXPLAINED_FAILURES, SUSPECT_FAILURES),
    deps=[
        OPEN_FAILURES,
        FAILURE_SOURCES,
        SUCCESS_SOURCES,
        FEATURE_BASELINE,
        ANOMALY_MASKS,
        CATEGORY_COUNTS,
    ],
)
def explained_and_suspect_failures(hunt: Hunt) -> Iterator[Made]:
    """Explain what can be explained; the notebook's hunt takes all failures as they are."""
    if hunt.of_notebook:
        yield [], {}
        yield hunt.no_rows(SUSPECT_FAILURES), {}
        return
    by_day = hunt.failure_sources()
    by_window = explain_by_window(
        hunt.open_failures(), by_day, hunt.sources(), len(hunt.ingested_days())
    )
    # What the day leaves open, the window may explain.
    groups = describe_groups(
        by_day.where(F.col("explanation").isNotNull()).unionByName(sum_failures(by_window))
    )
    yield (
        groups,
        {"explanations": table_metadata([vars(group) for group in groups if not group.example])},
    )
    suspects = masked(hunt, by_window.where(F.col("explanation").isNull()))
    in_order = (
        suspects.withColumn("pattern", pattern())
        .repartition(1)
        .sortWithinPartitions("time_generated", "signin_id")
    )
    yield in_order, {}
