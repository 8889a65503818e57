"""SQL texts: what they may contain, and how inputs appear in them."""

import ast
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import lowslow_assets
from lowslow_assets.engines.base import Engine, Relation
from lowslow_assets.engines.schemas import extended, schema, type_name, without
from lowslow_assets.engines.sql import TRANSFORMS, Columns, literal, sql, transform
from lowslow_assets.lake.tables import TABLES
from lowslow_assets_tests.support.drawn_relations import HOSTILE
from lowslow_assets_tests.support.relations import relation

_ROOT = Path(lowslow_assets.__file__).parent
NUMBERS = schema("n bigint")


# --- values of our own -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "value",
    [
        "a'b",
        '"a"',
        "a\\",
        "a\n",
        "a;b",
        "a(b)",
        "ü",
        "\x00",
        b"a",
        None,
        {"a": 1},
        float("nan"),
        float("inf"),
        datetime.fromisoformat("2026-06-01 12:00"),
        ["a", "b'"],
        [None],
    ],
    ids=repr,
)
def test_a_value_that_is_not_a_plain_value_of_the_code_is_refused(value: Any):
    with pytest.raises(ValueError, match="of the code"):
        literal(value)


@given(st.text())
def test_a_text_is_refused_or_means_itself(value: str):
    try:
        assert literal(value) == f"'{value}'"
    except ValueError:
        return
    assert not set(value) & set("'\"\\\n\r;()")
    assert value.isascii()


VALUES = {
    "true": True,
    "integer": -(2**63) + 1,
    "double": -1.5e-300,
    "word": "busy account: a/b, c-d@e.f_1",
    "empty": "",
    "day": date(2067, 12, 31),
    "time": datetime(2000, 1, 1, 0, 30, 0, 1, timezone(timedelta(hours=2))),
}


def test_values_arrive_as_they_are(engine: Engine):
    one = relation(engine, NUMBERS, [(1,)])
    columns = ", ".join(f"{{{name}}} AS {name}_" for name in VALUES)
    (row,) = sql(f"SELECT {columns} FROM {{one}}", one=one, **VALUES).rows()
    assert row == {f"{name}_": value for name, value in VALUES.items()}
    assert row["time_"].tzinfo is not None


@pytest.mark.parametrize(
    ("values", "kept"), [([1, 3], [1, 3]), ((2,), [2]), ([], []), ([2**40], [])], ids=repr
)
def test_a_sequence_is_what_follows_in(engine: Engine, values: list[int], kept: list[int]):
    numbers = relation(engine, NUMBERS, [(1,), (2,), (3,)])
    found = sql("SELECT n FROM {numbers} WHERE n IN {values}", numbers=numbers, values=values)
    assert sorted(row["n"] for row in found.rows()) == kept


def test_columns_are_those_of_the_schema_in_its_order(engine: Engine):
    rows = relation(engine, schema("user string, n bigint, date date"), [("ann", 1, None)])
    own = Columns(schema("n bigint, user string"))
    assert literal(own) == '"n", "user"'
    found = sql(
        "SELECT {own} FROM {rows} AS a JOIN (SELECT 1 AS other) AS b ON {of_a} IS NOT NULL",
        own=own,
        of_a=Columns(NUMBERS, "a"),
        rows=rows,
    )
    assert found.rows() == [{"n": 1, "user": "ann"}]


def test_hostile_text_passes_in_relations(engine: Engine):
    given_texts = [*HOSTILE, "nul\x00", None]
    texts = relation(engine, schema("n bigint, s string"), list(enumerate(given_texts)))
    found = sql("SELECT n, s FROM {texts} WHERE s IS NULL OR s = s ORDER BY n", texts=texts)
    assert [row["s"] for row in found.rows()] == given_texts


# --- inputs ----------------------------------------------------------------------------------


def test_an_input_that_is_not_given_is_an_error(engine: Engine):
    one = relation(engine, NUMBERS, [(1,)])
    with pytest.raises(KeyError, match="other"):
        sql("SELECT n FROM {one} JOIN {other}", one=one)


def test_names_of_common_table_expressions_hide_no_input(engine: Engine):
    """Each text has its own ``_rows``, however deeply texts are nested."""
    numbers = relation(engine, NUMBERS, [(1,), (2,)])
    for _ in range(3):
        numbers = sql(
            "WITH _rows AS (SELECT n + 10 AS n FROM {numbers}) "
            "SELECT a.n + b.n AS n FROM _rows AS a JOIN {numbers} AS b ON a.n = b.n + 10",
            numbers=numbers,
        )
        assert not numbers.name.startswith("_")
    assert sorted(row["n"] for row in numbers.rows()) == [8 + 70, 16 + 70]


