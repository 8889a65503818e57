"""Partitions: replaced as a whole or not at all, and never read where they do not fit."""

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

import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import types as T

from lowslow_assets.export.source import literal_path
from lowslow_assets.lake.lake import Lake, LakeError, Partition, window_days
from lowslow_assets.lake.stores.folders import Folders, replace_folder
from lowslow_assets.lake.tables import Table

THINGS = Table(
    "things",
    "Rows to store.",
    T.StructType(
        [
            T.StructField("name", T.StringType()),
            T.StructField("count", T.LongType()),
            T.StructField("seen", T.TimestampType()),
            T.StructField("tags", T.ArrayType(T.StringType())),
        ]
    ),
)
MONDAY, TUESDAY, SUNDAY = date(2026, 6, 1), date(2026, 6, 2), date(2026, 6, 7)
SEEN = datetime(2026, 6, 1, 2, 5, 0, 123456, UTC)


@pytest.fixture
def folders(spark: SparkSession, tmp_path: Path) -> Lake:
    """A lake on a local path."""
    return Lake(str(tmp_path / "lake"), spark)


@pytest.fixture
def blobs(spark: SparkSession, request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    """A lake in a container; azure/test_blobs.py has what only concerns those."""
    location = request.getfixturevalue("container")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path))
        storage = request.getfixturevalue("azurite").storage
        return Lake(f"{location.url()}/date=1/Ü [a] {{b}}*", spark, storage)


@pytest.fixture(params=["folders", "blobs"])
def lake(request: pytest.FixtureRequest) -> Lake:
    """A lake of either kind."""
    return request.getfixturevalue(request.param)


def things(lake: Lake, *names: str, **columns: Any) -> DataFrame:
    rows = [(name, len(name), SEEN, ["a", name]) for name in names]
    return lake.spark.createDataFrame(rows, THINGS.schema).withColumns(columns)


def dated(lake: Lake, *rows: tuple[date, str]) -> DataFrame:
    schema = "date date, name string, count int, seen timestamp, tags array<string>"
    return lake.spark.createDataFrame([(day, name, 1, None, None) for day, name in rows], schema)


def names(lake: Lake, *days: date) -> list[tuple[date, str]]:
    return sorted((row["date"], row["name"]) for row in lake.read(THINGS, days).collect())


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
    written = lake.write(THINGS, things(lake, "x", "yy"), [MONDAY], {"setting": 1})
    frame = lake.read(THINGS, [MONDAY])
    assert frame.schema.simpleString() == (
        "struct<name:string,count:bigint,seen:timestamp,tags:array<string>,date:date>"
    )
    rows = sorted(frame.collect())
    assert [(r["name"], r["count"], r["tags"], r["date"]) for r in rows] == [
        ("x", 1, ["a", "x"], MONDAY),
        ("yy", 2, ["a", "yy"], MONDAY),
    ]
    assert {r["seen"].timestamp() for r in rows} == {SEEN.timestamp()}
    expected = Partition(2, THINGS.schema_digest, {"setting": 1})
    assert written == {MONDAY: expected}
    assert lake.partition(THINGS, MONDAY) == expected
    assert lake.days(THINGS) == [MONDAY]
    assert left_in_staging(tmp_path) == []


def test_any_engine_reads_a_partition(folders: Lake):
    folders.write(THINGS, things(folders, "x"), [MONDAY], {})
    folder = root_of(folders) / "things" / "date=2026-06-01"
    files = list(folder.glob("*.parquet"))
    assert sum(pq.read_table(file).num_rows for file in files) == 1
    assert pq.read_table(files[0]).to_pylist()[0]["tags"] == ["a", "x"]
    provenance = json.loads((folder / "_provenance.json").read_text())
    assert provenance["rows"] == 1
    assert provenance["files"] == {file.name: file.stat().st_size for file in files}
    # Nothing of Hadoop's own: its sums of local files would be stored and uploaded, too.
    assert {file.name for file in folder.iterdir()} == {"_provenance.json", *provenance["files"]}


def test_a_partition_is_replaced_as_a_whole(lake: Lake):
    lake.write(THINGS, things(lake, "old", "older"), [MONDAY], {"v": 1})
    lake.write(THINGS, things(lake, "other"), [TUESDAY], {})
    lake.write(THINGS, things(lake, "new"), [MONDAY], {"v": 2})
    assert names(lake, MONDAY, TUESDAY) == [(MONDAY, "new"), (TUESDAY, "other")]
    assert lake.partition(THINGS, MONDAY) == Partition(1, THINGS.schema_digest, {"v": 2})


