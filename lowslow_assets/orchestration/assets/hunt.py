"""How assets of the hunt are declared: one function per stage gives one day's rows.

A hunt depends on the same day's partitions and reads the window's other days from the lake itself.
A partition mapping over the window would show this in the graph, but would make the UI's runs over
a range materialize hundreds of days that nobody asked for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

from lowslow_assets.engines.base import Relation
from lowslow_assets.hunting.hunt import Hunt
from lowslow_assets.lake.tables import Table
from lowslow_assets.orchestration.assets.declare import (
    FOR_ANALYSTS,
    OWNERS,
    declaration,
    permanent_failures,
)
from lowslow_assets.orchestration.assets.ranges import in_parts
from lowslow_assets.orchestration.partitions import DAYS, SINGLE_RUN
from lowslow_assets.orchestration.resources import HuntParameters, LakeResource

Made = tuple[Relation | Sequence[Any], dict[str, Any]]
"""A relation, or the rows of a small table (dataclasses named like its columns), and metadata."""
HuntBody = Callable[[Hunt], Made]


def hunt_asset(
    table: Table, *kinds: str, deps: Sequence[Table], group: str = "hunt"
) -> Callable[[HuntBody], dg.AssetsDefinition]:
    """An asset of the hunt, from a function that gives one day's rows and their metadata."""

    def declare(body: HuntBody) -> dg.AssetsDefinition:
        declare_all = hunt_assets(table.name, (table,), *kinds, deps=deps, group=group)
        return declare_all(lambda hunt: iter([body(hunt)]))

    return declare


def hunt_assets(
    name: str, tables: Sequence[Table], *kinds: str, deps: Sequence[Table], group: str = "hunt"
) -> Callable[[Callable[[Hunt], Iterator[Made]]], dg.AssetsDefinition]:
    """Assets that one pass over the window makes, from a function that yields them in order.

    In a run over a range, the days are made one after the other, each completely before the next.
    """

    def declare(body: Callable[[Hunt], Iterator[Made]]) -> dg.AssetsDefinition:
        @dg.multi_asset(
            name=name,
            specs=[
                dg.AssetSpec(
                    table.name,
                    group_name=group,
                    deps=[dep.name for dep in deps],
                    **declaration(table, *kinds),
                )
                for table in tables
            ],
            partitions_def=DAYS,
            backfill_policy=SINGLE_RUN,
            can_subset=True,
        )
        def hunt_days(
            context: dg.AssetExecutionContext, lake: LakeResource, parameters: HuntParameters
        ):
            chosen = context.selected_asset_keys
            with in_parts(context, 1) as parts:
                for (day,) in parts:
                    with permanent_failures():
                        hunt = Hunt(day, lake.open(), parameters.settings)
                        for table, (made, metadata) in zip(tables, body(hunt), strict=True):
                            if dg.AssetKey(table.name) not in chosen:
                                continue
                            rows = hunt.write(table, made)
                            context.add_asset_metadata(
                                {"dagster/partition_row_count": rows, **metadata},
                                dg.AssetKey(table.name),
                                day.isoformat(),
                            )
                    if context.has_partition_key_range:
                        # Assets of one hunt share these; a range has too many windows to keep them.
                        hunt.lake.engine.forget()
            for key in sorted(chosen):
                yield dg.MaterializeResult(asset_key=key)

        return hunt_days

    return declare


def document_asset(
    name: str,
    kind: str,
    description: str,
    deps: Sequence[Table],
    counted: str = "documents",
    entry: str | None = None,
    shown_at: Table | None = None,
) -> Callable[[Callable[[Hunt], Mapping[str, str]]], dg.AssetsDefinition]:
    """An asset of text files, from a function that gives one day's files (file name to text).

    The metadata give their number, as ``counted``, and their place: their folder, or the file
    ``entry`` that is to be opened. So does an observation of the asset ``shown_at``, because in a
    container the place is not known before.
    """

    def declare(body: Callable[[Hunt], Mapping[str, str]]) -> dg.AssetsDefinition:
        @dg.asset(
            name=name,
            group_name="hunt",
            deps=[dep.name for dep in deps],
            partitions_def=DAYS,
            backfill_policy=SINGLE_RUN,
            description=description,
            owners=OWNERS,
            tags=FOR_ANALYSTS,
            kinds={kind},
        )
        def document_days(
            context: dg.AssetExecutionContext, lake: LakeResource, parameters: HuntParameters
        ) -> None:
            with permanent_failures(), in_parts(context, 1) as parts:
                for (day,) in parts:
                    hunt = Hunt(day, lake.open(), parameters.settings)
                    documents = body(hunt)
                    folder = hunt.lake.write_documents(name, day, documents)
                    label, place = ("open", f"{folder}/{entry}") if entry else ("folder", folder)
                    path, key = dg.MetadataValue.path(place), day.isoformat()
                    context.add_asset_metadata(
                        {counted: len(documents), label: path}, partition_key=key
                    )
                    if shown_at:
                        seen = {name.replace("_", " "): path}
                        context.log_event(
                            dg.AssetObservation(shown_at.name, partition=key, metadata=seen)
                        )

        return document_days

    return declare
