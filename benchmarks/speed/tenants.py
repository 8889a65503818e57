"""The data: one generated tenant per rate. Every window consists of its last days."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from benchmarks.speed.layout import day_folders
from lowslow_assets.sample_tenant import Tenant, generate

LAST_DAY = date(2026, 6, 30)
_SAMPLE = Tenant()


@dataclass(frozen=True)
class Data:
    """The export of a tenant."""

    export: Path
    last: date = LAST_DAY

    def first(self, days: int) -> date:
        """The first day of the window of ``days`` days."""
        return self.last - timedelta(days=days - 1)

    def json_bytes(self, days: int) -> int:
        """The size of the window's files in bytes."""
        folders = day_folders(self.export, self.first(days), self.last)
        return sum(path.stat().st_size for folder in folders for path in folder.rglob("*.json"))


def make(out: Path, rate: int, days: int) -> Data:
    """Make the tenant with ``rate`` sign-ins per day if it does not exist; see `Tenant`.

    Sprays and confusers are those of the sample tenant; the number of users is in proportion.
    """
    folder = out / "tenants" / f"{rate}x{days}"
    tenant = Tenant(
        start=LAST_DAY - timedelta(days=days - 1),
        days=days,
        users=max(round(rate * _SAMPLE.users / _SAMPLE.signins_per_day), 1),
        signins_per_day=rate,
    )
    generate(tenant, folder / "signins", folder / "labels" / "labels.csv")
    return Data(folder / "signins")
