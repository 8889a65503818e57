"""Entries: sign-ins with a right password that may belong to a campaign.

An attacker who guessed a password comes once, from a source as new as those of the failures, looks
around and does not return. Or something else stops the attacker, who then tries once or twice more.
Some honest people do the same: travellers, users of a VPN. Such lone visits are few. Each is
compared with the campaign's failures and with the other lone visits of its outcome, by what was new
to the user and what was unusual in the tenant.
"""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from lowslow_assets.detection.explanations import RESOLVED_SECONDS
from lowslow_assets.detection.gathering import TOOLS
from lowslow_assets.detection.patterns import property_bits
from lowslow_assets.detection.user_prefixes import user_prefixes
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import extended, schema
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.lake.tables import (
    ENCODED_FEATURES,
    INCIDENT_MEMBERS,
    NODATA,
    SUCCESS_SOURCES,
)

LONGEST_VISIT_SECONDS = 24 * 60 * 60
MIN_ENTRY_PROBABILITY = 0.5
SHARED_BY_ACCOUNTS = 2
"""A prefix from which a campaign tries this many accounts is one of the campaign's own."""
HONEST_FROM_SOURCE, HONEST_FROM_USUAL_NETWORK = 1e-5, 0.03
"""The least share of honest visits that come from a campaign's own prefixes.

The second is that of visits from networks that are usual in the tenant: an attacker's proxies may
be at the providers of its people. The log may show more (see ``honest_shares``).
"""
HONEST_WITH_TOOL = 0.01
"""The share of honest visits with a campaign's own tool, which the tenant hardly has."""
KEPT_TOOL = 0.5
"""The share of entries with the campaign's own tool: who got in often looks around with another."""
_ROUNDS = 10
# What is learned from the visits gains some evidence by chance. On 120 generated tenants, 10 would
# have named the same accounts.
_DECISIVE_EVIDENCE = 30.0

TRAITS = {
    "application": 3,
    "client": 3,
    "device": 3,
    "place": 3,
    "network": 2,
    "tool": 2,
    "tried": 2,
    "source": 2,
    "history": 2,
}
"""The number of levels of each trait (see ``with_traits``)."""
FACTORS = (
    ("application", "client"),
    ("device",),
    ("place", "network"),
    ("tried",),
)
"""Traits that occur together: a traveller is in a new place and in a new network.

They are compared among accounts with a history, and among accounts without: to the latter, all is
new.
"""
TRAIT_COLUMNS = [f"trait_{name}" for name in TRAITS]
_LEVELS = ", ".join(f"{column} int" for column in TRAIT_COLUMNS)

JUDGED = schema(
    "cluster_id int, outcome string, date date, signin_id string, time_generated timestamp, "
    "user string, ip_prefix string, AppDisplayName string, ClientAppUsed string, browser string, "
    "operatingSystem string, agent string, city string, network string, displayName string, "
    "mask int"
)
"""Attempts of campaigns, and lone visits that may belong to a campaign: one row per campaign.

``outcome`` is failure for an attempt, success or stopped for a visit.

The ``date`` of an attempt is null.
"""
_NEWS = extended(
    JUDGED,
    "new_application boolean, new_client boolean, new_device boolean, new_place boolean, "
    "new_network boolean, new_name boolean, has_history boolean",
)
TRAITED = schema(
    "cluster_id int, outcome string, date date, signin_id string, user string, ip_prefix string, "
    + _LEVELS
)
PROBABILITIES = schema(f"cluster_id int, outcome string, {_LEVELS}, probability double")
ACCOUNTS = schema(
    "incident_id string, user string, probability double, first_success timestamp, "
    "exported date, successes bigint, evidence string"
)
SCORED = schema("cluster_id int, date date, signin_id string, score double, evidence string")


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


