"""An export's folders as they occur: names, gaps, damage, and different roots."""

import gzip
import json
import os
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lowslow_assets.engines.base import Engine
from lowslow_assets.export.folders import LocalExport
from lowslow_assets.export.names import name_problem
from lowslow_assets.export.source import SourceError
from lowslow_assets.lake.tables import REJECTED_SIGNINS
from lowslow_assets.signins.ingest import PARSED_INPUTS, parse_inputs, rejects_of, signins_of
from lowslow_assets.signins.parser import NO_ID
from lowslow_assets_tests.support.relations import relation

DAY = date(2026, 6, 3)
PADDED, UNPADDED = "y=2026/m=06/d=03", "y=2026/m=6/d=3"


def put(root: Path, name: str, content: str | bytes = "{}\n") -> str:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    data = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return name


def names(root: Path, day: date = DAY) -> list[str]:
    return [file.name for file in LocalExport(str(root)).list_day(day).files]


def read(root: Path, *days: date) -> list[tuple[date, str, bytes]]:
    """The day, name and content of all files that are read."""
    export = LocalExport(str(root))
    files = export.inputs([export.list_day(day) for day in days])
    return [(file.day, file.name, content.read()) for file, content in export.open_files(files)]


def signins_and_rejects(
    engine: Engine, root: Path
) -> tuple[list[dict[str, Any]], dict[str, tuple[str, str | None]]]:
    """The day's sign-ins, and reason and text of what is rejected, by file within the day."""
    export = LocalExport(str(root))
    listing = [export.list_day(DAY)]
    parsed = engine.from_files(
        export.inputs(listing), parse_inputs, export.open_files, PARSED_INPUTS
    )
    refused = [(name, reason, None, DAY) for name, reason in listing[0].refused]
    rejects = rejects_of(parsed, relation(engine, REJECTED_SIGNINS.dated, refused)).rows()
    assert {row["date"] for row in rejects} <= {DAY}
    signins = sorted(signins_of(parsed).rows(), key=lambda row: row["signin_id"])
    return signins, {
        row["file"].removeprefix(f"{PADDED}/"): (row["reason"], row["line"]) for row in rejects
    }


# --- listing ---------------------------------------------------------------------------------


def test_all_names_of_one_day_are_its_files(tmp_path: Path):
    expected = [
        put(tmp_path, f"{PADDED}/h=00/m=00/PT05M.json"),
        put(tmp_path, f"{PADDED}/h=00/m=00/PT05M_1.json"),
        put(tmp_path, f"{PADDED}/h=00/m=05/PT5M.json"),
        put(tmp_path, f"{PADDED}/h=23/m=55/PT05M.json.gz"),
        put(tmp_path, f"{UNPADDED}/h=1/m=0/PT05M.json"),
        put(tmp_path, "y=2026/m=06/d=3/PT05M.json"),
        put(tmp_path, "y=2026/m=06/d=3/PT1H.JSON"),
        put(tmp_path, "y=2026/m=06/d=3/signins.jsonl.gz"),
        put(tmp_path, "y=2026/m=06/d=3/signins.ndjson.zst"),
        put(tmp_path, "y=2026/m=06/d=3/portal.csv"),
    ]
    not_looked_at = [
        put(tmp_path, f"{PADDED}/h=00/m=00/notes.txt"),
        put(tmp_path, f"{PADDED}/h=00/m=00/PT05M.json.zip"),
    ]
    for other in (
        f"{PADDED}/h=00/m=00/.PT05M.json",
        f"{PADDED}/_temporary/PT05M.json",
        "y=2026/m=06/d=30/h=00/m=00/PT05M.json",
        "y=2026/PT05M.json",
    ):
        put(tmp_path, other)
    assert names(tmp_path) == sorted(expected + not_looked_at)
    refused = LocalExport(str(tmp_path)).list_day(DAY).refused
    assert [name for name, _ in refused] == sorted(not_looked_at)
    assert all(reason.startswith("other file: its name must end with") for _, reason in refused)


