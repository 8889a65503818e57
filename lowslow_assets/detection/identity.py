"""Which campaign a cluster is. A campaign keeps one id, however often and in any order of hunts.

Each hunt numbers its clusters anew. This module compares the kept clusters, the day's *candidates*,
with the campaigns that other hunts knew:

1. **Shared members** decide if the two windows overlap. In the overlap, the side with fewer members
   must have at least 3, and more than half of these must also be members of the other side.
2. **The fingerprint** decides if the overlap holds too few members. Both must repeat the same
   unusual values in two properties or more, and no other campaign and no other candidate may have
   these values.
3. The most similar pairs are taken first, and each side is paired once. The campaign is *continued*
   if it had a candidate in the previous hunt, else *resumed*.
4. A campaign that remains unpaired, but is linked to a candidate, is *merged*: the campaign with
   the earliest attempt keeps its id. The other id is never given to another campaign. If the same
   attempts separate again, they get this id back, so that a model that changes its answer every day
   does not make one new incident per day.
5. A candidate that remains unpaired, but is linked to a campaign, is *split* off it: the more
   similar part, which is the larger one, keeps the id. A candidate that is linked to no campaign is
   *new*.
6. A campaign without a candidate is *quiet*, and is listed for a year.

The id of a new campaign comes from its earliest sign-in, which is the same whichever hunt finds the
campaign first. Hunts may differ in this sign-in, because members and windows change. So a day that
is hunted after later days takes the id that the later days use, by the same rules in the opposite
direction of time.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import count
from typing import Any, Generic, TypeVar
from uuid import UUID, uuid5

from lowslow_assets.detection.patterns import MODEL_PROPERTIES
from lowslow_assets.detection.spray_tests import Invariant, invariants
from lowslow_assets.detection.statistics import FeatureVariation

NEW, CONTINUED, RESUMED, SPLIT = "new", "continued", "resumed", "split"
QUIET, MERGED = "quiet", "merged"

# A sample of this size gives a share to within 6 % (two standard deviations).
SAMPLE_SIZE = 256
MEMORY_DAYS = 365
_MIN_MEMBERS, _MIN_SHARE = 3, 0.5
_MIN_ANOMALOUS_SHARE, _MIN_PROPERTIES = 0.5, 2
_PROPERTY_OF = {
    feature: name for name, features in MODEL_PROPERTIES.items() for feature in features
}
_NAMESPACE = UUID("6f0e3c5a-6a0f-5c3f-9e5a-0b9a4d0c7d11")

Before = TypeVar("Before", str, int)
After = TypeVar("After", str, int)
Key = TypeVar("Key")
Value = TypeVar("Value")


@dataclass(frozen=True)
class Sighting:
    """A campaign as one hunt saw it, by what other hunts recognise it.

    ``sample`` maps the hash of a member's id to its day, for the ``SAMPLE_SIZE`` members with the
    smallest hashes. Two hunts draw the same members, so comparing the samples is like comparing all
    members.
    """

    hunted: date
    first_activity: datetime
    sample: Mapping[int, date]
    fingerprint: Sequence[Invariant]
    merged: bool = False


@dataclass(frozen=True)
class Candidate:
    """A kept cluster of the day that is hunted; ``sample`` as in ``Sighting``."""

    cluster_id: int
    users: int
    first_activity: datetime
    last_activity: datetime
    earliest_signin: str
    attempts_by_day: dict[date, int]
    sample: dict[int, date]
    fingerprint: list[Invariant]


@dataclass(frozen=True)
class Campaign:
    """A campaign as known as of a day; the fields are the columns of the table ``campaigns``."""

    campaign_id: str
    state: str
    cluster_id: int | None
    first_hunted: date
    last_hunted: date
    previous_hunt: date | None
    matched_by: str | None
    first_activity: datetime
    last_activity: datetime
    attempts: int
    new_attempts: int
    users: int
    merged_into: str | None
    split_from: str | None
    fingerprint: list[Invariant]
    attempts_by_day: dict[date, int]
    sample: dict[int, date]

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "Campaign":
        """Made from a row as the lake gives it."""
        plain = {
            "fingerprint": [Invariant(**line) for line in row["fingerprint"]],
            "attempts_by_day": dict(row["attempts_by_day"]),
            "sample": dict(row["sample"]),
        }
        return cls(**{**row, **plain})


@dataclass(frozen=True)
class Descent(Generic[Before, After]):
    """What became of the campaigns before, and where those after come from, by their keys.

    ``continues`` and ``split`` map a key after to one before, ``merged`` maps a key before to one
    after. ``matched_by`` says for each continuation whether members or the fingerprint decided.
    """

    continues: dict[After, Before]
    merged: dict[Before, After]
    split: dict[After, Before]
    matched_by: dict[After, str]


def fingerprint(variation: Iterable[FeatureVariation]) -> list[Invariant]:
    """The values that a cluster keeps repeating and that successes seldom or never show."""
    return invariants(v for v in variation if v.anomalous_share >= _MIN_ANOMALOUS_SHARE)


def follow(
    day: date,
    candidates: Iterable[Candidate],
    earlier: Sequence[tuple[date, Sequence[Campaign]]],
    later: Sequence[tuple[date, Sequence[Campaign]]],
    lookback_days: int,
) -> list[Campaign]:
    """The campaigns known as of ``day``: those with a candidate, oldest first, then the others.

    ``earlier`` and ``later`` are hunts and the campaigns that they knew, the nearest hunt first. A
    previous hunt as of the same day counts as a later one. Only ids are taken from later hunts.
    """
    memory = day - timedelta(days=max(MEMORY_DAYS, lookback_days))
    known = {id_: c for id_, c in _nearest(earlier).items() if c.last_hunted >= memory}
    ahead = {id_: c for id_, c in _nearest(later).items() if c.last_hunted >= day}
    by_age = sorted(candidates, key=lambda c: (c.first_activity, c.cluster_id))
    today = {c.cluster_id: Sighting(day, c.first_activity, c.sample, c.fingerprint) for c in by_age}
    past = descent({id_: _sighting(c) for id_, c in known.items()}, today, lookback_days)
    ids = dict(past.continues)
    future = descent(
        {cluster: sighting for cluster, sighting in today.items() if cluster not in ids},
        {id_: _sighting(c) for id_, c in ahead.items() if id_ not in ids.values()},
        lookback_days,
    )
    ids |= {cluster: id_ for id_, cluster in future.continues.items()}
    for candidate in by_age:
        if candidate.cluster_id not in ids:
            taken = {*known, *ahead, *ids.values()}
            ids[candidate.cluster_id] = _new_id(candidate.earliest_signin, taken)

    last_hunt = earlier[0][0] if earlier else None
    found = []
    for candidate in by_age:
        cluster = candidate.cluster_id
        campaign = _with_candidate(
            ids[cluster],
            candidate,
            before=known.get(ids[cluster]),
            parent=known[past.split[cluster]] if cluster in past.split else None,
            matched_by=past.matched_by.get(cluster),
            hunts=(last_hunt, day),
            window_begin=_window_begin(day, lookback_days),
        )
        found.append(campaign)
    others = [c for id_, c in known.items() if id_ not in ids.values()]
    for campaign in sorted(others, key=lambda c: (c.first_activity, c.campaign_id)):
        cluster = past.merged.get(campaign.campaign_id)
        into = campaign.merged_into if cluster is None else ids[cluster]
        found.append(_without_candidate(campaign, into))
    return found


def descent(
    before: Mapping[Before, Sighting], after: Mapping[After, Sighting], lookback_days: int
) -> Descent[Before, After]:
    """Which sighting continues in which, by the rules above; hunts before precede those after."""
    likeness = {
        (b, a): _likeness(one, other, lookback_days)
        for b, one in before.items()
        for a, other in after.items()
    }

    def most_alike_first(pair: tuple[Before, After]) -> tuple:
        b, a = pair
        return -(likeness[pair] or 0), before[b].first_activity, after[a].first_activity, b, a

    linked = sorted((pair for pair, value in likeness.items() if value), key=most_alike_first)
    continues = _pairs(linked, {})
    most_like = _first(linked)
    for a, b in continues.items():
        left = [x for x, into in most_like.items() if into == a and x not in continues.values()]
        # A campaign that was merged before does not keep its id.
        continues[a] = min(
            [b, *left], key=lambda b: (before[b].merged, before[b].first_activity, b)
        )
    # A campaign that lost its pair may continue in a part that is still unpaired.
    continues = _pairs(linked, continues)
    merged = {b: a for b, a in most_like.items() if b not in continues.values()}
    split = {a: b for a, b in _first((a, b) for b, a in linked).items() if a not in continues}

    same = [
        (b, a)
        for b, a in likeness
        if not (before[b].merged or after[a].merged)
        and same_fingerprint(before[b].fingerprint, after[a].fingerprint)
    ]
    campaigns_before, campaigns_after = Counter(b for b, _ in same), Counter(a for _, a in same)
    matched_by = dict.fromkeys(continues, "members")
    for b, a in same:
        alone = campaigns_before[b] == campaigns_after[a] == 1
        left = b not in merged and b not in continues.values() and a not in {*continues, *split}
        if alone and left and likeness[b, a] is None:
            continues[a] = b
            matched_by[a] = "fingerprint"
    return Descent(continues, merged, split, matched_by)


def _pairs(
    linked: Iterable[tuple[Before, After]], paired: Mapping[After, Before]
) -> dict[After, Before]:
    """Pair the links in their order, if neither side is paired yet."""
    found = dict(paired)
    for b, a in linked:
        if a not in found and b not in found.values():
            found[a] = b
    return found


def _first(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, Value]:
    """Per key the value that comes first with it."""
    found: dict[Key, Value] = {}
    for key, value in pairs:
        found.setdefault(key, value)
    return found


def same_fingerprint(one: Iterable[Invariant], other: Iterable[Invariant]) -> bool:
    """Whether both repeat the same values in two properties or more, and differ in no shared one.

    Browser and operating system are one property, as are country, state and city.
    """
    values = {i.feature: i.value for i in one}
    shared = [i for i in other if i.feature in values]
    properties = {_PROPERTY_OF[i.feature] for i in shared if i.feature in _PROPERTY_OF}
    return len(properties) >= _MIN_PROPERTIES and all(values[i.feature] == i.value for i in shared)


def _likeness(before: Sighting, after: Sighting, lookback_days: int) -> float | None:
    """Jaccard similarity of the members in both windows; 0 if the two are not linked.

    None if the overlap of the windows holds too few members of either to decide.
    """
    begin = _window_begin(after.hunted, lookback_days)
    # A full sample says nothing about members with larger hashes than all of the sample.
    known = min(_largest(before.sample), _largest(after.sample))
    one, other = (
        {h for h, day in s.sample.items() if begin <= day <= before.hunted and h <= known}
        for s in (before, after)
    )
    smaller, shared = min(len(one), len(other)), len(one & other)
    if smaller < _MIN_MEMBERS:
        return None
    return shared / len(one | other) if shared > _MIN_SHARE * smaller else 0.0


def _largest(sample: Mapping[int, date]) -> float:
    return max(sample) if len(sample) >= SAMPLE_SIZE else math.inf


def _window_begin(day: date, lookback_days: int) -> date:
    return day - timedelta(days=lookback_days - 1)


def _nearest(hunts: Iterable[tuple[date, Iterable[Campaign]]]) -> dict[str, Campaign]:
    """Each campaign as the nearest of the hunts knew it, by its id."""
    return _first((c.campaign_id, c) for _, campaigns in hunts for c in campaigns)


def _sighting(campaign: Campaign) -> Sighting:
    return Sighting(
        campaign.last_hunted,
        campaign.first_activity,
        campaign.sample,
        campaign.fingerprint,
        merged=campaign.merged_into is not None,
    )


def _new_id(earliest_signin: str, taken: set[str]) -> str:
    # The id is taken if a campaign continued in another part than the one with its earliest
    # sign-in.
    ids = (str(uuid5(_NAMESPACE, f"{earliest_signin}/{number}")) for number in count())
    return next(id_ for id_ in ids if id_ not in taken)


def _with_candidate(
    campaign_id: str,
    candidate: Candidate,
    before: Campaign | None,
    parent: Campaign | None,
    matched_by: str | None,
    hunts: tuple[date | None, date],
    window_begin: date,
) -> Campaign:
    """A row of today; ``before`` is what it continues, ``parent`` is what it split off.

    ``hunts`` are the days of the last hunt and of today's hunt.
    """
    last_hunt, day = hunts
    since = before or parent
    state, split_from = NEW, None
    if before:
        state = CONTINUED if before.last_hunted == last_hunt else RESUMED
        split_from = before.merged_into or before.split_from
    if parent or (before and before.merged_into):
        state = SPLIT
    # Days before the window as the hunts of that time counted them, days within it as today's does.
    rolled_out = before.attempts_by_day.items() if before else ()
    by_day = {d: n for d, n in rolled_out if d < window_begin} | candidate.attempts_by_day
    return Campaign(
        campaign_id=campaign_id,
        state=state,
        cluster_id=candidate.cluster_id,
        first_hunted=before.first_hunted if before else day,
        last_hunted=day,
        previous_hunt=since.last_hunted if since else None,
        matched_by=matched_by,
        first_activity=min(c.first_activity for c in (candidate, before) if c),
        last_activity=candidate.last_activity,
        attempts=sum(by_day.values()),
        new_attempts=sum(n for d, n in by_day.items() if not since or d > since.last_hunted),
        users=candidate.users,
        merged_into=None,
        split_from=parent.campaign_id if parent else split_from,
        fingerprint=candidate.fingerprint,
        attempts_by_day=by_day,
        sample=candidate.sample,
    )


def _without_candidate(campaign: Campaign, merged_into: str | None) -> Campaign:
    return replace(
        campaign,
        state=MERGED if merged_into else QUIET,
        cluster_id=None,
        previous_hunt=None,
        matched_by=None,
        new_attempts=0,
        merged_into=merged_into,
    )
