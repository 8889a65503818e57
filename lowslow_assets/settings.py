"""The environment variables, read once when the definitions are loaded."""

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import date
from pathlib import Path
from typing import Any

DEMO_SOURCE = "demo/signins"
DEMO_LAKE = "demo/lake"
MAX_LOOKBACK_DAYS = 3650
MAX_THREADS = 1024
MAX_WHOIS, MAX_ADDRESSES_PER_CAMPAIGN = 25, 1000
CAMPAIGNS, NOTEBOOK = "campaigns", "notebook"
PRESETS = (CAMPAIGNS, NOTEBOOK)
"""How to hunt: the project's own way, or exactly as the public guided-hunting notebook does."""
DUCKDB, SPARK = "duckdb", "spark"
ENGINES = (DUCKDB, SPARK)
"""The engine that processes the rows: DuckDB within the process, or Spark."""
STAGED, EXECUTORS, NATIVE = "staged", "executors", "native"
READS = (STAGED, EXECUTORS, NATIVE)
"""How an export in Azure Storage is read: from copies on this machine, by each process that parses,
or by Spark's connector."""

SIGNIN_LOGS, SERVICE_PRINCIPALS = "SigninLogs", "AADServicePrincipalSignInLogs"
LOGS = (SIGNIN_LOGS, "AADNonInteractiveUserSignInLogs", "ADFSSignInLogs", SERVICE_PRINCIPALS)
"""The logs that can be hunted in, by their tables in Log Analytics: interactive sign-ins; sign-ins
by a client for a user (password grants among them); those of AD FS; those of service principals."""

OUTCOMES = ("failure", "stopped", "refused", "other")
"""The outcomes that can be set for a result code."""

SENTINEL, LOG_ANALYTICS = "sentinel", "log_analytics"
SINKS = (SENTINEL, LOG_ANALYTICS)
"""Where incidents can be sent."""


class SettingsError(Exception):
    """An environment variable has a value that cannot be used."""


def _threshold(default: float, least: float, most: float, effect: str) -> Any:
    return field(default=default, metadata={"least": least, "most": most, "effect": effect})


@dataclass(frozen=True)
class Thresholds:
    """What a cluster of suspects must show to become an incident; docs/tuning.md describes it.

    In a field's metadata, ``effect`` says what rises and falls with it, and ``least`` and ``most``
    are its bounds. Raises SettingsError if a field is outside of its bounds.
    """

    min_accounts: int = _threshold(
        *(10, 2, 10_000),
        "Accounts that a campaign has tried at least. Lower: sprays on a few chosen accounts are "
        "found too, and so are families and small services with old passwords. Higher: only "
        "broad sprays are left.",
    )
    max_attempts_per_account: float = _threshold(
        *(60.0, 1, 10_000),
        "Attempts on an account in 30 days, on average, at most. Higher: a spray that tries "
        "its accounts often is found too, and so are devices and services that the explanations "
        "leave. Lower: only the most patient sprays are left.",
    )
    min_active_days: int = _threshold(
        *(7, 2, 365),
        "Days with an attempt at least. Fewer are enough if they are spread over weeks: four "
        "sevenths over nearly three times as many days, three sevenths over twice as many from "
        "sources that return. Lower: a campaign is found after fewer days, and so are bursts of a "
        "few days. "
        "Higher: campaigns are found later, and short ones never.",
    )
    max_p_value: float = _threshold(
        *(1e-5, 1e-12, 0.05),
        "How probable it may be at most that strays alone look like this. Higher: weaker and "
        "younger campaigns are found, and more false incidents. Lower: fewer of both.",
    )
    noise_a_day: float = _threshold(
        *(10.0, 0.01, 10_000),
        "Unrelated attempts per day that are assumed to reach the tenant. Lower: slower campaigns "
        "are distinguished from noise by their number; if it is set too low, noise becomes "
        "incidents. Higher: for a tenant that much noise reaches; slow campaigns are found only by "
        "what they repeat.",
    )

    def __post_init__(self) -> None:
        for each in fields(self):
            value, limits = getattr(self, each.name), each.metadata
            if not limits["least"] <= value <= limits["most"]:
                raise SettingsError(
                    f"The threshold {each.name} must be from {limits['least']:g} to "
                    f"{limits['most']:g}, not {value:g}."
                )


def known_thresholds(named: Iterable[str], start: Thresholds | None = None) -> Thresholds:
    """The default thresholds, or those of ``start``, with changes such as ``min_accounts=8``.

    Raises SettingsError.
    """
    kinds = {each.name: type(each.default) for each in fields(Thresholds)}
    found: dict[str, Any] = {}
    for text in filter(None, map(str.strip, named)):
        name, _, value = map(str.strip, text.partition("="))
        try:
            found[name] = kinds[name](value)
        except (KeyError, ValueError):
            raise SettingsError(
                f"LOWSLOW_THRESHOLDS must be {', '.join(kinds)} with numbers, as "
                f"min_accounts=8,max_p_value=1e-6, not {text[:40]!r}."
            ) from None
    return replace(start or Thresholds(), **found)


