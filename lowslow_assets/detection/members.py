"""Which suspects of a component belong to one campaign, by what the anomaly mask does not say.

A component holds all suspects that are anomalous in the same respects: a campaign, and stray
failures that happen to look like it. The campaign has habits (its hours, its days, its accounts,
its tools); strays have none. Plain NumPy on one component's suspects.
"""

from dataclasses import dataclass, fields

import numpy as np
import pyarrow as pa

from lowslow_assets.detection.masks import mask_bits
from lowslow_assets.detection.patterns import MODEL_PROPERTIES
from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import sql, transform
from lowslow_assets.lake.tables import CLUSTER_MEMBERS, SUSPECT_FAILURES
from lowslow_assets.signins.outcomes import INVENTED_NAMES

MIN_MEMBER_PROBABILITY = 0.5
_CONCENTRATIONS = 10.0 ** np.arange(-1, 5)
_STRAYS_AT_FIRST, _FEWEST_STRAYS, _MOST_STRAYS = 0.1, 0.01, 0.5
_ROUNDS = 10
# A device that a tool repeats makes this share of a component, and no other a tenth of it.
_KIT_SHARE, _RIVAL_SHARE = 0.15, 0.1
_DEVICE = list(MODEL_PROPERTIES).index("device")


@dataclass(frozen=True, eq=False)
class Suspects:
    """Attempts to be judged: arrays of shape (n,), texts as objects, times in UTC.

    ``pattern`` is what the model was fitted on. ``odd`` has shape (n, len(MODEL_PROPERTIES)):
    whether each is anomalous in each property. An address can be None. ``invented``: whether the
    name is no account.
    """

    signin_id: np.ndarray
    time: np.ndarray
    user: np.ndarray
    invented: np.ndarray
    ip_address: np.ndarray
    country: np.ndarray
    application: np.ndarray
    client: np.ndarray
    browser: np.ndarray
    operating_system: np.ndarray
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
            country=column("Location"),
            application=column("AppDisplayName"),
            client=column("ClientAppUsed"),
            browser=column("browser"),
            operating_system=column("operatingSystem"),
            pattern=pattern,
            odd=mask_bits(pattern.tolist(), len(MODEL_PROPERTIES)),
        )

    def __len__(self) -> int:
        return len(self.signin_id)

    def at(self, chosen: np.ndarray) -> "Suspects":
        """Those at some positions, or where an array of booleans is true."""
        return Suspects(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    @property
    def day(self) -> np.ndarray:
        """The day of each attempt."""
        return self.time.astype("datetime64[D]")


@dataclass(frozen=True)
class Population:
    """What strays are spread over: accounts of the tenant, days of the window."""

    accounts: int
    days: int


@transform(
    schema("accounts bigint"),
    success_sources=schema("user string"),
    suspects=schema("user string"),
)
def count_accounts(success_sources: Relation, suspects: Relation) -> Relation:
    """How many accounts succeed or are suspect, in one row."""
    return sql(
        """
        SELECT count(DISTINCT "user") AS accounts
        FROM (
            SELECT "user" FROM {successes} UNION ALL SELECT "user" FROM {suspects}
        ) AS _users
        """,
        successes=success_sources,
        suspects=suspects,
    )


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
            _failures.city
        FROM {failures} AS _failures
        JOIN {assigned} AS _assigned ON _assigned.pattern = _failures.pattern
        """,
        failures=failures,
        assigned=assigned,
    )


def split_by_kit(suspects: Suspects) -> np.ndarray:
    """Part 1 where one odd device repeats itself among others that are odd as well, else 0.

    Two sprays that are anomalous in the same respects are one component. One that always shows
    the same odd device differs from one that makes up another each time. The result has shape
    (n,).
    """
    odd = suspects.odd[:, _DEVICE]
    device = _device(suspects)
    names, counts = np.unique(device[odd], return_counts=True)
    if not len(names):
        return np.zeros(len(suspects), dtype=int)
    kit = odd & (device == names[counts.argmax()])
    rest, *rivals = sorted(counts, reverse=True)
    repeats = min(kit.sum(), (~kit).sum()) >= _KIT_SHARE * len(suspects)
    alone = not rivals or rivals[0] < _RIVAL_SHARE * rest
    splits = repeats and alone and odd[~kit].mean() >= MIN_MEMBER_PROBABILITY
    return (kit & splits).astype(int)


def _device(suspects: Suspects) -> np.ndarray:
    return suspects.browser + "\0" + suspects.operating_system


def member_probability(suspects: Suspects, population: Population) -> np.ndarray:
    """Probability, shape (n,), that each suspect is the campaign's and not a stray.

    A two-class naive Bayes model, fitted to the suspects themselves. A stray's account, day and
    hour are uniform over the tenant's, its tools uniform over the cluster's. A campaign's are
    Dirichlet-multinomial around the same: with c other members of the n that share a value of
    weight w, ``p = (c + a w) / (n + a)``, the concentration a being the one that predicts the
    members best, each from the others (leave-one-out). Where a campaign has no habit, a is large
    and the attribute says nothing.

    Sums in another order end in other last digits: the result is that of this order.
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
        before, members = members, probability >= MIN_MEMBER_PROBABILITY
        if (members == before).all():
            break
    return probability


def _attributes(suspects: Suspects, population: Population) -> list[tuple[np.ndarray, np.ndarray]]:
    """Per attribute the value of each suspect as a number, and the weight of that value."""
    day = suspects.day
    hour = (suspects.time - day) // np.timedelta64(1, "h")
    # The first day of 1970 was a Thursday.
    weekend = (day.astype(np.int64) + 3) % 7 >= 5
    uniform = [
        (suspects.user, 1 / population.accounts),
        (day, 1 / population.days),
        (hour + 24 * weekend, np.where(weekend, 2, 5) / 7 / 24),
    ]
    tools = [
        suspects.application,
        suspects.client,
        _device(suspects),
        np.array([":" in (address or "") for address in suspects.ip_address]),
    ]
    found = [(_codes(values), np.broadcast_to(w, len(suspects))) for values, w in uniform]
    for values in tools:
        codes = _codes(values)
        found.append((codes, np.full(len(suspects), 1 / (codes.max() + 1))))
    return found


def _codes(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1]


def _log_ratio(codes: np.ndarray, weights: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Log of a campaign's probability of each value over a stray's, shape (n,)."""
    others = np.bincount(codes[members], minlength=codes.max() + 1)[codes] - members
    size = members.sum() - members
    a = _CONCENTRATIONS[:, None]
    ratios = np.log((others + a * weights) / (size + a) / weights)
    return ratios[ratios[:, members].sum(axis=1).argmax()]
