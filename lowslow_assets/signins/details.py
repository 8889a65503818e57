"""The detail columns of a sign-in: device, place and status. Each is an object in one field."""

import ast
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import msgspec
import pyarrow as pa
from msgspec.structs import astuple

from lowslow_assets.signins.json_text import (
    ANY_OBJECT,
    NOT_AN_OBJECT,
    NOT_JSON,
    NotAnObject,
    read_object,
)
from lowslow_assets.signins.values import bounded_text, parse_degrees

# How many texts are kept, and the most bytes of a kept text.
_MOST_KEPT_TEXTS = 1 << 14
_MOST_KEPT_LENGTH = 512

_TEXT, _DOUBLE = pa.string(), pa.float64()


# Limits of a text that is quoted repeatedly, and of one in Python's spelling, which is parsed as
# code.
_MOST_QUOTES = 3
_MOST_PYTHON_LENGTH = 4096
_NOTHING = (b"", b"null", b"None", b"[]", b"-")


class _Quoted(msgspec.Struct):
    text: str


_QUOTED = msgspec.json.Decoder(_Quoted)


class Detail:
    """A detail column: a JSON object, or the JSON text of one, with entries of these names.

    ``make`` takes the entries in their order, with None for a missing one. Its result is kept for
    texts that repeat, as nearly all do. Upper and lower case of names are the same. A text that is
    quoted twice, or written as Python writes it, is read too.
    """

    def __init__(
        self,
        names: dict[str, Any],
        make: Callable[..., tuple[Any, ...]],
        kinds: Sequence[pa.DataType],
    ) -> None:
        self.kinds = [*kinds, pa.bool_()]
        fields = [(name, kind, None) for name, kind in names.items()]
        self._entries = msgspec.defstruct("Entries", fields)
        self._decoder = msgspec.json.Decoder(self._entries)
        self._names = {name.lower(): name for name in names}
        self._nothing = (None,) * len(names)
        self._make = make
        self._read_short = lru_cache(_MOST_KEPT_TEXTS)(self._read)

    def read(self, written: bytes) -> tuple[Any, ...]:
        """The result of ``make`` for the entries of a value, given as its JSON text.

        The last item says whether the value could be read; a value without content counts as read.
        """
        return (self._read_short if len(written) <= _MOST_KEPT_LENGTH else self._read)(written)

    def _read(self, written: bytes) -> tuple[Any, ...]:
        try:
            for _ in range(_MOST_QUOTES):
                if written.startswith(b'"'):
                    quoted = read_object(_QUOTED, b'{"text":%b}' % written)
                    written = quoted.text.strip().encode()
            entries = self._nothing if written in _NOTHING else self._read_object(written)
        except NotAnObject:
            return (*self._make(*self._nothing), False)
        return (*self._make(*entries), True)

    def _read_object(self, written: bytes) -> tuple[Any, ...]:
        try:
            entries = astuple(read_object(self._decoder, written))
            if entries != self._nothing:
                return entries
            return self._in_any_case(read_object(ANY_OBJECT, written))
        except NotAnObject:
            return self._in_any_case(_python_object(written))

    def _in_any_case(self, entries: dict[str, Any]) -> tuple[Any, ...]:
        lower = {name.lower(): value for name, value in entries.items()}
        named = {own: lower[name] for name, own in self._names.items() if name in lower}
        try:
            return astuple(self._decoder.decode(msgspec.json.encode(named)))
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise NotAnObject(NOT_JSON) from error


def _python_object(written: bytes) -> dict[str, Any]:
    """An object as Python writes it; raises NotAnObject."""
    if len(written) > _MOST_PYTHON_LENGTH or not written.startswith(b"{"):
        raise NotAnObject(NOT_JSON)
    try:
        value = ast.literal_eval(written.decode())
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError) as error:
        raise NotAnObject(NOT_JSON) from error
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise NotAnObject(NOT_AN_OBJECT)
    return value


def _all_texts(*values: Any) -> tuple[str | None, ...]:
    return tuple(map(bounded_text, values))


def _place(
    country: Any, state: Any, city: Any, point: msgspec.Raw | None
) -> tuple[str | float | None, ...]:
    *coordinates, _ = _POINT.read(bytes(point or b""))
    return *_all_texts(country, state, city), *coordinates


def _point(latitude: Any, longitude: Any) -> tuple[float | None, float | None]:
    """Both coordinates or neither; the log writes 0,0 for an unknown point."""
    north, east = parse_degrees(latitude, 90), parse_degrees(longitude, 180)
    return (None, None) if north is None or east is None or north == east == 0 else (north, east)


_POINT = Detail({"latitude": Any, "longitude": Any}, _point, [_DOUBLE] * 2)
DETAILS = {
    "device": Detail(
        {"browser": Any, "displayName": Any, "operatingSystem": Any}, _all_texts, [_TEXT] * 3
    ),
    "place": Detail(
        {"countryOrRegion": Any, "state": Any, "city": Any, "geoCoordinates": msgspec.Raw},
        _place,
        [*[_TEXT] * 3, *[_DOUBLE] * 2],
    ),
    "status": Detail({"errorCode": Any}, _all_texts, [_TEXT]),
}
