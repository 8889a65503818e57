"""Bytes to records: text around an object, text that is not one, and how much is held at a time."""

import gzip
import io
import json
import tracemalloc
from collections.abc import Iterable, Iterator
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lowslow_assets.signins.files import read_records
from lowslow_assets.signins.json_text import MORE_BEHIND
from lowslow_assets.signins.records import (
    EMPTY_ARRAY,
    MAX_RECORD_BYTES,
    NOT_A_ROW,
    NOT_AN_ITEM,
    TOO_LONG,
    UNCLOSED_ARRAY,
    UNCLOSED_OBJECT,
    Found,
    Reject,
    read_text,
)

ONE, TWO = {"Id": "1", "Nested": [{"a": "]}"}, []]}, {"Id": "2", "Text": '"[{\\'}


def read(text: str | bytes, name: str = "x.json") -> list[Any]:
    """The records, decoded where they are JSON, and the reasons of rejects."""
    content = text.encode() if isinstance(text, str) else text
    return [shown(record) for record in each(read_records(io.BytesIO(content)))]


def each(found: Iterable[Found]) -> Iterator[bytes | Reject]:
    """The records and rejects one by one."""
    for some in found:
        yield from [some] if isinstance(some, Reject) else some


def shown(record: bytes | Reject) -> Any:
    if isinstance(record, Reject):
        return record.reason
    try:
        return json.loads(record)
    except ValueError:
        return record


def indented(value: Any, indent: int = 2) -> str:
    return json.dumps(value, indent=indent)


ONE_LINE, TWO_LINE = json.dumps(ONE), json.dumps(TWO)
BOTH = [ONE, TWO]


@pytest.mark.parametrize(
    "text",
    [
        f"{ONE_LINE}\n{TWO_LINE}\n",
        f"{ONE_LINE}\n{TWO_LINE}",
        f"\ufeff{ONE_LINE}\r\n\r\n \t{TWO_LINE} \t\r\n\r\n",
        f"\n\ufeff \n{ONE_LINE}\ufeff\n\n{TWO_LINE}",
        f"[{ONE_LINE},{TWO_LINE}]",
        f"\ufeff[{ONE_LINE} , {TWO_LINE}]\r\n",
        f"[{ONE_LINE},\n{TWO_LINE}]",
        f"[\n{ONE_LINE}\n,{TWO_LINE}\n]\n",
        f"[[{ONE_LINE}],[{TWO_LINE}]]",
        f"[{ONE_LINE}]\n[{TWO_LINE}]\n",
        f"[{ONE_LINE}] [{TWO_LINE}]",
        f"[{ONE_LINE}]{TWO_LINE}",
        f"[{ONE_LINE}]\n{TWO_LINE}",
        f"{ONE_LINE}\n[{TWO_LINE}]",
        indented(BOTH),
        indented(BOTH, 0),
        indented(BOTH).replace("\n", "\r\n"),
        f"{indented(ONE)}\n{indented(TWO)}\n",
        f"{indented(ONE)}{indented(TWO)}",
        f"{indented(ONE, 0)}\n\n{TWO_LINE}",
        f"{ONE_LINE}\n  {indented(TWO)}  ",
    ],
)
def test_every_object_is_a_record_whatever_stands_around_it(text: str):
    assert read(text) == BOTH
    assert read(gzip.compress(text.encode()), "x.json.gz") == BOTH


TABLE = {
    "tables": [
        {
            "name": "PrimaryResult",
            "columns": [{"name": "Id", "type": "string"}, {"name": "Text", "type": "string"}],
            "rows": [["1", "],["], ["2", None]],
        }
    ]
}
BROKEN = [NOT_A_ROW, NOT_A_ROW, UNCLOSED_ARRAY]
OF_TABLE = [{"Id": "1", "Text": "],["}, {"Id": "2", "Text": None}]
PAGE = {"@odata.context": "https://graph/$metadata", "@odata.nextLink": "?a,]", "value": BOTH}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (json.dumps({"records": BOTH}), BOTH),
        (indented({"records": BOTH}), BOTH),
        (json.dumps(PAGE), BOTH),
        (indented(PAGE), BOTH),
        (json.dumps({"value": BOTH, "@odata.nextLink": "https://graph/?[{"}), BOTH),
        (json.dumps({"value": BOTH, "more": [{"a": [1]}], "b": {}}), BOTH),
        (json.dumps([{"records": [ONE]}, {"records": [TWO]}]), BOTH),
        (json.dumps({"records": [{"records": [ONE]}, TWO]}), BOTH),
        (json.dumps({"records": [ONE]}) + "\n" + json.dumps({"records": [TWO]}) + "\n", BOTH),
        (ONE_LINE + "\n" + json.dumps({"value": [TWO]}), BOTH),
        (json.dumps({"value": [ONE]}) + "\r\n" + TWO_LINE, BOTH),
        (json.dumps({"records": []}) + "\n" + ONE_LINE, [EMPTY_ARRAY, ONE]),
        (json.dumps({"records": [ONE]})[:-2], [ONE, UNCLOSED_ARRAY]),
        (json.dumps(TABLE), OF_TABLE),
        (indented(TABLE), OF_TABLE),
        (indented(TABLE) + ONE_LINE, [*OF_TABLE, ONE]),
        (json.dumps(TABLE | {"statistics": {"query": [1]}}) + "\n" + ONE_LINE, [*OF_TABLE, ONE]),
        (json.dumps(TABLE).replace('["2", null]', '["2"], 7'), [OF_TABLE[0], *BROKEN]),
        (json.dumps(TABLE)[:-9], [OF_TABLE[0], *BROKEN[1:]]),
        # Records of another form, read like any other.
        (json.dumps({"value": ONE}), [{"value": ONE}]),
        (json.dumps({"tables": []}), [{"tables": []}]),
    ],
)
def test_what_an_envelope_holds_is_a_record_each(text: str, expected: list[Any]):
    assert read(text) == expected


