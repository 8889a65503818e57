"""A campaign whose attempts end in every way, beside honest prompts: from export to page."""

import json
import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from lowslow_assets.engines.base import Engine
from lowslow_assets_tests.orchestration.conftest import Project
from lowslow_assets_tests.support.notebook_parity import compare

START = date(2026, 5, 4)  # a Monday
DAYS = [START + timedelta(days=n) for n in range(14)]
LAST = DAYS[-1]
PEOPLE = 60
STOPPED = {3: "50076", 8: "53003", 13: "50055", 18: "50074"}
"""Accounts, by number, with the code that stopped a right password."""
ENTERED = 18
"""Compromised in the end."""
INVENTED = ("adm1n", "helpdesk", "svc-backup")
_OFFICE = {"Location": "NO", "LocationDetails": {"city": "Oslo", "state": "Oslo"}}
_DEVICE = {"browser": "Edge 125.0", "operatingSystem": "Windows 10"}


def address_of(number: int) -> str:
    return f"20.{number // 250}.{number % 250}.7"


def signin(
    id: str, day: date, hour: float, user: str, result: str, address: str, **values: Any
) -> dict[str, Any]:
    at = datetime.combine(day, time(), UTC) + timedelta(hours=hour)
    return {
        "Id": id,
        "TimeGenerated": at.isoformat(),
        "UserPrincipalName": f"{user}@example.com",
        "ResultType": result,
        "IPAddress": address,
        "AppDisplayName": "Office 365",
        "ClientAppUsed": "Browser",
        "DeviceDetail": _DEVICE,
        **_OFFICE,
        **values,
    }


def honest(day: date) -> list[dict[str, Any]]:
    """Each signs in from home, where nearly all are asked for a second factor first."""
    rows = []
    for n in range(PEOPLE):
        user, home = f"u{n}", f"10.7.{n}.7"
        hour = 7 + n % 9 + n / 100
        rows.append(signin(f"{day} in {n}", day, hour, user, "0", home))
        if n % 6:
            rows.append(signin(f"{day} prompt {n}", day, hour - 0.01, user, "50074", home))
        elif day.day % 2:
            # Not answered: away from home, but in town.
            place = address_of(4_000 + day.day * PEOPLE + n)
            rows.append(signin(f"{day} given up {n}", day, 20, user, "50076", place))
        if n == day.day % 7:
            rows.append(signin(f"{day} typo {n}", day, hour - 0.02, user, "50126", home))
    return rows


