"""Partitions: replaced as a whole or not at all, and not read if they do not fit."""

import ctypes
import itertools
import json
import os
import re
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lowslow_assets.engines.base import Engine, Relation
from lowslow_assets.engines.schemas import type_name
from lowslow_assets.engines.sql import sql
from lowslow_assets.lake.lake import Lake, LakeError, Partition, window_days
from lowslow_assets.lake.stores.folders import Folders, replace_folder
from lowslow_assets.lake.tables import Table
from lowslow_assets_tests.support.relations import in_order

THINGS = Table(
    "things",
    "Rows to store.",
    pa.schema(
        [
            pa.field("name", pa.string()),
            pa.field("count", pa.int64()),
            pa.field("seen", pa.timestamp("us", "UTC")),
            pa.field("tags", pa.list_(pa.string())),
        ]
    ),
    order=("name",),
)
MONDAY, TUESDAY, SUNDAY = date(2026, 6, 1), date(2026, 6, 2), date(2026, 6, 7)
SEEN = datetime(2026, 6, 1, 2, 5, 0, 123456, UTC)


@pytest.fixture
def folders(engine: Engine, tmp_path: Path) -> Lake:
    """A lake on a local path."""
    return Lake(str(tmp_path / "lake"), engine)


@pytest.fixture(params=["folders", pytest.param("blobs", marks=pytest.mark.azurite)])
def lake(engine: Engine, request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """A lake of either kind; test_blobs.py tests what only concerns containers."""
    if request.param == "folders":
        return Lake(str(tmp_path / "lake"), engine)
    location = request.getfixturevalue("container")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path))
        storage = request.getfixturevalue("azurite").storage
        return Lake(f"{location.url()}/date=1/Ü [a] {{b}}*", engine, storage)


def things(lake: Lake, *names: str, day: date = MONDAY) -> Relation:
    return dated(lake, *((day, name) for name in names))


def dated(lake: Lake, *rows: tuple[date | None, str]) -> Relation:
    """Rows of a day and a name, whose columns are not in the table's order."""
    days, names = [day for day, _ in rows], [name for _, name in rows]
    columns = {
        "date": pa.array(days, pa.date32()),
        "name": pa.array(names, pa.string()),
        "count": pa.array([len(name) for name in names], pa.int32()),
        "seen": pa.array([SEEN] * len(rows), pa.timestamp("us", "UTC")),
        "tags": pa.array([["a", name] for name in names], pa.list_(pa.string())),
    }
    return lake.engine.from_arrow(pa.table(columns))


def names(lake: Lake, *days: date) -> list[tuple[date, str]]:
    return sorted((row["date"], row["name"]) for row in lake.read(THINGS, days).rows())


def root_of(lake: Lake) -> Path:
    assert isinstance(lake.store, Folders)
    return lake.store.root


def files_of(lake: Lake, day: date) -> list[Path]:
    partition = lake.partition(THINGS, day)
    assert partition
    return lake.store.local_files("things", {day: partition.files})


def left_in_staging(tmp_path: Path) -> list[str]:
    [area] = tmp_path.rglob(".staging")
    return sorted(path.name for path in area.iterdir())


def assert_sentence(error: BaseException, *words: str) -> None:
    assert re.fullmatch(r"[^\n]+\.", str(error))
    assert [word for word in words if word not in str(error)] == []


# --- writing and reading ---------------------------------------------------------------------


