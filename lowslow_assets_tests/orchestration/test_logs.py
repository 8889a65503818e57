"""Several sign-in logs: the same sign-ins make the same tables, in whichever log they are."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import dagster as dg
import pytest

from lowslow_assets.settings import SIGNIN_LOGS, Settings
from lowslow_assets_tests.orchestration.conftest import DAYS, INGEST, Project
from lowslow_assets_tests.orchestration.test_repeatability import assert_same
from lowslow_assets_tests.support.spreading import root_in, spread

LOG = "AADNonInteractiveUserSignInLogs"
SOME = DAYS[3:5]


@dataclass(frozen=True)
class OfLogs(Project):
    """A project that reads these logs."""

    logs: tuple[str, ...] = (SIGNIN_LOGS, LOG)

    @property
    def settings(self) -> Settings:
        """The settings as the environment would give them."""
        return replace(super().settings, logs=self.logs)


@pytest.fixture(scope="module")
def account(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small tenant's sign-ins of some days, about half of them in the other log."""
    account = tmp_path_factory.mktemp("account")
    for day in SOME:
        spread(source, account, LOG, f"{day:y=%Y/m=%m/d=%d}/**/*")
    return account


def rejected(project: Project) -> list[tuple[str, str, str]]:
    """The rejects, in any order, by file without its log."""
    rows = [row for day in SOME for row in project.table("rejected_signins", day).to_pylist()]
    return sorted((row["file"].removeprefix(f"{LOG}/"), row["reason"], row["line"]) for row in rows)


def test_sign_ins_spread_over_two_logs_make_the_tables_of_one(
    project: Project, account: Path, tmp_path: Path
):
    ours = OfLogs(root_in(account, SIGNIN_LOGS), tmp_path / "lake")
    ours.run("ingest_range", SOME)
    assert_same(project, ours, INGEST - {"rejected_signins"}, SOME)
    assert rejected(ours) == rejected(project)


def test_a_bad_line_says_in_which_log_it_is(account: Path, tmp_path: Path):
    copied = shutil.copytree(account, tmp_path / "account")
    [day] = SOME[:1]
    [first, *_] = sorted(root_in(copied, LOG).glob(f"{day:y=%Y/m=%m/d=%d}/**/*.json"))
    first.write_text("no JSON, of the other log\n")
    name = f"{LOG}/{first.relative_to(root_in(copied, LOG)).as_posix()}"
    for logs in ((SIGNIN_LOGS, LOG), (LOG,)):
        project = OfLogs(root_in(copied, SIGNIN_LOGS), tmp_path / "lake", logs=logs)
        project.run("ingest_range", [day])
        rows = project.table("rejected_signins", day).to_pylist()
        [row] = [row for row in rows if row["line"] == "no JSON, of the other log"]
        assert (row["file"], row["reason"]) == (name, "not a JSON object")
    # The last run read only the other log.
    assert all(row["file"].startswith(f"{LOG}/") for row in rows)


@pytest.mark.parametrize(
    ("root", "logs", "words"),
    [
        ("am-signinlogs", (SIGNIN_LOGS, "ADFSSignInLogs"), "am-adfssigninlogs"),
        ("am-signinlogs", ("ADFSSignInLogs",), "am-adfssigninlogs"),
        ("export", (SIGNIN_LOGS, LOG), "am-signinlogs or insights-logs-signinlogs"),
    ],
)
def test_a_log_that_is_not_there_fails_the_run_in_one_sentence(
    tmp_path: Path, root: str, logs: Sequence[str], words: str
):
    day = tmp_path / root / f"{SOME[0]:y=%Y/m=%m/d=%d}"
    day.mkdir(parents=True)
    project = OfLogs(tmp_path / root, tmp_path / "lake", logs=tuple(logs))
    with pytest.raises(dg.Failure) as caught:
        project.run("ingest_range", SOME[:1])
    said = str(caught.value.description)
    assert said.startswith(f"LOWSLOW_LOGS names {logs[-1]}, but ")
    assert words in said
    assert "\n" not in said
