"""Small relations of either engine, from rows of Python."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from lowslow_assets.engines.base import Engine, Relation


def relation(
    engine: Engine, schema: pa.Schema, rows: Iterable[Mapping[str, Any] | Sequence[Any]] = ()
) -> Relation:
    """A relation of these rows: names to values, or values in the schema's order.

    Columns that a mapping does not name are null.
    """
    named = [
        row if isinstance(row, Mapping) else dict(zip(schema.names, row, strict=True))
        for row in rows
    ]
    columns = [pa.array([row.get(f.name) for row in named], f.type) for f in schema]
    return engine.from_arrow(pa.Table.from_arrays(columns, schema=schema))


def in_order(rows: pa.Table) -> pa.Table:
    """The same rows, sorted by all of their columns."""
    return rows.sort_by([(name, "ascending") for name in rows.column_names])
