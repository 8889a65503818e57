"""The bytes of a file to its records: single JSON objects, whatever stands around them.

A file is text or, by its name, text packed with gzip or a table (Parquet). In a text, records are
lines, or items of a JSON array on one line or many, or objects indented over many lines. What is
none of these ends with its line; the next line is looked at anew. No more than some MiB of a file
are held at a time.
"""

import gzip
import re
import zlib
from collections.abc import Iterator
from typing import IO, NamedTuple

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from lowslow_assets.signins.json_text import MORE_BEHIND, NotAnObject, read_object

MAX_RECORD_BYTES = 1 << 20

TOO_LONG = "longer than 1 MiB"
UNCLOSED_OBJECT = "a JSON object that does not end"
UNCLOSED_ARRAY = "a JSON array that does not end"
EMPTY_ARRAY = "a JSON array with nothing in it"
NOT_AN_ITEM = "a JSON array in which an item is not an object"
UNREADABLE = "unreadable file: "

_READ_BYTES = 64 << 10
# Of 1,024 characters.
_MOST_KEPT_BYTES = 4 << 10
_ROWS_AT_ONCE = 1024

_BLANK = re.compile(rb"(?:[ \t\r\n]++|\xef\xbb\xbf)*+")
_BETWEEN_ITEMS = re.compile(rb"(?:[ \t\r\n,\[\]]++|\xef\xbb\xbf)*+")
_REST_OF_LINE = re.compile(rb"(?:[ \t\r]++|\xef\xbb\xbf)*+(?:\n|\Z)")
_BRACKET = re.compile(rb"[\[\]]")
# Up to a bracket that is not part of a string: group 1 where it opens, group 2 where it closes.
# Neither where a string does not end, or in a line where that ends.
_TO_BRACKET = re.compile(
    rb'(?:[^"{}\[\]]++|"(?:[^"\\\n]++|\\.)*+")*+(?:([{\[])|([}\]])|)',
)
_TO_BRACKET_IN_LINE = re.compile(
    rb'(?:[^"{}\[\]\n]++|"(?:[^"\\\n]++|\\.)*+")*+(?:([{\[])|([}\]])|)',
)
_SCALAR = re.compile(rb'"(?:[^"\\\n]++|\\.)*+"|[^,\[\]{}"\n]++')


class Reject(NamedTuple):
    """What is no record: why, and how it begins; no text where it is a whole file."""

    reason: str
    text: bytes | None


def read_records(name: str, content: IO[bytes]) -> Iterator[bytes | Reject]:
    """The records of a file as JSON texts of up to ``MAX_RECORD_BYTES``, and what is none.

    A text is what may be one object: only who decodes it knows. Never raises for what the content
    is. Where reading it fails, a last reject says so.
    """
    try:
        if name.endswith(".parquet"):
            yield from _rows(content)
        elif name.endswith(".gz"):
            with gzip.open(content) as unpacked:
                yield from _Text(unpacked).records()
        else:
            yield from _Text(content).records()
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        yield Reject(UNREADABLE + detail.encode(errors="replace").decode(), None)


# --- text ----------------------------------------------------------------------------------------


