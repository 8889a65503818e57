"""Visits: sources of right passwords that may be a campaign's, and how many honest ones are there.

An attacker who guessed a password comes once, from a source as new as those of the failures, looks
around and does not return. Or something else stops the attacker, who then tries once or twice more.
Or the visit comes from the campaign's own sources, or with its tool.
"""

from lowslow_assets.detection.explanations import RESOLVED_SECONDS
from lowslow_assets.detection.gathering import TOOLS
from lowslow_assets.detection.user_prefixes import user_prefixes
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import extended, schema
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.lake.tables import ENCODED_FEATURES, SUCCESS_SOURCES

LONGEST_VISIT_SECONDS = 24 * 60 * 60
SHARED_BY_ACCOUNTS = 2
"""A prefix from which a campaign tries this many accounts is one of the campaign's own."""

VISITORS = schema(
    "outcome string, user string, network string, ip_prefix string, first_visit timestamp, "
    "seconds bigint"
)
PREFIXES = schema(
    "outcome string, ip_prefix string, cluster_id int, since timestamp, accounts bigint"
)
"""Prefixes from which visits may be a campaign's, and since when (see ``visited_prefixes``)."""
OWN_PREFIXES = schema("cluster_id int, ip_prefix string, accounts bigint, since timestamp")
"""The prefixes from which a campaign tries several accounts: how many, and since when."""
HONEST_SHARES = schema("cluster_id int, share double")
"""For each campaign, which share of visits honest people make from its own prefixes."""


@transform(VISITORS, sources=SUCCESS_SOURCES.dated, signins=ENCODED_FEATURES.dated)
def visitors(sources: Relation, signins: Relation) -> Relation:
    """From where users gave a right password: one row per outcome, prefix and user.

    ``sources`` and ``signins`` are the window's ``success_sources`` and ``encoded_features``. A
    prompt that was answered is not a separate visit.
    """
    return sql(
        """
        SELECT
            'success' AS outcome,
            "user",
            network,
            ip_prefix,
            first_success AS first_visit,
            seconds
        FROM {prefixes}
        WHERE ip_prefix IS NOT NULL
        UNION ALL
        SELECT
            'stopped' AS outcome,
            "user",
            min(network) AS network,
            ip_prefix,
            min(time_generated) AS first_visit,
            max(epoch_seconds(time_generated)) - min(epoch_seconds(time_generated)) AS seconds
        FROM {signins}
        WHERE outcome = 'stopped'
            AND ip_prefix IS NOT NULL
            AND coalesce(seconds_to_success > {resolved}, TRUE)
        GROUP BY ip_prefix, "user"
        """,
        prefixes=user_prefixes(sources),
        signins=signins,
        resolved=RESOLVED_SECONDS,
    )


@transform(schema("outcome string, ip_prefix string, first_visit timestamp"), visitors=VISITORS)
def lone_prefixes(visitors: Relation) -> Relation:
    """Prefixes from which only one user gave a right password.

    All successes of the user from the network lie within a day: an attacker looks around, perhaps
    from several prefixes, and does not return. An attacker who is stopped may come again, even from
    the same network. A user who is stopped at a prefix from which anybody succeeds, or in a network
    from which the user succeeds, does not make a lone visit.
    """
    return sql(
        """
        WITH _counted AS (
            SELECT
                outcome,
                ip_prefix,
                first_visit,
                seconds,
                count(*) OVER (PARTITION BY outcome, ip_prefix) AS visitors,
                count(CASE WHEN outcome = 'success' THEN 1 END) OVER (PARTITION BY ip_prefix)
                    AS friends,
                max(CASE WHEN outcome = 'success' THEN epoch_seconds(first_visit) + seconds END)
                    OVER (PARTITION BY "user", network)
                - min(CASE WHEN outcome = 'success' THEN epoch_seconds(first_visit) END)
                    OVER (PARTITION BY "user", network) AS seconds_in_network
            FROM {visitors}
        )
        SELECT outcome, ip_prefix, first_visit
        FROM _counted
        WHERE visitors = 1
            AND friends = CASE WHEN outcome = 'success' THEN 1 ELSE 0 END
            AND seconds <= {longest}
            AND CASE WHEN outcome = 'success' THEN seconds_in_network <= {longest}
                ELSE seconds_in_network IS NULL END
        """,
        visitors=visitors,
        longest=LONGEST_VISIT_SECONDS,
    )


