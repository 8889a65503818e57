"""Which suspects of a component belong to one campaign, by what the anomaly mask does not show.

A component holds all suspects that are anomalous in the same respects: a campaign, and stray
failures that happen to look like it. The campaign has habits (its hours, its days, its accounts,
its tools); strays have none. Plain NumPy on one component's suspects.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from lowslow_assets.detection.masks import mask_bits
from lowslow_assets.detection.patterns import MODEL_PROPERTIES
from lowslow_assets.detection.population import Population
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import sql, transform
from lowslow_assets.lake.tables import (
    CLUSTER_MEMBERS,
    NODATA,
    SUSPECT_FAILURES,
)
from lowslow_assets.signins.outcomes import INVENTED_NAMES

MIN_MEMBER_PROBABILITY = 0.5
ACCOUNTS_OF_PREFIX = 3
"""A prefix from which so many accounts are tried is shared by the attempts."""
VISIT = np.timedelta64(1, "h")
"""Attempts on an account from one prefix that are at most so far apart are one visit."""
_CONCENTRATIONS = 10.0 ** np.arange(-1, 5)
_STRAYS_AT_FIRST, _FEWEST_STRAYS, _MOST_STRAYS = 0.1, 0.01, 0.95
_ROUNDS = 10
# A Bayes factor of 150: Kass and Raftery, Bayes Factors, JASA 90, 1995. With less, a campaign of
# two halves that differ in nothing else would be divided by chance.
_STRONG_EVIDENCE = 5.0
# Strays are always denser in some part of the window. In 54 simulated sets of 40 to 1,500 strays,
# starts from such parts gained up to 15, and 21 where one prefix of a campaign had three attempts.
_DECISIVE_EVIDENCE = 30.0
# Parts of a window: from a week on, each longer than the one before by the same factor.
_PARTS_IN_DAYS = tuple(round(7 * 2 ** (half / 2)) for half in range(17))
# What a campaign repeats has at least this share of the suspects among which it is looked for.
_CORE_SHARE = 0.15
_APPLICATION, _DEVICE, _NETWORK = (
    list(MODEL_PROPERTIES).index(name) for name in ("application", "device", "network")
)
# So many prefixes are in use that two strays hardly ever share one.
_PREFIXES = 10_000


@dataclass(frozen=True, eq=False)
class Suspects:
    """Attempts to be judged: arrays of shape (n,), texts as objects, times in UTC.

    ``pattern`` holds the bits on which the model was fitted. ``odd`` has shape (n,
    len(MODEL_PROPERTIES)) and says whether each attempt is anomalous in each property. An address
    can be None. ``invented`` says whether the name has no account.
    """

    signin_id: np.ndarray
    time: np.ndarray
    user: np.ndarray
    invented: np.ndarray
    ip_address: np.ndarray
    ip_prefix: np.ndarray
    network: np.ndarray
    country: np.ndarray
    application: np.ndarray
    client: np.ndarray
    browser: np.ndarray
    operating_system: np.ndarray
    agent: np.ndarray
    pattern: np.ndarray
    odd: np.ndarray

    @classmethod
    def of(cls, rows: pa.Table) -> "Suspects":
        """From rows of ``suspect_failures``, in their order."""

        def column(name: str) -> np.ndarray:
            return rows.column(name).to_numpy()

        pattern = column("pattern")
        return cls(
            signin_id=column("signin_id"),
            time=column("time_generated"),
            user=column("user"),
            invented=np.isin(column("result_type"), INVENTED_NAMES),
            ip_address=column("ip_address"),
            ip_prefix=column("ip_prefix"),
            network=column("network"),
            country=column("Location"),
            application=column("AppDisplayName"),
            client=column("ClientAppUsed"),
            browser=column("browser"),
            operating_system=column("operatingSystem"),
            agent=column("agent"),
            pattern=pattern,
            odd=mask_bits(pattern.tolist(), len(MODEL_PROPERTIES)),
        )

    def __len__(self) -> int:
        return len(self.signin_id)

    def at(self, chosen: np.ndarray) -> "Suspects":
        """The suspects at some positions, or where an array of booleans is true."""
        return Suspects(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    @property
    def device(self) -> np.ndarray:
        """What each attempt claims to be: browser and operating system, or else an agent."""
        # A plain "\0" would become a NumPy text, which has no zeros at its end.
        between = np.array("\0", object)
        return self.browser + between + self.operating_system + between + self.agent

    @property
    def odd_device(self) -> np.ndarray:
        """Whether each attempt's browser or system is anomalous in the tenant, and it names one.

        A client that does not say what it is may be anything.
        """
        return self._has_device & self.odd[:, _DEVICE]

    @property
    def odd_agent(self) -> np.ndarray:
        """Whether each attempt has an agent, which it has instead of a device, and it is odd."""
        return (self.agent != NODATA) & self.odd[:, _DEVICE]

    @property
    def tool(self) -> np.ndarray:
        """What each attempt is made with: its device or agent, else its application."""
        return np.where(self._named, self.device, "\0" + self.application)

    @property
    def odd_tool(self) -> np.ndarray:
        """Whether each attempt's tool is anomalous in the tenant, and known."""
        silent = ~self._named & (self.application != NODATA) & self.odd[:, _APPLICATION]
        return self.odd_device | self.odd_agent | silent

    @property
    def _has_device(self) -> np.ndarray:
        return np.array((self.browser != NODATA) | (self.operating_system != NODATA), bool)

    @property
    def _named(self) -> np.ndarray:
        return self._has_device | (self.agent != NODATA)

    @property
    def odd_network(self) -> np.ndarray:
        """Whether each attempt's network is anomalous in the tenant."""
        return self.odd[:, _NETWORK]

    @property
    def day(self) -> np.ndarray:
        """The day of each attempt."""
        return self.time.astype("datetime64[D]")


