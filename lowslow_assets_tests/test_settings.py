"""The environment: defaults, and one sentence for what cannot be used."""

import re
from dataclasses import asdict, fields
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from lowslow_assets.orchestration.definitions import build_defs
from lowslow_assets.orchestration.resources import (
    EngineResource,
    EnrichmentResource,
    HuntParameters,
    SourceResource,
)
from lowslow_assets.platform.spark import LOCAL_SPARK
from lowslow_assets.settings import (
    DEMO_LAKE,
    DEMO_SOURCE,
    ENGINES,
    PRESETS,
    READS,
    EngineSettings,
    EnrichmentSettings,
    Settings,
    SettingsError,
    SinkSettings,
    Thresholds,
    read_settings,
    read_spark_settings,
    read_start_date,
)
from lowslow_assets.signins.outcomes import codes_by_outcome

NAMES: tuple[str, ...] = (
    "LOWSLOW_SOURCE",
    "LOWSLOW_LAKE",
    "LOWSLOW_LOOKBACK_DAYS",
    "LOWSLOW_PRESET",
    "LOWSLOW_READ",
    "LOWSLOW_LOGS",
    "LOWSLOW_RESULT_CODES",
    "LOWSLOW_KNOWN_SOURCES",
    "LOWSLOW_THRESHOLDS",
    "LOWSLOW_SPARK_CONF",
    "LOWSLOW_ENGINE",
    "LOWSLOW_MEMORY",
    "LOWSLOW_THREADS",
    "LOWSLOW_SPILL",
)


@pytest.mark.parametrize("value", [None, "", "  "])
def test_what_is_unset_or_empty_has_its_default(value: str | None):
    environment = {} if value is None else dict.fromkeys(NAMES, value)
    expected = Settings(DEMO_SOURCE, DEMO_LAKE, 240, "campaigns", EngineSettings("duckdb"))
    assert read_settings(environment) == expected
    assert read_start_date(environment) == date(2025, 1, 1)


def test_what_is_set_is_taken(tmp_path: Path):
    conf = tmp_path / "spark.conf"
    conf.touch()
    values = (" /data/My export ", "/lake", " 30", " notebook ", "native")
    logs = " adfssigninlogs,SigninLogs, ADFSSignInLogs ,"
    expected = Settings(
        *("/data/My export", "/lake", 30, "notebook"),
        read="native",
        logs=("ADFSSignInLogs", "SigninLogs"),
        result_codes={"411": "failure", "50053": "other"},
        known_sources="/data/known.toml",
        thresholds=Thresholds(min_accounts=8, max_p_value=1e-4),
        engine=EngineSettings("spark", "1.5 GB", 3, "/scratch", str(conf)),
    )
    values += (
        logs,
        " 411=failure, 50053 = other ,",
        " /data/known.toml ",
        " min_accounts = 8, max_p_value=1e-4,",
        f" {conf} ",
        " spark",
        " 1.5 GB ",
        " 3",
        " /scratch ",
    )
    assert read_settings(dict(zip(NAMES, values, strict=True))) == expected


def test_what_to_look_up_is_taken():
    environment = {
        "LOWSLOW_INDICATORS": "/data/ours.csv",
        "LOWSLOW_TI_PROVIDERS": " OTX, GreyNoise,,",
        "LOWSLOW_TI_OTX_KEY": "a key",
        "LOWSLOW_GEO_DATABASE": "iptocc",
        "LOWSLOW_WHOIS": "5",
        "LOWSLOW_ADDRESSES_PER_CAMPAIGN": "100",
    }
    found = read_settings(environment)
    assert found.enrichment == EnrichmentSettings(
        "/data/ours.csv", ["OTX", "GreyNoise"], "iptocc", 5, 100
    )
    assert "a key" not in repr(found)
    assert EnrichmentResource(**asdict(found.enrichment)).is_on


def test_nothing_is_looked_up_by_default():
    assert not EnrichmentResource(**asdict(read_settings({}).enrichment)).is_on


def test_the_process_environment_is_read_by_default(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOWSLOW_LOOKBACK_DAYS", "7")
    assert read_settings().lookback_days == 7


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("LOWSLOW_LOOKBACK_DAYS", bad) for bad in ("0", "-1", "x", "1.5", "+5", "1e3", "٣")),
        *(("LOWSLOW_WHOIS", bad) for bad in ("-1", "x", "1.5", "26")),
        *(("LOWSLOW_ADDRESSES_PER_CAMPAIGN", bad) for bad in ("0", "x", "1001")),
        *(("LOWSLOW_START_DATE", bad) for bad in ("x", "2026-02-30", "02.05.2026", "2026-5-2")),
        *(("LOWSLOW_MEMORY", bad) for bad in ("4", "GB", "-1GB", "4GB; DROP", "80%")),
        *(("LOWSLOW_THREADS", bad) for bad in ("-1", "x", "1.5", "1025")),
    ],
)
def test_a_bad_value_is_said_in_one_sentence_that_names_the_variable(name: str, value: str):
    read = read_start_date if name == "LOWSLOW_START_DATE" else read_settings
    with pytest.raises(SettingsError) as caught:
        read({name: value})
    assert re.fullmatch(
        rf"{name} must be a [^\n]+, not {re.escape(repr(value))}\.", str(caught.value)
    )


