"""Signs that a cluster's attempts come from one attacker, and are not strays.

Strays are failures that are unrelated to each other: noise of the internet, and people who mistype
in odd places. They come at random times, on random accounts, each from its own source. The attempts
of an attacker who works through a list of accounts look different. Each sign is something that
strays show only by chance, with the probability of that chance.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

import numpy as np

from lowslow_assets.detection.list_order import followed_again, one_after_the_other
from lowslow_assets.detection.members import Suspects, shares_prefix, weekday
from lowslow_assets.detection.population import Population
from lowslow_assets.detection.statistics import ClusterSize

REPEATED_SHARE = 0.3
"""This share of unrelated attempts may have one tool, or one network."""
BOTS_SHARE = 0.4
"""This share of unrelated attempts may share a prefix: each bot tries several accounts."""
LEAST_LISTED_SHARE = 0.3
"""This share of a group's attempts must be on accounts in the order of a list."""
MIN_ATTEMPTS = 12
"""With fewer attempts, only their number is a sign."""
BEGINNING_AND_END = "beginning and end"
HOURS_OF_THE_DAY, DAYS_OFF = "hours of the day", "days off"
"""Signs in when the attempts come that people's habits show as well."""
_MIN_STEADY_SPAN_DAYS = 20
# With more events per place than this on average, no place stays empty anyway.
_ALL_BUT_SURE = 20
_HOURS_A_BLOCK = 4
_DAYS_OFF = 2
_BURST = np.timedelta64(24, "h")
_LEAST_OF_USUAL, _LEAST_EXPECTED = 0.1, 5
_SHARES_OF_NOISE = (0.0, 0.25, 0.5, 0.75, 1.0)
# With fewer days on which each account is tried, on average, random tries are equal, too.
_LEAST_TRIES = 1.5
# At that least, the rate has converged to three digits.
_ROUNDS = 20


@dataclass(frozen=True)
class Sign:
    """One thing that strays hardly ever do; ``explanation`` is for an analyst."""

    name: str
    p_value: float
    explanation: str


def lasting_signs(
    signs_of: Callable[[Suspects, np.datetime64 | None], Iterable[Sign]], members: Suspects
) -> list[Sign]:
    """The signs of at least one attempt, each with the larger of two p-values.

    One is of all members, the other is of those outside of the busiest 24 hours; it is 1 if these
    do not show the sign at all. A burst among strays is conspicuous in many ways, but what remains
    without it is not. A campaign stays conspicuous. Of equally busy 24 hours, the earliest count.
    ``signs_of`` takes attempts, and when the 24 hours begin that were left out of them, if any.
    """
    times = np.sort(members.time)
    ends = np.searchsorted(times, times + _BURST, side="right")
    begin = times[(ends - np.arange(len(times))).argmax()]
    others = members.at((members.time < begin) | (members.time > begin + _BURST))
    without = {sign.name: sign.p_value for sign in signs_of(others, begin)} if len(others) else {}
    return [
        replace(sign, p_value=max(sign.p_value, without.get(sign.name, 1.0)))
        for sign in signs_of(members, None)
    ]


def signs_of_size(
    size: ClusterSize, honest_strays_a_day: float, noise_a_day: float
) -> Iterator[Sign]:
    """Signs in the number of attempts, and in how they are spread over the days.

    Strays are the failures of honest people, and the noise of the internet at an assumed rate.
    """
    strays = (noise_a_day + honest_strays_a_day) * size.span_days
    yield Sign(
        "number",
        at_least(size.failures, strays),
        f"{size.failures:,} attempts in {size.span_days} days; strays would be about {strays:,.0f}",
    )
    if size.failures >= MIN_ATTEMPTS and size.span_days >= _MIN_STEADY_SPAN_DAYS:
        idle = size.span_days * (1 - 1 / size.span_days) ** size.failures
        yield Sign(
            "steady days",
            occupancy_p_value(size.failures, size.span_days, size.active_days),
            f"active on {size.active_days} of {size.span_days} days; strays would leave out "
            f"{idle:.0f}",
        )


