"""The folders and files of an export: ``y=2026/m=06/d=30/h=02/m=05/PT05M.json``.

A sign-in belongs to the day whose folder holds it. Python looks at names, sizes
and whether a file opens; Spark reads the lines. The Parquet files of the export job for
historical data have a folder an hour instead, ``timestamp=2026-06-30T02`` or
``year=2026/month=06/day=30/hour=02``: each of their rows is taken as a line of JSON.
"""

import gzip
import hashlib
import heapq
import os
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from functools import reduce
from itertools import groupby
from pathlib import Path
from typing import IO, Self

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lowslow_assets.platform.azure import without_rest

PACKED_SUFFIX, TABLE_SUFFIX = ".json.gz", ".parquet"
LINE_SUFFIXES = (".json", PACKED_SUFFIX)
_HIDDEN = ("_", ".")
_LONGEST_NAME = 255
_KEYS = (("y", "m", "d"), ("year", "month", "day"))
_HOUR = r"timestamp=\d{4}-\d{2}-\d{2}T\d{2}"
_DAY = "|".join([*(rf"{y}=\d{{4}}/{m}=\d{{1,2}}/{d}=\d{{1,2}}" for y, m, d in _KEYS), _HOUR])
# Greedy: the last of a path counts, whatever folders the export lies in.
_DAY_PATH = rf".*/((?:{_DAY})/.*)$"
_DATE_PARTS = r"^\w+=(\d+)(?:-|/\w+=)(\d+)(?:-|/\w+=)(\d+).*$"

_LINES = "date date, file string, value string"
_REJECTED = "date date, file string, reason string, line string"
# Spark's own default has milliseconds.
_TIMES = {
    "timestampFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "timestampNTZFormat": "yyyy-MM-dd'T'HH:mm:ss.SSSSSS",
}


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
    def fingerprint(self) -> str:
        """Changes when a file comes, grows or goes, and if the store has versions, is replaced."""
        digest = hashlib.sha256()
        for file in self.files:
            facts = [file.name, str(file.size), *([file.version] if file.version else [])]
            digest.update(("\0".join(facts) + "\n").encode(errors="surrogateescape"))
        return digest.hexdigest()[:16]


