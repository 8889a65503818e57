"""Sources that an organisation knows: penetration tests, scanners, connectors, egress.

An attempt is known if it meets everything that an entry names, between the entry's dates. The entry
then explains the attempt, which counts for no other explanation. An attempt from the same source
that the entry does not name is judged as before.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_network

import pyarrow as pa

from lowslow_assets.detection.explanations import (
    KNOWN,
    explain_by_window,
    sum_failures,
    unexplained_failures,
)
from lowslow_assets.engines.base import Engine, Relation
from lowslow_assets.engines.schemas import extended, schema
from lowslow_assets.engines.sql import Columns, sql, transform
from lowslow_assets.lake.tables import FAILURE_SOURCES, MAX_CATEGORY_LENGTH, OPEN_FAILURES


@dataclass(frozen=True)
class KnownSource:
    """One entry: an attempt that meets one value of each named kind is the organisation's own.

    ``start`` and ``end`` are days (UTC), both included. Addresses are networks in CIDR form, which
    may be single hosts. A user agent that ends with ``*`` stands for all that begin with the text
    before it.
    """

    reason: str
    end: date
    start: date | None = None
    accounts: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    as_numbers: tuple[int, ...] = ()
    applications: tuple[str, ...] = ()
    user_agents: tuple[str, ...] = ()

    @property
    def explanation(self) -> str:
        """The explanation that is shown for attempts that meet the entry."""
        return f"{KNOWN}{self.reason}"

    def ranges(self) -> Iterator[tuple[str, str, str]]:
        """What the entry names, each as its kind, its lowest and its highest text."""
        for account in self.accounts:
            yield "account", account.lower(), account.lower()
        for address in self.addresses:
            network = ip_network(address)
            yield "address", _key(network.network_address), _key(network.broadcast_address)
        for number in self.as_numbers:
            yield "as_number", f"AS{number}", f"AS{number}"
        for application in self.applications:
            name = application[:MAX_CATEGORY_LENGTH]
            yield "application", name, name
        for agent in self.user_agents:
            begins = agent.removesuffix("*")[:MAX_CATEGORY_LENGTH]
            yield "user_agent", begins, begins + "\U0010ffff" if agent.endswith("*") else begins


def _key(address: IPv4Address | IPv6Address) -> str:
    """The key that the engines' ``address_key`` makes of the address."""
    if address.version == 6:
        return f"v6 {address.packed.hex()}"
    return "v4 " + "".join(f"{octet:03d}" for octet in address.packed)


_EVER = date(1970, 1, 1)
# ``kinds``: how many kinds the entry names. It holds from ``begins`` (included) until ``ends``.
_RANGES = schema(
    "entry int, explanation string, begins timestamp, ends timestamp, kinds int, kind string, "
    "low string, high string"
)
_MATCHES = schema("date date, signin_id string, entry int, explanation string, too_late boolean")
_EXPLAINED = extended(OPEN_FAILURES.dated, "explanation string")


def ranges_of(engine: Engine, entries: Sequence[KnownSource]) -> Relation:
    """The entries as rows: one per text that an entry names."""
    rows = []
    for number, entry in enumerate(entries):
        named = [*entry.ranges()]
        begins = datetime.combine(entry.start or _EVER, time(), UTC)
        ends = datetime.combine(entry.end, time(), UTC) + timedelta(days=1)
        of_entry = (number, entry.explanation, begins, ends, len({kind for kind, *_ in named}))
        rows += [dict(zip(_RANGES.names, (*of_entry, *each), strict=True)) for each in named]
    return engine.from_arrow(pa.Table.from_pylist(rows, _RANGES))


@transform(_MATCHES, failures=OPEN_FAILURES.dated, ranges=_RANGES)
def match_known(failures: Relation, ranges: Relation) -> Relation:
    """Attempts that meet all an entry names in or after its time: one row per attempt and entry."""
    return sql(
        """
        WITH _named AS (
            SELECT
                date,
                signin_id,
                time_generated,
                "user" AS account,
                address_key(ip_address) AS address,
                network AS as_number,
                AppDisplayName AS application,
                user_agent
            FROM {failures}
        ),
        _values AS (
            SELECT date, signin_id, time_generated, kind, value
            FROM _named UNPIVOT (
                value FOR kind IN (account, address, as_number, application, user_agent)
            )
        ),
        _met AS (
            SELECT
                _values.date,
                _values.signin_id,
                _ranges.entry,
                min(_ranges.explanation) AS explanation,
                min(_ranges.kinds) AS kinds,
                count(DISTINCT _values.kind) AS met,
                bool_or(_values.time_generated >= _ranges.ends) AS too_late
            FROM _values
            JOIN {ranges} AS _ranges
                ON _ranges.kind = _values.kind
                AND _values.value BETWEEN _ranges.low AND _ranges.high
                AND _values.time_generated >= _ranges.begins
            GROUP BY _values.date, _values.signin_id, _ranges.entry
        )
        SELECT date, signin_id, entry, explanation, too_late FROM _met WHERE met = kinds
        """,
        failures=failures,
        ranges=ranges,
    )