@transform(
    OWN_PREFIXES,
    members=schema("cluster_id int, user string, ip_prefix string, time_generated timestamp"),
)
def own_prefixes(members: Relation) -> Relation:
    """The prefixes from which a campaign tries several accounts; ``members`` are its attempts.

    ``since`` is a day before it tries the second account from there: it may guess right first, and
    a single attempt may be a stray that looks like the campaign.
    """
    return sql(
        """
        WITH _accounts AS (
            SELECT cluster_id, ip_prefix, "user", min(time_generated) AS first_try
            FROM {members}
            WHERE ip_prefix IS NOT NULL
            GROUP BY cluster_id, ip_prefix, "user"
        ),
        _ordered AS (
            SELECT
                cluster_id,
                ip_prefix,
                first_try,
                count(*) OVER (PARTITION BY cluster_id, ip_prefix) AS accounts,
                row_number() OVER (
                    PARTITION BY cluster_id, ip_prefix
                    ORDER BY first_try NULLS LAST, "user" NULLS LAST
                ) AS place
            FROM _accounts
        )
        SELECT cluster_id, ip_prefix, accounts, first_try - INTERVAL '1' DAY AS since
        FROM _ordered
        WHERE place = {several}
        """,
        members=members,
        several=SHARED_BY_ACCOUNTS,
    )


@transform(
    PREFIXES,
    visitors=VISITORS,
    own=OWN_PREFIXES,
    clusters=schema("cluster_id int, first_activity timestamp, last_activity timestamp"),
)
def visited_prefixes(visitors: Relation, own: Relation, clusters: Relation) -> Relation:
    """Prefixes from which visits may be a campaign's: one row per outcome, prefix and campaign.

    These are lone prefixes visited during the campaign, and prefixes that the campaign itself uses
    for several accounts, if no more accounts succeed from there than the campaign tries. From the
    latter, visits may be the campaign's since the time that ``own`` says. A prefix of both kinds
    counts since the earlier time. ``accounts`` are those that the campaign tries from a prefix of
    its own, else null.

    ``own`` are rows of ``own_prefixes``, ``clusters`` are rows of ``cluster_statistics``.
    """
    return sql(
        """
        WITH _visits AS (
            SELECT
                _own.cluster_id,
                _own.accounts,
                _own.since,
                visitors.outcome,
                visitors.ip_prefix,
                count(CASE WHEN visitors.outcome = 'success' THEN 1 END)
                    OVER (PARTITION BY _own.cluster_id, visitors.ip_prefix) AS friends
            FROM {own} AS _own
            JOIN {visitors} AS visitors ON visitors.ip_prefix = _own.ip_prefix
        ),
        _found AS (
            SELECT
                _lone.outcome,
                _lone.ip_prefix,
                _campaigns.cluster_id,
                _campaigns.first_activity AS since,
                CAST(NULL AS BIGINT) AS accounts
            FROM {lone} AS _lone
            CROSS JOIN {clusters} AS _campaigns
            WHERE _lone.first_visit >= _campaigns.first_activity
                AND _lone.first_visit <= _campaigns.last_activity + INTERVAL '1' DAY
            UNION ALL
            SELECT outcome, ip_prefix, cluster_id, since, accounts
            FROM _visits
            WHERE friends <= accounts
        )
        SELECT outcome, ip_prefix, cluster_id, min(since) AS since, max(accounts) AS accounts
        FROM _found
        GROUP BY outcome, ip_prefix, cluster_id
        """,
        lone=lone_prefixes(visitors),
        visitors=visitors,
        own=own,
        clusters=clusters,
    )