@transform(extended(NUMBERS, "s string"), numbers=NUMBERS)
def worded(numbers: Relation, columns: str) -> Relation:
    """Any columns."""
    return sql(f"SELECT {columns} FROM {{numbers}}", numbers=numbers)


def test_a_transform_has_the_columns_that_it_declares(engine: Engine):
    numbers = relation(engine, schema("x int, n bigint"), [(7, 1)])
    assert worded(numbers, "n, 'a' AS s").rows() == [{"n": 1, "s": "a"}]
    for columns in ("n", "'a' AS s, n", "n, 'a' AS s, x"):
        with pytest.raises(TypeError, match=r"worded gives .*, not \['n', 's'\]"):
            worded(numbers, columns)
    with pytest.raises(TypeError, match="worded: numbers has no n"):
        worded(numbers=relation(engine, schema("x int"), []), columns="x, 'a' AS s")
    with pytest.raises(TypeError, match="missing a required argument"):
        worded(numbers)  # type: ignore[call-arg]


def test_a_transform_is_registered():
    found = TRANSFORMS["test_sql.worded"]
    assert found.function is worded
    assert (found.takes, found.returns) == ({"numbers": NUMBERS}, extended(NUMBERS, "s string"))


# --- schemas ---------------------------------------------------------------------------------


def test_a_schema_is_written_in_one_line():
    line = "a string, b bigint, c int, d double, e boolean, f date, g timestamp"
    made = schema(line)
    assert ", ".join(f"{field.name} {type_name(field.type)}" for field in made) == line
    assert without(made, "b", "g").names == ["a", "c", "d", "e", "f"]
    assert extended(schema("a string"), "b int") == schema("a string, b int")
    for wrong in ("a", "a text", "a string b int", "a-b int", ""):
        with pytest.raises(ValueError, match="not a column and its type"):
            schema(wrong)


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_every_table_s_types_have_names(table: Any):
    assert [kind for _, kind, _ in table.columns] == [type_name(f.type) for f in table.schema]


# --- the texts of the package ----------------------------------------------------------------


def texts() -> Iterator[tuple[str, str]]:
    """The place of each SQL text of the package, and the text; docstrings do not count."""
    for path in sorted(_ROOT.rglob("*.py")):
        source = path.read_text()
        if path.parent.name == "engines" or "SELECT" not in source:
            continue
        tree = ast.parse(source)
        nested = {id(part) for node in ast.walk(tree) for part in getattr(node, "values", ())}
        for node in ast.walk(tree):
            if isinstance(node, ast.JoinedStr):
                parts = [v.value if isinstance(v, ast.Constant) else "" for v in node.values]
            elif isinstance(node, ast.Constant) and id(node) not in nested:
                parts = [node.value]
            else:
                continue
            text = "".join(part for part in parts if isinstance(part, str))
            if re.search(r"\bSELECT\b", text):
                yield f"{path.relative_to(_ROOT)}:{node.lineno}", text


TEXTS = dict(texts())
# Names after a WITH or a comma, but not lists of columns.
_CTE = re.compile(r"(?:\bWITH\s+(?:RECURSIVE\s+)?|\)\s*,\s*(?:--[^\n]*\n\s*)*)(\w+)\s+AS\s*\(")


def test_texts_are_found():
    assert len(TEXTS) >= 10
    assert any(_CTE.search(text) for text in TEXTS.values())


@pytest.mark.parametrize("place", TEXTS)
def test_a_text_has_no_backslash_and_says_user_in_quotes(place: str):
    bare = re.sub(r"--[^\n]*|'[^']*'", "", TEXTS[place])
    # Spark reads it as an escape, DuckDB as itself.
    assert "\\" not in TEXTS[place]
    # Unquoted, it means the connected user.
    assert not re.search(r"(?<![\w\"'{])user(?![\w\"'}])", bare, re.IGNORECASE)


@pytest.mark.parametrize("place", TEXTS)
def test_names_of_common_table_expressions_begin_with_an_underscore(place: str):
    assert [name for name in _CTE.findall(TEXTS[place]) if not name.startswith("_")] == []
