"""One campaign, one id: the rules on small cases, and on random histories in any order."""

import hashlib
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowslow_assets.detection.identity import (
    CONTINUED,
    MERGED,
    NEW,
    QUIET,
    RESUMED,
    SAMPLE_SIZE,
    SPLIT,
    Campaign,
    Candidate,
    fingerprint,
    follow,
    same_fingerprint,
)
from lowslow_assets.detection.spray_tests import Invariant
from lowslow_assets.detection.statistics import FeatureVariation

START = date(2026, 1, 1)
HUNTS_ASKED = 7
TOOL = {"AppDisplayName": "Azure CLI", "browser": "Hydra 9", "operatingSystem": "Plan9"}


@dataclass(frozen=True, order=True)
class Attempt:
    """The n-th attempt of a spray on a day, counted from ``START``."""

    day: int
    number: int
    spray: str

    @property
    def signin_id(self) -> str:
        return f"{self.spray}/{self.day}/{self.number}"

    @property
    def hash(self) -> int:
        return hash_of(self.signin_id)

    @property
    def date(self) -> date:
        return on(self.day)

    @property
    def time(self) -> datetime:
        return datetime.combine(self.date, time(), UTC) + timedelta(minutes=self.number)


@cache
def hash_of(signin_id: str) -> int:
    return int.from_bytes(hashlib.sha256(signin_id.encode()).digest()[:8], signed=True)


def on(day: int) -> date:
    return START + timedelta(days=day)


def attempts(spray: str, days: Iterable[int], a_day: int = 5) -> list[Attempt]:
    return [Attempt(day, number, spray) for day in days for number in range(a_day)]


def repeated(values: Mapping[str, str]) -> list[Invariant]:
    return [Invariant(feature, value, 1.0) for feature, value in values.items()]


def candidate(
    cluster_id: int, members: Sequence[Attempt], values: Mapping[str, str] | None = None
) -> Candidate:
    by_hash = sorted(members, key=lambda attempt: attempt.hash)[:SAMPLE_SIZE]
    by_day = Counter(attempt.day for attempt in members)
    return Candidate(
        cluster_id=cluster_id,
        users=len(members),
        first_activity=min(members).time,
        last_activity=max(members).time,
        earliest_signin=min(members).signin_id,
        attempts_by_day={on(day): number for day, number in sorted(by_day.items())},
        sample={attempt.hash: attempt.date for attempt in by_hash},
        fingerprint=repeated(values or {}),
    )


@dataclass
class Hunts:
    """The partitions of the table, made one after the other."""

    lookback_days: int = 60
    known: dict[int, list[Campaign]] = field(default_factory=dict)

    def hunt(self, day: int, *candidates: Candidate) -> list[Campaign]:
        """Make a day, or make it again, with all other days that exist."""
        there = sorted(self.known)
        earlier = [(on(d), self.known[d]) for d in reversed(there) if d < day]
        later = [(on(d), self.known[d]) for d in there if d >= day]
        self.known[day] = follow(
            on(day), candidates, earlier[:HUNTS_ASKED], later[:HUNTS_ASKED], self.lookback_days
        )
        return self.known[day]

    def of_members(self, day: int, *clusters: Sequence[Attempt]) -> list[Campaign]:
        """The same with the members of each cluster that the window holds."""
        begin = day - self.lookback_days + 1
        seen = [[a for a in members if begin <= a.day <= day] for members in clusters]
        return self.hunt(day, *(candidate(i, members) for i, members in enumerate(seen)))

    def ids(self, day: int) -> list[str]:
        """The campaigns' ids in the order of their clusters."""
        active = {c.cluster_id: c.campaign_id for c in self.known[day] if c.cluster_id is not None}
        return [active[cluster] for cluster in sorted(active)]


def states(campaigns: Iterable[Campaign]) -> list[str]:
    return [campaign.state for campaign in campaigns]


def test_ninety_daily_hunts_over_three_sprays_know_three_campaigns() -> None:
    hunts = Hunts(lookback_days=60)
    sprays = [attempts("a", range(100)), attempts("b", range(20, 75)), attempts("c", range(60, 99))]
    for day in range(9, 99):
        hunts.of_members(day, *(s for s in sprays if s[0].day + 9 <= day <= s[-1].day + 30))
    found = hunts.known[98]
    assert states(found) == [CONTINUED] * 3
    assert {c.campaign_id for day in hunts.known for c in hunts.known[day]} == {
        c.campaign_id for c in found
    }
    assert [c.first_hunted for c in found] == [on(9), on(29), on(69)]
    # Those that have left the window count, too.
    assert [c.attempts for c in found] == [99 * 5, 55 * 5, 39 * 5]
    assert [c.new_attempts for c in found] == [5, 0, 5]
    assert found[0].first_activity == sprays[0][0].time


