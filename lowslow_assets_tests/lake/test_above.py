"""A lake with another above it: what is below is read, and never changed."""

from datetime import date
from pathlib import Path

from lowslow_assets.engines.base import Engine
from lowslow_assets.lake.lake import Lake
from lowslow_assets.lake.tables import SUCCESS_WEEKDAYS

MONDAY, TUESDAY, WEDNESDAY = (date(2026, 6, day) for day in (1, 2, 3))


def files(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_is_written_hides_what_is_below(duckdb_engine: Engine, tmp_path: Path):
    root, folder = tmp_path / "lake", tmp_path / "above"
    lake = Lake(str(root), duckdb_engine)
    for day, number in ((MONDAY, 1), (TUESDAY, 2)):
        lake.write_rows(SUCCESS_WEEKDAYS, [{"weekday": 1, "successes": number}], day, {"a": 1})
    before = files(root)
    above = lake.below(str(folder))
    for day, number in ((TUESDAY, 20), (WEDNESDAY, 30)):
        above.write_rows(SUCCESS_WEEKDAYS, [{"weekday": 1, "successes": number}], day, {"a": 2})
    documents = above.write_documents("documents", MONDAY, {"a.txt": "a"})

    def successes(of: Lake, *days: date) -> list[int]:
        rows = of.read(SUCCESS_WEEKDAYS, days).rows()
        assert sorted(row["successes"] for row in rows) == sorted(
            row["successes"] for row in of.rows(SUCCESS_WEEKDAYS, days)
        )
        return sorted(row["successes"] for row in rows)

    assert above.days(SUCCESS_WEEKDAYS) == [MONDAY, TUESDAY, WEDNESDAY]
    assert successes(above, MONDAY, TUESDAY, WEDNESDAY) == [1, 20, 30]
    partitions = [above.partition(SUCCESS_WEEKDAYS, day) for day in (MONDAY, TUESDAY)]
    assert [p.made_from for p in partitions if p] == [{"a": 1}, {"a": 2}]
    assert Path(documents).is_relative_to(folder)
    assert above.drop(SUCCESS_WEEKDAYS.name, WEDNESDAY) == [TUESDAY]
    assert successes(above, MONDAY, TUESDAY) == [1, 2]
    assert files(root) == before
    assert lake.days(SUCCESS_WEEKDAYS) == [MONDAY, TUESDAY]
    assert successes(lake, MONDAY, TUESDAY) == [1, 2]
