"""encoded_features, category_counts and success_sources: a day's sign-ins as categories."""

from collections.abc import Callable
from typing import Any

import dagster as dg
from pyspark.sql import DataFrame

from lowslow_assets.assets.declare import declaration, permanent_failures
from lowslow_assets.partitions import DAYS, SINGLE_RUN, days_of
from lowslow_assets.resources import LakeResource, SourceResource
from lowslow_assets.signins.features import (
    FAILURE,
    OTHER,
    SOURCE,
    SUCCESS,
    count_categories,
    encode_features,
    sum_sources,
    with_seconds_to_success,
)
from lowslow_assets.storage import pack
from lowslow_assets.tables import (
    CATEGORY_COUNTS,
    ENCODED_FEATURES,
    RAW_SIGNINS,
    SUCCESS_SOURCES,
    Table,
)

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


@dg.asset(
    name=ENCODED_FEATURES.name,
    group_name="ingest",
    deps=[RAW_SIGNINS.name],
    partitions_def=DAYS,
    backfill_policy=SINGLE_RUN,
    **declaration(ENCODED_FEATURES),
)
def encoded_features(
    context: dg.AssetExecutionContext, source: SourceResource, lake: LakeResource
) -> None:
    """Encode the days' sign-ins."""
    days = days_of(context)
    with permanent_failures():
        opened = lake.open()
        raw = opened.read(RAW_SIGNINS, days)
        partitions = [opened.partition(RAW_SIGNINS, day) for day in days]
        rows_a_day = max(partition.rows for partition in partitions if partition)
        encoded = encode_features(raw, tuple(source.failure_result_types))
        resolved = with_seconds_to_success(pack(encoded, "user", rows_a_day), "part")
        # A hunt reads either failures or successes; by user, see raw_signins.
        in_order = resolved.sortWithinPartitions(
            "date", "outcome", "user", "time_generated", "signin_id"
        )
        written = opened.write(ENCODED_FEATURES, in_order, days, _made_from(source))
        outcomes = opened.read(ENCODED_FEATURES, days).groupBy("date", "outcome").count().collect()
    counts = {(row["date"], row["outcome"]): row["count"] for row in outcomes}
    for day in days:
        context.add_asset_metadata(
            {
                "dagster/partition_row_count": written[day].rows,
                "dagster/column_lineage": _LINEAGE,
                "successes": counts.get((day, SUCCESS), 0),
                "failures": counts.get((day, FAILURE), 0),
                "other outcomes": counts.get((day, OTHER), 0),
            },
            partition_key=day.isoformat(),
        )


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
        days = days_of(context)
        with permanent_failures():
            opened = lake.open()
            made_from = _made_from(source)
            rows = summarize(opened.read(ENCODED_FEATURES, days, made_from))
            in_order = rows.repartition("date").sortWithinPartitions("date", *order)
            written = opened.write(table, in_order, days, made_from)
        for day in days:
            context.add_asset_metadata(
                {"dagster/partition_row_count": written[day].rows}, partition_key=day.isoformat()
            )

    return summary


category_counts = _summary(CATEGORY_COUNTS, count_categories, "feature", "category")
success_sources = _summary(SUCCESS_SOURCES, sum_sources, "user", *SOURCE)
