"""Runs a rule's text on unchanged rows of the log: KQL on DuckDB, Sigma by our own matcher."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import translate
from ipaddress import ip_address
from typing import Any

import duckdb
import duckdb_kql
import pyarrow as pa
from sigma.conditions import ConditionAND, ConditionNOT, ConditionOR
from sigma.rule import SigmaRule
from sigma.types import (
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaNull,
    SigmaRegularExpression,
    SigmaString,
)

Event = Mapping[str, Any]

_TEXTS = (
    *("Id", "TimeGenerated", "UserPrincipalName", "ResultType", "IPAddress", "Location"),
    *("AppDisplayName", "ClientAppUsed", "UserAgent", "AutonomousSystemNumber"),
)
_DETAILS = ("DeviceDetail", "LocationDetails")


def run_kql(query: str, events: Sequence[Event]) -> set[str]:
    """The ids of the events that a query over both tables finds; events alternate between them."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    tables = {"SigninLogs": "JSON", "AADNonInteractiveUserSignInLogs": "VARCHAR"}
    for place, (name, type_of_details) in enumerate(tables.items()):
        rows = [
            {column: event.get(column) for column in _TEXTS}
            | {column: json.dumps(event.get(column)) for column in _DETAILS}
            for event in events[place::2]
        ]
        schema = pa.schema([(column, pa.string()) for column in (*_TEXTS, *_DETAILS)])
        connection.register("events", pa.Table.from_pylist(rows, schema))
        details = ", ".join(f"{column}::{type_of_details} AS {column}" for column in _DETAILS)
        time = "TimeGenerated::TIMESTAMP AS TimeGenerated"
        connection.execute(
            f'CREATE TABLE "{name}" AS SELECT * REPLACE ({details}, {time}) FROM events'
        )
    return set(duckdb_kql.df(connection, query)["Id"])


def run_sigma(rule: str, events: Iterable[Event]) -> set[str]:
    """The ids of the events that a Sigma rule, as YAML, matches."""
    [condition] = SigmaRule.from_yaml(rule).detection.parsed_condition
    parsed = condition.parsed
    return {event["Id"] for event in events if _holds(parsed, event)}


def _holds(condition: Any, event: Event) -> bool:
    if isinstance(condition, ConditionAND):
        return all(_holds(part, event) for part in condition.args)
    if isinstance(condition, ConditionOR):
        return any(_holds(part, event) for part in condition.args)
    if isinstance(condition, ConditionNOT):
        return not _holds(condition.args[0], event)
    value: Any = event
    for name in condition.field.split("."):
        value = (value or {}).get(name)
    return _matches(condition.value, value)


def _matches(wanted: Any, value: str | None) -> bool:
    if isinstance(wanted, SigmaNull):
        return value is None
    if value is None:
        return False
    if isinstance(wanted, SigmaRegularExpression):
        return re.search(wanted.regexp.original, value) is not None
    if isinstance(wanted, SigmaCIDRExpression):
        try:
            return ip_address(value) in wanted.network
        except ValueError:
            return False
    assert isinstance(wanted, SigmaString)
    # Wildcards are those of fnmatch; no other Sigma wildcard is expected to remain.
    pattern = "".join(
        re.sub(r"([*?[])", r"[\1]", part) if isinstance(part, str) else "*" for part in wanted.s
    )
    ignoring_case = 0 if isinstance(wanted, SigmaCasedString) else re.IGNORECASE
    return re.match(translate(pattern), value, ignoring_case) is not None
