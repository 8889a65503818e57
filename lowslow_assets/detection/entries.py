"""Entries: sign-ins with a right password that may belong to a campaign.

Some honest people visit once, as attackers do: travellers, users of a VPN. Such visits are few.
Each is compared with the campaign's failures and with the other visits of its outcome, by what was
new to the user and what was unusual in the tenant.
"""

import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from lowslow_assets.detection.traits import LEVELS, TRAITED, TRAITS
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import sql, transform
from lowslow_assets.lake.tables import INCIDENT_MEMBERS

MIN_ENTRY_PROBABILITY = 0.5
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
PROBABILITIES = schema(f"cluster_id int, outcome string, {LEVELS}, probability double")
ACCOUNTS = schema(
    "incident_id string, user string, probability double, first_success timestamp, "
    "exported date, successes bigint, evidence string"
)
SCORED = schema("cluster_id int, date date, signin_id string, score double, evidence string")


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
