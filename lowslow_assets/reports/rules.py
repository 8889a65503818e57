"""A campaign's conditions as rules that other tools run: KQL hunting queries and Sigma rules.

Both are written from the same terms as the query that counts what they hit. The attacker chose the
values in them: in KQL they are string literals, in Sigma they pass through a YAML dumper, and
comments do not contain them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID, uuid5

import yaml

from lowslow_assets.detection.conditions import Condition, Hits, Term
from lowslow_assets.lake.tables import FAILURE, NODATA
from lowslow_assets.reports.wording import TECHNIQUES
from lowslow_assets.signins.outcomes import SUCCESS_RESULT_TYPE

# A condition that hits more of the legitimate sign-ins is not offered as a rule.
MAX_LEGITIMATE_SHARE = 0.01

_NAMESPACE = UUID("0d3c6d53-6b0e-5d0a-9d53-2a8b5cf1f0a4")

# Made as in ``signins.features``.
_KQL_COLUMNS = {
    "AppDisplayName": 'trim(" +", AppDisplayName)',
    "ClientAppUsed": 'trim(" +", ClientAppUsed)',
    "browser": 'trim(" +", tostring(DeviceDetail.browser))',
    "displayName": 'trim(" +", tostring(DeviceDetail.displayName))',
    "operatingSystem": 'replace_regex(tostring(DeviceDetail.operatingSystem), @"\\s+", "")',
    "Location": 'trim(" +", coalesce(Location, tostring(LocationDetails.countryOrRegion)))',
    "state": 'trim(" +", tostring(LocationDetails.state))',
    "city": 'trim(" +", tostring(LocationDetails.city))',
    "agent": (
        'iff(isempty(trim(" +", strcat(DeviceDetail.browser, DeviceDetail.operatingSystem))), '
        'extract(@"^[^/0-9 (]*", 0, trim(" +", UserAgent)), "")'
    ),
}
_SIGMA_FIELDS = {
    "AppDisplayName": "AppDisplayName",
    "ClientAppUsed": "ClientAppUsed",
    "browser": "DeviceDetail.browser",
    "displayName": "DeviceDetail.displayName",
    "operatingSystem": "DeviceDetail.operatingSystem",
    "Location": "Location",
    "state": "LocationDetails.state",
    "city": "LocationDetails.city",
    "agent": "UserAgent",
}
_NO_DEVICE = {_SIGMA_FIELDS[name]: [None, ""] for name in ("browser", "operatingSystem")}

# The details are dynamic in the table of interactive sign-ins, and strings in the other one. A
# workspace may lack either table, hence fuzzy.
_QUERY = """\
union isfuzzy=true
(
    SigninLogs
    | where {range}
    | extend {details}
),
(
    AADNonInteractiveUserSignInLogs
    | where {range}
    | extend {details}
)
{columns}{conditions}| project TimeGenerated, Id, UserPrincipalName, IPAddress,
    Location, AppDisplayName, ClientAppUsed, DeviceDetail, UserAgent
