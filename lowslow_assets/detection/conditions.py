"""Conditions that single out a campaign: what it repeats, and which usual values it never shows.

A condition is a few terms that all hold. A term says that one feature has one of some values, or
that it has none of them: an attacker has few applications to try, and uses addresses from which
nobody works.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from lowslow_assets.engines.base import Relation
from lowslow_assets.engines.schemas import schema
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.lake.tables import CATEGORIES, FEATURES, SUCCESS

# As many as a reader reads, and as a rule's text has room for.
MAX_VALUES, MAX_VALUE_LENGTH, MAX_LIST_LENGTH = 50, 128, 2000
MAX_TERMS = 4

MIN_TERM_SHARE, MIN_CAMPAIGN_SHARE = 0.95, 0.9
# A value that is rarer in a campaign is not a habit of it and may be a stray's. A value that is
# rarer in the tenant is not usual there and may be an attacker's.
MIN_VALUE_SHARE, MIN_USUAL_SUCCESSES = 0.005, 10
# A term that most legitimate sign-ins meet is not worth a line.
MAX_TERM_LEGITIMATE_SHARE = 0.5
# One more term must exclude a fifth of the other sign-ins that are hit, and one in two thousand of
# all.
MAX_EXCESS, SLACK = 1.25, 0.0005


@dataclass(frozen=True)
class Term:
    """The feature's category is one of ``values``, or is not one of them."""

    feature: str
    values: tuple[str, ...]
    negated: bool = False

    @property
    def systems(self) -> list[str]:
        """The autonomous systems among a network's values, as AS64500."""
        return [value for value in self.values if value.startswith("AS")]

    @property
    def prefixes(self) -> list[str]:
        """The address prefixes among a network's values, as 203.0.113 or 2001:db8:1::/48."""
        return [value for value in self.values if not value.startswith("AS")]

    @property
    def looked_up(self) -> list[tuple[str, str]]:
        """Pairs of a column of ``encoded_features`` and its value, of which one must hold.

        A rule compares addresses, whether or not the log has their autonomous system.
        """
        if self.feature != "network":
            return [(self.feature, value) for value in self.values]
        systems = [("network", value) for value in self.systems]
        return [*systems, *(("ip_prefix", value) for value in self.prefixes)]


class ValueCount(NamedTuple):
    """A category, and how many of the campaign's attempts and of the window's successes show it."""

    feature: str
    category: str
    attempts: int
    successes: int


_ATTEMPTS = pa.schema([*schema("incident_id string, outcome string"), *CATEGORIES])


@transform(
    schema(
        "incident_id string, feature string, category string, attempts bigint, successes bigint"
    ),
    members=_ATTEMPTS,
    window_counts=schema("feature string, category string, successes bigint"),
)
def common_values(members: Relation, window_counts: Relation) -> Relation:
    """The most common values of each campaign and of the tenant, and how often each shows them.

    ``members`` are those of incidents; only their attempts count. Returns at most 2 x MAX_VALUES
    rows per incident and feature.
    """
    return sql(
        """
        WITH _shown AS (
            SELECT incident_id, feature, category, count(*) AS attempts
            FROM {members} UNPIVOT (
                category FOR feature IN ({features})
            )
            WHERE outcome <> 'success'
                AND length(category) <= {longest}
                -- Nobody writes a rule for a network that the log does not give.
                AND NOT (feature = 'network' AND category = 'NODATA')
            GROUP BY incident_id, feature, category
        ),
        _usual AS (
            SELECT feature, category, successes
            FROM {window_counts}
            WHERE length(category) <= {longest}
                AND NOT (feature = 'network' AND category = 'NODATA')
        ),
        _of_campaigns AS (
            SELECT incident_id, feature, category
            FROM _shown
            QUALIFY
                row_number() OVER (
                    PARTITION BY incident_id, feature
                    ORDER BY attempts DESC NULLS LAST, category NULLS LAST
                ) <= {most}
        ),
        _of_tenant AS (
            SELECT feature, category
            FROM _usual
            QUALIFY
                row_number() OVER (
                    PARTITION BY feature
                    ORDER BY successes DESC NULLS LAST, category NULLS LAST
                ) <= {most}
        ),
        _incidents AS (
            SELECT DISTINCT incident_id
            FROM _shown
        ),
        _chosen AS (
            SELECT incident_id, feature, category
            FROM _of_campaigns
            UNION
            SELECT incident_id, feature, category
            FROM _incidents
            CROSS JOIN _of_tenant
        )
        SELECT
            _chosen.incident_id,
            _chosen.feature,
            _chosen.category,
            coalesce(_shown.attempts, 0) AS attempts,
            coalesce(_usual.successes, 0) AS successes
        FROM _chosen
        LEFT JOIN _shown
            ON _chosen.incident_id = _shown.incident_id
            AND _chosen.feature = _shown.feature
            AND _chosen.category = _shown.category
        LEFT JOIN _usual
            ON _chosen.feature = _usual.feature
            AND _chosen.category = _usual.category
        """,
        features=Columns(CATEGORIES),
        members=members,
        window_counts=window_counts,
        longest=MAX_VALUE_LENGTH,
        most=MAX_VALUES,
    )


