"""Real sign-ins in both shapes; LOWSLOW_REAL_SAMPLES names the folder that holds them."""

import os
import shutil
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import DataFrame, SparkSession

from lowslow_assets.export.source import Export
from lowslow_assets.signins.features import FAILURE_RESULT_TYPES, encode_features
from lowslow_assets.signins.parsing import deduplicate, parse_lines

SAMPLES = os.environ.get("LOWSLOW_REAL_SAMPLES", "")
DAY = date(2020, 5, 20)

pytestmark = pytest.mark.skipif(
    not SAMPLES, reason="LOWSLOW_REAL_SAMPLES does not name a folder with real sign-ins"
)


def parsed(spark: SparkSession, name: str, root: Path) -> DataFrame:
    target = root / "y=2020/m=05/d=20/h=00/m=00/PT05M.json"
    target.parent.mkdir(parents=True)
    shutil.copy(Path(SAMPLES, name), target)
    export = Export(str(root))
    files = export.list_day(DAY)
    return parse_lines(export.read_lines(spark, [files], export.unreadable([files])))


def test_both_shapes_of_real_sign_ins_give_the_same_rows(spark: SparkSession, tmp_path: Path):
    rows, encoded = [], []
    for shape in ("objects", "strings"):
        frame = parsed(spark, f"signins_{shape}.jsonl", tmp_path / shape).cache()
        assert frame.where("reason IS NOT NULL").collect() == []
        signins = deduplicate(frame.drop("file", "reason", "line"))
        rows.append(signins.orderBy("signin_id").collect())
        features = encode_features(signins, FAILURE_RESULT_TYPES).orderBy("signin_id")
        encoded.append(features.collect())
        frame.unpersist()
    assert rows[0] == rows[1]
    assert encoded[0] == encoded[1]
    assert len(rows[0]) == 45
    assert sum(row["copies"] for row in rows[0]) == 86
    assert sum(row["copies"] > 1 for row in rows[0]) == 41