@transform(
    _NEWS,
    judged=JUDGED,
    signins=schema(
        "outcome string, time_generated timestamp, user string, ip_prefix string, "
        "AppDisplayName string, ClientAppUsed string, operatingSystem string, agent string, "
        "city string, network string, displayName string"
    ),
    own=OWN_PREFIXES,
)
def with_news(judged: Relation, signins: Relation, own: Relation) -> Relation:
    """Add ``new_<property>``: whether no other success of the user shows the same value.

    ``has_history`` says whether there is another success of the user at all.

    ``signins`` are the window's, and ``own`` are rows of ``own_prefixes``. Three kinds of success
    do not make a value known: the visit itself, another visit of the same user, and a success from
    a campaign's own prefix since it uses that, because an attacker who succeeded comes again. A
    device is new if its operating system is, because versions of a browser are always new.
    """
    return sql(
        """
        WITH _numbered AS (
            SELECT
                *,
                dense_rank() OVER (
                    ORDER BY
                        "user" NULLS FIRST,
                        ip_prefix NULLS FIRST,
                        AppDisplayName NULLS FIRST,
                        ClientAppUsed NULLS FIRST,
                        operatingSystem NULLS FIRST,
                        agent NULLS FIRST,
                        city NULLS FIRST,
                        network NULLS FIRST,
                        displayName NULLS FIRST
                ) AS kind
            FROM {judged}
        ),
        _kinds AS (
            SELECT DISTINCT
                "user",
                kind,
                ip_prefix,
                AppDisplayName,
                ClientAppUsed,
                operatingSystem,
                agent,
                city,
                network,
                displayName
            FROM _numbered
        ),
        _seen AS (
            SELECT *
            FROM {signins} AS signins
            WHERE outcome = 'success'
                AND NOT EXISTS (
                    SELECT 1
                    FROM {own} AS own
                    WHERE own.ip_prefix = signins.ip_prefix
                        AND own.since <= signins.time_generated
                )
                AND NOT EXISTS (
                    SELECT 1
                    FROM {judged} AS judged
                    WHERE judged.outcome = 'success'
                        AND judged."user" = signins."user"
                        AND judged.ip_prefix = signins.ip_prefix
                )
        ),
        _known AS (
            SELECT
                _kinds.kind,
                bool_or(_seen.AppDisplayName = _kinds.AppDisplayName) AS known_application,
                bool_or(_seen.ClientAppUsed = _kinds.ClientAppUsed) AS known_client,
                bool_or(
                    _seen.operatingSystem = _kinds.operatingSystem AND _seen.agent = _kinds.agent
                ) AS known_device,
                bool_or(_seen.city = _kinds.city) AS known_place,
                bool_or(_seen.network = _kinds.network) AS known_network,
                bool_or(_seen.displayName = _kinds.displayName) AS known_name
            FROM _seen
            JOIN _kinds ON _seen."user" = _kinds."user"
            -- A sign-in without a prefix counts as one from another prefix than any visit's.
            WHERE coalesce(_seen.ip_prefix, '') <> _kinds.ip_prefix
            GROUP BY _kinds.kind
        )
        SELECT
            _judged.cluster_id,
            _judged.outcome,
            _judged.date,
            _judged.signin_id,
            _judged.time_generated,
            _judged."user",
            _judged.ip_prefix,
            _judged.AppDisplayName,
            _judged.ClientAppUsed,
            _judged.browser,
            _judged.operatingSystem,
            _judged.agent,
            _judged.city,
            _judged.network,
            _judged.displayName,
            _judged.mask,
            NOT coalesce(_known.known_application, FALSE) AS new_application,
            NOT coalesce(_known.known_client, FALSE) AS new_client,
            NOT coalesce(_known.known_device, FALSE) AS new_device,
            NOT coalesce(_known.known_place, FALSE) AS new_place,
            NOT coalesce(_known.known_network, FALSE) AS new_network,
            NOT coalesce(_known.known_name, FALSE) AS new_name,
            _known.kind IS NOT NULL AS has_history
        FROM _numbered AS _judged
        LEFT JOIN _known ON _known.kind = _judged.kind
        """,
        judged=judged,
        signins=signins,
        own=own,
    )


