"""explained_failures and suspect_failures: what is left when the harmless is explained."""

from collections.abc import Iterator

from pyspark.sql import functions as F

from lowslow_assets.assets.declare import table_metadata
from lowslow_assets.assets.hunt import Hunt, Made, hunt_assets
from lowslow_assets.assets.masks import masked
from lowslow_assets.detection.explanations import (
    describe_groups,
    explain_by_failures,
    explain_by_others,
)
from lowslow_assets.detection.patterns import pattern
from lowslow_assets.signins.dataframes import held
from lowslow_assets.signins.features import FAILURE
from lowslow_assets.tables import (
    ANOMALY_MASKS,
    CATEGORY_COUNTS,
    ENCODED_FEATURES,
    EXPLAINED_FAILURES,
    FEATURE_BASELINE,
    SUCCESS_SOURCES,
    SUSPECT_FAILURES,
)


@hunt_assets(
    "explain_failures",
    (EXPLAINED_FAILURES, SUSPECT_FAILURES),
    deps=[ENCODED_FEATURES, SUCCESS_SOURCES, FEATURE_BASELINE, ANOMALY_MASKS, CATEGORY_COUNTS],
)
def explained_and_suspect_failures(hunt: Hunt) -> Iterator[Made]:
    """Explain what can be explained; the notebook's hunt takes all failures as they are."""
    if hunt.of_notebook:
        yield [], {}
        yield hunt.no_rows(SUSPECT_FAILURES), {}
        return
    failures = hunt.signins().where(F.col("outcome") == FAILURE)
    days = len(hunt.ingested_days())
    # Each step is dear, and read more than once.
    first_step = explain_by_failures(failures, days).persist()
    explained = explain_by_others(first_step, hunt.sources(), days).persist()
    groups = describe_groups(explained)
    yield (
        groups,
        {"explanations": table_metadata([vars(group) for group in groups if not group.example])},
    )
    unexplained = held(explained.where(F.col("explanation").isNull()).select("date", "signin_id"))
    suspects = masked(hunt, held(failures.join(unexplained, ["date", "signin_id"], "left_semi")))
    in_order = (
        suspects.withColumn("pattern", pattern())
        .repartition(1)
        .sortWithinPartitions("time_generated", "signin_id")
    )
    yield in_order, {}
    explained.unpersist()
    first_step.unpersist()