def find_terms(
    incidents: Sequence[str], members: Relation, window_counts: Relation, successes: int
) -> list[list[Term]]:
    """Per incident, the terms that its rules may consist of.

    ``members`` are the ``incident_members``; ``successes`` is the window's number of successes.
    """
    attempts = {row["incident_id"]: row["attempts"] for row in count_attempts(members).rows()}
    values: dict[str, list[ValueCount]] = {}
    for row in common_values(members, window_counts).rows():
        values.setdefault(row.pop("incident_id"), []).append(ValueCount(**row))
    return [
        candidate_terms(values.get(incident, []), attempts.get(incident, 0), successes)
        for incident in incidents
    ]


@transform(
    schema("incident_id string, attempts bigint"),
    members=schema("incident_id string, outcome string"),
)
def count_attempts(members: Relation) -> Relation:
    """How many attempts each incident has."""
    return sql(
        """
        SELECT incident_id, count(*) AS attempts
        FROM {members}
        WHERE outcome <> 'success'
        GROUP BY incident_id
        """,
        members=members,
    )


def candidate_terms(values: Iterable[ValueCount], attempts: int, successes: int) -> list[Term]:
    """Terms that nearly all attempts of a campaign meet, and at most half of the successes.

    ``values`` are the most common ones of the campaign and of the tenant, with their counts;
    ``attempts`` and ``successes`` are the totals.
    """
    by_feature: dict[str, list[ValueCount]] = {}
    for value in sorted(values):
        by_feature.setdefault(value.feature, []).append(value)
    found = []
    for feature, counted in by_feature.items():
        own = [v for v in counted if v.attempts * successes > v.successes * attempts]
        usual = [v for v in counted if v.attempts * successes < v.successes * attempts]
        found += _one_of(feature, own, attempts, successes)
        found += _none_of(feature, usual, attempts, successes)
    return found


def _one_of(feature: str, own: list[ValueCount], attempts: int, successes: int) -> Iterable[Term]:
    """The most informative values that together hold enough of the campaign."""
    chosen: list[ValueCount] = []
    habits = [value for value in own if value.attempts >= MIN_VALUE_SHARE * attempts]
    # One success is added, so that a value without a success is not infinitely informative.
    for value in sorted(habits, key=lambda v: -v.attempts / (v.successes + 1)):
        chosen.append(value)
        if sum(v.attempts for v in chosen) >= MIN_TERM_SHARE * attempts:
            break
    else:
        return
    legitimate = sum(v.successes for v in chosen)
    if _fits(chosen) and legitimate <= MAX_TERM_LEGITIMATE_SHARE * successes:
        yield Term(feature, _values(chosen))


def _none_of(
    feature: str, usual: list[ValueCount], attempts: int, successes: int
) -> Iterable[Term]:
    """The tenant's own values, as long as excluding them loses little of the campaign."""
    chosen: list[ValueCount] = []
    common = [value for value in usual if value.successes >= MIN_USUAL_SUCCESSES]
    for value in sorted(common, key=lambda v: (v.attempts + 1) / v.successes):
        more = [*chosen, value]
        if sum(v.attempts for v in more) > (1 - MIN_TERM_SHARE) * attempts or not _fits(more):
            break
        chosen = more
    others = successes - sum(v.successes for v in chosen)
    if chosen and others <= MAX_TERM_LEGITIMATE_SHARE * successes:
        yield Term(feature, _values(chosen), negated=True)


def _fits(chosen: Sequence[ValueCount]) -> bool:
    length = sum(len(value.category) for value in chosen)
    return len(chosen) <= MAX_VALUES and length <= MAX_LIST_LENGTH


def _values(chosen: Sequence[ValueCount]) -> tuple[str, ...]:
    """The values, the most common first, for the reader."""
    order = sorted(chosen, key=lambda v: (-v.attempts - v.successes, v.category))
    return tuple(value.category for value in order)