def signs_of_members(
    members: Suspects,
    among: Suspects,
    population: Population,
    left_out: np.datetime64 | None = None,
    taken: Collection[int] = (),
    outsiders: bool = False,
) -> Iterator[Sign]:
    """Signs in what the attempts try, when, from where and with which tool.

    The members were chosen from the suspects ``among`` for what they repeat. So a repeated source
    or tool counts by its share of all suspects in ``among``. If members were left out from the time
    ``left_out`` on, what lies between those before and those after it is no gap. On the days
    ``taken`` (since 1970), strays may have been taken for members of another campaign, so beginning
    and end are those on the other days. ``outsiders``: some attempts may be of people at the wrong
    door. They try their own names, which no account has, at their own hours.
    """
    if len(members) < MIN_ATTEMPTS:
        return
    daily = _one_per_account_and_day(members)
    users, tries = np.unique(daily.user, return_counts=True)
    if tries.sum() >= _LEAST_TRIES * len(users):
        yield Sign(
            "equal tries",
            _dispersion_p_value(tries),
            f"each of {len(users):,} accounts is tried on {tries.min():,} to {tries.max():,} days; "
            "random tries would vary more",
        )
    yield from _signs_of_habits(members, population, left_out, taken, outsiders)
    yield from _signs_of_order(daily)
    yield from _signs_of_repetition(members, len(among))


def _signs_of_habits(
    members: Suspects,
    population: Population,
    left_out: np.datetime64 | None,
    taken: Collection[int],
    outsiders: bool,
) -> Iterator[Sign]:
    """Signs that what outsiders do may show as well: each names its own account, at similar times.

    If there may be ``outsiders``, each sign has the larger of two p-values: one is of all members,
    the other is of those on accounts; it is 1 if these are too few.
    """
    without = dict[str, float]()
    on_accounts = members.at(~members.invented)
    if outsiders and len(on_accounts) >= MIN_ATTEMPTS:
        habits = _signs_of_habits(on_accounts, population, left_out, taken, outsiders=False)
        without = {sign.name: sign.p_value for sign in habits}
    daily = _one_per_account_and_day(members)
    for sign in (
        _even_accounts(members, population),
        *_signs_of_time(daily, population, left_out, taken),
    ):
        least = without.get(sign.name, 1.0) if outsiders else 0.0
        yield replace(sign, p_value=max(sign.p_value, least))


def _even_accounts(members: Suspects, population: Population) -> Sign:
    n, users = len(members), len(np.unique(members.user))
    accounts = max(population.accounts, users)
    again = n - accounts * (1 - (1 - 1 / accounts) ** n)
    return Sign(
        "even accounts",
        occupancy_p_value(n, accounts, users),
        f"{n - users:,} of {n:,} attempts try an account again; strays would {again:,.0f} times",
    )


def _signs_of_order(members: Suspects) -> Iterator[Sign]:
    """``members`` are at most one attempt per account and day."""
    from scipy import stats

    # Devices that try at their time of each day, and bots, repeat their pairs: each counts once.
    if pairs := {(account, following) for account, following, _ in one_after_the_other(members)}:
        rises = sum(account < following for account, following in pairs)
        yield Sign(
            "sorted names",
            # In a random order, rises vary less: what follows a name that is late in the alphabet
            # is more likely before it.
            float(stats.binom.sf(rises - 1, len(pairs), 0.5)),
            f"in {rises:,} of {len(pairs):,} pairs of accounts that are tried one after the other, "
            f"the second is later in the alphabet; of strays, in {len(pairs) / 2:,.0f}",
        )
    if followed := followed_again(members):
        same = {account for account, is_same in followed.items() if is_same}
        tries = Counter(members.user.tolist())
        by_chance = _chance_to_be_followed_again(tries, followed)
        of_group = sum(tries[account] for account in same) >= LEAST_LISTED_SHARE * len(members)
        yield Sign(
            "same order",
            float(stats.binom.sf(len(same) - 1, len(followed), by_chance)) if of_group else 1.0,
            f"{len(same):,} of {len(followed):,} accounts are followed by the same account when "
            f"they are tried again; of strays, {len(followed) * by_chance:,.0f}",
        )


def _chance_to_be_followed_again(tries: Mapping[str, int], accounts: Iterable[str]) -> float:
    """How probable it is that one account follows an account twice, if the order is random.

    The mean over ``accounts``. Another account follows as often as its share of the ``tries`` of
    accounts that are tried more than once.
    """
    again = np.array([number for number in tries.values() if number > 1], float)
    own = np.array([tries[account] for account in accounts], float)
    return float((((again**2).sum() - own**2) / (again.sum() - own) ** 2).mean())


