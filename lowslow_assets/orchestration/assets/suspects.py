"""explained_failures and suspect_failures: harmless attempts, and those that remain."""

from collections.abc import Iterator
from datetime import date
from typing import Any

from lowslow_assets.detection.explanations import (
    describe_groups,
    explained_sources,
    unexplained_failures,
)
from lowslow_assets.detection.known_sources import KnownUse, explain_window, uses
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
    USER_NAMES,
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
        USER_NAMES,
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
    known = hunt.settings.known_sources
    by_window = explain_window(
        hunt.open_failures(),
        hunt.failure_sources(),
        hunt.sources(),
        len(hunt.ingested_days()),
        known,
    ).held()
    # The window may explain what the day leaves open.
    groups = describe_groups(explained_sources(hunt.failure_sources(), by_window))
    totals = [vars(group) for group in groups if not group.example]
    uses_of_known = [_shown(use, hunt.day) for use in uses(hunt.open_failures(), known)]
    yield (
        groups,
        {
            "explanations": table_metadata(totals),
            "known sources": table_metadata(uses_of_known),
        },
    )
    unexplained = unexplained_failures(by_window).held()
    yield suspects(unexplained, with_patterns(masks_of(hunt, unexplained))), {}


def _shown(use: KnownUse, day: date) -> dict[str, Any]:
    """One line of the UI's table."""
    return {
        "reason": use.entry.reason,
        "from": use.entry.start,
        "to": f"{use.entry.end}{' (ended)' if use.entry.end < day else ''}",
        "explains": use.explained,
        "after its end": use.too_late,
    }
