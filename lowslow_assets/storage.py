"""The lake: Parquet tables by day that any engine can read.

``<lake>/<table>/date=YYYY-MM-DD/*.parquet``, and beside the data
``_provenance.json``: what the partition was made from. A partition is replaced
as a whole or not at all. Nothing of Dagster in here.
"""

import ctypes
import errno
import json
import math
import os
import shutil
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T
from pyspark.sql.pandas.types import to_arrow_schema

from lowslow_assets.signins.source import literal_path
from lowslow_assets.tables import Table

ROWS_A_FILE = 1_000_000

_PROVENANCE = "_provenance.json"
_STAGING = ".staging"
_ABANDONED_AFTER_SECONDS = 24 * 3600


class LakeError(Exception):
    """A partition that is needed is missing or does not fit, or the lake cannot be used."""


@dataclass(frozen=True)
class Partition:
    """What a partition's provenance says of it."""

    rows: int
    schema_digest: str
    made_from: dict[str, Any]


class Lake:
    """Reads and writes whole partitions of tables below ``root``, a local or mounted path."""

    def __init__(self, root: str, spark: SparkSession) -> None:
        if "://" in root and not root.startswith("file://"):
            raise LakeError(f"LOWSLOW_LAKE {root!r} is not a local path; others are not written.")
        self.root = Path(root.removeprefix("file://")).expanduser().absolute()
        self.spark = spark

    def days(self, table: Table) -> list[date]:
        """The days that have a partition, in order."""
        return sorted(map(_day_of, (self.root / table.name).glob("date=????-??-??")))

    def partition(self, table: Table, day: date) -> Partition | None:
        """The partition's provenance; None where there is no partition."""
        try:
            text = (self._folder(table.name, day) / _PROVENANCE).read_text()
        except FileNotFoundError:
            return None
        try:
            return Partition(**json.loads(text))
        except (ValueError, TypeError) as error:
            raise LakeError(
                f"{table.name} of {day} has a damaged {_PROVENANCE}: materialize it again."
            ) from error

    def read(
        self, table: Table, days: Iterable[date], made_from: Mapping[str, Any] | None = None
    ) -> DataFrame:
        """The days' rows, with the column ``date``.

        Raises LakeError, naming every day that has no partition, another schema, or
        was made from something else than ``made_from`` says.
        """
        days = sorted(days)
        self._require(table, days, made_from or {})
        schema = T.StructType([*table.schema.fields, T.StructField("date", T.DateType())])
        if not days:
            return self.spark.createDataFrame([], schema)
        return (
            self.spark.read.schema(schema)
            .option("basePath", str(self.root / table.name))
            .parquet(*(literal_path(self._folder(table.name, day)) for day in days))
        )

    def write(
        self, table: Table, frame: DataFrame, days: Sequence[date], made_from: Mapping[str, Any]
    ) -> dict[date, Partition]:
        """Replace the days' partitions by the rows of ``frame``, and say what each holds.

        With several days ``frame`` has the column ``date``; a day without rows becomes an
        empty partition. Rows of other days are an error.
        """
        if len(days) == 1 and "date" not in frame.columns:
            frame = frame.withColumn("date", F.lit(days[0]))
        with self._staging(table.name) as staging:
            columns = [F.col(field.name).cast(field.dataType) for field in table.schema.fields]
            rows = frame.select(*columns, "date").write.option("maxRecordsPerFile", ROWS_A_FILE)
            rows.partitionBy("date").parquet(str(staging))
            strays = {path.name for path in staging.glob("date=*")} - {f"date={d}" for d in days}
            if strays:
                raise LakeError(f"{table.name}: rows of days that were not asked for: {strays}")
            return {day: self._commit(table, staging, day, made_from) for day in days}

    def write_rows(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        day: date,
        made_from: Mapping[str, Any],
    ) -> Partition:
        """Replace the day's partition of a small table; a Spark job takes longer to plan than this.

        Times are aware.
        """
        with self._staging(table.name) as staging:
            folder = staging / f"date={day}"
            folder.mkdir(parents=True)
            found = pa.Table.from_pylist(list(rows), schema=_arrow_schema(table))
            pq.write_table(found, folder / "rows.parquet", compression="zstd")
            return self._commit(table, staging, day, made_from)

    def rows(
        self, table: Table, days: Iterable[date], made_from: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """The days' rows of a small table, times in UTC; errors as of ``read``."""
        days = sorted(days)
        self._require(table, days, made_from or {})
        files = [
            path for day in days for path in sorted(self._folder(table.name, day).glob("*.parquet"))
        ]
        return ds.dataset(files, schema=_arrow_schema(table)).to_table().to_pylist()

    def write_documents(self, name: str, day: date, documents: Mapping[str, str]) -> Path:
        """Replace the day's folder of text files below ``name`` by these, file name to text."""
        with self._staging(name) as staging:
            folder = staging / f"date={day}"
            folder.mkdir(parents=True)
            for file_name, text in documents.items():
                (folder / file_name).write_text(text, encoding="utf-8")
            target = self._folder(name, day)
            _replace_folder(folder, target)
        return target

    def drop(self, name: str, before: date) -> list[date]:
        """Remove a table's partitions of the days before; returns those days.

        Each goes as a whole: it is moved out of the table first.
        """
        folders = sorted((self.root / name).glob("date=????-??-??"))
        days = [day for folder in folders if (day := _day_of(folder)) < before]
        with self._staging(name) as staging:
            staging.mkdir()
            for day in days:
                self._folder(name, day).rename(staging / f"date={day}")
        return days

    def _folder(self, name: str, day: date) -> Path:
        return self.root / name / f"date={day}"

    def _require(self, table: Table, days: Sequence[date], made_from: Mapping[str, Any]) -> None:
        problems = [
            f"{day}: {problem}"
            for day in days
            if (problem := self._mismatch(table, day, made_from))
        ]
        if problems:
            shown = "; ".join(problems[:5]) + ("; ..." if len(problems) > 5 else "")
            raise LakeError(
                f"{len(problems)} partition(s) of {table.name} cannot be used ({shown}): "
                f"materialize {table.name} for those days."
            )

    def _mismatch(self, table: Table, day: date, made_from: Mapping[str, Any]) -> str | None:
        partition = self.partition(table, day)
        if partition is None:
            return "no such partition"
        if partition.schema_digest != table.schema_digest:
            return "written with another schema"
        for key, wanted in made_from.items():
            if (found := partition.made_from.get(key)) != wanted:
                return f"made with {key} {found}, not {wanted}"
        return None

    def _commit(
        self, table: Table, staging: Path, day: date, made_from: Mapping[str, Any]
    ) -> Partition:
        folder = staging / f"date={day}"
        if not folder.exists():
            folder.mkdir()
            pq.write_table(_arrow_schema(table).empty_table(), folder / "empty.parquet")
        rows = sum(pq.read_metadata(path).num_rows for path in folder.glob("*.parquet"))
        partition = Partition(rows, table.schema_digest, dict(made_from))
        (folder / _PROVENANCE).write_text(json.dumps(vars(partition), indent=1, default=str))
        _replace_folder(folder, self._folder(table.name, day))
        return partition

    @contextmanager
    def _staging(self, name: str):
        """A folder of one's own on the lake's file system; what a killed run left goes."""
        area = self.root / _STAGING
        try:
            area.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LakeError(
                f"LOWSLOW_LAKE {str(self.root)!r} cannot be written: {error}."
            ) from error
        for left in area.iterdir():
            with suppress(FileNotFoundError):  # another run ends, and removes its own
                if time.time() - left.stat().st_mtime > _ABANDONED_AFTER_SECONDS:
                    shutil.rmtree(left, ignore_errors=True)
        staging = area / f"{name}-{uuid.uuid4().hex}"
        try:
            yield staging
        finally:
            shutil.rmtree(staging, ignore_errors=True)


def _day_of(folder: Path) -> date:
    return date.fromisoformat(folder.name.removeprefix("date="))


def pack(frame: DataFrame, key: str, rows_a_day: int) -> DataFrame:
    """Bring each ``date`` together in as few parts as its files should be, split by ``key``.

    The number of the part is the column ``part``: what groups by it too moves no row again.
    """
    files = max(1, math.ceil(rows_a_day / ROWS_A_FILE))
    part = F.pmod(F.xxhash64(key), F.lit(files)).cast("int")
    return frame.withColumn("part", part).repartition("date", "part")


def _arrow_schema(table: Table) -> pa.Schema:
    return to_arrow_schema(table.schema, timezone="UTC")


def _replace_folder(new: Path, target: Path) -> None:
    """Put ``new`` in the place of ``target`` in one step; the old one ends in the place of new."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        new.rename(target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        _exchange(new, target)


def _exchange(one: Path, other: Path) -> None:
    """Swap two folders atomically, where the system can.

    Linux can (renameat2 with RENAME_EXCHANGE) and Python does not offer it. Elsewhere
    the old folder is moved aside first: for that instant a reader finds no partition.
    """
    renameat2 = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    at_cwd, exchange = -100, 2
    if renameat2 and renameat2(at_cwd, os.fsencode(one), at_cwd, os.fsencode(other), exchange) == 0:
        return
    aside = one.with_name(f"{one.name}.old")
    other.rename(aside)
    try:
        one.rename(other)
    except OSError:
        aside.rename(other)
        raise


def window_days(last: date, length: int) -> list[date]:
    """The ``length`` days that end with ``last``, in order."""
    return [last - timedelta(days=back) for back in range(length - 1, -1, -1)]
