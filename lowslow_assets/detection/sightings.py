"""What other hunts recognise today's clusters by, from ``cluster_members``.

The calendars and the samples are one query each. Python receives no more rows than there are days,
and than the samples hold.
"""

from dataclasses import dataclass
from datetime import date

from lowslow_assets.detection.identity import SAMPLE_SIZE
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import sql, transform

_MEMBERS = schema("cluster_id int, signin_id string, time_generated timestamp")


@dataclass(frozen=True)
class Calendar:
    """A cluster's attempts by day, in order, and the id of its earliest sign-in."""

    attempts_by_day: dict[date, int]
    earliest_signin: str


def calendars(members: Relation) -> dict[int, Calendar]:
    """The calendar of each cluster."""
    rows = count_days(members).rows()
    found: dict[int, Calendar] = {}
    for row in sorted(rows, key=lambda row: (row["cluster_id"], row["day"])):
        calendar = found.setdefault(row["cluster_id"], Calendar({}, row["earliest_signin"]))
        calendar.attempts_by_day[row["day"]] = row["attempts"]
    return found


def samples(members: Relation) -> dict[int, dict[int, date]]:
    """Per cluster, the members with the smallest hashes of their ids, as hash to day."""
    rows = draw_members(members).rows()
    found: dict[int, dict[int, date]] = {}
    for row in sorted(rows, key=lambda row: (row["cluster_id"], row["hash"])):
        found.setdefault(row["cluster_id"], {})[row["hash"]] = row["day"]
    return found


@transform(
    schema("cluster_id int, day date, attempts bigint, earliest_signin string"), members=_MEMBERS
)
def count_days(members: Relation) -> Relation:
    """Each cluster's attempts by day, with the id of the day's earliest."""
    return sql(
        """
        WITH _placed AS (
            SELECT
                cluster_id,
                CAST(time_generated AS DATE) AS day,
                signin_id,
                row_number() OVER (
                    PARTITION BY cluster_id, CAST(time_generated AS DATE)
                    ORDER BY time_generated NULLS FIRST, signin_id NULLS FIRST
                ) AS place
            FROM {members}
        )
        SELECT
            cluster_id,
            day,
            count(*) AS attempts,
            max(signin_id) FILTER (WHERE place = 1) AS earliest_signin
        FROM _placed
        GROUP BY cluster_id, day
        """,
        members=members,
    )


@transform(schema("cluster_id int, hash bigint, day date"), members=_MEMBERS)
def draw_members(members: Relation) -> Relation:
    """Per cluster, the few members with the smallest hashes of their ids.

    An id that occurs twice is one member; otherwise a sample that lacks one would pass as complete.
    """
    return sql(
        """
        WITH _hashed AS (
            SELECT
                cluster_id,
                text_hash(signin_id) AS hash,
                min(CAST(time_generated AS DATE)) AS day
            FROM {members}
            GROUP BY cluster_id, text_hash(signin_id)
        )
        SELECT cluster_id, hash, day
        FROM _hashed
        QUALIFY
            row_number() OVER (PARTITION BY cluster_id ORDER BY hash NULLS FIRST) <= {size}
        """,
        members=members,
        size=SAMPLE_SIZE,
    )
