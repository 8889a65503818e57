"""The same behaviour of both engines: read, hold, write, forget; and DuckDB when it is full."""

import signal
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lowslow_assets.engines import workers
from lowslow_assets.engines.base import Engine, EngineError, Relation
from lowslow_assets.engines.duckdb import DuckDBEngine
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import sql
from lowslow_assets_tests.support.drawn_relations import HOSTILE
from lowslow_assets_tests.support.relations import relation
from lowslow_assets_tests.support.troubled_files import (
    DAYS,
    KILLED,
    KILLED_WRITING,
    LINES,
    RAISES,
    ROWS,
    inputs,
    opened,
    parse,
)

MONDAY, TUESDAY = DAYS
NUMBERS = schema("n bigint")
EXTREMES = {
    "text": ["", *HOSTILE[:20], None],
    "big": [-(2**63), 2**63 - 1, 0, None],
    "small": [-(2**31), 2**31 - 1, None],
    "real": [0.1 + 0.2, -1.7e308, 5e-324, 0.0, None],
    "yes": [True, False, None],
    "day": [date(2000, 2, 29), date(2067, 12, 31), date(1969, 12, 31), None],
    "time": [
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(2067, 12, 31, 23, 59, 59, 999_999, UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC),
        None,
    ],
}
ALL = schema(
    "text string, big bigint, small int, real double, yes boolean, day date, time timestamp"
)


def extremes() -> pa.Table:
    """Every type that a column may have, each with its extremes; lists of texts, too."""
    length = max(map(len, EXTREMES.values()))
    columns = [
        pa.array([values[i % len(values)] for i in range(length)], ALL.field(name).type)
        for name, values in EXTREMES.items()
    ]
    lists = pa.array([None, [], [None, "", *HOSTILE[:9]], *[["a"]] * (length - 3)])
    return pa.table([*columns, lists], schema=ALL.append(pa.field("lists", lists.type)))


def numbers(engine: Engine, *values: int) -> Relation:
    return relation(engine, NUMBERS, [(value,) for value in values])


# --- rows in and out -------------------------------------------------------------------------


def test_rows_of_every_type_pass_through(engine: Engine):
    rows = extremes()
    made = sql("SELECT * FROM {rows}", rows=engine.from_arrow(rows)).held().arrow()
    assert made.schema == rows.schema
    assert made.to_pylist() == rows.to_pylist()


def test_no_rows_have_their_types_too(engine: Engine):
    rows = extremes().slice(0, 0)
    made = sql("SELECT * FROM {rows}", rows=engine.from_arrow(rows)).arrow()
    assert (made.schema, made.num_rows) == (rows.schema, 0)


PATHS = (
    "plain",
    "[ab]",
    "a*",
    "what?",
    "{a,b}",
    "it's",
    'a "quoted" one',
    "two  spaces",
    "50%20 Ü 日本",
    "n=7/date=2020-01-01",
    "day=2020-01-01/date=1",
)


@pytest.mark.parametrize("folder", PATHS)
def test_files_are_read_by_their_very_names(engine: Engine, tmp_path: Path, folder: str):
    """No character of a path is a pattern, and only the file's own folder gives its day."""
    rows = extremes()
    for root in (folder, "a", "ab", "b", "whatX"):
        for day in (MONDAY, TUESDAY):
            path = tmp_path / root / "things" / f"date={day}"
            path.mkdir(parents=True, exist_ok=True)
            content = rows if root == folder else rows.slice(0, 1)
            pq.write_table(
                content.select(reversed(rows.column_names)), path / f"{root[:3]}.parquet"
            )
    days = [tmp_path / folder / "things" / f"date={day}" for day in (MONDAY, TUESDAY)]
    paths = [str(path / f"{folder[:3]}.parquet") for path in days]
    read = engine.read(paths, rows.schema)
    assert read.columns == (*rows.schema.names, "date")
    found = read.arrow()
    assert found.schema == rows.schema.append(pa.field("date", pa.date32()))
    by_day = [[row | {"date": day} for row in rows.to_pylist()] for day in (MONDAY, TUESDAY)]
    assert sorted(found.to_pylist(), key=repr) == sorted(by_day[0] + by_day[1], key=repr)
    assert engine.read(paths[:1], rows.schema).arrow().num_rows == len(rows)


