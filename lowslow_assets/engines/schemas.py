"""Names of column types, as Spark writes them: the schema of a table in one line."""

import re

import pyarrow as pa

_SCALARS = {
    "string": pa.string(),
    "bigint": pa.int64(),
    "int": pa.int32(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
}
_NAMES = {kind: name for name, kind in _SCALARS.items()}


def schema(text: str) -> pa.Schema:
    """The schema of ``name type, name type``, with scalar types only."""
    fields = []
    for column in text.split(","):
        match = re.fullmatch(r"\s*(\w+)\s+(\w+)\s*", column)
        if not match or match[2] not in _SCALARS:
            raise ValueError(f"not a column and its type: {column!r}")
        fields.append(pa.field(match[1], _SCALARS[match[2]]))
    return pa.schema(fields)


def type_name(kind: pa.DataType) -> str:
    """``bigint``, ``array<string>``, ``struct<name:string>``, ``map<date,bigint>``, ..."""
    if pa.types.is_list(kind):
        return f"array<{type_name(kind.value_type)}>"
    if pa.types.is_map(kind):
        return f"map<{type_name(kind.key_type)},{type_name(kind.item_type)}>"
    if pa.types.is_struct(kind):
        return f"struct<{','.join(f'{f.name}:{type_name(f.type)}' for f in kind)}>"
    return _NAMES[kind]


def extended(start: pa.Schema, text: str) -> pa.Schema:
    """A schema with further columns at its end."""
    return pa.schema([*start, *schema(text)])


def without(start: pa.Schema, *names: str) -> pa.Schema:
    """A schema without some columns."""
    return pa.schema([field for field in start if field.name not in names])
