"""What a lake asks of a store."""

import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Protocol

from pyarrow import fs

PROVENANCE = "_provenance.json"
ABANDONED_AFTER_SECONDS = 24 * 3600
"""After this time, files that a run has not named are those of a killed run."""

Files = Mapping[date, Mapping[str, int]]
"""Per day, the names of its files with their sizes in bytes."""


class LakeError(Exception):
    """A needed partition is missing or does not fit, or the lake cannot be used."""


class LakeUnavailable(Exception):
    """The storage did not answer as it should: a retry may help."""


@dataclass(frozen=True)
class Staging:
    """A folder for one write: its name for an engine, and a file system that begins there."""

    name: str
    files: fs.FileSystem


class Store(Protocol):
    """Folders of files by name and day; each is replaced as a whole or not at all.

    A folder's file ``_provenance.json`` names its other files, for stores that cannot replace a
    folder in one step: a file that it does not name does not count.
    """

    def days(self, name: str) -> list[date]:
        """The days that have a folder, in order."""
        ...

    def provenance(self, name: str, days: Sequence[date]) -> dict[date, str]:
        """The text of the provenance of each day that has one."""
        ...

    def local_files(self, name: str, files: Files) -> list[Path]:
        """The days' data on local paths. Raises FileNotFoundError if it was replaced meanwhile."""
        ...

    def engine_files(self, name: str, files: Files) -> list[str]:
        """The same in the form that an engine reads: paths, or URLs for its own connector."""
        ...

    def staging(self, name: str) -> AbstractContextManager[Staging]:
        """A folder that exists within the context. Raises LakeError if it cannot be written."""
        ...

    def replace(self, name: str, day: date, staging: Staging) -> str:
        """Put the staged folder in the place of the day's current one; returns its name."""
        ...

    def drop(self, name: str, before: date) -> list[date]:
        """Remove the folders of earlier days, each as a whole; returns their days."""
        ...


def user_cache(name: str) -> Path:
    """A folder for files that can be downloaded or requested again."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home, "lowslow_assets", name)


def day_of(folder: str) -> date:
    """The day of a folder named ``date=YYYY-MM-DD``."""
    return date.fromisoformat(folder.removeprefix("date="))


@contextmanager
def local_staging(area: Path, name: str) -> Iterator[Staging]:
    """A new folder below ``area``; removes what a killed run left there."""
    area.mkdir(parents=True, exist_ok=True)
    for left in area.iterdir():
        with suppress(FileNotFoundError):  # another run ends, and removes its own
            if time.time() - left.stat().st_mtime > ABANDONED_AFTER_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
    folder = area / f"{name}-{uuid.uuid4().hex}"
    try:
        yield Staging(str(folder), fs.SubTreeFileSystem(str(folder), fs.LocalFileSystem()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
