"""A log without an export: each day's rows are queried from a Log Analytics workspace.

This is for small tenants: a query returns at most 500,000 rows or 100 MB, and workspaces keep
months, not years. A day is treated as one file of an export. It is queried in slices, and a slice
whose answer is cut is queried again in halves.
"""

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import IO, TYPE_CHECKING, Any

from lowslow_assets.export.copies import DailyExport
from lowslow_assets.export.refusals import as_source_errors
from lowslow_assets.export.source import DayFiles, ExportFile, SourceError, SourceUnavailable
from lowslow_assets.platform.azure import identity
from lowslow_assets.platform.refusals import NO_IDENTITY

if TYPE_CHECKING:
    from azure.monitor.query import LogsQueryClient

SCHEME = "loganalytics://"
# The number of days in one query for counts, and the number of days that a workspace can query.
_DAYS_A_PAGE = 31
_LONGEST_RETENTION_DAYS = 2 * 366
_BYTES_A_SLICE = 32 << 20
_SHORTEST_SLICE = timedelta(minutes=1)
_TRIES = 6
_LONGEST_WAIT_SECONDS = 60

_SINCE = "{table} | where TimeGenerated >= datetime({start}) and TimeGenerated < datetime({end})"
_COUNT = (
    f"{_SINCE} | summarize Rows = count(), Bytes = sum(_BilledSize), Newest = max(ingestion_time())"
    " by Day = startofday(TimeGenerated)"
)
# No table has all of these columns, but all tables have the others.
_SOME_HAVE = (
    *("UserPrincipalName", "UserId", "ServicePrincipalName", "ServicePrincipalId"),
    *("AppDisplayName", "ClientAppUsed", "DeviceDetail", "LocationDetails"),
    *("UserAgent", "IsInteractive", "AutonomousSystemNumber"),
)
_ROWS = f"{_SINCE} | project Id, TimeGenerated, ResultType, Location, IPAddress, " + ", ".join(
    f'{name} = column_ifexists("{name}", "")' for name in _SOME_HAVE
)
_REFUSALS = {
    400: "it has no such table",
    401: NO_IDENTITY,
    403: "the identity lacks the permission (docs/azure.md lists the roles)",
    404: "there is no such workspace, or the identity does not see it",
}


