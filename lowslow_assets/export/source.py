"""What an export is: the files of each day of a sign-in log, and how any process opens them."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol, Self

from lowslow_assets.engines.base import InputFile, Open
from lowslow_assets.export.names import printable


class SourceError(Exception):
    """The source cannot be what the settings say it is: a person has to mend one of them."""


class SourceUnavailable(Exception):
    """The source did not answer as it should this time: another try may find it well."""


@dataclass(frozen=True)
class ExportFile:
    """A file by its name within the export; ``version`` is what the store has for one."""

    name: str
    size: int
    version: str = ""
    problem: str | None = None
    """Why it is not read, if so, whatever it holds."""


@dataclass(frozen=True)
class DayFiles:
    """The files of one day, by name."""

    day: date
    files: tuple[ExportFile, ...]

    @property
    def total_bytes(self) -> int:
        """As stored."""
        return sum(file.size for file in self.files)

    @property
    def version(self) -> str:
        """Changes when a file comes, grows or goes, and if the store has versions, is replaced."""
        digest = hashlib.sha256()
        for file in self.files:
            facts = [file.name, str(file.size), *([file.version] if file.version else [])]
            digest.update(("\0".join(facts) + "\n").encode(errors="surrogateescape"))
        return digest.hexdigest()[:16]

    @property
    def readable(self) -> list[ExportFile]:
        """Those that are read."""
        return [file for file in self.files if not file.problem]

    @property
    def refused(self) -> list[tuple[str, str]]:
        """The names of the others, each with the reason."""
        return [(printable(file.name), file.problem) for file in self.files if file.problem]


class Export(Protocol):
    """A sign-in log as files by day, wherever it lies.

    Used in a ``with`` statement: what reading needs to keep for as long is removed at its end.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def require_days(self) -> None:
        """Raise SourceError, in one sentence, unless the export is there and has a day."""
        ...

    def days(self) -> Iterator[date]:
        """The days that it has, newest first; lists no further than it is asked to."""
        ...

    def list_day(self, day: date) -> DayFiles:
        """Names and sizes of the day's files; a day that it has not has none."""
        ...

    def inputs(self, listing: Sequence[DayFiles]) -> list[InputFile]:
        """The readable files, where ``open_files`` finds them until the next call of this.

        Raises SourceError and SourceUnavailable.
        """
        ...

    @property
    def open_files(self) -> Open | None:
        """What opens them in any process; None where only a connector of Spark's does.

        It raises SourceError and SourceUnavailable where that is not for what the file is.
        """
        ...
