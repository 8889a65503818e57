"""Two campaigns at once in one group: each has its own sources, its hours and its accounts.

Campaigns that are anomalous in the same respects may be in one component and in one group. What
tells them apart is that the networks of one of them come at other hours, and try other accounts,
than the networks of the other. Plain NumPy and SciPy on a group's suspects.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lowslow_assets.detection.members import Suspects, hours_of_week
from lowslow_assets.detection.population import Population

# A Bayes factor of 22,000: a campaign that is divided by chance is worse than two in one incident.
_EVIDENCE = 10.0
# The largest come first: an attribute without any evidence says nothing then.
_CONCENTRATIONS = 10.0 ** np.arange(8, -2, -1)
_STARTS, _ROUNDS = 4, 20
_SHUFFLES, _DEVIATIONS, _SEED = 10, 5, 20250630
# Two campaigns come at least on this share of the days on which the one with fewer days comes.
_LEAST_DAYS_AT_ONCE = 0.5


def first_of_two(suspects: Suspects, population: Population) -> np.ndarray:
    """Whether each suspect is of the first of two campaigns, shape (n,); all true if it is one.

    Each network belongs to one of the campaigns. The hours (apart for weekends) and the accounts of
    a campaign are Dirichlet-multinomial around base weights, with the concentration that fits it
    best. Two campaigns are assumed if their likelihood exceeds that of one by strong evidence, and
    so much that it pays for the choice of a campaign for each network (log 2 each).

    A campaign may use each network for one session at one hour only. So the evidence must also
    stand out from what is found if the sessions, which are a network's attempts of one day, are
    dealt out among the networks at random. And parts that come on different days may be one
    campaign that has changed.
    """
    together = np.ones(len(suspects), dtype=bool)
    network = np.unique(suspects.network, return_inverse=True)[1]
    networks = int(network.max()) + 1
    if networks < 2:
        return together
    attributes = [
        _Attribute.of(*hours_of_week(suspects)),
        _Attribute.of(suspects.user, np.full(len(suspects), 1 / max(population.accounts, 1))),
    ]
    gain, first = _divide(attributes, network)
    if gain - networks * np.log(2) < _EVIDENCE or not _at_once(suspects.day, first):
        return together
    by_chance = [_divide(attributes, shuffled)[0] for shuffled in _shuffled(network, suspects.day)]
    return first if gain > np.mean(by_chance) + _DEVIATIONS * np.std(by_chance) else together


@dataclass(frozen=True, eq=False)
class _Attribute:
    """The value of each suspect as a number, shape (n,); the base weight of each value, (v,)."""

    codes: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, values: np.ndarray, weights: np.ndarray) -> "_Attribute":
        """``weights`` are those of the values of each suspect, shape (n,)."""
        _, first, codes = np.unique(values, return_index=True, return_inverse=True)
        return cls(codes, weights[first])


def _divide(attributes: Sequence[_Attribute], network: np.ndarray) -> tuple[float, np.ndarray]:
    """The best division found: log-likelihood ratio of two to one, and who is of the first."""
    best, division = 0.0, np.ones(len(network), dtype=bool)
    undivided = _log_likelihood(attributes, division)
    alike = [_alike_in_network(attribute, network) for attribute in attributes]
    sizes = np.bincount(network)
    # Each of the most used networks against all others.
    for largest in np.argsort(-sizes, kind="stable")[:_STARTS]:
        first = network == largest
        for _ in range(_ROUNDS):
            before = first
            ratio = np.zeros(len(network))
            for attribute, own in zip(attributes, alike, strict=True):
                ratio += _log_ratio(attribute, own, sizes[network], first)
                ratio -= _log_ratio(attribute, own, sizes[network], ~first)
            first = np.bincount(network, ratio)[network] > 0
            if (first == before).all() or first.all() or not first.any():
                break
        gain = _log_likelihood(attributes, first) + _log_likelihood(attributes, ~first) - undivided
        if gain > best:
            best, division = gain, first
    return best, division


def _alike_in_network(attribute: _Attribute, network: np.ndarray) -> np.ndarray:
    """How many suspects in each suspect's network have its value, shape (n,)."""
    _, pair, number = np.unique(
        network * len(attribute.weights) + attribute.codes,
        return_inverse=True,
        return_counts=True,
    )
    return number[pair]


def _log_ratio(
    attribute: _Attribute, alike: np.ndarray, size: np.ndarray, members: np.ndarray
) -> np.ndarray:
    """Log of a campaign's probability of each value over its base weight, shape (n,).

    It is learned from the campaign's ``members`` in other networks than the suspect's, in which
    ``alike`` of ``size`` suspects have its value.
    """
    codes, weights = attribute.codes, attribute.weights[attribute.codes]
    same_value = np.bincount(codes[members], minlength=len(attribute.weights))[codes]
    others = same_value - np.where(members, alike, 0)
    number = members.sum() - np.where(members, size, 0)
    concentration, _ = _best_fit(attribute, members)
    return np.log((others + concentration * weights) / (number + concentration) / weights)


def _log_likelihood(attributes: Sequence[_Attribute], members: np.ndarray) -> float:
    """Log-likelihood of a campaign over that of the base weights."""
    return sum(_best_fit(attribute, members)[1] for attribute in attributes)


def _best_fit(attribute: _Attribute, members: np.ndarray) -> tuple[float, float]:
    """The concentration that fits a campaign best, and its log-likelihood over the base weights.

    The Dirichlet-multinomial (Pólya) distribution is as in Minka, Estimating a Dirichlet
    distribution, 2000.
    """
    # SciPy's special functions take half a second to import.
    from scipy.special import gammaln

    counts = np.bincount(attribute.codes[members], minlength=len(attribute.weights))
    counts, weights = counts[counts > 0], attribute.weights[counts > 0]
    a, n = _CONCENTRATIONS, int(members.sum())
    base = a[:, None] * weights
    of_values = (gammaln(counts + base) - gammaln(base) - counts * np.log(weights)).sum(axis=1)
    fits = of_values + gammaln(a) - gammaln(n + a)
    best = int(fits.argmax())
    return float(a[best]), float(fits[best])


def _at_once(day: np.ndarray, first: np.ndarray) -> bool:
    """Whether at least half of the days of the part with fewer days are days of both."""
    days, others = np.unique(day[first]), np.unique(day[~first])
    both = np.isin(days, others).sum()
    return bool(both >= _LEAST_DAYS_AT_ONCE * min(len(days), len(others)))


def _shuffled(network: np.ndarray, day: np.ndarray) -> Iterator[np.ndarray]:
    """The networks of the suspects with sessions dealt out anew."""
    pairs, session = np.unique(
        np.stack([network, day.astype(np.int64)]), axis=1, return_inverse=True
    )
    random = np.random.default_rng(_SEED)
    for _ in range(_SHUFFLES):
        yield random.permutation(pairs[0])[session]
