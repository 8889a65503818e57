"""The sensor: which days it requests, when it requests them again, and how little it lists."""

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from lowslow_assets.export.folders import LocalExport
from lowslow_assets.orchestration import sensors
from lowslow_assets.orchestration.resources import SourceResource
from lowslow_assets.orchestration.sensors import WATCHED_DAYS, new_days

FIRST = date(2025, 3, 1)
Clock = Callable[[str], None]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Sets the sensor's clock (UTC); its partitions begin at FIRST."""
    monkeypatch.setattr(sensors, "DAYS", dg.DailyPartitionsDefinition(FIRST.isoformat()))

    def set_time(text: str) -> None:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)

        class Frozen(datetime):
            @classmethod
            def now(cls, tz=None) -> datetime:
                assert tz is UTC
                return moment

        monkeypatch.setattr(sensors, "datetime", Frozen)

    set_time("2025-06-01 12:00")
    return set_time


def put(root: Path, day: date, name: str = "PT05M.json", content: str = "{}\n") -> Path:
    path = root / f"{day:y=%Y/m=%m/d=%d}" / "h=00" / "m=00" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def days(count: int, first: date = FIRST) -> list[date]:
    return [first + timedelta(days=offset) for offset in range(count)]


def tick(root: Path, cursor: str | None = None, **source: Any) -> dg.SensorResult:
    context = dg.build_sensor_context(
        cursor=cursor, resources={"source": SourceResource(root=str(root), **source)}
    )
    result = new_days(context)
    assert isinstance(result, dg.SensorResult)
    return result


def requested(result: dg.SensorResult) -> list[str | None]:
    return [request.partition_key for request in result.run_requests or []]


def test_days_that_are_over_are_requested_oldest_first_and_by_their_files(
    tmp_path: Path, clock: Clock
):
    for day in days(3):
        put(tmp_path, day)
    result = tick(tmp_path)
    assert requested(result) == ["2025-03-01", "2025-03-02", "2025-03-03"]
    export = LocalExport(str(tmp_path))
    versions = {str(day): export.list_day(day).version for day in days(3)}
    assert [request.run_key for request in result.run_requests or []] == [
        f"{day}/{version}" for day, version in versions.items()
    ]
    assert json.loads(result.cursor or "") == versions


def test_a_day_is_requested_an_hour_after_it_ends(tmp_path: Path, clock: Clock):
    put(tmp_path, FIRST)
    for time, expected in (
        ("2025-03-01 12:00", []),
        ("2025-03-02 00:59:59", []),
        ("2025-03-02 01:00", ["2025-03-01"]),
    ):
        clock(time)
        assert requested(tick(tmp_path)) == expected


def test_a_day_that_was_not_over_is_requested_later(tmp_path: Path, clock: Clock):
    put(tmp_path, FIRST)
    clock("2025-03-01 12:00")
    cursor = tick(tmp_path).cursor
    clock("2025-03-02 12:00")
    assert requested(tick(tmp_path, cursor)) == ["2025-03-01"]


def test_a_day_is_requested_again_when_its_files_change_and_only_then(tmp_path: Path, clock: Clock):
    for day in days(2):
        put(tmp_path, day)
    first = tick(tmp_path)
    again = tick(tmp_path, first.cursor)
    assert requested(again) == []
    assert again.cursor == first.cursor
    put(tmp_path, FIRST, content="{}\n{}\n")
    grown = tick(tmp_path, again.cursor)
    assert requested(grown) == ["2025-03-01"]
    put(tmp_path, FIRST, "PT05M_1.json")
    late = tick(tmp_path, grown.cursor)
    assert requested(late) == ["2025-03-01"]
    results = (first, grown, late)
    keys = [run.run_key for it in results for run in it.run_requests or []]
    assert len(set(keys)) == len(keys) == 4
    assert requested(tick(tmp_path, late.cursor)) == []


def test_a_day_whose_files_come_and_go_is_requested_each_time(tmp_path: Path, clock: Clock):
    put(tmp_path, FIRST)
    cursor, keys = None, []
    for turn in range(6):
        late = put(tmp_path, FIRST, "late.json")
        if turn % 2 == 0:
            late.unlink()
        # The cursor of a failed tick is not kept: the same days are requested with the same keys.
        failed, result = tick(tmp_path, cursor), tick(tmp_path, cursor)
        (key,) = (run.run_key for run in result.run_requests or [])
        assert [run.run_key for run in failed.run_requests or []] == [key]
        keys.append(key)
        cursor = result.cursor
    assert len(set(keys)) == 6
    assert len(cursor or "") < 100


def test_a_day_is_requested_when_the_files_of_any_log_change(tmp_path: Path, clock: Clock):
    ours, theirs = tmp_path / "am-signinlogs", tmp_path / "am-adfssigninlogs"
    put(ours, FIRST)
    put(theirs, days(2)[1])
    cursor = tick(ours).cursor
    logs = ["SigninLogs", "ADFSSignInLogs"]
    # Days that were requested of SigninLogs are not requested again for a log without their files.
    joined = tick(ours, cursor, logs=logs)
    assert requested(joined) == ["2025-03-02"]
    put(theirs, FIRST)
    grown = tick(ours, joined.cursor, logs=logs)
    assert requested(grown) == ["2025-03-01"]
    put(ours, days(2)[1])
    grown = tick(ours, grown.cursor, logs=logs)
    assert requested(grown) == ["2025-03-02"]
    assert requested(tick(ours, grown.cursor, logs=logs)) == []


def test_only_the_newest_days_are_looked_at_and_kept(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    looked_at = []
    list_day = LocalExport.list_day
    monkeypatch.setattr(
        LocalExport, "list_day", lambda self, day: looked_at.append(day) or list_day(self, day)
    )
    old, new = days(WATCHED_DAYS + 3), days(WATCHED_DAYS + 4)
    for day in old:
        put(tmp_path, day)
    first = tick(tmp_path)
    assert requested(first) == [str(day) for day in old[3:]]
    assert looked_at == old[3:]
    put(tmp_path, new[-1])
    second = tick(tmp_path, first.cursor)
    assert requested(second) == [str(new[-1])]
    assert list(json.loads(second.cursor or "")) == [str(day) for day in new[4:]]


def test_folders_of_days_to_come_keep_no_day_from_being_looked_at(tmp_path: Path, clock: Clock):
    """A wrong clock at the source makes such folders, and they stay the newest for a long time."""
    put(tmp_path, FIRST)
    for day in days(WATCHED_DAYS + 1, date(2090, 1, 1)):
        put(tmp_path, day)
    assert requested(tick(tmp_path)) == [str(FIRST)]


def test_days_before_the_first_partition_and_empty_days_are_passed_over(
    tmp_path: Path, clock: Clock
):
    put(tmp_path, FIRST - timedelta(days=1))
    put(tmp_path, FIRST)
    put(tmp_path, FIRST + timedelta(days=1)).unlink()
    assert requested(tick(tmp_path)) == ["2025-03-01"]


def test_a_source_that_is_not_there_is_a_reason_to_skip(tmp_path: Path, clock: Clock):
    result = tick(tmp_path / "missing", '{"2025-03-01": "abc"}')
    assert isinstance(result.skip_reason, dg.SkipReason)
    assert "is not a folder" in (result.skip_reason.skip_message or "")
    # There is no new cursor, so earlier requests are still known when the source is back.
    assert (requested(result), result.cursor) == ([], None)
