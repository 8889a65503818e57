"""An export's folders as they are found: names, gaps, damage, and where its root lies."""

import gzip
import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from lowslow_assets.export.source import Export, SourceError
from lowslow_assets.signins.parsing import NO_ID, parse_lines

DAY = date(2026, 6, 3)
LINES = "date date, file string, value string"
PADDED, UNPADDED = "y=2026/m=06/d=03", "y=2026/m=6/d=3"


def put(root: Path, name: str, content: str | bytes = "{}\n") -> str:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return name


def names(root: Path, day: date = DAY) -> list[str]:
    return [file.name for file in Export(str(root)).list_day(day).files]


def read(spark: SparkSession, root: Path, *days: date) -> list[tuple[date, str, str]]:
    """All lines of the days, unreadable files left out."""
    export = Export(str(root))
    listing = [export.list_day(day) for day in days]
    lines = export.read_lines(spark, listing, export.unreadable(listing))
    assert lines.columns == ["date", "file", "value"]
    return sorted((row["date"], row["file"], row["value"]) for row in lines.collect())


# --- listing ---------------------------------------------------------------------------------


def test_all_names_of_one_day_are_its_files(tmp_path: Path):
    expected = [
        put(tmp_path, f"{PADDED}/h=00/m=00/PT05M.json"),
        put(tmp_path, f"{PADDED}/h=00/m=00/PT05M_1.json"),
        put(tmp_path, f"{PADDED}/h=00/m=05/PT5M.json"),
        put(tmp_path, f"{PADDED}/h=23/m=55/PT05M.json.gz"),
        put(tmp_path, f"{UNPADDED}/h=1/m=0/PT05M.json"),
        put(tmp_path, "y=2026/m=06/d=3/PT05M.json"),
    ]
    for other in (
        f"{PADDED}/h=00/m=00/notes.txt",
        f"{PADDED}/h=00/m=00/PT05M.json.tmp",
        f"{PADDED}/h=00/m=00/.PT05M.json",
        f"{PADDED}/_temporary/PT05M.json",
        "y=2026/m=06/d=30/h=00/m=00/PT05M.json",
        "y=2026/PT05M.json",
    ):
        put(tmp_path, other)
    assert names(tmp_path) == sorted(expected)


def test_a_day_without_a_folder_has_no_files(tmp_path: Path):
    put(tmp_path, f"{PADDED}/PT05M.json")
    files = Export(str(tmp_path)).list_day(date(2026, 6, 4))
    assert (files.files, files.total_bytes) == ((), 0)


def test_days_are_newest_first_and_once(tmp_path: Path):
    for folder in (
        *("y=2026/m=06/d=09", "y=2026/m=06/d=10", "y=2026/m=6/d=9", "y=2026/m=10/d=1"),
        *("y=2025/m=12/d=31", "y=2026/m=2/d=28"),
        # None of these is a day.
        *("y=2026/m=02/d=30", "y=2026/m=13/d=01", "y=2026/m=00/d=01", "y=0/m=1/d=1"),
        *("y=2026/m=06/day=1", "y=2026/x/d=01", "logs/m=01/d=01", "y=2026/m=06/d="),
    ):
        (tmp_path / folder).mkdir(parents=True)
    put(tmp_path, "y=2026/m=06/d=11", "a file, not a folder")
    assert list(Export(str(tmp_path)).days()) == [
        date(2026, 10, 1),
        date(2026, 6, 10),
        date(2026, 6, 9),
        date(2026, 2, 28),
        date(2025, 12, 31),
    ]


def test_days_lists_no_further_than_it_is_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for folder in ("y=2026/m=06/d=03", "y=2026/m=05/d=03", "y=2025/m=06/d=03"):
        (tmp_path / folder).mkdir(parents=True)
    listed: list[str] = []
    scandir = __import__("os").scandir
    monkeypatch.setattr(
        "lowslow_assets.export.source.os.scandir",
        lambda folder: listed.append(Path(folder).name) or scandir(folder),
    )
    assert next(Export(str(tmp_path)).days()) == DAY
    assert listed == [tmp_path.name, "y=2026", "m=06"]