@dataclass(frozen=True)
class EngineSettings:
    """Which engine, and what it may use; an empty value or 0 means all that the machine has."""

    name: str = DUCKDB
    memory: str = ""
    threads: int = 0
    spill: str = ""
    spark_conf: str = ""


@dataclass(frozen=True)
class EnrichmentSettings:
    """Where a campaign's addresses are looked up; by default, nowhere."""

    indicators: str = ""
    ti_providers: list[str] = field(default_factory=list)
    geo_database: str = ""
    whois: int = 0
    addresses_per_campaign: int = 25


@dataclass(frozen=True)
class SinkSettings:
    """Where incidents are sent; by default, nowhere (docs/sinks.md)."""

    names: tuple[str, ...] = ()
    dry_run: bool = False
    subscription: str = ""
    resource_group: str = ""
    workspace: str = ""
    ingestion_endpoint: str = ""
    ingestion_rule: str = ""
    ingestion_stream: str = "Custom-LowslowIncidents_CL"


@dataclass(frozen=True)
class Settings:
    """The settings of the environment; the defaults are those for the sample tenant."""

    source: str = DEMO_SOURCE
    lake: str = DEMO_LAKE
    lookback_days: int = 240
    preset: str = CAMPAIGNS
    engine: EngineSettings = EngineSettings()
    read: str = STAGED
    logs: tuple[str, ...] = (SIGNIN_LOGS,)
    result_codes: dict[str, str] = field(default_factory=dict)
    known_sources: str = ""
    thresholds: Thresholds = Thresholds()
    enrichment: EnrichmentSettings = field(default_factory=EnrichmentSettings)
    sinks: SinkSettings = SinkSettings()


def read_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read all settings from the environment; an empty variable counts as unset.

    docs/settings.md lists the variables. Raises SettingsError with one sentence that names the
    variable.
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
    preset = value("LOWSLOW_PRESET", default.preset)
    if preset not in PRESETS:
        raise SettingsError(f"LOWSLOW_PRESET must be {' or '.join(PRESETS)}, not {preset[:20]!r}.")
    read = value("LOWSLOW_READ", default.read)
    if read not in READS:
        known = f"{', '.join(READS[:-1])} or {READS[-1]}"
        raise SettingsError(f"LOWSLOW_READ must be {known}, not {read[:20]!r}.")
    logs = known_logs(value("LOWSLOW_LOGS", ",".join(default.logs)).split(","))
    if value("LOWSLOW_FAILURE_RESULT_TYPES", ""):
        raise SettingsError(
            "LOWSLOW_FAILURE_RESULT_TYPES is not read any more: "
            "LOWSLOW_RESULT_CODES=411=failure adds a code to those of docs/outcomes.md."
        )
    return Settings(
        source=value("LOWSLOW_SOURCE", default.source),
        lake=value("LOWSLOW_LAKE", default.lake),
        lookback_days=int(lookback),
        preset=preset,
        engine=_read_engine(value),
        read=read,
        logs=logs,
        result_codes=known_result_codes(value("LOWSLOW_RESULT_CODES", "").split(",")),
        known_sources=value("LOWSLOW_KNOWN_SOURCES", default.known_sources),
        thresholds=known_thresholds(value("LOWSLOW_THRESHOLDS", "").split(",")),
        enrichment=_read_enrichment(value),
        sinks=_read_sinks(environment),
    )


def read_start_date(environment: Mapping[str, str] = os.environ) -> date:
    """LOWSLOW_START_DATE, the day of the first partition. Raises SettingsError."""
    start = environment.get("LOWSLOW_START_DATE", "").strip() or "2025-01-01"
    try:
        return date.fromisoformat(start)
    except ValueError:
        raise SettingsError(
            f"LOWSLOW_START_DATE must be a date like 2026-05-02, not {start!r}."
        ) from None


def _read_engine(value: Callable[[str, object], str]) -> EngineSettings:
    default = EngineSettings()
    name = value("LOWSLOW_ENGINE", default.name)
    if name not in ENGINES:
        raise SettingsError(f"LOWSLOW_ENGINE must be {' or '.join(ENGINES)}, not {name[:20]!r}.")
    memory = value("LOWSLOW_MEMORY", default.memory)
    if memory and not re.fullmatch(r"\d+(\.\d+)?\s?[KMGT]i?B", memory):
        raise SettingsError(f"LOWSLOW_MEMORY must be a size like 4GB, not {memory[:20]!r}.")
    threads = value("LOWSLOW_THREADS", default.threads)
    if not (threads.isascii() and threads.isdigit() and int(threads) <= MAX_THREADS):
        raise SettingsError(
            f"LOWSLOW_THREADS must be a whole number up to {MAX_THREADS}, not {threads[:20]!r}."
        )
    spark_conf = value("LOWSLOW_SPARK_CONF", default.spark_conf)
    read_spark_settings(spark_conf)
    return EngineSettings(
        name=name,
        memory=memory,
        threads=int(threads),
        spill=value("LOWSLOW_SPILL", default.spill),
        spark_conf=spark_conf,
    )


