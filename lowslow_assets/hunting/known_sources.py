"""The file of known sources: how it is read and checked, and which entries need a review.

The file is TOML with one ``[[known]]`` per entry; docs/tuning.md describes it. A file with any
error is not used at all, because a partly understood entry would explain attempts that nobody
meant.
"""

import re
import tomllib
from collections.abc import Iterator
from datetime import date, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from lowslow_assets.detection.known_sources import KnownSource
from lowslow_assets.settings import SettingsError

SOON = timedelta(days=14)
"""This long before its end, an entry is reported as ending soon."""
# A wider network belongs to a provider or a country, and anybody can rent an address in it.
_WIDE_PREFIX = {4: 16, 6: 32}
_LONG = timedelta(days=366)
_MAX_ENTRIES, _MAX_NAMED, _MAX_LENGTH = 500, 1_000, 256
_MAX_BYTES = 1 << 20
_FEWEST_LETTERS_OF_AGENT = 4
_SHOWN_LENGTH, _SHOWN_PROBLEMS = 60, 20
_HEADER = re.compile(r"\s*\[\[\s*known\s*\]\]")


def _one_line(text: str) -> str:
    if not text.isprintable() or text != text.strip() or not text:
        raise ValueError("must be one line of printable text, without spaces around it")
    return text


def _network(text: str) -> str:
    return str(ip_network(text))


def _user_agent(text: str) -> str:
    if "*" in text[:-1] or len(text.removesuffix("*")) < _FEWEST_LETTERS_OF_AGENT:
        raise ValueError(
            f"must begin with {_FEWEST_LETTERS_OF_AGENT} characters, and have * at its end alone"
        )
    return text


_Line = Annotated[str, Field(max_length=_MAX_LENGTH), AfterValidator(_one_line)]
_Date = Annotated[date, Field(ge=date(2000, 1, 1), le=date(2099, 12, 31))]


_Item = TypeVar("_Item")
_Some = Annotated[list[_Item], Field(min_length=1, max_length=_MAX_NAMED)]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)

    reason: _Line
    end: _Date
    start: _Date | None = None
    accounts: _Some[_Line] = []
    addresses: _Some[Annotated[_Line, AfterValidator(_network)]] = []
    as_numbers: _Some[Annotated[int, Field(ge=1, lt=2**32)]] = []
    applications: _Some[_Line] = []
    user_agents: _Some[Annotated[_Line, AfterValidator(_user_agent)]] = []

    @model_validator(mode="after")
    def _is_whole(self) -> "_Entry":
        if self.start and self.start > self.end:
            raise ValueError("it ends before it starts")
        if not any(getattr(self, kind) for kind in _KINDS):
            raise ValueError(f"it names none of {', '.join(_KINDS)}")
        return self


_KINDS = ("accounts", "addresses", "as_numbers", "applications", "user_agents")


def read_known_sources(path: str) -> tuple[KnownSource, ...]:
    """The entries of a file, in its order; an empty path has no entries.

    Raises SettingsError with all errors, each with the number and the line of its entry.
    """
    if not path:
        return ()
    entries, problems = _read(path)
    if problems:
        said = "; ".join(problems[:_SHOWN_PROBLEMS])
        more = len(problems) - _SHOWN_PROBLEMS
        said += f"; and {more} more" if more > 0 else ""
        raise SettingsError(f"LOWSLOW_KNOWN_SOURCES {path!r} cannot be used: {said}.")
    return tuple(entries)


def _read(path: str) -> tuple[list[KnownSource], list[str]]:
    """The valid entries, and the errors of the others."""
    try:
        with Path(path).expanduser().open("rb") as file:
            read = file.read(_MAX_BYTES + 1)
        if len(read) > _MAX_BYTES:
            return [], [f"it is larger than {_MAX_BYTES:,} bytes"]
        text = read.decode("utf-8-sig")
        found = tomllib.loads(text)
    except OSError as error:
        return [], [f"it cannot be read: {error.strerror}"]
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        return [], [f"it is not a TOML file: {error}"]
    problems = [
        f"{_shown(name)} is not part of the format, only [[known]] is"
        for name in found
        if name != "known"
    ]
    known = found.get("known", [])
    if not isinstance(known, list) or len(known) > _MAX_ENTRIES:
        return [], [*problems, f"known must be a list of at most {_MAX_ENTRIES} entries"]
    headers = [n for n, line in enumerate(text.splitlines(), start=1) if _HEADER.match(line)]
    lines = headers if len(headers) == len(known) else []
    entries = []
    for number, entry in enumerate(known):
        try:
            named = _Entry.model_validate(entry).model_dump()
        except ValidationError as error:
            where = f"entry {number + 1}" + (f" (line {lines[number]})" if lines else "")
            problems += [f"{where}, {said}" for said in _problems(error)]
            continue
        fields: dict[str, Any] = {k: tuple(v) if k in _KINDS else v for k, v in named.items()}
        entries.append(KnownSource(**fields))
    return entries, problems


def _problems(error: ValidationError) -> Iterator[str]:
    """The errors of an entry, one sentence per error."""
    for each in error.errors(include_url=False):
        field, *place = each["loc"] or ("as a whole",)
        where = f"{_shown(field)}{f' {int(place[0]) + 1}' if place else ''}"
        said = each["msg"].removeprefix("Value error, ")
        message = said[:1].lower() + said[1:]
        if each["type"] == "missing":
            message = "is missing"
        elif each["type"] == "extra_forbidden":
            message = f"is not known: it can have {', '.join(_Entry.model_fields)}"
        elif message.startswith("input should"):
            message += f", not {_shown(each['input'])}"
        yield f"{where}: {message}"


def _shown(value: object) -> str:
    text = str(value)
    cut = text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."
    return "".join(c if c.isprintable() else "?" for c in cut)


def doubts(entry: KnownSource, today: date) -> list[str]:
    """What a person should check again: a past or near end, and an entry that hides much."""
    said = []
    if entry.end < today:
        said.append(f"ended on {entry.end}: it explains nothing that comes after that day")
    elif entry.end <= today + SOON:
        said.append(f"ends soon, on {entry.end}")
    elif entry.end > max(today, entry.start or today) + _LONG:
        said.append(f"ends only on {entry.end}: look at it once a year")
    if entry.start and entry.start > today:
        said.append(f"begins on {entry.start}")
    wide = [
        address
        for address in entry.addresses
        if (network := ip_network(address)).prefixlen < _WIDE_PREFIX[network.version]
    ]
    if wide:
        said.append(f"hides much: {', '.join(wide[:3])} has room for other people, attackers too")
    if not (entry.accounts or entry.addresses):
        named = " and ".join(kind.replace("_", " ") for kind in _KINDS if getattr(entry, kind))
        said.append(f"hides much: anybody's attempts can show these {named}; add addresses")
    return said


def check(path: str, today: date) -> tuple[list[str], bool]:
    """The report on a file, as lines, and whether the file can be used."""
    entries, problems = _read(path)
    lines = [f"WRONG  {problem}" for problem in problems]
    for entry in entries:
        said = doubts(entry, today)
        word = "LOOK " if said else "ok   "
        lines.append(f"{word}  {entry.reason}: until {entry.end}{''.join(f'; {x}' for x in said)}")
    return lines or ["It has no entry."], not problems
