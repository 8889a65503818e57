"""What an export is: the files of each day of a sign-in log, and how any process opens them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol, Self

from lowslow_assets.engines.base import InputFile, Open
from lowslow_assets.export.names import printable


class SourceError(Exception):
    """The source does not fit the settings: a person must correct one of the two."""


class SourceUnavailable(Exception):
    """The source did not answer as it should this time: a retry may succeed."""


@dataclass(frozen=True)
class ExportFile:
    """A file, by its name within the export; ``version`` is the store's version of it."""

    name: str
    size: int
    version: str = ""
    problem: str | None = None
    """Why the file is not read, whatever it contains; None if it is read."""


@dataclass(frozen=True)
class DayFiles:
    """The files of one day, by name."""

    day: date
    files: tuple[ExportFile, ...]

    @property
    def total_bytes(self) -> int:
        """The sum of the files' sizes as stored."""
        return sum(file.size for file in self.files)

    @property
    def version(self) -> str:
        """Changes when a file is added, grows or is removed; with versions, also if replaced."""
        digest = hashlib.sha256()
        for file in self.files:
            facts = [file.name, str(file.size), *([file.version] if file.version else [])]
            digest.update(("\0".join(facts) + "\n").encode(errors="surrogateescape"))
        return digest.hexdigest()[:16]

    @property
    def readable(self) -> list[ExportFile]:
        """The files that are read."""
        return [file for file in self.files if not file.problem]

    @property
    def refused(self) -> list[tuple[str, str]]:
        """The names of the files that are not read, each with the reason."""
        return [(printable(file.name), file.problem) for file in self.files if file.problem]


class Export(Protocol):
    """A sign-in log as files by day, wherever it is stored.

    It is used in a ``with`` statement: copies that reading needs are removed at its end.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def require_days(self) -> None:
        """Raise SourceError, in one sentence, unless the export is there and has a day."""
        ...

    def days(self) -> Iterator[date]:
        """The days of the export, newest first; it is listed only as far as needed."""
        ...

    def list_day(self, day: date) -> DayFiles:
        """Names and sizes of the day's files; a day that is missing has no files."""
        ...

    def inputs(self, listing: Sequence[DayFiles]) -> list[InputFile]:
        """The readable files, at locations that are valid for ``open_files`` until the next call.

        Raises SourceError and SourceUnavailable.
        """
        ...

    @property
    def open_files(self) -> Open | None:
        """The function that opens files in any process; None if only Spark's connector can.

        The function raises SourceError and SourceUnavailable for errors that the file's content
        does not cause.
        """
        ...
