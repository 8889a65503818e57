"""Which right passwords of the window a campaign may know, and the sign-ins of each incident."""

from collections.abc import Callable

import pyarrow as pa

from lowslow_assets.detection.entries import (
    PROBABILITIES,
    SCORED,
    entry_probability,
    likely_entries,
)
from lowslow_assets.detection.traits import (
    JUDGED,
    TRAIT_COLUMNS,
    count_traits,
    trait_key,
    with_news,
    with_traits,
)
from lowslow_assets.detection.visits import (
    honest_shares,
    lone_visits,
    own_prefixes,
    visited_prefixes,
    visitors,
)
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import extended, schema, without
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.lake.tables import (
    CLUSTER_MEMBERS,
    ENCODED_FEATURES,
    FAILURE,
    INCIDENT_MEMBERS,
)

_VISITS = extended(ENCODED_FEATURES.dated, "cluster_id int")
_MASKS = schema("date date, signin_id string, mask int")

_SIGNINS = without(INCIDENT_MEMBERS.schema, "incident_id")
ENTRIES = extended(_SIGNINS, "cluster_id int")


def find_entries(
    members: Relation,
    signins: Relation,
    sources: Relation,
    clusters: Relation,
    tools: Relation,
    mask: Callable[[Relation], Relation],
) -> Relation:
    """The sign-ins in which a kept cluster may have used a right password, each with one cluster.

    These are successes and stopped sign-ins. ``members`` are the clusters' attempts, ``clusters``
    are their rows of ``cluster_statistics``, and ``tools`` those of ``tools_of_campaigns``.
    ``signins`` and ``sources`` are the window's ``encoded_features`` and ``success_sources``.
    ``mask`` makes rows (date, signin_id, mask) from sign-ins with date, signin_id and features.
    Returns rows of ``incident_members`` with the cluster in place of the incident.
    """
    came = visitors(sources, signins).held()
    own = own_prefixes(members).held()
    prefixes = visited_prefixes(came, own, clusters).held()
    visits = lone_visits(signins, prefixes, came, tools).held()
    masks = mask(visits).held()
    judged = with_news(to_judge(members, visits, masks).held(), signins, own).held()
    traited = with_traits(judged, tools, own).held()
    probabilities = _probabilities(traited, honest_shares(came, prefixes, own))
    return entries_of_visits(visits, masks, likely_entries(traited, probabilities))


def _probabilities(traited: Relation, honest: Relation) -> Relation:
    """The probability of an entry per cluster, outcome and combination of traits.

    ``honest`` are rows of ``honest_shares``.
    """
    shares = {row["cluster_id"]: row["share"] for row in honest.rows()}
    counts: dict[int, dict[str, dict[tuple[int, ...], int]]] = {}
    # Rows are ordered, because sums in another order differ in their last digits.
    rows = count_traits(traited).rows()
    for row in sorted(rows, key=lambda row: (row["outcome"], *trait_key(row))):
        of_cluster = counts.setdefault(row["cluster_id"], {})
        of_cluster.setdefault(row["outcome"], {})[trait_key(row)] = row["number"]
    found = [
        {
            "cluster_id": cluster,
            "outcome": outcome,
            **dict(zip(TRAIT_COLUMNS, traits, strict=True)),
            "probability": probability,
        }
        for cluster, visits in counts.items()
        for outcome, of_traits in entry_probability(
            visits.pop(FAILURE, {}), visits, shares.get(cluster, 0.0)
        ).items()
        for traits, probability in of_traits.items()
    ]
    return traited.engine.from_arrow(pa.Table.from_pylist(found, PROBABILITIES))


