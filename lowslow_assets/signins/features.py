"""The properties of a sign-in that the hunt treats as categorical variables.

A category is a short string. A null or empty value becomes ``NODATA``, so that a missing value is a
category like any other.
"""

from collections.abc import Sequence

from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.lake.tables import (
    CATEGORIES,
    CATEGORY_COUNTS,
    ENCODED_FEATURES,
    MAX_CATEGORY_LENGTH,
    RAW_SIGNINS,
    SIGNIN_HOURS,
    SUCCESS_SOURCES,
)
from lowslow_assets.signins.outcomes import EXPIRED_PASSWORD, SUCCESS_RESULT_TYPE


@transform(ENCODED_FEATURES.dated, signins=RAW_SIGNINS.dated)
def encode_features(
    signins: Relation, failure: Sequence[str], stopped: Sequence[str], refused: Sequence[str]
) -> Relation:
    """Turn ``raw_signins`` rows into ``encoded_features`` rows (same number of rows).

    ``failure``, ``stopped`` and ``refused`` are the result codes of these outcomes.
    ``seconds_to_success`` of an attempt is the time until its user's next success from the same
    network on that day. A success in the same second counts. It is null if there is no such
    success.
    """
    return sql(
        """
        WITH _encoded AS (
            SELECT
                signin_id,
                time_generated,
                "user",
                CASE
                    WHEN result_type = {success} THEN 'success'
                    WHEN result_type IN {failure} THEN 'failure'
                    WHEN result_type IN {stopped} THEN 'stopped'
                    WHEN result_type IN {refused} THEN 'refused'
                    ELSE 'other'
                END AS outcome,
                result_type,
                ip_address,
                ip_prefix,
                latitude,
                longitude,
                app_display_name AS AppDisplayName,
                client_app_used AS ClientAppUsed,
                browser,
                device_name AS displayName,
                -- The log spells one system both "Windows 10" and "Windows10".
                without_spaces(operating_system) AS operatingSystem,
                coalesce('AS' || CAST(autonomous_system_number AS STRING), ip_prefix) AS network,
                country AS Location,
                state,
                city,
                CASE
                    WHEN coalesce(browser, '') = '' AND coalesce(operating_system, '') = ''
                        THEN agent_product(user_agent)
                END AS agent,
                user_agent,
                date,
                epoch_seconds(time_generated) AS second
            FROM {signins}
        ),
        _categories AS (
            SELECT
                signin_id,
                time_generated,
                "user",
                outcome,
                result_type,
                ip_address,
                ip_prefix,
                latitude,
                longitude,
                coalesce(nullif(substr(AppDisplayName, 1, {length}), ''), 'NODATA')
                    AS AppDisplayName,
                coalesce(nullif(substr(ClientAppUsed, 1, {length}), ''), 'NODATA') AS ClientAppUsed,
                coalesce(nullif(substr(browser, 1, {length}), ''), 'NODATA') AS browser,
                coalesce(nullif(substr(displayName, 1, {length}), ''), 'NODATA') AS displayName,
                coalesce(nullif(substr(operatingSystem, 1, {length}), ''), 'NODATA')
                    AS operatingSystem,
                coalesce(nullif(substr(network, 1, {length}), ''), 'NODATA') AS network,
                coalesce(nullif(substr(Location, 1, {length}), ''), 'NODATA') AS Location,
                coalesce(nullif(substr(state, 1, {length}), ''), 'NODATA') AS state,
                coalesce(nullif(substr(city, 1, {length}), ''), 'NODATA') AS city,
                coalesce(nullif(substr(agent, 1, {length}), ''), 'NODATA') AS agent,
                -- Nothing reads this of a success.
                CASE
                    WHEN outcome NOT IN ('success', 'other')
                        THEN nullif(substr(user_agent, 1, {length}), '')
                END AS user_agent,
                date,
                second
            FROM _encoded
        ),
        _followed AS (
            SELECT
                *,
                -- The frame runs backwards from the day's end: forwards, Spark's time grows with
                -- the square of the rows.
                min(CASE WHEN outcome = 'success' THEN second END) OVER (
                    PARTITION BY date, "user", network ORDER BY second DESC
                ) AS next_success
            FROM _categories
        )
        SELECT
            signin_id,
            time_generated,
            "user",
            outcome,
            result_type,
            CASE
                WHEN outcome NOT IN ('success', 'other') THEN CAST(next_success - second AS INT)
            END AS seconds_to_success,
            ip_address,
            ip_prefix,
            latitude,
            longitude,
            AppDisplayName,
            ClientAppUsed,
            browser,
            displayName,
            operatingSystem,
            network,
            Location,
            state,
            city,
            agent,
            user_agent,
            date
        FROM _followed
        """,
        signins=signins,
        success=SUCCESS_RESULT_TYPE,
        failure=failure,
        stopped=stopped,
        refused=refused,
        length=MAX_CATEGORY_LENGTH,
    )