def test_a_day_without_a_folder_has_no_files(tmp_path: Path):
    put(tmp_path, f"{PADDED}/PT05M.json")
    files = LocalExport(str(tmp_path)).list_day(date(2026, 6, 4))
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
    assert list(LocalExport(str(tmp_path)).days()) == [
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
        "lowslow_assets.export.folders.os.scandir",
        lambda folder: listed.append(Path(folder).name) or scandir(folder),
    )
    assert next(LocalExport(str(tmp_path)).days()) == DAY
    assert listed == [tmp_path.name, "y=2026", "m=06"]


def test_the_version_changes_with_the_files_and_only_then(tmp_path: Path):
    def version() -> str:
        return LocalExport(str(tmp_path)).list_day(DAY).version

    seen = [version()]
    first = tmp_path / put(tmp_path, f"{PADDED}/h=00/m=00/PT05M.json", "{}\n")
    seen.append(version())
    second = tmp_path / put(tmp_path, f"{PADDED}/h=00/m=05/PT05M.json", "{}\n")
    seen.append(version())
    second.write_text("{}\n{}\n")
    seen.append(version())
    second.rename(second.with_name("PT05M_1.json"))
    seen.append(version())
    put(tmp_path, "y=2026/m=06/d=04/h=00/m=00/PT05M.json")
    put(tmp_path, f"{PADDED}/_SUCCESS")
    assert version() == seen[-1]
    first.unlink()
    seen.append(version())
    assert len(set(seen)) == len(seen) == 6


def test_bytes_are_summed(tmp_path: Path):
    put(tmp_path, f"{PADDED}/a.json", "12345")
    put(tmp_path, f"{UNPADDED}/b.json", "123")
    assert LocalExport(str(tmp_path)).list_day(DAY).total_bytes == 8


# --- reading ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "root", ["export", "y=2020/m=01/d=01/copy", "Entra ü +50%20 of [all] {a,b}*/y=1999/m=12"]
)
def test_files_know_their_day_and_name_wherever_the_root_lies(tmp_path: Path, root: str):
    export = tmp_path / root
    third, fifth = date(2026, 6, 3), date(2026, 6, 5)
    expected = [
        (third, put(export, f"{PADDED}/h=00/m=00/PT05M.json", "a\r\nb\n"), b"a\r\nb\n"),
        (third, put(export, f"{PADDED}/h=00/m=00/PT05M_1.json", "c"), b"c"),
        (third, put(export, f"{UNPADDED}/h=1/m=5/PT5M.json", "d\n"), b"d\n"),
        (fifth, put(export, "y=2026/m=06/d=05/PT05M.json.gz", "e"), gzip.compress(b"e")),
        (fifth, put(export, "y=2026/m=06/d=05/a +%2B ü [1].json", "g"), b"g"),
        (fifth, put(export, "y=2026/m=06/d=05/colon 02:05\n.json", "h"), b"h"),
        (fifth, put(export, "y=2026/m=06/d=05/empty.json", ""), b""),
    ]
    put(export, "y=2026/m=06/d=05/.notes.json", "not read")
    put(export, "y=2026/m=06/d=06/PT05M.json", "not asked for")
    found = read(export, *(date(2026, 6, day) for day in (3, 4, 5)))
    assert sorted(found) == sorted(expected)


SIGNIN = {
    "Id": "one",
    "TimeGenerated": datetime(2026, 6, 3, 1, 2, 3, 456789, tzinfo=UTC),
    "UserPrincipalName": "ann@example.com",
    "ResultType": "50126",
    "AutonomousSystemNumber": 64500,
    "DeviceDetail": json.dumps({"browser": 'Edge "1"'}),
    "IsInteractive": True,
}
LINE = json.dumps(SIGNIN, default=str)


def put_rows(root: Path, name: str, *rows: Mapping[str, object]) -> str:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(list(rows)), path, compression="gzip")
    return name