class QueriedExport(DailyExport):
    """The days of a workspace, as an export's days; query results are copied to this machine."""

    def __init__(self, url: str, client: "LogsQueryClient", table: str) -> None:
        self.where = url
        self._table = table
        self._workspace = workspace_of(url)
        self._client = client
        self._pages: dict[int, dict[date, tuple[ExportFile, int]]] = {}

    def require_days(self) -> None:
        """Raise SourceError, in one sentence, unless the workspace is there and has sign-ins."""
        if not any(True for _ in self.days()):
            raise SourceError(
                f"LOWSLOW_SOURCE {self.where!r} has no {self._table}: connect Microsoft Entra "
                "ID to the workspace, or wait until it has."
            )

    def days(self) -> Iterator[date]:
        """The days that have rows, newest first; the workspace is queried only as far as needed."""
        newest = datetime.now(UTC).date().toordinal() // _DAYS_A_PAGE
        for page in range(newest, newest - _LONGEST_RETENTION_DAYS // _DAYS_A_PAGE - 1, -1):
            yield from sorted(self._page(page), reverse=True)

    def list_day(self, day: date) -> DayFiles:
        """One file, with the billed bytes as its size; its version is its count and newest row."""
        found = self._page(day.toordinal() // _DAYS_A_PAGE).get(day)
        return DayFiles(day, (found[0],) if found else ())

    def _write_day(self, day: date, file: IO[bytes]) -> None:
        """Raises SourceUnavailable if any row is missing."""
        listed, expected = self._page(day.toordinal() // _DAYS_A_PAGE)[day]
        count = sum(_write(rows, file) for rows in self._slices(day, listed.size))
        if count < expected:
            raise SourceUnavailable(
                f"LOWSLOW_SOURCE {self.where!r} returned {count} of {expected} rows of {day}."
            )

    def _page(self, page: int) -> dict[date, tuple[ExportFile, int]]:
        """The page's days that have rows, each with its file and its number of rows."""
        if page not in self._pages:
            start = _midnight(date.fromordinal(page * _DAYS_A_PAGE))
            counts = self._ask(_COUNT, start, start + timedelta(days=_DAYS_A_PAGE))
            if counts is None:
                raise SourceUnavailable(
                    f"LOWSLOW_SOURCE {self.where!r} returned a part of its days' counts only."
                )
            self._pages[page] = {
                row["Day"].date(): (self._file(row["Day"].date(), row), row["Rows"])
                for row in counts
            }
        return self._pages[page]

    def _file(self, day: date, row: dict[str, Any]) -> ExportFile:
        name = self.file_name(day, self._table)
        return ExportFile(name, int(row["Bytes"] or 0), f"{row['Rows']} {row['Newest']}")

    def _slices(self, day: date, size: int) -> Iterator[list[dict[str, Any]]]:
        count = 1 + size // _BYTES_A_SLICE
        start, length = _midnight(day), timedelta(days=1) / count
        for index in range(count):
            yield from self._slice(start + index * length, start + (index + 1) * length)

    def _slice(self, start: datetime, end: datetime) -> Iterator[list[dict[str, Any]]]:
        rows = self._ask(_ROWS, start, end)
        if rows is not None:
            yield rows
        elif end - start < _SHORTEST_SLICE:
            raise SourceError(
                f"LOWSLOW_SOURCE {self.where!r} has more sign-ins than a query returns, in less "
                "than a minute: use an export of the table."
            )
        else:
            middle = start + (end - start) / 2
            yield from self._slice(start, middle)
            yield from self._slice(middle, end)

    def _ask(self, query: str, start: datetime, end: datetime) -> list[dict[str, Any]] | None:
        """The rows of an answer; None if the answer is incomplete."""
        from azure.monitor.query import LogsQueryResult

        bounds = {"start": _text(start), "end": _text(end)}
        with as_source_errors(self.where, _REFUSALS):
            answer = self._client.query_workspace(
                self._workspace,
                query.format(table=self._table, **bounds),
                timespan=(start, end),
                # A query reads only, so sending it twice does no harm.
                retry_on_methods=["POST"],
            )
        if not isinstance(answer, LogsQueryResult):
            return None
        [table] = answer.tables
        return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def is_workspace(url: str) -> bool:
    """Whether a source is a workspace."""
    return url.startswith(SCHEME)


def workspace_of(url: str) -> str:
    """The workspace's id. Raises SourceError if the URL has none."""
    workspace = url.removeprefix(SCHEME).strip("/")
    if not re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", workspace):
        raise SourceError(
            f"LOWSLOW_SOURCE {url!r} names no workspace: write {SCHEME} and the workspace's id, "
            "as its page in the portal shows it."
        )
    return workspace


def open_queries(url: str, table: str) -> QueriedExport:
    """A table of the workspace of a URL, with the identity that azure-identity finds."""
    workspace_of(url)
    try:
        from azure.monitor.query import LogsQueryClient

        from lowslow_assets.platform.retries import BoundedRetries
    except ImportError as error:
        raise SourceError(
            "LOWSLOW_SOURCE in a workspace needs the extra azure: "
            "pip install 'lowslow-assets[azure]'."
        ) from error
    retries = BoundedRetries(_TRIES, _LONGEST_WAIT_SECONDS)
    client = LogsQueryClient(identity(), retry_policy=retries)
    return QueriedExport(url, client, table)


def _write(rows: list[dict[str, Any]], lines: IO[bytes]) -> int:
    lines.writelines(_line(row) for row in rows)
    return len(rows)


def _line(row: Mapping[str, Any]) -> bytes:
    """A row of typed values as a line of JSON, as in an export."""
    present = {name: value for name, value in row.items() if value is not None}
    text = json.dumps(present, ensure_ascii=False, separators=(",", ":"), default=_text)
    return f"{text}\n".encode(errors="replace")


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _text(moment: datetime) -> str:
    """The text of a time in UTC, as all times of a workspace are."""
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
