"""A store in a container of Azure Storage, where a folder cannot be renamed in one step.

A day's files are uploaded under new names. Then one call replaces the day's provenance, which names
them. This call replaces the day, because readers read only named files. The files of an interrupted
write are not named, so they do not count. At last, the files that the old provenance named are
removed.

Each call may fail temporarily and be repeated (`retries.py`), so each call can be made twice.
"""

import hashlib
import json
import mimetypes
import os
import re
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar, cast

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import ContentSettings
from dagster_azure.blob import AzureBlobStorageResource
from pyarrow import fs

from lowslow_assets.lake.stores.base import (
    ABANDONED_AFTER_SECONDS,
    PROVENANCE,
    Files,
    LakeError,
    LakeUnavailable,
    Staging,
    day_of,
    local_staging,
    user_cache,
)
from lowslow_assets.platform.azure import Location, blob_service, file_system
from lowslow_assets.platform.refusals import is_permanent, why

_STAGING = ".staging"
_CALLS_AT_ONCE = 8
_KEPT_UNUSED_SECONDS = 3 * 24 * 3600
_HIDDEN = ("_", ".")
_OF_A_DAY = re.compile(r"(date=\d{4}-\d\d-\d\d)/(.+)", re.DOTALL)
# Errors that the code here handles; all others are reported to people.
_EXPECTED = ("BlobNotFound", "BlobAlreadyExists", "ConditionNotMet", "DirectoryIsNotEmpty")

T = TypeVar("T")
R = TypeVar("R")


