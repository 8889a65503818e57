"""The data: one made-up tenant per rate, of which every window is the last days."""

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
        """The first day of the window of so many days."""
        return self.last - timedelta(days=days - 1)

    def json_bytes(self, days: int) -> int:
        """What the window's files hold."""
        folders = day_folders(self.export, self.first(days), self.last)
        return sum(path.stat().st_size for folder in folders for path in folder.rglob("*.json"))


def make(out: Path, rate: int, days: int) -> Data:
    """The tenant of so many sign-ins a day, unless it is there; see `Tenant` for what is in it.

    Sprays and confusers are the sample tenant's, and its users as many in proportion.
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
