"""The hunt as of the end of a day: what its assets read, and how they are declared.

A hunt depends on the same day's partitions and reads the window's other days from the
lake itself. A partition mapping over the window would say so in the graph, but makes
the UI's runs over a range materialize hundreds of days that nobody asked for.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from typing import Any

import dagster as dg
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from lowslow_assets.detection.baseline import FeatureBaseline, sum_counts
from lowslow_assets.detection.masks import mask_signins
from lowslow_assets.detection.patterns import PROPERTIES
from lowslow_assets.lake.lake import Lake, window_days
from lowslow_assets.lake.tables import (
    CATEGORY_COUNTS,
    ENCODED_FEATURES,
    FAILURE_SOURCES,
    FEATURE_BASELINE,
    OPEN_FAILURES,
    SIGNIN_HOURS,
    SUCCESS_SOURCES,
    Table,
)
from lowslow_assets.orchestration.assets.declare import OWNERS, declaration, permanent_failures
from lowslow_assets.orchestration.assets.ranges import in_parts
from lowslow_assets.orchestration.partitions import DAYS, SINGLE_RUN
from lowslow_assets.orchestration.resources import HuntParameters, LakeResource
from lowslow_assets.settings import NOTEBOOK
from lowslow_assets.signins.features import FEATURES, SUCCESS

# The export's folders and the times of their rows differ by minutes, at times by hours.
_TIME_SLACK = timedelta(days=1)


@dataclass(frozen=True)
class Hunt:
    """One day's hunt over its window."""

    day: date
    lake: Lake
    parameters: HuntParameters

    def window_counts(self) -> DataFrame:
        """The window's counts per (feature, category), of the days that have been ingested.

        Summed once: Spark knows the same plan again in a later asset of the same run.
        Raises LakeError where a day was ingested with other settings than the hunt's day.
        """
        days = self.lake.read(CATEGORY_COUNTS, self.ingested_days(), self._encoding)
        return self._kept(sum_counts(days))

    def sources(self) -> DataFrame:
        """The window's ``success_sources``; errors as of ``window_counts``."""
        return self.lake.read(SUCCESS_SOURCES, self.ingested_days(), self._encoding)

    def failure_sources(self) -> DataFrame:
        """The window's ``failure_sources``; errors as of ``window_counts``."""
        return self.lake.read(FAILURE_SOURCES, self.ingested_days(), self._encoding)

    def open_failures(self) -> DataFrame:
        """The window's ``open_failures``, by time as of ``signins``."""
        return self._in_window(self.lake.read(OPEN_FAILURES, self.ingested_days(), self._encoding))

    def success_hours(self) -> Counter[datetime]:
        """The window's successes by hour (UTC), by time as of ``signins``."""
        counts = Counter[datetime]()
        begin, end = self._time_bounds
        for row in self.lake.rows(SIGNIN_HOURS, self.ingested_days(), self._encoding):
            if row["outcome"] == SUCCESS and begin <= row["hour"] < end:
                counts[row["hour"]] += row["signins"]
        return counts

    def signins(self, days: Sequence[date] | None = None) -> DataFrame:
        """The window's ``encoded_features``, or those of some of its days.

        Without the few whose time is nowhere near the window, whatever folder they were in:
        one sign-in of the year 2000 would make a campaign 26 years long.
        """
        chosen = self.ingested_days() if days is None else days
        return self._in_window(self.lake.read(ENCODED_FEATURES, chosen, self._encoding))

    def ingested_days(self) -> list[date]:
        """The window's days that have been ingested, in order; the hunt's own is required."""
        there = set(self.lake.days(CATEGORY_COUNTS))
        return [day for day in self._window if day in there or day == self.day]

    def result(self, table: Table) -> DataFrame:
        """This hunt's own partition of a table made before.

        Raises LakeError where that was made over another window or from other settings.
        """
        return self.lake.read(table, [self.day], self.made_from)

    def rows(self, table: Table) -> list[dict[str, Any]]:
        """This hunt's rows of a small table; errors as of ``result``."""
        return self.lake.rows(table, [self.day], self.made_from)

    def mask(self, signins: DataFrame) -> DataFrame:
        """Sign-ins of any day with their mask as of this day."""
        baselines = {row["feature"]: FeatureBaseline(**row) for row in self.rows(FEATURE_BASELINE)}
        return mask_signins(
            signins, self.window_counts(), [baselines[feature] for feature in FEATURES]
        )

    def no_rows(self, table: Table) -> DataFrame:
        """An empty frame of a table."""
        return self.lake.spark.createDataFrame([], table.schema)

    def write(self, table: Table, made: DataFrame | Sequence[Any]) -> int:
        """Write this hunt's partition of a table; returns its number of rows."""
        if isinstance(made, DataFrame):
            # A row's own day is no column of a hunt's tables: theirs is the hunt's.
            frame = made.drop("date")
            return self.lake.write(table, frame, [self.day], self.made_from)[self.day].rows
        rows = [asdict(row) for row in made]
        return self.lake.write_rows(table, rows, self.day, self.made_from).rows

    @cached_property
    def made_from(self) -> dict[str, Any]:
        """What distinguishes this hunt's tables from those of a hunt with other settings."""
        return {
            "lookback_days": self.parameters.lookback_days,
            "preset": self.parameters.preset,
            **self._encoding,
        }

    @property
    def of_notebook(self) -> bool:
        """Whether this is the guided-hunting notebook's own hunt."""
        return self.parameters.preset == NOTEBOOK

    @property
    def model_features(self) -> tuple[str, ...]:
        """What the bits of the model's masks stand for."""
        return FEATURES if self.of_notebook else tuple(PROPERTIES)

    def _in_window(self, rows: DataFrame) -> DataFrame:
        return rows.where(F.col("time_generated").between(*self._time_bounds))

    @cached_property
    def _time_bounds(self) -> tuple[datetime, datetime]:
        midnight = datetime.combine(self._window[0], time(), UTC)
        after = datetime.combine(self.day + timedelta(days=1), time(), UTC)
        return midnight - _TIME_SLACK, after + _TIME_SLACK

    @staticmethod
    def _kept(frame: DataFrame) -> DataFrame:
        return frame if frame.storageLevel.useMemory else frame.persist()

    @cached_property
    def _window(self) -> list[date]:
        return window_days(self.day, self.parameters.lookback_days)

    @cached_property
    def _encoding(self) -> dict[str, Any]:
        partition = self.lake.partition(CATEGORY_COUNTS, self.day)
        return dict(partition.made_from) if partition else {}


Made = tuple[DataFrame | Sequence[Any], dict[str, Any]]
"""A frame, or the rows of a small table (dataclasses named like its columns), and metadata."""
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

    In a run over a range the days are made one after the other, each whole before the next.
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
                        hunt = Hunt(day, lake.open(), parameters)
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
                        # What one hunt's assets share; a range has too many windows to keep.
                        hunt.lake.spark.catalog.clearCache()
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
    """An asset of text files, from a function that gives one day's, file name to text.

    The metadata say how many there are, as ``counted``, and where: their folder, or the file
    ``entry`` to be opened. So does an observation of the asset ``shown_at``: in a container the
    place is not known before.
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
            kinds={kind},
        )
        def document_days(
            context: dg.AssetExecutionContext, lake: LakeResource, parameters: HuntParameters
        ) -> None:
            with permanent_failures(), in_parts(context, 1) as parts:
                for (day,) in parts:
                    hunt = Hunt(day, lake.open(), parameters)
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