@transform(TRAITED, judged=_NEWS, tools=TOOLS, own=OWN_PREFIXES)
def with_traits(judged: Relation, tools: Relation, own: Relation) -> Relation:
    """Add the level of each of TRAITS, from ``new_*``, ``mask`` and what else the campaign tried.

    application, client, device, place: 0 known to the user, 1 new, 2 new and anomalous in the
    tenant. network: 1 if anomalous. tool: 1 with the campaign's tool. tried: 1 if the campaign
    tried the account before. source: 1 if the campaign tried several other accounts from the
    prefix. history: 1 if the user has one. Visits on a device whose name is known to be the user's
    are left out: only a registered device has a name, and the attacker has none of the user's.
    Visits from a network that is known to be the user's are left out, but for those with the tool,
    unless this is an application: others use it, too.
    """
    return sql(
        """
        WITH _attempts AS (
            SELECT DISTINCT cluster_id, signin_id FROM {judged} WHERE outcome = 'failure'
        ),
        _tried AS (
            SELECT
                _judged.cluster_id,
                outcome,
                date,
                _judged.signin_id,
                "user",
                _judged.ip_prefix,
                displayName,
                mask,
                new_application,
                new_client,
                new_device,
                new_place,
                new_network,
                new_name,
                has_history,
                coalesce(
                    min(CASE WHEN outcome = 'failure' THEN time_generated END)
                        OVER (PARTITION BY _judged.cluster_id, "user") < time_generated,
                    FALSE
                ) AS tried,
                _tools.cluster_id IS NOT NULL AS with_tool,
                coalesce(_tools.is_device, FALSE) AS with_device,
                coalesce(_own.accounts, 0)
                    - CASE WHEN _attempts.signin_id IS NULL THEN 0 ELSE 1 END
                    >= {several} AS from_source
            FROM {judged} AS _judged
            LEFT JOIN _attempts
                ON _attempts.cluster_id = _judged.cluster_id
                AND _attempts.signin_id = _judged.signin_id
            LEFT JOIN {own} AS _own
                ON _own.cluster_id = _judged.cluster_id AND _own.ip_prefix = _judged.ip_prefix
            LEFT JOIN {tools} AS _tools
                ON _tools.cluster_id = _judged.cluster_id
                AND _tools.browser = _judged.browser
                AND _tools.operatingSystem = _judged.operatingSystem
                AND _tools.agent = _judged.agent
                AND coalesce(_tools.application = _judged.AppDisplayName, TRUE)
        )
        SELECT
            cluster_id,
            outcome,
            date,
            signin_id,
            "user",
            ip_prefix,
            CASE WHEN NOT new_application THEN 0 WHEN (mask & {application}) <> 0 THEN 2 ELSE 1 END
                AS trait_application,
            CASE WHEN NOT new_client THEN 0 WHEN (mask & {client}) <> 0 THEN 2 ELSE 1 END
                AS trait_client,
            CASE WHEN NOT new_device THEN 0 WHEN (mask & {device}) <> 0 THEN 2 ELSE 1 END
                AS trait_device,
            CASE WHEN NOT new_place THEN 0 WHEN (mask & {place}) <> 0 THEN 2 ELSE 1 END
                AS trait_place,
            CASE WHEN (mask & {network}) <> 0 THEN 1 ELSE 0 END AS trait_network,
            CASE WHEN with_tool THEN 1 ELSE 0 END AS trait_tool,
            CASE WHEN tried THEN 1 ELSE 0 END AS trait_tried,
            CASE WHEN from_source THEN 1 ELSE 0 END AS trait_source,
            CASE WHEN has_history THEN 1 ELSE 0 END AS trait_history
        FROM _tried
        WHERE outcome = 'failure'
            OR ((new_network OR with_device) AND (new_name OR displayName = {nodata}))
        """,
        judged=judged,
        tools=tools,
        own=own,
        application=property_bits("application"),
        client=property_bits("client"),
        device=property_bits("device"),
        place=property_bits("place"),
        network=property_bits("network"),
        nodata=NODATA,
        several=SHARED_BY_ACCOUNTS,
    )


