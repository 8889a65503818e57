"""Every transform gives the same rows on both engines, whatever tables it is given."""

import ast
import importlib
import inspect
import math
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

import lowslow_assets
from lowslow_assets.engines.base import Engine
from lowslow_assets.engines.sql import TRANSFORMS
from lowslow_assets.hunting.limit import RATES
from lowslow_assets_tests.support.drawn_relations import DAYS, Tenant

_ROOT = Path(lowslow_assets.__file__).parent
ROWS = 150
# Since 1970, the first of each day that tables are drawn with.
_HOURS = [(day - date(1970, 1, 1)).days * 24 for day in DAYS]
_CODES = st.lists(st.sampled_from(["50126", "50055", "50053", "50034", "0"]))

OTHERS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "accounts.known_passwords": {"most": st.integers(1, 5)},
    "addresses.informative_addresses": {"most": st.integers(1, 5)},
    "entries.compromised_accounts": {"most": st.integers(1, 5)},
    "explanations.explain_crowds": {"crowded": st.lists(st.sampled_from(_HOURS))},
    "explanations.explain_sources": {"most_of_prefix": st.integers(0, 2_000)},
    "features.encode_features": dict.fromkeys(("failure", "stopped", "refused"), _CODES),
    "gathering.with_gathered": {"least": st.sampled_from([0.0, 0.5, 1.0])},
    "ingest.count_days": {"failure_codes": _CODES},
    "limit.draw_accounts": {"number": st.integers(0, 8)},
    "limit.members_at_rate": {"attempts_per_day": st.sampled_from(RATES)},
    "success_tables.sample": {"successes": st.sampled_from([0, 5, 50, 10**12])},
    "users.renamed_users": {"last_day": st.sampled_from(DAYS)},
}
"""The parameters of a transform besides relations, by its name."""
REPEATS_IDS = {"ingest.deduplicate"}
"""The transforms whose purpose is to reduce rows of one id and day to one."""


def declared() -> Iterator[tuple[str, str]]:
    """Module and name of each transform in the package's source."""
    for path in sorted(_ROOT.rglob("*.py")):
        module = ".".join(path.relative_to(_ROOT.parent).with_suffix("").parts)
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and any(
                ast.unparse(decorator).startswith("transform(") for decorator in node.decorator_list
            ):
                yield module, node.name


DECLARED = {f"{module.rpartition('.')[2]}.{name}": module for module, name in declared()}
"""Each transform's module, by the name under which it is registered."""


def test_every_transform_is_registered_under_a_name_of_its_own():
    for module in DECLARED.values():
        importlib.import_module(module)
    ours = {
        name
        for name, transform in TRANSFORMS.items()
        if transform.function.__module__.startswith("lowslow_assets.")
    }
    assert ours == DECLARED.keys()
    assert len(DECLARED) == len(list(declared()))


@pytest.mark.parametrize("name", DECLARED)
def test_every_further_parameter_is_drawn(name: str):
    importlib.import_module(DECLARED[name])
    transform = TRANSFORMS[name]
    parameters = inspect.signature(transform.function).parameters.keys()
    assert parameters == transform.takes.keys() | OTHERS.get(name, {}).keys()


@pytest.mark.spark
@pytest.mark.parametrize("name", DECLARED)
@settings(
    max_examples=2,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
@given(data=st.data())
def test_both_engines_give_the_same_rows(
    duckdb_engine: Engine, spark_engine: Engine, name: str, data: st.DataObject
):
    importlib.import_module(DECLARED[name])
    transform = TRANSFORMS[name]
    seed = data.draw(st.integers(0, 2**32), label="seed")
    others = {
        parameter: data.draw(strategy, label=parameter)
        for parameter, strategy in OTHERS.get(name, {}).items()
    }
    tenant, random = Tenant(seed), Random(seed)
    tables = {
        parameter: tenant.table(
            schema,
            # The simplest drawing, which comes first, has no rows at all.
            random.choice([0, *[ROWS] * 7]) if seed else 0,
            number,
            repeats=name in REPEATS_IDS,
        )
        for number, (parameter, schema) in enumerate(transform.takes.items())
    }

    def shuffled(table: pa.Table) -> pa.Table:
        return table.take(pa.array(random.sample(range(len(table)), len(table)), pa.int64()))

    def made_by(engine: Engine) -> pa.Table:
        # In another order for each engine, because no result may depend on it.
        relations = {key: engine.from_arrow(shuffled(table)) for key, table in tables.items()}
        made = transform.function(**relations, **others).arrow()
        engine.forget()
        return made

    assert_same(made_by(duckdb_engine), made_by(spark_engine), transform.returns)


def assert_same(one: pa.Table, other: pa.Table, schema: pa.Schema) -> None:
    """The same rows, in any order; doubles to 1e-9 of their size."""
    for made in (one, other):
        assert [(f.name, f.type) for f in made.schema] == [(f.name, f.type) for f in schema]
    assert one.num_rows == other.num_rows
    doubles = [f.name for f in schema if pa.types.is_floating(f.type)]
    for row, twin in zip(in_order(one, doubles), in_order(other, doubles), strict=True):
        for column in doubles:
            left, right = row.pop(column), twin.pop(column)
            assert left == right or math.isclose(left, right, rel_tol=1e-9), column
        assert row == twin


def in_order(rows: pa.Table, doubles: list[str]) -> list[dict[str, Any]]:
    """Sorted by the exact columns, then by the rest."""
    exact = [name for name in rows.column_names if name not in doubles]
    keys = [(name, "ascending") for name in [*exact, *doubles]]
    return rows.sort_by(keys).to_pylist()
