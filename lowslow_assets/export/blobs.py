"""An export in Azure Storage, and the ways in which its files are read.

Listing descends level by level to the folders of days (one call per level), and lists a day's files
in one pass. So one look at an export costs a dozen calls, even with years of five-minute files. A
blob is read up to the size that was listed: the export's blobs grow by whole lines, and lines that
came later belong to another version.
"""

import io
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import IO, TYPE_CHECKING

from lowslow_assets.engines.base import InputFile, Open
from lowslow_assets.export.copies import CopiedExport
from lowslow_assets.export.folders import FolderExport
from lowslow_assets.export.names import is_hidden
from lowslow_assets.export.refusals import as_source_errors
from lowslow_assets.export.source import Export, ExportFile, SourceError
from lowslow_assets.platform.azure import (
    AzureUrlError,
    Location,
    blob_service,
    file_system,
    locate,
    storage_resource,
)
from lowslow_assets.platform.refusals import is_permanent
from lowslow_assets.settings import EXECUTORS, NATIVE, STAGED

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient
    from pyarrow.fs import AzureFileSystem

_CALLS_AT_ONCE = 16
# In addition to Arrow's own retries, which take half a minute; Arrow does not retry after 429.
_WAITS = (1, 2, 4, 8)


def open_blobs(url: str, read: str) -> Export:
    """The export at a URL; ``read`` is the way to read it (one of ``settings.READS``).

    Credentials are the environment's. Raises SourceError if the URL names no container.
    """
    ways: Mapping[str, Callable[..., Export]] = {
        NATIVE: NativeExport,
        STAGED: StagedExport,
        EXECUTORS: ExecutorsExport,
    }
    try:
        place = locate(url)
        service = blob_service(storage_resource(place))
    except AzureUrlError as error:
        raise SourceError(f"LOWSLOW_SOURCE: {error}") from None
    return ways[read](url, place, service)


class BlobExport(FolderExport):
    """An export in a container."""

    def __init__(self, url: str, place: Location, service: "BlobServiceClient") -> None:
        self.where = url
        self._place = place
        self._client = service.get_container_client(place.container)
        self._found: dict[str, list[str]] = {}

    def _listing(self) -> AbstractContextManager[None]:
        return as_source_errors(self.where)

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
            if not any(map(is_hidden, name.split("/"))):
                yield ExportFile(name, int(blob.size), str(blob.etag))

    def _location(self, name: str) -> str:
        return self._place.url(name)


class ExecutorsExport(BlobExport):
    """Each process that parses reads the blobs itself. Nothing is copied to a disk."""

    @property
    def open_files(self) -> Open:
        """Reads blobs by their URLs."""
        return read_blobs


class StagedExport(CopiedExport, BlobExport):
    """The blobs are copied to this machine first."""

    def _copy(self, copies: Mapping[ExportFile, Path]) -> None:
        """Copies several blobs at once. Each is copied completely or not at all."""
        arrow = _connect(self._place)

        def copy(file: ExportFile, target: Path) -> None:
            with as_source_errors(self.where):
                path = f"{self._place.container}/{self._place.prefix}{file.name}"
                content = fetch(arrow, path, file.size)
            target.write_bytes(content)

        with ThreadPoolExecutor(_CALLS_AT_ONCE) as pool:
            for _ in pool.map(copy, copies, copies.values()):
                pass


class NativeExport(BlobExport):
    """Spark's own connector reads the blobs, with its own credentials.

    An executor holds a whole file in memory.
    """

    open_files = None

    def _name_problem(self, name: str) -> str | None:
        if ":" in name or not name.isprintable():
            return "unreadable file: its name has a character that Spark's connector cannot read"
        return super()._name_problem(name)

    def _location(self, name: str) -> str:
        return self._place.abfss(name)


def read_blobs(files: Iterable[InputFile]) -> Iterator[tuple[InputFile, IO[bytes]]]:
    """The content of blobs by their URLs, up to the listed size; some are requested in advance.

    Credentials are those of the environment of the process that runs it.
    """
    connected: dict[str, AzureFileSystem] = {}
    ahead: deque[tuple[InputFile, Future[bytes]]] = deque()

    def content_of(file: InputFile, arrow: "AzureFileSystem", path: str) -> bytes:
        with as_source_errors(file.location):
            return fetch(arrow, path, file.size)

    def first() -> tuple[InputFile, IO[bytes]]:
        file, content = ahead.popleft()
        return file, io.BytesIO(content.result())

    with ThreadPoolExecutor(_CALLS_AT_ONCE) as pool:
        try:
            for file in files:
                place = locate(file.location)
                if place.account_url not in connected:
                    connected[place.account_url] = _connect(place)
                arrow = connected[place.account_url]
                ahead.append((file, pool.submit(content_of, file, arrow, place.arrow_path)))
                if len(ahead) > _CALLS_AT_ONCE:
                    yield first()
            while ahead:
                yield first()
        finally:
            for _, content in ahead:
                content.cancel()


def fetch(arrow: "AzureFileSystem", path: str, size: int) -> bytes:
    """The first ``size`` bytes of a blob. Retries for a limited time; raises OSError."""
    waits = iter(_WAITS)
    while True:
        try:
            with arrow.open_input_file(path) as blob:
                content = blob.read_at(size, 0) if size else b""
            if len(content) < size:
                raise ConnectionError("less than was listed")
            return content
        except OSError as error:
            wait = next(waits, None)
            if wait is None or is_permanent(error) or isinstance(error, FileNotFoundError):
                raise
        time.sleep(wait)


def _connect(place: Location) -> "AzureFileSystem":
    """Arrow's file system of the account."""
    return file_system(storage_resource(place))
