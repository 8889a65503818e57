"""encoded_features and what sums a day's up: all that a hunt reads of it."""

from collections.abc import Callable
from datetime import date
from typing import Any

import dagster as dg
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lowslow_assets.detection.explanations import explain_by_day, sum_failures
from lowslow_assets.lake.lake import Lake, pack
from lowslow_assets.lake.tables import (
    CATEGORY_COUNTS,
    ENCODED_FEATURES,
    FAILURE_SOURCES,
    OPEN_FAILURES,
    RAW_SIGNINS,
    SIGNIN_HOURS,
    SUCCESS_SOURCES,
    Table,
)
from lowslow_assets.orchestration.assets.declare import declaration, permanent_failures
from lowslow_assets.orchestration.assets.ranges import INGESTED_AT_ONCE, in_parts
from lowslow_assets.orchestration.partitions import DAYS, SINGLE_RUN
from lowslow_assets.orchestration.resources import LakeResource, SourceResource
from lowslow_assets.signins.dataframes import utc
from lowslow_assets.signins.features import (
    FAILURE,
    SOURCE,
    count_categories,
    count_hours,
    encode_features,
    sum_sources,
    with_seconds_to_success,
)
from lowslow_assets.signins.plausibility import count_outcomes

_FROM_RAW = {
    "signin_id": ["signin_id"],
    "time_generated": ["time_generated"],
    "user": ["user_principal_name", "user_id"],
    "outcome": ["result_type"],
    "seconds_to_success": ["time_generated", "user_principal_name", "user_id", "result_type"],
    "ip_address": ["ip_address"],
    "ip_prefix": ["ip_address"],
    "latitude": ["latitude"],
    "longitude": ["longitude"],
    "AppDisplayName": ["app_display_name"],
    "ClientAppUsed": ["client_app_used"],
    "browser": ["browser"],
    "displayName": ["device_name"],
    "operatingSystem": ["operating_system"],
    "network": ["autonomous_system_number", "ip_address"],
    "Location": ["country"],
    "state": ["state"],
    "city": ["city"],
}
_LINEAGE = dg.TableColumnLineage(
    {
        column: [dg.TableColumnDep(dg.AssetKey(RAW_SIGNINS.name), source) for source in sources]
        for column, sources in _FROM_RAW.items()
    }
)


def _made_from(source: SourceResource) -> dict[str, Any]:
    return {"failure_result_types": sorted(source.failure_result_types)}


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
    with permanent_failures(), in_parts(context, INGESTED_AT_ONCE) as parts:
        opened = lake.open()
        for days in parts:
            _encode(context, source, opened, days)
    for asset in sorted(context.selected_asset_keys):
        yield dg.MaterializeResult(asset_key=asset)


def _encode(
    context: dg.AssetExecutionContext, source: SourceResource, lake: Lake, days: list[date]
) -> None:
    made_from = _made_from(source)
    raw = lake.read(RAW_SIGNINS, days)
    partitions = [lake.partition(RAW_SIGNINS, day) for day in days]
    rows_a_day = max(partition.rows for partition in partitions if partition)
    encoded = encode_features(raw, tuple(source.failure_result_types))
    resolved = with_seconds_to_success(pack(encoded, "user", len(days), rows_a_day), "part")
    # A hunt reads either failures or successes; by user, see raw_signins.
    in_order = resolved.sortWithinPartitions(
        "date", "outcome", "user", "time_generated", "signin_id"
    )
    written = lake.write(ENCODED_FEATURES, in_order, days, made_from)
    hours = _count_hours(lake, days)
    for day in days:
        lake.write_rows(SIGNIN_HOURS, hours[day], day, made_from)
    for day in days:
        counts = count_outcomes(hours[day])
        of_table = {
            ENCODED_FEATURES.name: {
                "dagster/partition_row_count": written[day].rows,
                "dagster/column_lineage": _LINEAGE,
                "successes": counts.successes,
                "failures": counts.failures,
                "other outcomes": counts.others,
            },
            SIGNIN_HOURS.name: {"dagster/partition_row_count": len(hours[day])},
        }
        for asset in context.selected_asset_keys:
            context.add_asset_metadata(of_table[asset.to_user_string()], asset, day.isoformat())


def _count_hours(lake: Lake, days: list[date]) -> dict[date, list[dict[str, Any]]]:
    """Per day, its rows of ``signin_hours``."""
    counted = count_hours(lake.read(ENCODED_FEATURES, days)).orderBy("date", "outcome", "hour")
    found: dict[date, list[dict[str, Any]]] = {day: [] for day in days}
    for row in counted.collect():
        found[row["date"]].append({**row.asDict(), "hour": utc(row["hour"])})
    return found


def _summary(table: Table, summarize: Callable[[DataFrame], DataFrame], *order: str):
    """An asset that sums the days' encoded features up; in that order, for small files."""

    @dg.asset(
        name=table.name,
        group_name="ingest",
        deps=[ENCODED_FEATURES.name],
        partitions_def=DAYS,
        backfill_policy=SINGLE_RUN,
        **declaration(table),
    )
    def summary(
        context: dg.AssetExecutionContext, source: SourceResource, lake: LakeResource
    ) -> None:
        made_from = _made_from(source)
        with permanent_failures(), in_parts(context, INGESTED_AT_ONCE) as parts:
            opened = lake.open()
            for days in parts:
                rows = summarize(opened.read(ENCODED_FEATURES, days, made_from))
                in_order = rows.repartition("date").sortWithinPartitions("date", *order)
                written = opened.write(table, in_order, days, made_from)
                for day in days:
                    context.add_asset_metadata(
                        {"dagster/partition_row_count": written[day].rows},
                        partition_key=day.isoformat(),
                    )

    return summary


def _failures(encoded: DataFrame) -> DataFrame:
    return explain_by_day(encoded.where(F.col("outcome") == FAILURE))


def _open_failures(encoded: DataFrame) -> DataFrame:
    return _failures(encoded).where(F.col("explanation").isNull())


def _failure_sources(encoded: DataFrame) -> DataFrame:
    return sum_failures(_failures(encoded))


category_counts = _summary(CATEGORY_COUNTS, count_categories, "feature", "category")
success_sources = _summary(SUCCESS_SOURCES, sum_sources, "user", *SOURCE)
failure_sources = _summary(
    FAILURE_SOURCES, _failure_sources, "user", "ip_prefix", "ip_address", "explanation"
)
open_failures = _summary(OPEN_FAILURES, _open_failures, "user", "time_generated", "signin_id")