def test_what_is_new_is_counted_from_the_hunt_before_whatever_is_missing_in_between() -> None:
    hunts = Hunts()
    spray = attempts("a", range(40))
    [first] = hunts.of_members(10, spray)
    assert (first.state, first.previous_hunt, first.matched_by) == (NEW, None, None)
    assert (first.attempts, first.new_attempts) == (55, 55)
    [second] = hunts.of_members(18, spray)
    assert (second.state, second.previous_hunt, second.matched_by) == (
        CONTINUED,
        on(10),
        "members",
    )
    assert (second.attempts, second.new_attempts) == (95, 40)
    assert second.campaign_id == first.campaign_id


def test_ids_are_the_same_in_every_lake() -> None:
    # Cases in other systems are named by the ids, so a release does not change them.
    [found] = Hunts().of_members(10, attempts("a", range(11)))
    assert found.campaign_id == "a7283d67-e54f-5cc7-8b9c-f9687a7cf885"


def test_a_merge_keeps_the_older_id_and_gives_the_other_back_if_it_comes_apart() -> None:
    hunts = Hunts()
    small, large = attempts("a", range(40), a_day=2), attempts("b", range(1, 40))
    old, young = hunts.of_members(10, small, large)
    together, other = hunts.of_members(11, small + large)
    assert (together.campaign_id, together.state) == (old.campaign_id, CONTINUED)
    assert (other.campaign_id, other.state) == (young.campaign_id, MERGED)
    assert (other.merged_into, other.cluster_id, other.new_attempts) == (old.campaign_id, None, 0)
    assert states(hunts.of_members(12, small + large)) == [CONTINUED, MERGED]
    apart = hunts.of_members(13, large, small)
    assert [(c.campaign_id, c.state, c.merged_into, c.split_from) for c in apart] == [
        (old.campaign_id, CONTINUED, None, None),
        (young.campaign_id, SPLIT, None, old.campaign_id),
    ]
    assert apart[1].previous_hunt == on(10)
    assert states(hunts.of_members(14, small, large)) == [CONTINUED, CONTINUED]


def test_a_split_keeps_the_id_with_the_larger_part() -> None:
    hunts = Hunts()
    small, large = attempts("a", range(40), a_day=2), attempts("b", range(1, 40))
    [whole] = hunts.of_members(10, small + large)
    part, rest = hunts.of_members(11, small, large)
    assert (rest.campaign_id, rest.state) == (whole.campaign_id, CONTINUED)
    # It holds the sign-in that the id was made from, and the id is taken.
    assert part.campaign_id != whole.campaign_id
    assert (part.state, part.split_from, part.previous_hunt) == (SPLIT, whole.campaign_id, on(10))
    assert part.new_attempts == 2
    again = hunts.of_members(12, small, large)
    assert states(again) == [CONTINUED, CONTINUED]
    assert [c.campaign_id for c in again] == [part.campaign_id, rest.campaign_id]
    assert [c.split_from for c in again] == [whole.campaign_id, None]


def test_a_campaign_without_a_candidate_is_quiet_and_resumes_under_its_id() -> None:
    hunts = Hunts()
    spray = attempts("a", [*range(10), *range(30, 40)])
    [first] = hunts.of_members(10, spray)
    [quiet] = hunts.of_members(20)
    assert (quiet.state, quiet.cluster_id, quiet.last_hunted) == (QUIET, None, on(10))
    assert (quiet.attempts, quiet.new_attempts) == (50, 0)
    [back] = hunts.of_members(34, spray)
    assert (back.campaign_id, back.state) == (first.campaign_id, RESUMED)
    assert (back.previous_hunt, back.new_attempts) == (on(10), 25)


