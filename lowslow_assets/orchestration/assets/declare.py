"""What every asset declares of its table, and how a permanent failure reads."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from pyspark.errors import PythonException

from lowslow_assets.enrichment.answers import EnrichmentError
from lowslow_assets.export.source import SourceError
from lowslow_assets.lake.lake import LakeError
from lowslow_assets.lake.tables import Table
from lowslow_assets.settings import SettingsError

OWNERS = ["team:detection"]


def declaration(table: Table, *kinds: str) -> dict[str, Any]:
    """Description, owners, kinds and columns, for ``@asset`` and ``AssetSpec``."""
    return {
        "description": table.description,
        "owners": OWNERS,
        "kinds": {"spark", "parquet", *kinds},
        "metadata": {"dagster/column_schema": column_schema(table)},
    }


def column_schema(table: Table) -> dg.TableSchema:
    """The table's columns as the UI shows them."""
    columns = [
        dg.TableColumn(
            name=field.name,
            type=field.dataType.simpleString(),
            description=field.metadata["comment"],
        )
        for field in table.schema.fields
    ]
    return dg.TableSchema(columns=columns)


@contextmanager
def permanent_failures() -> Iterator[None]:
    """A wrong setting or a missing partition fails once, in one sentence: no retry mends it."""
    try:
        yield
    except (SourceError, LakeError, EnrichmentError, SettingsError) as error:
        raise _permanent_failure(str(error)) from None
    except PythonException as error:
        # What was raised in an executor comes as the text of its traceback.
        if told := re.search(r"SourceError: (LOWSLOW_SOURCE [^\n]+)", str(error)):
            raise _permanent_failure(told[1]) from None
        raise


def _permanent_failure(reason: str) -> dg.Failure:
    # A deployment's run retries look at the run's tags, and not at what a step allows.
    context = dg.OpExecutionContext.get()
    context.instance.add_run_tags(context.run_id, {"dagster/max_retries": "0"})
    return dg.Failure(reason, allow_retries=False)


def table_metadata(rows: list[dict[str, Any]]) -> dg.MetadataValue:
    """Rows as a table in the UI; values are shown as text, never as markup."""
    records = [dg.TableRecord({key: _cell(value) for key, value in row.items()}) for row in rows]
    names = list(rows[0]) if rows else ["nothing"]
    return dg.MetadataValue.table(
        records, schema=dg.TableSchema(columns=[dg.TableColumn(name) for name in names])
    )


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
