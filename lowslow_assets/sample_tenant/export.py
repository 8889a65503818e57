"""Writes days in the layout of Sentinel's data export, with the export's faults.

`y=2026/m=05/d=02/h=00/m=05/PT05M.json`: one file of JSON lines per five minutes with sign-ins.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lowslow_assets.sample_tenant.facts import Facts, facts_of, timestamps
from lowslow_assets.sample_tenant.schemas import diagnostic, sentinel
from lowslow_assets.sample_tenant.signins import DAY, MINUTE, Rows
from lowslow_assets.sample_tenant.streams import mix, unit
from lowslow_assets.sample_tenant.world import World

_SLOT_MINUTES = 5
_SLOTS_A_DAY = 24 * 60 // _SLOT_MINUTES
_LATEST_REPEAT_SLOTS = 36
_MALFORMED = 0.0002
_OTHER_NAME = 0.01
Slotted = list[tuple[int, str]]
"""Lines, with the number of the five minutes of the day in whose file they are."""


@dataclass
class Tally:
    """What was written; `repeated_lines` and `malformed_lines` are among the `lines`."""

    files: int = 0
    bytes: int = 0
    lines: int = 0
    repeated_lines: int = 0
    malformed_lines: int = 0


def write_day(world: World, day: int, rows: Rows, source: Path, tally: Tally) -> None:
    """Write the rows of the day at this offset from the tenant's start, and count."""
    lines = _lines(world, rows, facts_of(world, rows))
    proper = list(zip(_slots(rows["time"]), lines, strict=True))
    repeated = _exact_repeats(world, rows, proper) + _drafts(world, rows, day)
    malformed = _malformed(rows, proper)
    tally.repeated_lines += len(repeated)
    tally.malformed_lines += len(malformed)
    files: dict[int, list[str]] = defaultdict(list)
    for slot, line in proper + repeated + malformed:
        files[slot].append(line)
    folder = source / world.tenant.day(day).strftime("y=%Y/m=%m/d=%d")
    for slot in sorted(files):
        _write_slot(world, folder, day, slot, files[slot], tally)


def _slots(times: np.ndarray) -> list[int]:
    return (times % DAY // (_SLOT_MINUTES * MINUTE)).tolist()


def _lines(world: World, rows: Rows, facts: Iterable[Facts]) -> list[str]:
    """The rows as text; the row's key decides shape and schema of its line."""
    share = {"strings": 1.0, "objects": 0.0, "diagnostic": 1.0, "sentinel": 0.0, "mixed": 0.5}
    as_text = unit(rows["key"], "shape") < share[world.tenant.detail_shape]
    as_record = unit(rows["key"], "schema") < share[world.tenant.schema]
    return [
        diagnostic(fact) if record else sentinel(fact, text)
        for fact, text, record in zip(facts, as_text.tolist(), as_record.tolist(), strict=True)
    ]


def _exact_repeats(world: World, rows: Rows, proper: Slotted) -> Slotted:
    """The same lines again in a later file of the same day, up to three hours later."""
    chosen = np.flatnonzero(unit(rows["key"], "duplicate") < world.tenant.duplicates / 2)
    wait = 1 + mix(rows["key"], "again") % np.uint64(_LATEST_REPEAT_SLOTS)
    return [
        (min(proper[row][0] + int(wait[row]), _SLOTS_A_DAY - 1), proper[row][1]) for row in chosen
    ]


def _drafts(world: World, rows: Rows, day: int) -> Slotted:
    """Earlier versions of some sign-ins: the same Id, but less detail.

    TimeGenerated is milliseconds to a minute before that of the row itself, which is the one to
    keep, and still after CreatedDateTime.
    """
    chosen = unit(rows["key"], "draft") < world.tenant.duplicates / 2
    lead = 1 + (unit(rows["key"], "draft lead") ** 3 * (MINUTE - 1)).astype(np.int64)
    chosen &= rows["time"] - lead >= world.moment(day)
    kept, times = rows[chosen], (rows["time"] - lead)[chosen]
    drafts = list(facts_of(world, kept))
    for fact, time in zip(drafts, timestamps(times, kept["key"]), strict=True):
        fact.time = time
        fact.status = {"errorCode": fact.status["errorCode"]}
        fact.device = {"operatingSystem": fact.device["operatingSystem"], "browser": ""}
    return list(zip(_slots(times), _lines(world, kept, drafts), strict=True))


def _malformed(rows: Rows, proper: Slotted) -> Slotted:
    """Lines that are not sign-ins: cut off, not JSON at all, or without Id and user."""
    dice = unit(rows["key"], "malformed") / _MALFORMED
    broken = []
    for row in np.flatnonzero(dice < 1):
        slot, line = proper[row]
        cut_off = line[: len(line) * 2 // 3]
        kinds = (cut_off, "<html>503 Service Unavailable</html>", '{"Category":"SignInLogs"}')
        broken.append((slot, kinds[int(dice[row] * len(kinds))]))
    return broken


def _write_slot(
    world: World, folder: Path, day: int, slot: int, lines: list[str], tally: Tally
) -> None:
    """Write the file of five minutes; now and then its end arrives late, in an overflow file."""
    seed = world.tenant.seed
    hour, minute = divmod(slot * _SLOT_MINUTES, 60)
    folder = folder / f"h={hour:02d}" / f"m={minute:02d}"
    folder.mkdir(parents=True)
    name = "PT5M" if unit(seed, "name", day, slot) < _OTHER_NAME else "PT05M"
    late = unit(seed, "late", day, slot) < world.tenant.late_files
    cut = max(len(lines) * 2 // 3, 1) if late else len(lines)
    for suffix, part in (("", lines[:cut]), ("_1", lines[cut:])):
        if part:
            data = ("\n".join(part) + "\n").encode()
            (folder / f"{name}{suffix}.json").write_bytes(data)
            tally.files += 1
            tally.bytes += len(data)
            tally.lines += len(part)
