"""One sign-in as a row of numbers: the form in which the whole tenant is drawn.

Text is made only when a day is written, so a million sign-ins need about 60 MB of memory. Users,
devices, places and so on are indices into their tables.
"""

import numpy as np
import numpy.typing as npt

from lowslow_assets.sample_tenant.streams import guids, mix

SIGNIN = np.dtype(
    [
        ("time", "i8"),  # TimeGenerated, milliseconds since 1970 UTC
        ("key", "u8"),  # the row's own random bits: its Id and its irregularities follow from it
        ("address", "u8"),  # see `networks`
        ("user", "i4"),
        ("device", "i4"),
        ("place", "i4"),
        ("asn", "i4"),
        ("result", "i4"),
        ("app", "i2"),
        ("client", "i2"),
        ("label", "i2"),  # index into LABELS
        ("campaign", "i2"),  # 1 + index into the tenant's campaigns; 0 for none
    ]
)
Rows = npt.NDArray[np.void]

LABELS: tuple[str, ...] = (
    "ordinary",
    "typo",
    "spray_failure",
    "spray_success",
    "stale_device",
    "connector",
    "burst",
    "password_expiry",
    "new_office",
    "travel",
    "vpn",
    "internet_noise",
    "spray_stopped",
)

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
"""Milliseconds."""


def label(name: str) -> int:
    """The number that stands for a label in a row."""
    return LABELS.index(name)


def blank(count: int, rng: np.random.Generator, name: str = "ordinary") -> Rows:
    """New rows with new keys and a label; all other columns are zero."""
    rows = np.zeros(count, dtype=SIGNIN)
    rows["label"] = label(name)
    return rekeyed(rows, rng)


def rekeyed(rows: Rows, rng: np.random.Generator) -> Rows:
    """The same rows as new sign-ins (copies with fresh keys, hence fresh ids)."""
    rows = rows.copy()
    rows["key"] = rng.integers(0, 2**64, len(rows), dtype=np.uint64)
    return rows


def ids(rows: Rows) -> list[str]:
    """The `Id` of each row, as GUID text."""
    return guids(mix(rows["key"], "id"), mix(rows["key"], "id, second half"))
