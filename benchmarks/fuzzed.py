"""Damaged lines and files: ``python -m benchmarks.fuzzed [LINES] [FILES] [--seed N]``.

Sign-ins in several forms, each with a mark in its first bytes, are cut, spliced, nested and
overwritten behind it; sound ones are written to files that are wrapped, re-encoded, packed and cut.
All of it is parsed. Each mark is found again in a row or a reject, or its file was rejected as a
whole; nothing raises. Marks are looked for by a pattern of their own: the parser is not asked how
many records there were.
"""

import argparse
import gzip
import io
import json
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable

from lowslow_assets.signins.parser import parse_files

_MARK = re.compile(rb"m(\d{7})m")
_JUNK = [b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"\xff", b"\x00", b"null", b"1e999"]
_JUNK += ['"\ud83d"'.encode(errors="replace"), b"\\ud800", b"[" * 200, b'{"a":' * 200, b" " * 99]
_LINES_A_FILE = 50


def main() -> None:
    """Make, damage and parse as many as asked, and say what became of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzzed")
    parser.add_argument("lines", type=int, nargs="?", default=200_000)
    parser.add_argument("files", type=int, nargs="?", default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    began, outcomes = time.monotonic(), Counter[str]()
    for first in range(0, options.lines, 1_000):
        lines = [_damaged(draw, mark) for mark in range(first, min(first + 1_000, options.lines))]
        # A first line that is none says that the file is a text. Without one between them, a line
        # that was cut and the next one may be an object together.
        outcomes += _parse(b"-\n" + b"\n-\n".join(lines))
    for number in range(options.files):
        marks = range(number * _LINES_A_FILE, (number + 1) * _LINES_A_FILE)
        outcomes += _parse(_file(draw, list(map(_record, marks))))
    seconds = time.monotonic() - began
    print(f"{options.lines:,} lines and {options.files:,} files, in {seconds:.0f} s:")
    for what, number in outcomes.most_common():
        print(f"{number:>10,} {what}")


def _record(mark: int) -> bytes:
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


def _damaged(draw: random.Random, mark: int) -> bytes:
    line = bytearray(_record(mark))
    kept = line.index(b"m,") if b"m," in line else line.index(b'm"') + 2
    for _ in range(draw.randint(1, 4)):
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


def _file(draw: random.Random, lines: list[bytes]) -> bytes:
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


def _parse(data: bytes) -> Counter[str]:
    rows = [
        row
        for batch in parse_files([("x.json", io.BytesIO(data))])
        for row in batch.select(["signin_id", "reason", "line"]).to_pylist()
    ]
    shown = " ".join(f"{row['signin_id']} {row['line']}" for row in rows).encode(errors="replace")
    if missing := _marks(_text_of(data)) - _marks(shown.replace(b"\x00", b"")):
        whole = [row for row in rows if row["reason"] and row["line"] is None]
        if not whole:
            sys.exit(f"Lost: {sorted(missing)[:5]} of a file that begins {data[:200]!r}")
    return Counter("rows" if row["reason"] is None else row["reason"][:60] for row in rows)


def _text_of(data: bytes) -> bytes:
    """What of a file can be read, as ASCII."""
    if data.startswith(b"\x1f\x8b"):
        unpacked = gzip.GzipFile(fileobj=io.BytesIO(data))
        data = b""
        try:
            while part := unpacked.read(1):
                data += part
        except (OSError, EOFError):
            pass
    return data.replace(b"\x00", b"")


def _marks(text: bytes) -> set[bytes]:
    return set(_MARK.findall(text))


if __name__ == "__main__":
    main()