ASSIGNED = schema("pattern int, cluster_id int, assignment_probability double")
"""Patterns with the cluster that all failures of the pattern belong to."""


@transform(
    CLUSTER_MEMBERS.schema,
    failures=SUSPECT_FAILURES.schema,
    assigned=ASSIGNED,
)
def members_by_pattern(failures: Relation, assigned: Relation) -> Relation:
    """Rows of ``cluster_members``: the failures whose pattern is assigned to a cluster.

    ``failures`` have the columns of ``suspect_failures``.
    """
    return sql(
        """
        SELECT
            _failures.signin_id,
            _assigned.cluster_id,
            _assigned.assignment_probability,
            _failures.time_generated,
            _failures."user",
            _failures.outcome,
            _failures.result_type,
            _failures.mask,
            _failures.ip_address,
            _failures.ip_prefix,
            _failures.latitude,
            _failures.longitude,
            _failures.AppDisplayName,
            _failures.ClientAppUsed,
            _failures.browser,
            _failures.displayName,
            _failures.operatingSystem,
            _failures.network,
            _failures.Location,
            _failures.state,
            _failures.city,
            _failures.agent
        FROM {failures} AS _failures
        JOIN {assigned} AS _assigned ON _assigned.pattern = _failures.pattern
        """,
        failures=failures,
        assigned=assigned,
    )


def first_of_visits(suspects: Suspects) -> np.ndarray:
    """The position of the first attempt of each suspect's visit, shape (n,).

    A visit consists of attempts on one account from one prefix, each at most VISIT after the one
    before. They depend on each other: a person mistypes more than once, and an attacker may try
    several passwords in a row. An attempt without a known prefix is its own visit. Of attempts at
    the same time, the first is the one with the smallest id.
    """
    prefix = _prefixes(suspects)
    order = np.lexsort((suspects.signin_id, suspects.time, prefix, suspects.user))
    user, prefix, time = suspects.user[order], prefix[order], suspects.time[order]
    begins = np.ones(len(order), dtype=bool)
    begins[1:] = (user[1:] != user[:-1]) | (prefix[1:] != prefix[:-1]) | (np.diff(time) > VISIT)
    visit = np.cumsum(begins) - 1
    first = np.empty(len(order), dtype=int)
    first[order] = order[begins][visit]
    return first