def test_no_files_are_no_rows(engine: Engine):
    found = engine.read([], extremes().schema).arrow()
    assert found.schema == extremes().schema.append(pa.field("date", pa.date32()))
    assert found.num_rows == 0


@pytest.mark.parametrize("days", [[MONDAY, TUESDAY], [TUESDAY]], ids=len)
def test_rows_are_written_by_day_and_in_order(engine: Engine, tmp_path: Path, days: list[date]):
    target = tmp_path / "it's [a] {b}* 日本"
    rows = extremes()
    rows = rows.append_column("date", pa.array([days[i % len(days)] for i in range(len(rows))]))
    engine.write(
        engine.from_arrow(rows.select(reversed(rows.column_names))),
        rows.schema.remove(rows.schema.get_field_index("date")),
        days,
        ["day", "text"],
        str(target),
        0,
    )
    for day in days:
        (file,) = (target / f"date={day}").glob("*.parquet")
        found = pq.ParquetFile(file).read().to_pylist()
        own = [row for row in rows.to_pylist() if row.pop("date") == day]
        # By code point, nulls first.
        own.sort(key=lambda r: (r["day"] or date.min, r["text"] is not None, r["text"] or ""))
        assert found == own


def test_a_day_without_rows_gets_no_folder_and_no_row_is_left_out(engine: Engine, tmp_path: Path):
    rows = relation(engine, schema("n bigint, date date"), [(1, MONDAY), (2, None)])
    engine.write(rows, NUMBERS, [TUESDAY], ["n"], str(tmp_path / "made"), 0)
    folders = {path.name for path in (tmp_path / "made").iterdir() if path.is_dir()}
    assert f"date={MONDAY}" in folders
    assert f"date={TUESDAY}" not in folders
    assert len(folders) == 2


# --- relations and their names ---------------------------------------------------------------


def test_the_same_text_is_the_same_relation(engine: Engine):
    rows = numbers(engine, 1, 2)
    one, twin = (sql("SELECT n + {by} AS n FROM {rows}", rows=rows, by=by) for by in (1, 1))
    other = sql("SELECT n + {by} AS n FROM {rows}", rows=rows, by=2)
    assert one.name == twin.name != other.name
    assert one.columns == twin.columns == ("n",)
    assert numbers(engine, 1, 2).name != rows.name


def test_what_is_held_is_found_again_and_needs_its_files_no_more(engine: Engine, tmp_path: Path):
    folder = tmp_path / f"date={MONDAY}"
    folder.mkdir()
    pq.write_table(pa.table({"n": [1, 2]}), folder / "a.parquet")
    read = engine.read([str(folder / "a.parquet")], NUMBERS)
    query = "SELECT n + 1 AS n FROM {read}"
    held = sql(query, read=read).held()
    (folder / "a.parquet").unlink()
    assert sorted(row["n"] for row in held.rows()) == [2, 3]
    assert sql(query, read=read).held().name == held.name
    assert held.held().rows() == held.rows()


def test_a_forgotten_relation_cannot_be_read(engine: Engine):
    rows = numbers(engine, 1)
    held = sql("SELECT n + 1 AS n FROM {rows}", rows=rows).held()
    engine.forget()
    for forgotten in (rows, held):
        with pytest.raises(Exception, match=forgotten.name):
            sql("SELECT n FROM {forgotten}", forgotten=forgotten).rows()
    again = sql("SELECT n + 1 AS n FROM {rows}", rows=numbers(engine, 5)).held()
    assert again.rows() == [{"n": 6}]


# --- files that Python makes rows of ---------------------------------------------------------


