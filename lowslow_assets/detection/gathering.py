"""What else is a campaign's: attempts from its own sources, and attempts with its tool.

A part of a campaign looks harmless by itself: the proxy is in the city of the account's owner, or
people use the same VPN. Such attempts are explained and are no suspects, or they are suspects of
another pattern. What a campaign repeats shows whose they are.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from lowslow_assets.detection.explanations import MAX_FAILURES_AN_ADDRESS
from lowslow_assets.detection.members import ACCOUNTS_OF_PREFIX, Suspects, shares_prefix
from lowslow_assets.detection.patterns import property_bits
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import extended, schema
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.lake.tables import (
    CATEGORY_COUNTS,
    CLUSTER_MEMBERS,
    NODATA,
    OPEN_FAILURES,
    SUCCESS_SOURCES,
)

LEAST_SHARE = 0.5
"""Two clusters are one campaign if at least this share of the one bears the marks of the other.

An application is a campaign's own if it makes at least this share of the failures there.
"""
ATTEMPTS_A_SUCCESS = 5
"""A tool is a campaign's own if, for each success with it, so many attempts are made with it."""


@dataclass(frozen=True)
class Marks:
    """What a campaign repeats that the tenant's people do not.

    prefixes: address prefixes from which it tries several accounts. tool: the tool of most
    attempts, if it is anomalous.
    """

    prefixes: frozenset[str]
    tool: str | None

    def on(self, attempts: Suspects) -> np.ndarray:
        """Which attempts bear one of the marks, shape (n,)."""
        from_there = np.array([prefix in self.prefixes for prefix in attempts.ip_prefix], bool)
        return from_there | (attempts.tool == self.tool)


def marks_of(members: Suspects) -> Marks:
    """The marks of a campaign."""
    prefixes = frozenset(members.ip_prefix[shares_prefix(members)].tolist())
    tools = Counter(members.tool[members.odd_tool].tolist())
    own = [tool for tool, number in tools.items() if 2 * number > len(members)]
    return Marks(prefixes, own[0] if own else None)


TOOLS = schema(
    "cluster_id int, browser string, operatingSystem string, agent string, application string, "
    "is_device boolean, first_activity timestamp, last_activity timestamp"
)
"""``application`` is null unless nothing else is known; a device is a browser or a system."""
GATHERED = extended(OPEN_FAILURES.dated, "cluster_id int")


@transform(
    TOOLS,
    members=schema(
        "cluster_id int, time_generated timestamp, AppDisplayName string, browser string, "
        "operatingSystem string, agent string, mask int"
    ),
    counts=CATEGORY_COUNTS.schema,
)
def tools_of_campaigns(members: Relation, counts: Relation) -> Relation:
    """The tool that is a campaign's own, mostly a browser and system: at most one row per campaign.

    Most of the attempts show them, they are anomalous in the tenant, and the browser succeeds
    seldom in comparison: a new version that reaches everybody is no mark. If neither is known, as
    with password grants, the same is asked of the user agent's product, or else of the application,
    and at least LEAST_SHARE of its failures are the campaign's. ``counts`` are the window's.
    """
    return sql(
        """
        WITH _sizes AS (
            SELECT
                cluster_id,
                count(*) AS attempts,
                min(time_generated) AS first_activity,
                max(time_generated) AS last_activity
            FROM {members}
            GROUP BY cluster_id
        ),
        _tools AS (
            SELECT
                cluster_id,
                browser,
                operatingSystem,
                agent,
                CASE
                    WHEN browser <> {nodata} OR operatingSystem <> {nodata} OR agent <> {nodata}
                        THEN NULL
                    ELSE AppDisplayName
                END AS application,
                browser <> {nodata} OR operatingSystem <> {nodata} AS is_device,
                mask
            FROM {members}
        )
        SELECT
            _tools.cluster_id,
            _tools.browser,
            _tools.operatingSystem,
            _tools.agent,
            _tools.application,
            _tools.is_device,
            min(_sizes.first_activity) AS first_activity,
            max(_sizes.last_activity) AS last_activity
        FROM _tools
        JOIN _sizes ON _sizes.cluster_id = _tools.cluster_id
        LEFT JOIN {counts} AS counts
            ON counts.feature = CASE
                WHEN _tools.is_device THEN 'browser'
                WHEN _tools.application IS NULL THEN 'agent'
                ELSE 'AppDisplayName'
            END
            AND counts.category = CASE
                WHEN _tools.is_device THEN _tools.browser
                ELSE coalesce(_tools.application, _tools.agent)
            END
        WHERE CASE
            WHEN _tools.application IS NULL THEN (_tools.mask & {device}) <> 0
            ELSE (_tools.mask & {of_application}) <> 0 AND _tools.application <> {nodata}
        END
        GROUP BY
            _tools.cluster_id,
            _tools.browser,
            _tools.operatingSystem,
            _tools.agent,
            _tools.application,
            _tools.is_device
        HAVING count(*) * 2 > min(_sizes.attempts)
            AND coalesce(min(counts.successes), 0) * {attempts_a_success} <= count(*)
            AND (
                _tools.is_device
                OR coalesce(min(counts.failures), 0) * {share_of_failures} <= count(*)
            )
        """,
        members=members,
        counts=counts,
        device=property_bits("device"),
        of_application=property_bits("application"),
        nodata=NODATA,
        attempts_a_success=ATTEMPTS_A_SUCCESS,
        share_of_failures=LEAST_SHARE,
    )