@pytest.mark.parametrize("bad", ["Notebook", "other", "x" * 1_000])
def test_a_preset_that_does_not_exist_is_refused_with_those_that_do(bad: str):
    with pytest.raises(SettingsError) as caught:
        read_settings({"LOWSLOW_PRESET": bad})
    assert str(caught.value) == (f"LOWSLOW_PRESET must be campaigns or notebook, not {bad[:20]!r}.")


def test_an_engine_that_does_not_exist_is_refused_with_those_that_do():
    with pytest.raises(SettingsError) as caught:
        read_settings({"LOWSLOW_ENGINE": "DuckDB"})
    assert str(caught.value) == "LOWSLOW_ENGINE must be duckdb or spark, not 'DuckDB'."
    for name in ENGINES:
        assert EngineResource.of(read_settings({"LOWSLOW_ENGINE": name}).engine).name == name


def test_an_unknown_way_to_read_is_refused():
    with pytest.raises(SettingsError) as caught:
        read_settings({"LOWSLOW_READ": "spark"})
    assert str(caught.value) == "LOWSLOW_READ must be staged, executors or native, not 'spark'."
    for read in READS:
        assert (
            SourceResource(root="x", read=read).read == read_settings({"LOWSLOW_READ": read}).read
        )


@pytest.mark.parametrize(
    ("value", "bad"),
    [
        ("AuditLogs", "AuditLogs"),
        ("SigninLogs;ADFSSignInLogs", "SigninLogs;ADFSSignInLogs"),
        (",", ""),
    ],
)
def test_an_unknown_log_is_refused_with_those_that_exist(value: str, bad: str):
    with pytest.raises(SettingsError) as caught:
        read_settings({"LOWSLOW_LOGS": value})
    assert str(caught.value) == (
        "LOWSLOW_LOGS must name SigninLogs, AADNonInteractiveUserSignInLogs, ADFSSignInLogs or "
        f"AADServicePrincipalSignInLogs, not {bad!r}."
    )
    with pytest.raises(SettingsError, match="LOWSLOW_LOGS must name"):
        SourceResource(root="x", logs=value.split(",")).open()


def test_codes_that_are_named_are_added_or_moved():
    named = read_settings({"LOWSLOW_RESULT_CODES": "411=failure,50053=other,50076=refused"})
    source = build_defs(named).resources["source"]  # pyright: ignore[reportOptionalSubscript]
    found, table = source.codes, codes_by_outcome()
    assert found["failure"] == sorted([*table["failure"], "411"])
    assert set(table["stopped"]) - set(found["stopped"]) == {"50076"}
    assert {*found["refused"]} ^ {*table["refused"]} == {"50053", "50076"}


@pytest.mark.parametrize(
    "bad", ["50126", "411:failure", "wrong=failure", "-1=other", "٣=other", "411=wrong", "0=other"]
)
def test_an_invalid_code_is_refused(bad: str):
    with pytest.raises(SettingsError, match="LOWSLOW_RESULT_CODES must be codes with failure"):
        read_settings({"LOWSLOW_RESULT_CODES": bad})
    code, _, outcome = bad.partition("=")
    with pytest.raises(SettingsError, match="LOWSLOW_RESULT_CODES must be codes with failure"):
        _ = SourceResource(root="x", result_codes={code: outcome}).codes


def test_the_setting_of_before_is_refused_with_what_replaces_it():
    with pytest.raises(SettingsError, match="LOWSLOW_RESULT_CODES=411=failure adds a code"):
        read_settings({"LOWSLOW_FAILURE_RESULT_TYPES": "50126"})


THRESHOLDS = [(each.name, each.metadata) for each in fields(Thresholds)]


@pytest.mark.parametrize(("name", "limits"), THRESHOLDS)
def test_a_threshold_is_a_setting_and_a_field_within_its_limits(name: str, limits):
    for value in (limits["least"], limits["most"]):
        set_so = read_settings({"LOWSLOW_THRESHOLDS": f"{name}={value}"})
        assert getattr(set_so.thresholds, name) == value
        parameters = build_defs(set_so).resources["parameters"]  # pyright: ignore[reportOptionalSubscript]
        assert parameters.settings.thresholds == set_so.thresholds
    for value in (0, limits["most"] + 1):
        with pytest.raises(SettingsError, match=f"The threshold {name} must be from "):
            read_settings({"LOWSLOW_THRESHOLDS": f"{name}={value}"})
        wrong: dict[str, Any] = {name: value}
        with pytest.raises(ValueError, match=name):
            HuntParameters(**wrong)
    documented = Path("docs/tuning.md").read_text()
    assert f"`{name}`" in documented


