"""Spark: for tenants that need more than one machine, or whose data is stored at a cluster.

Only `from_files` is a PySpark expression; all else is SQL. It runs in the same way on a session of
this machine, of a cluster, and on Spark Connect.
"""

import math
import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from io import BytesIO
from typing import TYPE_CHECKING

import pyarrow as pa

from lowslow_assets.engines.base import (
    ROWS_PER_FILE,
    InputFile,
    Open,
    Parse,
    Relation,
    named,
    quoted,
)
from lowslow_assets.engines.functions import FUNCTIONS
from lowslow_assets.engines.schemas import type_name

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_BYTES_PER_TASK = 4 << 20


class SparkEngine:
    """A Spark session whose temporary views are named after what they are made of."""

    def __init__(self, session: "SparkSession") -> None:
        self.session = session
        session.conf.set("spark.sql.ansi.doubleQuotedIdentifiers", "true")
        for name, function in FUNCTIONS.items():
            session.sql(
                f"CREATE OR REPLACE TEMPORARY FUNCTION {name}({function.parameters}) "
                f"RETURNS {function.result} RETURN {function.spark}"
            )
        self._frames: dict[str, DataFrame] = {}
        self._held: set[str] = set()

    def read(self, paths: Sequence[str], schema: pa.Schema) -> Relation:
        """As ``Engine`` describes."""
        columns = f"{_columns(schema)}, date DATE"
        if not paths:
            nothing = self.session.createDataFrame([], columns)
            return self._relation(named(f"nothing {columns}"), nothing)
        name = named("\0".join([columns, *paths]))
        if name in self._frames:
            return Relation(self, name, tuple(self._frames[name].columns))
        # Spark assumes that reads of the same paths with the same options have the same result. A
        # server's cache outlives a run, and may hold what a partition had before it was replaced.
        reader = self.session.read.schema(columns).option("generation", name)
        # This is a plain path, unlike the paths that are read.
        reader = reader.option("basePath", paths[0].rpartition("/date=")[0])
        return self._relation(name, reader.parquet(*map(_literal_path, paths)))

    def from_arrow(self, rows: pa.Table) -> Relation:
        """As ``Engine`` describes."""
        # Over Spark Connect a table without rows is refused, whatever its schema.
        if rows.num_rows:
            frame = self.session.createDataFrame(rows)
        else:
            frame = self.session.createDataFrame([], _columns(rows.schema))
        return self._relation(named(f"rows {os.urandom(16).hex()}"), frame)

    def from_files(
        self, files: Sequence[InputFile], parse: Parse, open_files: Open | None, schema: pa.Schema
    ) -> Relation:
        """As ``Engine`` describes; executors run both functions."""
        tasks = 1 + sum(file.size for file in files) // _BYTES_PER_TASK
        listed = self.session.createDataFrame(
            [(file.day, file.name, file.size, file.location) for file in files],
            "day DATE, name STRING, size BIGINT, location STRING",
        )
        if open_files is None:
            content = self.session.read.format("binaryFile").load(
                [_literal_path(file.location) for file in files]
            )
            listed = listed.join(content.selectExpr("path AS location", "content"), "location")
        work = _parse_listed(parse, open_files)
        # These rows are not held, because they are many and a checkpoint would be a second copy.
        frame = listed.repartition(tasks).mapInArrow(work, _columns(schema)).persist()
        frame.count()
        return self._relation(named(f"files {os.urandom(16).hex()}"), frame)

    def query(self, text: str) -> Relation:
        """As ``Engine`` describes."""
        name = named(text)
        if name in self._frames:
            return Relation(self, name, tuple(self._frames[name].columns))
        return self._relation(name, self.session.sql(text))

    def hold(self, relation: Relation) -> Relation:
        """As ``Engine`` describes.

        Spark assumes that a filter or a join keeps all rows, and would therefore move the other
        side of the next join to its result. It knows the size of rows that it caches.
        """
        if relation.name in self._held:
            return relation
        cached = self._frames[relation.name].persist()
        cached.count()
        # Cached rows keep the plan that made them, and every later query would plan it again. A
        # checkpoint has no plan, and Spark takes its size to be that of the cached rows.
        flat = cached.localCheckpoint()
        cached.unpersist()
        self._held.add(relation.name)
        return self._relation(relation.name, flat)

    def arrow(self, relation: Relation) -> pa.Table:
        """As ``Engine`` describes."""
        found = self._frames[relation.name].toArrow()
        # Spark also says which columns are never null, and DuckDB does not.
        return found.cast(pa.schema([pa.field(f.name, _nullable(f.type)) for f in found.schema]))

    def write(
        self,
        relation: Relation,
        schema: pa.Schema,
        days: Sequence[date],
        order: Sequence[str],
        folder: str,
        rows_per_day: int,
    ) -> None:
        """As ``Engine`` describes; one task per file."""
        parts = max(1, math.ceil(rows_per_day / ROWS_PER_FILE))
        columns = ", ".join(
            f"CAST({quoted(f.name)} AS {type_name(f.type)}) AS {quoted(f.name)}" for f in schema
        )
        frame = self.session.sql(
            f"SELECT {columns}, date, pmod(xxhash64({quoted(order[0])}), {parts}) AS _part "
            f"FROM {relation.name}"
        )
        frame.repartition(len(days) * parts, "date", "_part").sortWithinPartitions(
            "date", *order
        ).drop("_part").write.option("maxRecordsPerFile", ROWS_PER_FILE).partitionBy(
            "date"
        ).parquet(folder)

    def forget(self) -> None:
        """As ``Engine`` describes."""
        self.session.catalog.clearCache()
        for name in self._frames:
            self.session.catalog.dropTempView(name)
        self._frames.clear()
        self._held.clear()

    def close(self) -> None:
        """As ``Engine`` describes; the caller who started the session also stops it."""
        self.forget()

    def _relation(self, name: str, frame: "DataFrame") -> Relation:
        frame.createOrReplaceTempView(name)
        self._frames[name] = frame
        return Relation(self, name, tuple(frame.columns))


def _parse_listed(
    parse: Parse, open_files: Open | None
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What executors run: from rows that list files to the rows of these files."""

    def work(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        rows = (row for batch in batches for row in batch.to_pylist())
        if open_files is None:
            contents = ((BytesIO(row.pop("content")), row) for row in rows)
            return parse((InputFile(**row), content) for content, row in contents)
        return parse(open_files(InputFile(**row) for row in rows))

    return work


def _nullable(kind: pa.DataType) -> pa.DataType:
    return pa.list_(_nullable(kind.value_type)) if pa.types.is_list(kind) else kind


def _literal_path(path: str) -> str:
    """The path for Spark's readers, which read brackets, braces and stars as patterns."""
    return re.sub(r"([\[\]{}*?\\])", r"\\\1", path)


def _columns(schema: pa.Schema) -> str:
    return ", ".join(f"`{field.name}` {type_name(field.type)}" for field in schema)
