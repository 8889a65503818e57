"""The machine's limit for ingest: DuckDB parses the same JSON into the columns of raw_signins.

``python -m benchmarks.speed.duckdb_ingest EXPORT FIRST_DAY LAST_DAY OUT``

It writes ``OUT/date=YYYY-MM-DD/*.parquet``, one row per Id, as zstd. It does nothing else: no
rejected lines, no second schema, no lower-case keys, no checks.
"""

import argparse
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import duckdb

from benchmarks.speed.layout import day_folders

_JSON_COLUMNS = (
    *("Id", "TimeGenerated", "UserPrincipalName", "UserId", "ResultType", "IsInteractive"),
    *("AppDisplayName", "ClientAppUsed", "UserAgent", "IPAddress", "AutonomousSystemNumber"),
    *("DeviceDetail", "Location", "LocationDetails"),
)

_INGEST = """
COPY (
    WITH parsed AS (
        SELECT
            make_date(
                regexp_extract(filename, $day_path, 1)::INT,
                regexp_extract(filename, $day_path, 2)::INT,
                regexp_extract(filename, $day_path, 3)::INT
            ) AS date,
            Id AS signin_id,
            try_cast(TimeGenerated AS TIMESTAMPTZ) AS time_generated,
            UserPrincipalName AS user_principal_name,
            UserId AS user_id,
            ResultType AS result_type,
            try_cast(IsInteractive AS BOOLEAN) AS is_interactive,
            AppDisplayName AS app_display_name,
            ClientAppUsed AS client_app_used,
            nullif(DeviceDetail ->> '$.browser', '') AS browser,
            nullif(DeviceDetail ->> '$.displayName', '') AS device_name,
            nullif(DeviceDetail ->> '$.operatingSystem', '') AS operating_system,
            UserAgent AS user_agent,
            nullif(IPAddress, '') AS ip_address,
            try_cast(AutonomousSystemNumber AS BIGINT) AS autonomous_system_number,
            coalesce(nullif(Location, ''), LocationDetails ->> '$.countryOrRegion') AS country,
            nullif(LocationDetails ->> '$.state', '') AS state,
            nullif(LocationDetails ->> '$.city', '') AS city,
            try_cast(LocationDetails ->> '$.geoCoordinates.latitude' AS DOUBLE) AS latitude,
            try_cast(LocationDetails ->> '$.geoCoordinates.longitude' AS DOUBLE) AS longitude
        FROM read_json(
            $files,
            columns = $columns,
            format = 'newline_delimited',
            ignore_errors = true,
            filename = true
        )
        WHERE Id <> ''
    )
    SELECT *, count(*) OVER (PARTITION BY date, signin_id) AS copies
    FROM parsed
    QUALIFY row_number() OVER (PARTITION BY date, signin_id ORDER BY time_generated DESC) = 1
) TO $target (FORMAT parquet, COMPRESSION zstd, PARTITION_BY (date), OVERWRITE_OR_IGNORE)
"""


_DAY_PATH = r"y=(\d+)/m=(\d+)/d=(\d+)/"

# Days one by one cost more, and the whole window at once does not fit into memory.
_DAYS_AT_ONCE = 30


def ingest(export: Path, first: date, last: date, out: Path) -> None:
    """Write the days' sign-ins, one row per Id and day."""
    connection = duckdb.connect()
    out.mkdir(parents=True)
    folders = day_folders(export, first, last)
    for begin in range(0, len(folders), _DAYS_AT_ONCE):
        connection.execute(
            _INGEST,
            {
                "files": [f"{folder}/*/*/*.json" for folder in folders[begin:][:_DAYS_AT_ONCE]],
                "columns": dict.fromkeys(_JSON_COLUMNS, "VARCHAR"),
                "day_path": _DAY_PATH,
                "target": str(out),
            },
        )


def main(arguments: Sequence[str] | None = None) -> None:
    """Ingest the days from the first to the last, both included."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.duckdb_ingest")
    parser.add_argument("export", type=Path, help="the folder that holds y=YYYY/")
    parser.add_argument("first", type=date.fromisoformat)
    parser.add_argument("last", type=date.fromisoformat)
    parser.add_argument("out", type=Path)
    options = parser.parse_args(arguments)
    ingest(options.export, options.first, options.last, options.out)


if __name__ == "__main__":
    main()