def known_logs(names: Iterable[str]) -> tuple[str, ...]:
    """The logs of these names, spelt as in ``LOGS``, each once. Raises SettingsError."""
    spelt = {log.lower(): log for log in LOGS}
    named = [name.strip() for name in names if name.strip()] or [""]
    for name in named:
        if name.lower() not in spelt:
            known = f"{', '.join(LOGS[:-1])} or {LOGS[-1]}"
            raise SettingsError(f"LOWSLOW_LOGS must name {known}, not {name[:40]!r}.")
    return tuple(dict.fromkeys(spelt[name.lower()] for name in named))


def known_result_codes(named: Iterable[str]) -> dict[str, str]:
    """The outcome of each code, from texts like ``411=failure``. Raises SettingsError."""
    found = {}
    for text in filter(None, map(str.strip, named)):
        code, _, outcome = map(str.strip, text.partition("="))
        # 0 always means a success.
        if not (code.isascii() and code.isdigit() and int(code)) or outcome not in OUTCOMES:
            raise SettingsError(
                "LOWSLOW_RESULT_CODES must be codes with failure, stopped, refused or other, for "
                f"example 411=failure,50053=other, not {text[:40]!r}."
            )
        found[code] = outcome
    return found


def _read_enrichment(value: Callable[[str, object], str]) -> EnrichmentSettings:
    default = EnrichmentSettings()

    def number(name: str, otherwise: int, least: int, most: int) -> int:
        text = value(name, otherwise)
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise SettingsError(
                f"{name} must be a whole number from {least} to {most}, not {text[:20]!r}."
            )
        return int(text)

    names = value("LOWSLOW_TI_PROVIDERS", "").split(",")
    return EnrichmentSettings(
        indicators=value("LOWSLOW_INDICATORS", default.indicators),
        ti_providers=[name.strip() for name in names if name.strip()],
        geo_database=value("LOWSLOW_GEO_DATABASE", default.geo_database),
        whois=number("LOWSLOW_WHOIS", default.whois, 0, MAX_WHOIS),
        addresses_per_campaign=number(
            "LOWSLOW_ADDRESSES_PER_CAMPAIGN",
            default.addresses_per_campaign,
            1,
            MAX_ADDRESSES_PER_CAMPAIGN,
        ),
    )


def _read_sinks(environment: Mapping[str, str]) -> SinkSettings:
    """LOWSLOW_SINKS, LOWSLOW_DRY_RUN, and the variables that the named sinks need."""

    def value(name: str, needed_by: str) -> str:
        found = environment.get(name, "").strip()
        if needed_by in names and not found:
            raise SettingsError(f"{name} must be set for LOWSLOW_SINKS={needed_by}.")
        return found

    asked = environment.get("LOWSLOW_SINKS", "").split(",")
    names = tuple(dict.fromkeys(name.strip() for name in asked if name.strip()))
    for name in names:
        if name not in SINKS:
            raise SettingsError(f"LOWSLOW_SINKS must name {' or '.join(SINKS)}, not {name[:20]!r}.")
    dry_run = environment.get("LOWSLOW_DRY_RUN", "").strip().lower()
    if dry_run not in ("", "0", "1", "false", "true"):
        raise SettingsError(f"LOWSLOW_DRY_RUN must be true or false, not {dry_run[:20]!r}.")
    endpoint = value("LOWSLOW_INGESTION_ENDPOINT", LOG_ANALYTICS)
    if endpoint and not endpoint.startswith("https://"):
        raise SettingsError("LOWSLOW_INGESTION_ENDPOINT must be a URL that begins with https://.")
    stream = environment.get("LOWSLOW_INGESTION_STREAM", "").strip()
    return SinkSettings(
        names=names,
        dry_run=dry_run in ("1", "true"),
        subscription=value("LOWSLOW_SENTINEL_SUBSCRIPTION", SENTINEL),
        resource_group=value("LOWSLOW_SENTINEL_RESOURCE_GROUP", SENTINEL),
        workspace=value("LOWSLOW_SENTINEL_WORKSPACE", SENTINEL),
        ingestion_endpoint=endpoint,
        ingestion_rule=value("LOWSLOW_INGESTION_RULE", LOG_ANALYTICS),
        ingestion_stream=stream or SinkSettings.ingestion_stream,
    )


def read_spark_settings(path: str) -> dict[str, str]:
    """Settings from a file with one name and its value per line, in the form of Spark's own files.

    An empty path gives no settings. Raises SettingsError.
    """
    if not path:
        return {}
    try:
        lines = Path(path).expanduser().read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"LOWSLOW_SPARK_CONF {path!r} cannot be read: {error}.") from None
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