@pytest.mark.parametrize(
    "later",
    [TOOL, TOOL | {"Location": "NL"}],
    ids=["the same", "and more"],
)
def test_beyond_the_window_the_fingerprint_decides(later: dict[str, str]) -> None:
    hunts = Hunts(lookback_days=20)
    [first] = hunts.hunt(10, candidate(0, attempts("a", range(10)), TOOL))
    hunts.hunt(11)
    [back] = hunts.hunt(200, candidate(3, attempts("b", range(190, 200)), later))
    assert (back.campaign_id, back.state) == (first.campaign_id, RESUMED)
    assert back.matched_by == "fingerprint"
    assert (back.attempts, back.new_attempts) == (100, 50)
    assert back.first_activity == first.first_activity


@pytest.mark.parametrize(
    "later",
    [TOOL | {"browser": "Hydra 10"}, {"browser": "Hydra 9", "operatingSystem": "Plan9"}, {}],
    ids=["another tool", "one property", "nothing unusual"],
)
def test_another_fingerprint_is_another_campaign(later: dict[str, str]) -> None:
    hunts = Hunts(lookback_days=20)
    hunts.hunt(10, candidate(0, attempts("a", range(10)), TOOL))
    found = hunts.hunt(200, candidate(3, attempts("b", range(190, 200)), later))
    assert states(found) == [NEW, QUIET]


def test_within_the_window_members_alone_decide() -> None:
    hunts = Hunts(lookback_days=60)
    hunts.hunt(10, candidate(0, attempts("a", range(10)), TOOL))
    found = hunts.hunt(20, candidate(0, attempts("b", range(3, 20)), TOOL))
    assert states(found) == [NEW, QUIET]


def test_a_fingerprint_that_two_campaigns_have_decides_nothing() -> None:
    def spray(name: str, days: Iterable[int], cluster_id: int = 0) -> Candidate:
        return candidate(cluster_id, attempts(name, days), TOOL)

    hunts = Hunts(lookback_days=10)
    hunts.hunt(10, spray("a", range(3, 10)), spray("b", range(3, 10), cluster_id=1))
    assert states(hunts.hunt(40, spray("c", range(33, 40)))) == [NEW, QUIET, QUIET]
    hunts = Hunts(lookback_days=10)
    hunts.hunt(10, spray("a", range(3, 10)))
    two = spray("b", range(33, 40)), spray("c", range(33, 40), cluster_id=1)
    assert sorted(states(hunts.hunt(40, *two))) == [NEW, NEW, QUIET]


def test_sprays_that_alternate_with_one_tool_stay_apart() -> None:
    hunts = Hunts(lookback_days=30)
    weeks = {"a": [*range(7), *range(14, 21)], "b": [*range(7, 14), *range(21, 28)]}
    for day in range(13, 28):
        seen = [[x for x in attempts(name, weeks[name]) if x.day <= day] for name in "ab"]
        found = hunts.hunt(day, *(candidate(i, members, TOOL) for i, members in enumerate(seen)))
        assert len(found) == 2
        assert hunts.ids(day) == hunts.ids(13)


def test_a_few_members_in_common_do_not_make_one_of_two() -> None:
    hunts = Hunts()
    one, other = attempts("a", range(40)), attempts("b", range(5, 40))
    before = hunts.of_members(10, one, other)
    strays = one[:20]
    after = hunts.of_members(11, one[20:], other + strays)
    assert states(after) == [CONTINUED, CONTINUED]
    assert {c.campaign_id for c in after} == {c.campaign_id for c in before}
    assert hunts.ids(11) == hunts.ids(10)


def test_a_campaign_is_forgotten_a_year_after_its_last_candidate() -> None:
    hunts = Hunts()
    hunts.of_members(10, attempts("a", range(10)))
    for day in range(11, 376):
        [campaign] = hunts.of_members(day)
        assert campaign.state == QUIET
    assert hunts.of_members(376) == []


