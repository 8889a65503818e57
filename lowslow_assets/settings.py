"""The environment variables, read once when the definitions are loaded."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

DEMO_SOURCE = "demo/signins"
DEMO_LAKE = "demo/lake"
MAX_LOOKBACK_DAYS = 3650
CAMPAIGNS, NOTEBOOK = "campaigns", "notebook"
PRESETS = (CAMPAIGNS, NOTEBOOK)
"""How to hunt: our own way, or exactly the public guided-hunting notebook's."""


class SettingsError(Exception):
    """An environment variable has a value that cannot be used."""


@dataclass(frozen=True)
class Settings:
    """What the environment says; the defaults are those of the sample tenant."""

    source: str = DEMO_SOURCE
    lake: str = DEMO_LAKE
    lookback_days: int = 240
    start_date: date = date(2025, 1, 1)
    preset: str = CAMPAIGNS


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read LOWSLOW_SOURCE, _LAKE, _LOOKBACK_DAYS, _START_DATE and _PRESET; an empty one is unset.

    Raises SettingsError with one sentence that names the variable.
    """
    default = Settings()

    def value(name: str, otherwise: object) -> str:
        return environment.get(name, "").strip() or str(otherwise)

    lookback = value("LOWSLOW_LOOKBACK_DAYS", default.lookback_days)
    if not (lookback.isascii() and lookback.isdigit() and 1 <= int(lookback) <= MAX_LOOKBACK_DAYS):
        raise SettingsError(
            "LOWSLOW_LOOKBACK_DAYS must be a whole number of days, from 1 to "
            f"{MAX_LOOKBACK_DAYS}, not {lookback[:20]!r}."
        )
    start = value("LOWSLOW_START_DATE", default.start_date)
    try:
        start_date = date.fromisoformat(start)
    except ValueError as error:
        raise SettingsError(
            f"LOWSLOW_START_DATE must be a date like 2026-05-02, not {start!r}."
        ) from error
    preset = value("LOWSLOW_PRESET", default.preset)
    if preset not in PRESETS:
        raise SettingsError(f"LOWSLOW_PRESET must be {' or '.join(PRESETS)}, not {preset[:20]!r}.")
    return Settings(
        source=value("LOWSLOW_SOURCE", default.source),
        lake=value("LOWSLOW_LAKE", default.lake),
        lookback_days=int(lookback),
        start_date=start_date,
        preset=preset,
    )
