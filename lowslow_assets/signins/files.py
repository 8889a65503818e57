"""The records of a file. Its first bytes show compression, the encoding of a text, or a table."""

import codecs
import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from typing import IO, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from lowslow_assets.signins.records import (
    MAX_RECORD_BYTES,
    MOST_KEPT_BYTES,
    TOO_LONG,
    Found,
    Reject,
    read_text,
)

UNREADABLE = "unreadable file: "
_WRONG_NUMBER = "a CSV row that does not have as many fields as the header"
_NO_CSV = "a CSV row that cannot be read"

_PARQUET, _GZIP, _ZSTD = b"PAR1", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_NOT_READ = {
    b"PK\x03\x04": "a ZIP archive: unpack it",
    b"Obj\x01": "an Avro file, as Event Hubs captures: convert it to JSON lines",
    b"BZh": "packed with bzip2: unpack it",
    b"\xfd7zXZ": "packed with xz: unpack it",
    b"7z\xbc\xaf": "a 7z archive: unpack it",
    b"%PDF": "a PDF",
}
# A longer mark comes before the shorter mark with which it begins.
_MARKS = [
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
]
_HEAD_BYTES = 64 << 10
_MOST_DEPTH = 2
_ROWS_AT_ONCE = 1024
# Names in the header of a table of sign-ins, as the portal and Log Analytics download it.
_HEADERS = (
    ("Request ID", "Date (UTC)"),
    ("Id", "TimeGenerated"),
    ("Id", "TimeGenerated [UTC]"),
    ("id", "createdDateTime"),
)


def read_records(content: IO[bytes]) -> Iterator[Found]:
    """The records of a file as JSON texts of up to ``MAX_RECORD_BYTES``, and its rejects.

    A text may be one object; only decoding it shows this. No content raises an exception. If
    reading fails, or if the format is not one that is read, a last reject says so.
    """
    try:
        yield from _read(content, 0)
    except (OSError, EOFError, zlib.error, pa.ArrowException) as error:
        detail = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        yield Reject(UNREADABLE + detail.encode(errors="replace").decode(), None)


def _read(content: IO[bytes], depth: int) -> Iterator[Found]:
    head = _head(content)
    if head.startswith(_PARQUET):
        content.seek(0)
        yield from _parquet_rows(content)
        return
    is_all = len(head) < _HEAD_BYTES
    whole: Any = io.BytesIO(head) if is_all else io.BufferedReader(_Joined(head, content))
    for mark, what in _NOT_READ.items():
        if head.startswith(mark):
            raise OSError(what)
    if head.startswith((_GZIP, _ZSTD)):
        if depth == _MOST_DEPTH:
            raise OSError("packed again and again")
        unpack: Any = gzip.open if head.startswith(_GZIP) else _unpack_zstd
        with unpack(whole) as unpacked:
            yield from _read(unpacked, depth + 1)
    elif encoding := _encoding(head):
        yield from _read(io.BufferedReader(_InUtf8(whole, encoding)), depth)
    elif header := _header(head):
        yield from _csv_rows(whole, header)
    else:
        yield from read_text(whole)


def _head(content: IO[bytes]) -> bytes:
    head = b""
    while len(head) < _HEAD_BYTES and (part := content.read(_HEAD_BYTES - len(head))):
        head += part
    return head


def _unpack_zstd(content: IO[bytes]) -> Any:
    return pa.CompressedInputStream(pa.PythonFile(content, "r"), "zstd")


class _Raw(io.RawIOBase):
    """The bytes that ``_next`` returns, as a file."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._next(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _next(self, size: int) -> bytes:
        raise NotImplementedError


class _Joined(_Raw):
    """The first bytes of a file, which were inspected, and the bytes after them."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest

    def _next(self, size: int) -> bytes:
        if not self._head:
            return self._rest.read(size)
        data, self._head = self._head[:size], self._head[size:]
        return data


# --- text ----------------------------------------------------------------------------------------


def _encoding(head: bytes) -> str | None:
    """The encoding of a text that does not extend ASCII; None for UTF-8."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding
    # Without a mark: the first character of JSON and of headers is ASCII, as nearly all others are.
    evens, odds = head[:64:2], head[1:64:2]
    if _are_halves(evens, odds):
        return "utf-16-le"
    return "utf-16-be" if _are_halves(odds, evens) else None


def _are_halves(of_ascii: bytes, nulls: bytes) -> bool:
    return (
        min(len(of_ascii), len(nulls)) > 1
        and 0 < of_ascii[0] < 128
        and not nulls[0]
        and nulls.count(0) >= len(nulls) * 3 / 4
        and of_ascii.count(0) <= len(of_ascii) / 4
    )


class _InUtf8(_Raw):
    """A text of another encoding, in UTF-8; invalid bytes become U+FFFD."""

    def __init__(self, content: IO[bytes], encoding: str) -> None:
        self._content, self._data = content, b""
        self._decoder = codecs.getincrementaldecoder(encoding)("replace")

    def _next(self, size: int) -> bytes:
        while not self._data:
            part = self._content.read(size)
            text = self._decoder.decode(part, final=not part).removeprefix("\ufeff")
            self._data = text.encode(errors="replace")
            if not part:
                break
        data, self._data = self._data[:size], self._data[size:]
        return data


def _header(head: bytes) -> list[str] | None:
    """The names in the header of a CSV of sign-ins."""
    line = head.removeprefix(codecs.BOM_UTF8).partition(b"\n")[0]
    if line.lstrip().startswith((b"{", b"[")):
        return None
    try:
        names = next(csv.reader([line.decode(errors="replace").strip()]), [])
    except csv.Error:
        return None
    return names if any({*header} <= {*names} for header in _HEADERS) else None


def _csv_rows(content: Any, header: list[str]) -> Iterator[Found]:
    """The rows of a table in CSV as JSON. Every value is a text; an empty one is left out."""
    lines = io.TextIOWrapper(content, "utf-8-sig", errors="replace", newline="")
    rows = csv.reader(iter(lambda: lines.readline(MAX_RECORD_BYTES), ""))
    next(rows)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Reject(f"{_NO_CSV}: {error}", b"")
            continue
        if len(row) == len(header):
            fields = zip(header, row, strict=True)
            text = msgspec.json.encode({name: value for name, value in fields if value})
            yield _within_bounds(text)
        elif row:
            yield Reject(_WRONG_NUMBER, ",".join(row).encode()[:MOST_KEPT_BYTES])


def _within_bounds(text: bytes) -> Found:
    return [text] if len(text) <= MAX_RECORD_BYTES else Reject(TOO_LONG, text[:MOST_KEPT_BYTES])


# --- Parquet -------------------------------------------------------------------------------------


def _parquet_rows(content: IO[bytes]) -> Iterator[Found]:
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
            yield _within_bounds(text)
