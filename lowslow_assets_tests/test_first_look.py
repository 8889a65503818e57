"""A first look at files: its report, its files, and its messages about unusable files."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lowslow_assets import first_look
from lowslow_assets.first_look import Found
from lowslow_assets.sample_tenant import PRESETS, Tenant
from lowslow_assets.sample_tenant.facts import facts_of
from lowslow_assets.sample_tenant.schemas import diagnostic
from lowslow_assets.sample_tenant.traffic import draw
from lowslow_assets_tests.signins.test_forms import comma_separated, graph, portal

TENANT = Tenant(
    seed=7,
    days=25,
    users=200,
    signins_per_day=300,
    campaigns=(PRESETS["classic"],),
    confusers=False,
)
LAST = TENANT.day(TENANT.days - 1)


def look(folder: Path, *given: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lowslow_assets.first_look", *given],
        cwd=folder,
        env={**os.environ, "DAGSTER_HOME": ""},
        capture_output=True,
        text=True,
        check=False,
    )


def test_downloads_of_the_portal_are_hunted_in(tmp_path: Path):
    records = [json.loads(diagnostic(fact)) for fact in facts_of(*draw(TENANT))]
    half = len(records) // 2
    downloads = tmp_path / "Down loads"
    downloads.mkdir()
    (downloads / "signins.json").write_text(json.dumps([graph(each) for each in records[:half]]))
    later = comma_separated([portal(each) for each in records[half:]])
    (downloads / "signins.csv").write_text(later, "utf-8-sig")
    (downloads / "audit.json").write_text('{"time":"2026-05-03T00:00:00Z","category":"AuditLogs"}')
    ran = look(tmp_path, "Down loads")
    assert not ran.returncode, ran.stderr
    assert "Read 3 file(s)" in ran.stdout
    assert f"{len(records):,} sign-ins from {TENANT.start} to {LAST}" in ran.stdout
    assert "1 rejected: a record of AuditLogs, not a sign-in" in ran.stdout
    assert f"Found as of {LAST}: 1 campaign(s)" in ran.stdout
    assert f"{TENANT.days} days are few" in ran.stdout
    page = ran.stdout.partition("Pages     ")[2].partition(": for a browser")[0]
    assert "password spray" in Path(page).read_text()


@pytest.fixture
def refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """The sentence with which a look in the test's folder ends; it does not come to a hunt."""
    monkeypatch.chdir(tmp_path)

    def look(given: str) -> str:
        monkeypatch.setattr("sys.argv", ["first_look", given])
        with pytest.raises(SystemExit) as ended:
            first_look.main()
        return str(ended.value)

    return look


def test_what_cannot_be_hunted_in_is_said_in_a_sentence(
    tmp_path: Path, refused: Callable[[str], str], capsys: pytest.CaptureFixture[str]
):
    (tmp_path / "empty.json").write_text("")
    (tmp_path / "other.json").write_text('{"error": {"code": 1}}\n')
    (tmp_path / "nothing").mkdir()
    for given, said in (
        ("missing.json", "missing.json does not exist."),
        ("nothing", "There is no file to read."),
        ("empty.json", "There is nothing to hunt in."),
    ):
        assert refused(given) == said
    assert "rejected" not in capsys.readouterr().out
    ran = look(tmp_path, "other.json")
    assert (ran.returncode, ran.stderr) == (1, "There is nothing to hunt in.\n")
    assert "1 rejected: an error message, not a sign-in" in ran.stdout


def counts(**changes: Any) -> dict[str, Any]:
    names = ("signins", "successes", "failures", "users", "addresses", "networks")
    return dict.fromkeys(names, 1_000) | changes


def test_days_far_from_most_are_left_out():
    first = date(2026, 6, 1)
    found = Found(
        {
            date(2001, 1, 1): counts(signins=1),
            first: counts(),
            first + timedelta(days=3): counts(networks=0, addresses=100),
        },
        Counter({"not a JSON object": 1_234, **{f"reason {n}": n for n in range(1, 7)}}),
        today=5,
    )
    assert found.days == [first + timedelta(days=n) for n in range(4)]
    assert found.sentences() == [
        "2,000 sign-ins from 2026-06-01 to 2026-06-04: 2,000 successes, 2,000 with a wrong or "
        "expired password",
        "1 of other days, far from most, are left out",
        "5 of a day that is not over (UTC) are left out",
        "1,234 rejected: not a JSON object",
        *(f"{n} rejected: reason {n}" for n in (6, 5, 4, 3)),
        "and more for 2 other reasons",
    ]
    assert [said.split(":")[0] for said in found.shortcomings()] == ["4 days are few"]
    blind = Found({first: counts(successes=0, networks=0, addresses=0)}, Counter(), 0)
    assert len(blind.shortcomings()) == 4
    assert not Found({}, Counter(), 0).days
    long = {first - timedelta(days=n): counts() for n in range(300)}
    assert len(Found(long, Counter(), 0).days) == 240


def test_todays_signins_wait_until_the_day_is_over(
    tmp_path: Path, refused: Callable[[str], str], capsys: pytest.CaptureFixture[str]
):
    now = datetime.now(UTC).isoformat()
    row = {"Id": "1", "TimeGenerated": now, "UserPrincipalName": "a", "ResultType": "0"}
    (tmp_path / "today.json").write_text(json.dumps(row))
    assert refused("today.json") == "There is nothing to hunt in."
    assert "1 of a day that is not over (UTC) are left out" in capsys.readouterr().out