def test_the_fingerprint_changes_with_the_files_and_only_then(tmp_path: Path):
    def fingerprint() -> str:
        return Export(str(tmp_path)).list_day(DAY).fingerprint

    seen = [fingerprint()]
    first = tmp_path / put(tmp_path, f"{PADDED}/h=00/m=00/PT05M.json", "{}\n")
    seen.append(fingerprint())
    second = tmp_path / put(tmp_path, f"{PADDED}/h=00/m=05/PT05M.json", "{}\n")
    seen.append(fingerprint())
    second.write_text("{}\n{}\n")
    seen.append(fingerprint())
    second.rename(second.with_name("PT05M_1.json"))
    seen.append(fingerprint())
    put(tmp_path, "y=2026/m=06/d=04/h=00/m=00/PT05M.json")
    put(tmp_path, f"{PADDED}/notes.txt")
    assert fingerprint() == seen[-1]
    first.unlink()
    seen.append(fingerprint())
    assert len(set(seen)) == len(seen) == 6


def test_bytes_are_summed(tmp_path: Path):
    put(tmp_path, f"{PADDED}/a.json", "12345")
    put(tmp_path, f"{UNPADDED}/b.json", "123")
    assert Export(str(tmp_path)).list_day(DAY).total_bytes == 8


# --- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "root", ["export", "y=2020/m=01/d=01/copy", "Entra ü +50%20 of [all] {a,b}*/y=1999/m=12"]
)
def test_lines_know_their_day_and_file_wherever_the_root_lies(
    spark: SparkSession, tmp_path: Path, root: str
):
    export = tmp_path / root
    expected = [
        (date(2026, 6, 3), put(export, f"{PADDED}/h=00/m=00/PT05M.json", "a\r\nb\n"), "a"),
        (date(2026, 6, 3), f"{PADDED}/h=00/m=00/PT05M.json", "b"),
        (date(2026, 6, 3), put(export, f"{PADDED}/h=00/m=00/PT05M_1.json", "c"), "c"),
        (date(2026, 6, 3), put(export, f"{UNPADDED}/h=1/m=5/PT5M.json", "d\n"), "d"),
        (date(2026, 6, 5), put(export, "y=2026/m=06/d=05/PT05M.json.gz", "e\nf"), "e"),
        (date(2026, 6, 5), "y=2026/m=06/d=05/PT05M.json.gz", "f"),
        (date(2026, 6, 5), put(export, "y=2026/m=06/d=05/a +%2B ü [1].json", "g"), "g"),
    ]
    put(export, "y=2026/m=06/d=05/empty.json", "")
    put(export, "y=2026/m=06/d=05/notes.txt", "not read")
    put(export, "y=2026/m=06/d=06/PT05M.json", "not asked for")
    days = [date(2026, 6, day) for day in (3, 4, 5)]
    assert read(spark, export, *days) == sorted(expected)
    # With a neighbour left out, files are read one by one.
    (export / "y=2026/m=06/d=05/broken.json").symlink_to("nowhere")
    assert read(spark, export, *days) == sorted(expected)


def test_what_spark_keeps_of_a_day_that_grew_is_not_read(spark: SparkSession, tmp_path: Path):
    """A server's cache outlives runs, and a killed run's too."""
    name = put(tmp_path, f"{PADDED}/PT05M.json", "a\n")
    listing = [Export(str(tmp_path)).list_day(DAY)]
    kept = Export(str(tmp_path)).read_lines(spark, listing, {}).persist()
    assert kept.count() == 1
    put(tmp_path, name, "a\nb\n")
    assert read(spark, tmp_path, DAY) == [(DAY, name, "a"), (DAY, name, "b")]
    kept.unpersist()


def test_a_day_without_files_has_no_lines(spark: SparkSession, tmp_path: Path):
    (tmp_path / PADDED).mkdir(parents=True)
    assert read(spark, tmp_path, DAY, date(2026, 6, 4)) == []