def member_probability(suspects: Suspects, population: Population) -> np.ndarray:
    """Probability, shape (n,), that each suspect is the campaign's and not a stray.

    A two-class naive Bayes model, fitted to the suspects themselves. Every attribute has base
    weights: accounts are equally likely, prefixes are hardly ever shared, and so on. A stray's day
    and hour have the base weights. Its other values are learned from the other strays: if c of n
    share a value of weight w, then ``p = (c + 1) / (n + 1 / w)``. The values of a campaign are
    Dirichlet-multinomial around base weights: if c of the n other members share a value of weight
    w, then ``p = (c + a w) / (n + a)``. The concentration a is the one that predicts the members
    best, each from the others (leave-one-out). If a campaign has no habit, a is large and the
    attribute has no influence.

    Applications and devices are counted among the suspects with the same client, because they
    depend on it. The model is fitted from several starts: all suspects as members, and the suspects
    that share what a campaign may repeat. A later start's fit is taken only if strong evidence
    prefers it (see ``_cores``). Sums in another order differ in their last digits, so the result is
    the one of this order of suspects.
    """
    if not len(suspects):
        return np.zeros(0)
    attributes = _attributes(suspects, population)
    best, probability = -np.inf, np.zeros(len(suspects))
    # One tool from one network is one start, although both repeat.
    for core, evidence in {core.tobytes(): (core, e) for core, e in _cores(suspects)}.values():
        fit, found = _fit_members(attributes, core)
        if fit > best + evidence:
            best, probability = fit, found
    return probability


@dataclass(frozen=True, eq=False)
class _Attribute:
    """The value of each suspect as a number, and that value's base weight: arrays of shape (n,).

    ``given``: a value depends on the number here, so it is counted among the suspects with the same
    one; ``codes`` of other suspects differ. ``of_strays``: the weights of strays are learned from
    the strays; else strays have the base weights.
    """

    codes: np.ndarray
    weights: np.ndarray
    given: np.ndarray
    of_strays: bool


def _fit_members(attributes: list[_Attribute], members: np.ndarray) -> tuple[float, np.ndarray]:
    """Log-likelihood of the mixture over that of the base weights, and the probabilities."""
    stray_share = min(max((~members).mean(), _STRAYS_AT_FIRST), _MOST_STRAYS)
    fit, probability = 0.0, np.ones(len(members))
    for _ in range(_ROUNDS):
        campaign = sum(_campaigns_log_ratio(attribute, members) for attribute in attributes)
        stray = sum(_strays_log_ratio(attribute, members) for attribute in attributes)
        campaign, stray = campaign + np.log(1 - stray_share), stray + np.log(stray_share)
        fit = float(np.logaddexp(campaign, stray).sum())
        probability = 1 / (1 + np.exp(stray - campaign))
        stray_share = float(np.clip((1 - probability).mean(), _FEWEST_STRAYS, _MOST_STRAYS))
        before, members = members, probability >= MIN_MEMBER_PROBABILITY
        if (members == before).all():
            break
    return fit, probability


def _cores(suspects: Suspects) -> Iterator[tuple[np.ndarray, float]]:
    """Which suspects may be a campaign's members at first: booleans of shape (n,).

    All of them, and those that have in common what a campaign may repeat: they are within the part
    of the window with most of them, or share prefixes, or have one value. Such a campaign is found
    even if it is a small part of the suspects. With each start comes the evidence that it needs.
    """
    yield np.ones(len(suspects), dtype=bool), _STRONG_EVIDENCE
    for cores, evidence in (
        (_dense_parts(suspects), _DECISIVE_EVIDENCE),
        (_repeating(suspects), _STRONG_EVIDENCE),
    ):
        for core in cores:
            if _CORE_SHARE <= core.mean() < 1:
                yield core, evidence


def _repeating(suspects: Suspects) -> Iterator[np.ndarray]:
    yield shares_prefix(suspects)
    for values in (suspects.application, suspects.client, suspects.device, suspects.network):
        names, counts = np.unique(values, return_counts=True)
        # There may be as many values as suspects.
        for name in names[counts / len(values) >= _CORE_SHARE]:
            yield values == name


def _dense_parts(suspects: Suspects) -> Iterator[np.ndarray]:
    days = suspects.day.astype(np.int64)
    in_order = np.sort(days)
    for length in _PARTS_IN_DAYS:
        within = np.searchsorted(in_order, in_order + length) - np.arange(len(days))
        begin = in_order[within.argmax()]
        yield (days >= begin) & (days < begin + length)