@pytest.fixture(
    params=["in the process", "by several", pytest.param("spark", marks=pytest.mark.spark)]
)
def parsing(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Engines that parse files in the process, in several of their own, and in Spark's."""
    if request.param == "by several":
        monkeypatch.setattr(workers, "_BYTES_PER_WORKER", 1)
    on_spark = request.param == "spark"
    engine = request.getfixturevalue("spark_engine" if on_spark else "duckdb_engine")
    yield engine
    engine.forget()


def test_files_are_parsed(parsing: Engine):
    made = parsing.from_files(inputs(*["fine"] * 7), parse, opened, LINES)
    assert made.columns == tuple(LINES.names)
    found = made.arrow()
    assert found.schema == LINES
    rows = sorted((row["file"], row["n"], row["date"]) for row in found.to_pylist())
    assert rows == [(f"f{i}", n, DAYS[i % 2]) for i in range(7) for n in range(ROWS)]


def test_no_files_are_parsed_to_no_rows(engine: Engine):
    made = engine.from_files([], parse, opened, LINES).arrow()
    assert (made.schema, made.num_rows) == (LINES, 0)


def test_errors_in_a_file_are_reported(parsing: Engine):
    with pytest.raises(Exception, match="ValueError: what is wrong with f2"):
        parsing.from_files(inputs("fine", "fine", RAISES, "fine"), parse, opened, LINES)
    assert parsing.from_files(inputs("fine"), parse, opened, LINES).arrow().num_rows == ROWS


@pytest.mark.parametrize("trouble", [KILLED, KILLED_WRITING])
def test_a_worker_that_is_killed_leaves_no_relation(monkeypatch: pytest.MonkeyPatch, trouble: str):
    monkeypatch.setattr(workers, "_BYTES_PER_WORKER", 1)
    engine = DuckDBEngine(threads=2)
    with pytest.raises(workers.WorkerError, match=f"ended with -{signal.SIGKILL}"):
        engine.from_files(inputs("fine", trouble, "fine"), parse, opened, LINES)
    tables = engine.query("SELECT count(*) AS n FROM duckdb_tables()")
    assert tables.rows() == [{"n": 0}]
    again = engine.from_files(inputs("fine", "fine"), parse, opened, LINES)
    assert again.arrow().num_rows == 2 * ROWS
    engine.close()


def test_a_file_that_only_spark_can_open_is_said_in_one_sentence():
    engine = DuckDBEngine()
    with pytest.raises(EngineError, match=r"^[^\n]+LOWSLOW_ENGINE=spark[^\n]+\.$"):
        engine.from_files(inputs("fine"), parse, None, LINES)
    engine.close()


# --- memory ----------------------------------------------------------------------------------


def sort_much(engine: Engine) -> int:
    """Sort some 60 MB."""
    rows = relation(engine, NUMBERS, [(n,) for n in range(1_000)])
    many = sql(
        "SELECT a.n * 1000 + b.n AS n, md5(CAST(a.n * 1000 + b.n AS STRING)) AS s "
        "FROM {rows} AS a CROSS JOIN {rows} AS b",
        rows=rows,
    ).held()
    ordered = sql("SELECT n, s FROM {many} ORDER BY s NULLS FIRST", many=many).held()
    return sql("SELECT count(*) AS n FROM {rows}", rows=ordered).rows()[0]["n"]


def test_rows_that_exceed_memory_are_spilled_to_the_folder(tmp_path: Path):
    spill = tmp_path / "it's" / "new"
    engine = DuckDBEngine(memory="64MB", threads=2, spill=str(spill))
    assert sort_much(engine) == 1_000_000
    assert sum(file.stat().st_size for file in spill.iterdir()) > 20_000_000
    engine.close()
    assert not spill.exists() or list(spill.iterdir()) == []


def test_without_memory_and_disk_it_says_what_to_do(tmp_path: Path):
    engine = DuckDBEngine(memory="64MB", threads=2, spill=str(tmp_path))
    engine._connection.execute("SET max_temp_directory_size = '5MB'")
    with pytest.raises(EngineError, match=r"^[^\n]*LOWSLOW_SPILL[^\n]*LOWSLOW_ENGINE=spark\.$"):
        sort_much(engine)
    # It continues with what fits.
    assert numbers(engine, 1).rows() == [{"n": 1}]
    engine.close()


@pytest.mark.parametrize(
    ("settings", "name"),
    [({"memory": "much"}, "LOWSLOW_MEMORY"), ({"spill": __file__}, "_SPILL")],
    ids=["memory", "spill"],
)
def test_a_setting_that_cannot_be_is_said(settings: dict[str, Any], name: str):
    with pytest.raises(EngineError, match=name):
        DuckDBEngine(**settings)
