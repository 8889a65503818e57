"""An export as a tree of folders, for several kinds of store, and the export of a local path."""

import heapq
import io
import os
import re
import stat
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import IO, Any, NoReturn, Self

from lowslow_assets.engines.base import InputFile
from lowslow_assets.export.names import (
    DAY_KEYS,
    day_of_hour,
    is_hidden,
    name_problem,
)
from lowslow_assets.export.source import DayFiles, ExportFile, SourceError
from lowslow_assets.platform.azure import without_rest

# Entra's diagnostic settings write to such a folder of their container.
_OF_TENANT = re.compile(r"tenantId=[0-9A-Za-z-]{1,64}\Z", re.IGNORECASE)
_CIRCLE = "unreadable file: a link to a folder, which is not followed"


class FolderExport(ABC):
    """An ``Export`` whose root is the folder that holds the ``y=YYYY`` folders.

    Names are relative to the root, with ``/`` between folders.
    """

    where: str
    """The root, as it is shown to people."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:  # noqa: B027
        """Keeps nothing, so removes nothing."""

    def require_days(self) -> None:
        """Raise SourceError, in one sentence, unless the export is there and has a day."""
        if any(True for _ in self.days()):
            return
        with self._listing():
            named = sorted(name for name in self._subfolders("") if _OF_TENANT.match(name))
        raise SourceError(
            f"LOWSLOW_SOURCE {self.where!r} holds no y=YYYY/m=MM/d=DD folder: "
            + (
                f"its folder {named[0]!r} may be the root of an export."
                if named
                else "it is not the root of an export, or the export has not begun."
            )
        )

    def days(self) -> Iterator[date]:
        """The days that have a folder, newest first; folders are listed only as far as needed."""
        with self._listing():
            top = list(self._subfolders(""))
            by_day = [self._days_below(top, keys) for keys in DAY_KEYS]
            by_hour = sorted((day for name in top if (day := day_of_hour(name))), reverse=True)
            for day, _ in groupby(heapq.merge(*by_day, by_hour, reverse=True)):
                yield day

    def list_day(self, day: date) -> DayFiles:
        """Names and sizes of the day's files; a day without a folder has none."""
        with self._listing():
            found = [file for folder in self._folders(day) for file in self._files(folder)]
        files = [
            replace(file, problem=file.problem or self._name_problem(file.name)) for file in found
        ]
        return DayFiles(day, tuple(sorted(files, key=lambda file: file.name)))

    def inputs(self, listing: Sequence[DayFiles]) -> list[InputFile]:
        """The readable files."""
        return [
            InputFile(listed.day, file.name, file.size, self._location(file.name))
            for listed in listing
            for file in listed.readable
        ]

    def _name_problem(self, name: str) -> str | None:
        """Why a file of this name is not read; None if it is read."""
        return name_problem(name)

    @abstractmethod
    def _listing(self) -> AbstractContextManager[None]:
        """Turns an error while listing into one sentence."""

    @abstractmethod
    def _subfolders(self, folder: str) -> Iterable[str]:
        """The folders directly in a folder, by name."""

    @abstractmethod
    def _files(self, folder: str) -> Iterator[ExportFile]:
        """The files of the export at any depth of a folder."""

    @abstractmethod
    def _location(self, name: str) -> str:
        """The location at which a file is opened."""

    def _days_below(self, top: list[str], keys: tuple[str, str, str]) -> Iterator[date]:
        for year, years in _numbered(top, keys[0]):
            for month, months in _numbered(self._children(years), keys[1]):
                for day, _ in _numbered(self._children(months), keys[2]):
                    with suppress(ValueError):  # a folder like d=31 in m=06 is no day
                        yield date(year, month, day)

    def _folders(self, day: date) -> list[str]:
        """The day's folders: one, one per hour, or one with and one without a leading zero."""
        top = list(self._subfolders(""))
        found = [name for name in top if day_of_hour(name) == day]
        for of_year, of_month, of_day in DAY_KEYS:
            years = dict(_numbered(top, of_year)).get(day.year, [])
            months = dict(_numbered(self._children(years), of_month)).get(day.month, [])
            found += dict(_numbered(self._children(months), of_day)).get(day.day, [])
        return sorted(found)

    def _children(self, folders: Iterable[str]) -> list[str]:
        return [child for folder in folders for child in self._subfolders(folder)]


class LocalExport(FolderExport):
    """An export on a local or mounted path."""

    def __init__(self, root: str) -> None:
        if "://" in root and not root.startswith("file://"):
            raise SourceError(
                f"LOWSLOW_SOURCE {without_rest(root)!r} is neither a local path nor an Azure URL."
            )
        self.root = Path(root.removeprefix("file://")).expanduser().absolute()
        self.where = str(self.root)
        self.open_files = open_local

    @contextmanager
    def _listing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not self.root.is_dir():
                raise SourceError(
                    f"LOWSLOW_SOURCE {self.where!r} is not a folder: set it to the folder that "
                    "holds the export's y=YYYY folders, or run `make demo` for a sample tenant."
                ) from error
            raise SourceError(
                f"LOWSLOW_SOURCE {self.where!r} cannot be listed: {error}."
            ) from error

    def _subfolders(self, folder: str) -> Iterator[str]:
        for entry in os.scandir(self._location(folder)):
            if entry.is_dir():
                yield f"{folder}/{entry.name}".lstrip("/")

    def _files(self, folder: str) -> Iterator[ExportFile]:
        for entry in os.scandir(self._location(folder)):
            name = f"{folder}/{entry.name}"
            if is_hidden(entry.name):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from self._files(name)
            elif entry.is_dir():
                yield ExportFile(name, 0, problem=_CIRCLE)
            else:
                yield ExportFile(name, _size(entry))

    def _location(self, name: str) -> str:
        return f"{self.where}/{name}"


def open_local(files: Iterable[InputFile]) -> Iterator[tuple[InputFile, IO[bytes]]]:
    """Files at paths of this machine. A file that cannot be opened fails when it is read."""
    for file in files:
        with _open(file.location) as content:
            yield file, content


def _open(path: str) -> IO[bytes]:
    try:
        mode = os.stat(path).st_mode
        # Opening a pipe would wait for its other end.
        if not stat.S_ISREG(mode):
            raise OSError("not a regular file")
        return open(path, "rb")
    except OSError as error:
        return _Unreadable(error)


class _Unreadable(io.BytesIO):
    """The content of a file that cannot be opened."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error

    def _fail(self, *_: Any) -> NoReturn:
        raise self._error

    read = readinto = seek = tell = _fail


def _numbered(folders: Iterable[str], key: str) -> list[tuple[int, list[str]]]:
    """The folders named ``key=<number>``, by number, the greatest first."""
    found: dict[int, list[str]] = defaultdict(list)
    for folder in folders:
        if match := re.search(rf"(?:^|/){key}=(\d{{1,4}})\Z", folder):
            found[int(match[1])].append(folder)
    return sorted(found.items(), reverse=True)


def _size(entry: os.DirEntry[str]) -> int:
    """The size in bytes; 0 if the file is missing or a link is broken."""
    try:
        return entry.stat().st_size
    except OSError:
        return 0
