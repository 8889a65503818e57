"""SQL that both engines take as it stands, and the transforms that are written in it.

A text names its inputs in braces: relations, the columns of a schema as a list, and values of our
own (numbers, days, times, plain words) as literals. Values of the log are never literals: they come
in relations.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import wraps
from inspect import signature
from math import isfinite
from typing import Any, ParamSpec

import pyarrow as pa

from lowslow_assets.engines.base import Relation, quoted


@dataclass(frozen=True)
class Columns:
    """All columns of a schema as the list that follows SELECT, with an alias if one is given."""

    schema: pa.Schema
    of: str = ""


Value = Columns | bool | int | float | str | date | datetime | Sequence[int] | Sequence[str]

# A word of the code, such as "busy account", without any character that an engine reads as an
# escape.
_PLAIN = re.compile(r"[A-Za-z0-9 _.,:@/-]*")


def sql(text: str, /, **given: Relation | Value) -> Relation:
    """The relation that a SELECT with these inputs gives.

    At least one input is a relation, and all relations are of one engine. The names of common table
    expressions begin with an underscore, so they cannot hide an input.
    """
    relations = [value for value in given.values() if isinstance(value, Relation)]
    names = {
        name: value.name if isinstance(value, Relation) else literal(value)
        for name, value in given.items()
    }
    return relations[0].engine.query(text.format_map(names))


def literal(value: Value) -> str:
    """A value of the project's own code as SQL; a sequence becomes the list that follows IN."""
    match value:
        case Columns():
            alias = f"{value.of}." if value.of else ""
            return ", ".join(alias + quoted(name) for name in value.schema.names)
        case bool():
            return str(value).upper()
        case int():
            return str(value)
        case float() if isfinite(value):
            return f"CAST({float(value)!r} AS DOUBLE)"
        case datetime() if value.tzinfo:
            return f"TIMESTAMP '{value.astimezone(UTC).replace(tzinfo=None).isoformat(' ')}'"
        case date() if not isinstance(value, datetime):
            return f"DATE '{value.isoformat()}'"
        case str():
            if not _PLAIN.fullmatch(value):
                raise ValueError(f"not a plain word of the code: {value[:50]!r}")
            return f"'{value}'"
        case list() | tuple():
            return f"({', '.join(map(literal, value)) or 'NULL'})"
        case _:
            raise ValueError(f"no value of the code: {value!r:.50}")


@dataclass(frozen=True)
class Transform:
    """A function from relations to a relation, with the columns it needs and those it gives."""

    function: Callable[..., Relation]
    takes: dict[str, pa.Schema]
    returns: pa.Schema


TRANSFORMS: dict[str, Transform] = {}
"""Every transform by module and name; each is tested on both engines with drawn tables."""

_Parameters = ParamSpec("_Parameters")


def transform(
    returns: pa.Schema, **takes: pa.Schema
) -> Callable[[Callable[_Parameters, Relation]], Callable[_Parameters, Relation]]:
    """Declare a transform: the schema of each relation by parameter, and that of the result.

    A relation may have more columns than are needed; a result has no others.
    """

    def declare(function: Callable[_Parameters, Relation]) -> Callable[_Parameters, Relation]:
        parameters = signature(function)

        @wraps(function)
        def checked(*args: _Parameters.args, **kwargs: _Parameters.kwargs) -> Relation:
            given: dict[str, Any] = parameters.bind(*args, **kwargs).arguments
            for name, needed in takes.items():
                _require(function, name, given[name].columns, needed.names)
            made = function(*args, **kwargs)
            if list(made.columns) != returns.names:
                raise TypeError(f"{function.__name__} gives {made.columns}, not {returns.names}")
            return made

        name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        TRANSFORMS[name] = Transform(checked, takes, returns)
        return checked

    return declare


def _require(
    function: Callable[..., Relation], name: str, there: Sequence[str], needed: Sequence[str]
) -> None:
    missing = [column for column in needed if column not in there]
    if missing:
        raise TypeError(f"{function.__name__}: {name} has no {', '.join(missing)}")
