"""What the project asks of a query engine, and the relations that it works on."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import IO, Any, Protocol

import pyarrow as pa

ROWS_PER_FILE = 1_000_000
"""A day with more rows becomes several files if the engine writes with several machines."""


class EngineError(Exception):
    """An engine cannot do its work until a person changes a setting."""


@dataclass(frozen=True, eq=False)
class Relation:
    """Rows of an engine. They are computed each time they are requested, unless they are held."""

    engine: "Engine"
    name: str
    """The name that the relation has in SQL of the engine."""
    columns: tuple[str, ...]

    def held(self) -> "Relation":
        """The same rows, computed now and kept until the engine forgets them."""
        return self.engine.hold(self)

    def arrow(self) -> pa.Table:
        """The rows; times are in UTC."""
        return self.engine.arrow(self)

    def rows(self) -> list[dict[str, Any]]:
        """The rows, column name to value; times are aware."""
        return self.arrow().to_pylist()


@dataclass(frozen=True)
class InputFile:
    """A file to parse: its day, its name, its size in bytes, and where an engine finds it."""

    day: date
    name: str
    size: int
    location: str = ""


Opened = Iterator[tuple[InputFile, IO[bytes]]]
Open = Callable[[Iterable[InputFile]], Opened]
"""Opens files in their order, in any process and on any machine.

Each file stays open until the next one is requested.
"""
Parse = Callable[[Opened], Iterator[pa.RecordBatch]]
"""Makes batches of rows from the contents of files; many small files may make one batch."""


class Engine(Protocol):
    """A query engine. Relations of one engine cannot be used with another."""

    def read(self, paths: Sequence[str], schema: pa.Schema) -> Relation:
        """The rows of Parquet files ``.../date=YYYY-MM-DD/<file>``, the day as the last column.

        Files of one name always hold the same rows.
        """
        ...

    def from_arrow(self, rows: pa.Table) -> Relation:
        """A relation of a few rows."""
        ...

    def from_files(
        self, files: Sequence[InputFile], parse: Parse, open_files: Open | None, schema: pa.Schema
    ) -> Relation:
        """The rows that ``parse`` makes of the files; held.

        The work is spread over processes or machines, so both functions must be picklable. Without
        ``open_files``, the engine reads each file's location with a connector of its own.
        ``schema`` is the schema of the batches.
        """
        ...

    def query(self, text: str) -> Relation:
        """The result of a SELECT that names relations; see `sql.sql`, which writes it."""
        ...

    def hold(self, relation: Relation) -> Relation:
        """Compute the rows and keep them; a second call for the same rows returns the kept ones."""
        ...

    def arrow(self, relation: Relation) -> pa.Table:
        """All rows of a relation; times are in UTC."""
        ...

    def write(
        self,
        relation: Relation,
        schema: pa.Schema,
        days: Sequence[date],
        order: Sequence[str],
        folder: str,
        rows_per_day: int,
    ) -> None:
        """Write Parquet files ``<folder>/date=YYYY-MM-DD/*.parquet`` with the schema's columns.

        The relation has the column ``date``; each day with rows gets a folder, and no row is left
        out. The rows of a file are in the given order. ``days`` and ``rows_per_day`` are guesses by
        which the work is divided.
        """
        ...

    def forget(self) -> None:
        """Drop all relations made so far."""
        ...

    def close(self) -> None:
        """Forget all relations, and stop what the engine started."""
        ...


def named(definition: str) -> str:
    """The name of a relation, which follows from what it is made of: text and inputs."""
    return f"r_{hashlib.sha256(definition.encode()).hexdigest()[:24]}"


def quoted(column: str) -> str:
    """A column's name in SQL, quoted."""
    return '"' + column.replace('"', '""') + '"'
