"""The lake: Parquet tables by day that any engine can read.

``<lake>/<table>/date=YYYY-MM-DD/*.parquet``, and beside the data ``_provenance.json``, which says
what the partition was made from. A partition is replaced as a whole or not at all. This module does
not use Dagster.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import fs

from lowslow_assets.engines.base import Engine, Relation
from lowslow_assets.lake.stores.above import Above
from lowslow_assets.lake.stores.base import PROVENANCE, Files, LakeError, Staging, Store
from lowslow_assets.lake.stores.folders import Folders
from lowslow_assets.lake.tables import Table
from lowslow_assets.platform.azure import (
    AzureUrlError,
    is_azure,
    locate,
    storage_resource,
    without_rest,
)

if TYPE_CHECKING:
    from dagster_azure.blob import AzureBlobStorageResource

Found = TypeVar("Found")

# If files disappear while a reader looks for them, the day was replaced: the reader tries again.
_ATTEMPTS = 3


@dataclass(frozen=True)
class Partition:
    """What a partition's provenance says; ``files`` has the names of its files with their bytes."""

    rows: int
    schema_digest: str
    made_from: dict[str, Any]
    files: dict[str, int] = field(default_factory=dict, compare=False)


class Lake:
    """Reads and writes whole partitions of tables below ``root``, with an engine for their rows.

    The root is a local or mounted path or a URL of Azure Storage (`azure.locate`), with the
    credentials of ``storage``, or else of the environment. If ``native`` is set, the engine's own
    connector reads and writes there; otherwise the engine works on copies on this machine.
    """

    def __init__(
        self,
        root: str,
        engine: Engine,
        storage: "AzureBlobStorageResource | None" = None,
        native: bool = False,
    ) -> None:
        self.store: Store = _open_store(root, storage, native)
        self.engine = engine

    def below(self, folder: str) -> "Lake":
        """This lake, but with a folder above it that takes all writes and is read first."""
        above = copy(self)
        above.store = Above(self.store, Folders(folder))
        return above

    def days(self, table: Table) -> list[date]:
        """The days that have a partition, in order."""
        return self.store.days(table.name)

    def partition(self, table: Table, day: date) -> Partition | None:
        """The partition's provenance; None if there is no partition."""
        return self._partitions(table, [day]).get(day)

    def readable(self, table: Table, days: Sequence[date]) -> list[date]:
        """The days whose partition ``read`` accepts, whatever the partition was made from."""
        partitions = self._partitions(table, days)
        return [day for day in days if not _mismatch(table, partitions.get(day), {})]

    def read(
        self, table: Table, days: Iterable[date], made_from: Mapping[str, Any] | None = None
    ) -> Relation:
        """The days' rows, with the column ``date`` at the end.

        Raises LakeError, which names every day whose partition is missing, has another schema, or
        was made from something else than ``made_from``.
        """
        paths = self._found(table, days, made_from, self.store.engine_files)
        return self.engine.read(paths, table.schema)

    def write(
        self,
        table: Table,
        rows: Relation,
        days: Sequence[date],
        made_from: Mapping[str, Any],
        rows_per_day: int = 0,
    ) -> dict[date, Partition]:
        """Replace the days' partitions by the rows, and return what each partition holds.

        The rows have the column ``date``; a day without rows becomes an empty partition. If there
        are rows of another day, this raises LakeError and replaces nothing. Within a file, rows are
        in the table's order. ``rows_per_day`` decides the number of files of a large day; a guess
        is enough.
        """
        order = table.order or table.schema.names
        with self.store.staging(table.name) as staging:
            self.engine.write(rows, table.schema, days, order, staging.name, rows_per_day)
            _require_days(table, days, staging)
            return {day: self._commit(table, staging, day, made_from) for day in days}

    def write_rows(
        self,
        table: Table,
        rows: Sequence[Mapping[str, Any]],
        day: date,
        made_from: Mapping[str, Any],
    ) -> Partition:
        """Replace the day's partition of a small table by rows of Python, with aware times."""
        with self.store.staging(table.name) as staging:
            _write_file(staging, day, pa.Table.from_pylist(list(rows), table.schema))
            return self._commit(table, staging, day, made_from)

    def rows(
        self, table: Table, days: Iterable[date], made_from: Mapping[str, Any] | None = None
    ) -> list[dict[str, Any]]:
        """The days' rows of a small table, times in UTC; raises what ``read`` raises."""

        def read(name: str, files: Files) -> list[dict[str, Any]]:
            found = self.store.local_files(name, files)
            # pyarrow.dataset is not used, because importing it takes most of a second: it imports
            # pandas.
            tables = [pq.ParquetFile(path).read() for path in found]
            return [row for rows in tables for row in rows.cast(table.schema).to_pylist()]

        return self._found(table, days, made_from, read)

    def write_documents(self, name: str, day: date, documents: Mapping[str, str]) -> str:
        """Replace the day's folder of text files below ``name`` by these (file name to text).

        Returns the folder.
        """
        with self.store.staging(name) as staging:
            folder = f"date={day}"
            staging.files.create_dir(folder)
            for file_name, text in documents.items():
                with staging.files.open_output_stream(f"{folder}/{file_name}") as file:
                    file.write(text.encode())
            return self.store.replace(name, day, staging)

    def drop(self, name: str, before: date) -> list[date]:
        """Remove a table's partitions of earlier days, each as a whole; returns their days."""
        return self.store.drop(name, before)

    def _found(
        self,
        table: Table,
        days: Iterable[date],
        made_from: Mapping[str, Any] | None,
        find: Callable[[str, Files], Found],
    ) -> Found:
        """The locations of the days' files, if every partition fits; raises LakeError."""
        days = sorted(days)
        for _ in range(_ATTEMPTS):
            partitions = self._require(table, days, made_from or {})
            try:
                return find(table.name, {day: each.files for day, each in partitions.items()})
            except FileNotFoundError:
                continue
        raise LakeError(
            f"Files of {table.name} that its {PROVENANCE} names are missing: materialize "
            f"{table.name} again."
        )

    def _require(
        self, table: Table, days: Sequence[date], made_from: Mapping[str, Any]
    ) -> dict[date, Partition]:
        partitions = self._partitions(table, days)
        problems = [
            f"{day}: {problem}"
            for day in days
            if (problem := _mismatch(table, partitions.get(day), made_from))
        ]
        if problems:
            shown = "; ".join(problems[:5]) + ("; ..." if len(problems) > 5 else "")
            raise LakeError(
                f"{len(problems)} partition(s) of {table.name} cannot be used ({shown}): "
                f"materialize {table.name} for those days."
            )
        return partitions

    def _partitions(self, table: Table, days: Sequence[date]) -> dict[date, Partition]:
        found = {}
        for day, text in self.store.provenance(table.name, days).items():
            try:
                found[day] = Partition(**json.loads(text))
            except (ValueError, TypeError) as error:
                raise LakeError(
                    f"{table.name} of {day} has a damaged {PROVENANCE}: materialize it again."
                ) from error
        return found

    def _commit(
        self, table: Table, staging: Staging, day: date, made_from: Mapping[str, Any]
    ) -> Partition:
        files = _data_files(staging, day)
        if not files:
            _write_file(staging, day, table.schema.empty_table())
            files = _data_files(staging, day)
        partition = Partition(
            sum(pq.read_metadata(info.path, filesystem=staging.files).num_rows for info in files),
            table.schema_digest,
            dict(made_from),
            {info.base_name: info.size for info in files},
        )
        text = json.dumps(vars(partition), indent=1, default=str)
        with staging.files.open_output_stream(f"date={day}/{PROVENANCE}") as file:
            file.write(text.encode())
        self.store.replace(table.name, day, staging)
        return partition


