"""raw_signins and rejected_signins: a day's export, typed."""

from collections.abc import Sequence
from datetime import date
from functools import cache
from typing import Any

import dagster as dg
import pyarrow as pa

from lowslow_assets.engines.base import Engine, Relation
from lowslow_assets.export.source import DayFiles, Export
from lowslow_assets.lake.lake import Lake
from lowslow_assets.lake.tables import RAW_SIGNINS, REJECTED_SIGNINS
from lowslow_assets.orchestration.assets.declare import declaration, permanent_failures
from lowslow_assets.orchestration.assets.ranges import INGESTED_AT_ONCE, in_parts
from lowslow_assets.orchestration.partitions import DAYS, SINGLE_RUN
from lowslow_assets.orchestration.resources import LakeResource, SourceResource
from lowslow_assets.signins.ingest import (
    PARSED_INPUTS,
    count_lines,
    deduplicate,
    parse_inputs,
    rejects_of,
    signins_of,
)
from lowslow_assets.signins.users import name_users

# The most bytes of files whose sign-ins are held at once.
_BYTES_AT_ONCE = 512 << 20
# Decides the number of files; a guess is enough.
_BYTES_PER_ROW = 1_000


@dg.multi_asset(
    name="ingest_signins",
    specs=[
        dg.AssetSpec(table.name, group_name="ingest", **declaration(table, "json"))
        for table in (RAW_SIGNINS, REJECTED_SIGNINS)
    ],
    # One read makes both tables, but either can be requested: the one that a selection leaves out
    # is written and not reported.
    can_subset=True,
    partitions_def=DAYS,
    backfill_policy=SINGLE_RUN,
)
def ingest_signins(context: dg.AssetExecutionContext, source: SourceResource, lake: LakeResource):
    """Read the days' files; good lines go to one table, bad ones to the other."""
    with permanent_failures(), source.open() as export:
        list_day = cache(export.list_day)
        sizes = (lambda day: list_day(day).total_bytes), _BYTES_AT_ONCE
        with in_parts(context, INGESTED_AT_ONCE, *sizes) as parts:
            for days in parts:
                listing = [list_day(day) for day in days]
                _report(context, listing, _ingest(export, lake.open(), listing))
    for asset in sorted(context.selected_asset_keys):
        yield dg.MaterializeResult(asset_key=asset)


def _ingest(export: Export, lake: Lake, listing: list[DayFiles]) -> dict[date, dict[str, int]]:
    """Write both tables of the days; per day, how many lines became sign-ins, copies or rejects."""
    days = [files.day for files in listing]
    rows_per_day = max(files.total_bytes for files in listing) // _BYTES_PER_ROW
    parsed = lake.engine.from_files(
        export.inputs(listing), parse_inputs, export.open_files, PARSED_INPUTS
    )
    signins = signins_of(parsed)
    # Few sign-ins are left out, but to leave them out reads all of them more than once.
    named = name_users(deduplicate(signins), signins)
    raw = lake.write(RAW_SIGNINS, named, days, {}, rows_per_day)
    rejects = rejects_of(parsed, _refused(lake.engine, listing))
    rejected = lake.write(REJECTED_SIGNINS, rejects, days, {})
    of_days = {row["date"]: row for row in count_lines(lake.read(RAW_SIGNINS, days)).rows()}
    lake.engine.forget()
    none = {"lines": 0, "duplicates": 0, "of_other_days": 0}
    return {
        day: of_days.get(day, none) | {"signins": raw[day].rows, "rejected": rejected[day].rows}
        for day in days
    }


def _refused(engine: Engine, listing: Sequence[DayFiles]) -> Relation:
    """The files that are not read because of their names, as rows of ``rejected_signins``."""
    rows: list[dict[str, Any]] = [
        {"file": name, "reason": reason, "date": files.day}
        for files in listing
        for name, reason in files.refused
    ]
    return engine.from_arrow(pa.Table.from_pylist(rows, REJECTED_SIGNINS.dated))


def _report(
    context: dg.AssetExecutionContext,
    listing: list[DayFiles],
    counts_of: dict[date, dict[str, int]],
) -> None:
    """Metadata of each day's partitions."""
    for files in listing:
        if not files.files:
            context.log.warning(f"{files.day}: the export has no files for this day")
        counts = counts_of[files.day]
        of_table = {
            RAW_SIGNINS.name: {
                "dagster/partition_row_count": counts["signins"],
                "files": len(files.files),
                "bytes": files.total_bytes,
                "rows in": counts["lines"] + counts["rejected"],
                "rows out": counts["signins"],
                "duplicates": counts["duplicates"],
                "rejected": counts["rejected"],
                "rows with a time of another day": counts["of_other_days"],
            },
            REJECTED_SIGNINS.name: {"dagster/partition_row_count": counts["rejected"]},
        }
        for asset in context.selected_asset_keys:
            metadata = of_table[asset.to_user_string()]
            context.add_asset_metadata(metadata, asset, files.day.isoformat())
