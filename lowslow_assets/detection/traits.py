"""Traits of attempts and visits: new to the user, unusual in the tenant, or the campaign's."""

from collections.abc import Mapping

from lowslow_assets.detection.gathering import TOOLS
from lowslow_assets.detection.patterns import property_bits
from lowslow_assets.detection.visits import OWN_PREFIXES, SHARED_BY_ACCOUNTS
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import extended, schema
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.lake.tables import NODATA

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
TRAIT_COLUMNS = [f"trait_{name}" for name in TRAITS]
LEVELS = ", ".join(f"{column} int" for column in TRAIT_COLUMNS)
"""The columns of the traits, as in the text of a schema."""

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
    + LEVELS
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
    device is new if its operating system or its agent is, because versions of a browser are always
    new.
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


@transform(schema(f"cluster_id int, outcome string, {LEVELS}, number bigint"), traited=TRAITED)
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
        traits=Columns(schema(LEVELS)),
    )


def trait_key(row: Mapping[str, int]) -> tuple[int, ...]:
    """A row's levels, in the order of TRAITS."""
    return tuple(row[column] for column in TRAIT_COLUMNS)