def test_what_is_written_is_read_with_its_day_and_types(lake: Lake, tmp_path: Path):
    written = lake.write(THINGS, things(lake, "yy", "x"), [MONDAY], {"setting": 1})
    found = lake.read(THINGS, [MONDAY]).arrow()
    assert type_name(pa.struct(list(found.schema))) == (
        "struct<name:string,count:bigint,seen:timestamp,tags:array<string>,date:date>"
    )
    assert sorted(found.to_pylist(), key=lambda row: row["name"]) == [
        {"name": "x", "count": 1, "seen": SEEN, "tags": ["a", "x"], "date": MONDAY},
        {"name": "yy", "count": 2, "seen": SEEN, "tags": ["a", "yy"], "date": MONDAY},
    ]
    expected = Partition(2, THINGS.schema_digest, {"setting": 1})
    assert written == {MONDAY: expected}
    assert lake.partition(THINGS, MONDAY) == expected
    assert lake.days(THINGS) == [MONDAY]
    assert left_in_staging(tmp_path) == []


def test_rows_of_a_file_are_in_the_table_s_order(folders: Lake):
    shuffled = dated(folders, *((MONDAY, name) for name in ("c", "", "b", "\U0001f600", "a")))
    folders.write(THINGS, shuffled, [MONDAY], {})
    (file,) = files_of(folders, MONDAY)
    assert pq.read_table(file)["name"].to_pylist() == ["", "a", "b", "c", "\U0001f600"]
    by_all = replace(THINGS, name="sorted", order=())
    folders.write(by_all, sql("SELECT * FROM {rows}", rows=shuffled), [MONDAY], {})
    (file,) = (root_of(folders) / "sorted" / f"date={MONDAY}").glob("*.parquet")
    assert pq.read_table(file)["name"].to_pylist() == ["", "a", "b", "c", "\U0001f600"]


@pytest.mark.spark
def test_a_lake_that_one_engine_began_is_continued_by_the_other(
    duckdb_engine: Engine, spark_engine: Engine, tmp_path: Path
):
    begun, gone_on = (Lake(str(tmp_path), engine) for engine in (duckdb_engine, spark_engine))
    rows = [(MONDAY, "m"), (MONDAY, "Ü \U0001f600\n'\"\\"), (TUESDAY, "t")]
    begun.write(THINGS, dated(begun, *rows), [MONDAY, TUESDAY], {"v": 1})
    assert names(gone_on, MONDAY, TUESDAY) == sorted(rows)
    gone_on.write(THINGS, dated(gone_on, (TUESDAY, "new"), (SUNDAY, "s")), [TUESDAY, SUNDAY], {})
    both = [lake.read(THINGS, [MONDAY, TUESDAY, SUNDAY]).arrow() for lake in (begun, gone_on)]
    assert both[0].schema == both[1].schema
    assert (
        in_order(both[0].drop_columns("tags")).to_pylist()
        == in_order(both[1].drop_columns("tags")).to_pylist()
    )
    assert [row["name"] for row in in_order(both[0].drop_columns("tags")).to_pylist()][-3:] == [
        "new",
        "s",
        rows[1][1],
    ]
    assert begun.partition(THINGS, TUESDAY) == gone_on.partition(THINGS, TUESDAY)


def test_any_engine_reads_a_partition(folders: Lake):
    folders.write(THINGS, things(folders, "x"), [MONDAY], {})
    folder = root_of(folders) / "things" / "date=2026-06-01"
    files = list(folder.glob("*.parquet"))
    assert sum(pq.read_table(file).num_rows for file in files) == 1
    assert pq.read_table(files[0]).to_pylist()[0]["tags"] == ["a", "x"]
    provenance = json.loads((folder / "_provenance.json").read_text())
    assert provenance["rows"] == 1
    assert provenance["files"] == {file.name: file.stat().st_size for file in files}
    # No checksums of Hadoop's, which would be stored and uploaded.
    assert {file.name for file in folder.iterdir()} == {"_provenance.json", *provenance["files"]}


def test_a_partition_is_replaced_as_a_whole(lake: Lake):
    lake.write(THINGS, things(lake, "old", "older"), [MONDAY], {"v": 1})
    lake.write(THINGS, things(lake, "other", day=TUESDAY), [TUESDAY], {})
    lake.write(THINGS, things(lake, "new"), [MONDAY], {"v": 2})
    assert names(lake, MONDAY, TUESDAY) == [(MONDAY, "new"), (TUESDAY, "other")]
    assert lake.partition(THINGS, MONDAY) == Partition(1, THINGS.schema_digest, {"v": 2})


