"""A campaign's own tool: of most of its attempts, anomalous, named, and of hardly any success."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lowslow_assets.detection.gathering import tools_of_campaigns
from lowslow_assets.engines.base import Engine
from lowslow_assets.engines.schemas import schema
from lowslow_assets.lake.tables import CATEGORY_COUNTS, FEATURES, NODATA
from lowslow_assets_tests.support.relations import relation

START = datetime(2026, 6, 1, 8, tzinfo=UTC)
MEMBERS = schema(
    "cluster_id int, time_generated timestamp, AppDisplayName string, browser string, "
    "operatingSystem string, agent string, mask int"
)
BROWSER, SYSTEM, AGENT, APPLICATION = (
    1 << FEATURES.index(feature)
    for feature in ("browser", "operatingSystem", "agent", "AppDisplayName")
)
EVERYTHING = (1 << len(FEATURES)) - 1


def attempts(
    number: int,
    browser: str | None = "curl",
    system: str | None = "Linux",
    *,
    application: str = "Outlook",
    agent: str = NODATA,
    cluster: int = 0,
    mask: int = BROWSER,
    since: int = 0,
) -> list[dict[str, Any]]:
    """So many attempts of a campaign, one per hour."""
    return [
        {
            "cluster_id": cluster,
            "time_generated": START + timedelta(hours=since + hour),
            "AppDisplayName": application,
            "browser": browser,
            "operatingSystem": system,
            "agent": agent,
            "mask": mask,
        }
        for hour in range(number)
    ]


def by_password_grant(
    number: int, application: str = "Azure CLI", mask: int = APPLICATION, agent: str = NODATA
) -> list[dict[str, Any]]:
    """So many attempts that name no device."""
    return attempts(number, NODATA, NODATA, application=application, mask=mask, agent=agent)


def with_axios(number: int, mask: int = AGENT) -> list[dict[str, Any]]:
    """So many attempts that name no device, but a user agent."""
    return by_password_grant(number, mask=mask, agent="axios")


def successes(category: str | None, number: int | None, feature: str = "browser") -> dict[str, Any]:
    """A row of the window's counts."""
    return {"feature": feature, "category": category, "successes": number, "failures": 1_000}


def of_cli(number: int, failures: int) -> dict[str, Any]:
    """The window's counts of the application."""
    return successes("Azure CLI", number, "AppDisplayName") | {"failures": failures}


def of_axios(number: int, failures: int) -> dict[str, Any]:
    """The window's counts of the user agent's product."""
    return successes("axios", number, "agent") | {"failures": failures}


def tools(
    engine: Engine, members: Iterable[dict[str, Any]], *counts: dict[str, Any]
) -> dict[int, tuple[str, str]]:
    """Browser and operating system by campaign."""
    rows = tools_of_campaigns(
        relation(engine, MEMBERS, members), relation(engine, CATEGORY_COUNTS.schema, counts)
    ).rows()
    found = {row["cluster_id"]: (row["browser"], row["operatingSystem"]) for row in rows}
    assert len(found) == len(rows), "a campaign has two tools"
    return found


def silent_tools(
    engine: Engine, members: Iterable[dict[str, Any]], counts: Iterable[dict[str, Any]]
) -> list[tuple]:
    """The tools with all that distinguishes one without a device."""
    rows = tools_of_campaigns(
        relation(engine, MEMBERS, members), relation(engine, CATEGORY_COUNTS.schema, counts)
    ).rows()
    names = ("browser", "operatingSystem", "agent", "application", "is_device")
    return [tuple(row[name] for name in names) for row in rows]


def test_a_tool_is_the_campaigns_from_its_first_attempt_to_its_last(engine: Engine) -> None:
    members = [
        # With another tool, and thus not the first attempt with the tool but of the campaign.
        *attempts(1, "wget", since=-5),
        *attempts(3),
        *attempts(1, "wget", since=9),
        *attempts(4, "Tor", cluster=1, since=2),
    ]
    found = tools_of_campaigns(
        relation(engine, MEMBERS, members), relation(engine, CATEGORY_COUNTS.schema)
    ).rows()
    assert sorted(tuple(row.values()) for row in found) == [
        (cluster, browser, "Linux", NODATA, None, True, START + begins, START + ends)
        for cluster, browser, begins, ends in (
            (0, "curl", timedelta(hours=-5), timedelta(hours=9)),
            (1, "Tor", timedelta(hours=2), timedelta(hours=5)),
        )
    ]