class _Text:
    """A window on a text; what is before ``at`` is done with."""

    def __init__(self, content: IO[bytes] | gzip.GzipFile) -> None:
        self.content = content
        self.data = b""
        self.at = 0
        # Bytes of the text before the window.
        self.passed = 0
        # How many arrays are open, and how many items the outermost has had so far.
        self.depth = 0
        self.items = 0
        # Before this byte of the text, only objects that end on the line they begin on are read.
        self.lines_until = 0

    def records(self) -> Iterator[bytes | Reject]:
        while True:
            if self.depth:
                yield from self._between_items()
            else:
                yield from self._plain_lines()
                self._skip_blank()
            if self.at == len(self.data):
                break
            is_object = self.data[self.at] == ord("{")
            if self.depth:
                self.items += 1
                yield self._object() if is_object else self._scalar()
            elif self.data[self.at] == ord("["):
                self.at += 1
                self.depth, self.items = 1, 0
            else:
                yield self._line()
        if self.depth:
            yield Reject(UNCLOSED_ARRAY, b"")

    def _plain_lines(self) -> Iterator[bytes]:
        """The lines that hold an object each, as nearly all do; shorter than a loop for any."""
        data, at = self.data, self.at
        while data.startswith(b"{", at):
            end = data.find(b"\n", at, at + MAX_RECORD_BYTES)
            if end < 0 or not data.endswith((b"}", b"}\r"), at, end):
                break
            yield data[at:end]
            at = end + 1
        self.at = at

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
            # A line that was cut would take good ones behind it along.
            if not _is_object(text):
                self.lines_until = self.passed + end
                return self._reject_line(UNCLOSED_OBJECT)
        elif not self.depth and not _REST_OF_LINE.match(self.data, end):
            return self._reject_line(MORE_BEHIND)
        self.at = end
        return text

    def _scalar(self) -> Reject:
        """An item that is no object."""
        match = _SCALAR.match(self.data, self.at)
        while match is None or match.end() == len(self.data):
            if len(self.data) - self.at > MAX_RECORD_BYTES or not self._grow():
                break
            match = _SCALAR.match(self.data, self.at)
        if match is None or match.end() - self.at > MAX_RECORD_BYTES:
            return self._reject_line(NOT_AN_ITEM)
        self.at = match.end()
        return Reject(NOT_AN_ITEM, match[0][:_MOST_KEPT_BYTES])

    def _between_items(self) -> Iterator[Reject]:
        """Pass over what separates items. Arrays within the array are no items, theirs are."""
        while True:
            end = _end(_BETWEEN_ITEMS, self.data, self.at)
            if self.data.find(b"]", self.at, end) < 0:
                self.depth += self.data.count(b"[", self.at, end)
            else:
                for bracket in _BRACKET.finditer(self.data, self.at, end):
                    self.depth += 1 if bracket[0] == b"[" else -1
                    if not self.depth:
                        self.at = bracket.end()
                        if not self.items:
                            yield Reject(EMPTY_ARRAY, b"[]")
                        self._skip_blank()
                        return
            self.at = end
            if end < len(self.data) or not self._grow():
                return

    def _skip_blank(self) -> None:
        self.at = _end(_BLANK, self.data, self.at)
        while self.at == len(self.data) and self._grow():
            self.at = _end(_BLANK, self.data, self.at)

    def _line_end(self) -> int:
        """Where the line ends, if it does so within ``MAX_RECORD_BYTES``, else the window."""
        while (end := self.data.find(b"\n", self.at)) < 0:
            if len(self.data) - self.at > MAX_RECORD_BYTES or not self._grow():
                return len(self.data)
        return end

    def _object_end(self) -> int | None:
        """Where the object that begins here ends, if it does so within ``MAX_RECORD_BYTES``."""
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
            # Did a string or the line end the search, or the window?
            if self.data.find(b"\n", at) >= 0 or len(self.data) - self.at > MAX_RECORD_BYTES:
                break
            if not self._grow():
                break
        self.lines_until = max(self.lines_until, self.passed + at)
        return None

    def _reject_line(self, reason: str) -> Reject:
        """Whatever is left of the line."""
        end = self.data.find(b"\n", self.at)
        stop = self.at + _MOST_KEPT_BYTES
        kept = self.data[self.at : stop if end < 0 else min(end, stop)]
        while end < 0:
            self.at = len(self.data)
            if not self._grow():
                return Reject(reason, kept)
            end = self.data.find(b"\n", self.at)
        self.at = end
        return Reject(reason, kept)

    def _grow(self) -> bool:
        """Read on, after leaving behind what is done with; False at the end of the text."""
        parts = [self.data[self.at :]]
        # As much again as there is: what is looked at anew is then seen twice on average.
        missing = max(_READ_BYTES, len(parts[0]))
        while missing > 0 and (part := self.content.read(missing)):
            parts.append(part)
            missing -= len(part)
        self.passed += self.at
        self.data, self.at = b"".join(parts), 0
        return len(parts) > 1


def _end(pattern: re.Pattern[bytes], data: bytes, at: int) -> int:
    """Where a pattern that matches anywhere ends."""
    match = pattern.match(data, at)
    assert match
    return match.end()


class _Object(msgspec.Struct):
    """Any object; its values are looked at no further than that they are JSON."""


_ANY_OBJECT = msgspec.json.Decoder(_Object)


def _is_object(text: bytes) -> bool:
    try:
        read_object(_ANY_OBJECT, text)
    except NotAnObject:
        return False
    return True


# --- tables --------------------------------------------------------------------------------------


def _rows(content: IO[bytes]) -> Iterator[bytes | Reject]:
    """The rows of a Parquet file as JSON; times are text as Arrow writes it."""
    for batch in pq.ParquetFile(content).iter_batches(batch_size=_ROWS_AT_ONCE):
        batch.validate(full=True)
        columns = [
            column.cast(pa.string()) if pa.types.is_timestamp(column.type) else column
            for column in batch.columns
        ]
        try:
            rows = pa.RecordBatch.from_arrays(columns, batch.schema.names).to_pylist()
            texts = [msgspec.json.encode(row, enc_hook=str) for row in rows]
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise pa.ArrowInvalid(f"a value that JSON cannot hold: {error}") from error
        for text in texts:
            is_long = len(text) > MAX_RECORD_BYTES
            yield Reject(TOO_LONG, text[:_MOST_KEPT_BYTES]) if is_long else text