def test_of_damaged_files_nothing_is_taken_but_the_reason(engine: Engine, tmp_path: Path):
    folder = tmp_path / PADDED
    lines = "".join(f"{LINE}\n" for _ in range(3_000))
    packed = gzip.compress(lines.encode())
    put(tmp_path, f"{PADDED}/h=00/PT05M.json", f"{LINE}\nno JSON")
    put(tmp_path, f"{PADDED}/junk.json", b"\x80\xff\x00 \xc3(\n")
    put(tmp_path, f"{PADDED}/empty.json", "")
    (folder / "missing.json").symlink_to("nowhere")
    (folder / "missing.parquet").symlink_to("nowhere")
    (folder / "missing.json.gz").symlink_to("nowhere")
    (folder / "truncated.json.gz").write_bytes(packed[:-20])
    (folder / "plain.json.gz").write_text("not packed")
    # Its checksum is wrong, which is known when all of it has been read.
    (folder / "sum.json.gz").write_bytes(packed[:-8] + b"1234" + packed[-4:])
    signins, rejects = signins_and_rejects(engine, tmp_path)
    assert [row["signin_id"] for row in signins] == ["one"]
    missing = ("unreadable file: No such file or directory", None)
    cut = "Compressed file ended before the end-of-stream marker was reached"
    assert rejects == {
        "h=00/PT05M.json": ("not a JSON object", "no JSON"),
        "junk.json": ("not a JSON object", "\ufffd\ufffd\x00 \ufffd("),
        **dict.fromkeys(("missing.json", "missing.parquet", "missing.json.gz"), missing),
        "truncated.json.gz": (f"unreadable file: {cut}", None),
        "plain.json.gz": ("not a JSON object", "not packed"),
        "sum.json.gz": (rejects["sum.json.gz"][0], None),
    }
    assert rejects["sum.json.gz"][0].startswith("unreadable file: CRC check failed")


def test_odd_names_links_and_pipes_stop_nothing(engine: Engine, tmp_path: Path):
    folder = tmp_path / PADDED
    put(tmp_path, f"{PADDED}/h=00/PT05M.json", LINE)
    put(tmp_path, f"{PADDED}/colon 02:05.json", "x\n")
    put(tmp_path, f"{PADDED}/new\nline.json", "x\n")
    put(tmp_path, f"{PADDED}/y=2020/m=01/d=02/nested.json", "x\n")
    put(tmp_path, f"{PADDED}/timestamp=2026-06-04T00/nested.json", "x\n")
    (folder / os.fsdecode(b"not-utf-8-\xff.json")).write_text("x\n")
    (folder / "circle").symlink_to("..")
    os.mkfifo(folder / "pipe.json")
    signins, rejects = signins_and_rejects(engine, tmp_path)
    assert [row["signin_id"] for row in signins] == ["one"]
    nested = "unreadable file: it is in another day's folder within this day's"
    assert rejects == {
        **dict.fromkeys(("colon 02:05.json", "new\nline.json"), ("not a JSON object", "x")),
        "y=2020/m=01/d=02/nested.json": (nested, None),
        "timestamp=2026-06-04T00/nested.json": (nested, None),
        "not-utf-8-?.json": ("unreadable file: its name is not UTF-8", None),
        "circle": ("unreadable file: a link to a folder, which is not followed", None),
        "pipe.json": ("unreadable file: not a regular file", None),
    }


@pytest.mark.parametrize("name", ["../x.json", "./x.json", "/x.json", "h=00/../../x.json"])
def test_names_that_only_blobs_can_have_are_refused(name: str):
    assert name_problem(f"{PADDED}/x.json") is None
    problem = "unreadable file: a file cannot have its name"
    assert name_problem(f"{PADDED}/{name}") == problem


