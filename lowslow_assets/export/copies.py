"""An export whose files are copied to this machine before they are opened."""

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Self

from lowslow_assets.engines.base import InputFile, Open
from lowslow_assets.export.folders import open_local
from lowslow_assets.export.source import DayFiles, ExportFile


class CopiedExport(ABC):
    """The copies are in the folder for temporary files.

    They are removed at the end of the ``with`` statement, and by the next call of ``inputs``.
    """

    open_files: Open | None = staticmethod(open_local)
    _folder: TemporaryDirectory[str] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Removes the copies."""
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def inputs(self, listing: Sequence[DayFiles]) -> list[InputFile]:
        """The readable files, copied."""
        self.__exit__()
        self._folder = TemporaryDirectory(prefix="lowslow-export-")
        files = [(listed.day, file) for listed in listing for file in listed.readable]
        # Names of blobs are not always valid names of files.
        copies = {
            file: Path(self._folder.name, str(number)) for number, (_, file) in enumerate(files)
        }
        self._copy(copies)
        return [InputFile(day, file.name, file.size, str(copies[file])) for day, file in files]

    @abstractmethod
    def _copy(self, copies: Mapping[ExportFile, Path]) -> None:
        """Copy each file to its path. Raises SourceError and SourceUnavailable."""


class DailyExport(CopiedExport):
    """The log of a service that answers queries, as an export with one file per day."""

    @staticmethod
    def file_name(day: date, log: str) -> str:
        """The name of the day's file."""
        return f"y={day:%Y}/m={day:%m}/d={day:%d}/{log}.json"

    def _copy(self, copies: Mapping[ExportFile, Path]) -> None:
        """Write each file's day, one after the other."""
        for listed, target in copies.items():
            day = date(*map(int, re.findall(r"\d+", listed.name)[:3]))
            with target.open("wb") as file:
                self._write_day(day, file)

    @abstractmethod
    def _write_day(self, day: date, file: IO[bytes]) -> None:
        """Write a day's sign-ins. Raises SourceError and SourceUnavailable."""