@transform(schema(f"cluster_id int, outcome string, {_LEVELS}, number bigint"), traited=TRAITED)
def count_traits(traited: Relation) -> Relation:
    """How many attempts and visits of each cluster have each combination of traits.

    A visit consists of all sign-ins of one user from one prefix. It counts once for each
    combination of traits that its sign-ins show: their number says nothing about whose visit it is.
    A few hundred rows.
    """
    return sql(
        """
        WITH _distinct AS (
            SELECT DISTINCT
                cluster_id,
                outcome,
                {traits},
                "user",
                ip_prefix,
                CASE WHEN outcome = 'failure' THEN signin_id END AS attempt
            FROM {traited}
        )
        SELECT
            cluster_id,
            outcome,
            {traits},
            count(*) AS number
        FROM _distinct
        GROUP BY
            cluster_id,
            outcome,
            {traits}
        """,
        traited=traited,
        traits=Columns(schema(_LEVELS)),
    )


def entry_probability(
    failures: Mapping[tuple[int, ...], int],
    visits: Mapping[str, Mapping[tuple[int, ...], int]],
    honest_share: float = 0.0,
) -> dict[str, dict[tuple[int, ...], float]]:
    """Probability that a visit with these traits is a campaign's entry, by outcome.

    Two classes, entries and honest visits, fitted to the visits by expectation-maximisation. Each
    class is naive Bayes over FACTORS given the history, with half a count added to each level. The
    class of entries is known: it is estimated from the campaign's failures. The class of honest
    visits is estimated from the visits of both outcomes, because hardly any may be stopped ones.
    The share of entries is estimated for each outcome separately, beginning with one entry in all
    visits. Where honest people make many odd visits, an entry must therefore resemble the campaign
    all the more.

    The visits from the campaign's own sources, and those with its tool, may all be entries. How
    often honest visits are like that is therefore not learned from them. Of honest visits, the
    share ``honest_share`` (less than 1, from ``honest_shares``) comes from the sources, but at
    least HONEST_FROM_SOURCE, or HONEST_FROM_USUAL_NETWORK in networks that are usual. The share
    HONEST_WITH_TOOL shows the tool. But an attacker may use the sources of many honest people: a
    carrier's shared addresses, or a VPN. So the model is fitted a second time, and learns the share
    that comes from the sources, and what honest visits are like from those that come from
    elsewhere. This fit is taken if decisive evidence prefers it. ``failures`` counts attempts and
    ``visits`` counts visits, each by their levels in the order of TRAITS.
    """
    combinations = [(o, combination) for o, counts in visits.items() for combination in counts]
    if not combinations:
        return {}
    fit, probability = _fit_entries(failures, visits, honest_share, learned=False)
    other_fit, other = _fit_entries(failures, visits, honest_share, learned=True)
    if other_fit > fit + _DECISIVE_EVIDENCE:
        probability = other
    found: dict[str, dict[tuple[int, ...], float]] = {}
    for (name, combination), each in zip(combinations, probability, strict=True):
        found.setdefault(name, {})[combination] = float(each)
    return found


