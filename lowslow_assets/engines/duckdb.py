"""DuckDB in the process: the default engine. It needs no server and no Java, and spills to a disk.

Within it, times are naive and mean UTC, so SQL about times has the same result as in a Spark
session in UTC.
"""

import os
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from tempfile import gettempdir

import duckdb
import pyarrow as pa

from lowslow_assets.engines.base import (
    EngineError,
    InputFile,
    Open,
    Parse,
    Relation,
    named,
    quoted,
)
from lowslow_assets.engines.functions import FUNCTIONS
from lowslow_assets.engines.workers import batches_of
from lowslow_assets.platform.machine import cores

_TIME = pa.timestamp("us", "UTC")
_DAY_OF_PATH = "(?s).*/date=(.{10})/"


class DuckDBEngine:
    """An in-memory database whose views and tables are named after what they are made of.

    So the same relation is made only once, and a held one is found again.
    """

    def __init__(self, memory: str = "", threads: int = 0, spill: str = "") -> None:
        """``memory`` such as ``4GB``, a number of threads, a folder to spill to; or the defaults.

        Raises EngineError if DuckDB refuses one of them.
        """
        settings = {
            "threads": threads or cores(),
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            # DuckDB's own default is the current folder.
            "temp_directory": str(
                Path(spill).expanduser() if spill else Path(gettempdir(), f"lowslow-{os.getpid()}")
            ),
            **({"memory_limit": memory} if memory else {}),
        }
        try:
            if spill:
                Path(spill).expanduser().mkdir(parents=True, exist_ok=True)
            self._connection = duckdb.connect(config=settings)
        except (duckdb.Error, OSError) as error:
            raise EngineError(f"LOWSLOW_MEMORY, _THREADS or _SPILL: {error}") from None
        self._threads = settings["threads"]
        self._connection.execute("SET TimeZone = 'UTC'")
        self._connection.execute("SET enable_progress_bar = false")
        for name, function in FUNCTIONS.items():
            parameters = ", ".join(p.split()[0] for p in function.parameters.split(","))
            self._connection.execute(f"CREATE MACRO {name}({parameters}) AS {function.duckdb}")
        self._made: dict[str, Relation] = {}

    def read(self, paths: Sequence[str], schema: pa.Schema) -> Relation:
        """As ``Engine`` describes."""
        if paths:
            columns = ", ".join(_plain(field) for field in schema)
            listed = ", ".join(_text(_literal_path(path)) for path in paths)
            # DuckDB's own way is not used: a root such as /lakes/user=bob/ would replace the
            # column.
            return self.query(
                f"SELECT {columns}, CAST(regexp_extract(_path, '{_DAY_OF_PATH}', 1) AS DATE) "
                f"AS date FROM read_parquet([{listed}], hive_partitioning = false, "
                "filename = '_path')"
            )
        return self.query(f"SELECT {_nulls(schema)}, CAST(NULL AS DATE) AS date WHERE false")

    def from_arrow(self, rows: pa.Table) -> Relation:
        """As ``Engine`` describes."""
        name = named(f"rows {os.urandom(16).hex()}")
        columns = ", ".join(_plain(field) for field in rows.schema)
        self._connection.register("_given", rows)
        self._connection.execute(f"CREATE TABLE {name} AS SELECT {columns} FROM _given")
        self._connection.unregister("_given")
        return self._remember(name, tuple(rows.schema.names))

    def from_files(
        self, files: Sequence[InputFile], parse: Parse, open_files: Open | None, schema: pa.Schema
    ) -> Relation:
        """As ``Engine`` describes; DuckDB needs ``open_files``."""
        if open_files is None:
            raise EngineError(
                "LOWSLOW_READ=native needs Spark's connector: set LOWSLOW_ENGINE=spark, or "
                "LOWSLOW_READ=staged."
            )
        name = named(f"files {os.urandom(16).hex()}")
        columns = ", ".join(_plain(field) for field in schema)
        self._connection.execute(f"CREATE TABLE {name} AS SELECT {_nulls(schema)} WHERE false")

        def take(reader: pa.RecordBatchReader) -> None:
            cursor = self._connection.cursor()
            cursor.register("_given", reader)
            cursor.execute(f"INSERT INTO {name} SELECT {columns} FROM _given")

        try:
            with (
                self._named_limits(),
                ThreadPoolExecutor(self._threads) as pool,
                batches_of(files, parse, open_files, schema, self._threads) as readers,
            ):
                # One statement would read one after the other, while the other processes wait.
                for _ in pool.map(take, readers):
                    pass
        except BaseException:
            self._connection.execute(f"DROP TABLE {name}")
            raise
        return self._remember(name, tuple(schema.names))

    def query(self, text: str) -> Relation:
        """As ``Engine`` describes."""
        name = named(text)
        if name not in self._made:
            with self._named_limits():
                self._connection.execute(f"CREATE VIEW {name} AS {text}")
            described = self._connection.execute(f"DESCRIBE {name}").fetchall()
            self._remember(name, tuple(column for column, *_ in described))
        return self._made[name]

    def hold(self, relation: Relation) -> Relation:
        """As ``Engine`` describes."""
        name = named(f"held {relation.name}")
        if name not in self._made:
            with self._named_limits():
                self._connection.execute(f"CREATE TABLE {name} AS FROM {relation.name}")
            self._remember(name, relation.columns)
        return self._made[name]

    def arrow(self, relation: Relation) -> pa.Table:
        """As ``Engine`` describes."""
        with self._named_limits():
            found = self._connection.sql(f"FROM {relation.name}").to_arrow_table()
        return found.cast(
            pa.schema([field.with_type(_in_utc(field.type)) for field in found.schema])
        )

    def write(
        self,
        relation: Relation,
        schema: pa.Schema,
        days: Sequence[date],
        order: Sequence[str],
        folder: str,
        rows_per_day: int,
    ) -> None:
        """As ``Engine`` describes; one file per day, several days at once."""
        columns = ", ".join(_written(field) for field in schema)
        in_order = ", ".join(f"{quoted(column)} NULLS FIRST" for column in order)
        rows = named(f"written {os.urandom(16).hex()}")

        def write(day: date | None) -> None:
            target = Path(folder, f"date={day}")
            target.mkdir(parents=True)
            file = target / f"{os.urandom(16).hex()}.parquet"
            this_day = f"DATE '{day}'" if day else "NULL"
            self._connection.cursor().execute(
                f"COPY (SELECT * EXCLUDE _day FROM {rows} "
                f"WHERE _day IS NOT DISTINCT FROM {this_day}) "
                f"TO {_text(str(file))} (FORMAT parquet, COMPRESSION zstd)"
            )

        with self._named_limits(), ThreadPoolExecutor(self._threads) as pool:
            # In order, so that a day's rows are together, and each is read only once.
            self._connection.execute(
                f"CREATE TABLE {rows} AS SELECT {columns}, date AS _day FROM {relation.name} "
                f"ORDER BY date, {in_order}"
            )
            try:
                found = self._connection.execute(f"SELECT DISTINCT _day FROM {rows}").fetchall()
                for _ in pool.map(write, [day for (day,) in found]):
                    pass
            finally:
                self._connection.execute(f"DROP TABLE {rows}")

    def forget(self) -> None:
        """As ``Engine`` describes."""
        for kind in ("view", "table"):
            names = self._connection.execute(
                f"SELECT {kind}_name FROM duckdb_{kind}s() WHERE NOT internal"
            ).fetchall()
            for (name,) in names:
                self._connection.execute(f"DROP {kind} {name}")
        self._made.clear()

    def close(self) -> None:
        """As ``Engine`` describes."""
        self._made.clear()
        self._connection.close()

    def _remember(self, name: str, columns: tuple[str, ...]) -> Relation:
        self._made[name] = Relation(self, name, columns)
        return self._made[name]

    @contextmanager
    def _named_limits(self) -> Iterator[None]:
        """Turns a lack of memory or of disk into an error that says what to do."""
        try:
            yield
        except duckdb.OutOfMemoryException as error:
            raise EngineError(
                f"DuckDB has not enough memory and disk for this: {str(error).splitlines()[0]} "
                "Raise LOWSLOW_MEMORY, give LOWSLOW_SPILL a larger disk, or set "
                "LOWSLOW_ENGINE=spark."
            ) from None


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _literal_path(path: str) -> str:
    """The path of a file, with the characters of patterns escaped."""
    return re.sub(r"([*?\[])", r"[\1]", path)


