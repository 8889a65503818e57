"""When, from where and on whom campaigns act: ``incident_members`` in figures that fit a page.

Each result is bounded, however many members there are, and its rows have a fixed order.
"""

import pyarrow as pa

from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import sql, transform
from lowslow_assets.lake.tables import (
    FAILURE,
    INCIDENT_MEMBERS,
    MAX_CATEGORY_LENGTH,
    STOPPED,
    SUCCESS,
)

MAX_PLACES = 500
MAX_MATRIX_SIDE = 24
MAX_MEMBERS = 50_000

_TITLES = {
    "time_generated": "Time (UTC)",
    "outcome": "Outcome",
    "result_type": "Result code",
    "user": "Account",
    "ip_address": "Address",
    "network": "Network",
    "Location": "Country",
    "state": "State",
    "city": "City",
    "AppDisplayName": "Application",
    "ClientAppUsed": "Client",
    "browser": "Browser",
    "operatingSystem": "Operating system",
    "agent": "User agent's product",
    "displayName": "Device name",
    "score": "Probability",
    "evidence": "Evidence",
    "signin_id": "Sign-in id",
}


@transform(
    schema("incident_id string, outcome string, hour timestamp, signins bigint"),
    members=schema("incident_id string, outcome string, time_generated timestamp"),
)
def by_hour(members: Relation) -> Relation:
    """Sign-ins by hour of the calendar; ``outcome`` is success, or failure for all attempts."""
    return sql(
        """
        WITH _hours AS (
            SELECT
                incident_id,
                -- An attempt is one, whether it failed, was stopped or refused.
                CASE WHEN outcome = {success} THEN outcome ELSE {failure} END AS outcome,
                date_trunc('hour', time_generated) AS hour
            FROM {members}
        )
        SELECT incident_id, outcome, hour, count(*) AS signins
        FROM _hours
        GROUP BY incident_id, outcome, hour
        ORDER BY incident_id NULLS FIRST, outcome NULLS FIRST, hour NULLS FIRST
        """,
        members=members,
        success=SUCCESS,
        failure=FAILURE,
    )


_PLACES = schema(
    "incident_id string, outcome string, city string, state string, Location string, "
    "latitude double, longitude double"
)


@transform(pa.schema([*_PLACES, pa.field("signins", pa.int64())]), members=_PLACES)
def by_place(members: Relation) -> Relation:
    """Each incident's most common places that have coordinates, those of successes first.

    One row per outcome (success, or failure for all attempts) and place; the coordinates are the
    mean of those of the place's sign-ins.
    """
    return sql(
        """
        WITH _members AS (
            SELECT
                incident_id,
                CASE WHEN outcome = {success} THEN outcome ELSE {failure} END AS outcome,
                city,
                state,
                Location,
                latitude,
                longitude
            FROM {members}
        ),
        _places AS (
            SELECT
                incident_id,
                outcome,
                city,
                state,
                Location,
                avg(latitude) AS latitude,
                avg(longitude) AS longitude,
                count(*) AS signins
            FROM _members
            WHERE latitude IS NOT NULL AND longitude IS NOT NULL
            GROUP BY incident_id, outcome, city, state, Location
        ),
        _ranked AS (
            SELECT
                *,
                row_number() OVER (
                    PARTITION BY incident_id
                    ORDER BY
                        outcome DESC NULLS LAST,
                        signins DESC NULLS LAST,
                        city NULLS FIRST,
                        state NULLS FIRST,
                        Location NULLS FIRST
                ) AS place
            FROM _places
        )
        SELECT incident_id, outcome, city, state, Location, latitude, longitude, signins
        FROM _ranked
        WHERE place <= {most}
        ORDER BY incident_id NULLS FIRST, place
        """,
        members=members,
        most=MAX_PLACES,
        success=SUCCESS,
        failure=FAILURE,
    )


