"""hunting_rules: each incident as KQL and Sigma rules, counted; and the same as files."""

import re
from collections.abc import Sequence
from typing import Any

import dagster as dg
import numpy as np
from pyspark.sql import functions as F

from lowslow_assets.detection.conditions import (
    Hits,
    Term,
    ValueCount,
    candidate_terms,
    common_values,
    conditions,
    count_patterns,
    for_attempts,
    for_entries,
)
from lowslow_assets.lake.tables import (
    CATEGORY_COUNTS,
    ENCODED_FEATURES,
    ENRICHED_INCIDENTS,
    FEATURE_BASELINE,
    HUNTING_RULES,
    INCIDENT_MEMBERS,
)
from lowslow_assets.orchestration.assets.declare import table_metadata
from lowslow_assets.orchestration.assets.hunt import Hunt, Made, document_asset, hunt_asset
from lowslow_assets.reports.rules import HuntingRule, hunting_rule
from lowslow_assets.signins.features import FAILURE, SUCCESS

_SHOWN_RULES = 10


@hunt_asset(
    HUNTING_RULES,
    deps=[
        ENRICHED_INCIDENTS,
        INCIDENT_MEMBERS,
        ENCODED_FEATURES,
        FEATURE_BASELINE,
        CATEGORY_COUNTS,
    ],
)
def hunting_rules(hunt: Hunt) -> Made:
    """Find what singles each incident out, count what it hits, and write it as rules."""
    incidents = [row["incident_id"] for row in hunt.rows(ENRICHED_INCIDENTS)]
    if not incidents:
        return [], {"rules": 0}
    terms = _terms(hunt, incidents)
    rules = []
    for incident, own, counts in zip(
        incidents, terms, _counts(hunt, incidents, terms), strict=True
    ):
        rules += _rules(hunt, incident, own, counts)
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


def _terms(hunt: Hunt, incidents: Sequence[str]) -> list[list[Term]]:
    """Per incident the terms that may make its rules."""
    attempts = hunt.result(INCIDENT_MEMBERS).where(F.col("outcome") == FAILURE)
    made = {
        row["incident_id"]: row["count"]
        for row in attempts.groupBy("incident_id").count().collect()
    }
    successes = hunt.rows(FEATURE_BASELINE)[0]["successes"]
    values: dict[str, list[ValueCount]] = {}
    for row in common_values(attempts, hunt.window_counts()).collect():
        incident, *value = row
        values.setdefault(incident, []).append(ValueCount(*value))
    return [
        candidate_terms(values.get(incident, []), made.get(incident, 0), successes)
        for incident in incidents
    ]


def _counts(
    hunt: Hunt, incidents: Sequence[str], terms: Sequence[Sequence[Term]]
) -> list[dict[int, np.ndarray]]:
    """Per incident and pattern of its terms the number of sign-ins, in the order of Hits."""
    counts: list[dict[int, np.ndarray]] = [{} for _ in incidents]

    def add(campaign: int, pattern: int, hits: Hits) -> None:
        counts[campaign].setdefault(pattern, np.zeros(len(hits), dtype=int))
        counts[campaign][pattern] += hits

    for row in count_patterns(hunt.signins(), terms, "outcome").collect():
        number = row["signins"]
        of_success = row["outcome"] == SUCCESS
        others = Hits(0, 0, number, 0) if of_success else Hits(0, 0, 0, number)
        add(row["campaign"], row["pattern"], others)
    # What belongs to an incident, to this one or another, is nobody else's.
    members = count_patterns(hunt.result(INCIDENT_MEMBERS), terms, "incident_id", "outcome")
    for row in members.collect():
        own = row["signins"] if row["incident_id"] == incidents[row["campaign"]] else 0
        of_success = row["outcome"] == SUCCESS
        hits = Hits(0, own, -row["signins"], 0) if of_success else Hits(own, 0, 0, -row["signins"])
        add(row["campaign"], row["pattern"], hits)
    return counts


def _rules(
    hunt: Hunt, incident: str, terms: Sequence[Term], counts: dict[int, np.ndarray]
) -> list[HuntingRule]:
    patterns, numbers = np.array(list(counts)), np.array(list(counts.values()))
    totals = Hits(*map(int, numbers.sum(axis=0)))
    found = conditions(terms, patterns, numbers, totals.attempts)
    chosen = {
        FAILURE: for_attempts(found, totals.legitimate + totals.other_failures),
        SUCCESS: for_entries(found, totals.legitimate),
    }
    days, result_types = hunt.ingested_days(), hunt.made_from["failure_result_types"]
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