class Export:
    """An export on a local path; ``root`` is the folder that holds the ``y=YYYY`` folders.

    Used in a ``with`` statement: what reading needs to keep for as long is removed at its end.
    """

    def __init__(self, root: str) -> None:
        if "://" in root and not root.startswith("file://"):
            raise SourceError(
                f"LOWSLOW_SOURCE {without_rest(root)!r} is neither a local path nor an Azure URL."
            )
        self.root = Path(root.removeprefix("file://")).expanduser().absolute()
        self.where = str(self.root)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is kept of local files."""

    def require_days(self) -> None:
        """Raise SourceError, in one sentence, unless the export is there and has a day."""
        if not any(True for _ in self.days()):
            raise SourceError(
                f"LOWSLOW_SOURCE {self.where!r} holds no y=YYYY/m=MM/d=DD folder: it is not "
                "the root of an export, or the export has not begun."
            )

    def days(self) -> Iterator[date]:
        """The days that have a folder, newest first; lists no further than it is asked to."""
        with self._listing():
            top = list(self._subfolders(""))
            by_day = [self._days_below(top, keys) for keys in _KEYS]
            by_hour = sorted((day for name in top if (day := _day_of_hour(name))), reverse=True)
            for day, _ in groupby(heapq.merge(*by_day, by_hour, reverse=True)):
                yield day

    def list_day(self, day: date) -> DayFiles:
        """Names and sizes of the day's files; a day without a folder has none."""
        with self._listing():
            files = [file for folder in self._folders(day) for file in self._files(folder)]
        return DayFiles(day, tuple(sorted(files, key=lambda file: file.name)))

    def unreadable(self, days: Iterable[DayFiles]) -> dict[str, str]:
        """The files that do not open or, compressed, do not unpack, with the reason.

        Spark would fail the whole read on the first of them, or skip it silently.
        """
        problems = {
            file.name: name_problem(file.name) or self._problem(file)
            for files in days
            for file in files.files
        }
        return {name: problem for name, problem in problems.items() if problem}

    def read_lines(
        self, spark: SparkSession, days: list[DayFiles], unreadable: dict[str, str]
    ) -> DataFrame:
        """All lines of the days' files as (date, file, value)."""
        parts = []
        # The fingerprint for the reason that `Lake.read` has one. Without recursive look-up,
        # folders named like hour=01 become columns.
        listed = hashlib.sha256("".join(files.fingerprint for files in days).encode()).hexdigest()
        options = {"recursiveFileLookup": "true", "fingerprint": listed}
        if paths := self._paths_of_lines(days, unreadable):
            lines = spark.read.options(**options, pathGlobFilter="{*.json,*.json.gz}").text(paths)
            parts.append(lines.select(_file_of_line().alias("file"), "value"))
        for paths in self._tables_by_schema(days, unreadable):
            rows = spark.read.options(**options).parquet(*paths)
            value = F.to_json(F.struct("*"), _TIMES).alias("value")
            parts.append(rows.select(_file_of_line().alias("file"), value))
        if not parts:
            return spark.createDataFrame([], _LINES)
        return dated(reduce(DataFrame.unionByName, parts))

    def reject(self, spark: SparkSession, unreadable: dict[str, str]) -> DataFrame:
        """A row an unreadable file, as (date, file, reason, line); the line is null."""
        rows = [
            (_day_of(name), _printable(name), problem, None)
            for name, problem in sorted(unreadable.items())
        ]
        return spark.createDataFrame(rows, _REJECTED)

    # --- what another store does otherwise ---------------------------------------------------

    @contextmanager
    def _listing(self) -> Iterator[None]:
        """Turns what goes wrong while listing into one sentence."""
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

    def _subfolders(self, folder: str) -> Iterable[str]:
        """The folders directly in a folder of the export, by their names within the export."""
        for entry in os.scandir(self.root / folder):
            if entry.is_dir():
                yield f"{folder}/{entry.name}".lstrip("/")

    def _files(self, folder: str) -> Iterator[ExportFile]:
        """The files of the export at any depth of a folder."""
        for parent, folders, names in os.walk(self.root / folder):
            # Spark's readers pass over these names too.
            folders[:] = [name for name in folders if not name.startswith(_HIDDEN)]
            # Spark would follow them, in circles too: listed, to be rejected by name.
            links = [name for name in folders if Path(parent, name).is_symlink()]
            for name in [*links, *filter(is_export_file, names)]:
                path = Path(parent, name)
                yield ExportFile(path.relative_to(self.root).as_posix(), _size(path))

    def _problem(self, file: ExportFile) -> str | None:
        """Why a file of a harmless name cannot be read, if so."""
        path = self.root / file.name
        if path.is_dir():
            return "unreadable file: a link to a folder, which is not followed"
        if path.exists() and not path.is_file():
            return "unreadable file: not a regular file"
        try:
            with self._open(file) as opened:
                return content_problem(file.name, opened)
        except OSError as error:
            return f"unreadable file: {error.strerror or error}"

    def _open(self, file: ExportFile) -> IO[bytes]:
        """A file of the export, for Python."""
        return (self.root / file.name).open("rb")

    def _for_spark(self, name: str) -> str:
        """Where Spark finds a file or folder of the export."""
        return str(self.root / name)

    # --- folders ---------------------------------------------------------------------------------

    def _paths_of_lines(self, days: list[DayFiles], unreadable: dict[str, str]) -> list[str]:
        # A folder a day lists much faster than hundreds of file names; files one
        # by one only where a neighbour must be left out.
        names: list[str] = []
        for files in days:
            good = [file.name for file in files.files if file.name not in unreadable]
            lines = [name for name in good if name.endswith(LINE_SUFFIXES)]
            whole = len(good) == len(files.files)
            names += self._folders(files.day) if whole and lines else lines
        return [literal_path(self._for_spark(name)) for name in names]

    def _tables_by_schema(
        self, days: list[DayFiles], unreadable: dict[str, str]
    ) -> Iterable[list[str]]:
        # Spark takes the schema of one file for that of all it reads at once.
        found: dict[str, list[str]] = defaultdict(list)
        for file in (file for files in days for file in files.files):
            if file.name.endswith(TABLE_SUFFIX) and file.name not in unreadable:
                with self._open(file) as opened:
                    schema = pq.read_schema(opened).remove_metadata()
                found[str(schema)].append(literal_path(self._for_spark(file.name)))
        return found.values()

    def _days_below(self, top: list[str], keys: tuple[str, str, str]) -> Iterator[date]:
        for year, years in _numbered(top, keys[0]):
            for month, months in _numbered(self._children(years), keys[1]):
                for day, _ in _numbered(self._children(months), keys[2]):
                    with suppress(ValueError):  # a folder like d=31 in m=06 is no day
                        yield date(year, month, day)

    def _folders(self, day: date) -> list[str]:
        """The day's folders: one, or one an hour, or its number with and without leading zero."""
        top = list(self._subfolders(""))
        found = [name for name in top if _day_of_hour(name) == day]
        for of_year, of_month, of_day in _KEYS:
            years = dict(_numbered(top, of_year)).get(day.year, [])
            months = dict(_numbered(self._children(years), of_month)).get(day.month, [])
            found += dict(_numbered(self._children(months), of_day)).get(day.day, [])
        return sorted(found)

    def _children(self, folders: Iterable[str]) -> list[str]:
        return [child for folder in folders for child in self._subfolders(folder)]


