"""From which prefixes each user succeeds in a window: what several stages of a hunt ask."""

from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import sql, transform
from lowslow_assets.lake.tables import SUCCESS_SOURCES

USER_PREFIXES = schema(
    "user string, ip_prefix string, network string, Location string, state string, city string, "
    "operatingSystem string, last_system string, days bigint, first_success timestamp, "
    "seconds bigint"
)
"""One row per user and prefix, which may be null; ``days`` are those with a success from there.

``operatingSystem`` and ``last_system`` are the first and the last of the systems by name: few have
more than two. ``seconds`` are from the first success to the last one.
"""


def user_prefixes(sources: Relation) -> Relation:
    """The rows of USER_PREFIXES from a window's ``success_sources``; held.

    A hunt computes them once, because the same sources make the same relation.
    """
    return sum_by_prefix(sources).held()


@transform(USER_PREFIXES, sources=SUCCESS_SOURCES.dated)
def sum_by_prefix(sources: Relation) -> Relation:
    """A window's ``success_sources`` by user and prefix."""
    return sql(
        """
        SELECT
            "user",
            ip_prefix,
            min(network) AS network,
            min(Location) AS Location,
            min(state) AS state,
            min(city) AS city,
            min(operatingSystem) AS operatingSystem,
            max(operatingSystem) AS last_system,
            count(DISTINCT date) AS days,
            min(first_success) AS first_success,
            max(epoch_seconds(first_success) + seconds) - min(epoch_seconds(first_success))
                AS seconds
        FROM {sources}
        GROUP BY "user", ip_prefix
        """,
        sources=sources,
    )