@pytest.mark.parametrize("bad", ["min_accounts", "min_accounts=few", "accounts=8", "=", "8"])
def test_an_invalid_threshold_is_refused(bad: str):
    with pytest.raises(SettingsError, match="LOWSLOW_THRESHOLDS must be min_accounts, "):
        read_settings({"LOWSLOW_THRESHOLDS": bad})
    with pytest.raises(SettingsError, match=r"max_p_value must be from 1e-12 to 0\.05, not nan"):
        read_settings({"LOWSLOW_THRESHOLDS": "max_p_value=nan"})


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_that_can_be_set_is_one_that_a_hunt_takes(preset: str):
    assert HuntParameters(preset=preset).preset == read_settings({"LOWSLOW_PRESET": preset}).preset


def test_a_hunt_takes_no_other_preset():
    with pytest.raises(ValueError, match="preset"):
        HuntParameters(preset="other")


SENTINEL = {
    "LOWSLOW_SINKS": "sentinel",
    "LOWSLOW_SENTINEL_SUBSCRIPTION": "id",
    "LOWSLOW_SENTINEL_RESOURCE_GROUP": "group",
    "LOWSLOW_SENTINEL_WORKSPACE": "soc",
}
LOG_ANALYTICS = {
    "LOWSLOW_SINKS": "log_analytics",
    "LOWSLOW_INGESTION_ENDPOINT": "https://soc.ingest.example",
    "LOWSLOW_INGESTION_RULE": "dcr-0123",
}


def test_sinks_are_off_and_on_as_named():
    assert read_settings({}).sinks == SinkSettings()
    both = {"LOWSLOW_SINKS": " log_analytics, sentinel,sentinel ", "LOWSLOW_DRY_RUN": "True"}
    assert read_settings(SENTINEL | LOG_ANALYTICS | both).sinks == SinkSettings(
        names=("log_analytics", "sentinel"),
        dry_run=True,
        subscription="id",
        resource_group="group",
        workspace="soc",
        ingestion_endpoint="https://soc.ingest.example",
        ingestion_rule="dcr-0123",
        ingestion_stream="Custom-LowslowIncidents_CL",
    )


@pytest.mark.parametrize("complete", [SENTINEL, LOG_ANALYTICS])
def test_a_sink_is_not_switched_on_by_halves(complete: dict[str, str]):
    for name in complete.keys() - {"LOWSLOW_SINKS"}:
        with pytest.raises(SettingsError, match=f"^{name} must be set for LOWSLOW_SINKS="):
            read_settings({key: value for key, value in complete.items() if key != name})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOWSLOW_SINKS", "local,other"),
        ("LOWSLOW_DRY_RUN", "yes please"),
        ("LOWSLOW_INGESTION_ENDPOINT", "http://soc.ingest.example"),
    ],
)
def test_settings_of_sinks_that_cannot_be_used(name: str, value: str):
    with pytest.raises(SettingsError, match=f"^{name} must "):
        read_settings({name: value})


def test_spark_settings_are_read_as_spark_reads_them(tmp_path: Path):
    conf = tmp_path / "spark-defaults.conf"
    conf.write_text(
        "# a cluster\n\nspark.master   spark://host:7077\n"
        "spark.executor.memory=4g\n  spark.app.name\tlow and slow\n"
        "spark.executor.extraJavaOptions -Da=b -Dc=d\n"
    )
    assert read_spark_settings(str(conf)) == {
        "spark.master": "spark://host:7077",
        "spark.executor.memory": "4g",
        "spark.app.name": "low and slow",
        "spark.executor.extraJavaOptions": "-Da=b -Dc=d",
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read: "),
        (b"\xff", "cannot be read: "),
        (b"spark.master", "line 1: not a Spark setting"),
        (b"# no\nmaster local", "line 2: not a Spark setting"),
    ],
)
def test_unusable_spark_settings_are_reported_without_their_values(
    tmp_path: Path, content: bytes | None, said: str
):
    conf = tmp_path / "spark.conf"
    if content is not None:
        conf.write_bytes(content)
    with pytest.raises(SettingsError, match="LOWSLOW_SPARK_CONF") as caught:
        read_settings({"LOWSLOW_SPARK_CONF": str(conf)})
    assert said in str(caught.value)
    assert "local" not in str(caught.value)


def test_keys_and_tokens_of_a_connector_are_stars_on_sparks_pages():
    redacted = re.compile(LOCAL_SPARK["spark.redaction.regex"])
    for name in (
        "spark.hadoop.fs.azure.account.key.account.dfs.core.windows.net",
        "spark.hadoop.fs.azure.sas.fixed.token.logs.account.dfs.core.windows.net",
        "spark.hadoop.fs.azure.sas.logs.account.blob.core.windows.net",
        "spark.hadoop.fs.azure.account.oauth2.client.secret.account.dfs.core.windows.net",
        "spark.executorEnv.AZURE_STORAGE_KEY",
        "spark.executorEnv.AZURE_STORAGE_SAS_TOKEN",
    ):
        assert redacted.search(name), name
    assert not redacted.search("spark.sql.shuffle.partitions")
