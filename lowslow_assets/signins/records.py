"""The records of a text: single JSON objects, whatever surrounds them.

Records are lines, or items of a JSON array on one line or many, or objects indented over many
lines. They may be in an envelope (``{"records": [...]}`` of Event Hubs, ``{"value": [...]}`` of
Microsoft Graph) or be rows of a table of the query API. A text that is none of these ends with its
line, and reading starts again at the next line. At most some MiB of a text are held at a time.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import IO, NamedTuple

import msgspec

from lowslow_assets.signins.json_text import MORE_BEHIND, NotAnObject, read_object

MAX_RECORD_BYTES = 1 << 20

TOO_LONG = "longer than 1 MiB"
UNCLOSED_OBJECT = "a JSON object that does not end"
UNCLOSED_ARRAY = "a JSON array that does not end"
EMPTY_ARRAY = "a JSON array with nothing in it"
NOT_AN_ITEM = "a JSON array in which an item is not an object"
NOT_A_ROW = "a row of a table that does not have the table's columns"

_READ_BYTES = 256 << 10
_LINES_AT_ONCE = 256
# The most bytes of 1,024 characters.
MOST_KEPT_BYTES = 4 << 10

_BLANK = re.compile(rb"(?:[ \t\r\n]++|\xef\xbb\xbf)*+")
_BETWEEN_ITEMS = re.compile(rb"(?:[ \t\r\n,\[\]]++|\xef\xbb\xbf)*+")
_REST_OF_LINE = re.compile(rb"(?:[ \t\r]++|\xef\xbb\xbf)*+(?:\n|\Z)")
_BRACKET = re.compile(rb"[\[\]]")
# Up to a bracket that is not part of a string: group 1 if it opens, group 2 if it closes. There is
# no group if a string does not end, or, for a line, if the line ends first.
_TO_BRACKET = re.compile(
    rb'(?:[^"{}\[\]]++|"(?:[^"\\\n]++|\\.)*+")*+(?:([{\[])|([}\]])|)',
)
_TO_BRACKET_IN_LINE = re.compile(
    rb'(?:[^"{}\[\]\n]++|"(?:[^"\\\n]++|\\.)*+")*+(?:([{\[])|([}\]])|)',
)
# The beginning of an envelope, up to the bracket before its first item.
_WORD = rb'"(?:@odata\.\w+|\$schema|nextLink|count)"\s*:\s*(?:"(?:[^"\\\n]++|\\.)*+"|\d+)\s*,\s*'
_ENVELOPE = re.compile(rb'\{\s*(?:%b)*+"(?:records|value)"\s*:\s*\[' % _WORD)
_TABLE = re.compile(
    rb'\{\s*"tables"\s*:\s*\[\s*\{\s*(?:"name"\s*:\s*"[^"\n]*"\s*,\s*)?'
    rb'"columns"\s*:\s*(\[(?:[^"\[\]]++|"(?:[^"\\\n]++|\\.)*+")*+\])\s*,\s*"rows"\s*:\s*\['
)
# A possible envelope, which is cheaper to test on every line.
_OPENS = re.compile(rb'\{\s*"(?:records|value|tables|@odata\.|\$schema|nextLink|count)')
# The most bytes before the first item, and the most envelopes within each other.
_MOST_ENVELOPE_BYTES, _MOST_ENVELOPES = 32 << 10, 8
_BETWEEN_ROWS = re.compile(rb"[ \t\r\n,]*+")
_SCALAR = re.compile(rb'"(?:[^"\\\n]++|\\.)*+"|[^,\[\]{}"\n]++')


class Reject(NamedTuple):
    """Text that is not a record: the reason, and its beginning, which is None for a whole file."""

    reason: str
    text: bytes | None


Found = list[bytes] | Reject
"""Some records, each as a JSON text, or a reject."""


def read_text(content: IO[bytes]) -> Iterator[Found]:
    """The records of a text as JSON texts of up to ``MAX_RECORD_BYTES``, and its rejects.

    Lines come many at a time. A JSON text may be one object; only decoding it shows this. No
    content raises an exception.
    """
    return _Text(content).records()


class _Text:
    """A window on a text; the bytes before ``at`` have been processed."""

    def __init__(self, content: IO[bytes]) -> None:
        self.content = content
        self.data = b""
        self.at = 0
        # How many bytes of the text are before the window.
        self.passed = 0
        # How many arrays are open, and how many items the outermost has had so far.
        self.depth = 0
        self.items = 0
        # For each open envelope, how many arrays were open where it began.
        self.envelopes: list[int] = []
        # Before this byte of the text, only objects on a single line are read.
        self.lines_until = 0

    def records(self) -> Iterator[Found]:
        while True:
            if self.depth:
                yield from self._between_items()
            else:
                yield from self._plain_lines()
                self._skip_blank()
            if self.at == len(self.data):
                break
            is_object = self.data[self.at] == ord("{")
            if is_object and (columns := self._open()) is not None:
                yield from self._rows_of_table(columns) if columns else ()
            elif self.depth:
                self.items += 1
                yield _one(self._object()) if is_object else self._scalar()
            elif self.data[self.at] == ord("["):
                self.at += 1
                self.depth, self.items = 1, 0
            else:
                yield _one(self._line())
        if self.depth:
            yield Reject(UNCLOSED_ARRAY, b"")

    def _plain_lines(self) -> Iterator[list[bytes]]:
        """Lines that hold one object each, as nearly all do; faster than the loop for all forms."""
        data, at, lines = self.data, self.at, list[bytes]()
        while data.startswith(b"{", at):
            end = data.find(b"\n", at, at + MAX_RECORD_BYTES)
            if end < 0 or not data.endswith((b"}", b"}\r"), at, end) or _OPENS.match(data, at):
                break
            lines.append(data[at:end])
            at = end + 1
            if len(lines) == _LINES_AT_ONCE:
                yield lines
                lines = []
        if lines:
            yield lines
        self.at = at

    def _open(self) -> list[str] | None:
        """Step into an envelope or table that begins here, up to its first item or row.

        Returns the columns of a table, an empty list for an envelope, and None for any other
        object.
        """
        while len(self.data) - self.at < _MOST_ENVELOPE_BYTES and self._grow():
            pass
        if not _OPENS.match(self.data, self.at) or len(self.envelopes) == _MOST_ENVELOPES:
            return None
        if envelope := _ENVELOPE.match(self.data, self.at):
            self.at = envelope.end()
            self.envelopes.append(self.depth)
            if not self.depth:
                self.items = 0
            self.depth += 1
            return []
        if table := _TABLE.match(self.data, self.at):
            with suppress(msgspec.MsgspecError, UnicodeDecodeError):
                columns = [column.name for column in _COLUMNS.decode(table[1])]
                self.at = table.end()
                return columns
        return None

    def _rows_of_table(self, columns: list[str]) -> Iterator[Found]:
        """The rows of a table, which are arrays, as objects; the tables after it are skipped."""
        while True:
            self.at = _end(_BETWEEN_ROWS, self.data, self.at)
            while self.at == len(self.data) and self._grow():
                self.at = _end(_BETWEEN_ROWS, self.data, self.at)
            if self.at == len(self.data):
                yield Reject(UNCLOSED_ARRAY, b"")
                return
            if self.data[self.at] == ord("]"):
                self.at += 1
                # The rows were in the table, the table in the tables, the tables in the answer.
                self._leave(3)
                return
            end = self._object_end() if self.data[self.at] == ord("[") else None
            if end is None:
                yield self._reject_line(NOT_A_ROW)
                continue
            text = self.data[self.at : end]
            self.at = end
            try:
                values = _VALUES.decode(text)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                values = []
            if len(values) == len(columns):
                yield [msgspec.json.encode(dict(zip(columns, values, strict=True)))]
            else:
                yield Reject(NOT_A_ROW, text[:MOST_KEPT_BYTES])

    def _leave(self, depth: int) -> None:
        """Skip the rest of ``depth`` open objects and arrays."""
        while True:
            for match in _TO_BRACKET.finditer(self.data, self.at):
                if match.lastindex is None:
                    break
                self.at = match.end()
                depth += 1 if match.lastindex == 1 else -1
                if not depth:
                    return
            if len(self.data) - self.at > MAX_RECORD_BYTES or not self._grow():
                return

    def _line(self) -> bytes | Reject:
        end = self._line_end()
        line = self.data[self.at : end].rstrip(b" \t\r")
        if len(line) > MAX_RECORD_BYTES:
            return self._reject_line(TOO_LONG)
        if line.startswith(b"{") and not line.endswith(b"}"):
            return self._object()
        self.at = min(end + 1, len(self.data))
        return line

    def _object(self) -> bytes | Reject:
        """The object that begins here, which may end on another line."""
        end = self._object_end()
        if end is None:
            found = self.data.find(b"\n", self.at, self.at + MAX_RECORD_BYTES)
            is_long = found < 0 and len(self.data) - self.at > MAX_RECORD_BYTES
            return self._reject_line(TOO_LONG if is_long else UNCLOSED_OBJECT)
        text = self.data[self.at : end]
        if b"\n" in text:
            # A line that was cut would otherwise consume valid lines after it.
            if not _is_object(text):
                self.lines_until = self.passed + end
                return self._reject_line(UNCLOSED_OBJECT)
        elif not self.depth and not _REST_OF_LINE.match(self.data, end):
            return self._reject_line(MORE_BEHIND)
        self.at = end
        return text

    def _scalar(self) -> Reject:
        """An item that is not an object."""
        match = _SCALAR.match(self.data, self.at)
        while match is None or match.end() == len(self.data):
            if len(self.data) - self.at > MAX_RECORD_BYTES or not self._grow():
                break
            match = _SCALAR.match(self.data, self.at)
        if match is None or match.end() - self.at > MAX_RECORD_BYTES:
            return self._reject_line(NOT_AN_ITEM)
        self.at = match.end()
        return Reject(NOT_AN_ITEM, match[0][:MOST_KEPT_BYTES])

    def _between_items(self) -> Iterator[Reject]:
        """Skip what separates items. An array in the array is not an item, but its items are."""
        while True:
            end = _end(_BETWEEN_ITEMS, self.data, self.at)
            closing = self._count_brackets(end)
            self.at = closing or end
            if closing is None:
                if end < len(self.data) or not self._grow():
                    return
                continue
            if self.depth in self.envelopes[-1:]:
                self.envelopes.pop()
                self._leave(1)
            if not self.depth:
                if not self.items:
                    yield Reject(EMPTY_ARRAY, b"[]")
                self._skip_blank()
                return

    def _count_brackets(self, end: int) -> int | None:
        """Count arrays up to a byte, or up to the end of the outermost or an envelope's array.

        Returns the position of that end, or None.
        """
        if self.data.find(b"]", self.at, end) < 0:
            self.depth += self.data.count(b"[", self.at, end)
            return None
        for bracket in _BRACKET.finditer(self.data, self.at, end):
            opens = bracket[0] == b"["
            self.depth += 1 if opens else -1
            if not opens and (not self.depth or self.depth in self.envelopes[-1:]):
                return bracket.end()
        return None

    def _skip_blank(self) -> None:
        self.at = _end(_BLANK, self.data, self.at)
        while self.at == len(self.data) and self._grow():
            self.at = _end(_BLANK, self.data, self.at)

    def _line_end(self) -> int:
        """The end of the line if it is within ``MAX_RECORD_BYTES``, else the end of the window."""
        while (end := self.data.find(b"\n", self.at)) < 0:
            if len(self.data) - self.at > MAX_RECORD_BYTES or not self._grow():
                return len(self.data)
        return end

    def _object_end(self) -> int | None:
        """The end of the object that begins here, if it is within ``MAX_RECORD_BYTES``."""
        is_line = self.passed + self.at < self.lines_until
        pattern = _TO_BRACKET_IN_LINE if is_line else _TO_BRACKET
        while True:
            depth, at = 0, self.at
            for match in pattern.finditer(self.data, self.at):
                at = match.end()
                if match.lastindex == 1:
                    depth += 1
                elif match.lastindex == 2:
                    depth -= 1
                    if not depth:
                        return at if at - self.at <= MAX_RECORD_BYTES else None
                else:
                    break
            # Either a string or the line ended the search, or the window did.
            if self.data.find(b"\n", at) >= 0 or len(self.data) - self.at > MAX_RECORD_BYTES:
                break
            if not self._grow():
                break
        self.lines_until = max(self.lines_until, self.passed + at)
        return None

    def _reject_line(self, reason: str) -> Reject:
        """Reject the rest of the line."""
        end = self.data.find(b"\n", self.at)
        stop = self.at + MOST_KEPT_BYTES
        kept = self.data[self.at : stop if end < 0 else min(end, stop)]
        while end < 0:
            self.at = len(self.data)
            if not self._grow():
                return Reject(reason, kept)
            end = self.data.find(b"\n", self.at)
        self.at = end
        return Reject(reason, kept)

    def _grow(self) -> bool:
        """Read more, after dropping the processed bytes; False at the end of the text."""
        parts = [self.data[self.at :]]
        # The window doubles, so that bytes that are scanned again are scanned twice on average.
        missing = max(_READ_BYTES, len(parts[0]))
        while missing > 0 and (part := self.content.read(missing)):
            parts.append(part)
            missing -= len(part)
        self.passed += self.at
        self.data, self.at = b"".join(parts), 0
        return len(parts) > 1


def _one(record: bytes | Reject) -> Found:
    """A single record or reject."""
    return record if isinstance(record, Reject) else [record]


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    """The end of a match; the pattern matches everywhere."""
    match = pattern.match(data, at)
    assert match
    return match.end()


class _Object(msgspec.Struct):
    """Any object; its values are only checked to be JSON."""


_ANY_OBJECT = msgspec.json.Decoder(_Object)


class _Column(msgspec.Struct):
    name: str


_COLUMNS = msgspec.json.Decoder(list[_Column])
_VALUES = msgspec.json.Decoder(list)


def _is_object(text: bytes) -> bool:
    try:
        read_object(_ANY_OBJECT, text)
    except NotAnObject:
        return False
    return True