# The columns that terms compare.
_LOOKED_AT = ("ip_prefix", *FEATURES)
_CLASSES = ", ".join(f"{column} int" for column in _LOOKED_AT)
_SIGNINS = pa.schema([*schema("outcome string, ip_prefix string"), *CATEGORIES])


@transform(
    schema(f"incident_id string, outcome string, {_CLASSES}, signins bigint"),
    signins=_SIGNINS,
    members=pa.schema([pa.field("incident_id", pa.string()), *_SIGNINS]),
    classes=schema("feature string, value string, class int"),
)
def count_classes(signins: Relation, members: Relation, classes: Relation) -> Relation:
    """How many successes and attempts have which classes of values, per combination of columns.

    Rows of the window have no incident; rows of ``members`` have that of the member. A value
    without a class has class 0.
    """
    return sql(
        """
        WITH _signins AS (
            SELECT
                CAST(NULL AS STRING) AS incident_id,
                {columns}
            FROM {signins}
            UNION ALL
            SELECT
                incident_id,
                {columns}
            FROM {members}
        ),
        _classed AS (
            SELECT
                _signins.incident_id,
                _signins.outcome,
                coalesce(_prefix.class, 0) AS ip_prefix,
                coalesce(_application.class, 0) AS AppDisplayName,
                coalesce(_client.class, 0) AS ClientAppUsed,
                coalesce(_browser.class, 0) AS browser,
                coalesce(_device.class, 0) AS displayName,
                coalesce(_system.class, 0) AS operatingSystem,
                coalesce(_network.class, 0) AS network,
                coalesce(_country.class, 0) AS Location,
                coalesce(_state.class, 0) AS state,
                coalesce(_city.class, 0) AS city,
                coalesce(_agent.class, 0) AS agent
            FROM _signins
            LEFT JOIN {classes} AS _prefix
                ON _prefix.feature = 'ip_prefix' AND _signins.ip_prefix = _prefix.value
            LEFT JOIN {classes} AS _application
                ON _application.feature = 'AppDisplayName'
                AND _signins.AppDisplayName = _application.value
            LEFT JOIN {classes} AS _client
                ON _client.feature = 'ClientAppUsed' AND _signins.ClientAppUsed = _client.value
            LEFT JOIN {classes} AS _browser
                ON _browser.feature = 'browser' AND _signins.browser = _browser.value
            LEFT JOIN {classes} AS _device
                ON _device.feature = 'displayName' AND _signins.displayName = _device.value
            LEFT JOIN {classes} AS _system
                ON _system.feature = 'operatingSystem'
                AND _signins.operatingSystem = _system.value
            LEFT JOIN {classes} AS _network
                ON _network.feature = 'network' AND _signins.network = _network.value
            LEFT JOIN {classes} AS _country
                ON _country.feature = 'Location' AND _signins.Location = _country.value
            LEFT JOIN {classes} AS _state
                ON _state.feature = 'state' AND _signins.state = _state.value
            LEFT JOIN {classes} AS _city
                ON _city.feature = 'city' AND _signins.city = _city.value
            LEFT JOIN {classes} AS _agent
                ON _agent.feature = 'agent' AND _signins.agent = _agent.value
            WHERE _signins.outcome <> 'other'
        )
        SELECT
            incident_id,
            {columns},
            count(*) AS signins
        FROM _classed
        GROUP BY
            incident_id,
            {columns}
        """,
        signins=signins,
        members=members,
        classes=classes,
        columns=Columns(_SIGNINS),
    )


class PatternCount(NamedTuple):
    """How many sign-ins meet which of a campaign's terms: bit i is set where the i-th holds.

    ``campaign`` is a position in the list of terms; ``incident_id`` is null for the window's
    sign-ins.
    """

    incident_id: str | None
    outcome: str
    campaign: int
    pattern: int
    signins: int


