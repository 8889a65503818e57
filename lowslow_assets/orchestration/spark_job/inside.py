"""The code within the Spark job: it makes the assets and days that Dagster requests."""

from collections import defaultdict
from dataclasses import replace
from typing import Any

import dagster as dg
from dagster_pipes import PipesContext, open_dagster_pipes

from lowslow_assets.orchestration.definitions import build_defs
from lowslow_assets.settings import SPARK, read_settings


def main() -> None:
    """Make what is requested, and report the metadata of each asset for its day."""
    with open_dagster_pipes() as pipes:
        settings = read_settings()
        # Whatever engine the environment names, the session is there, and the rows are near it.
        defs = build_defs(replace(settings, engine=replace(settings.engine, name=SPARK)))
        keys = [dg.AssetKey.from_user_string(key) for key in pipes.asset_keys]
        made = defs.resolve_job_def("ingest_and_hunt").execute_in_process(
            asset_selection=keys,
            tags={
                "dagster/asset_partition_range_start": pipes.get_extra("first"),
                "dagster/asset_partition_range_end": pipes.get_extra("last"),
            },
        )
        report(pipes, made)


def report(pipes: PipesContext, made: dg.ExecuteInProcessResult) -> None:
    """Report each asset once, as Pipes requires it: for a range of days without metadata."""
    by_asset = defaultdict[str, list[dg.AssetMaterialization]](list)
    for event in made.get_asset_materialization_events():
        by_asset[event.materialization.asset_key.to_user_string()].append(event.materialization)
    for key, days in by_asset.items():
        of_day = days[0].metadata if len(days) == 1 else {}
        pipes.report_asset_materialization(
            {name: as_sent(value) for name, value in of_day.items()}, asset_key=key
        )


def as_sent(value: dg.MetadataValue) -> Any:
    """A metadata value in the form that Pipes carries."""
    match value:
        case dg.MarkdownMetadataValue():
            return {"type": "md", "raw_value": value.value}
        case dg.PathMetadataValue():
            return {"type": "path", "raw_value": value.value}
        case dg.TableMetadataValue():
            columns = [{"name": each.name, "type": each.type} for each in value.schema.columns]
            records = [dict(record.data) for record in value.records]
            return {"type": "table", "raw_value": {"records": records, "schema": columns}}
        case dg.TableColumnLineageMetadataValue():
            deps = {
                column: [
                    {"asset_key": dep.asset_key.to_user_string(), "column_name": dep.column_name}
                    for dep in sources
                ]
                for column, sources in value.value.deps_by_column.items()
            }
            return {"type": "table_column_lineage", "raw_value": {"deps_by_column": deps}}
        case _:
            return value.value


if __name__ == "__main__":
    main()
