"""Files for an engine to parse, some of which fail. Imports are few, as processes load this."""

import io
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from datetime import date
from typing import IO

import pyarrow as pa

from lowslow_assets.engines.base import InputFile
from lowslow_assets.engines.schemas import schema

LINES = schema("file string, n bigint, date date")
DAYS = (date(2026, 6, 1), date(2026, 6, 2))
ROWS = 200
"""The number of rows of a file, in two batches."""
RAISES, KILLED, KILLED_WRITING = "raise", "killed", "killed while it writes"


def inputs(*contents: str) -> list[InputFile]:
    """Files with these contents, on two days in turn."""
    return [InputFile(DAYS[i % 2], f"f{i}", 1 + i, text) for i, text in enumerate(contents)]


def opened(files: Iterable[InputFile]) -> Iterator[tuple[InputFile, IO[bytes]]]:
    """Each file with its location as its content."""
    for file in files:
        yield file, io.BytesIO(file.location.encode())


def parse(files: Iterable[tuple[InputFile, IO[bytes]]]) -> Iterator[pa.RecordBatch]:
    """Two batches of each file; a file that fails does so after the first batch."""
    half = ROWS // 2
    for file, content in files:
        text = content.read().decode()
        for part in range(2):
            if part:
                _trouble(file, text)
            numbers = range(part * half, (part + 1) * half)
            yield pa.record_batch([[file.name] * half, numbers, [file.day] * half], LINES)


def _trouble(file: InputFile, text: str) -> None:
    if text == RAISES:
        raise ValueError(f"what is wrong with {file.name}")
    if text == KILLED_WRITING:
        # As if most of a batch were still to come.
        sys.stdout.buffer.write(b"\xff\xff\xff\xff\x10\x00\x00\x00")
        sys.stdout.buffer.flush()
    if text in (KILLED, KILLED_WRITING):
        os.kill(os.getpid(), signal.SIGKILL)
