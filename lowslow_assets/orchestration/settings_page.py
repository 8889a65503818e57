"""The page docs/settings.md, made from the fields of the resources.

``python -m lowslow_assets.orchestration.settings_page > docs/settings.md``
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import dagster as dg

from lowslow_assets.orchestration.definitions import build_defs
from lowslow_assets.settings import Settings, read_start_date

_TITLES = {
    "source": "The sign-ins that are read",
    "lake": "The lake",
    "parameters": "The hunt",
    "engine": "The engine",
    "enrichment": "Look-ups of a campaign's addresses",
    "sinks": "Where incidents are sent",
    "notifier": "Messages about failed runs",
}
_MORE = {
    "source": "[azure.md](azure.md) and [input.md](input.md) say more.",
    "lake": "[azure.md](azure.md#the-lake) says more.",
    "parameters": "[tuning.md](tuning.md) says more about known sources and of thresholds, whose "
    "variable has `name=number` with commas.",
    "engine": "[engines.md](engines.md) says more.",
    "enrichment": "[enrichment.md](enrichment.md) says more.",
    "sinks": "[sinks.md](sinks.md) says more.",
    "notifier": 'The sensor `failed_runs` posts `{"text": ...}` to the web hook.',
}

ENVIRONMENT_ONLY = (
    ("LOWSLOW_START_DATE", str(read_start_date({})), "The first day that has a partition (UTC)."),
    (
        "LOWSLOW_KEY_VAULT",
        "",
        "An Azure Key Vault, for secrets that are not in the environment.",
    ),
    (
        "LOWSLOW_NOTIFY_URL",
        "",
        "Address of the web hook for failed runs (Teams, Slack, Mattermost).",
    ),
    ("LOWSLOW_TI_<NAME>_KEY", "", "Key of the threat-intelligence provider of that name."),
    ("LOWSLOW_TI_XFORCE_ID", "", "The id that belongs to the key of XForce."),
    (
        "LOWSLOW_GRAPH_TOKEN",
        "",
        "A token for Microsoft Graph, if no identity has the permission.",
    ),
    ("LOWSLOW_CODE_HOST", "", "In a deployment: the host of the code server."),
    ("AZURE_STORAGE_ACCOUNT", "", "The account of a lake that is named as `az://container/path`."),
    ("AZURE_STORAGE_KEY", "", "Key of the storage account."),
    ("AZURE_STORAGE_SAS_TOKEN", "", "Token for the storage account, if there is no key."),
    ("AZURE_CLIENT_ID", "", "Which managed identity to use, if the machine has several."),
    (
        "AZURE_TOKEN_CREDENTIALS",
        "",
        "`prod` if runs are unattended, so that no login waits for a person.",
    ),
    ("DAGSTER_HOME", "", "The folder of Dagster's records and of its `dagster.yaml`."),
    ("XDG_CACHE_HOME", "~/.cache", "Copies of a lake in Azure Storage, and answers of providers."),
    ("TMPDIR", "/tmp", "Copies of an export in Azure Storage while it is read."),
)
"""Variables that are read from the environment only: secrets, and what other programs define."""


def fields() -> Iterator[tuple[str, str, str, Any, str]]:
    """Resource, field, variable (empty if none), default and description of each setting."""
    for resource, value in (build_defs(Settings()).resources or {}).items():
        assert isinstance(value, dg.ConfigurableResource)
        for name, field in type(value).model_fields.items():
            if isinstance(getattr(value, name), dg.ConfigurableResource | None):
                continue  # another resource
            extra = field.json_schema_extra
            variable = extra.get("variable", "") if isinstance(extra, dict) else ""
            yield resource, name, str(variable), getattr(value, name), field.description or ""


def to_markdown() -> str:
    """All settings as the page ``docs/settings.md``."""
    parts = [
        "# Settings",
        "Every setting is an environment variable, a field of a resource in Dagster's launchpad, "
        "or both. A variable sets the field's default when the definitions are loaded; the field "
        "changes it for one run. A variable that is empty counts as unset. Lists are separated by "
        "commas. A value that cannot be used fails the start, in one sentence that names the "
        "variable.",
        "This page is made from the code: "
        "`python -m lowslow_assets.orchestration.settings_page > docs/settings.md`.",
    ]
    for resource, title in _TITLES.items():
        rows = [
            (_setting(variable, f"{resource}.{name}"), _code(default), description)
            for of, name, variable, default, description in fields()
            if of == resource
        ]
        columns = ("variable, and field in the launchpad", "default", "what it is")
        parts += [f"## {title}", *filter(None, [_MORE.get(resource)]), _table(columns, rows)]
    rows = [(_code(name), _code(default), text) for name, default, text in ENVIRONMENT_ONLY]
    parts += [
        "## From the environment only",
        "Secrets are never fields of a resource, because Dagster shows a run's configuration. The "
        "variables that do not begin with `LOWSLOW_` are defined by Azure, Dagster and the "
        "operating system; [azure.md](azure.md#the-lake) says in which order credentials are "
        "tried.",
        _table(("variable", "default", "what it is"), rows),
    ]
    return "\n\n".join(parts) + "\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _setting(variable: str, field: str) -> str:
    """Both in one cell, so that the table is narrow enough to read."""
    return "<br>".join(map(_code, filter(None, [variable, field])))


def _code(value: Any) -> str:
    """A value in the form that a variable has; a dash for an empty one."""
    if isinstance(value, bool):
        value = str(value).lower()
    if isinstance(value, list | dict):
        value = ",".join(value)
    return f"`{value}`" if value != "" else "–"


if __name__ == "__main__":
    print(to_markdown(), end="")
