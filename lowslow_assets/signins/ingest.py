"""The parser's results as the rows of ``raw_signins`` and ``rejected_signins``."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from typing import IO

import pyarrow as pa

from lowslow_assets.engines.base import InputFile, Relation
from lowslow_assets.engines.schemas import extended, schema, without
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.lake.tables import RAW_SIGNINS, REJECTED_SIGNINS
from lowslow_assets.signins.parser import PARSED, parse_files
from lowslow_assets.signins.users import SIGNINS

PARSED_INPUTS = extended(PARSED, "date date")


def parse_inputs(files: Iterable[tuple[InputFile, IO[bytes]]]) -> Iterator[pa.RecordBatch]:
    """The records of files as batches of ``PARSED_INPUTS``, with the day of the file's folder."""
    days: dict[str, date] = {}

    def named() -> Iterator[tuple[str, IO[bytes]]]:
        for file, content in files:
            days[file.name] = file.day
            yield file.name, content

    for batch in parse_files(named()):
        of_rows = batch.column("file").dictionary_encode()
        of_files = pa.array([days[name.as_py()] for name in of_rows.dictionary], pa.date32())
        columns = [*batch.columns, of_files.take(of_rows.indices)]
        yield pa.RecordBatch.from_arrays(columns, schema=PARSED_INPUTS)


@transform(SIGNINS, parsed=PARSED_INPUTS)
def signins_of(parsed: Relation) -> Relation:
    """The sign-ins, each as often as the files contain it.

    Nothing is taken from a file that could not be read to its end, because the missing part is
    unknown.
    """
    return sql(
        """
        WITH _unreadable AS (
            SELECT date, file FROM {parsed} WHERE reason IS NOT NULL AND line IS NULL
        )
        SELECT
            {columns}
        FROM {parsed} AS _parsed
        WHERE reason IS NULL AND NOT EXISTS (
            SELECT 1 FROM _unreadable
            WHERE _unreadable.date = _parsed.date AND _unreadable.file = _parsed.file
        )
        """,
        parsed=parsed,
        columns=Columns(SIGNINS),
    )


@transform(SIGNINS, signins=SIGNINS)
def by_own_days(signins: Relation) -> Relation:
    """The sign-ins, dated by their own times, whatever folder they were in."""
    return sql(
        "SELECT {columns}, CAST(time_generated AS DATE) AS date FROM {signins}",
        columns=Columns(without(SIGNINS, "date")),
        signins=signins,
    )


@transform(RAW_SIGNINS.dated, signins=SIGNINS)
def deduplicate(signins: Relation) -> Relation:
    """Keep one row per (date, signin_id), and count its ``copies``: rows of ``raw_signins``.

    The export repeats rows, exactly or with other details. The row with the latest
    ``time_generated`` is kept; among equals a success; among equals the greatest row in column
    order, with null below any value. This is a total order, so the choice does not depend on the
    order of reading.
    """
    return sql(
        """
        WITH _repeated AS (
            SELECT date AS day, signin_id AS id, count(*) AS copies
            FROM {signins}
            GROUP BY date, signin_id
            HAVING count(*) > 1
        ),
        -- Few rows are repeated, and ranking all rows would cost more than everything else.
        _ranked AS (
            SELECT
                {columns},
                copies,
                row_number() OVER (
                    PARTITION BY date, signin_id
                    -- "user" and ip_prefix follow from other columns and the day.
                    ORDER BY
                        time_generated DESC,
                        CASE WHEN result_type = '0' THEN 1 ELSE 2 END,
                        user_principal_name DESC NULLS LAST,
                        user_id DESC NULLS LAST,
                        result_type DESC NULLS LAST,
                        is_interactive DESC NULLS LAST,
                        app_display_name DESC NULLS LAST,
                        client_app_used DESC NULLS LAST,
                        browser DESC NULLS LAST,
                        device_name DESC NULLS LAST,
                        operating_system DESC NULLS LAST,
                        user_agent DESC NULLS LAST,
                        ip_address DESC NULLS LAST,
                        autonomous_system_number DESC NULLS LAST,
                        country DESC NULLS LAST,
                        state DESC NULLS LAST,
                        city DESC NULLS LAST,
                        latitude DESC NULLS LAST,
                        longitude DESC NULLS LAST,
                        unread DESC NULLS LAST
                ) AS rank
            FROM {signins}
            JOIN _repeated ON day = date AND id = signin_id
        )
        SELECT
            {without_copies}, CAST(1 AS BIGINT) AS copies, date
        FROM {signins}
        WHERE NOT EXISTS (SELECT 1 FROM _repeated WHERE day = date AND id = signin_id)
        UNION ALL
        SELECT
            {without_copies}, copies, date
        FROM _ranked
        WHERE rank = 1
        """,
        signins=signins,
        columns=Columns(SIGNINS),
        without_copies=Columns(without(SIGNINS, "date")),
    )


@transform(REJECTED_SIGNINS.dated, parsed=PARSED_INPUTS, refused=REJECTED_SIGNINS.dated)
def rejects_of(parsed: Relation, refused: Relation) -> Relation:
    """Lines that are not sign-ins, and files that are not read: rows of ``rejected_signins``.

    ``refused`` are files that were not opened. A file that could not be read to its end has only
    the row that says so.
    """
    return sql(
        """
        WITH _unreadable AS (
            SELECT date, file FROM {parsed} WHERE reason IS NOT NULL AND line IS NULL
        )
        SELECT file, reason, line, date
        FROM {parsed} AS _parsed
        WHERE reason IS NOT NULL AND (
            line IS NULL
            OR NOT EXISTS (
                SELECT 1 FROM _unreadable
                WHERE _unreadable.date = _parsed.date AND _unreadable.file = _parsed.file
            )
        )
        UNION ALL
        SELECT file, reason, line, date FROM {refused}
        """,
        parsed=parsed,
        refused=refused,
    )


@transform(
    schema(
        "date date, signins bigint, successes bigint, failures bigint, users bigint, "
        "addresses bigint, networks bigint"
    ),
    signins=RAW_SIGNINS.dated,
)
def count_days(signins: Relation, failure_codes: Sequence[str]) -> Relation:
    """Per day, the counts of its sign-ins; ``failure_codes`` are the result codes of a failure."""
    return sql(
        """
        SELECT
            date,
            count(*) AS signins,
            count(*) FILTER (WHERE result_type = '0') AS successes,
            count(*) FILTER (WHERE result_type IN {failures}) AS failures,
            count(DISTINCT "user") AS users,
            count(ip_address) AS addresses,
            count(autonomous_system_number) AS networks
        FROM {signins}
        GROUP BY date
        """,
        signins=signins,
        failures=failure_codes,
    )


@transform(schema("reason string, rejects bigint"), rejected=REJECTED_SIGNINS.dated)
def count_reasons(rejected: Relation) -> Relation:
    """How often each reason occurs."""
    return sql(
        "SELECT reason, count(*) AS rejects FROM {rejected} GROUP BY reason", rejected=rejected
    )


@transform(
    schema("lines bigint, duplicates bigint, of_other_days bigint, date date"),
    signins=RAW_SIGNINS.dated,
)
def count_lines(signins: Relation) -> Relation:
    """Per day, how many valid lines and how many copies it has."""
    return sql(
        """
        SELECT
            CAST(sum(copies) AS BIGINT) AS lines,
            CAST(sum(copies - 1) AS BIGINT) AS duplicates,
            count(*) FILTER (WHERE CAST(time_generated AS DATE) <> date) AS of_other_days,
            date
        FROM {signins}
        GROUP BY date
        """,
        signins=signins,
    )