def test_what_an_engine_keeps_of_a_replaced_partition_is_not_read(lake: Lake):
    """The cache of a Spark server outlives runs, also killed ones."""
    lake.write(THINGS, things(lake, "old", "older"), [MONDAY], {})
    kept = lake.read(THINGS, [MONDAY]).held()
    assert len(kept.rows()) == 2
    lake.write(THINGS, things(lake, "new"), [MONDAY], {})
    assert names(lake, MONDAY) == [(MONDAY, "new")]
    assert sorted(row["name"] for row in kept.rows()) == ["old", "older"]


def test_a_range_is_split_by_date_and_a_day_without_rows_is_an_empty_partition(lake: Lake):
    days = [MONDAY, TUESDAY, SUNDAY]
    written = lake.write(THINGS, dated(lake, (SUNDAY, "s"), (MONDAY, "m"), (MONDAY, "n")), days, {})
    assert {day: partition.rows for day, partition in written.items()} == {
        MONDAY: 2,
        TUESDAY: 0,
        SUNDAY: 1,
    }
    assert lake.days(THINGS) == days
    assert names(lake, *days) == [(MONDAY, "m"), (MONDAY, "n"), (SUNDAY, "s")]
    assert names(lake, TUESDAY) == []


def test_an_empty_day_replaces_a_full_one_and_has_the_schema(lake: Lake):
    lake.write(THINGS, things(lake, "old"), [MONDAY], {})
    lake.write(THINGS, things(lake), [MONDAY], {})
    (file,) = files_of(lake, MONDAY)
    assert type_name(pa.struct(list(pq.read_schema(file)))) == type_name(
        pa.struct(list(THINGS.schema))
    )
    assert names(lake, MONDAY) == []


def test_rows_of_another_day_are_refused_and_nothing_is_replaced(lake: Lake):
    lake.write(THINGS, things(lake, "old"), [MONDAY], {})
    for stray in (TUESDAY, None):
        with pytest.raises(LakeError) as caught:
            lake.write(THINGS, dated(lake, (MONDAY, "new"), (stray, "stray")), [MONDAY], {})
        assert_sentence(caught.value, "things", "date=2026-06-02" if stray else "date=")
    assert names(lake, MONDAY) == [(MONDAY, "old")]
    assert lake.days(THINGS) == [MONDAY]


def test_a_folder_that_is_not_named_after_a_day_is_ignored(folders: Lake, tmp_path: Path):
    folders.write_rows(THINGS, [], MONDAY, {})
    (tmp_path / "lake" / THINGS.name / "date=____-__-__").mkdir()
    assert folders.days(THINGS) == [MONDAY]


def test_rows_of_a_day_that_is_replaced_meanwhile_are_read_again(
    folders: Lake, monkeypatch: pytest.MonkeyPatch
):
    folders.write(THINGS, things(folders, "old"), [MONDAY], {})
    listed = folders.store.local_files

    def replaced(name: str, files: Any) -> list[Path]:
        found = listed(name, files)
        monkeypatch.undo()
        folders.write(THINGS, things(folders, "new"), [MONDAY], {})
        return found

    monkeypatch.setattr(folders.store, "local_files", replaced)
    assert [row["name"] for row in folders.rows(THINGS, [MONDAY])] == ["new"]


def test_no_days_give_no_rows(lake: Lake):
    found = lake.read(THINGS, []).arrow()
    assert found.schema.names == [*THINGS.schema.names, "date"]
    assert found.num_rows == 0
    assert lake.days(THINGS) == []