def _signs_of_repetition(members: Suspects, among: int) -> Iterator[Sign]:
    """``among`` is the number of suspects from which the members were chosen."""
    n = len(members)
    from_shared = shares_prefix(members)
    yield Sign(
        "own sources",
        _share_p_value(from_shared.sum(), among, BOTS_SHARE),
        f"{from_shared.sum():,} of {n:,} attempts come from address prefixes that try several "
        "accounts",
    )
    of_device = _most_frequent(members.device, members.odd_device)
    of_tool = _most_frequent(members.device, members.odd_device | members.odd_agent)
    # A prefix is no network.
    numbered = np.char.startswith(members.network.astype(str), "AS")
    of_network = _most_frequent(members.network, members.odd_network & numbered)
    for name, repeated, shown, share in (
        (
            "one tool",
            "show the same device, which the tenant hardly has",
            of_device,
            REPEATED_SHARE,
        ),
        # Noise of the internet has few products of user agents, but it has no sources of its own.
        (
            "own sources and tool",
            "are made with the same tool, which the tenant hardly has, and come from address "
            "prefixes that try several accounts",
            of_tool & from_shared,
            BOTS_SHARE * REPEATED_SHARE,
        ),
        (
            "one network",
            "come from one network, which the tenant hardly has",
            of_network,
            REPEATED_SHARE,
        ),
    ):
        if shown.any():
            yield Sign(
                name,
                _share_p_value(shown.sum(), among, share),
                f"{shown.sum():,} of {n:,} attempts {repeated}",
            )


def _most_frequent(values: np.ndarray, odd: np.ndarray) -> np.ndarray:
    """Which attempts are odd with the most frequent of the odd values, shape (n,)."""
    counts = Counter(values[odd].tolist())
    most = max(counts, key=lambda value: (counts[value], value), default=None)
    return odd & (values == most)


