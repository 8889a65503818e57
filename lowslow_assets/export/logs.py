"""Several sign-in logs as one export.

Each log is exported to its own container. The container is named after the log's table
(``am-adfssigninlogs``) or, by Entra's diagnostic settings, after its category
(``insights-logs-adfssigninlogs``).
"""

import heapq
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from itertools import groupby
from typing import Self

from lowslow_assets.engines.base import InputFile, Open
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


class JoinedExport:
    """The exports of several logs, by log, as one export. All are in one kind of store.

    Names of files begin with the name of their log. The names of SigninLogs' files do not, so that
    they are the same with and without other logs.
    """

    def __init__(self, exports: Mapping[str, Export]) -> None:
        self._exports = exports

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Leaves each export."""
        with ExitStack() as stack:
            for export in self._exports.values():
                stack.push(export)

    @property
    def open_files(self) -> Open | None:
        """A function that opens the files of all logs."""
        return next(iter(self._exports.values())).open_files

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

    def inputs(self, listing: Sequence[DayFiles]) -> list[InputFile]:
        """The readable files of all logs."""
        return [
            replace(file, name=_prefix(log) + file.name)
            for log, export in self._exports.items()
            for file in export.inputs(_days_of(log, listing))
        ]


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


def _name_in(log: str, name: str) -> str | None:
    """A file's name within a log's export; None if the file belongs to another log."""
    # Files of SigninLogs are in folders of times, whose names contain an equals sign.
    of, _, rest = name.partition("/")
    if log == SIGNIN_LOGS:
        return name if "=" in of else None
    return rest if of == log else None