def test_damaged_files_are_named_with_the_reason_and_the_others_read(
    spark: SparkSession, tmp_path: Path
):
    packed = gzip.compress(bytes(range(256)) * 400)
    junk = put(tmp_path, f"{PADDED}/junk.json", b"\x80\xff\x00 \xc3(\n")
    good = put(tmp_path, f"{PADDED}/h=00/PT05M.json", "good\n")
    put(tmp_path, f"{PADDED}/empty.json", "")
    (tmp_path / f"{PADDED}/gone.json").symlink_to("nowhere")
    (tmp_path / f"{PADDED}/truncated.json.gz").write_bytes(packed[:-20])
    (tmp_path / f"{PADDED}/plain.json.gz").write_text("not packed")
    (tmp_path / f"{PADDED}/flipped.json.gz").write_bytes(packed[:20] + b"\xff" + packed[21:])
    export = Export(str(tmp_path))
    files = export.list_day(DAY)
    unreadable = export.unreadable([files])
    rejected = {row["file"]: row for row in export.reject(spark, unreadable).collect()}
    assert {name.rpartition("/")[2]: row["reason"] for name, row in rejected.items()} == {
        "gone.json": "unreadable file: No such file or directory",
        "truncated.json.gz": "unreadable file: Compressed file ended before the end-of-stream "
        "marker was reached",
        "plain.json.gz": "unreadable file: Not a gzipped file (b'no')",
        "flipped.json.gz": rejected[f"{PADDED}/flipped.json.gz"]["reason"],
    }
    assert rejected[f"{PADDED}/flipped.json.gz"]["reason"].startswith("unreadable file: ")
    assert {(row["date"], row["line"]) for row in rejected.values()} == {(DAY, None)}
    lines = export.read_lines(spark, [files], unreadable).select("date", "file").collect()
    assert sorted(tuple(row) for row in lines) == [(DAY, good), (DAY, junk)]


def test_odd_names_links_and_pipes_stop_nothing(spark: SparkSession, tmp_path: Path):
    good = put(tmp_path, f"{PADDED}/h=00/PT05M.json", "good\n")
    put(tmp_path, f"{PADDED}/colon 02:05.json", "x\n")
    put(tmp_path, f"{PADDED}/new\nline.json", "x\n")
    put(tmp_path, f"{PADDED}/y=2020/m=01/d=02/nested.json", "x\n")
    (tmp_path / PADDED / os.fsdecode(b"not-utf-8-\xff.json")).write_text("x\n")
    (tmp_path / PADDED / "circle").symlink_to("..")
    os.mkfifo(tmp_path / PADDED / "pipe.json")
    export = Export(str(tmp_path))
    files = export.list_day(DAY)
    unreadable = export.unreadable([files])
    rejected = export.reject(spark, unreadable).collect()
    assert {row["file"].removeprefix(f"{PADDED}/") for row in rejected} == {
        "colon 02:05.json",
        "new\nline.json",
        "y=2020/m=01/d=02/nested.json",
        "not-utf-8-?.json",
        "circle",
        "pipe.json",
    }
    lines = export.read_lines(spark, [files], unreadable).select("date", "file").collect()
    assert [tuple(row) for row in lines] == [(DAY, good)]


def test_nothing_unreadable_gives_no_rows(spark: SparkSession, tmp_path: Path):
    put(tmp_path, f"{PADDED}/PT05M.json")
    export = Export(str(tmp_path))
    unreadable = export.unreadable([export.list_day(DAY)])
    assert unreadable == {}
    rejected = export.reject(spark, unreadable)
    assert rejected.columns == ["date", "file", "reason", "line"]
    assert rejected.collect() == []


# --- Parquet ---------------------------------------------------------------------------------

SIGNIN = {
    "Id": "one",
    "TimeGenerated": datetime(2026, 6, 3, 1, 2, 3, 456789, tzinfo=UTC),
    "UserPrincipalName": "ann@example.com",
    "ResultType": "50126",
    "AutonomousSystemNumber": 64500,
    "DeviceDetail": json.dumps({"browser": 'Edge "1"'}),
    "IsInteractive": True,
}


def put_rows(root: Path, name: str, *rows: Mapping[str, object]) -> str:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path, compression="gzip")
    return name


