"""encoded_features, and the sums of a day, which are all that a hunt reads of most days."""

from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any

import dagster as dg

from lowslow_assets.detection.explanations import (
    DAY_RULES_VERSION,
    explain_by_day,
    sum_failures,
    unexplained_failures,
)
from lowslow_assets.engines.base import Relation
from lowslow_assets.lake.lake import Lake
from lowslow_assets.lake.tables import (
    CATEGORY_COUNTS,
    ENCODED_FEATURES,
    FAILURE_SOURCES,
    OPEN_FAILURES,
    RAW_SIGNINS,
    SIGNIN_HOURS,
    SUCCESS_SOURCES,
    USER_NAMES,
    Table,
)
from lowslow_assets.orchestration.assets.declare import declaration, permanent_failures
from lowslow_assets.orchestration.assets.ranges import INGESTED_AT_ONCE, in_parts
from lowslow_assets.orchestration.partitions import DAYS, SINGLE_RUN
from lowslow_assets.orchestration.resources import LakeResource, SourceResource
from lowslow_assets.signins.features import (
    attempts,
    count_categories,
    count_hours,
    encode_features,
    sum_sources,
)
from lowslow_assets.signins.outcomes import table_digest
from lowslow_assets.signins.plausibility import count_outcomes
from lowslow_assets.signins.users import count_names

# Held while they are encoded.
_ROWS_AT_ONCE = 1_000_000

_FROM_RAW = {
    "signin_id": ["signin_id"],
    "time_generated": ["time_generated"],
    "user": ["user"],
    "outcome": ["result_type"],
    "result_type": ["result_type"],
    "seconds_to_success": [
        *("time_generated", "user", "result_type", "autonomous_system_number", "ip_prefix"),
    ],
    "ip_address": ["ip_address"],
    "ip_prefix": ["ip_prefix"],
    "latitude": ["latitude"],
    "longitude": ["longitude"],
    "AppDisplayName": ["app_display_name"],
    "ClientAppUsed": ["client_app_used"],
    "browser": ["browser"],
    "displayName": ["device_name"],
    "operatingSystem": ["operating_system"],
    "network": ["autonomous_system_number", "ip_prefix"],
    "Location": ["country"],
    "state": ["state"],
    "city": ["city"],
    "agent": ["browser", "operating_system", "user_agent"],
    "user_agent": ["user_agent", "result_type"],
}
_LINEAGE = dg.TableColumnLineage(
    {
        column: [dg.TableColumnDep(dg.AssetKey(RAW_SIGNINS.name), source) for source in sources]
        for column, sources in _FROM_RAW.items()
    }
)


def _made_from(source: SourceResource) -> dict[str, Any]:
    return {"result_codes": source.result_codes, "outcomes": table_digest()}


@dg.multi_asset(
    name="encode_signins",
    specs=[
        dg.AssetSpec(table.name, group_name="ingest", deps=[RAW_SIGNINS.name], **declaration(table))
        for table in (ENCODED_FEATURES, SIGNIN_HOURS)
    ],
    can_subset=True,
    partitions_def=DAYS,
    backfill_policy=SINGLE_RUN,
)
def encode_signins(context: dg.AssetExecutionContext, source: SourceResource, lake: LakeResource):
    """Encode the days' sign-ins, and count them by outcome and hour."""
    with permanent_failures():
        opened = lake.open()
        rows = partial(_rows_of, opened)
        with in_parts(context, INGESTED_AT_ONCE, rows, _ROWS_AT_ONCE) as parts:
            for days in parts:
                _encode(context, source, opened, days)
    for asset in sorted(context.selected_asset_keys):
        yield dg.MaterializeResult(asset_key=asset)


def _encode(
    context: dg.AssetExecutionContext, source: SourceResource, lake: Lake, days: list[date]
) -> None:
    made_from = _made_from(source)
    raw = lake.read(RAW_SIGNINS, days)
    rows_per_day = max(_rows_of(lake, day) for day in days)
    encoded = encode_features(raw, **source.codes)
    written = lake.write(ENCODED_FEATURES, encoded, days, made_from, rows_per_day)
    hours = _count_hours(lake, days)
    lake.engine.forget()
    for day in days:
        lake.write_rows(SIGNIN_HOURS, hours[day], day, made_from)
        counts = count_outcomes(hours[day])
        of_table = {
            ENCODED_FEATURES.name: {
                "dagster/partition_row_count": written[day].rows,
                "dagster/column_lineage": _LINEAGE,
                "successes": counts.successes,
                "failures": counts.failures,
                "stopped": counts.stopped,
                "refused": counts.refused,
                "other outcomes": counts.others,
            },
            SIGNIN_HOURS.name: {"dagster/partition_row_count": len(hours[day])},
        }
        for asset in context.selected_asset_keys:
            context.add_asset_metadata(of_table[asset.to_user_string()], asset, day.isoformat())


def _rows_of(lake: Lake, day: date) -> int:
    """How many sign-ins the day has; 0 without a partition, which ``read`` then reports."""
    partition = lake.partition(RAW_SIGNINS, day)
    return partition.rows if partition else 0


def _count_hours(lake: Lake, days: list[date]) -> dict[date, list[dict[str, Any]]]:
    """Per day, its rows of ``signin_hours``."""
    found: dict[date, list[dict[str, Any]]] = {day: [] for day in days}
    counted = count_hours(lake.read(ENCODED_FEATURES, days)).rows()
    for row in sorted(counted, key=lambda row: (row["outcome"], row["hour"])):
        found[row["date"]].append(row)
    return found


def _summary(
    table: Table,
    summarize: Callable[[Relation], Relation],
    of: Table = ENCODED_FEATURES,
    **rules: int,
):
    """An asset that sums up the days' encoded features, or their sign-ins as they were logged.

    ``rules`` are versions of rules that the table depends on; a hunt asks for them.
    """

    @dg.asset(
        name=table.name,
        group_name="ingest",
        deps=[of.name],
        partitions_def=DAYS,
        backfill_policy=SINGLE_RUN,
        **declaration(table),
    )
    def summary(
        context: dg.AssetExecutionContext, source: SourceResource, lake: LakeResource
    ) -> None:
        made_from = {} if of is RAW_SIGNINS else _made_from(source)
        with permanent_failures(), in_parts(context, INGESTED_AT_ONCE) as parts:
            opened = lake.open()
            for days in parts:
                rows = summarize(opened.read(of, days, made_from))
                written = opened.write(table, rows, days, made_from | rules)
                opened.engine.forget()
                for day in days:
                    context.add_asset_metadata(
                        {"dagster/partition_row_count": written[day].rows},
                        partition_key=day.isoformat(),
                    )

    return summary


def _failures(encoded: Relation) -> Relation:
    return explain_by_day(attempts(encoded))


def _open_failures(encoded: Relation) -> Relation:
    return unexplained_failures(_failures(encoded))


def _failure_sources(encoded: Relation) -> Relation:
    return sum_failures(_failures(encoded))


user_names = _summary(USER_NAMES, count_names, of=RAW_SIGNINS)
category_counts = _summary(CATEGORY_COUNTS, count_categories)
success_sources = _summary(SUCCESS_SOURCES, sum_sources)
failure_sources = _summary(FAILURE_SOURCES, _failure_sources, day_rules=DAY_RULES_VERSION)
open_failures = _summary(OPEN_FAILURES, _open_failures, day_rules=DAY_RULES_VERSION)
