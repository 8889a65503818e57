"""Tables that two engines made, compared."""

import math
from collections.abc import Iterable
from datetime import date
from typing import Any, Protocol

import pyarrow as pa


class HasTables(Protocol):
    """Whatever gives a table's rows of a day, in an order that depends on the rows alone."""

    def table(self, name: str, day: date) -> pa.Table:
        """The rows of a partition."""
        ...


def is_alike(one: Any, other: Any) -> bool:
    """Equal, doubles to 1e-9 of their size."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_alike, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_alike(one[key], other[key]) for key in one)
    return one == other


def assert_alike(one: pa.Table, other: pa.Table, name: str, day: date) -> None:
    """The same columns and rows in the same order; Spark also says which are never null."""
    columns = [[(field.name, field.type) for field in table.schema] for table in (one, other)]
    assert columns[0] == columns[1], (name, day)
    assert one.num_rows == other.num_rows, (name, day)
    for a, b in zip(one.to_pylist(), other.to_pylist(), strict=True):
        assert is_alike(a, b), (name, day, a, b)


def assert_same_lakes(
    one: HasTables, other: HasTables, tables: Iterable[str], days: Iterable[date]
) -> None:
    """The same rows in all of the days' tables, doubles to 1e-9 of their size."""
    for name in sorted(tables):
        for day in days:
            assert_alike(one.table(name, day), other.table(name, day), name, day)
