"""Which suspects of a component belong to one campaign, by what the anomaly mask does not say.

A component holds all suspects that are anomalous in the same respects: a campaign, and stray
failures that happen to look like it. The campaign has habits (its hours, its days, its accounts,
its tools); strays have none. Plain NumPy and pandas on one component's suspects.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

_CONCENTRATIONS = 10.0 ** np.arange(-1, 5)
_STRAYS_AT_FIRST, _FEWEST_STRAYS, _MOST_STRAYS = 0.1, 0.01, 0.5
_ROUNDS = 10
_MIN_PROBABILITY = 0.5
# A device that a tool repeats makes this share of a component, and no other a tenth of it.
_KIT_SHARE, _RIVAL_SHARE = 0.15, 0.1


@dataclass(frozen=True)
class Population:
    """What strays are spread over: accounts of the tenant, days of the window."""

    accounts: int
    days: int


def campaign_members(
    suspects: pd.DataFrame, population: Population, components: int, least_probability: float
) -> pd.DataFrame:
    """The suspects of one component that belong to its campaign, or to its two.

    Adds ``cluster_id``: the component, or that plus the number of ``components`` for a second
    campaign in it. ``assignment_probability`` comes in as the mask's and goes out as the
    suspect's own, at least ``least_probability``.
    """
    # In an order of its own: sums in another order end in other last digits.
    in_order = suspects.sort_values("signin_id", ignore_index=True)
    parts = split_by_kit(in_order)
    found = []
    for part in np.unique(parts):
        cluster = in_order.loc[parts == part].reset_index(drop=True)
        probability = member_probability(cluster, population)
        cluster["assignment_probability"] *= probability
        cluster["cluster_id"] = (cluster["component"] + part * components).astype("int32")
        belongs = cluster["assignment_probability"] >= least_probability
        found.append(cluster[belongs & (probability >= _MIN_PROBABILITY)])
    return pd.concat(found).drop(columns="odd_device")


def split_by_kit(suspects: pd.DataFrame) -> np.ndarray:
    """Part 1 where one odd device repeats itself among others that are odd as well, else 0.

    Two sprays that are anomalous in the same respects are one component. One that always shows
    the same odd device differs from one that makes up another each time. ``suspects`` have the
    columns browser, operatingSystem and odd_device (bool); the result has shape (n,).
    """
    odd = suspects["odd_device"].to_numpy(bool)
    device = _device(suspects)
    names, counts = np.unique(device[odd], return_counts=True)
    if not len(names):
        return np.zeros(len(suspects), dtype=int)
    kit = odd & (device == names[counts.argmax()])
    rest, *rivals = sorted(counts, reverse=True)
    repeats = min(kit.sum(), (~kit).sum()) >= _KIT_SHARE * len(suspects)
    alone = not rivals or rivals[0] < _RIVAL_SHARE * rest
    splits = repeats and alone and odd[~kit].mean() >= _MIN_PROBABILITY
    return (kit & splits).astype(int)


def _device(suspects: pd.DataFrame) -> np.ndarray:
    return (suspects["browser"] + "\0" + suspects["operatingSystem"]).to_numpy(str)


def member_probability(suspects: pd.DataFrame, population: Population) -> np.ndarray:
    """Probability, shape (n,), that each suspect is the campaign's and not a stray.

    A two-class naive Bayes model, fitted to the suspects themselves. A stray's account, day and
    hour are uniform over the tenant's, its tools uniform over the cluster's. A campaign's are
    Dirichlet-multinomial around the same: with c other members of the n that share a value of
    weight w, ``p = (c + a w) / (n + a)``, the concentration a being the one that predicts the
    members best, each from the others (leave-one-out). Where a campaign has no habit, a is large
    and the attribute says nothing.

    ``suspects`` have the columns user, time_generated (UTC), AppDisplayName, ClientAppUsed,
    browser, operatingSystem, ip_address.
    """
    attributes = _attributes(suspects, population)
    members = np.ones(len(suspects), dtype=bool)
    stray_share = _STRAYS_AT_FIRST
    probability = np.ones(len(suspects))
    for _ in range(_ROUNDS):
        evidence = sum(_log_ratio(codes, weights, members) for codes, weights in attributes)
        prior = np.log((1 - stray_share) / stray_share)
        probability = 1 / (1 + np.exp(-(prior + evidence)))
        stray_share = float(np.clip((1 - probability).mean(), _FEWEST_STRAYS, _MOST_STRAYS))
        before, members = members, probability >= _MIN_PROBABILITY
        if (members == before).all():
            break
    return probability


def _attributes(
    suspects: pd.DataFrame, population: Population
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Per attribute the value of each suspect as a number, and the weight of that value."""
    time = suspects["time_generated"].dt
    weekend = time.weekday >= 5
    uniform = [
        (suspects["user"], 1 / population.accounts),
        (time.floor("D"), 1 / population.days),
        (time.hour + 24 * weekend, np.where(weekend, 2, 5) / 7 / 24),
    ]
    tools = [
        suspects["AppDisplayName"],
        suspects["ClientAppUsed"],
        _device(suspects),
        suspects["ip_address"].str.contains(":", regex=False, na=False),
    ]
    found = [(_codes(values), np.broadcast_to(w, len(suspects))) for values, w in uniform]
    for values in tools:
        codes = _codes(values)
        found.append((codes, np.full(len(suspects), 1 / (codes.max() + 1))))
    return found


def _codes(values: pd.Series | np.ndarray) -> np.ndarray:
    return np.unique(np.asarray(values), return_inverse=True)[1]


def _log_ratio(codes: np.ndarray, weights: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Log of a campaign's probability of each value over a stray's, shape (n,)."""
    others = np.bincount(codes[members], minlength=codes.max() + 1)[codes] - members
    size = members.sum() - members
    a = _CONCENTRATIONS[:, None]
    ratios = np.log((others + a * weights) / (size + a) / weights)
    return ratios[ratios[:, members].sum(axis=1).argmax()]
