"""Several sign-in logs as one export.

Each is exported to a container of its own, which is named for its table (``am-adfssigninlogs``) or,
by Entra's diagnostic settings, for its category (``insights-logs-adfssigninlogs``).
"""

import heapq
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from functools import reduce
from itertools import groupby

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lowslow_assets.export.source import DayFiles, Export, SourceError
from lowslow_assets.settings import SIGNIN_LOGS

_CONTAINER = re.compile(r"(?<![^/])(am-|insights-logs-)signinlogs(?![^/@])", re.IGNORECASE)


def root_of(root: str, log: str) -> str:
    """The root of a log's export, from that of SigninLogs. Raises SourceError."""
    if log == SIGNIN_LOGS:
        return root

    def container(of_signins: re.Match[str]) -> str:
        prefix, table = of_signins[1].lower(), log.lower()
        return prefix + (table if prefix == "am-" else table.removeprefix("aad"))

    found, count = _CONTAINER.subn(container, root, count=1)
    if not count:
        raise SourceError(
            f"LOWSLOW_LOGS names {log}, but no part of LOWSLOW_SOURCE {root!r} is am-signinlogs or "
            "insights-logs-signinlogs, from which the name of its container follows."
        )
    return found


class JoinedExport(Export):
    """The exports of several logs, by log, as one.

    Names of files begin with their log's, except those of SigninLogs, which are what they are
    without other logs beside it.
    """

    def __init__(self, exports: Mapping[str, Export]) -> None:
        self._exports = exports

    def __exit__(self, *_: object) -> None:
        """Leaves each."""
        with ExitStack() as stack:
            for export in self._exports.values():
                stack.push(export)

    def require_days(self) -> None:
        """Raise SourceError, in one sentence, unless each log is there and has a day."""
        for log, export in self._exports.items():
            try:
                export.require_days()
            except SourceError as error:
                raise SourceError(f"LOWSLOW_LOGS names {log}, but {error}") from error

    def days(self) -> Iterator[date]:
        """The days that any log has, newest first."""
        each = [export.days() for export in self._exports.values()]
        for day, _ in groupby(heapq.merge(*each, reverse=True)):
            yield day

    def list_day(self, day: date) -> DayFiles:
        """Names and sizes of the day's files in all logs."""
        files = [
            replace(file, name=_prefix(log) + file.name)
            for log, export in self._exports.items()
            for file in export.list_day(day).files
        ]
        return DayFiles(day, tuple(sorted(files, key=lambda file: file.name)))

    def unreadable(self, days: Iterable[DayFiles]) -> dict[str, str]:
        """The files of any log that cannot be read, with the reason."""
        days = list(days)
        return {
            _prefix(log) + name: problem
            for log, export in self._exports.items()
            for name, problem in export.unreadable(_days_of(log, days)).items()
        }

    def read_lines(
        self, spark: SparkSession, days: list[DayFiles], unreadable: dict[str, str]
    ) -> DataFrame:
        """All lines of the days' files as (date, file, value)."""
        return self._union(
            lambda log, export: export.read_lines(
                spark, _days_of(log, days), _names_of(log, unreadable)
            )
        )

    def reject(self, spark: SparkSession, unreadable: dict[str, str]) -> DataFrame:
        """A row an unreadable file, as (date, file, reason, line); the line is null."""
        return self._union(lambda log, export: export.reject(spark, _names_of(log, unreadable)))

    def _union(self, frame_of: Callable[[str, Export], DataFrame]) -> DataFrame:
        """What each log gives, with the names that its files have here."""
        return reduce(
            DataFrame.unionByName,
            (
                frame_of(log, export).withColumn("file", F.concat(F.lit(_prefix(log)), "file"))
                for log, export in self._exports.items()
            ),
        )


def _prefix(log: str) -> str:
    return "" if log == SIGNIN_LOGS else f"{log}/"


def _days_of(log: str, days: Iterable[DayFiles]) -> list[DayFiles]:
    """The days' files of one log, by their names within its export."""
    return [
        DayFiles(
            listed.day,
            tuple(
                replace(file, name=name)
                for file in listed.files
                if (name := _name_in(log, file.name))
            ),
        )
        for listed in days
    ]


def _names_of(log: str, problems: Mapping[str, str]) -> dict[str, str]:
    return {own: text for name, text in problems.items() if (own := _name_in(log, name))}


def _name_in(log: str, name: str) -> str | None:
    """A file's name within a log's export; None where it is another log's."""
    # Files of SigninLogs lie in folders of times, whose names have a sign.
    of, _, rest = name.partition("/")
    if log == SIGNIN_LOGS:
        return name if "=" in of else None
    return rest if of == log else None
