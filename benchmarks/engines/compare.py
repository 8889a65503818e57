"""Whether an engine's rows are Spark's, exactly."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds


def difference(ours: Path, theirs: Path, common: bool = False) -> str | None:
    """The first difference between two results of a case, None where there is none.

    Rows in any order; the same names; equal values, floats to the last bit. How wide a number is
    does not count, for the lake casts to its schema; that it is another kind of number does.
    With ``common`` only the columns that theirs has are compared.
    """
    if Path(f"{ours}.txt").exists():
        return _of_lines(Path(f"{ours}.txt"), Path(f"{theirs}.txt"))
    expected, found = _rows(ours), _rows(theirs)
    if common:
        expected = expected.select(found.column_names)
    if expected.column_names != found.column_names:
        missing = sorted({*expected.column_names} ^ {*found.column_names})
        return f"columns differ: {', '.join(missing)}"
    if expected.num_rows != found.num_rows:
        return f"{found.num_rows:,} rows, not {expected.num_rows:,}"
    kinds = ""
    if expected.schema != found.schema:
        pairs = zip(expected.schema, found.schema, strict=True)
        odd = [f"{a.name} as {b.type}, not {a.type}" for a, b in pairs if a.type != b.type]
        kinds = "equal values, but " + "; ".join(odd)
        found = found.cast(expected.schema)
    expected, found = _in_order(expected), _in_order(found)
    columns = [c for c in expected.column_names if not expected[c].equals(found[c])]
    return _example(expected, found, columns) if columns else kinds or None


def _of_lines(ours: Path, theirs: Path) -> str | None:
    expected, found = (path.read_text(encoding="utf-8").splitlines() for path in (ours, theirs))
    if len(expected) != len(found):
        return f"{len(found)} lines, not {len(expected)}"
    for one, other in zip(expected, found, strict=True):
        if one != other:
            at = next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
            begin = max(0, at - 30)
            return f"{other[begin : at + 30]!r}, not {one[begin : at + 30]!r}"
    return None


def _rows(folder: Path) -> pa.Table:
    """The rows with their columns by name, times in UTC and numbers as wide as can be."""
    table = ds.dataset(folder, partitioning="hive").to_table()
    columns = {name: _plain(name, table[name].combine_chunks()) for name in table.column_names}
    return pa.table({name: columns[name] for name in sorted(columns)})


def _plain(name: str, values: pa.Array) -> pa.Array:
    kind = values.type
    if name == "date":
        return values.cast(pa.string()).cast(pa.date32())
    if pa.types.is_timestamp(kind):
        return values.cast(pa.timestamp("us", "UTC"))
    if pa.types.is_integer(kind):
        return values.cast(pa.int64())
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return values.cast(pa.string())
    return values


def _in_order(table: pa.Table) -> pa.Table:
    return table.sort_by([(name, "ascending") for name in table.column_names])


def _example(expected: pa.Table, found: pa.Table, columns: list[str]) -> str:
    first = columns[0]
    for one, other in zip(expected[first].to_pylist(), found[first].to_pylist(), strict=True):
        if one != other:
            more = f" (and {len(columns) - 1} other columns)" if len(columns) > 1 else ""
            return f"{first}: {other!r}, not {one!r}{more}"
    counts = [pc.count(table[first]).as_py() for table in (expected, found)]  # pyright: ignore
    return f"{first} differs ({counts[1]} values, not {counts[0]})"