@transform(JUDGED, members=CLUSTER_MEMBERS.schema, visits=_VISITS, masks=_MASKS)
def to_judge(members: Relation, visits: Relation, masks: Relation) -> Relation:
    """Attempts and visits in one relation; a right password that was stopped may be both."""
    return sql(
        """
        SELECT
            cluster_id,
            'failure' AS outcome,
            CAST(NULL AS DATE) AS date,
            signin_id,
            time_generated,
            "user",
            ip_prefix,
            AppDisplayName,
            ClientAppUsed,
            browser,
            operatingSystem,
            agent,
            city,
            network,
            displayName,
            mask
        FROM {members}
        UNION ALL
        SELECT
            _visits.cluster_id,
            _visits.outcome,
            _visits.date,
            _visits.signin_id,
            _visits.time_generated,
            _visits."user",
            _visits.ip_prefix,
            _visits.AppDisplayName,
            _visits.ClientAppUsed,
            _visits.browser,
            _visits.operatingSystem,
            _visits.agent,
            _visits.city,
            _visits.network,
            _visits.displayName,
            _masks.mask
        FROM {visits} AS _visits
        JOIN {masks} AS _masks
            ON _visits.date = _masks.date AND _visits.signin_id = _masks.signin_id
        """,
        members=members,
        visits=visits,
        masks=masks,
    )


@transform(ENTRIES, visits=_VISITS, masks=_MASKS, scored=SCORED)
def entries_of_visits(visits: Relation, masks: Relation, scored: Relation) -> Relation:
    """The visits that are entries, with the columns of ``incident_members``."""
    return sql(
        """
        SELECT
            _visits.signin_id,
            _visits."user",
            _visits.outcome,
            _visits.result_type,
            _visits.time_generated,
            _scored.score,
            _scored.evidence,
            _visits.date AS exported,
            _masks.mask,
            _visits.ip_address,
            _visits.ip_prefix,
            _visits.latitude,
            _visits.longitude,
            _visits.AppDisplayName,
            _visits.ClientAppUsed,
            _visits.browser,
            _visits.displayName,
            _visits.operatingSystem,
            _visits.network,
            _visits.Location,
            _visits.state,
            _visits.city,
            _visits.agent,
            _visits.cluster_id
        FROM {visits} AS _visits
        JOIN {masks} AS _masks
            ON _visits.date = _masks.date AND _visits.signin_id = _masks.signin_id
        JOIN {scored} AS _scored
            ON _visits.date = _scored.date
            AND _visits.signin_id = _scored.signin_id
            AND _visits.cluster_id = _scored.cluster_id
        """,
        visits=visits,
        masks=masks,
        scored=scored,
    )


@transform(
    INCIDENT_MEMBERS.schema,
    members=CLUSTER_MEMBERS.schema,
    entries=ENTRIES,
    campaigns=schema("campaign_id string, cluster_id int"),
)
def signins_of_incidents(members: Relation, entries: Relation, campaigns: Relation) -> Relation:
    """Each kept cluster's attempts and entries, under the id of its campaign.

    ``campaigns`` are rows of the table of that name; those without a cluster do not matter.
    """
    return sql(
        """
        WITH _signins AS (
            SELECT
                cluster_id,
                signin_id,
                "user",
                outcome,
                result_type,
                time_generated,
                assignment_probability AS score,
                CAST(NULL AS STRING) AS evidence,
                CAST(NULL AS DATE) AS exported,
                mask,
                ip_address,
                ip_prefix,
                latitude,
                longitude,
                AppDisplayName,
                ClientAppUsed,
                browser,
                displayName,
                operatingSystem,
                network,
                Location,
                state,
                city,
                agent
            FROM {members} AS members
            -- An attempt that is also an entry is left out: the entry has the evidence.
            WHERE NOT EXISTS (
                SELECT 1 FROM {entries} AS entries WHERE entries.signin_id = members.signin_id
            )
            UNION ALL
            SELECT
                cluster_id,
                {columns}
            FROM {entries}
        )
        SELECT
            _campaigns.campaign_id AS incident_id,
            {of_signins}
        FROM _signins
        JOIN {campaigns} AS _campaigns ON _signins.cluster_id = _campaigns.cluster_id
        """,
        members=members,
        entries=entries,
        campaigns=campaigns,
        columns=Columns(_SIGNINS),
        of_signins=Columns(_SIGNINS, "_signins"),
    )
