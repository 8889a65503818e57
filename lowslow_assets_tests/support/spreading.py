"""An export in which some sign-ins are moved to another log."""

import json
import zlib
from pathlib import Path

from lowslow_assets.settings import SIGNIN_LOGS

FOLDER = (
    "WorkspaceResourceId=/subscriptions/aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e/resourcegroups/rg"
    "/providers/microsoft.operationalinsights/workspaces/soc"
)


def root_in(account: Path, log: str) -> Path:
    """The folder to which a workspace exports the table."""
    return account / f"am-{log.lower()}" / FOLDER


def spread(export: Path, account: Path, log: str, pattern: str = "*") -> None:
    """Write each line of the export to one of two containers; files that are not text stay whole.

    Copies of a line may be in both containers, as one sign-in may be in two logs.
    """
    roots = [root_in(account, SIGNIN_LOGS), root_in(account, log)]
    for path in filter(Path.is_file, export.rglob(pattern)):
        name, content = path.relative_to(export).as_posix(), path.read_bytes()
        lines = content.splitlines(keepends=True) if path.suffix == ".json" else [content]
        for number, line in enumerate(lines):
            to = zlib.crc32(f"{name} {number}".encode()) % 2
            target = roots[to] / name
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("ab") as file:
                file.write(_of_log(line, log) if to else line)


def _of_log(line: bytes, log: str) -> bytes:
    """A sign-in as the other log has it; any other line stays unchanged, to be recognised."""
    try:
        row = json.loads(line)
        if not (row["Id"] and row["TimeGenerated"] and row["UserPrincipalName"]):
            return line
    except (ValueError, KeyError, TypeError):
        return line
    category = log.removeprefix("AAD")
    return line.replace(b'"Type":"SigninLogs"', f'"Type":"{log}"'.encode()).replace(
        b'"Category":"SignInLogs"', f'"Category":"{category}"'.encode()
    )