@transform(_EXPLAINED, failures=OPEN_FAILURES.dated, matches=_MATCHES)
def explain_by_knowledge(failures: Relation, matches: Relation) -> Relation:
    """Add ``explanation`` to open failures: of the first entry that each meets in time, or null."""
    return sql(
        """
        WITH _first AS (
            SELECT date, signin_id, explanation
            FROM {matches}
            WHERE NOT too_late
            QUALIFY row_number() OVER (PARTITION BY date, signin_id ORDER BY entry) = 1
        )
        SELECT {of_failures}, _first.explanation
        FROM {failures} AS failures
        LEFT JOIN _first
            ON _first.date = failures.date AND _first.signin_id = failures.signin_id
        """,
        of_failures=Columns(OPEN_FAILURES.dated, "failures"),
        failures=failures,
        matches=matches,
    )


@transform(FAILURE_SOURCES.dated, sources=FAILURE_SOURCES.dated, unknown=OPEN_FAILURES.dated)
def sources_of_unknown(sources: Relation, unknown: Relation) -> Relation:
    """The window's ``failure_sources``, with only the ``unknown`` attempts as open ones."""
    return sql(
        """
        SELECT {columns} FROM {sources} WHERE explanation IS NOT NULL
        UNION ALL
        SELECT {columns} FROM {summed}
        """,
        columns=Columns(FAILURE_SOURCES.dated),
        sources=sources,
        summed=sum_failures(
            sql("SELECT *, CAST(NULL AS STRING) AS explanation FROM {unknown}", unknown=unknown)
        ),
    )


def without_known(failures: Relation, entries: Sequence[KnownSource]) -> Relation:
    """The rows of a window's ``open_failures`` that no entry explains."""
    return unexplained_failures(_explained(failures, entries)) if entries else failures


def explain_window(
    failures: Relation,
    failure_sources: Relation,
    success_sources: Relation,
    window_days: int,
    entries: Sequence[KnownSource],
) -> Relation:
    """``explain_by_window`` with known sources; the explanation by an attempt's day comes first.

    A known attempt is not a sign of an office, a burst or a service: it does not count when other
    attempts are explained.
    """
    if not entries:
        return explain_by_window(failures, failure_sources, success_sources, window_days)
    known = _explained(failures, entries).held()
    unknown = unexplained_failures(known).held()
    by_window = explain_by_window(
        unknown, sources_of_unknown(failure_sources, unknown), success_sources, window_days
    )
    return sql(
        """
        SELECT {columns} FROM {known} WHERE explanation IS NOT NULL
        UNION ALL
        SELECT {columns} FROM {by_window}
        """,
        columns=Columns(_EXPLAINED),
        known=known,
        by_window=by_window,
    )


def _explained(failures: Relation, entries: Sequence[KnownSource]) -> Relation:
    ranges = ranges_of(failures.engine, entries)
    return explain_by_knowledge(failures, match_known(failures, ranges))


@dataclass(frozen=True)
class KnownUse:
    """How many attempts of a window meet an entry in time, and how many after its end."""

    entry: KnownSource
    explained: int
    too_late: int


def in_words(use: KnownUse) -> str:
    """A sentence about an entry that has ended."""
    now = f"{use.too_late:,} later attempts meet it and are not explained"
    before = f"it explains {use.explained:,} of before" if use.explained else "take it out"
    return (
        f'the known source "{use.entry.reason}" ended on {use.entry.end}: '
        f"{now if use.too_late else 'nothing meets it any more'}, {before}"
    )


def uses(failures: Relation, entries: Sequence[KnownSource]) -> list[KnownUse]:
    """How many ``open_failures`` of a window each entry meets."""
    counts = {}
    if entries:
        matches = match_known(failures, ranges_of(failures.engine, entries))
        counts = {row["entry"]: row for row in count_matches(matches).rows()}
    none = {"explained": 0, "too_late": 0}
    found = [(entry, counts.get(number, none)) for number, entry in enumerate(entries)]
    return [KnownUse(entry, row["explained"], row["too_late"]) for entry, row in found]


@transform(schema("entry int, explained bigint, too_late bigint"), matches=_MATCHES)
def count_matches(matches: Relation) -> Relation:
    """How many attempts meet each entry in time, and too late."""
    return sql(
        """
        SELECT
            entry,
            count(*) FILTER (WHERE NOT too_late) AS explained,
            count(*) FILTER (WHERE too_late) AS too_late
        FROM {matches}
        GROUP BY entry
        """,
        matches=matches,
    )