def test_a_large_campaign_is_recognised_by_its_sample() -> None:
    hunts = Hunts(lookback_days=10)
    large, small = attempts("a", range(30), a_day=200), attempts("b", range(30), a_day=2)
    for day in range(10, 20):
        assert len(hunts.of_members(day, large, small)) == 2
    assert hunts.ids(19) == hunts.ids(10)
    assert len(hunts.known[19][0].sample) == SAMPLE_SIZE
    assert hunts.known[19][0].attempts == 19 * 200
    of_tenth, rest = large[::10], [a for i, a in enumerate(large) if i % 10]
    found = hunts.of_members(20, of_tenth, rest, small)
    assert hunts.ids(20)[1:] == hunts.ids(19)
    assert sorted(states(found)) == [CONTINUED, CONTINUED, SPLIT]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"AppDisplayName": "x", "city": "y"}, {"AppDisplayName": "x", "city": "y"}, True),
        ({"AppDisplayName": "x", "city": "y"}, {"AppDisplayName": "x", "city": "z"}, False),
        ({"AppDisplayName": "x", "city": "y"}, {"AppDisplayName": "x", "state": "y"}, False),
        # One property, given twice.
        ({"browser": "x", "operatingSystem": "y"}, {"browser": "x", "operatingSystem": "y"}, False),
        ({"displayName": "x", "city": "y"}, {"displayName": "x", "city": "y"}, False),
        (TOOL | {"city": "y"}, TOOL | {"city": "z"}, False),
        ({}, {}, False),
    ],
)
def test_same_fingerprint(one: dict[str, str], other: dict[str, str], same: bool) -> None:
    assert same_fingerprint(repeated(one), repeated(other)) == same
    assert same_fingerprint(repeated(other), repeated(one)) == same


def test_the_fingerprint_is_what_is_repeated_and_unusual() -> None:
    def feature(name: str, top_share: float, anomalous_share: float) -> FeatureVariation:
        return FeatureVariation(0, name, 2, 0.5, 1.0, 0.5, anomalous_share, "x", top_share)

    found = fingerprint(
        [feature("browser", 0.99, 0.99), feature("displayName", 1, 0), feature("city", 0.9, 1)]
    )
    assert found == [Invariant("browser", "x", 0.99)]


# --- Histories in any order -------------------------------------------------------------------


@dataclass(frozen=True)
class History:
    """Sprays, and which of their attempts a hunt sees: some are missed, some are misplaced."""

    sprays: list[list[Attempt]]
    days: list[int]
    seed: int
    finds_the_first: bool
    lookback_days: int = 30
    fewest: int = 20
    days_as_one: frozenset[int] = frozenset()

    def candidates(self, day: int) -> list[tuple[int, Candidate]]:
        """The sprays that are candidates of a day's hunt, by their number."""
        chance = random.Random(f"{self.seed}/{day}")
        members: list[list[Attempt]] = [[] for _ in self.sprays]
        for number, spray in enumerate(self.sprays):
            for attempt in spray:
                seen = day - self.lookback_days < attempt.day <= day
                draw, stray_to = chance.random(), chance.randrange(len(self.sprays))
                if self.finds_the_first and attempt == spray[0]:
                    draw = 1.0
                if draw < 0.03 and self.finds_the_first:
                    # Not to a campaign whose first attempt it would be.
                    stray_to = stray_to if attempt > self.sprays[stray_to][0] else number
                if seen and not 0.03 <= draw < 0.1:
                    members[stray_to if draw < 0.03 else number].append(attempt)
        if day in self.days_as_one:
            members = [[attempt for found in members for attempt in found]]
        return [(n, candidate(n, found)) for n, found in enumerate(members) if self._kept(found)]

    def _kept(self, members: Sequence[Attempt]) -> bool:
        return len(members) >= self.fewest

    def hunted(self, order: Iterable[int], hunts: Hunts | None = None) -> Hunts:
        """The lake after hunts in this order."""
        hunts = hunts or Hunts(self.lookback_days)
        for day in order:
            hunts.hunt(day, *(found for _, found in self.candidates(day)))
        return hunts

    def ids(self, hunts: Hunts) -> dict[tuple[int, int], str]:
        """The id by day and spray."""
        return {
            (day, spray): id_
            for day in self.days
            for (spray, _), id_ in zip(self.candidates(day), hunts.ids(day), strict=True)
        }


@st.composite
def histories(draw: st.DrawFn, finds_the_first: bool, lookback_days: int = 30) -> History:
    sprays = []
    for name in "abc"[: draw(st.integers(1, 3))]:
        begin, length = draw(st.integers(0, 8)), draw(st.integers(6, 24))
        sprays.append(attempts(name, range(begin, begin + length), draw(st.integers(4, 6))))
    days = draw(st.lists(st.integers(5, 29), min_size=1, max_size=12, unique=True))
    return History(sprays, sorted(days), draw(st.integers()), finds_the_first, lookback_days)