def _fit_entries(
    failures: Mapping[tuple[int, ...], int],
    visits: Mapping[str, Mapping[tuple[int, ...], int]],
    honest_share: float,
    learned: bool,
) -> tuple[float, np.ndarray]:
    """Log-likelihood of the visits, and the probability of an entry for each combination.

    ``learned``: the share of honest visits that come from the campaign's own sources is learned;
    it is never less than ``honest_share``. What honest visits are like is then not learned from
    those sources: else the entries themselves, if they are many, would be what is honest.
    """
    seen = [combination for counts in visits.values() for combination in counts]
    numbers = np.array([n for counts in visits.values() for n in counts.values()], float)
    outcome = np.repeat(np.arange(len(visits)), [len(counts) for counts in visits.values()])
    of_outcome = np.bincount(outcome, numbers)
    failed_numbers = np.array(list(failures.values()), float)
    of_network = np.array([HONEST_FROM_USUAL_NETWORK, HONEST_FROM_SOURCE])
    least_share = np.maximum(honest_share, of_network)[_levels(seen, ("network",))]
    from_source, with_tool = (_levels(seen, (trait,)) for trait in ("source", "tool"))
    of_source, of_tool = (
        _shares(_levels(failures, (trait,)), failed_numbers, TRAITS[trait])
        for trait in ("source", "tool")
    )
    honest_tools = np.array([1 - HONEST_WITH_TOOL, HONEST_WITH_TOOL])
    of_tool = KEPT_TOOL * of_tool + (1 - KEPT_TOOL) * honest_tools
    # A tool counts by its ratio: its shares are the same in both fits.
    like_entry = np.log(of_source)[from_source] + np.log(of_tool / honest_tools)[with_tool]
    of_factors: list[tuple[np.ndarray, int]] = []
    for factor in FACTORS:
        level, count = _levels(seen, (*factor, "history")), math.prod(TRAITS[t] for t in factor)
        of_failures = _levels(failures, (*factor, "history"))
        like_entry += np.log(_shares(of_failures, failed_numbers, count, TRAITS["history"]))[level]
        of_factors.append((level, count))
    counts_as_honest = 1 - from_source if learned else np.ones(len(numbers))
    fit, honest, probability = -np.inf, np.ones(len(numbers)), np.zeros(len(numbers))
    for _ in range(_ROUNDS):
        # The prior weighs as much as the visits themselves, and one of its visits is an entry.
        share = ((np.bincount(outcome, (1 - honest) * numbers) + 1) / (2 * of_outcome + 1))[outcome]
        source_share = least_share
        if learned:
            counted = numbers * honest
            source_share = np.maximum(least_share, counted @ from_source / (counted.sum() + 1))
        entry = np.log(share) + like_entry
        of_honest = np.where(from_source, source_share, 1 - source_share)
        other = np.log(1 - share) + np.log(of_honest)
        for level, count in of_factors:
            background = _shares(
                level, numbers * honest * counts_as_honest, count, TRAITS["history"]
            )
            other += np.log(background)[level]
        fit = float(numbers @ np.logaddexp(entry, other))
        probability = np.exp(-np.logaddexp(0, other - entry))
        honest = 1 - probability
    return fit, probability


def _levels(combinations: Collection[tuple[int, ...]], factor: Sequence[str]) -> np.ndarray:
    """Each combination's level of a factor: its traits' levels as digits of one number."""
    names = list(TRAITS)
    found = [0] * len(combinations)
    for trait in factor:
        place = names.index(trait)
        found = [
            level * TRAITS[trait] + combination[place]
            for level, combination in zip(found, combinations, strict=True)
        ]
    return np.array(found)


def _shares(levels: np.ndarray, numbers: np.ndarray, count: int, groups: int = 1) -> np.ndarray:
    """The share of each of ``count`` levels within each group; the group is the last digit."""
    totals = np.bincount(levels, weights=numbers, minlength=count * groups) + 0.5
    by_group = totals.reshape(count, groups)
    return (by_group / by_group.sum(axis=0)).ravel()


