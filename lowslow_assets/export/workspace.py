"""The URL to which a Log Analytics workspace exports a table, from values that the portal shows.

``python -m lowslow_assets.export.workspace --help``
"""

import argparse
import re

_NAMES = {
    "account": r"[a-z0-9]{3,24}",
    "subscription": r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}",
    "resource_group": r"[\w().-]{1,90}",
    "workspace": r"[A-Za-z0-9-]{4,63}",
    "table": r"\w{1,60}",
}


def export_url(
    account: str, subscription: str, resource_group: str, workspace: str, table: str = "SigninLogs"
) -> str:
    """The value of LOWSLOW_SOURCE for an export rule of the workspace to the storage account.

    The export writes the workspace's id in lower case, however the portal writes it. Raises
    ValueError, in one sentence, for a value that cannot be such a name.
    """
    for name, text in locals().copy().items():
        if not re.fullmatch(_NAMES[name], text):
            raise ValueError(f"{text[:100]!r} cannot be a {name.replace('_', ' ')}.")
    workspace_id = (
        f"/subscriptions/{subscription}/resourcegroups/{resource_group}"
        f"/providers/microsoft.operationalinsights/workspaces/{workspace}"
    )
    container = f"am-{table}".lower()
    host = f"{account}.dfs.core.windows.net"
    return f"abfss://{container}@{host}/WorkspaceResourceId={workspace_id.lower()}"


def main(arguments: list[str] | None = None) -> None:
    """Print the URL."""
    parser = argparse.ArgumentParser(
        prog="python -m lowslow_assets.export.workspace",
        description="Print what LOWSLOW_SOURCE is for the export of a Log Analytics workspace.",
    )
    parser.add_argument("--account", required=True, help="the storage account's name")
    parser.add_argument("--subscription", required=True, help="the workspace's subscription id")
    parser.add_argument("--resource-group", required=True, help="the workspace's resource group")
    parser.add_argument("--workspace", required=True, help="the workspace's name")
    parser.add_argument("--table", default="SigninLogs", help="the exported table")
    try:
        print(export_url(**vars(parser.parse_args(arguments))))
    except ValueError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