@settings(max_examples=150, deadline=None)
@given(histories(finds_the_first=True), st.randoms(use_true_random=False))
def test_hunted_in_any_order_the_ids_are_those_of_hunts_in_order(
    history: History, chance: random.Random
) -> None:
    in_order = history.ids(history.hunted(history.days))
    shuffled = chance.sample(history.days, len(history.days))
    assert history.ids(history.hunted(shuffled)) == in_order
    # One id per spray.
    sprays = {spray for _, spray in in_order}
    assert len({(spray, id_) for (_, spray), id_ in in_order.items()}) == len(sprays)
    assert len(set(in_order.values())) == len(sprays)


@settings(max_examples=150, deadline=None)
@given(histories(finds_the_first=False), st.randoms(use_true_random=False))
def test_where_hunts_miss_the_first_attempt_each_spray_still_has_one_id(
    history: History, chance: random.Random
) -> None:
    shuffled = chance.sample(history.days, len(history.days))
    ids = history.ids(history.hunted(shuffled))
    sprays = {spray for _, spray in ids}
    assert len({(spray, id_) for (_, spray), id_ in ids.items()}) == len(set(ids.values()))
    assert len(set(ids.values())) == len(sprays)


@settings(max_examples=100, deadline=None)
@given(histories(finds_the_first=False), st.sets(st.integers(6, 29)))
def test_hunts_that_take_all_sprays_for_one_now_and_then_do_not_confuse_them(
    history: History, as_one: set[int]
) -> None:
    # If each spray is a candidate and was one before, a spray known as one has one id only.
    days = [d for d in history.days if len(history.candidates(d)) == len(history.sprays)]
    history = replace(history, days=days, days_as_one=frozenset(as_one - {*days[:1]}))
    ids = history.ids(history.hunted(days))
    apart = {(spray, id_) for (day, spray), id_ in ids.items() if day not in history.days_as_one}
    assert len(apart) == len({spray for spray, _ in apart}) == len({id_ for _, id_ in apart})


@settings(max_examples=100, deadline=None)
@given(histories(finds_the_first=False, lookback_days=10), st.randoms(use_true_random=False))
def test_hunted_again_nothing_changes(history: History, chance: random.Random) -> None:
    hunts = history.hunted(history.days)
    before = dict(hunts.known)
    history.hunted(chance.choices(history.days, k=10), hunts)
    assert hunts.known == before


@st.composite
def wild_days(draw: st.DrawFn) -> list[tuple[int, list[list[Attempt]]]]:
    """Hunts that group the same attempts in ever different ways."""
    pool = attempts("a", range(20), a_day=3)
    days = draw(st.lists(st.integers(5, 29), min_size=1, max_size=8))
    found = []
    for day in days:
        chance = random.Random(draw(st.integers()))
        clusters: list[list[Attempt]] = [[] for _ in range(draw(st.integers(1, 4)))]
        # Blocks of days that belong together, so that there are splits and merges, and some noise.
        blocks = {block: chance.randrange(len(clusters)) for block in range(5)}
        for attempt in pool:
            noise = chance.random() < 0.1
            where = chance.randrange(len(clusters)) if noise else blocks[attempt.day // 4]
            if attempt.day <= day:
                clusters[where].append(attempt)
        found.append((day, [members for members in clusters if members]))
    return found


@settings(max_examples=200, deadline=None)
@given(wild_days())
def test_whatever_clusters_do_no_id_is_used_twice_or_lost(
    history: list[tuple[int, list[list[Attempt]]]],
) -> None:
    hunts = Hunts()
    for day, clusters in history:
        found = hunts.hunt(day, *(candidate(i, members) for i, members in enumerate(clusters)))
        ids = [c.campaign_id for c in found]
        assert len(set(ids)) == len(ids)
        active = [c for c in found if c.cluster_id is not None]
        assert {c.cluster_id for c in active} == set(range(len(clusters)))
        for campaign in found:
            assert (campaign.merged_into is not None) == (campaign.state == MERGED)
            assert (campaign.cluster_id is None) == (campaign.state in (QUIET, MERGED))
            assert campaign.merged_into is None or campaign.merged_into in ids
            assert campaign.campaign_id not in (campaign.merged_into, campaign.split_from)
            assert campaign.last_hunted <= on(day)
            assert (campaign.last_hunted == on(day)) == (campaign in active)
        # What the hunt before knew is still listed.
        before = [d for d in hunts.known if d < day]
        if before:
            assert {c.campaign_id for c in hunts.known[max(before)]} <= set(ids)
