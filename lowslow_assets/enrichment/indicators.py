"""A local file of indicators, CSV or STIX 2, compared with a campaign's addresses. No network.

The file is read from start to end and only matches are kept, so a large file costs time but no
memory (except a STIX bundle, which is one JSON value and is loaded). An unusable line is counted
and shown, and the rest of the file is used.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any

from lowslow_assets.enrichment.answers import (
    CLEAN,
    MALICIOUS,
    SUSPICIOUS,
    VERDICTS,
    Address,
    Answer,
    EnrichmentError,
    bounded,
)

Network = IPv4Network | IPv6Network

# A mistake like 0.0.0.0/0 would make every address malicious.
_BROADEST_PREFIX = {4: 8, 6: 16}
_SHOWN_REJECTED = 5
_SHOWN_MATCHES = 3
_MAX_LINE_LENGTH = 10_000
_ADDRESS_COLUMNS = ("indicator", "address", "ip", "ip_address", "network", "cidr", "value")
_WITHOUT_HEADER = ("indicator", "description")
_SEVERITIES = {MALICIOUS: "high", SUSPICIOUS: "warning", CLEAN: "information"}
# STIX 2.1, indicator type vocabulary. An indicator without a type means what its list is about:
# something malicious.
_OF_INDICATOR_TYPE = {
    "anomalous-activity": SUSPICIOUS,
    "anonymization": SUSPICIOUS,
    "unknown": SUSPICIOUS,
    "benign": CLEAN,
}
_COMPARISON = re.compile(
    r"ipv[46]-addr:value\s*(?:=|\bISSUBSET\b|\bIN\b)\s*"
    r"('[^'\\]*'|\(\s*'[^'\\]*'(?:\s*,\s*'[^'\\]*')*\s*\))"
)
_QUOTED = re.compile(r"'([^']*)'")
_ONLY_ALTERNATIVES = re.compile(r"[\[\]()\s]*(?:OR[\[\]()\s]+)*")


@dataclass(frozen=True)
class Indicator:
    """A network of one or more addresses and what the file says about it."""

    network: Network
    verdict: str
    text: str


@dataclass
class Matches:
    """What a file says about the addresses, and which of its lines could not be used.

    ``others`` counts indicators that are not addresses (domains, hashes), ``expired`` those that
    are no longer valid; ``examples`` are the first few of the ``rejected``.
    """

    answers: dict[Address, Answer] = field(default_factory=dict)
    indicators: int = 0
    expired: int = 0
    others: int = 0
    rejected: int = 0
    examples: list[str] = field(default_factory=list)

    def reject(self, where: str, why: object) -> None:
        """Count an unusable line; the first few are kept."""
        self.rejected += 1
        if len(self.examples) < _SHOWN_REJECTED:
            self.examples.append(bounded(f"{where}: {why}"))


def match_indicators(path: str, addresses: Iterable[Address], day: date) -> Matches:
    """Look every address up in a file: STIX if its name ends with .json, else CSV.

    A CSV file has one address or network per line, or a header with one of the columns indicator,
    address, ip, ip_address, network, cidr or value, and optionally verdict, source, description and
    valid_until. Of a STIX bundle, those patterns count that are alternatives of ``ipv4-addr:value``
    or ``ipv6-addr:value`` compared by =, ISSUBSET or IN. Indicators that are no longer valid on
    ``day`` do not count. Raises EnrichmentError if the file cannot be used at all.
    """
    matches = Matches()
    index = _Index(addresses)
    found: dict[Address, list[Indicator]] = {address: [] for address in index.addresses}
    read = _read_stix if Path(path).suffix.lower() == ".json" else _read_csv
    try:
        for indicator in read(Path(path).expanduser(), day, matches):
            matches.indicators += 1
            for address in index.within(indicator.network):
                found[address].append(indicator)
    except OSError as error:
        raise EnrichmentError(f"LOWSLOW_INDICATORS {path!r} cannot be read: {error}.") from error
    now = datetime.now(UTC)
    matches.answers = {address: _answer(hits, now) for address, hits in found.items()}
    return matches


class _Index:
    """The addresses by each prefix length in the file, so that a network needs one look-up."""

    def __init__(self, addresses: Iterable[Address]) -> None:
        self.addresses = list(dict.fromkeys(addresses))
        self._by_prefix: dict[tuple[int, int], dict[int, list[Address]]] = {}

    def within(self, network: Network) -> list[Address]:
        shift = network.max_prefixlen - network.prefixlen
        key = (network.version, shift)
        if key not in self._by_prefix:
            of_prefix: dict[int, list[Address]] = {}
            for address in self.addresses:
                if address.version == network.version:
                    of_prefix.setdefault(int(address) >> shift, []).append(address)
            self._by_prefix[key] = of_prefix
        return self._by_prefix[key].get(int(network.network_address) >> shift, [])


def _answer(hits: list[Indicator], now: datetime) -> Answer:
    if not hits:
        return Answer(looked_up_at=now)
    worst_first = sorted(hits, key=lambda i: (VERDICTS.index(i.verdict), -i.network.prefixlen))
    shown = "; ".join(f"{i.network} {i.text}".strip() for i in worst_first[:_SHOWN_MATCHES])
    verdict = worst_first[0].verdict
    return Answer(verdict, _SEVERITIES[verdict], bounded(shown), looked_up_at=now)


def _network(text: str) -> Network:
    """The network; defanged ones (192.0.2[.]1) are repaired. Raises ValueError."""
    network = ip_network(text.strip().replace("[.]", ".").replace("[:]", ":"), strict=False)
    if network.prefixlen < _BROADEST_PREFIX[network.version]:
        raise ValueError(f"{network} is too broad")
    return network


def _is_expired(valid_until: object, day: date) -> bool:
    """Whether an ISO date or time is before the day. Raises ValueError."""
    return bool(valid_until) and date.fromisoformat(str(valid_until)[:10]) < day


def _read_csv(path: Path, day: date, matches: Matches) -> Iterator[Indicator]:
    columns: Sequence[str] | None = None
    with path.open(encoding="utf-8-sig", errors="replace", newline=None) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.lstrip().startswith(("#", ";")):
                continue
            try:
                # Line by line, so that a quote that never closes affects only its own line.
                cells = [cell.strip() for cell in _cells(line)]
                if columns is None:
                    columns = _header(cells)
                    if columns:
                        continue
                    columns = _WITHOUT_HEADER
                row = dict(zip(columns, cells, strict=False))
                indicator = _of_row(row)
                if _is_expired(row.get("valid_until"), day):
                    matches.expired += 1
                    continue
            except (ValueError, csv.Error) as error:
                matches.reject(f"line {number}", error)
                continue
            yield indicator


def _cells(line: str) -> list[str]:
    if len(line) > _MAX_LINE_LENGTH:
        raise ValueError(f"longer than {_MAX_LINE_LENGTH:,} characters")
    return next(csv.reader([line.rstrip("\r\n")]))


def _header(cells: list[str]) -> list[str]:
    """The columns that a header names; empty if the first line is not a header."""
    names = [cell.lower() for cell in cells]
    is_header = all(name.replace("_", "").isalpha() for name in names if name)
    return names if is_header and set(names) & set(_ADDRESS_COLUMNS) else []


def _of_row(row: Mapping[str, str]) -> Indicator:
    named = next((row[name] for name in _ADDRESS_COLUMNS if row.get(name)), "")
    verdict = row.get("verdict", "").lower() or MALICIOUS
    if verdict not in _SEVERITIES:
        raise ValueError(f"no verdict is called {verdict[:20]!r}")
    source = f"({row['source']})" if row.get("source") else ""
    return Indicator(_network(named), verdict, f"{row.get('description', '')} {source}".strip())


def _read_stix(path: Path, day: date, matches: Matches) -> Iterator[Indicator]:
    try:
        bundle = json.loads(path.read_text(encoding="utf-8-sig"))
        objects = bundle["objects"]
        if not isinstance(objects, list):
            raise TypeError("its objects are not a list")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise EnrichmentError(
            f"LOWSLOW_INDICATORS {str(path)!r} is not a STIX bundle: {bounded(str(error))}."
        ) from error
    for number, item in enumerate(objects, start=1):
        if not isinstance(item, dict):
            matches.reject(f"object {number}", "not an object")
        elif item.get("type") == "indicator":
            yield from _of_stix(item, number, day, matches)


def _of_stix(
    item: Mapping[str, Any], number: int, day: date, matches: Matches
) -> Iterator[Indicator]:
    try:
        pattern = str(item["pattern"])
        if item.get("pattern_type", "stix") != "stix" or not re.search("ipv[46]-addr:", pattern):
            matches.others += 1
            return
        if item.get("revoked") is True or _is_expired(item.get("valid_until"), day):
            matches.expired += 1
            return
        networks = [_network(value) for value in _values(pattern)]
        types = [*item.get("indicator_types", []), *item.get("labels", [])]
        text = str(item.get("name") or item.get("description") or "")
    except (ValueError, KeyError, TypeError) as error:
        matches.reject(f"object {number}", error)
        return
    for network in networks:
        yield Indicator(network, _verdict(types), text)


def _values(pattern: str) -> list[str]:
    """The addresses and networks that are alternatives in a pattern. Raises ValueError.

    STIX's own parser needs another version of ANTLR than Spark and Dagster bring. The other
    operators of a pattern (AND, FOLLOWEDBY, ports) cannot be decided from an address alone anyway.
    """
    if not _ONLY_ALTERNATIVES.fullmatch(_COMPARISON.sub("", pattern)):
        raise ValueError("a pattern of more than addresses")
    return [value for found in _COMPARISON.findall(pattern) for value in _QUOTED.findall(found)]


def _verdict(types: Iterable[object]) -> str:
    """The worst verdict of its types."""
    known = {_OF_INDICATOR_TYPE.get(str(kind), MALICIOUS) for kind in types}
    return min(known, key=VERDICTS.index, default=MALICIOUS)
