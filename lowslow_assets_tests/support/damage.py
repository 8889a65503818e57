"""Damaged sign-ins, and a count of what became of them that does not use the parser.

Each sign-in has a mark in its first bytes. The input is counted by marks in the text of the files,
the result by marks in ids and in the texts of rejects.
"""

import gzip
import io
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date

import pyarrow as pa

from lowslow_assets.engines.base import Engine, InputFile
from lowslow_assets.lake.tables import REJECTED_SIGNINS
from lowslow_assets.signins.ingest import (
    PARSED_INPUTS,
    deduplicate,
    parse_inputs,
    rejects_of,
    signins_of,
)
from lowslow_assets.signins.users import name_users

_DAY = date(2026, 6, 30)
_MARK = re.compile(rb"m(\d{7})m")
_JUNK = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\xff", b"\x00", b"null", b"1e999"]
_JUNK += ['"\ud83d"'.encode(errors="replace"), b"\\ud800", b"[" * 200, b'{"a":' * 200, b" " * 99]


def record(mark: int) -> bytes:
    """A sign-in in one of several forms, with its mark at the beginning."""
    common = {
        "userPrincipalName": "ann@example.com",
        "ipAddress": "203.0.113.7",
        "appDisplayName": "Teams",
        "deviceDetail": {"browser": "Edge 131.0", "operatingSystem": "Windows 10"},
    }
    code, when = {"errorCode": 50126}, "2026-06-30T02:05:00Z"
    forms = (
        {"TimeGenerated": when, "ResultType": "50126", "UserPrincipalName": "ann@example.com"},
        {"time": when, "properties": {**common, "status": code}},
        {"createdDateTime": when, **common, "status": code},
    )
    return json.dumps({"Id": f"m{mark:07}m", **forms[mark % len(forms)]}).encode()


def damaged(draw: random.Random, mark: int) -> bytes:
    """A line that is cut, spliced, overwritten or nested after its mark; one in five is whole."""
    line = bytearray(record(mark))
    kept = line.index(b"m,") if b"m," in line else line.index(b'm"') + 2
    for _ in range(draw.choice((0, 1, 1, 2, 4))):
        at = draw.randint(kept, len(line))
        match draw.randrange(4):
            case 0:
                del line[at:]
            case 1:
                line[at : at + draw.randint(0, 9)] = draw.choice(_JUNK)
            case 2:
                line[at:at] = draw.randbytes(draw.randint(1, 9)).replace(b"\n", b"")
            case _:
                line[at:at] = line[kept : kept + draw.randint(0, 300)]
    return bytes(line)


def damaged_lines(draw: random.Random, marks: Iterable[int]) -> bytes:
    """A text of damaged lines, some of which occur twice.

    The first line is not a sign-in, and shows that the file is a text. Such lines also separate the
    others: otherwise a line that was cut and the next line could together be one object.
    """
    lines = [damaged(draw, mark) for mark in marks]
    lines += draw.sample(lines, len(lines) // 20)
    return b"-\n" + b"\n-\n".join(lines)


def damaged_file(draw: random.Random, lines: list[bytes]) -> bytes:
    """Undamaged lines in a file that is wrapped, re-encoded, packed or cut."""
    wrap = draw.choice(
        [
            b"\n".join,
            b"\r\n".join,
            lambda lines: b"[" + b",\n".join(lines) + b"]",
            lambda lines: b'{"records":[' + b",\n".join(lines) + b"]}",
            lambda lines: b'{"@odata.context":"a","value":[\n' + b",\n".join(lines) + b"\n]}",
        ]
    )
    encode: Callable[[bytes], bytes] = draw.choice(
        [
            bytes,
            bytes,
            lambda data: b"\xef\xbb\xbf" + data,
            lambda data: data.decode(errors="replace").encode("utf-16"),
            lambda data: data.decode(errors="replace").encode("utf-16-le"),
        ]
    )
    data = encode(wrap(lines))
    if draw.random() < 0.3:
        data = gzip.compress(data, 1)
    return data[: draw.randint(0, len(data))] if draw.random() < 0.3 else data


def ingested(engine: Engine, files: Mapping[str, bytes]) -> Counter[str]:
    """Ingest files, and count the results for their sign-ins.

    Raises AssertionError unless each sign-in of a file becomes, as often as it occurs, a row, one
    of a row's copies or a reject. From a file that is rejected as a whole, nothing else may be
    taken.
    """
    inputs = [(InputFile(_DAY, name, len(data)), io.BytesIO(data)) for name, data in files.items()]
    batches = list(parse_inputs(inputs))
    parsed = engine.from_arrow(pa.Table.from_batches(batches, PARSED_INPUTS))
    none = engine.from_arrow(REJECTED_SIGNINS.dated.empty_table())
    signins = signins_of(parsed)
    rows = name_users(deduplicate(signins), signins).rows()
    rejects = rejects_of(parsed, none).rows()
    engine.forget()
    whole = {reject["file"] for reject in rejects if reject["line"] is None}
    given, found = Counter[bytes](), Counter[bytes]()
    for name, data in files.items():
        if name not in whole:
            given.update(_MARK.findall(_text_of(data)))
    for row in rows:
        for mark in _MARK.findall(row["signin_id"].encode(errors="replace")):
            found[mark] += row["copies"]
    for reject in rejects:
        text = (reject["line"] or "").replace("\x00", "")
        found.update(_MARK.findall(text.encode(errors="replace")))
    lost, added = given - found, found - given
    assert not lost, f"lost: {list(lost)[:5]}"
    assert not added, f"of nothing, or twice: {list(added)[:5]}"
    outcomes = Counter(reject["reason"][:60] for reject in rejects)
    outcomes["rows"] = len(rows)
    outcomes["duplicates"] = sum(row["copies"] - 1 for row in rows)
    outcomes["sign-ins in"] = given.total()
    return outcomes


def _text_of(data: bytes) -> bytes:
    """The readable part of a file, as ASCII."""
    if data.startswith(b"\x1f\x8b"):
        unpacked = gzip.GzipFile(fileobj=io.BytesIO(data))
        data = b""
        try:
            while part := unpacked.read(1):
                data += part
        except (OSError, EOFError):
            pass
    return data.replace(b"\x00", b"")