def test_a_root_with_strange_signs_works_too(engine: Engine, tmp_path: Path):
    lake = Lake(f"file://{tmp_path}/date=1/name=x/Ü [a] {{b}}* 'x' 50%20", engine)
    lake.write(THINGS, dated(lake, (MONDAY, "m")), [MONDAY, TUESDAY], {})
    assert names(lake, MONDAY, TUESDAY) == [(MONDAY, "m")]


# --- what does not fit -----------------------------------------------------------------------


def test_missing_partitions_are_all_named_with_the_remedy(lake: Lake):
    lake.write(THINGS, things(lake), [MONDAY], {})
    with pytest.raises(LakeError) as caught:
        lake.read(THINGS, [SUNDAY, MONDAY, TUESDAY])
    assert_sentence(
        caught.value,
        "2 partition(s) of things",
        "2026-06-02: no such partition; 2026-06-07: no such partition",
        "materialize things for those days",
    )


def test_a_long_list_of_problems_is_cut(lake: Lake):
    with pytest.raises(LakeError) as caught:
        lake.read(THINGS, window_days(SUNDAY, 30))
    assert_sentence(caught.value, "30 partition(s)", "; ...)")
    assert str(caught.value).count("no such partition") == 5


@pytest.mark.parametrize(
    "field", [pa.field("extra", pa.int64()), pa.field("count", pa.string())], ids=["new", "changed"]
)
def test_a_partition_of_another_schema_is_refused(lake: Lake, field: pa.Field):
    lake.write(THINGS, things(lake, "x"), [MONDAY], {})
    fields = [f for f in THINGS.schema if f.name != field.name]
    changed = Table("things", "Changed.", pa.schema([*fields, field]))
    with pytest.raises(LakeError) as caught:
        lake.read(changed, [MONDAY])
    assert_sentence(caught.value, "2026-06-01: written with another schema")


def test_a_partition_made_from_something_else_is_refused(lake: Lake):
    lake.write(THINGS, things(lake, "x"), [MONDAY], {"codes": ["a", "b"], "n": 1})
    lake.read(THINGS, [MONDAY], {"codes": ["a", "b"]})
    for wanted, words in (
        ({"n": 2}, "made with n 1, not 2"),
        ({"codes": ["a"]}, "made with codes ['a', 'b'], not ['a']"),
        ({"other": 3}, "made with other None, not 3"),
    ):
        with pytest.raises(LakeError) as caught:
            lake.read(THINGS, [MONDAY], wanted)
        assert_sentence(caught.value, "2026-06-01", words)


def test_a_root_that_cannot_be_written_is_said_in_one_sentence(engine: Engine, tmp_path: Path):
    (tmp_path / "file").touch()
    lake = Lake(str(tmp_path / "file" / "lake"), engine)
    with pytest.raises(LakeError) as caught:
        lake.write(THINGS, things(lake), [MONDAY], {})
    assert_sentence(caught.value, "LOWSLOW_LAKE", str(root_of(lake)), "cannot be written")
    with pytest.raises(LakeError) as caught:
        Lake("s3://bucket/lake", engine)
    assert_sentence(caught.value, "LOWSLOW_LAKE", "s3://", "neither")