def count_patterns(
    signins: Relation, members: Relation, terms: Sequence[Sequence[Term]]
) -> list[PatternCount]:
    """How many sign-ins meet which of each campaign's terms, in one pass over the window.

    ``signins`` are the window's, ``members`` are those of incidents. Outcomes other than successes
    and attempts do not count.
    """
    # Values that the same terms name are one class, so that few combinations come back.
    named: dict[tuple[str, str], list[tuple[int, int]]] = {}
    for campaign, own in enumerate(terms):
        for bit, term in enumerate(own):
            for looked_up in term.looked_up:
                named.setdefault(looked_up, []).append((campaign, bit))
    numbers: dict[tuple[tuple[int, int], ...], int] = {}
    class_of = {
        value: numbers.setdefault(tuple(of), len(numbers) + 1) for value, of in named.items()
    }
    rows = [{"feature": f, "value": v, "class": c} for (f, v), c in class_of.items()]
    classes = signins.engine.from_arrow(
        pa.Table.from_pylist(rows, schema("feature string, value string, class int"))
    )
    counted = count_classes(signins, members, classes).arrow()
    columns = {name: counted[name].to_numpy() for name in _LOOKED_AT}
    ids, outcomes, sums = (
        counted[name].to_pylist() for name in ("incident_id", "outcome", "signins")
    )
    found = Counter[tuple[str | None, str, int, int]]()
    for campaign, own in enumerate(terms):
        patterns = np.zeros(len(counted), dtype=int)
        for bit, term in enumerate(own):
            among = np.zeros(len(counted), dtype=bool)
            for column in {column for column, _ in term.looked_up}:
                wanted = [class_of[at] for at in term.looked_up if at[0] == column]
                among |= np.isin(columns[column], wanted)
            patterns |= (among != term.negated).astype(int) << bit
        for incident, outcome, pattern, number in zip(
            ids, outcomes, patterns.tolist(), sums, strict=True
        ):
            found[incident, outcome, campaign, pattern] += number
    return [PatternCount(*key, number) for key, number in found.items()]


class Hits(NamedTuple):
    """What a condition hits: attempts and entries of the campaign, and sign-ins of others."""

    attempts: int
    entries: int
    legitimate: int
    other_failures: int


def count_hits(
    incidents: Sequence[str],
    terms: Sequence[Sequence[Term]],
    signins: Relation,
    members: Relation,
) -> list[dict[int, np.ndarray]]:
    """The number of sign-ins per incident and pattern of its terms, in the order of Hits.

    ``signins`` are the window's ``encoded_features``, ``members`` the ``incident_members``.
    """
    counts: list[dict[int, np.ndarray]] = [{} for _ in incidents]
    for found in count_patterns(signins, members, terms):
        number, of_success = found.signins, found.outcome == SUCCESS
        if found.incident_id is None:
            hits = Hits(0, 0, number, 0) if of_success else Hits(0, 0, 0, number)
        else:
            own = number if found.incident_id == incidents[found.campaign] else 0
            # A sign-in that belongs to any incident does not count as one of others.
            hits = Hits(0, own, -number, 0) if of_success else Hits(own, 0, 0, -number)
        of_campaign = counts[found.campaign]
        of_campaign.setdefault(found.pattern, np.zeros(len(hits), dtype=int))
        of_campaign[found.pattern] += hits
    return counts


@dataclass(frozen=True)
class Condition:
    """Terms that all hold, and what they hit."""

    terms: tuple[Term, ...]
    hits: Hits


def conditions(
    terms: Sequence[Term], patterns: np.ndarray, counts: np.ndarray, attempts: int
) -> list[Condition]:
    """All conditions of up to MAX_TERMS terms that keep enough of a campaign's attempts.

    ``patterns`` are of shape (P,), ``counts`` of shape (P, 4), in the order of Hits.
    """
    numbers = range(len(terms))
    found = []
    for chosen in chain.from_iterable(combinations(numbers, k + 1) for k in range(MAX_TERMS)):
        wanted = sum(1 << i for i in chosen)
        hits = Hits(*map(int, counts[(patterns & wanted) == wanted].sum(axis=0)))
        if hits.attempts >= MIN_CAMPAIGN_SHARE * attempts:
            found.append(Condition(tuple(terms[i] for i in chosen), hits))
    return found


def for_attempts(found: Sequence[Condition], others: int) -> Condition | None:
    """The condition to look for attempts with: the simplest that hits few sign-ins of others.

    Few means at most MAX_EXCESS times the fewest that any condition hits, plus SLACK of all
    ``others``' sign-ins.
    """

    def bystanders(condition: Condition) -> int:
        return condition.hits.legitimate + condition.hits.other_failures

    least = min(map(bystanders, found), default=0)
    good = [c for c in found if bystanders(c) <= MAX_EXCESS * least + SLACK * others]
    return min(good, key=lambda c: (len(c.terms), bystanders(c)), default=None)


def for_entries(found: Sequence[Condition], legitimate: int) -> Condition | None:
    """The one to look for successes with: it hits few legitimate ones and most known entries."""
    least = min((c.hits.legitimate for c in found), default=0)
    good = [c for c in found if c.hits.legitimate <= MAX_EXCESS * least + SLACK * legitimate]
    return min(good, key=lambda c: (-c.hits.entries, len(c.terms), c.hits.legitimate), default=None)
