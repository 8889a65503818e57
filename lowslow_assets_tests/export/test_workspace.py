"""The URL of a workspace's export, and values that are refused."""

import pytest

from lowslow_assets.export.workspace import main
from lowslow_assets.platform.azure import locate

ARGUMENTS = {
    "--account": "soclogs",
    "--subscription": "AAAA0A0A-bb1b-cc2c-dd3d-eeeeee4e4e4e",
    "--resource-group": "RG-Security(EU)",
    "--workspace": "Soc-Workspace",
}


def arguments(**changed: str) -> list[str]:
    named = ARGUMENTS | {f"--{name.replace('_', '-')}": value for name, value in changed.items()}
    return [part for pair in named.items() for part in pair]


def test_the_url_has_the_workspace_in_lower_case(capsys: pytest.CaptureFixture[str]):
    main(arguments())
    found = locate(capsys.readouterr().out.strip())
    assert found.account_url == "https://soclogs.blob.core.windows.net"
    assert found.container == "am-signinlogs"
    assert found.path == (
        "WorkspaceResourceId=/subscriptions/aaaa0a0a-bb1b-cc2c-dd3d-eeeeee4e4e4e/resourcegroups/"
        "rg-security(eu)/providers/microsoft.operationalinsights/workspaces/soc-workspace"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"account": "Soc.Logs"},
        {"subscription": "production"},
        {"resource_group": "a/b"},
        {"workspace": "a?b"},
        {"table": "Signin Logs"},
    ],
)
def test_an_invalid_name_is_reported(changed: dict[str, str], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        main(arguments(**changed))
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.endswith(f"{next(iter(changed)).replace('_', ' ')}.")