@transform(
    schema("incident_id string, user string, network string, attempts bigint, entries bigint"),
    members=schema("incident_id string, user string, network string, outcome string"),
)
def by_user_and_network(members: Relation) -> Relation:
    """The most informative accounts and networks of each incident, and the sign-ins between them.

    Networks are ordered by their successes, then by their attempts; accounts by their successes,
    then by the attempts from those networks.
    """
    return sql(
        """
        WITH _pairs AS (
            SELECT
                incident_id,
                "user",
                network,
                count(*) FILTER (WHERE outcome <> {success}) AS attempts,
                count(*) FILTER (WHERE outcome = {success}) AS entries
            FROM {members}
            GROUP BY incident_id, "user", network
        ),
        _of_network AS (
            SELECT
                *,
                sum(entries) OVER (PARTITION BY incident_id, network) AS network_entries,
                sum(attempts) OVER (PARTITION BY incident_id, network) AS network_attempts
            FROM _pairs
        ),
        _by_network AS (
            SELECT
                *,
                dense_rank() OVER (
                    PARTITION BY incident_id
                    ORDER BY
                        network_entries DESC NULLS LAST,
                        network_attempts DESC NULLS LAST,
                        network NULLS FIRST
                ) AS place
            FROM _of_network
        ),
        _of_user AS (
            SELECT
                incident_id,
                "user",
                network,
                attempts,
                entries,
                sum(entries) OVER (PARTITION BY incident_id, "user") AS user_entries,
                sum(attempts) OVER (PARTITION BY incident_id, "user") AS user_attempts
            FROM _by_network
            WHERE place <= {most}
        ),
        _by_user AS (
            SELECT
                *,
                dense_rank() OVER (
                    PARTITION BY incident_id
                    ORDER BY
                        user_entries DESC NULLS LAST,
                        user_attempts DESC NULLS LAST,
                        "user" NULLS FIRST
                ) AS place
            FROM _of_user
        )
        SELECT incident_id, "user", network, attempts, entries
        FROM _by_user
        WHERE place <= {most}
        ORDER BY incident_id NULLS FIRST, "user" NULLS FIRST, network NULLS FIRST
        """,
        members=members,
        success=SUCCESS,
        most=MAX_MATRIX_SIDE,
    )


def newest(members: Relation) -> pa.Table:
    """Each incident's members as text for its table, in the order of ``newest_members``.

    The columns are incident_id and one per title; values are cut to the length of a category.
    """
    rows = newest_members(members).arrow()
    shown = {"incident_id": rows["incident_id"]}
    shown |= {title: rows[name] for name, title in _TITLES.items()}
    scores = rows["score"].to_pylist()
    shown["Probability"] = pa.array(["" if s is None else f"{s:.3f}" for s in scores], pa.string())
    return pa.table(shown)


_SHOWN = pa.schema([INCIDENT_MEMBERS.schema.field(name) for name in ("incident_id", *_TITLES)])


@transform(_SHOWN.set(1, pa.field("time_generated", pa.string())), members=_SHOWN)
def newest_members(members: Relation) -> Relation:
    """Each incident's successes, its right passwords that were stopped, then its newest attempts.

    At most ``MAX_MEMBERS``. Texts are cut and never null; times are in whole seconds and never
    null.
    """
    return sql(
        """
        WITH _ranked AS (
            SELECT
                *,
                row_number() OVER (
                    PARTITION BY incident_id
                    ORDER BY
                        CASE outcome WHEN {success} THEN 1 WHEN {stopped} THEN 2 ELSE 3 END,
                        time_generated DESC NULLS LAST,
                        signin_id NULLS FIRST
                ) AS place
            FROM {members}
        )
        SELECT
            incident_id,
            coalesce(CAST(date_trunc('second', time_generated) AS STRING), '') AS time_generated,
            coalesce(substr(outcome, 1, {length}), '') AS outcome,
            coalesce(substr(result_type, 1, {length}), '') AS result_type,
            coalesce(substr("user", 1, {length}), '') AS "user",
            coalesce(substr(ip_address, 1, {length}), '') AS ip_address,
            coalesce(substr(network, 1, {length}), '') AS network,
            coalesce(substr(Location, 1, {length}), '') AS Location,
            coalesce(substr(state, 1, {length}), '') AS state,
            coalesce(substr(city, 1, {length}), '') AS city,
            coalesce(substr(AppDisplayName, 1, {length}), '') AS AppDisplayName,
            coalesce(substr(ClientAppUsed, 1, {length}), '') AS ClientAppUsed,
            coalesce(substr(browser, 1, {length}), '') AS browser,
            coalesce(substr(operatingSystem, 1, {length}), '') AS operatingSystem,
            coalesce(substr(agent, 1, {length}), '') AS agent,
            coalesce(substr(displayName, 1, {length}), '') AS displayName,
            score,
            coalesce(substr(evidence, 1, {length}), '') AS evidence,
            coalesce(substr(signin_id, 1, {length}), '') AS signin_id
        FROM _ranked
        WHERE place <= {most}
        ORDER BY incident_id NULLS FIRST, place
        """,
        members=members,
        length=MAX_CATEGORY_LENGTH,
        most=MAX_MEMBERS,
        success=SUCCESS,
        stopped=STOPPED,
    )
