"""What the project asks of a query engine, and the relations that it works on."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import IO, Any, Protocol

import pyarrow as pa

ROWS_PER_FILE = 1_000_000
"""A day of more rows becomes several files, where the engine writes with several machines."""


class EngineError(Exception):
    """An engine cannot do its work until a person changes a setting."""


@dataclass(frozen=True, eq=False)
class Relation:
    """Rows of an engine: computed when they are asked for, and again each time unless held."""

    engine: "Engine"
    name: str
    """By which SQL of the engine knows it."""
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
    """A file that Python makes rows of: its day, its name, its bytes; where an engine finds it."""

    day: date
    name: str
    size: int
    location: str = ""


Opened = Iterator[tuple[InputFile, IO[bytes]]]
Open = Callable[[Iterable[InputFile]], Opened]
"""Opens files in their order wherever it is called: in another process, on another machine.

Each is there until the next is asked for.
"""
Parse = Callable[[Opened], Iterator[pa.RecordBatch]]
"""Makes batches of rows of the contents of files; of small files many may make one batch."""


class Engine(Protocol):
    """A query engine. Relations of one engine mean nothing to another."""

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

        Work is spread over processes or machines, so both functions can be pickled. Without
        ``open_files`` the engine reads the file's location with a connector of its own.
        ``schema`` is that of the batches.
        """
        ...

    def query(self, text: str) -> Relation:
        """The result of a SELECT that names relations; see `sql.sql`, which writes it."""
        ...

    def hold(self, relation: Relation) -> Relation:
        """Compute the rows and keep them; asked again for the same rows, the kept ones."""
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

        The relation has the column ``date``; a day gets a folder where it has rows, and nothing
        is left out. Rows of a file are in the given order. From ``days`` and ``rows_per_day``,
        which are guesses, follows how the work is divided.
        """
        ...

    def forget(self) -> None:
        """Drop every relation made so far."""
        ...

    def close(self) -> None:
        """Forget, and stop what the engine started."""
        ...


def named(definition: str) -> str:
    """The name of a relation by what it is made of: the same text and inputs give one name."""
    return f"r_{hashlib.sha256(definition.encode()).hexdigest()[:24]}"


def quoted(column: str) -> str:
    """A column's name in SQL, whatever it is."""
    return '"' + column.replace('"', '""') + '"'
