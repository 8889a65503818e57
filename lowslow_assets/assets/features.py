"""encoded_features and category_counts: a day's sign-ins as categories."""

from typing import Any

import dagster as dg

from lowslow_assets.assets.declare import declaration, permanent_failures
from lowslow_assets.partitions import DAYS, SINGLE_RUN, days_of
from lowslow_assets.resources import LakeResource, SourceResource
from lowslow_assets.signins.features import (
    FAILURE,
    OTHER,
    SUCCESS,
    count_categories,
    encode_features,
)
from lowslow_assets.tables import CATEGORY_COUNTS, ENCODED_FEATURES, RAW_SIGNINS

_FROM_RAW = {
    "signin_id": ["signin_id"],
    "time_generated": ["time_generated"],
    "user": ["user_principal_name", "user_id"],
    "outcome": ["result_type"],
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
    """Encode the days' sign-ins; the rows stay in the order and files they are in."""
    days = days_of(context)
    with permanent_failures():
        opened = lake.open()
        raw = opened.read(RAW_SIGNINS, days)
        encoded = encode_features(raw, tuple(source.failure_result_types))
        written = opened.write(ENCODED_FEATURES, encoded, days, _made_from(source))
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


@dg.asset(
    name=CATEGORY_COUNTS.name,
    group_name="ingest",
    deps=[ENCODED_FEATURES.name],
    partitions_def=DAYS,
    backfill_policy=SINGLE_RUN,
    **declaration(CATEGORY_COUNTS),
)
def category_counts(
    context: dg.AssetExecutionContext, source: SourceResource, lake: LakeResource
) -> None:
    """Count the days' categories; sorted by feature, so that a hunt can read one at a time."""
    days = days_of(context)
    with permanent_failures():
        opened = lake.open()
        made_from = _made_from(source)
        counts = count_categories(opened.read(ENCODED_FEATURES, days, made_from))
        in_order = counts.repartition("date").sortWithinPartitions("date", "feature", "category")
        written = opened.write(CATEGORY_COUNTS, in_order, days, made_from)
    for day in days:
        context.add_asset_metadata(
            {"dagster/partition_row_count": written[day].rows}, partition_key=day.isoformat()
        )
