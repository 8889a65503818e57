"""raw_signins and rejected_signins: a day's export, typed."""

from datetime import date

import dagster as dg
from pyspark.sql import DataFrame, Observation
from pyspark.sql import functions as F

from lowslow_assets.export.source import Export
from lowslow_assets.lake.lake import Lake, pack
from lowslow_assets.lake.tables import RAW_SIGNINS, REJECTED_SIGNINS
from lowslow_assets.orchestration.assets.declare import declaration, permanent_failures
from lowslow_assets.orchestration.assets.ranges import INGESTED_AT_ONCE, in_parts
from lowslow_assets.orchestration.partitions import DAYS, SINGLE_RUN
from lowslow_assets.orchestration.resources import LakeResource, SourceResource
from lowslow_assets.signins.parsing import deduplicate, parse_lines


@dg.multi_asset(
    name="ingest_signins",
    specs=[
        dg.AssetSpec(table.name, group_name="ingest", **declaration(table, "json"))
        for table in (RAW_SIGNINS, REJECTED_SIGNINS)
    ],
    # One read makes both, but either can be asked for: what a selection leaves out is
    # written and not reported.
    can_subset=True,
    partitions_def=DAYS,
    backfill_policy=SINGLE_RUN,
)
def ingest_signins(context: dg.AssetExecutionContext, source: SourceResource, lake: LakeResource):
    """Read the days' files; good lines go to one table, bad ones to the other."""
    with permanent_failures(), in_parts(context, INGESTED_AT_ONCE) as parts:
        for days in parts:
            with source.open() as export:
                _ingest(context, export, lake, days)
    for asset in sorted(context.selected_asset_keys):
        yield dg.MaterializeResult(asset_key=asset)


def _ingest(
    context: dg.AssetExecutionContext, export: Export, resource: LakeResource, days: list[date]
) -> None:
    listing = [export.list_day(day) for day in days]
    unreadable = export.unreadable(listing)
    lake = resource.open()
    lines = parse_lines(export.read_lines(lake.spark, listing, unreadable))
    # Few files hold a bad line. Which, is learned on the way, and only they are read again: cheaper
    # than to keep all that was parsed. A task that is repeated names them twice.
    observed = Observation()
    has_bad_line = F.when(F.col("reason").isNotNull(), F.col("file"))
    lines = lines.observe(observed, F.collect_set(has_bad_line).alias("files"))
    rows_a_day = max(files.total_bytes for files in listing) // _BYTES_A_ROW
    good = lines.where("reason IS NULL").drop(*_LINE)
    packed = pack(good, "signin_id", len(days), rows_a_day)
    raw = lake.write(RAW_SIGNINS, _in_order(deduplicate(packed, "part")), days, {})
    bad = export.reject(lake.spark, unreadable)
    if names := set(observed.get["files"]):
        others = {f.name: "" for files in listing for f in files.files if f.name not in names}
        again = parse_lines(export.read_lines(lake.spark, listing, others | unreadable))
        bad = bad.unionByName(again.where("reason IS NOT NULL").select(bad.columns))
    rejected = lake.write(REJECTED_SIGNINS, _in_order_of_files(bad), days, {})
    lines_of = _count_lines(lake, days)
    for files in listing:
        day = files.day
        key = day.isoformat()
        if not files.files:
            context.log.warning(f"{day}: the export has no files for this day")
        counts = lines_of.get(day, {"lines": 0, "duplicates": 0, "of_other_days": 0})
        metadata = {
            "dagster/partition_row_count": raw[day].rows,
            "files": len(files.files),
            "bytes": files.total_bytes,
            "rows in": counts["lines"] + rejected[day].rows,
            "rows out": raw[day].rows,
            "duplicates": counts["duplicates"],
            "rejected": rejected[day].rows,
            "rows with a time of another day": counts["of_other_days"],
        }
        of_table = {
            RAW_SIGNINS.name: metadata,
            REJECTED_SIGNINS.name: {"dagster/partition_row_count": rejected[day].rows},
        }
        for asset in context.selected_asset_keys:
            context.add_asset_metadata(of_table[asset.to_user_string()], asset, key)


_LINE = ("file", "line", "reason")


# A guess, for the number of files.
_BYTES_A_ROW = 1_000


def _in_order(signins: DataFrame) -> DataFrame:
    # By user: a person's device, network and place repeat, and cost next to nothing then.
    return signins.sortWithinPartitions(
        "date", "user_principal_name", "time_generated", "signin_id"
    )


def _in_order_of_files(rejected: DataFrame) -> DataFrame:
    return rejected.repartition("date").sortWithinPartitions("date", "file", "reason", "line")


def _count_lines(lake: Lake, days: list[date]) -> dict[date, dict[str, int]]:
    """Per day, what became of its good lines."""
    rows = (
        lake.read(RAW_SIGNINS, days)
        .groupBy("date")
        .agg(
            F.sum("copies").alias("lines"),
            F.sum(F.col("copies") - 1).alias("duplicates"),
            F.count_if(F.to_date("time_generated") != F.col("date")).alias("of_other_days"),
        )
        .collect()
    )
    return {row["date"]: row.asDict() for row in rows}
