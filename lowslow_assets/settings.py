"""The environment variables, read once when the definitions are loaded."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

DEMO_SOURCE = "demo/signins"
DEMO_LAKE = "demo/lake"
MAX_LOOKBACK_DAYS = 3650
CAMPAIGNS, NOTEBOOK = "campaigns", "notebook"
PRESETS = (CAMPAIGNS, NOTEBOOK)
"""How to hunt: our own way, or exactly the public guided-hunting notebook's."""
STAGED, EXECUTORS, NATIVE = "staged", "executors", "native"
READS = (STAGED, EXECUTORS, NATIVE)
"""How Spark gets an export that is in Azure Storage: from copies on this machine, by Python in
its executors, or by a connector of its own."""


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
    spark_conf: str = ""
    read: str = STAGED


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read LOWSLOW_SOURCE, _LAKE, _LOOKBACK_DAYS, _START_DATE, _PRESET, _READ and _SPARK_CONF.

    An empty one is unset. The last names a file of Spark's settings, as spark-defaults.conf.
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
    read = value("LOWSLOW_READ", default.read)
    if read not in READS:
        known = f"{', '.join(READS[:-1])} or {READS[-1]}"
        raise SettingsError(f"LOWSLOW_READ must be {known}, not {read[:20]!r}.")
    spark_conf = value("LOWSLOW_SPARK_CONF", default.spark_conf)
    read_spark_settings(spark_conf)
    return Settings(
        source=value("LOWSLOW_SOURCE", default.source),
        lake=value("LOWSLOW_LAKE", default.lake),
        lookback_days=int(lookback),
        start_date=start_date,
        preset=preset,
        spark_conf=spark_conf,
        read=read,
    )


def read_spark_settings(path: str) -> dict[str, str]:
    """Settings from a file with a name and its value a line, as Spark's own files have them.

    No path, no settings. Raises SettingsError.
    """
    if not path:
        return {}
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"LOWSLOW_SPARK_CONF {path!r} cannot be read: {error}.") from error
    settings = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, value = re.sub(r"\s*[=\s]\s*", "=", line.strip(), count=1).partition("=")
        if not (name.startswith("spark.") and value):
            raise SettingsError(
                f"LOWSLOW_SPARK_CONF {path!r}, line {number}: not a Spark setting and its value."
            )
        settings[name] = value
    return settings
