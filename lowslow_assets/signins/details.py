"""The detail columns of a sign-in: device, place and status, each an object in one field."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa

from lowslow_assets.signins.json_text import NotAnObject, read_object
from lowslow_assets.signins.values import bounded_text, parse_degrees

# How many texts are kept, and of how many bytes at most.
_MOST_KEPT_TEXTS = 1 << 14
_MOST_KEPT_LENGTH = 512

_TEXT, _DOUBLE = pa.string(), pa.float64()


class _Quoted(msgspec.Struct):
    text: str


_QUOTED = msgspec.json.Decoder(_Quoted)


class Detail:
    """A detail column: a JSON object, or the JSON text of one, with entries of these names.

    ``make`` takes the entries in their order, None for one that is not there. What it makes is kept
    for the texts that repeat, as nearly all do.
    """

    def __init__(
        self,
        names: dict[str, Any],
        make: Callable[..., tuple[Any, ...]],
        kinds: Sequence[pa.DataType],
    ) -> None:
        self.kinds = kinds
        spellings = names | {name.lower(): kind for name, kind in names.items()}
        fields = [(name, kind, None) for name, kind in spellings.items()]
        entries = msgspec.defstruct("Entries", fields)
        self._decoder = msgspec.json.Decoder(entries)
        self._entries = [attrgetter(name, name.lower()) for name in names]
        self._make = make
        self._read_short = lru_cache(_MOST_KEPT_TEXTS)(self._read)

    def read(self, written: bytes) -> tuple[Any, ...]:
        """What is made of the entries of a value, by how it is written in JSON."""
        return (self._read_short if len(written) <= _MOST_KEPT_LENGTH else self._read)(written)

    def _read(self, written: bytes) -> tuple[Any, ...]:
        try:
            if written.startswith(b'"'):
                written = read_object(_QUOTED, b'{"text":%b}' % written).text.encode()
            entries = read_object(self._decoder, written)
        except NotAnObject:
            return self._make(*[None] * len(self._entries))
        found = (entry(entries) for entry in self._entries)
        return self._make(*(lower if exact is None else exact for exact, lower in found))


def _all_texts(*values: Any) -> tuple[str | None, ...]:
    return tuple(map(bounded_text, values))


def _place(
    country: Any, state: Any, city: Any, point: msgspec.Raw | None
) -> tuple[str | float | None, ...]:
    return *_all_texts(country, state, city), *_POINT.read(bytes(point or b""))


def _point(latitude: Any, longitude: Any) -> tuple[float | None, float | None]:
    """Both coordinates or neither; 0,0 is how the log writes an unknown point."""
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
