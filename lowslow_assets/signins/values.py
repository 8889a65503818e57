"""The meaning of a log's values: text of any JSON value; times, truth and numbers of texts."""

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

MAX_TEXT_LENGTH = 1024
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
# Seconds between any two times fit 32 bits.
LATEST = datetime(2067, 12, 31, 23, 59, 59, 999999, tzinfo=UTC)


def as_text(value: Any) -> str | None:
    """The text of a value of any type, in a JSON field that is documented as text.

    A string is itself. ``true`` and ``false`` are these words. An integer is its digits, and so is
    a float that is a whole number (``50126.0`` is ``50126``); another float is written as Python
    does. Null, an object and an array have no text.
    """
    write = _WRITTEN.get(type(value))
    return write(value) if write else None


def _float_text(value: float) -> str:
    return f"{value:.0f}" if value.is_integer() else repr(value)


_WRITTEN: dict[type, Callable[[Any], str]] = {
    str: str,
    bool: {True: "true", False: "false"}.__getitem__,
    int: str,
    float: _float_text,
}


def bounded_text(value: Any) -> str | None:
    """``as_text``, trimmed of spaces and cut to 1,024 characters; None if nothing is left."""
    text = value if type(value) is str else as_text(value)
    return text.strip(" ")[:MAX_TEXT_LENGTH] or None if text else None


_ISO = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?"
    r" ?(?:Z|UTC|GMT|([+-])(\d\d):?(\d\d)?)?",
    re.ASCII | re.IGNORECASE,
)
_AMERICAN = re.compile(
    r"(\d\d?)/(\d\d?)/(\d{4}),? (0?[1-9]|1[0-2]):(\d\d):(\d\d)(?:\.(\d{1,6})\d*)? ([AP])M",
    re.ASCII | re.IGNORECASE,
)
_SINCE_1970 = re.compile(r"/Date\((\d{1,15})(?:[+-]\d{4})?\)/", re.ASCII)
_BLANKS = re.compile(r"\s+")


def parse_time(text: str) -> datetime | None:
    """A time in UTC, from ISO 8601 with at least minutes, or from ``M/d/yyyy h:mm:ss AM``.

    Also from ``/Date(1782785100000)/``, which has milliseconds since 1970. Digits beyond
    microseconds are cut, any number of blanks counts as one space, and a time without an offset is
    in UTC. A time before ``EARLIEST`` or after ``LATEST`` is a default value (year 1 is .NET's),
    and outside of what pandas or a count of seconds can hold.
    """
    text = _BLANKS.sub(" ", text.strip())
    try:
        if iso := _ISO.fullmatch(text):
            *numbers, fraction, sign, hours, minutes = iso.groups()
            year, month, day, hour, minute, second = (int(number or 0) for number in numbers)
            microsecond = int((fraction or "").ljust(6, "0"))
            time = datetime(year, month, day, hour, minute, second, microsecond, UTC)
            offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
            time = time + offset if sign == "-" else time - offset
        elif american := _AMERICAN.fullmatch(text):
            *numbers, fraction, half = american.groups()
            month, day, year, hour, minute, second = map(int, numbers)
            hour = hour % 12 + (12 if half in "Pp" else 0)
            microsecond = int((fraction or "").ljust(6, "0"))
            time = datetime(year, month, day, hour, minute, second, microsecond, UTC)
        elif since := _SINCE_1970.fullmatch(text):
            time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=int(since[1]))
        else:
            return None
    except (ValueError, OverflowError):
        return None
    return time if EARLIEST <= time <= LATEST else None


_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


def parse_boolean(text: str) -> bool | None:
    """True and false as the log spells them: JSON booleans, ``"True"``, 0 and 1."""
    return _BOOLEANS.get(text.lower())


_CODE = re.compile(
    r"(?:AADSTS)?0*(\d{1,9})(?:\.0*)?(?:[:\s].*)?", re.ASCII | re.IGNORECASE | re.DOTALL
)
_OUTCOMES = {"success": "0", "succeeded": "0"}


def parse_result(text: str) -> str:
    """The code of a result: ``0`` for a success, else an error's code; other texts as they are.

    ``50126.0``, ``0050126``, ``AADSTS50126`` and ``50126: Invalid password`` are ``50126``.
    """
    match = _CODE.fullmatch(text)
    return match[1] if match else _OUTCOMES.get(text.lower(), text)


_NUMBER = re.compile(r"(?<![\d-])\d+", re.ASCII)
_SEPARATOR = re.compile(r"(?<=\d)[,.'_\s](?=\d{3}(?!\d))")


def parse_number(text: str) -> int | None:
    """The first number in a text (``AS64500``, ``64,500``), if it fits 63 bits.

    0 is an unknown system, and a negative number is not a system.
    """
    match = _NUMBER.search(_SEPARATOR.sub("", text))
    number = int(match[0]) if match else 0
    return number if 0 < number < 1 << 63 else None


# What the log writes in place of a value: words, and the GUID of zeros.
_PLACEHOLDER = re.compile(
    r"[^\w@]*(?:not available|not applicable|n/a|null|none|unknown|redacted|(?:pii )?removed[^@]*"
    r"|0{8}-0{4}-0{4}-0{4}-0{12})[^\w@]*(?:@.*)?",
    re.IGNORECASE,
)


@lru_cache(1 << 13)
def unless_placeholder(text: str) -> str | None:
    """The text; None if it only says that there is no value."""
    return None if _PLACEHOLDER.fullmatch(text) else text


_DEGREES = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def parse_degrees(value: Any, bound: int) -> float | None:
    """A number, or a text that is one, from ``-bound`` to ``bound``."""
    text = bounded_text(value)
    degrees = float(text) if text and _DEGREES.fullmatch(text) else math.inf
    # Never -0.0, which equals 0.0 but is distinguished from it by an engine's order.
    return degrees + 0.0 if abs(degrees) <= bound else None