class Blobs:
    """``<folder>/<name>/date=YYYY-MM-DD``; Spark reads and writes copies below ``cache``.

    A cached file is never stale, because its name is never used again. Files that were not used
    for three days are removed: replaced and dropped partitions, and days that left the window.
    """

    def __init__(
        self, location: Location, storage: AzureBlobStorageResource, cache: Path | None = None
    ) -> None:
        self.location = location
        self._container = blob_service(storage).get_container_client(location.container)
        own = hashlib.sha256(location.url().encode()).hexdigest()[:16]
        self._cache = (cache or user_cache("lakes")) / own
        self._may_write = False
        self._sweep_cache()

    def days(self, name: str) -> list[date]:
        """As ``Store`` describes; one listing, of 5,000 files per call."""
        prefix = self._blob(f"{name}/")
        with self._lake_errors("listed"):
            names = list(self._container.list_blob_names(name_starts_with=prefix))
        found = [_OF_A_DAY.fullmatch(blob.removeprefix(prefix)) for blob in names]
        return sorted(day_of(match[1]) for match in found if match and match[2] == PROVENANCE)

    def provenance(self, name: str, days: Sequence[date]) -> dict[date, str]:
        """As ``Store`` describes."""
        texts = self._each(lambda day: self._read_provenance(_folder(name, day))[0], days)
        return {day: text for day, text in zip(days, texts, strict=True) if text is not None}

    def local_files(self, name: str, files: Files) -> list[Path]:
        """As ``Store`` describes; downloads what the cache lacks."""
        wanted = [
            (f"{_folder(name, day)}/{Path(file).name}", size)  # never a path out of the cache
            for day, of_day in files.items()
            for file, size in sorted(of_day.items())
        ]
        return self._each(lambda blob: self._cached(*blob), wanted)

    def engine_files(self, name: str, files: Files) -> list[str]:
        """As ``Store`` describes."""
        return [str(path) for path in self.local_files(name, files)]

    @contextmanager
    def staging(self, name: str) -> Iterator[Staging]:
        """As ``Store`` describes; below the cache. It first checks that it may write."""
        if not self._may_write:  # before the work whose result could not be kept
            self._upload(f"{_STAGING}/writable", b"")
            self._may_write = True
        with local_staging(self._cache / _STAGING, name) as staging:
            yield staging

    def replace(self, name: str, day: date, staging: Staging) -> str:
        """As ``Store`` describes; one folder per generation: documents link to each other."""
        folder, staged = _folder(name, day), f"date={day}"
        found = staging.files.get_file_info(fs.FileSelector(staged))
        files = {info.base_name: info.size for info in found}
        generation = "" if PROVENANCE in files else f"{uuid.uuid4().hex}/"
        if generation:
            sizes = {file: files[file] for file in files if not file.startswith(_HIDDEN)}
            text = json.dumps({"files": {generation + file: size for file, size in sizes.items()}})
        else:
            with staging.files.open_input_stream(f"{staged}/{PROVENANCE}") as stream:
                text = stream.read().decode()
        names = _named(text)
        self._each(
            lambda file: self._put(
                staging, f"{staged}/{file.removeprefix(generation)}", f"{folder}/{file}"
            ),
            sorted(names),
        )
        self._delete(f"{folder}/{file}" for file in self._publish(folder, text, names))
        self._delete(
            f"{folder}/{file}"
            for _, file, changed in self._listed(name, f"date={day}/")
            if file not in {*names, PROVENANCE} and _is_left(changed)
        )
        return self.location.url(f"{folder}/{generation}").rstrip("/")

    def drop(self, name: str, before: date) -> list[date]:
        """As ``Store`` describes; the provenance is removed first."""
        found = [
            (f"{name}/{folder}", file, changed)
            for folder, file, changed in self._listed(name)
            if day_of(folder) < before
        ]
        folders = sorted({folder for folder, file, _ in found if file == PROVENANCE})
        named = {
            f"{folder}/{file}"
            for folder, (text, _) in zip(
                folders, self._each(self._read_provenance, folders), strict=True
            )
            for file in _named(text)
        }
        self._delete(f"{folder}/{PROVENANCE}" for folder in folders)
        # Except those that another run has just uploaded and is about to name.
        self._delete(
            blob
            for folder, file, changed in found
            if file != PROVENANCE and ((blob := f"{folder}/{file}") in named or _is_left(changed))
        )
        return [day_of(folder.rpartition("/")[2]) for folder in folders]

    def _publish(self, folder: str, text: str, names: set[str]) -> set[str]:
        """Replace a folder's provenance; returns the files that are not named any more.

        If two runs write a day at the same time, one replaces the whole day of the other.
        """
        before, version = self._read_provenance(folder)
        condition: dict[str, Any] = {"match_condition": MatchConditions.IfMissing}
        if version is not None:
            condition = {"match_condition": MatchConditions.IfNotModified, "etag": version}
        try:
            self._upload(f"{folder}/{PROVENANCE}", text.encode(), **condition)
        except (ResourceModifiedError, ResourceExistsError):
            # Either ours was stored and the answer was lost, or another run was first by a moment.
            # Then it counts as the later one: ours may have been there, and its files may be
            # missing.
            if self._read_provenance(folder)[0] != text:
                return _named(before) | names
        return _named(before)

    def _read_provenance(self, folder: str) -> tuple[str | None, str | None]:
        """The provenance's text and its version; None if it is missing."""
        with self._lake_errors("read"):
            try:
                blob = self._container.download_blob(self._blob(f"{folder}/{PROVENANCE}"))
            except ResourceNotFoundError as error:
                if getattr(error, "error_code", None) != "BlobNotFound":
                    raise
                return None, None
            return blob.readall().decode(errors="replace"), blob.properties.etag

    def _listed(self, name: str, within: str = "") -> list[tuple[str, str, datetime]]:
        """The files in a name's folders of days: the folder, the file, its last change."""
        prefix = self._blob(f"{name}/")
        with self._lake_errors("listed"):
            found = [
                (_OF_A_DAY.fullmatch(blob.name.removeprefix(prefix)), blob.last_modified)
                for blob in self._container.list_blobs(name_starts_with=prefix + within)
            ]
        return [(match[1], match[2], changed) for match, changed in found if match]

    def _cached(self, name: str, size: int) -> Path:
        path = self._cache / name
        with suppress(FileNotFoundError):
            if path.stat().st_size == size:
                os.utime(path)
                return path
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            with part.open("wb") as file, self._lake_errors("read"):
                self._container.download_blob(self._blob(name)).readinto(file)
            part.replace(path)
        except ResourceNotFoundError as error:
            raise FileNotFoundError(name) from error
        finally:
            part.unlink(missing_ok=True)
        return path

    def _put(self, staging: Staging, staged: str, name: str) -> None:
        path = Path(staging.name, staged)
        with path.open("rb") as file:
            self._upload(name, file)
        if path.suffix == ".parquet":  # the next to read it is most often here
            cached = self._cache / name
            cached.parent.mkdir(parents=True, exist_ok=True)
            path.replace(cached)

    def _upload(self, name: str, content: Any, **condition: Any) -> None:
        kind, _ = mimetypes.guess_type(name)
        settings = ContentSettings(content_type=kind or "application/octet-stream")
        with self._lake_errors("written"):
            self._container.upload_blob(
                self._blob(name), content, overwrite=True, content_settings=settings, **condition
            )

    def _delete(self, names: Iterable[str]) -> None:
        def delete(name: str) -> None:
            # With a hierarchical namespace a folder is listed as a blob that may not be empty.
            with suppress(ResourceNotFoundError, ResourceExistsError), self._lake_errors("written"):
                self._container.delete_blob(self._blob(name))

        self._each(delete, list(names))

    def _blob(self, name: str) -> str:
        return f"{self.location.prefix}{name}"

    def _each(self, call: Callable[[T], R], items: Sequence[T]) -> list[R]:
        """The results in order; several calls at once."""
        if len(items) < 2:
            return [call(item) for item in items]
        with ThreadPoolExecutor(_CALLS_AT_ONCE) as pool:
            return list(pool.map(call, items))

    def _sweep_cache(self) -> None:
        for folder, _, names in os.walk(self._cache, topdown=False):
            for name in names:
                path = Path(folder, name)
                with suppress(FileNotFoundError):
                    if time.time() - path.stat().st_mtime > _KEPT_UNUSED_SECONDS:
                        path.unlink()
            if Path(folder).name.startswith("date="):
                with suppress(OSError):  # not empty
                    os.rmdir(folder)

    @contextmanager
    def _lake_errors(self, done: str) -> Iterator[None]:
        """Raise LakeError if Azure refuses a call, LakeUnavailable for an error that should pass.

        The message does not contain the call, which may hold a token. Errors that the code here
        handles are raised unchanged.
        """
        try:
            yield
        except AzureError as error:
            if getattr(error, "error_code", None) in _EXPECTED:
                raise
            raise self._refusal(done, error) from None

    def _refusal(self, done: str, error: Exception) -> Exception:
        kind = LakeError if is_permanent(error) else LakeUnavailable
        lake = self.location.abfss()
        return kind(f"LOWSLOW_LAKE {lake!r} cannot be {done}: {why(error)}.")