def _signs_of_time(
    members: Suspects,
    population: Population,
    left_out: np.datetime64 | None,
    taken: Collection[int],
) -> Iterator[Sign]:
    """``members`` are at most one attempt per account and day."""
    from scipy import stats

    n = len(members)
    yield _beginning_and_end(members, population, taken)
    times = np.sort(members.time)
    gaps = np.diff(times.astype("datetime64[ms]").astype(np.float64))
    if left_out is not None:
        gaps = gaps[(times[1:] < left_out) | (times[:-1] > left_out)]
    # Attempts that all come at one time have no gaps.
    if gaps.any():
        variation = float(gaps.std() / gaps.mean())
        yield Sign(
            "even gaps",
            # For exponential gaps it is 1, with standard error 1 / sqrt(n).
            float(stats.norm.sf((1 - variation) * np.sqrt(len(gaps)))),
            f"gaps between attempts vary by {variation:.0%} of their mean; those of strays by "
            "about 100%",
        )
    hours = ((members.time - members.day) // np.timedelta64(1, "h")).astype(np.int64)
    by_block = np.bincount(hours // _HOURS_A_BLOCK, minlength=24 // _HOURS_A_BLOCK)
    fullest = int(by_block.argmax())
    yield Sign(
        HOURS_OF_THE_DAY,
        _differs(by_block, _usual_blocks(population)),
        f"{by_block[fullest] / n:.0%} of attempts between {fullest * _HOURS_A_BLOCK}:00 and "
        f"{(fullest + 1) * _HOURS_A_BLOCK}:00 UTC",
    )
    yield from _days_off(members, population)


def _beginning_and_end(members: Suspects, population: Population, taken: Collection[int]) -> Sign:
    free = members.at(~np.isin(members.day.astype(np.int64), [*taken]))
    users, days = len(np.unique(free.user)), free.day.astype(np.int64)
    within = set(range(days.min(), days.max() + 1)) if users else set[int]()
    within -= set(taken)
    free_days = population.days - len(taken)
    usual = {d: n for d, n in _usual_days(population, free.user).items() if d not in taken}
    of_people = sum(usual.get(day, 0.0) for day in within)
    share = max(len(within) / max(free_days, 1), of_people / (sum(usual.values()) or np.inf))
    share = min(share, 1.0) if users else 1.0
    return Sign(
        BEGINNING_AND_END,
        # The distribution of the range of uniform variables, one per account: strays on the same
        # account depend on each other.
        min(users * share ** (users - 1) - (users - 1) * share**users, 1.0),
        f"all within {len(within)} of {free_days} days"
        + (" without another campaign" if taken else ""),
    )


def _one_per_account_and_day(members: Suspects) -> Suspects:
    """The first attempt on each account on each day: those that follow depend on it."""
    ordered = members.at(np.lexsort((members.signin_id, members.time)))
    pairs = np.array([ordered.user.astype(str), ordered.day.astype(str)])
    _, first = np.unique(pairs, axis=1, return_index=True)
    return ordered.at(np.sort(first))


def _usual_days(population: Population, users: np.ndarray) -> dict[int, float]:
    """How active these accounts usually are on each day (since 1970), by the tenant's successes.

    An account is there from its first success to its last one: people who come with a merger, or
    leave with the end of a term, fail only then. Nothing is known of one that never succeeds.
    """
    changes, epoch = Counter[int](), date(1970, 1, 1)
    for user in np.unique(users):
        if known := population.known.get(user):
            changes[(known.first_day - epoch).days] += 1
            changes[(known.last_day - epoch).days + 1] -= 1
    successes = Counter[int]()
    for hour, number in population.successes.items():
        successes[(hour.date() - epoch).days] += number
    return {
        day: float(number) * sum(change for at, change in changes.items() if at <= day)
        for day, number in successes.items()
    }


def _days_off(members: Suspects, population: Population) -> Iterator[Sign]:
    """Whether the attempts come on the two days of the week on which people succeed least."""
    from scipy import stats

    usual = np.zeros(7)
    for hour, successes in population.successes.items():
        usual[hour.weekday()] += successes
    if not usual.any():
        return
    off = np.argsort(usual, kind="stable")[:_DAYS_OFF]
    days = members.day.astype(np.int64)
    is_off = np.isin(weekday(days), off)
    span = np.arange(days.min(), days.max() + 1)
    share = max(np.isin(weekday(span), off).mean(), usual[off].sum() / usual.sum())
    yield Sign(
        DAYS_OFF,
        float(stats.binom.sf(is_off.sum() - 1, len(days), share)),
        f"{is_off.mean():.0%} of attempts on the two days of the week with the fewest successes",
    )


def _usual_blocks(population: Population) -> np.ndarray:
    """The tenant's successes in each block of hours."""
    blocks = np.zeros(24 // _HOURS_A_BLOCK)
    for hour, successes in population.successes.items():
        blocks[hour.hour // _HOURS_A_BLOCK] += successes
    return blocks


def _differs(counts: np.ndarray, usual: np.ndarray) -> float:
    """Probability that strays are spread so: noise evenly, and people's as their successes are.

    It is the largest p-value of chi-square tests against mixtures of both.
    """
    from scipy import stats

    # Chi-square is valid if each bin expects enough events, so neighbouring bins are added up.
    blocks = min(len(counts), int(counts.sum()) // _LEAST_EXPECTED)
    if blocks < 2:
        return 1.0
    edges = np.arange(blocks) * len(counts) // blocks
    found = np.add.reduceat(counts, edges)
    # A night has hardly any success, but an attempt in it is not impossible.
    people = usual + usual.mean() * _LEAST_OF_USUAL if usual.any() else np.ones(len(counts))
    of_noise, of_people = (
        np.add.reduceat(e, edges) / e.sum() * found.sum() for e in (np.ones(len(counts)), people)
    )
    expected = [w * of_noise + (1 - w) * of_people for w in _SHARES_OF_NOISE]
    return max(float(stats.chisquare(found, e).pvalue) for e in expected)


def _share_p_value(number: int, of: int, share: float) -> float:
    from scipy import stats

    return float(stats.binom.sf(number - 1, of, share))


def _dispersion_p_value(counts: np.ndarray) -> float:
    """Probability that random events are spread at least as evenly over these places.

    The lower tail of Fisher's index of dispersion (Fisher, Thornton and Mackenzie, The accuracy of
    the plating method of estimating the density of bacterial populations, Annals of Applied Biology
    9, 1922). A place without an event is not among ``counts``, so the variance is that of a Poisson
    distribution without zeros, m (1 + rate - m) with m = rate / (1 - exp(-rate)). Whole numbers of
    a given sum differ by at least 2 in the sum of their squares, and the correction for continuity
    is half of that: equal counts are not impossible.
    """
    from scipy import stats

    mean = rate = counts.mean()
    if len(counts) < 2 or mean <= 1:
        return 1.0
    for _ in range(_ROUNDS):
        rate = mean * -np.expm1(-rate)
    squares = ((counts - mean) ** 2).sum() + 1
    return float(stats.chi2.cdf(squares / (mean * (1 + rate - mean)), len(counts) - 1))


def at_least(events: int, expected: float) -> float:
    """Probability of ``events`` or more if ``expected`` are expected (Poisson)."""
    # This takes half a second to import, so it is imported when there is a cluster.
    from scipy.special import pdtrc

    return float(pdtrc(events - 1, expected)) if events > 0 else 1.0


def occupancy_p_value(events: int, places: int, occupied: int) -> float:
    """Probability that randomly scattered events fall on at least ``occupied`` places.

    The classical occupancy distribution (Feller, An Introduction to Probability Theory and Its
    Applications I, section IV.2), computed by adding one event after the other. It needs no
    assumption about the number of strays.
    """
    most = min(events, places)
    probability = np.zeros(most + 1)
    probability[0] = 1.0
    again = np.arange(most + 1) / max(places, 1)
    for _ in range(min(events, _ALL_BUT_SURE * places)):
        probability[1:] = probability[1:] * again[1:] + probability[:-1] * (1 - again[:-1])
        probability[0] = 0.0
    return float(min(probability[occupied:].sum(), 1.0))
