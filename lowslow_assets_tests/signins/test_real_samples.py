"""Real sign-ins in both shapes; LOWSLOW_REAL_SAMPLES names the folder that holds them."""

import os
import shutil
from datetime import date
from pathlib import Path

import pytest

from lowslow_assets.engines.base import Engine, Relation
from lowslow_assets.export.folders import LocalExport
from lowslow_assets.signins.features import encode_features
from lowslow_assets.signins.ingest import PARSED_INPUTS, deduplicate, parse_inputs, signins_of
from lowslow_assets.signins.outcomes import codes_by_outcome

SAMPLES = os.environ.get("LOWSLOW_REAL_SAMPLES", "")
DAY = date(2020, 5, 20)

pytestmark = pytest.mark.skipif(
    not SAMPLES, reason="LOWSLOW_REAL_SAMPLES does not name a folder with real sign-ins"
)


def parsed(engine: Engine, name: str, root: Path) -> Relation:
    target = root / "y=2020/m=05/d=20/h=00/m=00/PT05M.json"
    target.parent.mkdir(parents=True)
    shutil.copy(Path(SAMPLES, name), target)
    export = LocalExport(str(root))
    files = export.inputs([export.list_day(DAY)])
    return engine.from_files(files, parse_inputs, export.open_files, PARSED_INPUTS)


def test_both_shapes_of_real_sign_ins_give_the_same_rows(engine: Engine, tmp_path: Path):
    rows, encoded = [], []
    for shape in ("objects", "strings"):
        found = parsed(engine, f"signins_{shape}.jsonl", tmp_path / shape)
        assert not any(row["reason"] for row in found.rows())
        signins = deduplicate(signins_of(found))
        features = encode_features(signins, **codes_by_outcome())
        for made, of_both in ((signins, rows), (features, encoded)):
            of_both.append(sorted(made.rows(), key=lambda row: row["signin_id"]))
    assert rows[0] == rows[1]
    assert encoded[0] == encoded[1]
    assert len(rows[0]) == 45
    assert sum(row["copies"] for row in rows[0]) == 86
    assert sum(row["copies"] > 1 for row in rows[0]) == 41