@pytest.mark.parametrize("opening", [b'{"records":[', b'[{"value":[', b'{"tables":[{"columns":['])
def test_envelopes_within_each_other_are_bounded(opening: bytes):
    tracemalloc.start()
    for record in each(read_records(io.BytesIO(opening * (4 << 20) + b"\n" + GOOD))):
        assert isinstance(record, bytes | Reject)
    assert tracemalloc.get_traced_memory()[1] < 400 << 20
    tracemalloc.stop()


def test_an_envelope_of_any_length_is_read_in_pieces():
    def parts() -> Iterator[bytes]:
        yield b'{"records":['
        for _ in range(20_000):
            yield GOOD + b","
        yield GOOD + b"]}\n" + GOOD

    tracemalloc.start()
    assert sum(1 for _ in each(read_records(cast(Any, Stream(parts()))))) == 20_002
    assert tracemalloc.get_traced_memory()[1] < 8 << 20
    tracemalloc.stop()


CUT = ONE_LINE[:12]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \r\n\ufeff\n", []),
        ("]", [b"]"]),
        (f"{ONE_LINE}\n]\n{TWO_LINE}", [ONE, b"]", TWO]),
        ("[]", [EMPTY_ARRAY]),
        ("[[],[]]\n" + ONE_LINE, [EMPTY_ARRAY, ONE]),
        ("[", [UNCLOSED_ARRAY]),
        ("[[[[", [UNCLOSED_ARRAY]),
        (f"[{ONE_LINE},", [ONE, UNCLOSED_ARRAY]),
        (f"[{ONE_LINE},{CUT}", [ONE, UNCLOSED_OBJECT, UNCLOSED_ARRAY]),
        (f"[{ONE_LINE},\n{CUT},\n{TWO_LINE}]", [ONE, UNCLOSED_OBJECT, TWO]),
        (f'[{ONE_LINE},null,1.5,"a, ]",{TWO_LINE}]', [ONE, *[NOT_AN_ITEM] * 3, TWO]),
        (f'[{ONE_LINE},"a\n{TWO_LINE}]', [ONE, NOT_AN_ITEM, TWO]),
        (f"[{ONE_LINE}, }}\n{TWO_LINE}]", [ONE, NOT_AN_ITEM, TWO]),
        (f"{CUT}\n{TWO_LINE}", [UNCLOSED_OBJECT, TWO]),
        (f'{{"Id": "3",\n{ONE_LINE}\n{TWO_LINE}\n', [UNCLOSED_OBJECT, ONE, TWO]),
        # Balanced braces over several lines that belong to nothing.
        (f'{{"Id": "3",\n{ONE_LINE}\n"x": 1}}\n', [UNCLOSED_OBJECT, ONE, b'"x": 1}']),
        (f'{{"Id": "3", {ONE_LINE}x\n{TWO_LINE}', [UNCLOSED_OBJECT, TWO]),
        (f"{ONE_LINE}x\n{TWO_LINE}", [MORE_BEHIND, TWO]),
        (f"{ONE_LINE}{TWO_LINE}", [f"{ONE_LINE}{TWO_LINE}".encode()]),
        ("junk\n42\nnull\n", [b"junk", 42, None]),
        (b"\xff\x00\n\x00\n", [b"\xff\x00", b"\x00"]),
    ],
)
def test_text_that_is_not_an_object_ends_with_its_line(text: str, expected: list[Any]):
    assert read(text) == expected