@pytest.mark.parametrize(
    ("others", "own"),
    [
        ([], True),
        # With another browser, with another system, and not anomalous: two of five, or half.
        (attempts(2, "wget"), True),
        (attempts(3, "wget"), False),
        (attempts(2, system="BSD"), True),
        (attempts(3, system="BSD"), False),
        (attempts(2, mask=0), True),
        (attempts(3, mask=0), False),
        # What is anomalous by its system is the same tool.
        (attempts(2, mask=SYSTEM) + attempts(4, "wget"), True),
        (attempts(2, mask=SYSTEM) + attempts(5, "wget"), False),
        # What is anomalous in all but browser and system is not an anomalous tool.
        (attempts(3, mask=EVERYTHING - BROWSER - SYSTEM - AGENT), False),
    ],
)
def test_more_than_half_of_the_attempts_show_the_tool_and_are_anomalous(
    engine: Engine, others: list[dict[str, Any]], own: bool
) -> None:
    found = tools(engine, [*attempts(3), *others])
    assert found == ({0: ("curl", "Linux")} if own else {})


@pytest.mark.parametrize(
    ("counts", "own"),
    [
        ([], True),
        ([successes("curl", 0)], True),
        # Five attempts for each success are just enough.
        ([successes("curl", 2)], True),
        ([successes("curl", 3)], False),
        ([successes("wget", 3)], True),
        ([successes("Linux", 3), successes("curl", 3, "operatingSystem")], True),
    ],
)
def test_a_browser_with_many_successes_is_no_tool(
    engine: Engine, counts: list[dict[str, Any]], own: bool
) -> None:
    # Five of the attempts do not count, because they are made with something else.
    found = tools(engine, [*attempts(10), *attempts(5, "other")], *counts)
    assert found == ({0: ("curl", "Linux")} if own else {})


@pytest.mark.parametrize(
    ("browser", "system", "own"),
    [
        (NODATA, NODATA, False),
        ("curl", NODATA, True),
        (NODATA, "Linux", True),
        (None, None, False),
    ],
)
def test_what_the_log_does_not_name_is_no_tool(
    engine: Engine, browser: str | None, system: str | None, own: bool
) -> None:
    found = tools(engine, attempts(3, browser, system))
    assert found == ({0: (browser, system)} if own else {})


@pytest.mark.parametrize(
    ("members", "counts", "own"),
    [
        (by_password_grant(3), [], True),
        ([*by_password_grant(3), *by_password_grant(2, "Teams")], [], True),
        ([*by_password_grant(3), *by_password_grant(3, "Teams")], [], False),
        ([*by_password_grant(3), *attempts(3)], [], False),
        (by_password_grant(3, mask=BROWSER), [], False),
        (by_password_grant(5), [of_cli(1, 5)], True),
        (by_password_grant(4), [of_cli(1, 4)], False),
        # At least half of the failures in the application are the campaign's.
        (by_password_grant(5), [of_cli(0, 10)], True),
        (by_password_grant(5), [of_cli(0, 11)], False),
        # That many succeed without a known browser says nothing about the application.
        (by_password_grant(4), [successes(NODATA, 99), successes("Azure CLI", 99)], True),
        (by_password_grant(3, NODATA), [], False),
    ],
    ids=[
        *("all", "most", "half", "named", "usual", "few successes", "many successes"),
        *("half of the failures", "less of them", "other features", "unknown"),
    ],
)
def test_if_the_log_names_no_device_the_application_is_the_tool(
    engine: Engine, members: list[dict[str, Any]], counts: list[dict[str, Any]], own: bool
) -> None:
    expected = (NODATA, NODATA, NODATA, "Azure CLI", False)
    assert silent_tools(engine, members, counts) == ([expected] if own else [])


@pytest.mark.parametrize(
    ("members", "counts", "own"),
    [
        (with_axios(3), [], True),
        ([*with_axios(3), *by_password_grant(3)], [], False),
        (with_axios(3, mask=APPLICATION), [], False),
        (with_axios(5), [of_axios(1, 5)], True),
        (with_axios(4), [of_axios(1, 4)], False),
        (with_axios(5), [of_axios(0, 10)], True),
        (with_axios(5), [of_axios(0, 11)], False),
        # That many succeed and fail in the application says nothing about the product.
        (with_axios(4), [of_cli(99, 99), successes(NODATA, 99)], True),
    ],
    ids=[
        *("all", "half", "usual", "few successes", "many successes", "half of the failures"),
        *("less of them", "other features"),
    ],
)
def test_if_only_the_user_agent_names_a_product_this_is_the_tool(
    engine: Engine, members: list[dict[str, Any]], counts: list[dict[str, Any]], own: bool
) -> None:
    expected = (NODATA, NODATA, "axios", None, False)
    assert silent_tools(engine, members, counts) == ([expected] if own else [])


def test_campaigns_do_not_add_up(engine: Engine) -> None:
    """Two with one tool have ten attempts for two successes, but each of them has five."""
    members = [*attempts(5), *attempts(5, cluster=1), *attempts(6, "wget", cluster=2)]
    assert tools(engine, members, successes("curl", 2)) == {2: ("wget", "Linux")}
    assert tools(engine, members, successes("curl", 1)) == {
        0: ("curl", "Linux"),
        1: ("curl", "Linux"),
        2: ("wget", "Linux"),
    }


def test_without_attempts_there_are_no_tools(engine: Engine) -> None:
    assert tools(engine, [], successes("curl", 0)) == {}
