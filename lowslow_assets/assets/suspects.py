"""explained_failures and suspect_failures: what is left when the harmless is explained."""

from collections.abc import Iterator

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lowslow_assets.assets.declare import table_metadata
from lowslow_assets.assets.hunt import Hunt, Made, hunt_assets
from lowslow_assets.assets.masks import masked
from lowslow_assets.detection.explanations import describe_groups, explain_failures
from lowslow_assets.detection.patterns import pattern
from lowslow_assets.signins.features import FAILURE
from lowslow_assets.tables import (
    ANOMALY_MASKS,
    CATEGORY_COUNTS,
    ENCODED_FEATURES,
    EXPLAINED_FAILURES,
    FEATURE_BASELINE,
    SUSPECT_FAILURES,
)


@hunt_assets(
    "explain_failures",
    (EXPLAINED_FAILURES, SUSPECT_FAILURES),
    deps=[ENCODED_FEATURES, FEATURE_BASELINE, ANOMALY_MASKS, CATEGORY_COUNTS],
)
def explained_and_suspect_failures(hunt: Hunt) -> Iterator[Made]:
    """Explain what can be explained; the notebook's hunt takes all failures as they are."""
    if hunt.of_notebook:
        yield hunt.frame(EXPLAINED_FAILURES, []), {}
        yield hunt.frame(SUSPECT_FAILURES, []), {}
        return
    signins = hunt.signins()
    explained = explain_failures(signins, len(hunt.ingested_days())).persist()
    groups = describe_groups(explained)
    yield (
        hunt.frame(EXPLAINED_FAILURES, groups),
        {"explanations": table_metadata([vars(group) for group in groups if not group.example])},
    )
    yield _suspects(hunt, signins, explained), {}
    explained.unpersist()


def _suspects(hunt: Hunt, signins: DataFrame, explained: DataFrame) -> DataFrame:
    unexplained = explained.where(F.col("explanation").isNull()).select("date", "signin_id")
    failures = signins.where(F.col("outcome") == FAILURE)
    suspects = masked(hunt, failures.join(unexplained, ["date", "signin_id"], "left_semi"))
    return (
        suspects.withColumn("pattern", pattern())
        .repartition(1)
        .sortWithinPartitions("time_generated", "signin_id")
    )
