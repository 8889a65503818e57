"""The same tenant in every form that is read, mixed in one export: the same tables."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from itertools import cycle
from pathlib import Path
from typing import Any

from lowslow_assets.sample_tenant.facts import facts_of
from lowslow_assets.sample_tenant.schemas import diagnostic, sentinel
from lowslow_assets.sample_tenant.traffic import draw
from lowslow_assets_tests.orchestration.conftest import DAYS, INGEST, TENANT, Project
from lowslow_assets_tests.orchestration.test_repeatability import assert_same
from lowslow_assets_tests.signins.test_forms import OF_RECORDS, OF_ROWS, lines

SIGNINS = replace(TENANT, duplicates=0.0)
PACKINGS: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (("", bytes), (".gz", gzip.compress))
ENCODINGS = ("utf-8", "utf-8-sig", "utf-16")


def write(root: Path, mixed: bool) -> None:
    """The tenant's sign-ins in folders of days, the parts of a day in different forms."""
    facts = list(facts_of(*draw(SIGNINS)))
    by_row, by_record = set(OF_ROWS) - {"lines"}, set(OF_RECORDS)
    forms = cycle([*sorted(by_row), *sorted(by_record)])
    number = 0
    for day in DAYS:
        of_day = [fact for fact in facts if fact.time.startswith(str(day))]
        folder = root / f"{day:y=%Y/m=%m/d=%d}"
        folder.mkdir(parents=True)
        for at in range(0, len(of_day), 40):
            part, form, number = of_day[at : at + 40], next(forms), number + 1
            records = [json.loads(diagnostic(fact)) for fact in part]
            if not mixed:
                (folder / f"{number}.json").write_text(lines(records))
                continue
            rows: list[dict[str, Any]] = [
                json.loads(sentinel(fact, text_details=number % 2 == 0)) for fact in part
            ]
            text = OF_ROWS[form](rows) if form in by_row else OF_RECORDS[form](records)
            suffix, pack = PACKINGS[number % 2]
            content = pack(text.encode(ENCODINGS[number % 3]))
            kind = "csv" if "CSV" in form else "json"
            (folder / f"{number}.{kind}{suffix}").write_bytes(content)


def test_all_forms_in_one_export_make_the_tables_of_plain_lines(project: Project, tmp_path: Path):
    made = []
    for mixed in (False, True):
        root = tmp_path / str(mixed)
        write(root / "signins", mixed)
        written = replace(project, source=root / "signins", lake=root / "lake")
        assert written.run("ingest_range", DAYS).success
        made.append(written)
    plain, mixed = made
    for day in DAYS:
        assert not mixed.table("rejected_signins", day).num_rows
    assert sum(plain.table("raw_signins", day).num_rows for day in DAYS) > 4_000
    # A hunt reads nothing else.
    assert_same(plain, mixed, INGEST, DAYS)
