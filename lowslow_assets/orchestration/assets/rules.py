"""hunting_rules: each incident as KQL and Sigma rules with counts; and the same as files."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg
import numpy as np

from lowslow_assets.detection.conditions import (
    Hits,
    Term,
    conditions,
    count_hits,
    find_terms,
    for_attempts,
    for_entries,
)
from lowslow_assets.hunting.hunt import Hunt
from lowslow_assets.lake.tables import (
    CATEGORY_COUNTS,
    ENCODED_FEATURES,
    ENRICHED_INCIDENTS,
    FAILURE,
    FEATURE_BASELINE,
    HUNTING_RULES,
    INCIDENT_MEMBERS,
    SUCCESS,
    USER_NAMES,
)
from lowslow_assets.orchestration.assets.declare import table_metadata
from lowslow_assets.orchestration.assets.hunt import Made, document_asset, hunt_asset
from lowslow_assets.reports.rules import HuntingRule, hunting_rule
from lowslow_assets.signins.outcomes import attempt_codes

_SHOWN_RULES = 10


@hunt_asset(
    HUNTING_RULES,
    deps=[
        ENRICHED_INCIDENTS,
        INCIDENT_MEMBERS,
        ENCODED_FEATURES,
        USER_NAMES,
        FEATURE_BASELINE,
        CATEGORY_COUNTS,
    ],
)
def hunting_rules(hunt: Hunt) -> Made:
    """Find what distinguishes each incident, count what that hits, and write it as rules."""
    incidents = [row["incident_id"] for row in hunt.rows(ENRICHED_INCIDENTS)]
    if not incidents:
        return [], {"rules": 0}
    members = hunt.result(INCIDENT_MEMBERS)
    successes = hunt.rows(FEATURE_BASELINE)[0]["successes"]
    terms = find_terms(incidents, members, hunt.window_counts(), successes)
    counts = count_hits(incidents, terms, hunt.signins(), members)
    days = hunt.ingested_days()
    result_types = attempt_codes(hunt.made_from["result_codes"])
    rules = [
        rule
        for incident, own, hits in zip(incidents, terms, counts, strict=True)
        for rule in _rules(incident, own, hits, days, result_types)
    ]
    usable = [rule for rule in rules if rule.usable]
    return rules, {
        "rules": len(usable),
        "what they hit": table_metadata([_summary(rule) for rule in rules]),
        **{
            f"{rule.outcome} {rule.incident_id}": dg.MetadataValue.md(
                f"{fenced(rule.kql)}\n\n{fenced(rule.sigma)}"
            )
            for rule in usable[:_SHOWN_RULES]
            if rule.kql and rule.sigma
        },
    }


def _rules(
    incident: str,
    terms: Sequence[Term],
    counts: Mapping[int, np.ndarray],
    days: Sequence[date],
    result_types: Sequence[str],
) -> list[HuntingRule]:
    """A rule for an incident's attempts, and one for entries."""
    patterns, numbers = np.array(list(counts)), np.array(list(counts.values()))
    totals = Hits(*map(int, numbers.sum(axis=0)))
    found = conditions(terms, patterns, numbers, totals.attempts)
    chosen = {
        FAILURE: for_attempts(found, totals.legitimate + totals.other_failures),
        SUCCESS: for_entries(found, totals.legitimate),
    }
    return [
        hunting_rule(incident, outcome, condition, totals, days, result_types)
        for outcome, condition in chosen.items()
    ]


def _summary(rule: HuntingRule) -> dict[str, Any]:
    return {
        "incident": rule.incident_id,
        "outcome": rule.outcome,
        "terms": [
            f"{term.feature} is {'none' if term.negated else 'one'} of {len(term.values)}"
            for term in rule.terms
        ],
        "attempts hit": f"{rule.attempts_share:.1%}",
        "legitimate hit": f"{rule.legitimate_share:.2%}",
        "in words": rule.summary,
    }


def fenced(text: str) -> str:
    """Markdown that shows the text as it is: its fence is longer than any run of backticks."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}{fence}"


@document_asset(
    "rule_documents",
    "yaml",
    "The hunting rules as files: `<incident>.<outcome>.kql` and `.sigma.yml`.",
    deps=[HUNTING_RULES],
)
def rule_documents(hunt: Hunt) -> dict[str, str]:
    """The usable rules, two files each."""
    return {
        f"{row['incident_id']}.{row['outcome']}.{suffix}": row[column]
        for row in hunt.rows(HUNTING_RULES)
        if row["usable"]
        for column, suffix in (("kql", "kql"), ("sigma", "sigma.yml"))
    }
