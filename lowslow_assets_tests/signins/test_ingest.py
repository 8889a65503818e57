"""Parsed files to the day's tables: which copy is kept, what is rejected, how lines are counted."""

import io
import random
from datetime import UTC, date, datetime
from typing import Any

import pytest

from lowslow_assets.engines.base import Engine, InputFile, Relation
from lowslow_assets.lake.tables import RAW_SIGNINS, REJECTED_SIGNINS
from lowslow_assets.signins.ingest import (
    PARSED_INPUTS,
    count_lines,
    deduplicate,
    parse_inputs,
    rejects_of,
    signins_of,
)
from lowslow_assets_tests.support.damage import damaged_file, damaged_lines, ingested, record
from lowslow_assets_tests.support.relations import relation

DAY, NEXT = date(2026, 6, 30), date(2026, 7, 1)
EARLY, LATE = datetime(2026, 6, 30, 2, 5, tzinfo=UTC), datetime(2026, 6, 30, 2, 6, tzinfo=UTC)
GOOD = {
    "file": "a.json",
    "signin_id": "1",
    "time_generated": EARLY,
    "user": "ann",
    "result_type": "0",
    "date": DAY,
}


def parsed(engine: Engine, *rows: dict[str, Any]) -> Relation:
    """The parser's rows for valid sign-ins with some columns set."""
    return relation(engine, PARSED_INPUTS, [GOOD | row for row in rows])


def rejected(file: str, reason: str, line: str | None, day: date = DAY) -> dict[str, Any]:
    """The parser's row for an invalid line or file."""
    nothing = dict.fromkeys(PARSED_INPUTS.names)
    return nothing | {"file": file, "reason": reason, "line": line, "date": day}


def kept(parsed: Relation) -> list[dict[str, Any]]:
    found = deduplicate(signins_of(parsed))
    assert list(found.columns) == RAW_SIGNINS.dated.names
    return sorted(found.rows(), key=lambda row: (row["date"], row["signin_id"]))


def test_files_are_parsed_to_rows_with_the_day_of_their_folder():
    line = (
        b'{"Id":"%d","TimeGenerated":"2026-06-30T02:05:00Z","UserId":"u","ResultType":"0"}\nno JSON'
    )
    files = [
        (InputFile(day, f"{number}.json", 1), io.BytesIO(line % number))
        for number, day in enumerate([DAY, NEXT, DAY])
    ]
    batches = list(parse_inputs(files))
    assert {batch.schema for batch in batches} == {PARSED_INPUTS}
    rows = [row for batch in batches for row in batch.to_pylist()]
    found = sorted((row["file"], row["date"], row["signin_id"] or "", row["line"]) for row in rows)
    assert found == [
        (f"{number}.json", day, *rest)
        for number, day in enumerate([DAY, NEXT, DAY])
        for rest in (("", "no JSON"), (str(number), None))
    ]


@pytest.mark.parametrize("seed", range(3))
def test_every_sign_in_of_damaged_lines_and_files_is_a_row_a_copy_or_a_reject(
    duckdb_engine: Engine, seed: int
):
    drawn = random.Random(seed)
    files = {"lines.json": damaged_lines(drawn, range(1_000))}
    for first in range(1_000, 1_800, 20):
        files[f"{first}.json"] = damaged_file(drawn, list(map(record, range(first, first + 20))))
    outcomes = ingested(duckdb_engine, files)
    assert outcomes["sign-ins in"] > 1_400
    assert outcomes["rows"] > 500
    assert outcomes["duplicates"] > 5
    assert outcomes["a JSON object that does not end"] > 100


def test_one_row_per_id_is_kept_by_a_total_order(engine: Engine):
    rows = kept(
        parsed(
            engine,
            *({"signin_id": "exact"},) * 3,
            {"signin_id": "later wins", "app_display_name": "Z"},
            {"signin_id": "later wins", "app_display_name": "A", "time_generated": LATE},
            {"signin_id": "then the greater row", "app_display_name": "A", "user_agent": "Z"},
            {"signin_id": "then the greater row", "app_display_name": "B", "user_agent": "A"},
            {"signin_id": "something over nothing"},
            {"signin_id": "something over nothing", "app_display_name": "A"},
            {"signin_id": "true over false", "is_interactive": False, "app_display_name": "Z"},
            {"signin_id": "true over false", "is_interactive": True},
            {"signin_id": "numbers as numbers", "autonomous_system_number": 9, "latitude": 1.0},
            {"signin_id": "numbers as numbers", "autonomous_system_number": 10, "latitude": -1.0},
            {"signin_id": "by code points", "browser": "Z"},
            {"signin_id": "by code points", "browser": "a"},
            {"signin_id": "by code points", "browser": "\uffff"},
            {"signin_id": "by code points", "browser": "\U0001f600"},
            {"signin_id": "single", "latitude": 47.0, "longitude": 15.0},
        )
    )
    shown = ("signin_id", "copies", "app_display_name")
    assert [tuple(row[name] for name in shown) for row in rows] == [
        ("by code points", 4, None),
        ("exact", 3, None),
        ("later wins", 2, "A"),
        ("numbers as numbers", 2, None),
        ("single", 1, None),
        ("something over nothing", 2, "A"),
        ("then the greater row", 2, "B"),
        ("true over false", 2, None),
    ]
    of_id = {row["signin_id"]: row for row in rows}
    assert of_id["later wins"]["time_generated"] == LATE
    assert of_id["true over false"]["is_interactive"] is True
    assert of_id["numbers as numbers"]["autonomous_system_number"] == 10
    assert of_id["by code points"]["browser"] == "\U0001f600"
    nothing = dict.fromkeys(RAW_SIGNINS.dated.names)
    assert of_id["single"] == nothing | {
        **{name: value for name, value in GOOD.items() if name != "file"},
        **{"signin_id": "single", "latitude": 47.0, "longitude": 15.0, "copies": 1},
    }