def dated(lines: DataFrame) -> DataFrame:
    """Lines as (file, value) with the date that the file's folder says, first."""
    text = F.regexp_replace("file", _DATE_PARTS, "$1-$2-$3")
    return lines.select(text.cast("date").alias("date"), "file", "value")


def is_export_file(name: str) -> bool:
    """Whether a file of this name, without its folders, is one of the export."""
    return name.endswith((*LINE_SUFFIXES, TABLE_SUFFIX)) and not name.startswith(_HIDDEN)


def is_hidden(name: str) -> bool:
    """Whether a part of the name is one that Spark's readers pass over."""
    return any(part.startswith(_HIDDEN) for part in name.split("/"))


def content_problem(name: str, opened: IO[bytes]) -> str | None:
    """Why the content of a file cannot be read, if so; plain lines always can."""
    try:
        if name.endswith(PACKED_SUFFIX):
            with gzip.open(opened) as unpacked:
                while unpacked.read(1 << 20):
                    pass
        elif name.endswith(TABLE_SUFFIX):
            for batch in pq.ParquetFile(opened).iter_batches():
                batch.validate(full=True)
        else:
            opened.read(1)
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return f"unreadable file: {detail}"
    return None


def literal_path(path: str | Path) -> str:
    """The path for Spark's readers, which take brackets, braces and stars for patterns."""
    return re.sub(r"([\[\]{}*?\\])", r"\\\1", str(path))


def _file_of_line() -> Column:
    """The name within the export of the file that a line was read from."""
    # The path is that of a URL: %20 is a space, and only + is a plus.
    path = F.col("_metadata.file_path")
    decoded = F.try_url_decode(F.replace(path, F.lit("+"), F.lit("%2B")))
    return F.regexp_extract(F.when(path.contains("%"), decoded).otherwise(path), _DAY_PATH, 1)


def _numbered(folders: Iterable[str], key: str) -> list[tuple[int, list[str]]]:
    """The folders that are named ``key=<number>``, by number, greatest first."""
    found: dict[int, list[str]] = defaultdict(list)
    for folder in folders:
        if match := re.search(rf"(?:^|/){key}=(\d{{1,4}})\Z", folder):
            found[int(match[1])].append(folder)
    return sorted(found.items(), reverse=True)


def _day_of_hour(folder: str) -> date | None:
    """The day of a folder named for an hour."""
    if re.fullmatch(_HOUR, folder):
        with suppress(ValueError):
            return date.fromisoformat(folder.partition("=")[2][:10])
    return None


def _size(path: Path) -> int:
    """In bytes; 0 where the file is gone or a link leads nowhere."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _day_of(name: str) -> date:
    parts = re.match(_DATE_PARTS, name, re.DOTALL)
    assert parts, "listed below the folder of a day"
    return date(*map(int, parts.groups()))


def _printable(name: str) -> str:
    return name.encode(errors="replace").decode()


def name_problem(name: str) -> str | None:
    """What in a file's name, within the export, Spark cannot read or would misread."""
    parts = name.split("/")
    if _printable(name) != name or ":" in name or not name.isprintable():
        return "unreadable file: its name has a character that Spark cannot read"
    if re.search(rf"/(?:{_DAY})/", name):
        return "unreadable file: it lies in another day's folder within this day's"
    # Blobs can have such names, files cannot.
    if {"", ".", ".."} & {*parts} or max(len(part.encode()) for part in parts) > _LONGEST_NAME:
        return "unreadable file: its name is none that a file can have"
    return None
