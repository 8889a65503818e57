"""The files: layout, schemas, shapes, faults, and labels that fit them."""

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from lowslow_assets.sample_tenant import export
from lowslow_assets_tests.sample_tenant.conftest import SMALL, Generated, make
from lowslow_assets_tests.support.reading import SignIn, labels, lines, parse, signins

LAYOUT = re.compile(r"y=(\d{4})/m=(\d\d)/d=(\d\d)/h=(\d\d)/m=(\d\d)/(PT0?5M)(_1)?\.json")


def test_each_line_is_in_the_folder_of_its_five_minutes(small: Generated):
    seen = Counter(line for _, line in lines(small.source))
    for path, line in lines(small.source):
        match = LAYOUT.fullmatch(path.relative_to(small.source).as_posix())
        assert match, path
        signin = parse(line)
        if signin and seen[line] == 1:
            floor = signin.moment - timedelta(minutes=signin.moment.minute % 5)
            assert match.groups()[:5] == tuple(floor.strftime("%Y %m %d %H %M").split())


def test_late_files_and_other_names_occur(small: Generated):
    names = Counter(path.name for path in small.source.rglob("*.json"))
    assert names["PT05M_1.json"] > 20
    assert names["PT5M.json"] > 5
    assert sum(names.values()) == small.summary.files


def test_the_missing_day_has_no_folder_and_all_others_do(small: Generated):
    days = {path.parent.parent.relative_to(small.source) for path in small.source.rglob("h=*/m=*")}
    expected = {
        Path(small.tenant.day(day).strftime("y=%Y/m=%m/d=%d")) for day in range(14) if day != 6
    }
    assert days == expected


def test_a_number_of_missing_days_is_taken_from_the_seed():
    assert len(replace(SMALL, missing_days=3).absent_days()) == 3
    assert (
        replace(SMALL, missing_days=3).absent_days()
        == replace(SMALL, missing_days=3, users=9).absent_days()
    )


def test_ids_are_unique_but_for_the_repeats_that_were_asked_for(small: Generated):
    ids = Counter(signin.id for _, line in lines(small.source) if (signin := parse(line)))
    assert len(ids) == small.summary.signins
    assert sum(ids.values()) - len(ids) == small.summary.repeated_lines
    assert 0.08 < small.summary.repeated_lines / small.summary.signins < 0.12


def test_repeats_are_the_same_line_or_an_earlier_draft_on_the_same_day(small: Generated):
    versions: dict[str, set[SignIn]] = {}
    for _, line in lines(small.source):
        if signin := parse(line):
            versions.setdefault(signin.id, set()).add(signin)
    drafts = 0
    for written in (version for version in versions.values() if len(version) > 1):
        draft, final = sorted(written, key=lambda signin: signin.time)
        assert draft.moment.date() == final.moment.date()
        assert draft.result == final.result
        assert draft.device[1] == ""
        drafts += 1
    assert 0.03 < drafts / small.summary.signins < 0.07


def test_every_label_is_of_a_sign_in_that_exists_and_the_counts_agree(small: Generated):
    labelled = labels(small.labels)
    assert labelled.keys() <= signins(small.source).keys()
    counts = Counter(label for label, _ in labelled.values())
    assert counts == {
        name: n for name, n in small.summary.by_label.items() if n and name != "ordinary"
    }
    assert sum(small.summary.by_label.values()) == small.summary.signins


def test_labels_are_nowhere_in_the_source(small: Generated):
    text = "".join(line for _, line in lines(small.source))
    assert not any(word in text for word in ("spray", "classic", "stale_device", "typo"))


def test_bytes_and_lines_are_counted(small: Generated):
    files = list(small.source.rglob("*.json"))
    assert small.summary.bytes == sum(path.stat().st_size for path in files)
    assert small.summary.lines == sum(1 for _ in lines(small.source))


def test_malformed_lines_occur_and_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(export, "_MALFORMED", 0.1)
    made = make(replace(SMALL, days=2, missing_days=0), tmp_path)
    malformed = [line for _, line in lines(made.source) if parse(line) is None]
    assert len(malformed) == made.summary.malformed_lines
    assert {line[0] for line in malformed} == {"<", "{"}
    assert any("TimeGenerated" in line for line in malformed)
    assert any(line.endswith("}") and json.loads(line) for line in malformed)


def test_both_schemas_and_both_shapes_say_the_same(tmp_path: Path):
    brief = replace(SMALL, days=2, missing_days=0)
    expected = signins(make(brief, tmp_path / "mixed").source)
    for schema, shape in (
        ("sentinel", "strings"),
        ("sentinel", "objects"),
        ("diagnostic", "objects"),
    ):
        tenant = replace(brief, schema=schema, detail_shape=shape)
        made = make(tenant, tmp_path / schema / shape)
        assert signins(made.source) == expected
        records = [json.loads(line) for _, line in lines(made.source) if parse(line)]
        assert all(("properties" in record) == (schema == "diagnostic") for record in records)
        if schema == "sentinel":
            assert {type(record["Status"]) for record in records} == {
                str if shape == "strings" else dict
            }


def test_rows_show_the_oddities_of_real_exports(small: Generated):
    seen = Counter()
    for _, line in lines(small.source):
        if (signin := parse(line)) and "Type" in (record := json.loads(line)):
            seen[type(record["ResultType"])] += 1
            seen["guid as name"] += "@" not in record["UserPrincipalName"]
            seen["no address"] += record["IPAddress"] == ""
            seen["ipv6"] += signin.address.count(":") > 2
            seen["no city"] += not signin.place[0]
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{7}Z", record["TimeGenerated"])
            assert record["CreatedDateTime"] < record["TimeGenerated"]
    assert all(seen[what] for what in (int, str, "guid as name", "no address", "ipv6", "no city"))


def test_asn_can_be_absent(tmp_path: Path):
    made = make(replace(SMALL, days=1, asn=0.0, missing_days=0, campaigns=()), tmp_path)
    assert not any("utonomousSystemNumber" in line for _, line in lines(made.source))