def test_rows_of_the_export_job_are_lines_in_each_of_its_layouts(
    spark: SparkSession, tmp_path: Path
):
    expected = [
        put_rows(tmp_path, "timestamp=2026-06-03T01/part-0.parquet", SIGNIN),
        put_rows(tmp_path, "year=2026/month=06/day=03/hour=01/part-1.parquet", SIGNIN),
        # Copied into the tree of the continuous export.
        put_rows(tmp_path, f"{PADDED}/h=01/part-2.parquet", SIGNIN | {"Id": None}),
    ]
    put(tmp_path, "timestamp=2026-06-03T01/PT05M.json", "line\n")
    put_rows(tmp_path, "timestamp=2026-06-04T00/part-0.parquet", SIGNIN)
    put(tmp_path, "timestamp=2026-13-04T00/part-0.parquet")
    assert list(Export(str(tmp_path)).days()) == [date(2026, 6, 4), DAY]
    rows = read(spark, tmp_path, DAY)
    assert [row[:2] for row in rows] == sorted(
        (DAY, name) for name in [*expected, "timestamp=2026-06-03T01/PT05M.json"]
    )
    values = {name: value for _, name, value in rows}
    time = "2026-06-03T01:02:03.456789Z"
    assert json.loads(values[expected[0]]) == SIGNIN | {"TimeGenerated": time}
    assert values[expected[1]] == values[expected[0]]
    parsed = parse_lines(
        spark.createDataFrame([(DAY, name, value) for name, value in values.items()], LINES)
    )
    reasons = {row["file"]: row["reason"] for row in parsed.collect()}
    assert [reasons[name] for name in expected] == [None, None, NO_ID]


def test_damaged_parquet_is_rejected_as_other_files_are(spark: SparkSession, tmp_path: Path):
    good = put_rows(tmp_path, f"{PADDED}/good.parquet", SIGNIN)
    whole = (tmp_path / good).read_bytes()
    put(tmp_path, f"{PADDED}/junk.parquet", "not Parquet")
    put(tmp_path, f"{PADDED}/cut.parquet", whole[:-9])
    put(tmp_path, f"{PADDED}/flipped.parquet", whole[:40] + b"\0" * 8 + whole[48:])
    export = Export(str(tmp_path))
    files = export.list_day(DAY)
    unreadable = export.unreadable([files])
    assert sorted(unreadable) == [f"{PADDED}/{n}.parquet" for n in ("cut", "flipped", "junk")]
    assert all(reason.startswith("unreadable file: ") for reason in unreadable.values())
    lines = export.read_lines(spark, [files], unreadable).collect()
    assert [row["file"] for row in lines] == [good]


# --- errors ----------------------------------------------------------------------------------


def assert_sentence(error: BaseException, *words: str) -> None:
    text = str(error)
    assert re.fullmatch(r"[^\n]+\.", text)
    assert all(word in text for word in ("LOWSLOW_SOURCE", *words))


def test_a_root_that_is_missing_or_empty_is_said_in_one_sentence(tmp_path: Path):
    a_file = tmp_path / put(tmp_path, "file")
    for root in (tmp_path / "missing", a_file):
        with pytest.raises(SourceError) as caught:
            Export(str(root)).require_days()
        assert_sentence(caught.value, str(root), "is not a folder", "make demo")
    (tmp_path / "y=2026/m=02/d=30").mkdir(parents=True)
    with pytest.raises(SourceError) as caught:
        Export(str(tmp_path)).require_days()
    assert_sentence(caught.value, str(tmp_path), "y=YYYY/m=MM/d=DD")


def test_a_root_with_a_day_is_accepted_also_as_a_file_url(tmp_path: Path):
    (tmp_path / PADDED).mkdir(parents=True)
    export = Export(f"file://{tmp_path}")
    export.require_days()
    assert export.root == tmp_path


@pytest.mark.parametrize("root", ["s3://logs/x", "wasbs://c@account/?sig=x", "https://u:x@host/"])
def test_a_url_is_refused_in_one_sentence_that_tells_no_secret(root: str):
    with pytest.raises(SourceError) as caught:
        Export(root)
    scheme, _, rest = root.partition("//")
    assert_sentence(caught.value, f"'{scheme}//...'")
    assert rest not in str(caught.value)


def test_a_folder_that_cannot_be_listed_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("lowslow_assets.export.source.os.scandir", refuse)
    with pytest.raises(SourceError) as caught:
        Export(str(tmp_path)).require_days()
    assert_sentence(caught.value, "cannot be listed", "Permission denied")