def test_the_same_id_on_two_days_stays_on_both(engine: Engine):
    rows = kept(parsed(engine, {}, {"date": NEXT}, {"date": NEXT, "file": "b.json"}))
    assert [(row["date"], row["copies"]) for row in rows] == [(DAY, 1), (NEXT, 2)]


def test_what_is_kept_does_not_depend_on_the_order(engine: Engine):
    drawn = random.Random(7)
    signins = [
        {
            "signin_id": str(drawn.randrange(20)),
            "time_generated": drawn.choice([EARLY, LATE]),
            "app_display_name": drawn.choice([None, "A", "B"]),
            "user_agent": drawn.choice([None, "x", "y"]),
            "is_interactive": drawn.choice([None, True, False]),
            "latitude": drawn.choice([None, 47.07]),
        }
        for _ in range(200)
    ]
    expected = kept(parsed(engine, *signins))
    assert sum(row["copies"] for row in expected) == 200

    def rank(row: dict[str, Any]) -> list[Any]:
        columns = ("time_generated", "is_interactive", "app_display_name", "user_agent", "latitude")
        return [(row[name] is not None, row[name]) for name in columns]

    for row in expected:
        copies = [signin for signin in signins if signin["signin_id"] == row["signin_id"]]
        assert rank(row) == max(map(rank, copies))
    for _ in range(3):
        drawn.shuffle(signins)
        assert kept(parsed(engine, *signins)) == expected


def test_of_a_file_that_could_not_be_read_to_its_end_nothing_is_taken(engine: Engine):
    unreadable = "unreadable file: it ends too early"
    rows = parsed(
        engine,
        {"signin_id": "good"},
        {"signin_id": "of a part", "file": "cut.gz"},
        rejected("cut.gz", "no Id", "{}"),
        rejected("cut.gz", unreadable, None),
        # Another day's file of the same name.
        {"signin_id": "of the next day", "file": "cut.gz", "date": NEXT},
        rejected("cut.gz", "no Id", "{}", NEXT),
        rejected("a.json", "no user", ""),
    )
    assert [row["signin_id"] for row in kept(rows)] == ["good", "of the next day"]
    name = "not even opened.json"
    refused = relation(engine, REJECTED_SIGNINS.dated, [(name, "for its name", None, DAY)])
    found = rejects_of(rows, refused)
    assert list(found.columns) == REJECTED_SIGNINS.dated.names
    assert sorted(
        (row["date"], row["file"], row["reason"], row["line"]) for row in found.rows()
    ) == [
        (DAY, "a.json", "no user", ""),
        (DAY, "cut.gz", unreadable, None),
        (DAY, name, "for its name", None),
        (NEXT, "cut.gz", "no Id", "{}"),
    ]


@pytest.mark.parametrize("days", [[], [DAY, NEXT]])
def test_lines_are_counted_by_what_became_of_them(engine: Engine, days: list[date]):
    just_before = datetime(2026, 6, 30, 23, 59, 59, 999999, tzinfo=UTC)
    signins = relation(
        engine,
        RAW_SIGNINS.dated,
        [
            {"signin_id": id, "time_generated": time, "copies": copies, "date": day}
            for day in days
            for id, time, copies in (
                ("a", EARLY, 1),
                ("b", just_before, 3),
                ("c", datetime(2026, 7, 1, tzinfo=UTC), 2),
            )
        ],
    )
    counts = {row.pop("date"): row for row in count_lines(signins).rows()}
    assert counts == {
        day: {"lines": 6, "duplicates": 3, "of_other_days": 1 if day == DAY else 2} for day in days
    }
