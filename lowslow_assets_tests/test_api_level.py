"""Which release of Spark has what the project calls: a newer one is a decision, not an accident.

A platform has the Spark it has (docs/scale.md). PySpark's docstrings say since when a function is
there; names are looked for in the code, whatever they are called on.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyspark.sql import Column, DataFrame, GroupedData, SparkSession, Window, WindowSpec, functions
from pyspark.sql import types as T
from pyspark.sql.catalog import Catalog
from pyspark.sql.readwriter import DataFrameReader, DataFrameWriter

import lowslow_assets

CLASSES = [
    *(Column, DataFrame, GroupedData, SparkSession, Window, WindowSpec),
    *(Catalog, DataFrameReader, DataFrameWriter),
]
MODULES = {"F": functions, "T": T}
# Of other things than Spark's: a path, a matrix.
NAMESAKES = {"exists", "mask", "plot"}
NEWER_THAN_3_5 = {
    "make_valid_utf8": (4, 0),
    "try_url_decode": (4, 0),
    "try_cast": (4, 0),
    "toArrow": (4, 0),
}


def since(thing: object) -> tuple[int, int] | None:
    """The release that a docstring names first, as (major, minor)."""
    found = re.search(r"versionadded:: (\d+)\.(\d+)", getattr(thing, "__doc__", None) or "")
    return (int(found[1]), int(found[2])) if found else None


def called(source: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """Whatever of PySpark the code names, with its release."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Attribute):
            continue
        module = MODULES.get(node.value.id) if isinstance(node.value, ast.Name) else None
        for owner in [module] if module else CLASSES:
            if release := since(getattr(owner, node.attr, None)):
                yield node.attr, release


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("F.make_valid_utf8(value)", [("make_valid_utf8", (4, 0))]),
        ("F.bit_get('a', F.lit(1))", [("bit_get", (3, 5)), ("lit", (1, 3))]),
        ("column.try_cast('int')", [("try_cast", (4, 0))]),
        ("T.VariantType()", [("VariantType", (4, 0))]),
        ("path.unlink()", []),
    ],
)
def test_names_are_found_with_their_release(source, expected):
    assert list(called(source)) == expected


def test_what_is_newer_than_spark_3_5_is_known():
    files = Path(lowslow_assets.__file__).parent.rglob("*.py")
    found = [use for file in files for use in called(file.read_text()) if use[0] not in NAMESAKES]
    assert len({name for name, _ in found}) > 80
    assert {name: release for name, release in found if release > (3, 5)} == NEWER_THAN_3_5
