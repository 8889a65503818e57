"""The folders and files of an export: ``y=2026/m=06/d=30/h=02/m=05/PT05M.json``.

A sign-in belongs to the day whose folder holds it. Python looks at names, sizes
and whether a file opens; Spark reads the lines.
"""

import gzip
import hashlib
import os
import re
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from lowslow_assets.signins.dataframes import let

_SUFFIXES = (".json", ".json.gz")
_HIDDEN = ("_", ".")
# Greedy: the last y=/m=/d= of a path counts, whatever folders the export lies in.
_DAY_PATH = r".*/(y=\d{4}/m=\d{1,2}/d=\d{1,2}/.*)$"

_LINES = "date date, file string, value string"
_REJECTED = "date date, file string, reason string, line string"


class SourceError(Exception):
    """The source cannot be what the settings say it is: a person has to mend one of them."""


@dataclass(frozen=True)
class DayFiles:
    """The files of one day, by name; ``fingerprint`` changes when one comes, grows or goes."""

    day: date
    paths: tuple[Path, ...]
    total_bytes: int
    fingerprint: str


class Export:
    """An export on a local path; ``root`` is the folder that holds the ``y=YYYY`` folders."""

    def __init__(self, root: str) -> None:
        if "://" in root and not root.startswith("file://"):
            raise SourceError(f"LOWSLOW_SOURCE {root!r} is not a local path; others are not read.")
        self.root = Path(root.removeprefix("file://")).expanduser().absolute()

    def require_days(self) -> None:
        """Raise SourceError, in one sentence, unless the export is there and has a day."""
        if not self.root.is_dir():
            raise SourceError(
                f"LOWSLOW_SOURCE {str(self.root)!r} is not a folder: set it to the folder that "
                "holds the export's y=YYYY folders, or run `make demo` for a sample tenant."
            )
        if not any(True for _ in self.days()):
            raise SourceError(
                f"LOWSLOW_SOURCE {str(self.root)!r} holds no y=YYYY/m=MM/d=DD folder: it is not "
                "the root of a SigninLogs export, or the export has not begun."
            )

    def days(self) -> Iterator[date]:
        """The days that have a folder, newest first; lists no further than it is asked to."""
        try:
            for year, year_folders in _numbered([self.root], "y"):
                for month, month_folders in _numbered(year_folders, "m"):
                    for day, _ in _numbered(month_folders, "d"):
                        with suppress(ValueError):  # a folder like d=31 in m=06 is no day
                            yield date(year, month, day)
        except OSError as error:
            raise SourceError(
                f"LOWSLOW_SOURCE {str(self.root)!r} cannot be listed: {error}."
            ) from error

    def list_day(self, day: date) -> DayFiles:
        """Names and sizes of the day's files; a day without a folder has none."""
        digest = hashlib.sha256()
        paths = sorted(self._files(day))
        sizes = [_size(path) for path in paths]
        for path, size in zip(paths, sizes, strict=True):
            digest.update(f"{self._name(path)}\0{size}\n".encode(errors="surrogateescape"))
        return DayFiles(day, tuple(paths), sum(sizes), digest.hexdigest()[:16])

    def unreadable(self, days: Iterable[DayFiles]) -> dict[Path, str]:
        """The files that do not open or, compressed, do not unpack, with the reason.

        Spark would fail the whole read on the first of them, or skip it silently.
        """
        problems = {
            path: _name_problem(self._name(path)) or _problem(path)
            for files in days
            for path in files.paths
        }
        return {path: problem for path, problem in problems.items() if problem}

    def read_lines(
        self, spark: SparkSession, days: list[DayFiles], unreadable: dict[Path, str]
    ) -> DataFrame:
        """All lines of the days' files as (date, file, value)."""
        # A folder a day lists much faster than hundreds of file names; files one
        # by one only where a neighbour must be left out.
        paths: list[Path] = []
        for files in days:
            good = [path for path in files.paths if path not in unreadable]
            whole = len(good) == len(files.paths)
            paths += self._folders(files.day) if whole and good else good
        if not paths:
            return spark.createDataFrame([], _LINES)
        # The path is that of a URL: %20 is a space, and only + is a plus.
        path = F.col("_metadata.file_path")
        decoded = F.try_url_decode(F.replace(path, F.lit("+"), F.lit("%2B")))
        plain = F.when(path.contains("%"), decoded).otherwise(path)
        return (
            spark.read.option("recursiveFileLookup", True)
            .option("pathGlobFilter", "{*.json,*.json.gz}")
            .text([literal_path(path) for path in paths])
            .withColumn("file", F.regexp_extract(plain, _DAY_PATH, 1))
            .select(let(F.split("file", "/", 4), _date_of).alias("date"), "file", "value")
        )

    def reject(self, spark: SparkSession, unreadable: dict[Path, str]) -> DataFrame:
        """A row an unreadable file, as (date, file, reason, line); the line is null."""
        rows = [
            (_day_of(self._name(path)), _printable(self._name(path)), problem, None)
            for path, problem in sorted(unreadable.items())
        ]
        return spark.createDataFrame(rows, _REJECTED)

    def _name(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _folders(self, day: date) -> list[Path]:
        # The historical export writes months and days without the leading zero.
        candidates = [
            self.root / f"y={day.year}" / month / name
            for month in sorted({f"m={day.month:02d}", f"m={day.month}"})
            for name in sorted({f"d={day.day:02d}", f"d={day.day}"})
        ]
        return [folder for folder in candidates if folder.is_dir()]

    def _files(self, day: date) -> Iterator[Path]:
        for folder in self._folders(day):
            for parent, folders, names in os.walk(folder):
                # Spark's readers pass over these names too.
                folders[:] = [name for name in folders if not name.startswith(_HIDDEN)]
                # Spark would follow them, in circles too: listed, to be rejected by name.
                yield from (
                    Path(parent, name) for name in folders if Path(parent, name).is_symlink()
                )
                yield from (
                    Path(parent, name)
                    for name in names
                    if name.endswith(_SUFFIXES) and not name.startswith(_HIDDEN)
                )


def _date_of(parts: Column) -> Column:
    """The date of y=2026, m=6 and d=30, the first parts of a file's name."""
    return F.make_date(*(F.substring(parts[i], 3, 4).cast("int") for i in range(3)))


def literal_path(path: Path) -> str:
    """The path for Spark's readers, which take brackets, braces and stars for patterns."""
    return re.sub(r"([\[\]{}*?\\])", r"\\\1", str(path))


def _numbered(folders: Iterable[Path], key: str) -> list[tuple[int, list[Path]]]:
    """Folders named ``key=<number>`` below any of ``folders``, by number, greatest first."""
    found: dict[int, list[Path]] = defaultdict(list)
    for folder in folders:
        for entry in os.scandir(folder):
            match = re.fullmatch(rf"{key}=(\d{{1,4}})", entry.name)
            if match and entry.is_dir():
                found[int(match[1])].append(Path(entry.path))
    return sorted(found.items(), reverse=True)


def _size(path: Path) -> int:
    """In bytes; 0 where the file is gone or a link leads nowhere."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _day_of(name: str) -> date:
    year, month, day = (int(part.partition("=")[2]) for part in name.split("/")[:3])
    return date(year, month, day)


def _printable(name: str) -> str:
    return name.encode(errors="replace").decode()


def _name_problem(name: str) -> str | None:
    """What in a file's name, within the export, Spark cannot read or would misread."""
    if _printable(name) != name or ":" in name or not name.isprintable():
        return "unreadable file: its name has a character that Spark cannot read"
    if re.search(r"/y=\d{4}/m=\d{1,2}/d=\d{1,2}/", name):
        return "unreadable file: it lies in another day's folder within this day's"
    return None


def _problem(path: Path) -> str | None:
    if path.is_dir():
        return "unreadable file: a link to a folder, which is not followed"
    if path.exists() and not path.is_file():
        return "unreadable file: not a regular file"
    try:
        if path.name.endswith(".gz"):
            with gzip.open(path) as file:
                while file.read(1 << 20):
                    pass
        else:
            with path.open("rb") as file:
                file.read(1)
    except (OSError, EOFError, zlib.error) as error:
        detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        return f"unreadable file: {detail}"
    return None
