"""What every asset declares about its table, and how permanent failures are reported."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg

from lowslow_assets.engines.base import EngineError
from lowslow_assets.enrichment.answers import EnrichmentError
from lowslow_assets.export.source import SourceError
from lowslow_assets.hunting.settings import RULES_VERSION
from lowslow_assets.lake import tables
from lowslow_assets.lake.lake import LakeError
from lowslow_assets.lake.tables import Table
from lowslow_assets.settings import SettingsError

OWNERS = ["team:detection"]
FOR_ANALYSTS = {"audience": "analysts"}
"""The tag of what people read; in the UI, tag:"audience"="analysts" shows nothing else."""
_READ_BY_ANALYSTS = {
    tables.ADDRESS_REPORTS,
    tables.CAMPAIGNS,
    tables.DELIVERED_INCIDENTS,
    tables.DETECTION_LIMIT,
    tables.ENRICHED_INCIDENTS,
    tables.EXPLAINED_FAILURES,
    tables.HUNTING_RULES,
    tables.INCIDENT_MEMBERS,
    tables.PRUNED_CLUSTERS,
    tables.REJECTED_SIGNINS,
}


def declaration(table: Table, *kinds: str) -> dict[str, Any]:
    """Description, version, owners, tags, kinds and columns, for ``@asset`` and ``AssetSpec``."""
    return {
        "description": table.description,
        "code_version": f"{RULES_VERSION}-{table.schema_digest}",
        "owners": OWNERS,
        "tags": FOR_ANALYSTS if table in _READ_BY_ANALYSTS else {},
        "kinds": {"parquet", *kinds},
        "metadata": {"dagster/column_schema": column_schema(table)},
    }


def column_schema(table: Table) -> dg.TableSchema:
    """The table's columns as the UI shows them."""
    columns = [
        dg.TableColumn(name=name, type=kind, description=comment)
        for name, kind, comment in table.columns
    ]
    return dg.TableSchema(columns=columns)


@contextmanager
def permanent_failures() -> Iterator[None]:
    """A wrong setting or a missing partition fails once, in one sentence: no retry can help."""
    try:
        yield
    except (SourceError, LakeError, EngineError, EnrichmentError, SettingsError) as error:
        raise _permanent_failure(str(error)) from None
    except Exception as error:
        # An error in one of Spark's executors arrives as the text of its traceback.
        if reason := re.search(r"SourceError: (LOWSLOW_SOURCE [^\n]+)", str(error)):
            raise _permanent_failure(reason[1]) from None
        raise


def _permanent_failure(reason: str) -> dg.Failure:
    # A deployment's run retries look at the run's tags, not at what a step allows.
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
