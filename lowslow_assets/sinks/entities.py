"""The accounts and addresses of incidents, at most as many as an update holds."""

from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import sql, transform
from lowslow_assets.lake.tables import SUCCESS
from lowslow_assets.sinks.updates import MAX_ENTITIES

Entities = dict[str, list[str]]
"""By incident, the values with most attempts first."""


def most_attempts(members: Relation) -> tuple[Entities, Entities]:
    """The accounts, and the addresses, with most attempts of each incident.

    At most ``MAX_ENTITIES`` of each; ``members`` as in the table ``incident_members``.
    """
    accounts: Entities = {}
    addresses: Entities = {}
    found = {"user": accounts, "ip_address": addresses}
    for row in rank_entities(members).rows():
        found[row["kind"]].setdefault(row["incident_id"], []).append(row["value"])
    return accounts, addresses


@transform(
    schema("incident_id string, kind string, value string"),
    members=schema("incident_id string, outcome string, user string, ip_address string"),
)
def rank_entities(members: Relation) -> Relation:
    """The values of ``user`` and ``ip_address`` with most attempts, in order within an incident.

    ``kind`` is the name of the column.
    """
    return sql(
        """
        WITH _attempts AS (
            SELECT incident_id, kind, value, count(*) AS attempts
            FROM {members} UNPIVOT (value FOR kind IN ("user", ip_address))
            WHERE outcome <> {success}
            GROUP BY incident_id, kind, value
        ),
        _ranked AS (
            SELECT
                *,
                row_number() OVER (
                    PARTITION BY incident_id, kind ORDER BY attempts DESC NULLS LAST, value
                ) AS place
            FROM _attempts
        )
        SELECT incident_id, kind, value
        FROM _ranked
        WHERE place <= {most}
        ORDER BY incident_id NULLS FIRST, kind, place
        """,
        members=members,
        success=SUCCESS,
        most=MAX_ENTITIES,
    )
