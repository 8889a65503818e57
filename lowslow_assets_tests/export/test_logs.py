"""The place of each log, and several logs as one export."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from lowslow_assets.export.folders import LocalExport
from lowslow_assets.export.logs import JoinedExport, root_of
from lowslow_assets.export.source import Export, SourceError
from lowslow_assets.orchestration.resources import SourceResource
from lowslow_assets.settings import LOGS, SERVICE_PRINCIPALS, SIGNIN_LOGS
from lowslow_assets_tests.support.spreading import FOLDER

NON_INTERACTIVE, AD_FS = LOGS[1:3]
DAY = date(2026, 6, 3)
FILE = "y=2026/m=06/d=03/h=00/m=00/PT05M.json"
NESTED = "y=2020/m=01/d=02/nested.json"


@pytest.mark.parametrize(
    ("root", "log", "expected"),
    [
        *(
            (f"abfss://am-signinlogs@soc.dfs.core.windows.net/{FOLDER}", log, expected)
            for log, expected in (
                (SIGNIN_LOGS, f"abfss://am-signinlogs@soc.dfs.core.windows.net/{FOLDER}"),
                (
                    NON_INTERACTIVE,
                    "abfss://am-aadnoninteractiveusersigninlogs@soc.dfs.core.windows.net/" + FOLDER,
                ),
                (AD_FS, f"abfss://am-adfssigninlogs@soc.dfs.core.windows.net/{FOLDER}"),
                (
                    SERVICE_PRINCIPALS,
                    "abfss://am-aadserviceprincipalsigninlogs@soc.dfs.core.windows.net/" + FOLDER,
                ),
            )
        ),
        *(
            (f"/mnt/insights-logs-signinlogs/{rest}", log, f"/mnt/insights-logs-{name}/{rest}")
            for rest in ("", "tenantId=1")
            for log, name in (
                (NON_INTERACTIVE, "noninteractiveusersigninlogs"),
                (AD_FS, "adfssigninlogs"),
                (SERVICE_PRINCIPALS, "serviceprincipalsigninlogs"),
            )
        ),
        ("az://am-signinlogs/x", AD_FS, "az://am-adfssigninlogs/x"),
        (
            "http://127.0.0.1:1/soc/am-signinlogs/x",
            AD_FS,
            "http://127.0.0.1:1/soc/am-adfssigninlogs/x",
        ),
        ("logs/AM-SigninLogs", AD_FS, "logs/am-adfssigninlogs"),
        # The container decides, whatever is in it.
        ("/am-signinlogs/rg/am-signinlogs/x", AD_FS, "/am-adfssigninlogs/rg/am-signinlogs/x"),
    ],
)
def test_the_container_of_another_log_is_named_alike(root: str, log: str, expected: str):
    assert root_of(root, log) == expected


@pytest.mark.parametrize(
    "root",
    [
        *("demo/signins", "/mnt/signinlogs", "/mnt/my-am-signinlogs/x", "/mnt/am-signinlogs-old/x"),
        "abfss://export@am-signinlogs.dfs.core.windows.net/x",
    ],
)
def test_a_root_that_does_not_name_the_log_is_reported(root: str):
    assert root_of(root, SIGNIN_LOGS) == root
    with pytest.raises(SourceError) as caught:
        root_of(root, AD_FS)
    assert str(caught.value) == (
        f"LOWSLOW_LOGS names ADFSSignInLogs, but no part of LOWSLOW_SOURCE {root!r} is "
        "am-signinlogs or insights-logs-signinlogs, from which the name of its container follows."
    )


def put(account: Path, container: str, name: str, content: str = "{}\n") -> None:
    path = account / container / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


@pytest.fixture
def joined(tmp_path: Path) -> Iterator[Export]:
    """Sign-ins of three logs; one has a file that is not read because of its name."""
    put(tmp_path, "am-signinlogs", FILE, "a\n")
    put(tmp_path, "am-signinlogs", "y=2026/m=06/d=01/a.json")
    put(tmp_path, "am-adfssigninlogs", FILE, "b\n")
    put(tmp_path, "am-adfssigninlogs", f"y=2026/m=06/d=03/{NESTED}", "x\n")
    put(tmp_path, "am-adfssigninlogs", "y=2026/m=06/d=05/a.json")
    put(tmp_path, "am-aadnoninteractiveusersigninlogs", "timestamp=2026-06-03T01/a.json", "c\n")
    logs = ["adfssigninlogs", " SigninLogs ", NON_INTERACTIVE, AD_FS]
    with SourceResource(root=str(tmp_path / "am-signinlogs"), logs=logs).open() as export:
        yield export


def test_days_are_those_of_any_log(joined: Export):
    assert list(joined.days()) == [date(2026, 6, 5), DAY, date(2026, 6, 1)]


def test_files_of_other_logs_say_so_and_those_of_signinlogs_are_as_ever(joined: Export):
    files = joined.list_day(DAY)
    nested = f"ADFSSignInLogs/y=2026/m=06/d=03/{NESTED}"
    assert [file.name for file in files.files] == [
        f"AADNonInteractiveUserSignInLogs/{'timestamp=2026-06-03T01/a.json'}",
        f"ADFSSignInLogs/{FILE}",
        nested,
        FILE,
    ]
    assert files.total_bytes == 8
    assert [name for name, _ in files.refused] == [nested]
    inputs = joined.inputs([files])
    assert joined.open_files
    opened = [(file.day, file.name, content.read()) for file, content in joined.open_files(inputs)]
    assert sorted(opened) == [
        (DAY, "AADNonInteractiveUserSignInLogs/timestamp=2026-06-03T01/a.json", b"c\n"),
        (DAY, f"ADFSSignInLogs/{FILE}", b"b\n"),
        (DAY, FILE, b"a\n"),
    ]


def test_a_day_that_no_log_has_is_empty(joined: Export):
    files = joined.list_day(date(2026, 6, 4))
    assert (files.files, files.refused) == ((), [])
    assert joined.inputs([files]) == []


def test_the_source_is_opened_as_ever_by_default(tmp_path: Path):
    put(tmp_path, "export", FILE)
    assert type(SourceResource(root=str(tmp_path / "export")).open()) is LocalExport


def test_each_export_is_left_even_if_another_fails():
    left = []

    class Leaving(LocalExport):
        def __exit__(self, *_: object) -> None:
            left.append(self.root.name)
            raise OSError(self.root.name)

    with (
        pytest.raises(OSError, match="a"),
        JoinedExport({SIGNIN_LOGS: Leaving("a"), AD_FS: Leaving("b")}),
    ):
        pass
    assert sorted(left) == ["a", "b"]
