"""The heaviest transforms in hand-written DuckDB SQL: a bound on what an embedded engine can bring.

Run by ``python -m benchmarks.engines --by-hand PYTHON``. Not the project's code: a second one,
which would have to be kept equal to the first. The parsing knows the sample's schema only, and
gives no reasons for what is to be rejected.
"""

import argparse
import importlib
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.engines.worker import WARM_RUNS, cpu_seconds

_PARSE = r"""
WITH lines AS (
    SELECT trim(unnest(string_split(content, chr(10)))) AS line
    FROM read_text('{export}/y={y}/m={m}/d={d}/**/*.json')
), records AS (
    SELECT CASE WHEN json_valid(line) THEN line::JSON END AS j FROM lines WHERE line != ''
), rows AS (
    SELECT j, json(j ->> 'DeviceDetail') AS device, json(j ->> 'LocationDetails') AS place
    FROM records
)
SELECT
    DATE '{y}-{m}-{d}' AS date, j ->> 'Id' AS signin_id,
    try_cast(j ->> 'TimeGenerated' AS TIMESTAMPTZ) AS time_generated,
    nullif(trim(j ->> 'UserPrincipalName'), '') AS user_principal_name,
    nullif(trim(j ->> 'UserId'), '') AS user_id,
    nullif(trim(j ->> 'ResultType'), '') AS result_type,
    lower(j ->> 'IsInteractive') IN ('true', '1') AS is_interactive,
    nullif(trim(j ->> 'AppDisplayName'), '') AS app_display_name,
    nullif(trim(j ->> 'ClientAppUsed'), '') AS client_app_used,
    nullif(trim(device ->> 'browser'), '') AS browser,
    nullif(trim(device ->> 'displayName'), '') AS device_name,
    nullif(trim(device ->> 'operatingSystem'), '') AS operating_system,
    nullif(trim(j ->> 'UserAgent'), '') AS user_agent,
    nullif(trim(j ->> 'IPAddress'), '') AS ip_address,
    try_cast(j ->> 'AutonomousSystemNumber' AS BIGINT) AS autonomous_system_number,
    coalesce(nullif(trim(j ->> 'Location'), ''), place ->> 'countryOrRegion') AS country,
    nullif(trim(place ->> 'state'), '') AS state, nullif(trim(place ->> 'city'), '') AS city,
    nullif(try_cast(place -> 'geoCoordinates' ->> 'latitude' AS DOUBLE), 0) AS latitude,
    nullif(try_cast(place -> 'geoCoordinates' ->> 'longitude' AS DOUBLE), 0) AS longitude
FROM rows
"""
_SUMS = """
SELECT feature, category, sum(successes)::BIGINT AS successes, sum(failures)::BIGINT AS failures
FROM read_parquet('{inputs}/category_counts.parquet') GROUP BY ALL
"""
_EXPLAIN = """
WITH events AS (
    SELECT date, signin_id, "user", network, outcome, ip_address AS address, ip_prefix AS prefix,
        floor(epoch(time_generated))::BIGINT AS second
    FROM read_parquet('{inputs}/encoded_features.parquet')
    WHERE outcome IN ('success', 'failure')
), seen AS (
    SELECT *,
        count(*) FILTER (outcome = 'success') OVER (
            PARTITION BY "user", network ORDER BY second
            RANGE BETWEEN CURRENT ROW AND 1800 FOLLOWING) > 0 AS resolved,
        count(*) FILTER (outcome = 'success') OVER (PARTITION BY "user", network) > 0 AS known
    FROM events
), prefixes AS (
    SELECT DISTINCT prefix, true AS succeeds FROM events WHERE outcome = 'success'
), sized AS (
    SELECT seen.*, succeeds,
        count(*) OVER (PARTITION BY "user", second // 86400) AS of_day,
        count(*) OVER (PARTITION BY address) AS of_address,
        count(*) OVER (PARTITION BY seen.prefix) AS of_prefix,
        least(lead(second) OVER again - second, second - lag(second) OVER again) <= 3600 AS retried
    FROM seen LEFT JOIN prefixes ON seen.prefix = prefixes.prefix WHERE outcome = 'failure'
    WINDOW again AS (PARTITION BY "user", seen.prefix ORDER BY second)
), explained AS (
    SELECT *, CASE
        WHEN resolved THEN 'resolved' WHEN prefix IS NULL THEN 'no source'
        WHEN of_day > 5 THEN 'busy account' WHEN retried THEN 'retried'
        WHEN of_address > 3 THEN 'shared address' WHEN of_prefix > {many} THEN 'shared prefix'
        WHEN known AND succeeds THEN 'own network' END AS explanation
    FROM sized
), crowds AS (
    SELECT *, count(*) FILTER (explanation IS NULL) OVER (PARTITION BY second // 3600) AS crowd,
        count(*) FILTER (explanation IS NULL) OVER () / (24.0 * {days}) AS usual
    FROM explained
)
SELECT date, signin_id,
    coalesce(explanation, CASE WHEN crowd > 5 + 8 * usual THEN 'crowded hour' END) AS explanation
FROM crowds
"""


def main() -> None:
    """Run each query as the worker runs the cases; results go to ``by_hand``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines.by_hand")
    parser.add_argument("export", type=Path)
    parser.add_argument("day")
    parser.add_argument("work", type=Path)
    options = parser.parse_args()
    inputs = options.work / "inputs"
    days = len(json.loads((options.work / "facts.json").read_text(encoding="utf-8"))["days"])
    year, month, day = options.day.split("-")
    queries = {
        "parse_lines": _PARSE.format(export=options.export.absolute(), y=year, m=month, d=day),
        "sum_counts": _SUMS.format(inputs=inputs),
        "explain_failures": _EXPLAIN.format(inputs=inputs, days=days, many=max(10, days // 6)),
    }
    connection: Any = importlib.import_module("duckdb").connect()
    connection.execute("SET TimeZone = 'UTC'")
    out = options.work / "by_hand"
    out.mkdir(exist_ok=True)
    results = {}
    for name, query in queries.items():
        target = out / f"{name}-0"
        measured = [
            _measure(lambda q=query, t=target: connection.execute(_copy(q, t)))
            for _ in range(1 + WARM_RUNS)
        ]
        warm, cpu = (statistics.median(values) for values in zip(*measured[1:], strict=True))
        results[name] = {"cold": measured[0][0], "warm": warm, "warm_cpu": cpu}
    (out / "results.json").write_text(json.dumps({"cases": results}, indent=1), encoding="utf-8")


def _copy(query: str, target: Path) -> str:
    return f"COPY ({query}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)"


def _measure(run: Callable[[], Any]) -> tuple[float, float]:
    began, cpu = time.perf_counter(), cpu_seconds()
    run()
    return time.perf_counter() - began, cpu_seconds() - cpu


if __name__ == "__main__":
    main()