def test_a_file_that_may_not_be_read_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def refuse(path: str, mode: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    put(tmp_path, f"{PADDED}/PT05M.json", LINE)
    # The root user may read every file.
    monkeypatch.setattr("lowslow_assets.export.folders.open", refuse, raising=False)
    export = LocalExport(str(tmp_path))
    files = export.open_files(export.inputs([export.list_day(DAY)]))
    [row] = [row for batch in parse_inputs(files) for row in batch.to_pylist()]
    assert (row["reason"], row["line"]) == ("unreadable file: Permission denied", None)


# --- Parquet ---------------------------------------------------------------------------------


def test_rows_of_the_export_job_are_sign_ins_in_each_of_its_layouts(engine: Engine, tmp_path: Path):
    put_rows(tmp_path, "timestamp=2026-06-03T01/part-0.parquet", SIGNIN)
    put_rows(tmp_path, "year=2026/month=06/day=03/hour=01/part-1.parquet", SIGNIN | {"Id": "two"})
    # Copied into the tree of the continuous export.
    put_rows(tmp_path, f"{PADDED}/h=01/part-2.parquet", SIGNIN | {"Id": None})
    put(tmp_path, "timestamp=2026-06-03T01/PT05M.json", "line\n")
    put_rows(tmp_path, "timestamp=2026-06-04T00/part-0.parquet", SIGNIN)
    put(tmp_path, "timestamp=2026-13-04T00/part-0.parquet")
    assert list(LocalExport(str(tmp_path)).days()) == [date(2026, 6, 4), DAY]
    (one, two), rejects = signins_and_rejects(engine, tmp_path)
    assert two == one | {"signin_id": "two"}
    assert (one["time_generated"], one["browser"], one["date"]) == (
        SIGNIN["TimeGenerated"],
        'Edge "1"',
        DAY,
    )
    assert {name: reason for name, (reason, _) in rejects.items()} == {
        "h=01/part-2.parquet": NO_ID,
        "timestamp=2026-06-03T01/PT05M.json": "not a JSON object",
    }


def test_damaged_parquet_is_rejected_as_other_files_are(engine: Engine, tmp_path: Path):
    good = put_rows(tmp_path, f"{PADDED}/good.parquet", SIGNIN)
    whole = (tmp_path / good).read_bytes()
    put(tmp_path, f"{PADDED}/junk.parquet", "PAR1 not Parquet")
    put(tmp_path, f"{PADDED}/cut.parquet", whole[:-9])
    put(tmp_path, f"{PADDED}/flipped.parquet", whole[:40] + b"\0" * 8 + whole[48:])
    signins, rejects = signins_and_rejects(engine, tmp_path)
    assert len(signins) == 1
    assert sorted(rejects) == ["cut.parquet", "flipped.parquet", "junk.parquet"]
    for reason, line in rejects.values():
        assert reason.startswith("unreadable file: ")
        assert line is None


# --- errors ----------------------------------------------------------------------------------


def assert_sentence(error: BaseException, *words: str) -> None:
    text = str(error)
    assert re.fullmatch(r"[^\n]+\.", text)
    assert all(word in text for word in ("LOWSLOW_SOURCE", *words))


def test_a_root_that_is_missing_or_empty_is_said_in_one_sentence(tmp_path: Path):
    a_file = tmp_path / put(tmp_path, "file")
    for root in (tmp_path / "missing", a_file):
        with pytest.raises(SourceError) as caught:
            LocalExport(str(root)).require_days()
        assert_sentence(caught.value, str(root), "is not a folder", "make demo")
    (tmp_path / "y=2026/m=02/d=30").mkdir(parents=True)
    with pytest.raises(SourceError) as caught:
        LocalExport(str(tmp_path)).require_days()
    assert_sentence(caught.value, str(tmp_path), "y=YYYY/m=MM/d=DD")


def test_a_container_of_diagnostic_settings_names_the_folder_of_its_tenant(tmp_path: Path):
    (tmp_path / "tenantId=aaaabbbb-0000-cccc-1111-dddd2222eeee" / PADDED).mkdir(parents=True)
    with pytest.raises(SourceError) as caught:
        LocalExport(str(tmp_path)).require_days()
    assert_sentence(caught.value, "'tenantId=aaaabbbb-0000-cccc-1111-dddd2222eeee' may be the root")


def test_a_root_with_a_day_is_accepted_also_as_a_file_url(tmp_path: Path):
    (tmp_path / PADDED).mkdir(parents=True)
    export = LocalExport(f"file://{tmp_path}")
    export.require_days()
    assert export.root == tmp_path


@pytest.mark.parametrize("root", ["s3://logs/x", "wasbs://c@account/?sig=x", "https://u:x@host/"])
def test_a_url_is_refused_in_one_sentence_without_its_secret(root: str):
    with pytest.raises(SourceError) as caught:
        LocalExport(root)
    scheme, _, rest = root.partition("//")
    assert_sentence(caught.value, f"'{scheme}//...'")
    assert rest not in str(caught.value)


def test_a_folder_that_cannot_be_listed_is_said_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def refuse(folder: Path) -> None:
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr("lowslow_assets.export.folders.os.scandir", refuse)
    with pytest.raises(SourceError) as caught:
        LocalExport(str(tmp_path)).require_days()
    assert_sentence(caught.value, "cannot be listed", "Permission denied")
