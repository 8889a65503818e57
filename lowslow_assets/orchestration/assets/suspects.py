"""explained_failures and suspect_failures: harmless attempts, and those that remain."""

from collections.abc import Iterator

from lowslow_assets.detection.explanations import (
    describe_groups,
    explain_by_window,
    explained_sources,
    unexplained_failures,
)
from lowslow_assets.detection.masks import suspects
from lowslow_assets.detection.patterns import with_patterns
from lowslow_assets.hunting.hunt import Hunt
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
from lowslow_assets.orchestration.assets.hunt import Made, hunt_assets
from lowslow_assets.orchestration.assets.masks import masks_of


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
    """Explain attempts; the notebook's hunt takes all failures unexplained."""
    if hunt.settings.of_notebook:
        yield [], {}
        yield hunt.no_rows(SUSPECT_FAILURES), {}
        return
    by_window = explain_by_window(
        hunt.open_failures(),
        hunt.failure_sources(),
        hunt.sources(),
        len(hunt.ingested_days()),
    ).held()
    # What the day leaves open, the window may explain.
    groups = describe_groups(explained_sources(hunt.failure_sources(), by_window))
    yield (
        groups,
        {"explanations": table_metadata([vars(group) for group in groups if not group.example])},
    )
    unexplained = unexplained_failures(by_window).held()
    yield suspects(unexplained, with_patterns(masks_of(hunt, unexplained))), {}
