"""Sign-ins to categories, and their counts."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from lowslow_assets.engines.base import Engine
from lowslow_assets.lake.tables import (
    CATEGORY_COUNTS,
    ENCODED_FEATURES,
    FEATURES,
    MAX_CATEGORY_LENGTH,
    NODATA,
    RAW_SIGNINS,
    SIGNIN_HOURS,
    SUCCESS_SOURCES,
)
from lowslow_assets.signins.features import (
    attempts,
    count_categories,
    count_hours,
    encode_features,
    password_failures,
    sum_sources,
)
from lowslow_assets.signins.outcomes import codes_by_outcome
from lowslow_assets_tests.support.relations import relation

DAY = date(2026, 6, 30)
NOON = datetime(2026, 6, 30, 12, tzinfo=UTC)


def encode(
    engine: Engine,
    signins: Sequence[dict[str, Any]],
    changes: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """The encoded sign-ins, in the order given."""
    rows = [
        {
            "signin_id": f"{i:06d}",
            "time_generated": NOON,
            "user": "u",
            "result_type": "0",
            "date": DAY,
        }
        | signin
        for i, signin in enumerate(signins)
    ]
    encoded = encode_features(
        relation(engine, RAW_SIGNINS.dated, rows), **codes_by_outcome(changes)
    )
    assert list(encoded.columns) == ENCODED_FEATURES.dated.names
    return sorted(encoded.rows(), key=lambda row: row["signin_id"])


def test_a_sign_in_as_categories(engine: Engine):
    signin = {
        "signin_id": "s",
        "time_generated": datetime(2026, 6, 30, 2, 5, tzinfo=UTC),
        "user_principal_name": "Anna@Contoso.com",
        "user_id": "ABC",
        "user": "anna@contoso.com",
        "result_type": "50126",
        "app_display_name": "Teams",
        "client_app_used": "Browser",
        "browser": "Edge 131.0",
        "device_name": "PC-7",
        "operating_system": "Windows 10",
        "ip_address": "203.0.113.7",
        "ip_prefix": "203.0.113",
        "autonomous_system_number": 64500,
        "country": "AT",
        "state": "Steiermark",
        "city": "Graz",
        "user_agent": "Mozilla/5.0" + " (X11)" * 100,
        "latitude": 47.07,
        "longitude": 15.44,
    }
    (row,) = encode(engine, [signin])
    assert row == {
        "date": DAY,
        "signin_id": "s",
        "time_generated": signin["time_generated"],
        "user": "anna@contoso.com",
        "outcome": "failure",
        "result_type": "50126",
        "seconds_to_success": None,
        "ip_address": "203.0.113.7",
        "ip_prefix": "203.0.113",
        "latitude": 47.07,
        "longitude": 15.44,
        "AppDisplayName": "Teams",
        "ClientAppUsed": "Browser",
        "browser": "Edge 131.0",
        "displayName": "PC-7",
        "operatingSystem": "Windows10",
        "network": "AS64500",
        "Location": "AT",
        "state": "Steiermark",
        "city": "Graz",
        "agent": NODATA,
        "user_agent": ("Mozilla/5.0" + " (X11)" * 100)[:256],
    }


def test_a_success_has_no_user_agent(engine: Engine):
    agent = {"user_agent": "curl/8.5.0"}
    rows = encode(engine, [agent, agent | {"result_type": "50126"}, {"result_type": "50053"}])
    assert [row["user_agent"] for row in rows] == [None, "curl/8.5.0", None]


CATEGORIES = [
    ({"operating_system": "Windows 10"}, "operatingSystem", "Windows10"),
    ({"operating_system": "Windows10"}, "operatingSystem", "Windows10"),
    ({"operating_system": " \t"}, "operatingSystem", NODATA),
    ({"city": "New York"}, "city", "New York"),
    ({"city": ""}, "city", NODATA),
    ({"browser": "b" * 300}, "browser", "b" * MAX_CATEGORY_LENGTH),
    ({"user_agent": "axios/1.7.0"}, "agent", "axios"),
    ({"user_agent": "axios/1.7.0", "browser": ""}, "agent", "axios"),
    ({"user_agent": "axios/1.7.0", "browser": "Axios"}, "agent", NODATA),
    ({"user_agent": "axios/1.7.0", "operating_system": "Linux"}, "agent", NODATA),
    ({"user_agent": "iPhone12C1 (x)", "result_type": "0"}, "agent", "iPhone"),
    ({"user_agent": "/1.0"}, "agent", NODATA),
    ({"user_agent": "a" * 300}, "agent", "a" * MAX_CATEGORY_LENGTH),
    ({"autonomous_system_number": 64500}, "network", "AS64500"),
    ({"autonomous_system_number": 64500, "ip_prefix": "10.0.0"}, "network", "AS64500"),
    ({"autonomous_system_number": 64500, "ip_prefix": "10.0.0"}, "ip_prefix", "10.0.0"),
    ({"ip_prefix": "10.0.0"}, "network", "10.0.0"),
    ({"result_type": "0"}, "outcome", "success"),
    ({"result_type": "50055"}, "outcome", "stopped"),
    ({"result_type": "50126"}, "outcome", "failure"),
    ({"result_type": "50053"}, "outcome", "refused"),
    ({"result_type": "50140"}, "outcome", "other"),
    ({"result_type": None}, "outcome", "other"),
    ({"result_type": "00"}, "outcome", "other"),
    *(({}, feature, NODATA) for feature in FEATURES),
    ({}, "ip_prefix", None),
]


def test_properties_as_categories(engine: Engine):
    rows = encode(engine, [signin for signin, _, _ in CATEGORIES])
    found = [
        (signin, column, row[column])
        for row, (signin, column, _) in zip(rows, CATEGORIES, strict=True)
    ]
    assert found == CATEGORIES


def test_what_a_code_means_can_be_set(engine: Engine):
    codes = ["0", "50126", "50053", "411"]
    changes = {"50126": "other", "50053": "stopped", "411": "failure"}
    rows = encode(engine, [{"result_type": code} for code in codes], changes)
    assert [row["outcome"] for row in rows] == ["success", "other", "stopped", "failure"]
    assert [row["result_type"] for row in rows] == codes


def test_an_expired_password_counts_as_a_failure_of_the_notebook(engine: Engine):
    codes = ["50126", "50055", "50144", "50076", "50053", "0"]
    rows = [
        dict.fromkeys(FEATURES, code) | {"signin_id": code, "outcome": outcome, "result_type": code}
        for code in codes
        for outcome in ["success", *codes_by_outcome()]
        if code in codes_by_outcome().get(outcome, ["0"])
    ]
    encoded = relation(engine, ENCODED_FEATURES.dated, rows)
    assert sorted(r["signin_id"] for r in password_failures(encoded).rows()) == ["50055", "50126"]
    assert sorted(r["signin_id"] for r in attempts(encoded).rows()) == sorted(codes[:-1])
    counted = {
        row["category"]: (row["successes"], row["failures"])
        for row in count_categories(encoded).rows()
    }
    assert counted == {"0": (1, 0), "50126": (0, 1), "50055": (0, 1)}


def test_counts_as_calculated_manually(engine: Engine):
    other_day = date(2026, 7, 1)
    signins = [
        (DAY, "success", "Teams", "Graz"),
        (DAY, "success", "Teams", "Wien"),
        (DAY, "failure", "Teams", "Graz"),
        (DAY, "failure", "Azure", NODATA),
        (DAY, "other", "Hidden", "Nowhere"),
        (DAY, "stopped", "Hidden", "Nowhere"),
        (DAY, "refused", "Hidden", "Nowhere"),
        (other_day, "success", "Teams", "Graz"),
    ]
    rows = [
        dict.fromkeys(FEATURES, "same")
        | {"date": day, "outcome": outcome, "AppDisplayName": app, "city": city}
        for day, outcome, app, city in signins
    ]
    counts = count_categories(relation(engine, ENCODED_FEATURES.dated, rows))
    assert list(counts.columns) == CATEGORY_COUNTS.dated.names
    found = {
        (row["date"], row["feature"], row["category"]): (row["successes"], row["failures"])
        for row in counts.rows()
    }
    constant = set(FEATURES) - {"AppDisplayName", "city"}
    assert found == {
        (DAY, "AppDisplayName", "Teams"): (2, 1),
        (DAY, "AppDisplayName", "Azure"): (0, 1),
        (DAY, "city", "Graz"): (1, 1),
        (DAY, "city", "Wien"): (1, 0),
        (DAY, "city", NODATA): (0, 1),
        **{(DAY, feature, "same"): (2, 2) for feature in constant},
        (other_day, "AppDisplayName", "Teams"): (1, 0),
        (other_day, "city", "Graz"): (1, 0),
        **{(other_day, feature, "same"): (1, 0) for feature in constant},
    }


def test_seconds_to_the_next_success(engine: Engine) -> None:
    outcomes = {"success": "0", "failure": "50126", "stopped": "50076", "other": "50140"}

    def row(
        id: str, outcome: str, second: int, user: str = "ann", network: str = "10.0.0"
    ) -> dict[str, Any]:
        return {
            "signin_id": id,
            "user": user,
            "ip_prefix": network,
            "result_type": outcomes[outcome],
            "time_generated": NOON + timedelta(seconds=second),
        }

    rows = [
        row("before", "success", 0),
        row("60 seconds", "failure", 40),
        row("0 seconds", "failure", 100),
        row("now", "success", 100),
        row("one of two", "failure", 110),
        row("stopped", "stopped", 120),
        row("next", "success", 130),
        row("after that", "success", 131),
        row("too late", "failure", 132),
        row("other", "other", 90),
        row("another network's", "failure", 90, network="10.0.1"),
        row("another user's", "failure", 90, user="bob"),
        # The same time, in another day's folder.
        row("another day's", "failure", 90) | {"date": date(2026, 6, 2)},
        # Seconds are whole ones, as the clock shows them.
        row("a fraction", "failure", 200, "eve")
        | {"time_generated": NOON + timedelta(seconds=200, microseconds=999_999)},
        row("of a second", "success", 201, "eve"),
    ]
    found = encode(engine, rows)
    seconds = {row["signin_id"]: row["seconds_to_success"] for row in found}
    assert {id: value for id, value in seconds.items() if value is not None} == {
        "60 seconds": 60,
        "0 seconds": 0,
        "one of two": 20,
        "stopped": 10,
        "a fraction": 1,
    }
    assert len(seconds) == len(rows)


def test_hours_count_signins_by_outcome(engine: Engine) -> None:
    at = [datetime(2026, 6, 1, 9, minute, tzinfo=UTC) for minute in (0, 59)]
    rows = [(DAY, "success", at[0]), (DAY, "success", at[1]), (DAY, "failure", at[1])]
    # The same time, in another day's folder.
    rows += [(date(2026, 6, 2), "success", at[0]), (DAY, "success", at[0] + timedelta(hours=1))]
    named = [{"date": day, "outcome": outcome, "time_generated": t} for day, outcome, t in rows]
    counts = count_hours(relation(engine, ENCODED_FEATURES.dated, named))
    assert list(counts.columns) == SIGNIN_HOURS.dated.names
    found = {
        (row["date"].day, row["outcome"], row["hour"].hour): row["signins"] for row in counts.rows()
    }
    assert found == {
        (DAY.day, "success", 9): 2,
        (DAY.day, "failure", 9): 1,
        (2, "success", 9): 1,
        (DAY.day, "success", 10): 1,
    }


def test_sources_sum_up_successes_by_where_they_are_from(engine: Engine) -> None:
    home = {"ip_address": "203.0.113.7", "city": "Rome", "latitude": 41.9, "user": "ann"}
    at = [datetime(2026, 6, 1, hour, tzinfo=UTC) for hour in (9, 12, 17)]
    signins = [
        home | {"time_generated": at[1]},
        home | {"time_generated": at[0], "app_display_name": "Mail"},
        home | {"time_generated": at[2], "result_type": "50126"},
        home | {"time_generated": at[2], "city": None},
        home | {"time_generated": at[2], "user": "bob"},
    ]
    rows = [{"result_type": "0", "date": DAY} | signin for signin in signins]
    encoded = encode_features(relation(engine, RAW_SIGNINS.dated, rows), **codes_by_outcome())
    found = sum_sources(encoded)
    assert list(found.columns) == SUCCESS_SOURCES.dated.names
    sums = {
        (row["user"], row["city"]): (
            row["successes"],
            row["first_success"].hour,
            row["seconds"],
        )
        for row in found.rows()
    }
    assert sums == {
        ("ann", "Rome"): (2, 9, 3 * 3600),
        ("ann", NODATA): (1, 17, 0),
        ("bob", "Rome"): (1, 17, 0),
    }
