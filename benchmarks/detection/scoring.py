"""Scores of a detector's alerts on a tenant of which everything is known.

The same few questions are asked of every detector, ours and others'. Was a planted spray found? How
much of it is in one alert, and how much else is in this alert? How soon was the spray seen? Which
accounts are named as possibly compromised, or as having a known password? How many alerts are
false? For our detector, the forecasts also show whether its probabilities are correct.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple

import pandas as pd

ENOUGH = 3
"""Failures of a campaign that an alert must hold to count as its first detection."""


_ATTEMPTS = ("spray_failure", "spray_stopped")


@dataclass(frozen=True)
class Alert:
    """One incident, as an analyst would open it.

    signins: ids of its failed sign-ins.
    raised: the first day (UTC) at whose end the alert exists.
    accounts: the possibly compromised accounts, likeliest first, in lower case as in the labels.
    known: the accounts whose password is reported as known, though something stopped the sign-in.
    """

    signins: frozenset[str]
    raised: date
    accounts: tuple[str, ...] = ()
    known: tuple[str, ...] = ()


@dataclass(frozen=True)
class Trial:
    """One detector on one tenant: the origin of a row of results."""

    scenario: str
    seed: int
    detector: str


@dataclass(frozen=True)
class CampaignRow:
    """The result of a detector for one planted campaign.

    The *best* alert is the one with the most of the campaign's failures, among the alerts that are
    mostly the campaign's or, if there are none, among all alerts.

    failures: failed sign-ins of the campaign.
    rate: attempts per day as planted, averaged over a week in which the campaign is active.
    sources: the kind of the campaign's sources, as planted.
    found: the best alert is mostly the campaign's and holds at least half of its failures.
    share: share of the campaign's failures that the best alert holds; 0 without an alert.
    purity: share of the best alert's sign-ins that are the campaign's; None without an alert.
    share_in_any: share of its failures that are in any alert, pure or not.
    first_day: day, counted from 1 on the day of its first attempt, at whose end an alert that is
        mostly the campaign's and holds at least `ENOUGH` of its failures is there first; None if
        never.
    """

    trial: Trial
    campaign: str
    failures: int
    found: bool
    share: float
    purity: float | None
    share_in_any: float
    first_day: int | None
    rate: float | None = None
    sources: str | None = None


@dataclass(frozen=True)
class TenantRow:
    """The result of a detector for one tenant.

    alerts: how many alerts the detector raised.
    false_alerts: the alerts in which under half of the sign-ins belong to any planted spray.
    burst_alerts: the false alerts that are mostly a brute-force burst: an attack, but not of the
    kind that is looked for.
    planted, found: campaigns in the tenant, and those found.
    merged: one alert holds at least half of each of two campaigns.
    compromised: distinct accounts that any campaign compromised.
    named, named_right: distinct accounts named by any alert, and those of them that were
    compromised.
    known: distinct accounts whose right password a campaign had, but which no campaign compromised,
    because something else stopped the sign-in.
    known_named, known_right: distinct accounts whose password any alert reports as known, and those
    of them for which this is true.
    """

    trial: Trial
    alerts: int
    false_alerts: int
    burst_alerts: int
    planted: int
    found: int
    merged: bool
    compromised: int
    named: int
    named_right: int
    known: int
    known_named: int
    known_right: int


class Forecast(NamedTuple):
    """A probability that a hunt gave, whether the hunt named its object, and whether it is true."""

    probability: float
    named: bool
    true: bool


@dataclass(frozen=True)
class Judged:
    """A hunt's judgement of everything that it could have named.

    clusters: for each cluster its confidence, whether it became an incident, and its sign-ins.
    compromised, known: by account, in lower case, the highest probability that a campaign
    compromised it, and that a campaign had its password and was stopped.
    """

    clusters: list[tuple[float, bool, frozenset[str]]]
    compromised: dict[str, float]
    known: dict[str, float]


@dataclass(frozen=True)
class Forecasts:
    """The forecasts of compromised accounts, of known passwords, and of campaigns."""

    compromised: list[Forecast] = field(default_factory=list)
    known: list[Forecast] = field(default_factory=list)
    campaigns: list[Forecast] = field(default_factory=list)


@dataclass(frozen=True)
class _Content:
    """An alert and its sign-ins that count: how many, which per campaign, how many of bursts."""

    alert: Alert
    size: int
    members: dict[str, frozenset[str]]
    bursts: int

    def held(self, campaign: str) -> int:
        """Failures of a campaign in the alert."""
        return len(self.members.get(campaign, ()))

    def purity(self, campaign: str) -> float:
        """Share of the alert that belongs to a campaign."""
        return self.held(campaign) / self.size if self.size else 0.0

    def mostly(self, campaign: str) -> bool:
        """Whether at least half of the alert belongs to a campaign."""
        return self.size > 0 and 2 * self.held(campaign) >= self.size

    @property
    def false(self) -> bool:
        """Whether under half of the alert belongs to any campaign."""
        return self.size == 0 or 2 * sum(map(len, self.members.values())) < self.size


def score(
    trial: Trial, alerts: Sequence[Alert], labels: pd.DataFrame
) -> tuple[list[CampaignRow], TenantRow]:
    """The rows of one detector on one tenant: one per planted campaign, and one for the tenant.

    ``labels`` has one row per attempt of the window (failed, stopped or refused), and one per
    success of a spray: signin_id, time, label, campaign ("" for none), user and outcome. Only
    attempts count: other sign-ins of an alert count neither for nor against it.
    """
    contents = _contents(alerts, labels)
    planted = _failures(labels)
    began = first_attempts(labels)
    rows = [
        _campaign_row(trial, name, count, contents, began[name])
        for name, count in sorted(planted.items())
    ]
    compromised = _users(labels, "spray_success")
    known = _users(labels, "spray_stopped") - compromised
    return rows, _tenant_row(trial, contents, planted, compromised, known, rows)


def first_attempts(labels: pd.DataFrame) -> dict[str, date]:
    """The day (UTC) of each planted campaign's first attempt."""
    first = _of_sprays(labels).groupby("campaign")["time"].min()
    return {str(name): time.date() for name, time in first.items()}


