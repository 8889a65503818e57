"""One small tenant on disk for all tests that read files."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from lowslow_assets.sample_tenant import PRESETS, Summary, Tenant, generate

SMALL = Tenant(
    seed=11,
    days=14,
    users=150,
    signins_per_day=300,
    campaigns=(PRESETS["classic"], replace(PRESETS["mimic"], first_day=4, last_day=9)),
    missing_days=(6,),
    schema="mixed",
    duplicates=0.1,
    late_files=0.1,
)


@dataclass(frozen=True)
class Generated:
    tenant: Tenant
    source: Path
    labels: Path
    summary: Summary


def make(tenant: Tenant, folder: Path) -> Generated:
    source, labels = folder / "source", folder / "truth" / "labels.csv"
    return Generated(tenant, source, labels, generate(tenant, source, labels))


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Generated:
    return make(SMALL, tmp_path_factory.mktemp("small"))