# --- killed runs -----------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["pq.read_metadata", "json.dumps", None])
def test_a_run_killed_before_the_commit_leaves_the_old_partition(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str | None
):
    lake.write(THINGS, things(lake, "old"), [MONDAY], {"v": 1})

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if moment:
            patch.setattr(f"lowslow_assets.lake.lake.{moment}", killed)
        else:
            patch.setattr(lake.store, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            lake.write(THINGS, things(lake, "new"), [MONDAY], {"v": 2})
    assert names(lake, MONDAY) == [(MONDAY, "old")]
    assert lake.partition(THINGS, MONDAY) == Partition(1, THINGS.schema_digest, {"v": 1})
    assert left_in_staging(tmp_path) == []


def test_files_of_a_killed_run_are_removed_after_a_day(lake: Lake, tmp_path: Path):
    lake.write_documents("pages", MONDAY, {"a.html": ""})
    [area] = tmp_path.rglob(".staging")
    now = time.time()
    for name, hours in (("abandoned", 25), ("of a running run", 23)):
        (area / name / "date=2026-06-01").mkdir(parents=True)
        then = now - hours * 3600
        os.utime(area / name, (then, then))
    # As if another run had just removed its folder: listed, but missing when it is read.
    (area / "removed").symlink_to("nowhere")
    lake.write_documents("pages", MONDAY, {"a.html": ""})
    assert left_in_staging(tmp_path) == ["of a running run", "removed"]


# --- the exchange ----------------------------------------------------------------------------


def generation(folder: Path, number: int) -> Path:
    folder.mkdir(parents=True)
    for part in "abc":
        (folder / f"{number}-{part}").touch()
    return folder


def contents(folder: Path) -> list[str]:
    return sorted(os.listdir(folder))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux exchanges folders in one step")
def test_a_reader_sees_the_old_or_the_new_partition(tmp_path: Path):
    target = generation(tmp_path / "date=2026-06-01", 0)
    seen: list[Any] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            try:
                seen.append(contents(target))
            except OSError as error:
                seen.append(error)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        for number in range(1, 201):
            new = generation(tmp_path / "staging" / str(number), number)
            replace_folder(new, target)
            assert contents(new) == [f"{number - 1}-{part}" for part in "abc"]
            time.sleep(0.001)
    finally:
        done.set()
        watcher.join()
    whole = [[f"{number}-{part}" for part in "abc"] for number in range(201)]
    order = [whole.index(listing) for listing in seen]
    assert order == sorted(order)
    assert len(set(order)) > 10


@pytest.mark.parametrize("has_renameat2", [False, True])
def test_where_folders_cannot_be_exchanged_the_old_one_is_moved_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, has_renameat2: bool
):
    class Library:
        if has_renameat2:

            @staticmethod
            def renameat2(*_: Any) -> int:
                return -1

    monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: Library())
    target = generation(tmp_path / "date=2026-06-01", 1)
    new = generation(tmp_path / "staging" / "date=2026-06-01", 2)
    replace_folder(new, target)
    assert contents(target) == ["2-a", "2-b", "2-c"]
    # The old folder is in staging, which is removed when the write ends.
    assert [contents(left) for left in new.parent.iterdir()] == [["1-a", "1-b", "1-c"]]


def test_an_error_that_is_no_older_folder_is_raised(tmp_path: Path):
    (tmp_path / "target").touch()
    with pytest.raises(NotADirectoryError):
        replace_folder(generation(tmp_path / "new", 1), tmp_path / "target")
    assert contents(tmp_path / "new") == ["1-a", "1-b", "1-c"]


# --- documents, windows ----------------------------------------------------------------------


def test_a_days_documents_are_replaced_as_a_whole(folders: Lake, tmp_path: Path):
    folders.write_documents("pages", MONDAY, {"old.html": "old", "a.html": "old"})
    folder = Path(folders.write_documents("pages", MONDAY, {"a.html": "Grüße \U0001f600"}))
    assert folder == root_of(folders) / "pages" / "date=2026-06-01"
    assert contents(folder) == ["a.html"]
    assert (folder / "a.html").read_bytes().decode() == "Grüße \U0001f600"
    assert contents(Path(folders.write_documents("pages", MONDAY, {}))) == []
    assert left_in_staging(tmp_path) == []


def test_a_window_ends_with_its_day():
    days = window_days(date(2026, 3, 1), 240)
    assert (days[0], days[-2], days[-1]) == (date(2025, 7, 5), date(2026, 2, 28), date(2026, 3, 1))
    assert {b - a for a, b in itertools.pairwise(days)} == {timedelta(days=1)}
    assert len(days) == 240
    assert window_days(MONDAY, 1) == [MONDAY]
