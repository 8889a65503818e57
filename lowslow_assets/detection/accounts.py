"""Accounts whose password a campaign knows, although it was stopped. Reset these first."""

from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import sql, transform


@transform(
    schema(
        "incident_id string, user string, probability double, first_stopped timestamp, "
        "result_type string, signins bigint, evidence string"
    ),
    members=schema(
        "incident_id string, signin_id string, user string, outcome string, result_type string, "
        "time_generated timestamp, score double, evidence string"
    ),
)
def known_passwords(members: Relation, most: int) -> Relation:
    """Per incident, at most ``most`` accounts whose right password was given but stopped.

    ``members`` are the ``incident_members``; those with evidence are judged as entries are.
    Accounts that are possibly compromised are left out. The earliest come first; ``result_type`` is
    the code of an account's first stopped sign-in, ``evidence`` is that of its likeliest one.
    """
    return sql(
        """
        WITH _signins AS (
            SELECT
                incident_id,
                "user",
                outcome,
                result_type,
                time_generated,
                signin_id,
                score,
                evidence,
                count(CASE WHEN outcome = 'success' THEN 1 END)
                    OVER (PARTITION BY incident_id, "user") AS successes
            FROM {members}
        ),
        _stopped AS (
            SELECT
                *,
                row_number() OVER (
                    PARTITION BY incident_id, "user"
                    ORDER BY time_generated NULLS LAST, signin_id, result_type NULLS LAST
                ) AS place,
                row_number() OVER (
                    PARTITION BY incident_id, "user"
                    ORDER BY score DESC NULLS LAST, time_generated NULLS LAST, signin_id
                ) AS likeliest
            FROM _signins
            WHERE outcome = 'stopped' AND evidence IS NOT NULL AND successes = 0
        ),
        _accounts AS (
            SELECT
                incident_id,
                "user",
                max(score) AS probability,
                min(time_generated) AS first_stopped,
                max(CASE WHEN place = 1 THEN result_type END) AS result_type,
                count(*) AS signins,
                max(CASE WHEN likeliest = 1 THEN evidence END) AS evidence
            FROM _stopped
            GROUP BY incident_id, "user"
        )
        SELECT incident_id, "user", probability, first_stopped, result_type, signins, evidence
        FROM _accounts
        QUALIFY
            row_number() OVER (
                PARTITION BY incident_id ORDER BY first_stopped NULLS LAST, "user" NULLS LAST
            ) <= {most}
        ORDER BY incident_id NULLS LAST, first_stopped NULLS LAST, "user" NULLS LAST
        """,
        members=members,
        most=most,
    )
