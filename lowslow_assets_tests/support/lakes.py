"""Whether two lakes are the same: keys, texts, numbers and times equal, fractions to 1e-9."""

import math
from collections.abc import Iterable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from lowslow_assets.lake.tables import TABLES

RELATIVE_TOLERANCE = 1e-9
_TABLES = {table.name: table for table in TABLES}


def compare(one: Path, other: Path) -> Iterator[tuple[str, str | None]]:
    """Each partition of tables or documents in either lake, with the difference, or None."""
    found = {
        f"{folder.parent.name}/{folder.name}"
        for lake in (one, other)
        for folder in lake.glob("[!.]*/date=*")
    }
    for name in sorted(found):
        yield name, _difference(name, one / name, other / name)


def assert_same_lakes(one: Path, other: Path, tables: Iterable[str], days: Iterable[date]) -> None:
    """Assert that both lakes have the same rows in all tables of the days."""
    for name in [f"{table}/date={day}" for table in sorted(tables) for day in days]:
        assert (name, _difference(name, one / name, other / name)) == (name, None)


def _difference(name: str, one: Path, other: Path) -> str | None:
    """How two folders of a partition differ."""
    table = _TABLES.get(name.partition("/")[0])
    if table is None:
        # A container has no empty folders.
        return None if _documents(one) == _documents(other) else "documents differ"
    if not (one.is_dir() and other.is_dir()):
        return "only one has it"
    lakes = [sorted_rows(folder) for folder in (one, other)]
    declared = [(field.name, field.type) for field in table.schema]
    for rows in lakes:
        # The whole schema is not compared, because Spark also says which columns are never null.
        if [(field.name, field.type) for field in rows.schema] != declared:
            return f"columns are not those of the table: {rows.schema}"
    return _first_difference(*lakes)


def _first_difference(one: pa.Table, other: pa.Table) -> str | None:
    if one.num_rows != other.num_rows:
        return f"{one.num_rows:,} rows and {other.num_rows:,}"
    for column in one.column_names:
        if not one[column].equals(other[column]):
            pairs = zip(one[column].to_pylist(), other[column].to_pylist(), strict=True)
            for ours, theirs in pairs:
                if not _same(ours, theirs):
                    return f"{column}: {ours!r} and {theirs!r}"
    return None


def sorted_rows(folder: Path) -> pa.Table:
    """A partition's rows in an order that depends only on the rows.

    Fractions, which may differ in their last digits, come last in this order.
    """
    rows = ds.dataset(folder, format="parquet").to_table()
    plain = [field for field in rows.schema if not pa.types.is_nested(field.type)]
    plain.sort(key=lambda field: pa.types.is_floating(field.type))
    return rows.sort_by([(field.name, "ascending") for field in plain])


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=RELATIVE_TOLERANCE) or (
            one != one and other != other
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    return one == other


def _documents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*")}