def _plain(field: pa.Field) -> str:
    """A column as it is within DuckDB: times without a zone."""
    name = quoted(field.name)
    # A CAST asks the calendar about each time, and costs more than to read it.
    return f"make_timestamp(epoch_us({name})) AS {name}" if field.type == _TIME else name


def _written(field: pa.Field) -> str:
    """A column as it is in a file."""
    name = quoted(field.name)
    if field.type == _TIME:
        return f"make_timestamptz(epoch_us(CAST({name} AS TIMESTAMP))) AS {name}"
    return f"CAST({name} AS {_stored(field.type)}) AS {name}"


def _nulls(schema: pa.Schema) -> str:
    """The columns of a schema, for a relation without rows."""
    return ", ".join(f"CAST(NULL AS {_type(f.type)}) AS {quoted(f.name)}" for f in schema)


def _type(kind: pa.DataType) -> str:
    return "TIMESTAMP" if kind == _TIME else _stored(kind)


def _stored(kind: pa.DataType) -> str:
    """A column's type in a file."""
    names = {
        pa.string(): "VARCHAR",
        pa.int64(): "BIGINT",
        pa.int32(): "INTEGER",
        pa.float64(): "DOUBLE",
        pa.bool_(): "BOOLEAN",
        pa.date32(): "DATE",
        _TIME: "TIMESTAMP WITH TIME ZONE",
    }
    if pa.types.is_list(kind):
        return f"{_stored(kind.value_type)}[]"
    return names[kind]


def _in_utc(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return _TIME
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_list(kind):
        return pa.list_(_in_utc(kind.value_type))
    return kind
