"""JSON objects that a strict reader refuses, and the reasons why other texts are not objects."""

import json
import math
import re
from typing import Any, NoReturn, TypeVar

import msgspec

NOT_JSON = "not a JSON object"
NOT_AN_OBJECT = "a JSON text, not an object"
MORE_BEHIND = "a JSON object with more behind it on its line"
STRAY_END = "the end of a JSON array or object without its beginning"
TOO_DEEP = "nested too deeply"

_BETWEEN = re.compile(r"[ \t\r\n,\ufeff]*+")
_MOST_DIGITS = 18  # of an integer that fits 64 bits in any case
_MOST_DIGITS_KEPT = 1024


ANY_OBJECT = msgspec.json.Decoder(dict[str, Any])

T = TypeVar("T")


class NotAnObject(ValueError):
    """The text is not a JSON object; the message is the reason."""


def read_object(decoder: msgspec.json.Decoder[T], text: bytes) -> T:
    """The object that the decoder reads from a text, mended if necessary; raises NotAnObject."""
    try:
        return decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        mended = mend(text)
    try:
        return decoder.decode(mended)
    except RecursionError as error:
        raise NotAnObject(TOO_DEEP) from error


def mend(text: bytes) -> bytes:
    """The same JSON object in strict JSON; raises NotAnObject if the text is not an object.

    Bytes that are not UTF-8 and halves of surrogate pairs become U+FFFD. An integer of more than
    18 digits becomes the text of its digits, a number that no double can hold becomes null.
    NaN and Infinity are not JSON.
    """
    try:
        value = json.loads(
            text.decode(errors="replace"),
            parse_int=_integer,
            parse_float=_double,
            parse_constant=_refuse,
        )
        if not isinstance(value, dict):
            raise NotAnObject(NOT_AN_OBJECT)
        written = json.dumps(value, ensure_ascii=False)
    except json.JSONDecodeError as error:
        raise NotAnObject(_reason(text, error)) from error
    except RecursionError as error:
        raise NotAnObject(TOO_DEEP) from error
    return written.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def split_objects(text: bytes) -> list[bytes]:
    """The JSON objects that follow each other, with blanks or commas between them.

    The list is empty if the text has anything else, or if an object does not end.
    """
    decoder, at, found = json.JSONDecoder(), 0, []
    characters = text.decode(errors="replace")
    while match := _BETWEEN.match(characters, at):
        if match.end() == len(characters):
            return found
        try:
            _, end = decoder.raw_decode(characters, match.end())
        except (ValueError, RecursionError):
            break
        if characters[match.end()] != "{":
            break
        found.append(characters[match.end() : end].encode(errors="replace"))
        at = end
    return []


def _integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= _MOST_DIGITS else digits[:_MOST_DIGITS_KEPT]


def _double(digits: str) -> float | None:
    value = float(digits)
    return value if math.isfinite(value) else None


def _refuse(_: str) -> NoReturn:
    raise NotAnObject(NOT_JSON)


def _reason(text: bytes, error: json.JSONDecodeError) -> str:
    if text.startswith((b"]", b"}")):
        return STRAY_END
    return MORE_BEHIND if error.msg == "Extra data" and text.startswith(b"{") else NOT_JSON
