"""The cost of parsing: ``python -m benchmarks.parser EXPORT``, a folder of files of JSON lines.

It measures CPU microseconds per line of three peers: our parser; msgspec alone, which is the
parser's JSON reader; and DuckDB, reading the same file into the same fields as text, without
unpacking details or reading times. They take turns, on one thread.
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import msgspec

from lowslow_assets.signins.parser import parse_files

_RUNS = 5
_MOST_BYTES = 300 << 20
_FIELDS = (
    *("Id", "TimeGenerated", "UserPrincipalName", "UserId", "ResultType", "AppDisplayName"),
    *("ClientAppUsed", "DeviceDetail", "Location", "LocationDetails", "IPAddress", "UserAgent"),
    *("AutonomousSystemNumber", "IsInteractive", "ServicePrincipalName", "ServicePrincipalId"),
)
_READ = f"""
SELECT * FROM read_json(
    ?,
    format = 'newline_delimited',
    ignore_errors = true,
    columns = {{{", ".join(f"{field}: 'VARCHAR'" for field in _FIELDS)}}}
)
"""


def main() -> None:
    """Print the minimum and the median of five runs of each peer."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parser")
    parser.add_argument("export", type=Path, help="a folder of files of JSON lines")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "lines.json")
        _join(parser.parse_args().export, file)
        with file.open("rb") as opened:
            lines = sum(1 for _ in opened)
        print(f"{lines:,} lines of {file.stat().st_size / lines:,.0f} bytes\n")
        ways = {"our parser": _parse, "msgspec alone": _decode, "DuckDB": _read_json}
        seconds = {way: [] for way in ways}
        for _ in range(_RUNS):
            for way, read in ways.items():
                seconds[way].append(_cpu_seconds(read, file))
    print("| | least, µs per line | median |\n| --- | --- | --- |")
    for way, taken in seconds.items():
        least, median = (1e6 * value / lines for value in (min(taken), statistics.median(taken)))
        print(f"| {way} | {least:.1f} | {median:.1f} |")


def _join(export: Path, file: Path) -> None:
    """Write the export's lines to one file, up to some hundred MB."""
    with file.open("wb") as joined:
        for part in sorted(export.rglob("*.json")):
            if joined.tell() > _MOST_BYTES:
                break
            with part.open("rb") as opened:
                shutil.copyfileobj(opened, joined)
        if not joined.tell():
            raise SystemExit(f"{export} holds no *.json file with lines.")


def _cpu_seconds(read: Callable[[Path], None], file: Path) -> float:
    began = time.process_time()
    read(file)
    return time.process_time() - began


def _parse(file: Path) -> None:
    with file.open("rb") as opened:
        for _ in parse_files([(file.name, opened)]):
            pass


def _decode(file: Path) -> None:
    fields = [(field, object, None) for field in _FIELDS]
    decoder = msgspec.json.Decoder(msgspec.defstruct("Row", fields))
    with file.open("rb") as opened:
        for line in opened:
            try:
                decoder.decode(line)
            except msgspec.DecodeError:
                continue


def _read_json(file: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        for _ in connection.sql(_READ, params=[str(file)]).to_arrow_reader():
            pass


if __name__ == "__main__":
    main()
