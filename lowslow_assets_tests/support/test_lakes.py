"""Two lakes, each with one partition of a table and one of documents."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lowslow_assets.lake.tables import CLUSTER_STATISTICS
from lowslow_assets_tests.support.lakes import compare

DAY = "date=2026-06-30"
TABLE, DOCUMENTS = f"{CLUSTER_STATISTICS.name}/{DAY}", f"incident_documents/{DAY}"


def lake(folder: Path, rows: list[dict[str, Any]], text: str = "spray") -> Path:
    """A lake of these rows and a document."""
    for name in (TABLE, DOCUMENTS):
        (folder / name).mkdir(parents=True)
    schema = CLUSTER_STATISTICS.schema
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / TABLE / "part.parquet")
    (folder / TABLE / "_provenance.json").write_text(folder.name)
    (folder / DOCUMENTS / "one.json").write_text(text)
    return folder


def differences(one: Path, other: Path) -> dict[str, str | None]:
    """How the partitions differ."""
    return dict(compare(one, other))


def test_the_same_rows_in_another_order_are_equal(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [{"cluster_id": 1, "users": 2}, {"cluster_id": 0}]
    one, other = lake(tmp_path / "one", rows), lake(tmp_path / "other", rows[::-1])
    assert differences(one, other) == {TABLE: None, DOCUMENTS: None}


@pytest.mark.parametrize(("value", "same"), [(0.1 + 1e-12, True), (0.1 + 1e-8, False)])
def test_fractions_may_differ_in_their_last_digits(
    tmp_path: Path, value: float, same: bool
) -> None:
    lakes = [
        lake(tmp_path / name, [{"cluster_id": 1, "attempts_per_day": number}])
        for name, number in (("one", 0.1), ("other", value))
    ]
    difference = differences(*lakes)[TABLE]
    assert (difference is None) == same
    assert same or difference == f"attempts_per_day: 0.1 and {value!r}"


def test_what_differs_is_named(tmp_path: Path) -> None:
    one = lake(tmp_path / "one", [{"cluster_id": 1, "users": 2}, {"cluster_id": 2}])
    other = lake(tmp_path / "other", [{"cluster_id": 1, "users": 3}, {"cluster_id": 2}], "typo")
    fewer = lake(tmp_path / "fewer", [{"cluster_id": 1, "users": 2}])
    assert differences(one, other) == {TABLE: "users: 2 and 3", DOCUMENTS: "documents differ"}
    assert differences(one, fewer)[TABLE] == "2 rows and 1"


def test_a_partition_that_one_lacks_differs(tmp_path: Path) -> None:
    one, other = lake(tmp_path / "one", []), lake(tmp_path / "other", [])
    (other / TABLE).rename(tmp_path / "elsewhere")
    assert differences(one, other) == {TABLE: "only one has it", DOCUMENTS: None}


def test_no_documents_are_the_same_with_and_without_a_folder(tmp_path: Path) -> None:
    one, other = lake(tmp_path / "one", []), lake(tmp_path / "other", [])
    (other / DOCUMENTS / "one.json").unlink()
    (other / DOCUMENTS).rmdir()
    assert differences(one, other)[DOCUMENTS] == "documents differ"
    (one / DOCUMENTS / "one.json").unlink()
    assert differences(one, other)[DOCUMENTS] is None