def shares_prefix(suspects: Suspects) -> np.ndarray:
    """Whether each attempt's prefix is one from which at least two other accounts are tried."""
    prefix = _prefixes(suspects)
    pairs = np.unique(np.array([prefix, suspects.user.astype(str)]), axis=1)
    prefixes, accounts = np.unique(pairs[0], return_counts=True)
    return np.isin(prefix, prefixes[accounts >= ACCOUNTS_OF_PREFIX])


def returns(suspects: Suspects, days: float) -> np.ndarray:
    """Whether each attempt shares its prefix, and attempts come from there on so many days."""
    pairs = np.unique(np.array([_prefixes(suspects), suspects.day.astype(str)]), axis=1)
    prefixes, number = np.unique(pairs[0], return_counts=True)
    return shares_prefix(suspects) & np.isin(_prefixes(suspects), prefixes[number >= days])


def _prefixes(suspects: Suspects) -> np.ndarray:
    """The prefix of each suspect; a suspect without a known prefix gets one that no other has."""
    return np.array([prefix or f"unknown {i}" for i, prefix in enumerate(suspects.ip_prefix)], str)


def weekday(days: np.ndarray) -> np.ndarray:
    """Days since 1970 as days of the week; Monday is 0."""
    # The first day of 1970 was a Thursday.
    return (days + 3) % 7


def hours_of_week(suspects: Suspects) -> tuple[np.ndarray, np.ndarray]:
    """The hour of each attempt, weekends apart, as a number; the share of the week it has, (n,)."""
    hour = (suspects.time - suspects.day) // np.timedelta64(1, "h")
    weekend = weekday(suspects.day.astype(np.int64)) >= 5
    return hour + 24 * weekend, np.where(weekend, 2, 5) / 7 / 24


def _attributes(suspects: Suspects, population: Population) -> list[_Attribute]:
    protocol = np.array([":" in (address or "") for address in suspects.ip_address])
    client, anything = _codes(suspects.client), np.zeros(len(suspects), int)

    def attribute(
        values: np.ndarray,
        weights: np.ndarray | float | None = None,
        given: np.ndarray = anything,
        of_strays: bool = True,
    ) -> _Attribute:
        codes = _codes(values)
        number = int(codes.max()) + 1
        base = np.broadcast_to(1 / number if weights is None else weights, len(codes))
        return _Attribute(given * number + codes, base, given, of_strays)

    return [
        attribute(suspects.day, 1 / population.days, of_strays=False),
        attribute(*hours_of_week(suspects), of_strays=False),
        attribute(suspects.user, 1 / max(population.accounts, 1)),
        attribute(_prefixes(suspects), 1 / _PREFIXES),
        attribute(suspects.client),
        # Without the condition, a campaign with two clients would look like two campaigns.
        attribute(suspects.application, given=client),
        attribute(suspects.device, given=client),
        attribute(suspects.network),
        attribute(protocol),
        attribute(suspects.invented),
    ]


def _codes(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1]


def _campaigns_log_ratio(attribute: _Attribute, members: np.ndarray) -> np.ndarray:
    """Log of a campaign's probability of each value over its base weight, shape (n,)."""
    others, size = _others(attribute, members)
    a = _CONCENTRATIONS[:, None]
    ratios = np.log((others + a * attribute.weights) / (size + a) / attribute.weights)
    return ratios[ratios[:, members].sum(axis=1).argmax()]


def _strays_log_ratio(attribute: _Attribute, members: np.ndarray) -> np.ndarray:
    """The same for a stray; the base weights count as one stray per value."""
    if not attribute.of_strays:
        return np.zeros(len(members))
    others, size = _others(attribute, ~members)
    a = 1 / attribute.weights
    return np.log((others + 1) / (size + a) / attribute.weights)


def _others(attribute: _Attribute, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Per suspect, the other members with its value, and all other members with its condition."""
    codes, given = attribute.codes, attribute.given
    alike = np.bincount(codes[members], minlength=codes.max() + 1)[codes]
    size = np.bincount(given[members], minlength=given.max() + 1)[given]
    return alike - members, size - members