def test_what_spark_keeps_of_a_replaced_partition_is_not_read(lake: Lake):
    """A server's cache outlives runs, and a killed run's too."""
    lake.write(THINGS, things(lake, "old", "older"), [MONDAY], {})
    kept = lake.read(THINGS, [MONDAY]).persist()
    assert kept.count() == 2
    assert lake.read(THINGS, [MONDAY]).storageLevel.useMemory
    lake.write(THINGS, things(lake, "new"), [MONDAY], {})
    assert names(lake, MONDAY) == [(MONDAY, "new")]
    kept.unpersist()


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
    bare = lake.spark.read.parquet(literal_path(file))
    assert bare.schema.simpleString() == THINGS.schema.simpleString()
    assert names(lake, MONDAY) == []


def test_rows_of_another_day_are_refused_and_nothing_is_replaced(lake: Lake):
    lake.write(THINGS, things(lake, "old"), [MONDAY], {})
    with pytest.raises(LakeError, match=r"things.*date=2026-06-02"):
        lake.write(THINGS, dated(lake, (MONDAY, "new"), (TUESDAY, "stray")), [MONDAY], {})
    assert names(lake, MONDAY) == [(MONDAY, "old")]
    assert lake.days(THINGS) == [MONDAY]


def test_a_folder_named_like_no_day_is_none(folders: Lake, tmp_path: Path):
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
    frame = lake.read(THINGS, [])
    assert frame.columns == [*THINGS.schema.names, "date"]
    assert frame.collect() == []
    assert lake.days(THINGS) == []


def test_a_root_with_strange_signs_works_too(spark: SparkSession, tmp_path: Path):
    lake = Lake(f"file://{tmp_path}/date=1/Ü [a] {{b}}* 50%20", spark)
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
    "field", [T.StructField("extra", T.LongType()), T.StructField("count", T.StringType())]
)
def test_a_partition_of_another_schema_is_refused(lake: Lake, field: T.StructField):
    lake.write(THINGS, things(lake, "x"), [MONDAY], {})
    fields = [f for f in THINGS.schema.fields if f.name != field.name]
    changed = replace(THINGS, schema=T.StructType([*fields, field]))
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


def test_a_root_that_cannot_be_written_is_said_in_one_sentence(spark: SparkSession, tmp_path: Path):
    (tmp_path / "file").touch()
    lake = Lake(str(tmp_path / "file" / "lake"), spark)
    with pytest.raises(LakeError) as caught:
        lake.write(THINGS, things(lake), [MONDAY], {})
    assert_sentence(caught.value, "LOWSLOW_LAKE", str(root_of(lake)), "cannot be written")
    with pytest.raises(LakeError) as caught:
        Lake("s3://bucket/lake", spark)
    assert_sentence(caught.value, "LOWSLOW_LAKE", "s3://", "neither")


# --- killed runs -----------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["storage.pq.read_metadata", "storage.json.dumps", None])
def test_a_run_killed_before_the_commit_leaves_the_old_partition(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str | None
):
    lake.write(THINGS, things(lake, "old"), [MONDAY], {"v": 1})

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if moment:
            patch.setattr(f"lowslow_assets.{moment}", killed)
        else:
            patch.setattr(lake.store, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            lake.write(THINGS, things(lake, "new"), [MONDAY], {"v": 2})
    assert names(lake, MONDAY) == [(MONDAY, "old")]
    assert lake.partition(THINGS, MONDAY) == Partition(1, THINGS.schema_digest, {"v": 1})
    assert left_in_staging(tmp_path) == []


def test_what_a_killed_run_left_goes_after_a_day(lake: Lake, tmp_path: Path):
    lake.write_documents("pages", MONDAY, {"a.html": ""})
    [area] = tmp_path.rglob(".staging")
    now = time.time()
    for name, hours in (("abandoned", 25), ("of a running run", 23)):
        (area / name / "date=2026-06-01").mkdir(parents=True)
        then = now - hours * 3600
        os.utime(area / name, (then, then))
    # As if another run removed its own just now: listed, but gone when looked at.
    (area / "gone").symlink_to("nowhere")
    lake.write_documents("pages", MONDAY, {"a.html": ""})
    assert left_in_staging(tmp_path) == ["gone", "of a running run"]


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
    # What is old is in staging, which goes when the write ends.
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
