"""Whether two lakes hold the same: keys, texts, numbers and times equal, fractions to 1e-9."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds

from lowslow_assets.lake.tables import TABLES

RELATIVE_TOLERANCE = 1e-9
_TABLES = {table.name: table for table in TABLES}


def compare(one: Path, other: Path) -> Iterator[tuple[str, str | None]]:
    """Each partition of a table or of documents that either has, and how they differ, or None."""
    found = {
        f"{folder.parent.name}/{folder.name}"
        for lake in (one, other)
        for folder in lake.glob("[!.]*/date=*")
    }
    for name in sorted(found):
        folders = one / name, other / name
        table = _TABLES.get(name.partition("/")[0])
        if table is None:
            # A container has no empty folders.
            ours, theirs = map(_documents, folders)
            yield name, None if ours == theirs else "documents differ"
        elif not all(folder.is_dir() for folder in folders):
            yield name, "only one has it"
        else:
            yield name, _difference(*(_rows(folder, table.schema) for folder in folders))


def _difference(one: pa.Table, other: pa.Table) -> str | None:
    if one.num_rows != other.num_rows:
        return f"{one.num_rows:,} rows and {other.num_rows:,}"
    for column in one.column_names:
        if not one[column].equals(other[column]):
            pairs = zip(one[column].to_pylist(), other[column].to_pylist(), strict=True)
            for ours, theirs in pairs:
                if not _same(ours, theirs):
                    return f"{column}: {ours!r} and {theirs!r}"
    return None


def _rows(folder: Path, schema: pa.Schema) -> pa.Table:
    """The rows in an order of their own; fractions, which may differ, come last in it."""
    rows = ds.dataset(folder, schema=schema, format="parquet").to_table()
    plain = [field for field in schema if not pa.types.is_nested(field.type)]
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
