"""An export in Azure Storage, and the ways in which Spark gets its lines.

Listing goes level by level to the folders of days (a call each), and once through a day's: what
years of five minutes' files cost a look is a dozen calls. A blob is read as far as it was listed:
those of the export grow by whole lines, and what came later is another fingerprint.
"""

import gzip
import io
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lowslow_assets.export.copies import CopiedExport, as_line
from lowslow_assets.export.refusals import is_permanent, told
from lowslow_assets.export.source import (
    PACKED_SUFFIX,
    TABLE_SUFFIX,
    DayFiles,
    Export,
    ExportFile,
    SourceError,
    content_problem,
    dated,
    is_export_file,
    is_hidden,
)
from lowslow_assets.platform.azure import (
    AzureUrlError,
    Location,
    blob_service,
    file_system,
    locate,
    storage_resource,
)
from lowslow_assets.settings import EXECUTORS, NATIVE, STAGED

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient
    from pyarrow.fs import AzureFileSystem

_CALLS_AT_ONCE = 16
_BYTES_A_TASK = 4 << 20
_ROWS_A_BATCH = 10_000
# After Arrow's own tries, which take half a minute; it does not try again after 429.
_WAITS = (1, 2, 4, 8)
_LINES = "file string, value binary"


def open_blobs(url: str, read: str) -> "BlobExport":
    """The export at a URL, to be read by Spark in this way (one of ``settings.READS``).

    Credentials are the environment's. Raises SourceError where the URL names no container.
    """
    ways = {NATIVE: BlobExport, STAGED: StagedExport, EXECUTORS: ExecutorsExport}
    try:
        place = locate(url)
        service = blob_service(storage_resource(place))
    except AzureUrlError as error:
        raise SourceError(f"LOWSLOW_SOURCE: {error}") from None
    return ways[read](url, place, service)


def _connect(place: Location) -> "AzureFileSystem":
    """Arrow's file system of the account; executors take its secrets from their environment."""
    return file_system(storage_resource(place))


class BlobExport(Export):
    """An export in a container. Spark has a connector of its own, and credentials for it."""

    def __init__(self, url: str, place: Location, service: "BlobServiceClient") -> None:
        self.where = url
        self._place = place
        self._client = service.get_container_client(place.container)
        self._found: dict[str, list[str]] = {}

    @cached_property
    def _arrow(self) -> "AzureFileSystem":
        return _connect(self._place)

    @contextmanager
    def _listing(self) -> Iterator[None]:
        with told(self.where):
            yield

    def _subfolders(self, folder: str) -> list[str]:
        if folder not in self._found:
            above = self._place.prefix
            prefix = f"{above}{folder}/" if folder else above
            self._found[folder] = [
                item.name.removeprefix(above).rstrip("/")
                for item in self._client.walk_blobs(prefix, delimiter="/")
                if item.name.endswith("/")
            ]
        return self._found[folder]

    def _files(self, folder: str) -> Iterator[ExportFile]:
        above = self._place.prefix
        for blob in self._client.list_blobs(name_starts_with=f"{above}{folder}/"):
            name = str(blob.name).removeprefix(above)
            if is_export_file(name.rpartition("/")[2]) and not is_hidden(name):
                yield ExportFile(name, int(blob.size), str(blob.etag))

    def _problem(self, file: ExportFile) -> str | None:
        # Plain lines can be read whatever they are.
        if file.name.endswith((PACKED_SUFFIX, TABLE_SUFFIX)):
            return content_problem(file.name, self._open(file))
        return None

    def _open(self, file: ExportFile) -> IO[bytes]:
        with told(self.where):
            return io.BytesIO(fetch(self._arrow, self._place, file.name, file.size))

    def _for_spark(self, name: str) -> str:
        return self._place.abfss(name)


class StagedExport(CopiedExport, BlobExport):
    """Spark reads copies on this machine."""

    def copy(self, files: list[ExportFile], folder: Path) -> None:
        """Each comes whole or not at all, several at once."""

        def copy(file: ExportFile) -> None:
            with told(self.where):
                content = fetch(self._arrow, self._place, file.name, file.size)
            target = folder / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

        with ThreadPoolExecutor(_CALLS_AT_ONCE) as pool:
            for _ in pool.map(copy, files):
                pass


class ExecutorsExport(BlobExport):
    """Spark's executors read the blobs, with Python: nothing is copied to a disk."""

    def read_lines(
        self, spark: SparkSession, days: list[DayFiles], unreadable: dict[str, str]
    ) -> DataFrame:
        files = [
            (file.name, file.size)
            for listed in days
            for file in listed.files
            if file.name not in unreadable
        ]
        tasks = 1 + sum(size for _, size in files) // _BYTES_A_TASK
        names = spark.createDataFrame(files, "name string, size long").repartition(tasks)
        lines = names.mapInArrow(_reader(self._place), _LINES)
        return dated(lines.withColumn("value", F.col("value").cast("string")))


def _reader(
    location: Location,
) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What executors run: names and sizes of blobs to their lines."""

    def read(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        arrow = _connect(location)

        def lines(file: dict[str, Any]) -> tuple[str, list[bytes]]:
            with told(location.abfss()):
                content = fetch(arrow, location, file["name"], file["size"])
            return file["name"], lines_of(file["name"], content)

        with ThreadPoolExecutor(_CALLS_AT_ONCE) as pool:
            for batch in batches:
                for name, found in pool.map(lines, batch.to_pylist()):
                    for start in range(0, len(found), _ROWS_A_BATCH):
                        part = pa.array(found[start : start + _ROWS_A_BATCH], pa.binary())
                        file = pa.array([name] * len(part), pa.string())
                        yield pa.RecordBatch.from_arrays([file, part], names=["file", "value"])

    return read


def lines_of(name: str, content: bytes) -> list[bytes]:
    """The lines of a file, as Spark's readers give them; a row of Parquet is a line of JSON."""
    if name.endswith(TABLE_SUFFIX):
        return [as_line(row) for row in pq.read_table(io.BytesIO(content)).to_pylist()]
    if name.endswith(PACKED_SUFFIX):
        content = gzip.decompress(content)
    return content.removeprefix(b"\xef\xbb\xbf").splitlines()


def fetch(arrow: "AzureFileSystem", location: Location, name: str, size: int) -> bytes:
    """The first ``size`` bytes of a blob. Tries again for a while; raises OSError."""
    waits = iter(_WAITS)
    while True:
        try:
            with arrow.open_input_file(f"{location.container}/{location.prefix}{name}") as blob:
                content = blob.read_at(size, 0) if size else b""
            if len(content) < size:
                raise ConnectionError("less than was listed")
            return content
        except OSError as error:
            wait = next(waits, None)
            if wait is None or is_permanent(error) or isinstance(error, FileNotFoundError):
                raise
        time.sleep(wait)
