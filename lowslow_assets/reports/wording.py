"""An incident in the words an analyst reads, and as a JSON document."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from lowslow_assets.detection.identity import NEW, RESUMED, Campaign
from lowslow_assets.detection.spray_tests import Invariant, SprayTest
from lowslow_assets.detection.statistics import ClusterStatistics
from lowslow_assets.enrichment.reports import Known, KnownAddress

SEVERITIES = ("High", "Medium", "Low", "Informational")
# MITRE ATT&CK: Brute Force, Password Spraying.
TECHNIQUES = ["T1110.003"]
HIGH_CONFIDENCE, MEDIUM_CONFIDENCE = 0.75, 0.4
MAX_LISTED_USERS = 100
_SHOWN_USERS = 3
_SHOWN_ADDRESSES = 3
_SHOWN_VALUE_LENGTH = 60


@dataclass(frozen=True)
class Entry:
    """An account that a campaign may have compromised, with the probability and the evidence."""

    user: str
    probability: float
    first_success: datetime
    exported: date
    successes: int
    evidence: str


@dataclass(frozen=True)
class KnownPassword:
    """An account whose password a campaign may know: when it was stopped, and by what."""

    user: str
    probability: float
    first_stopped: datetime
    result_type: str
    stopped_by: str
    signins: int
    evidence: str


@dataclass(frozen=True)
class Incident:
    """One spray candidate; the fields are the columns of the table ``enriched_incidents``."""

    incident_id: str
    cluster_id: int
    state: str
    first_hunted: date
    previous_hunt: date | None
    severity: str
    confidence: float
    confidence_label: str
    title: str
    description: str
    first_activity: datetime
    last_activity: datetime
    active_days: int
    attempts: int
    new_attempts: int
    users: int
    invented_names: int
    ip_addresses: int
    countries: int
    attempts_per_day: float
    attempts_per_user: float
    anomalous_features: list[str]
    invariants: list[Invariant]
    tests: list[SprayTest]
    successes: int
    compromised_users: list[str]
    new_compromised_users: list[str]
    entries: list[Entry]
    known_passwords: list[KnownPassword]
    new_known_passwords: list[str]
    techniques: list[str]
    addresses_looked_up: int = 0
    malicious_addresses: list[KnownAddress] = field(default_factory=list)


def describe(
    campaign: Campaign,
    merged: Sequence[str],
    cluster: ClusterStatistics,
    anomalous_features: list[str],
    repeated: list[Invariant],
    tests: list[SprayTest],
    confidence: float,
    entries: list[Entry],
    known: list[KnownPassword],
) -> Incident:
    """The incident of a campaign's kept cluster.

    ``merged`` are the ids of campaigns that it absorbed. ``entries`` begin with the likeliest,
    ``known``, the other accounts whose password is known, with the earliest.
    """
    compromised_users = [entry.user for entry in entries]
    previous = campaign.previous_hunt
    # New by the export's day: what happened just before midnight is in the next day's export.
    new_users = [entry.user for entry in entries if not previous or entry.exported > previous]
    new_known = [
        each.user
        for each in known
        if not previous or each.first_stopped.astimezone(UTC).date() > previous
    ]
    label = _confidence_label(confidence)
    return Incident(
        incident_id=campaign.campaign_id,
        cluster_id=cluster.cluster_id,
        state=campaign.state,
        first_hunted=campaign.first_hunted,
        previous_hunt=previous,
        severity=_severity(label, bool(entries or known)),
        confidence=confidence,
        confidence_label=label,
        title=_title(cluster, len(entries), len(known)),
        description=f"{_history(campaign, merged, new_users, new_known)} "
        + _description(cluster, anomalous_features, repeated, tests, confidence, entries, known),
        first_activity=cluster.first_activity,
        last_activity=cluster.last_activity,
        active_days=cluster.active_days,
        attempts=cluster.failures,
        new_attempts=campaign.new_attempts,
        users=cluster.users,
        invented_names=cluster.invented_names,
        ip_addresses=cluster.ip_addresses,
        countries=cluster.countries,
        attempts_per_day=cluster.attempts_per_day,
        attempts_per_user=cluster.attempts_per_user,
        anomalous_features=anomalous_features,
        invariants=repeated,
        tests=tests,
        successes=sum(entry.successes for entry in entries),
        compromised_users=compromised_users,
        new_compromised_users=new_users,
        entries=entries,
        known_passwords=known,
        new_known_passwords=new_known,
        techniques=TECHNIQUES,
    )


def with_known_addresses(incident: Incident, known: Known) -> Incident:
    """The incident with what others know about its addresses.

    Its severity does not change: an address that is known for something else says nothing about
    this campaign.
    """
    description = incident.description
    if known.malicious:
        named = ", ".join(
            f"{_shown(address.ip_address)} ({', '.join(address.providers)})"
            for address in known.malicious[:_SHOWN_ADDRESSES]
        )
        more = len(known.malicious) - _SHOWN_ADDRESSES
        named += f" and {more} more" if more > 0 else ""
        description += (
            f" Addresses looked up: {known.looked_up:,}, known as malicious: "
            f"{len(known.malicious)}, namely {named}."
        )
    return replace(
        incident,
        description=description,
        addresses_looked_up=known.looked_up,
        malicious_addresses=known.malicious,
    )


def to_json(incident: Mapping[str, Any], day: date) -> str:
    """A row of ``enriched_incidents`` as a JSON document."""
    document = {"hunt_date": day, **incident}
    return json.dumps(document, indent=2, default=_iso) + "\n"


def _iso(value: date | datetime) -> str:
    return (value.astimezone(UTC) if isinstance(value, datetime) else value).isoformat()


def _confidence_label(confidence: float) -> str:
    if confidence >= HIGH_CONFIDENCE:
        return "high"
    return "medium" if confidence >= MEDIUM_CONFIDENCE else "low"


def _severity(label: str, has_password: bool) -> str:
    """A known password raises the severity by one step, whether it was stopped or not."""
    if label == "low":
        return "Informational"
    if label == "medium":
        return "Medium" if has_password else "Low"
    return "High" if has_password else "Medium"


def _title(cluster: ClusterStatistics, compromised: int, known: int) -> str:
    accounts = _plural(cluster.users, "account")
    title = f"Possible low-and-slow password spray on {accounts}, {_pace(cluster)}"
    if compromised:
        title += f", {_listed(compromised)} possibly compromised"
    if known:
        more = " more" if compromised else ""
        title += f", password{'' if known == 1 else 's'} of {_listed(known)}{more} known"
    return title


def _listed(number: int) -> str:
    return f"{number:,}{' or more' if number == MAX_LISTED_USERS else ''}"


def _history(
    campaign: Campaign, merged: Sequence[str], new_users: Sequence[str], new_known: Sequence[str]
) -> str:
    """Since when the campaign is known, and what is new."""
    if campaign.state == NEW:
        sentences = [f"First found by the hunt of {campaign.first_hunted}."]
    else:
        news = _plural(campaign.new_attempts, "attempt")
        if new_users:
            news += f", {_plural(len(new_users), 'account')} possibly compromised"
        if new_known:
            news += f", {_plural(len(new_known), 'password')} known"
        quiet = ", then quiet" if campaign.state == RESUMED else ""
        sentences = [
            f"Known since the hunt of {campaign.first_hunted}{quiet}; new since that of "
            f"{campaign.previous_hunt}: {news}."
        ]
    if campaign.split_from:
        sentences.append(f"It was part of campaign {campaign.split_from} before.")
    if merged:
        more, was = (f" and {len(merged) - 1} more", "were") if merged[1:] else ("", "was")
        sentences.append(f"Campaign {merged[0]}{more} {was} merged into it.")
    return " ".join(sentences)


def _description(
    cluster: ClusterStatistics,
    anomalous_features: Sequence[str],
    repeated: Sequence[Invariant],
    tests: Sequence[SprayTest],
    confidence: float,
    entries: Sequence[Entry],
    known: Sequence[KnownPassword],
) -> str:
    unusual = (
        f"Most are unusual for the tenant in: {', '.join(anomalous_features)}."
        if anomalous_features
        else "Application, client, device and place are usual; the sources are new."
    )
    sentences = [
        f"{_plural(cluster.failures, 'failed sign-in')} on {_tried(cluster)} "
        f"from {_plural(cluster.ip_addresses, 'address', 'addresses')} in "
        f"{_plural(cluster.countries, 'country', 'countries')}, {_pace(cluster)}, from "
        f"{cluster.first_activity.astimezone(UTC):%Y-%m-%d} to "
        f"{cluster.last_activity.astimezone(UTC):%Y-%m-%d} (UTC).",
        unusual,
    ]
    if repeated:
        values = ", ".join(f"{i.feature} {_shown(i.value)} ({i.share:.0%})" for i in repeated)
        sentences.append(f"It keeps repeating: {values}.")
    failed = [test for test in tests if not test.passed]
    sentences.append(
        f"Confidence is {_confidence_label(confidence)} ({confidence:.0%} that it is a campaign); "
        f"it passes {len(tests) - len(failed)} of {len(tests)} tests of a spray."
    )
    sentences += [f'"{test.name}": {test.explanation}' for test in tests if test.passed]
    sentences += [f'Not "{test.name}": {test.explanation}' for test in failed]
    if entries:
        named = ", ".join(
            f"{_shown(entry.user)} ({entry.first_success.astimezone(UTC):%Y-%m-%d %H:%M}, "
            f"probability {entry.probability:.0%}: {entry.evidence})"
            for entry in entries[:_SHOWN_USERS]
        )
        more = len(entries) - _SHOWN_USERS
        named += f" and {more} more" if more > 0 else ""
        sentences.append(
            f"It may have compromised {_plural(len(entries), 'account')}: {named}. "
            "Check these first."
        )
    if known:
        named = ", ".join(
            f"{_shown(each.user)} ({each.first_stopped.astimezone(UTC):%Y-%m-%d %H:%M}, "
            f"probability {each.probability:.0%}, stopped by {each.stopped_by}, {each.result_type})"
            for each in known[:_SHOWN_USERS]
        )
        more = len(known) - _SHOWN_USERS
        named += f" and {more} more" if more > 0 else ""
        accounts = _plural(len(known), "account")
        sentences.append(
            f"It may know the password of {accounts}{' more' if entries else ''}, and was stopped: "
            f"{named}. Reset {'it' if len(known) == 1 else 'these'} first."
        )
    return " ".join(sentences)


def _tried(cluster: ClusterStatistics) -> str:
    accounts = _plural(cluster.users, "account")
    if not cluster.invented_names:
        return accounts
    return f"{accounts} (and {_plural(cluster.invented_names, 'name')} without an account)"


def _pace(cluster: ClusterStatistics) -> str:
    pace = cluster.attempts_per_day
    return f"about {pace:,.0f} a day" if pace >= 100 else f"about {pace:.3g} a day"


def _plural(number: int, one: str, many: str | None = None) -> str:
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _shown(value: str) -> str:
    """A value from the log for use in a sentence: quoted, bounded, without control characters."""
    # With quotes of its own, the value could end early and continue in our name.
    printable = "".join(c if c.isprintable() else "?" for c in value.replace('"', "'"))
    if len(printable) > _SHOWN_VALUE_LENGTH:
        printable = printable[:_SHOWN_VALUE_LENGTH] + "..."
    return f'"{printable}"'