def of_outcome(signins: Relation, outcome: str) -> Relation:
    """The sign-ins with this outcome, with all of their columns."""
    return sql(
        "SELECT * FROM {signins} WHERE outcome = {outcome}", signins=signins, outcome=outcome
    )


def attempts(signins: Relation) -> Relation:
    """The sign-ins that failed, were stopped or were refused, with all of their columns."""
    return sql("SELECT * FROM {signins} WHERE outcome NOT IN ('success', 'other')", signins=signins)


def password_failures(signins: Relation) -> Relation:
    """The sign-ins whose password was wrong or expired, with all of their columns.

    These are the failures of the guided-hunting notebook, and of all statistics of what is usual. A
    user who was stopped or refused did not mistype.
    """
    return sql(
        "SELECT * FROM {signins} WHERE outcome = 'failure' OR result_type = {expired}",
        signins=signins,
        expired=EXPIRED_PASSWORD,
    )


@transform(SUCCESS_SOURCES.dated, encoded=ENCODED_FEATURES.dated)
def sum_sources(encoded: Relation) -> Relation:
    """Per day, from where each user succeeded: rows of ``success_sources``."""
    return sql(
        """
        SELECT
            "user",
            network,
            ip_prefix,
            Location,
            state,
            city,
            latitude,
            longitude,
            operatingSystem,
            count(*) AS successes,
            date_trunc('second', min(time_generated)) AS first_success,
            CAST(epoch_seconds(max(time_generated)) - epoch_seconds(min(time_generated)) AS INT)
                AS seconds,
            date
        FROM {encoded}
        WHERE outcome = 'success'
        GROUP BY
            date,
            "user",
            network,
            ip_prefix,
            Location,
            state,
            city,
            latitude,
            longitude,
            operatingSystem
        """,
        encoded=encoded,
    )


@transform(SIGNIN_HOURS.dated, encoded=ENCODED_FEATURES.dated)
def count_hours(encoded: Relation) -> Relation:
    """Count sign-ins by date, outcome and hour (UTC): rows of ``signin_hours``."""
    return sql(
        """
        SELECT outcome, date_trunc('hour', time_generated) AS hour, count(*) AS signins, date
        FROM {encoded}
        GROUP BY date, outcome, date_trunc('hour', time_generated)
        """,
        encoded=encoded,
    )


@transform(CATEGORY_COUNTS.dated, encoded=ENCODED_FEATURES.dated)
def count_categories(encoded: Relation) -> Relation:
    """Count each day's successes and ``password_failures`` per (feature, category).

    The counts are additive: a window's baseline is the sum of its days' counts.
    """
    return sql(
        """
        WITH _pairs AS (
            SELECT date, outcome, feature, category
            FROM {encoded} UNPIVOT (
                category FOR feature IN ({features})
            )
            WHERE outcome IN ('success', 'failure') OR result_type = {expired}
        )
        SELECT
            feature,
            category,
            count(*) FILTER (WHERE outcome = 'success') AS successes,
            count(*) FILTER (WHERE outcome <> 'success') AS failures,
            date
        FROM _pairs
        GROUP BY date, feature, category
        """,
        features=Columns(CATEGORIES),
        encoded=encoded,
        expired=EXPIRED_PASSWORD,
    )