def test_an_item_that_is_no_object_is_shown():
    assert list(each(read_records(io.BytesIO(b'["one", 2]')))) == [
        Reject(NOT_AN_ITEM, b'"one"'),
        Reject(NOT_AN_ITEM, b"2"),
    ]


# --- bounds ----------------------------------------------------------------------------------


class Stream(io.RawIOBase):
    """A text of any length that is not held; reads return less than requested."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self.parts = parts
        self.left = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        while not self.left and (part := next(self.parts, None)) is not None:
            self.left = part
        part, self.left = self.left[:size], self.left[size:]
        return part


def repeated(part: bytes, mib: int, before: bytes = b"", after: bytes = b"") -> Stream:
    def parts() -> Iterator[bytes]:
        yield before
        block = part * ((1 << 16) // len(part))
        for _ in range((mib << 20) // len(block)):
            yield block
        yield after

    return Stream(parts())


GOOD = ONE_LINE.encode()


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (b"x", [ONE, b"TOO_LONG", TWO]),
        (b'"', [ONE, b"TOO_LONG", TWO]),
        (b"{", [ONE, b"TOO_LONG", TWO]),
        (b'{"a":', [ONE, b"TOO_LONG", TWO]),
        (b"\\", [ONE, b"TOO_LONG", TWO]),
        (b"\x00", [ONE, b"TOO_LONG", TWO]),
    ],
)
def test_a_line_without_end_is_one_reject_and_the_next_is_read(part: bytes, expected: list[Any]):
    text = repeated(part, 12, GOOD + b"\n", b"\n" + TWO_LINE.encode())
    assert bounded_read(text) == [TOO_LONG if item == b"TOO_LONG" else item for item in expected]


def bounded_read(text: Stream, most_bytes: int = 8 << 20) -> list[Any]:
    """The records, or the first and last of many; fails if much of the text was held."""
    tracemalloc.start()
    found: list[Any] = []
    for record in each(read_records(cast(Any, text))):
        found.append(shown(record))
        if len(found) > 4:
            del found[2]
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < most_bytes
    return found


@pytest.mark.parametrize("bomb", [b"[", b'{"a":', b'[{"a":'])
def test_a_deep_nest_in_an_array_is_bounded(bomb: bytes):
    found = bounded_read(repeated(bomb, 12, b"[", b"\n" + GOOD))
    assert found[-2:] == [ONE, UNCLOSED_ARRAY]


def test_an_array_on_one_line_of_any_length_is_read():
    item = json.dumps({"Id": "3", "Text": "x" * 4000}).encode() + b","
    found = bounded_read(repeated(item, 12, b"[" + GOOD + b",", TWO_LINE.encode() + b"]"))
    assert found[0] == ONE
    assert found[-1] == TWO


@pytest.mark.parametrize("around", ["%s", "[%s]", "[\n%s\n]"])
def test_an_object_is_read_up_to_its_bound(around: str):
    empty = len(json.dumps({"Id": ""}))
    longest, longer = ({"Id": "x" * (MAX_RECORD_BYTES - empty + more)} for more in (0, 1))
    assert read(around % json.dumps(longest)) == [longest]
    assert read(around % json.dumps(longer))[0] == TOO_LONG
    wide = {str(i): i for i in range(40_000)}
    assert read(around % indented(wide)) == [wide]


# --- wild bytes ------------------------------------------------------------------------------

PIECES = [
    *(b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\n", b"\r\n", b" ", b"\xef\xbb\xbf"),
    *(b"\xff", b"\x00", b"1", b"null", b'"Id"', b'{"Id":"3"}', GOOD, indented(ONE).encode()),
]


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=8), max_size=40))
def test_bytes_of_any_kind_are_records_or_rejects_and_none_is_lost(pieces: list[bytes]):
    text = b"".join(pieces)
    found = list(each(read_text(io.BytesIO(text))))
    at = 0
    for record in found:
        kept = record.text if isinstance(record, Reject) else record
        if kept and kept != b"[]":
            # In order, and with only separators between them.
            begin = text.index(kept, at)
            assert not text[at:begin].translate(None, b" \t\r\n,[]\xef\xbb\xbf")
            at = begin + len(kept)
    assert not text[at:].translate(None, b" \t\r\n,[]\xef\xbb\xbf")


@given(st.lists(st.sampled_from(PIECES), max_size=30), st.integers(1, 5))
def test_how_a_text_is_cut_into_reads_changes_nothing(pieces: list[bytes], size: int):
    text = b"".join(pieces)
    parts = Stream(text[at : at + size] for at in range(0, len(text), size))
    expected = list(each(read_text(io.BytesIO(text))))
    assert list(each(read_text(cast(Any, parts)))) == expected


# --- what a file is -----------------------------------------------------------------------


def test_a_packed_text_that_is_cut_ends_with_a_reject():
    packed = gzip.compress(f"{ONE_LINE}\n".encode() * 50_000)
    found = read(packed[: len(packed) // 2], "x.json.gz")
    assert found[:2] == [ONE, ONE]
    assert found[-1].startswith("unreadable file: Compressed file ended before")


READ = [ONE, {"Id": "2", "Text": "ü\U0001f600"}]
TEXT = "\n".join(json.dumps(each, ensure_ascii=False) for each in READ)


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"],
)
def test_a_text_is_read_in_its_encoding_packed_or_not(encoding: str):
    content = TEXT.encode(encoding)
    assert read(content) == READ
    assert read(gzip.compress(content)) == READ
    assert read(gzip.compress(gzip.compress(content))) == READ
    assert read(pa.compress(content, "zstd", asbytes=True)) == READ
    (reason,) = read(gzip.compress(gzip.compress(gzip.compress(content))))
    assert reason == "unreadable file: packed again and again"


def test_a_text_that_is_cut_within_a_character_is_read_to_there():
    cut = TEXT.encode("utf-16")[:-7]
    assert read(cut)[0] == ONE
    assert read(b"\xff\xfe" + b"\x00\xd8" * 5) == [("\ufffd" * 5).encode()]


@pytest.mark.parametrize("content", [b"PK\x03\x04...", b"Obj\x01...", b"BZh9...", b"%PDF-1.7"])
def test_a_file_of_another_kind_is_named(content: bytes):
    (reason,) = read(content)
    assert reason.startswith("unreadable file: ")
    assert "JSON object" not in reason


PORTAL = "Date (UTC),Request ID,Username,Sign-in error code\r\n"


def test_rows_of_a_csv_are_records():
    text = PORTAL + (
        '2026-06-30T02:05:00Z,1,"Ann, ""the"" one",50126\r\n\r\n'
        '2026-06-30T02:05:01Z,2,"Bob\nB.",\r\n'
        "2026-06-30T02:05:02Z,3\r\n"
    )
    found = read(text)
    time, name = "Date (UTC)", "Username"
    assert found == [
        {time: "2026-06-30T02:05:00Z", "Request ID": "1", name: 'Ann, "the" one'}
        | {"Sign-in error code": "50126"},
        {time: "2026-06-30T02:05:01Z", "Request ID": "2", name: "Bob\nB."},
        "a CSV row that does not have as many fields as the header",
    ]
    for encoding in ("utf-8-sig", "utf-16"):
        assert read(text.encode(encoding)) == found
    # Any other text with commas is not one.
    assert read("a,b\n1,2\n") == [b"a,b", b"1,2"]
    assert read(PORTAL) == []


@given(st.lists(st.text('",\r\n a'), max_size=20))
def test_a_wild_csv_stops_nothing(pieces: list[str]):
    for record in each(read_records(io.BytesIO((PORTAL + "".join(pieces)).encode()))):
        assert isinstance(record, bytes | Reject)


def test_a_csv_whose_quote_never_ends_is_bounded():
    tracemalloc.start()
    found = read(PORTAL + '1,2,"' + "x" * (32 << 20))
    assert found
    assert all(isinstance(reason, str) for reason in found)
    tracemalloc.stop()


def test_a_read_that_fails_ends_with_a_reject():
    def parts() -> Iterator[bytes]:
        yield GOOD + b"\n"
        yield b"x" * (1 << 20)
        raise OSError(5, "Input/output error")

    assert read_all(Stream(parts())) == [ONE, "unreadable file: Input/output error"]


def read_all(text: Stream) -> list[Any]:
    return [shown(record) for record in each(read_records(cast(Any, text)))]


def parquet(table: pa.Table) -> bytes:
    written = io.BytesIO()
    pq.write_table(table, written)
    return written.getvalue()


def test_rows_of_a_table_are_records():
    rows = [
        {"Id": "1", "Detail": {"browser": "Edge"}, "Number": 7},
        {"Id": "2", "Detail": None, "Number": None},
        {"Id": "3" * MAX_RECORD_BYTES, "Detail": None, "Number": None},
    ]
    found = read(parquet(pa.Table.from_pylist(rows)), "x.parquet")
    assert found == [*rows[:2], TOO_LONG]


def test_an_invalid_table_is_a_reject():
    whole = parquet(pa.table({"Id": ["1"] * 5000}))
    for damaged in (whole[:-9], whole[:40], b"PAR1"):
        (reason,) = read(damaged, "x.parquet")
        assert reason.startswith("unreadable file: ")
    # A date that Python cannot hold.
    days = pa.table({"Day": pa.array([2**31 - 1], pa.date32())})
    assert read(parquet(days), "x.parquet")[0].startswith("unreadable file: a value that JSON")
