"""The settings page agrees with the code, and each variable sets the field that names it."""

import re
from pathlib import Path

import pytest

from lowslow_assets.orchestration.definitions import build_defs
from lowslow_assets.orchestration.settings_page import ENVIRONMENT_ONLY, fields, to_markdown
from lowslow_assets.settings import Settings, read_settings

ROOT = Path(__file__).parents[2]
VARIABLES: dict[str, set[tuple[str, str]]] = {}
for resource, name, variable, _, _ in fields():
    if variable:
        VARIABLES.setdefault(variable, set()).add((resource, name))
THRESHOLDS = "min_accounts=8,max_attempts_per_account=9,min_active_days=3,max_p_value=1e-6"
OTHER_VALUES = {
    "LOWSLOW_SOURCE": "/data/export",
    "LOWSLOW_READ": "executors",
    "LOWSLOW_LOGS": "ADFSSignInLogs",
    "LOWSLOW_RESULT_CODES": "411=failure",
    "LOWSLOW_LAKE": "/data/lake",
    "LOWSLOW_LOOKBACK_DAYS": "30",
    "LOWSLOW_PRESET": "notebook",
    "LOWSLOW_KNOWN_SOURCES": "/data/known.toml",
    "LOWSLOW_THRESHOLDS": f"{THRESHOLDS},noise_a_day=2",
    "LOWSLOW_ENGINE": "spark",
    "LOWSLOW_MEMORY": "4GB",
    "LOWSLOW_THREADS": "2",
    "LOWSLOW_SPILL": "/scratch",
    "LOWSLOW_SPARK_CONF": "/dev/null",
    "LOWSLOW_INDICATORS": "/data/ours.csv",
    "LOWSLOW_TI_PROVIDERS": "OTX",
    "LOWSLOW_GEO_DATABASE": "iptocc",
    "LOWSLOW_WHOIS": "5",
    "LOWSLOW_ADDRESSES_PER_CAMPAIGN": "10",
    "LOWSLOW_SINKS": "sentinel",
    "LOWSLOW_DRY_RUN": "true",
    "LOWSLOW_SENTINEL_SUBSCRIPTION": "00000000-0000-0000-0000-000000000000",
    "LOWSLOW_SENTINEL_RESOURCE_GROUP": "rg-security",
    "LOWSLOW_SENTINEL_WORKSPACE": "soc",
    "LOWSLOW_INGESTION_ENDPOINT": "https://example.ingest.monitor.azure.com",
    "LOWSLOW_INGESTION_RULE": "dcr-1",
    "LOWSLOW_INGESTION_STREAM": "Custom-Other_CL",
}
SENTINEL = {name: value for name, value in OTHER_VALUES.items() if "SENTINEL" in name}


def values_of(settings: Settings) -> dict[tuple[str, str], object]:
    resources = build_defs(settings).resources or {}
    return {(resource, name): getattr(resources[resource], name) for resource, name, *_ in fields()}


def test_the_page_is_up_to_date():
    assert (ROOT / "docs" / "settings.md").read_text() == to_markdown()


def test_every_field_says_what_it_is():
    assert all(description for *_, description in fields())


@pytest.mark.parametrize("variable", VARIABLES)
def test_a_variable_sets_the_fields_that_name_it_and_no_other(variable: str):
    environment = SENTINEL if variable == "LOWSLOW_SINKS" else {}
    before = values_of(read_settings(environment))
    after = values_of(read_settings({**environment, variable: OTHER_VALUES[variable]}))
    changed = {field for field, value in after.items() if value != before[field]}
    assert changed == VARIABLES[variable]


def test_every_variable_of_the_code_is_on_the_page():
    text = "".join(path.read_text() for path in (ROOT / "lowslow_assets").rglob("*.py"))
    named = set(re.findall(r"\bLOWSLOW_[A-Z_]*[A-Z]\b", text))
    known = {*VARIABLES, *(name for name, *_ in ENVIRONMENT_ONLY)}
    # A part of a name, an example of LOWSLOW_TI_<NAME>_KEY, and a refused variable.
    parts = {"LOWSLOW_TI", "LOWSLOW_TI_OTX_KEY", "LOWSLOW_FAILURE_RESULT_TYPES"}
    assert named - parts <= known