| sort by TimeGenerated desc
"""
_DETAILS = "DeviceDetail = todynamic(DeviceDetail), LocationDetails = todynamic(LocationDetails)"


@dataclass(frozen=True)
class HuntingRule:
    """A rule for one outcome of one campaign; the fields are the columns of ``hunting_rules``."""

    incident_id: str
    outcome: str
    usable: bool
    summary: str
    terms: list[Term]
    attempts: int
    attempts_hit: int
    attempts_share: float
    entries: int
    entries_hit: int
    legitimate: int
    legitimate_hit: int
    legitimate_share: float
    other_failures: int
    other_failures_hit: int
    since: date
    kql: str | None
    sigma: str | None


def hunting_rule(
    incident_id: str,
    outcome: str,
    condition: Condition | None,
    totals: Hits,
    days: Sequence[date],
    attempt_codes: Sequence[str],
) -> HuntingRule:
    """The rule for an outcome (failure or success) of a campaign, counted over the ``days``.

    Here a failure is any attempt, with one of ``attempt_codes``. Without a condition, or if the
    condition hits too many legitimate sign-ins, there is no text.
    """
    hits = condition.hits if condition else Hits(0, 0, 0, 0)
    terms = list(condition.terms) if condition else []
    legitimate_share = hits.legitimate / max(totals.legitimate, 1)
    usable = bool(terms) and legitimate_share <= MAX_LEGITIMATE_SHARE
    summary = _summary(terms, hits, totals, usable)
    kql = sigma = None
    if usable:
        of_failures = outcome == FAILURE
        result_types = attempt_codes if of_failures else [SUCCESS_RESULT_TYPE]
        what = "attempts" if of_failures else "successes that look like its attempts"
        title = f"Password spray {incident_id}: {what}"
        comments = f"// {title}\n// As of {days[-1]}: {summary}\n"
        kql = comments + to_kql(terms, result_types, days[0])
        sigma = to_sigma(terms, result_types, title, summary, days[-1])
    return HuntingRule(
        incident_id=incident_id,
        outcome=outcome,
        usable=usable,
        summary=summary,
        terms=terms,
        attempts=totals.attempts,
        attempts_hit=hits.attempts,
        attempts_share=hits.attempts / max(totals.attempts, 1),
        entries=totals.entries,
        entries_hit=hits.entries,
        legitimate=totals.legitimate,
        legitimate_hit=hits.legitimate,
        legitimate_share=legitimate_share,
        other_failures=totals.other_failures,
        other_failures_hit=hits.other_failures,
        since=days[0],
        kql=kql,
        sigma=sigma,
    )


def _summary(terms: Sequence[Term], hits: Hits, totals: Hits, usable: bool) -> str:
    """What the rule hits, or why there is none, in a sentence without a value of the attacker's."""
    if not terms:
        return "No rule: the campaign repeats too little that is unusual in the tenant."
    touches = hits.legitimate / max(totals.legitimate, 1)
    if not usable:
        return f"No rule: the best would hit {touches:.1%} of legitimate sign-ins."
    return (
        f"Finds {hits.attempts / totals.attempts:.1%} of its {totals.attempts:,} attempts and "
        f"{hits.entries:,} of {totals.entries:,} possible entries; would also hit {touches:.2%} of "
        f"{totals.legitimate:,} legitimate sign-ins ({hits.legitimate:,}) and "
        f"{hits.other_failures:,} of {totals.other_failures:,} other attempts."
    )


def to_kql(terms: Sequence[Term], result_types: Sequence[str], since: date) -> str:
    """A query over both sign-in tables, from a day (UTC) on."""
    features = [term.feature for term in terms if term.feature in _KQL_COLUMNS]
    return _QUERY.format(
        range=f"TimeGenerated >= datetime({since}) and ResultType in ({_kql_list(result_types)})",
        details=_DETAILS,
        columns="".join(f"| extend {name} = {_KQL_COLUMNS[name]}\n" for name in features),
        conditions="".join(f"| where {_kql_term(term)}\n" for term in terms),
    )


def _kql_term(term: Term) -> str:
    either = " or ".join(_kql_network(term) if term.feature == "network" else _kql_values(term))
    return f"not({either})" if term.negated else either


def _kql_values(term: Term) -> list[str]:
    named = [value for value in term.values if value != NODATA]
    either = [f"isempty({term.feature})"] if NODATA in term.values else []
    return either + ([f"{term.feature} in ({_kql_list(named)})"] if named else [])


def _kql_network(term: Term) -> list[str]:
    either = []
    if term.systems:
        numbers = _kql_list([system.removeprefix("AS") for system in term.systems])
        either.append(f"tostring(AutonomousSystemNumber) in ({numbers})")
    for version, ranges in _ranges(term).items():
        # It is null for an address of the other version, and so would be its negation.
        within = f"ipv{version}_is_in_any_range(IPAddress, {_kql_list(ranges)})"
        either.append(f"coalesce({within}, false)")
    return either