@transform(
    GATHERED,
    failures=OPEN_FAILURES.dated,
    members=CLUSTER_MEMBERS.schema,
    tools=TOOLS,
    successes=SUCCESS_SOURCES.dated,
)
def gather(failures: Relation, members: Relation, tools: Relation, successes: Relation) -> Relation:
    """A window's ``open_failures`` that bear a campaign's mark, each once, with its cluster.

    They show its tool, or come from a prefix from which it tries several accounts. The latter lie
    between a day before its first member and a day after its last one, because people may use the
    same prefix at other times. A product or an application alone does not distinguish a campaign
    from a service or a burst, so attempts with such a tool come from prefixes of few attempts. They
    are no members yet. Of several campaigns, one of that time gets an attempt, else the one with
    the smallest number. One from a prefix from which its account succeeds is not gathered.
    """
    return sql(
        """
        WITH _campaigns AS (
            SELECT
                cluster_id,
                min(time_generated) - INTERVAL '1' DAY AS begins,
                max(time_generated) + INTERVAL '1' DAY AS ends
            FROM {members}
            GROUP BY cluster_id
        ),
        _sources AS (
            SELECT cluster_id, ip_prefix
            FROM {members}
            WHERE ip_prefix IS NOT NULL
            GROUP BY cluster_id, ip_prefix
            HAVING count(DISTINCT "user") >= {several}
        ),
        _much_used AS (
            SELECT ip_prefix
            FROM {failures}
            GROUP BY ip_prefix
            HAVING count(DISTINCT signin_id) > {most}
        ),
        _marked AS (
            SELECT {of_failures}, _sources.cluster_id, FALSE AS with_tool
            FROM {failures} AS failures
            JOIN _sources ON _sources.ip_prefix = failures.ip_prefix
            UNION ALL
            SELECT {of_failures}, tools.cluster_id, TRUE AS with_tool
            FROM {failures} AS failures
            JOIN {tools} AS tools
                ON tools.browser = failures.browser
                AND tools.operatingSystem = failures.operatingSystem
                AND tools.agent = failures.agent
                AND coalesce(tools.application = failures.AppDisplayName, TRUE)
            LEFT JOIN _much_used ON _much_used.ip_prefix = failures.ip_prefix
            WHERE tools.is_device OR _much_used.ip_prefix IS NULL
        ),
        _timed AS (
            SELECT
                _marked.*,
                _marked.time_generated BETWEEN _campaigns.begins AND _campaigns.ends AS in_time
            FROM _marked
            JOIN _campaigns ON _campaigns.cluster_id = _marked.cluster_id
        )
        SELECT {of_timed}, _timed.cluster_id
        FROM _timed
        WHERE (_timed.with_tool OR _timed.in_time)
            AND NOT EXISTS (
                SELECT 1 FROM {members} AS members WHERE members.signin_id = _timed.signin_id
            )
            AND NOT EXISTS (
                SELECT 1
                FROM {successes} AS successes
                WHERE successes."user" = _timed."user"
                    AND successes.ip_prefix = _timed.ip_prefix
            )
        QUALIFY row_number() OVER (
            PARTITION BY _timed.signin_id
            ORDER BY
                _timed.date,
                CASE WHEN _timed.in_time THEN 0 ELSE 1 END,
                _timed.cluster_id
        ) = 1
        """,
        failures=failures,
        of_failures=Columns(OPEN_FAILURES.dated, "failures"),
        of_timed=Columns(OPEN_FAILURES.dated, "_timed"),
        members=members,
        tools=tools,
        successes=successes,
        several=ACCOUNTS_OF_PREFIX,
        most=MAX_FAILURES_AN_ADDRESS,
    )


@transform(
    CLUSTER_MEMBERS.schema,
    members=CLUSTER_MEMBERS.schema,
    gathered=GATHERED,
    masks=schema("date date, signin_id string, mask int"),
)
def with_gathered(members: Relation, gathered: Relation, masks: Relation, least: float) -> Relation:
    """Rows of ``cluster_members``: the members, and what is gathered with probability ``least``."""
    return sql(
        """
        WITH _masked AS (
            SELECT {of_gathered}, masks.mask, {least} AS assignment_probability
            FROM {gathered} AS gathered
            JOIN {masks} AS masks
                ON masks.date = gathered.date AND masks.signin_id = gathered.signin_id
        )
        SELECT {columns} FROM {members}
        UNION ALL
        SELECT {columns} FROM _masked
        """,
        columns=Columns(CLUSTER_MEMBERS.schema),
        of_gathered=Columns(GATHERED, "gathered"),
        members=members,
        gathered=gathered,
        masks=masks,
        least=least,
    )