@transform(SCORED, traited=TRAITED, probabilities=PROBABILITIES)
def likely_entries(traited: Relation, probabilities: Relation) -> Relation:
    """Visits that are likelier an entry than an honest visit, each with one campaign.

    A visit is all sign-ins of one outcome that one user makes from one prefix. ``probabilities``
    are given per cluster, outcome and combination of traits. ``evidence`` says in words why a
    sign-in looks like the campaign's.
    """
    return sql(
        """
        WITH _visits AS (
            SELECT
                _traited.cluster_id,
                _traited.outcome,
                _traited.date,
                _traited.signin_id,
                _traited.ip_prefix,
                _traited.trait_tried,
                _traited.trait_application,
                _traited.trait_client,
                _traited.trait_device,
                _traited.trait_place,
                _traited.trait_tool,
                _traited.trait_source,
                _traited.trait_history,
                _traited."user",
                -- Sign-ins of one visit are one entry, as likely as the likeliest of them. Another
                -- user of the prefix may be honest.
                max(_probabilities.probability) OVER (
                    PARTITION BY
                        _traited.cluster_id,
                        _traited.outcome,
                        _traited.ip_prefix,
                        _traited."user"
                ) AS score
            FROM {traited} AS _traited
            JOIN {probabilities} AS _probabilities
                ON _traited.cluster_id = _probabilities.cluster_id
                AND _traited.outcome = _probabilities.outcome
                AND _traited.trait_application = _probabilities.trait_application
                AND _traited.trait_client = _probabilities.trait_client
                AND _traited.trait_device = _probabilities.trait_device
                AND _traited.trait_place = _probabilities.trait_place
                AND _traited.trait_network = _probabilities.trait_network
                AND _traited.trait_tool = _probabilities.trait_tool
                AND _traited.trait_tried = _probabilities.trait_tried
                AND _traited.trait_source = _probabilities.trait_source
                AND _traited.trait_history = _probabilities.trait_history
            WHERE _traited.outcome <> 'failure'
        ),
        _likeliest AS (
            SELECT *
            FROM _visits
            WHERE score >= {least}
            QUALIFY
                rank() OVER (
                    PARTITION BY outcome, ip_prefix, "user"
                    ORDER BY score DESC NULLS LAST, cluster_id NULLS LAST
                ) = 1
        )
        SELECT
            cluster_id,
            date,
            signin_id,
            score,
            CASE
                WHEN trait_source > 0
                THEN 'from an address prefix from which the campaign tries other accounts'
                WHEN trait_tool > 0 THEN 'with the tool of the campaign'
                ELSE 'from a network new to the user and an address prefix nobody else succeeds '
                    || 'from'
            END
                || CASE
                    WHEN trait_source > 0 AND trait_tool > 0
                    THEN '; with the tool of the campaign'
                    ELSE ''
                END
                || CASE WHEN trait_tried > 0 THEN '; the campaign had tried the account' ELSE '' END
                || CASE
                    WHEN trait_history = 0 THEN '; the user succeeds nowhere else'
                    WHEN trait_application + trait_client + trait_device + trait_place > 0
                    THEN '; new to the user: ' || substr(
                        CASE WHEN trait_application > 0 THEN ', application' ELSE '' END
                        || CASE WHEN trait_client > 0 THEN ', client' ELSE '' END
                        || CASE WHEN trait_device > 0 THEN ', device' ELSE '' END
                        || CASE WHEN trait_place > 0 THEN ', place' ELSE '' END,
                        3
                    )
                    ELSE ''
                END AS evidence
        FROM _likeliest
        """,
        traited=traited,
        probabilities=probabilities,
        least=MIN_ENTRY_PROBABILITY,
    )


def trait_key(row: Mapping[str, int]) -> tuple[int, ...]:
    """A row's levels, in the order of TRAITS."""
    return tuple(row[column] for column in TRAIT_COLUMNS)


@transform(ACCOUNTS, members=INCIDENT_MEMBERS.schema)
def compromised_accounts(members: Relation, most: int) -> Relation:
    """Per incident, at most ``most`` possibly compromised accounts, the likeliest first.

    An account's evidence is that of its likeliest success; of equally likely ones, the earliest.
    """
    return sql(
        """
        WITH _successes AS (
            SELECT
                incident_id,
                "user",
                score,
                time_generated,
                exported,
                evidence,
                row_number() OVER (
                    PARTITION BY incident_id, "user"
                    ORDER BY
                        score DESC NULLS LAST,
                        time_generated NULLS LAST,
                        signin_id NULLS LAST
                ) AS place
            FROM {members}
            WHERE outcome = 'success'
        ),
        _accounts AS (
            SELECT
                incident_id,
                "user",
                max(score) AS probability,
                min(time_generated) AS first_success,
                min(exported) AS exported,
                count(*) AS successes,
                max(CASE WHEN place = 1 THEN evidence END) AS evidence
            FROM _successes
            GROUP BY incident_id, "user"
        )
        SELECT incident_id, "user", probability, first_success, exported, successes, evidence
        FROM _accounts
        QUALIFY
            row_number() OVER (
                PARTITION BY incident_id
                ORDER BY
                    probability DESC NULLS LAST,
                    first_success NULLS LAST,
                    "user" NULLS LAST
            ) <= {most}
        ORDER BY
            incident_id NULLS LAST,
            probability DESC NULLS LAST,
            first_success NULLS LAST,
            "user" NULLS LAST
        """,
        members=members,
        most=most,
    )