def forecasts(judged: Judged, alerts: Sequence[Alert], labels: pd.DataFrame) -> Forecasts:
    """A hunt's probabilities, with what is true.

    A forecast of a compromised account is true if any campaign compromised it. A forecast of a
    known password is true if a campaign had it and was stopped, and no campaign compromised the
    account. A forecast of a cluster is true if at least half of the cluster belongs to planted
    campaigns.
    """
    compromised = _users(labels, "spray_success")
    known = _users(labels, "spray_stopped") - compromised
    truth = _truth(labels)
    return Forecasts(
        _of_accounts(judged.compromised, [alert.accounts for alert in alerts], compromised),
        _of_accounts(judged.known, [alert.known for alert in alerts], known),
        [
            Forecast(confidence, kept, not _content(Alert(signins, date.max), truth).false)
            for confidence, kept, signins in judged.clusters
        ],
    )


def _of_accounts(
    given: Mapping[str, float], named: Sequence[Sequence[str]], true: frozenset[str]
) -> list[Forecast]:
    anywhere = frozenset(account for accounts in named for account in accounts)
    return [
        Forecast(probability, account in anywhere, account in true)
        for account, probability in sorted(given.items())
    ]


def _attempts(labels: pd.DataFrame) -> pd.DataFrame:
    return labels.query("outcome not in ('success', 'other')")


def _of_sprays(labels: pd.DataFrame) -> pd.DataFrame:
    return _attempts(labels).query("label in @_ATTEMPTS")


def _failures(labels: pd.DataFrame) -> dict[str, int]:
    """The number of failures of each planted campaign."""
    return dict(Counter(_of_sprays(labels)["campaign"].tolist()))


def _users(labels: pd.DataFrame, label: str) -> frozenset[str]:
    """The accounts of sign-ins with a label."""
    return frozenset(labels.loc[labels["label"] == label, "user"].tolist())


def _contents(alerts: Sequence[Alert], labels: pd.DataFrame) -> list[_Content]:
    truth = _truth(labels)
    return [_content(alert, truth) for alert in alerts]


def _truth(labels: pd.DataFrame) -> dict[str, tuple[str, str]]:
    """Label and campaign of each sign-in that counts."""
    in_play = _attempts(labels)
    columns = (in_play[name].tolist() for name in ("signin_id", "label", "campaign"))
    return {signin: (label, campaign) for signin, label, campaign in zip(*columns, strict=True)}


def _content(alert: Alert, truth: Mapping[str, tuple[str, str]]) -> _Content:
    in_play = [signin for signin in alert.signins if signin in truth]
    members: dict[str, set[str]] = {}
    for signin in in_play:
        label, campaign = truth[signin]
        if label in _ATTEMPTS:
            members.setdefault(campaign, set()).add(signin)
    bursts = sum(truth[signin][0] == "burst" for signin in in_play)
    frozen = {campaign: frozenset(signins) for campaign, signins in members.items()}
    return _Content(alert, len(in_play), frozen, bursts)


def _campaign_row(
    trial: Trial,
    campaign: str,
    failures: int,
    contents: Sequence[_Content],
    began: date,
) -> CampaignRow:
    own = [content for content in contents if content.mostly(campaign)]
    best = max(own or contents, key=lambda content: content.held(campaign), default=None)
    held = best.held(campaign) if best else 0
    raised = [content.alert.raised for content in own if content.held(campaign) >= ENOUGH]
    anywhere = frozenset[str]().union(*(c.members.get(campaign, ()) for c in contents))
    return CampaignRow(
        trial=trial,
        campaign=campaign,
        failures=failures,
        found=bool(own) and 2 * held >= failures,
        share=held / failures,
        purity=best.purity(campaign) if best else None,
        share_in_any=len(anywhere) / failures,
        first_day=(min(raised) - began).days + 1 if raised else None,
    )


def _tenant_row(
    trial: Trial,
    contents: Sequence[_Content],
    planted: dict[str, int],
    compromised: frozenset[str],
    known: frozenset[str],
    rows: Sequence[CampaignRow],
) -> TenantRow:
    false = [content for content in contents if content.false]
    named = frozenset(account for content in contents for account in content.alert.accounts)
    known_named = frozenset(account for content in contents for account in content.alert.known)
    return TenantRow(
        trial=trial,
        alerts=len(contents),
        false_alerts=len(false),
        burst_alerts=sum(0 < content.size <= 2 * content.bursts for content in false),
        planted=len(planted),
        found=sum(row.found for row in rows),
        merged=any(_holds_two(content, planted) for content in contents),
        compromised=len(compromised),
        named=len(named),
        named_right=len(named & compromised),
        known=len(known),
        known_named=len(known_named),
        known_right=len(known_named & known),
    )


def _holds_two(content: _Content, planted: dict[str, int]) -> bool:
    """Whether the alert holds at least half of each of two campaigns."""
    return sum(2 * content.held(name) >= count for name, count in planted.items()) >= 2