def _open_store(root: str, storage: "AzureBlobStorageResource | None", native: bool) -> Store:
    if is_azure(root):
        try:
            location = locate(root)
            storage = storage or storage_resource(location)
        except AzureUrlError as error:
            raise LakeError(f"LOWSLOW_LAKE cannot be used: {error}") from error
        # Imported here, because its packages are an extra.
        from lowslow_assets.lake.stores.blobs import Blobs, NativeBlobs

        return (NativeBlobs if native else Blobs)(location, storage)
    if "://" in root and not root.startswith("file://"):
        raise LakeError(
            f"LOWSLOW_LAKE {without_rest(root)!r} is neither a path nor a URL of Azure Storage."
        )
    return Folders(root)


def _mismatch(
    table: Table, partition: Partition | None, made_from: Mapping[str, Any]
) -> str | None:
    if partition is None:
        return "no such partition"
    if partition.schema_digest != table.schema_digest:
        return "written with another schema"
    for key, wanted in made_from.items():
        if (found := partition.made_from.get(key)) != wanted:
            return f"made with {key} {found}, not {wanted}"
    return None


def _require_days(table: Table, days: Sequence[date], staging: Staging) -> None:
    found = staging.files.get_file_info(fs.FileSelector("", allow_not_found=True))
    folders = {info.base_name for info in found if info.base_name.startswith("date=")}
    if strays := sorted(folders - {f"date={day}" for day in days}):
        raise LakeError(
            f"Rows for {table.name} are of other days than its partitions: {', '.join(strays)}."
        )


def _data_files(staging: Staging, day: date) -> list[fs.FileInfo]:
    """The staged day's data files; removes the checksums that Hadoop puts beside local files."""
    found = staging.files.get_file_info(fs.FileSelector(f"date={day}", allow_not_found=True))
    for info in found:
        if info.extension == "crc":
            staging.files.delete_file(info.path)
    return [info for info in found if info.extension == "parquet"]


def _write_file(staging: Staging, day: date, rows: pa.Table) -> None:
    """Write a data file under a name that no other file has, as the engines do."""
    staging.files.create_dir(f"date={day}")
    path = f"date={day}/{uuid.uuid4().hex}.parquet"
    pq.write_table(rows, path, filesystem=staging.files, compression="zstd")


def window_days(last: date, length: int) -> list[date]:
    """The ``length`` days that end with ``last``, in order."""
    return [last - timedelta(days=back) for back in range(length - 1, -1, -1)]