def spray(number: int, day: date) -> list[dict[str, Any]]:
    """Seven attempts per day, each from another place, on another account."""
    rows = []
    for n in range(7):
        attempt = 7 * number + n
        user, code = f"u{attempt * 5 % PEOPLE}", "50126"
        if n == 0 and number % 2 == 0:
            user, code = INVENTED[number // 2 % len(INVENTED)], "50034"
        elif n == 1 and number % 5 == 0:
            code = "50053"
        elif number == 6 and n < len(STOPPED) + 1 and n:
            chosen = sorted(STOPPED)[n - 1]
            user, code = f"u{chosen}", STOPPED[chosen]
        rows.append(_of_spray(f"spray {attempt}", day, 1 + 3.1 * n + number / 50, user, code))
    return rows


def _of_spray(id: str, day: date, hour: float, user: str, code: str) -> dict[str, Any]:
    number = int(id.split()[-1])
    return signin(
        id,
        day,
        hour,
        user,
        code,
        address_of(number),
        Location=f"C{number % 40}",
        LocationDetails={"city": f"city {number}", "state": f"state {number}"},
        DeviceDetail={"browser": f"Tool {number}.0", "operatingSystem": f"Odd {number}"},
        AppDisplayName="Azure CLI",
    )


@pytest.fixture(scope="module")
def project(duckdb_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Project:
    root = tmp_path_factory.mktemp("outcomes")
    for number, day in enumerate(DAYS):
        rows = honest(day) + spray(number, day)
        if number == 9:
            # Requests for a second factor were sent until one was accepted.
            rows.append(_of_spray("entry 900", day, 3.3, f"u{ENTERED}", "0"))
        folder = root / "signins" / f"y={day.year}" / f"m={day.month:02}" / f"d={day.day:02}"
        folder.mkdir(parents=True)
        (folder / "PT05M.json").write_text("".join(json.dumps(row) + "\n" for row in rows))
    project = Project(root / "signins", root / "lake", lookback_days=14, engine=duckdb_engine)
    project.run("ingest_range", DAYS)
    project.run("hunt_as_of_day", [LAST])
    return project


def test_attempts_of_every_outcome_are_one_campaign(project: Project) -> None:
    [incident] = project.table("enriched_incidents", LAST).to_pylist()
    members = project.table("incident_members", LAST).to_pylist()
    attempts = {row["signin_id"]: row for row in members if row["outcome"] != "success"}
    assert attempts.keys() == {f"spray {n}" for n in range(7 * len(DAYS))}
    assert {row["outcome"] for row in attempts.values()} == {"failure", "stopped", "refused"}
    assert incident["attempts"] == len(attempts)
    assert incident["users"] == PEOPLE - len(set(range(PEOPLE)) - tried(attempts))
    assert incident["invented_names"] == len(INVENTED)


def tried(attempts: dict[str, dict[str, Any]]) -> set[int]:
    names = {row["user"].partition("@")[0] for row in attempts.values()}
    return {int(name[1:]) for name in names if name[1:].isdigit()}


def test_accounts_are_in_three_tiers(project: Project) -> None:
    [incident] = project.table("enriched_incidents", LAST).to_pylist()
    assert incident["compromised_users"] == [f"u{ENTERED}@example.com"]
    known = {row["user"]: row for row in incident["known_passwords"]}
    expected = {f"u{n}@example.com": code for n, code in STOPPED.items() if n != ENTERED}
    assert {user: row["result_type"] for user, row in known.items()} == expected
    assert known["u3@example.com"]["stopped_by"] == "a request for a second factor"
    assert {row["first_stopped"].date() for row in known.values()} == {DAYS[6]}
    assert incident["new_known_passwords"] == [row["user"] for row in incident["known_passwords"]]
    assert "1 possibly compromised, passwords of 3 more known" in incident["title"]
    assert "Reset these first." in incident["description"]


def test_the_page_says_which_to_reset_first(project: Project) -> None:
    folder = project.lake / "case_pages" / f"date={LAST}"
    [page] = [path.read_text() for path in folder.iterdir() if path.name != "index.html"]
    section = page[page.index("Passwords known: reset these first") :].partition("</section>")[0]
    assert all(f"u{n}@example.com" in section for n in STOPPED if n != ENTERED)
    assert f"u{ENTERED}@example.com" not in section
    assert "Conditional Access" in section
    assert "Reset first:" in (folder / "index.html").read_text()


def test_honest_prompts_are_no_suspects_and_no_typos(project: Project) -> None:
    suspects = project.table("suspect_failures", LAST)["signin_id"].to_pylist()
    assert all(id.startswith("spray") for id in suspects)
    groups = project.table("explained_failures", LAST).to_pylist()
    totals = {row["explanation"]: row["failures"] for row in groups if row["example"] is None}
    days = [day for day in DAYS if day.day % 2]
    assert totals == {
        "resolved": len(DAYS),
        "interrupted": len(DAYS) * sum(bool(n % 6) for n in range(PEOPLE)),
        "own place": len(days) * sum(not n % 6 for n in range(PEOPLE)),
    }
    counts = project.table("category_counts", DAYS[1]).to_pylist()
    of_apps = {r["category"]: r["failures"] for r in counts if r["feature"] == "AppDisplayName"}
    wrong = [row["ResultType"] for row in spray(1, DAYS[1])].count("50126")
    assert of_apps == {"Office 365": 1, "Azure CLI": wrong}


def test_rules_look_for_every_code_of_an_attempt(project: Project) -> None:
    rules = project.table("hunting_rules", LAST).to_pylist()
    [attempts] = [row for row in rules if row["outcome"] == "failure"]
    assert attempts["attempts"] == attempts["attempts_hit"] == 7 * len(DAYS)
    assert all(f'"{code}"' in attempts["kql"] for code in ("50126", "50053", *STOPPED.values()))


def test_the_notebook_keeps_its_two_codes(project: Project, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    shutil.copytree(project.lake, lake)
    notebook = replace(project, lake=lake, preset="notebook")
    notebook.run("hunt_as_of_day", [LAST])
    patterns = notebook.table("mask_patterns", LAST)["failures"].to_pylist()
    signins = [row for n, day in enumerate(DAYS) for row in honest(day) + spray(n, day)]
    assert sum(patterns) == sum(row["ResultType"] in ("50126", "50055") for row in signins)
    report = compare(lake, LAST, len(DAYS))
    assert (report.failures, report.pattern_differences) == (sum(patterns), 0)
    assert report.category_differences == report.mask_differences == 0
