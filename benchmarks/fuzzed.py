"""Damaged lines and files: ``python -m benchmarks.fuzzed [LINES] [FILES] [--seed N]``.

Sign-ins in several forms have a mark in their first bytes. They are cut, spliced, nested and
overwritten after the mark, and some lines occur twice. Undamaged sign-ins are written to files that
are wrapped, re-encoded, packed and cut. Everything is ingested. Each sign-in must become a row, a
copy of a row or a reject, as often as it occurs, or its file must be rejected as a whole; nothing
may raise. The input is counted by a separate pattern, without the parser.
"""

import argparse
import random
import time
from collections import Counter
from contextlib import closing

from lowslow_assets.engines.duckdb import DuckDBEngine
from lowslow_assets_tests.support.damage import damaged_file, damaged_lines, ingested, record

_LINES_AT_ONCE, _FILES_AT_ONCE, _LINES_A_FILE = 20_000, 200, 50


def main() -> None:
    """Make, damage and ingest the given numbers, and report what became of them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fuzzed")
    parser.add_argument("lines", type=int, nargs="?", default=200_000)
    parser.add_argument("files", type=int, nargs="?", default=2_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    draw = random.Random(options.seed)
    began, outcomes = time.monotonic(), Counter[str]()
    with closing(DuckDBEngine()) as engine:
        for first in range(0, options.lines, _LINES_AT_ONCE):
            marks = range(first, min(first + _LINES_AT_ONCE, options.lines))
            outcomes += ingested(engine, {"lines.json": damaged_lines(draw, marks)})
        for first in range(0, options.files, _FILES_AT_ONCE):
            files = {}
            for number in range(first, min(first + _FILES_AT_ONCE, options.files)):
                marks = range(number * _LINES_A_FILE, (number + 1) * _LINES_A_FILE)
                files[f"{number}.json"] = damaged_file(draw, list(map(record, marks)))
            outcomes += ingested(engine, files)
    seconds = time.monotonic() - began
    print(f"{options.lines:,} lines and {options.files:,} files, in {seconds:.0f} s:")
    for what, number in outcomes.most_common():
        print(f"{number:>10,} {what}")


if __name__ == "__main__":
    main()