class NativeBlobs(Blobs):
    """Blobs that Spark reads and writes itself, by Hadoop's connector, without local copies.

    Each staged file is renamed in one step, which needs an account with a hierarchical namespace.
    Small tables are still read through the cache.
    """

    def __init__(
        self, location: Location, storage: AzureBlobStorageResource, cache: Path | None = None
    ) -> None:
        super().__init__(location, storage, cache)
        self._arrow: fs.FileSystem = file_system(storage)

    def engine_files(self, name: str, files: Files) -> list[str]:
        """As ``Store`` describes."""
        return [
            self.location.abfss(f"{_folder(name, day)}/{file}")
            for day, of_day in files.items()
            for file in of_day
        ]

    @contextmanager
    def staging(self, name: str) -> Iterator[Staging]:
        """As ``Store`` describes; removes what a killed run left there."""
        prefix = self._blob(f"{_STAGING}/")
        with self._lake_errors("listed"):
            self._delete(
                blob.name.removeprefix(self.location.prefix)
                for blob in self._container.list_blobs(name_starts_with=prefix)
                if _is_left(blob.last_modified)
            )
        folder = f"{_STAGING}/{name}-{uuid.uuid4().hex}"
        root = f"{self.location.arrow_path}/{folder}"
        try:
            with self._arrow_errors():
                self._arrow.create_dir(root)
            yield Staging(self.location.abfss(folder), fs.SubTreeFileSystem(root, self._arrow))
        finally:
            with suppress(OSError):
                self._arrow.delete_dir(root)

    def _put(self, staging: Staging, staged: str, name: str) -> None:
        files = cast(fs.SubTreeFileSystem, staging.files)
        target = f"{self.location.arrow_path}/{name}"
        with self._arrow_errors():
            self._arrow.create_dir(target.rpartition("/")[0])
            self._arrow.move(f"{files.base_path.rstrip('/')}/{staged}", target)

    @contextmanager
    def _arrow_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._refusal("written", error) from None


def _folder(name: str, day: date) -> str:
    return f"{name}/date={day}"


def _named(provenance: str | None) -> set[str]:
    """The files that a provenance names; empty if it is damaged."""
    try:
        return set(json.loads(provenance or "{}")["files"])
    except (ValueError, TypeError, KeyError):
        return set()


def _is_left(changed: datetime) -> bool:
    """Whether a file that is not named was left by a killed run: others name theirs in time."""
    return datetime.now(UTC) - changed > timedelta(seconds=ABANDONED_AFTER_SECONDS)
