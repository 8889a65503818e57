"""detection_limit: what a hunt over this window would have missed. Made on demand only."""

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from lowslow_assets.detection.explanations import explain_failures
from lowslow_assets.detection.known_sources import without_known
from lowslow_assets.detection.patterns import with_patterns
from lowslow_assets.detection.population import population_of
from lowslow_assets.detection.success_tables import sample
from lowslow_assets.engines.sql import sql
from lowslow_assets.hunting.hunt import Hunt
from lowslow_assets.hunting.limit import (
    KINDS,
    RATES,
    STOPPED_PASSWORDS,
    draw_accounts,
    failures_and_attempts,
    find_limits,
    in_words,
    synthetic_attempts,
    with_known_passwords,
)
from lowslow_assets.lake.tables import (
    CLUSTER_MEMBERS,
    DETECTION_LIMIT,
    ENCODED_FEATURES,
    EXPLAINED_FAILURES,
    FAILURE,
    FEATURE_BASELINE,
    STOPPED,
    SUCCESS_HOURS,
    SUCCESS_SOURCES,
    SUSPECT_FAILURES,
    USER_NAMES,
)
from lowslow_assets.orchestration.assets.declare import table_metadata
from lowslow_assets.orchestration.assets.hunt import Made, hunt_asset
from lowslow_assets.reports import plots


@hunt_asset(
    DETECTION_LIMIT,
    deps=[
        ENCODED_FEATURES,
        SUCCESS_SOURCES,
        USER_NAMES,
        FEATURE_BASELINE,
        EXPLAINED_FAILURES,
        SUSPECT_FAILURES,
        CLUSTER_MEMBERS,
        SUCCESS_HOURS,
    ],
    group="on_demand",
)
def detection_limit(hunt: Hunt) -> Made:
    """Add sprays of falling rate to the window, and see from which rate on they are found."""
    if hunt.settings.of_notebook:
        return [], {"in words": "Only the preset campaigns has one."}
    ingested = hunt.ingested_days()
    days = (ingested[-1] - ingested[0]).days + 1
    explained = hunt.rows(EXPLAINED_FAILURES)
    hours = {row["hour"]: row["successes"] for row in hunt.rows(SUCCESS_HOURS)}
    synthetic = _attempts(hunt, days)
    failed = synthetic.filter(pc.field("outcome") == FAILURE)
    stopped = synthetic.filter(pc.field("outcome") == STOPPED)
    planted = _left_unexplained(hunt, failed, days)
    # Without known campaigns, because only the synthetic spray is to be found.
    known = hunt.result(CLUSTER_MEMBERS).arrow()
    own = hunt.result(SUSPECT_FAILURES).arrow()
    own = own.filter(pa.array(~_is_in(own, known)))
    tried = pa.concat_tables([own.select(["user"]), planted.select(["user"])])
    population = population_of(
        hunt.sources(), hunt.lake.engine.from_arrow(tried), explained, hours, days
    )
    columns = [*own.column_names, "number"]
    limits = []
    for kind in KINDS:
        of_kind = pc.field("kind") == kind
        spray = planted.filter(of_kind)
        rows = pa.concat_tables([own, spray.select(columns)], promote_options="default")
        found = list(find_limits(kind, rows, population, hunt.settings))
        known = with_known_passwords(found, spray, stopped.filter(of_kind), hunt)
        limits += sorted(known, key=lambda limit: limit.attempts_per_day)
    by_kind = {
        kind: {x.attempts_per_day: x.found_after_days for x in limits if x.kind == kind}
        for kind in KINDS
    }
    return limits, {
        "in words": dg.MetadataValue.md("\n".join(f"- {line}" for line in in_words(limits))),
        "limits": table_metadata([vars(limit) for limit in limits]),
        "days to detection": dg.MetadataValue.md(plots.detection_limits(by_kind, days)),
    }


def _attempts(hunt: Hunt, days: int) -> pa.Table:
    """Synthetic attempts that look like the window's sign-ins."""
    signins = hunt.signins()
    models = sample(signins, hunt.rows(FEATURE_BASELINE)[0]["successes"])
    accounts = draw_accounts(signins, len(KINDS) * (RATES[0] * days + STOPPED_PASSWORDS))
    return synthetic_attempts(
        models.rows(), [row["user"] for row in accounts.rows()], hunt.ingested_days()[0], days
    )


def _left_unexplained(hunt: Hunt, attempts: pa.Table, days: int) -> pa.Table:
    """The synthetic attempts that stay unexplained among the window's failures, with mask."""
    engine = hunt.lake.engine
    failures = failures_and_attempts(hunt.signins(), engine.from_arrow(attempts))
    explained = explain_failures(failures, hunt.sources(), days)
    suspects = sql("SELECT signin_id FROM {all} WHERE explanation IS NULL", all=explained).arrow()
    left = attempts.filter(pa.array(_is_in(attempts, suspects)))
    unknown = without_known(engine.from_arrow(left), hunt.settings.known_sources).arrow()
    left = left.filter(pa.array(_is_in(left, unknown)))
    patterns = with_patterns(hunt.mask(engine.from_arrow(left))).arrow()
    return left.join(patterns, ["date", "signin_id"], join_type="inner")


def _is_in(rows: pa.Table, others: pa.Table) -> np.ndarray:
    """Whether the others have the sign-in of each row."""
    return np.isin(rows["signin_id"].to_numpy(), others["signin_id"].to_numpy())