@transform(HONEST_SHARES, visitors=VISITORS, prefixes=PREFIXES, own=OWN_PREFIXES)
def honest_shares(visitors: Relation, prefixes: Relation, own: Relation) -> Relation:
    """Which share of honest visits comes from a campaign's own prefixes: one row per campaign.

    Two kinds of users of these prefixes are certainly honest: those who came before the campaign,
    because people use the same VPN as the attacker, for example; and those who come for more days
    than the campaign tries accounts there, because a proxy is in the neighbourhood of their homes.
    The share is the larger one of two: of those who came before, for a visit at most, among all
    users of ``prefixes``; and of both kinds among all pairs of a user and a prefix. Only successes
    count.
    """
    return sql(
        """
        WITH _pairs AS (
            SELECT count(*) AS pairs FROM {visitors} WHERE outcome = 'success'
        ),
        _own AS (
            SELECT
                _own.cluster_id,
                count(
                    CASE
                        WHEN _visitors.first_visit < _own.since
                            OR _visitors.seconds > _own.accounts * {day}
                        THEN 1
                    END
                ) AS honest
            FROM {own} AS _own
            JOIN {visitors} AS _visitors ON _visitors.ip_prefix = _own.ip_prefix
            WHERE _visitors.outcome = 'success'
            GROUP BY _own.cluster_id
        ),
        _visits AS (
            SELECT
                _prefixes.cluster_id,
                count(CASE WHEN _visitors.first_visit < _prefixes.since THEN 1 END) AS honest,
                count(*) AS visits
            FROM {prefixes} AS _prefixes
            JOIN {visitors} AS _visitors
                ON _visitors.outcome = _prefixes.outcome
                AND _visitors.ip_prefix = _prefixes.ip_prefix
            WHERE _prefixes.outcome = 'success' AND _visitors.seconds <= {longest}
            GROUP BY _prefixes.cluster_id
        )
        SELECT
            _visits.cluster_id,
            -- With one more, the share is never 1: else a visit from elsewhere would be an entry
            -- for certain.
            greatest(
                CAST(_visits.honest AS DOUBLE) / (_visits.visits + 1),
                CAST(coalesce(_own.honest, 0) AS DOUBLE) / (_pairs.pairs + 1)
            ) AS share
        FROM _visits
        CROSS JOIN _pairs
        LEFT JOIN _own ON _own.cluster_id = _visits.cluster_id
        """,
        visitors=visitors,
        prefixes=prefixes,
        own=own,
        longest=LONGEST_VISIT_SECONDS,
        day=24 * 60 * 60,
    )


@transform(
    extended(ENCODED_FEATURES.dated, "cluster_id int"),
    signins=ENCODED_FEATURES.dated,
    prefixes=PREFIXES,
    visitors=VISITORS,
    tools=TOOLS,
)
def lone_visits(
    signins: Relation, prefixes: Relation, visitors: Relation, tools: Relation
) -> Relation:
    """The sign-ins from ``visited_prefixes``, and those with a campaign's tool.

    One row per campaign. Users who gave a right password at the prefix before the campaign came,
    stopped or not, are left out, and so are those who come there for more days than the campaign
    tries accounts from there: they are at home. Sign-ins with the tool are left out if they are of
    users who succeeded with it before.
    """
    return sql(
        """
        WITH _came AS (
            SELECT ip_prefix, "user", min(first_visit) AS first_visit, max(seconds) AS seconds
            FROM {visitors}
            GROUP BY ip_prefix, "user"
        ),
        _visits AS (
            SELECT
                {of_signins},
                _came.first_visit,
                _came.seconds
            FROM {signins} AS _signins
            JOIN _came
                ON _came.ip_prefix = _signins.ip_prefix AND _came."user" = _signins."user"
            WHERE coalesce(_signins.seconds_to_success > {resolved}, TRUE)
        ),
        _known_tools AS (
            SELECT DISTINCT _signins."user", _tools.cluster_id
            FROM {signins} AS _signins
            JOIN {tools} AS _tools
                ON _tools.browser = _signins.browser
                AND _tools.operatingSystem = _signins.operatingSystem
                AND _tools.agent = _signins.agent
                AND coalesce(_tools.application = _signins.AppDisplayName, TRUE)
                AND _signins.time_generated < _tools.first_activity - INTERVAL '1' DAY
            WHERE _signins.outcome = 'success'
        )
        SELECT {of_visits}, _prefixes.cluster_id
        FROM _visits
        JOIN {prefixes} AS _prefixes
            ON _visits.ip_prefix = _prefixes.ip_prefix AND _visits.outcome = _prefixes.outcome
        WHERE _visits.first_visit >= _prefixes.since
            AND coalesce(_visits.seconds <= _prefixes.accounts * {day}, TRUE)
        UNION
        SELECT {of_visits}, _tools.cluster_id
        FROM _visits
        JOIN {tools} AS _tools
            ON _visits.outcome IN ('success', 'stopped')
            AND _tools.browser = _visits.browser
            AND _tools.operatingSystem = _visits.operatingSystem
            AND _tools.agent = _visits.agent
            AND coalesce(_tools.application = _visits.AppDisplayName, TRUE)
        LEFT JOIN _known_tools
            ON _known_tools."user" = _visits."user"
            AND _known_tools.cluster_id = _tools.cluster_id
        WHERE _visits.first_visit >= _tools.first_activity - INTERVAL '1' DAY
            AND _visits.time_generated <= _tools.last_activity + INTERVAL '1' DAY
            AND _known_tools."user" IS NULL
        """,
        signins=signins,
        of_signins=Columns(ENCODED_FEATURES.dated, "_signins"),
        of_visits=Columns(ENCODED_FEATURES.dated, "_visits"),
        prefixes=prefixes,
        visitors=visitors,
        tools=tools,
        day=24 * 60 * 60,
        resolved=RESOLVED_SECONDS,
    )
