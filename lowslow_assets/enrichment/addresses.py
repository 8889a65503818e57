"""Which of a campaign's addresses are looked up."""

from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import sql, transform
from lowslow_assets.lake.tables import SUCCESS


@transform(
    schema("incident_id string, ip_address string, rank int, located boolean"),
    members=schema(
        "incident_id string, user string, outcome string, ip_address string, "
        "time_generated timestamp, latitude double"
    ),
)
def informative_addresses(members: Relation, most: int) -> Relation:
    """The most informative addresses of each incident, at most ``most``.

    Addresses of entries come first, then those with many attempts,
    then the recent ones.

    Parameters
    ----------
    members : Relation
        As the table ``incident_members``.
    most : int
        Addresses per incident.

    Returns
    -------
    Relation
        incident_id, ip_address (as logged), rank (from 1) and located: whether the log says where
        it is. In order of rank, then of incident.
    """
    return sql(
        """
        WITH _addresses AS (
            SELECT
                incident_id,
                ip_address,
                count(DISTINCT CASE WHEN outcome = {success} THEN "user" END) AS compromised,
                count(*) FILTER (WHERE outcome <> {success}) AS attempts,
                max(time_generated) AS last,
                bool_or(latitude IS NOT NULL) AS located
            FROM {members}
            -- What is there and cannot be an address, a GUID for one, takes up no place.
            WHERE length(ip_address) BETWEEN 2 AND 45
                AND translate(ip_address, '0123456789ABCDEFabcdef.:', '') = ''
            GROUP BY incident_id, ip_address
        ),
        _ranked AS (
            SELECT
                incident_id,
                ip_address,
                CAST(
                    row_number() OVER (
                        PARTITION BY incident_id
                        ORDER BY
                            compromised DESC NULLS LAST,
                            attempts DESC NULLS LAST,
                            last DESC NULLS LAST,
                            ip_address
                    ) AS INT
                ) AS rank,
                located
            FROM _addresses
        )
        SELECT incident_id, ip_address, rank, located
        FROM _ranked
        WHERE rank <= {most}
        ORDER BY rank, incident_id NULLS FIRST
        """,
        members=members,
        success=SUCCESS,
        most=most,
    )