def _ranges(term: Term) -> dict[int, list[str]]:
    """A network's address prefixes in CIDR notation, by version of the protocol."""
    found: dict[int, list[str]] = {}
    for prefix in term.prefixes:
        if ":" in prefix:
            found.setdefault(6, []).append(prefix)
        else:
            found.setdefault(4, []).append(f"{prefix}.0/24")
    return found


def _kql_list(values: Sequence[str]) -> str:
    return ", ".join(map(kql_literal, values))


def kql_literal(value: str) -> str:
    """A string literal that no value can end, without invisible characters."""
    return '"' + "".join(map(_kql_character, value)) + '"'


_KQL_ESCAPES = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


def _kql_character(character: str) -> str:
    if character in _KQL_ESCAPES:
        return _KQL_ESCAPES[character]
    if character.isprintable():
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))


def to_sigma(
    terms: Sequence[Term], result_types: Sequence[str], title: str, summary: str, day: date
) -> str:
    """A Sigma rule, as YAML."""
    selections = {
        f"{'usual' if term.negated else 'own'}_{term.feature}": _sigma_term(term) for term in terms
    }
    condition = [f"not {name}" if name.startswith("usual_") else name for name in selections]
    rule: dict[str, Any] = {
        "title": title,
        "id": str(uuid5(_NAMESPACE, title)),
        "status": "experimental",
        "description": summary,
        "author": "lowslow_assets",
        "date": day.isoformat(),
        "tags": ["attack.credential-access", *(f"attack.{t.lower()}" for t in TECHNIQUES)],
        "logsource": {"product": "azure", "service": "signinlogs"},
        "detection": {
            "outcome": {"ResultType": list(result_types)},
            **selections,
            "condition": " and ".join(["outcome", *condition]),
        },
        "falsepositives": ["As many as the description says, in the past."],
        "level": "medium",
    }
    # Characters other than ASCII are escaped, so that a reader sees all that is there.
    return yaml.safe_dump(rule, sort_keys=False, width=100)


def _sigma_term(term: Term) -> list[dict[str, Any]]:
    """Alternatives, one field per alternative."""
    if term.feature == "network":
        systems = [system.removeprefix("AS") for system in term.systems]
        ranges = [block for blocks in _ranges(term).values() for block in blocks]
        either = {"AutonomousSystemNumber": systems, "IPAddress|cidr": ranges}
        return [{field: values} for field, values in either.items() if values]
    field = _SIGMA_FIELDS[term.feature]
    named = [value for value in term.values if value != NODATA]
    empty = [{field: [None, ""]}] if NODATA in term.values else []
    if term.feature == "agent":
        return _sigma_agent(field, named, empty)
    if not named:
        return empty
    if term.feature == "operatingSystem":
        return [*empty, {f"{field}|re": list(map(_spaced, named))}]
    return [*empty, {f"{field}|cased": list(map(_sigma_literal, named))}]


def _sigma_agent(
    field: str, products: Sequence[str], empty: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Clients without a device whose user agent begins with a product's name; or all others."""
    named = {f"{field}|re": [f"^ *{re.escape(name)}([/0-9 (].*)?$" for name in products]}
    alternatives = [named | _NO_DEVICE] if products else []
    if empty:
        alternatives += [*empty, {f"{field}|re": ["^ *[/0-9(]"]}]
        alternatives += [{f"{device}|re": [r"\S"]} for device in _NO_DEVICE]
    return alternatives


def _sigma_literal(value: str) -> str:
    """The text without wildcards: in Sigma, * and ? are wildcards unless they are escaped."""
    return re.sub(r"([\\*?])", r"\\\1", value)


def _spaced(system: str) -> str:
    """A regular expression for an operating system, whose spaces features leave out.

    The log has spaces before a word or a number: both "Windows10" and "Windows 10" occur.
    """
    words = re.split(r"(?<=[a-z])(?=[A-Z0-9])|(?<=[A-Z])(?=\d)", system)
    return "^" + r"\s*".join(map(re.escape, words)) + "$"
