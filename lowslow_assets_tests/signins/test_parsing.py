"""Lines to sign-ins: every spelling that occurs, every reason to refuse, and no line lost."""

import json
import random
from collections import Counter
from collections.abc import Iterable
from datetime import date
from typing import Any

import pytest
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from lowslow_assets.lake.tables import RAW_SIGNINS
from lowslow_assets.settings import LOGS
from lowslow_assets.lake.tables import FEATURES
from lowslow_assets.signins.features import FAILURE_RESULT_TYPES, encode_features, failure_result_types
from lowslow_assets.signins.parsing import (
    EARLIEST,
    LATEST,
    MAX_TEXT_LENGTH,
    NO_ID,
    NO_RESULT_TYPE,
    NO_TIME,
    NO_USER,
    NOT_JSON,
    deduplicate,
    parse_lines,
)
from lowslow_assets_tests.support.drawn_signins import draw_many

DAY = date(2026, 6, 30)
GOOD = {
    "Id": "1",
    "TimeGenerated": "2026-06-30T02:05:00.1234567Z",
    "UserPrincipalName": "anna@contoso.com",
    "ResultType": "50126",
}
DEVICE = {"operatingSystem": "Windows 10", "browser": "Edge 131.0", "displayName": "PC-7"}
PLACE = {
    "city": "Graz",
    "state": "Steiermark",
    "countryOrRegion": "AT",
    "geoCoordinates": {"latitude": 47.07, "longitude": 15.44},
}
RECORD = {
    "time": "2026-06-30T02:05:00Z",
    "properties": {"id": "1", "userId": "u", "status": {"errorCode": 50126}},
}


def line(**fields: Any) -> str:
    """A good line with some fields set; None leaves one out."""
    return json.dumps({key: value for key, value in (GOOD | fields).items() if value is not None})


def record(**properties: Any) -> str:
    """The same in the schema of the diagnostic settings."""
    return json.dumps(RECORD | {"properties": RECORD["properties"] | properties})


def without(key: str) -> str:
    return line(**{key: None})


def parsed(spark: SparkSession, lines: Iterable[tuple[str, str]]) -> DataFrame:
    """The parsed (name, line) pairs; the name is in the column ``file``."""
    rows = [(DAY, name, text) for name, text in lines]
    return parse_lines(spark.createDataFrame(rows, "date date, file string, value string"))


def by_name(frame: DataFrame) -> dict[str, dict[str, Any]]:
    """Rows by name; times as UTC text, whatever the zone of the machine."""
    time = F.date_format("time_generated", "yyyy-MM-dd HH:mm:ss.SSSSSS")
    return {row["file"]: row.asDict() for row in frame.withColumn("time_generated", time).collect()}


# --- one value after the other ---------------------------------------------------------------

VALUES = [
    # Times: any number of fraction digits, an offset, and the other way the log writes them.
    (line(), "time_generated", "2026-06-30 02:05:00.123456"),
    (line(TimeGenerated="2026-06-30T02:05:00Z"), "time_generated", "2026-06-30 02:05:00.000000"),
    (line(TimeGenerated="2026-06-30 02:05:00"), "time_generated", "2026-06-30 02:05:00.000000"),
    (
        line(TimeGenerated="2026-06-30T02:05:00+02:00"),
        "time_generated",
        "2026-06-30 00:05:00.000000",
    ),
    (line(TimeGenerated="11/14/2025 1:48:53 AM"), "time_generated", "2025-11-14 01:48:53.000000"),
    (line(TimeGenerated="1/2/2026 12:00:00 PM"), "time_generated", "2026-01-02 12:00:00.000000"),
    (record(), "time_generated", "2026-06-30 02:05:00.000000"),
    # Numbers where text is documented, and the other way round.
    (line(ResultType=0), "result_type", "0"),
    (line(ResultType="50055"), "result_type", "50055"),
    (record(), "result_type", "50126"),
    (record(status='{"errorCode":"50055"}'), "result_type", "50055"),
    (json.dumps(RECORD | {"resultType": "50126"}), "result_type", "50126"),
    (
        json.dumps(
            {"time": RECORD["time"], "resultType": 7, "properties": {"id": "1", "userId": "u"}}
        ),
        "result_type",
        "7",
    ),
    (line(AutonomousSystemNumber=64500), "autonomous_system_number", 64500),
    (line(AutonomousSystemNumber="64500"), "autonomous_system_number", 64500),
    (line(AutonomousSystemNumber="AS64500"), "autonomous_system_number", 64500),
    (record(autonomousSystemNumber=64500), "autonomous_system_number", 64500),
    (line(AutonomousSystemNumber=0), "autonomous_system_number", None),
    (line(AutonomousSystemNumber=""), "autonomous_system_number", None),
    (line(AutonomousSystemNumber="9" * 30), "autonomous_system_number", None),
    (line(), "autonomous_system_number", None),
    *((line(IsInteractive=yes), "is_interactive", True) for yes in (True, "True", "true", 1, "1")),
    *((line(IsInteractive=no), "is_interactive", False) for no in (False, "False", 0, "0")),
    *((line(IsInteractive=junk), "is_interactive", None) for junk in ("", "yes", 2, [], {})),
    (record(isInteractive=False), "is_interactive", False),
    # Details: their names in either schema, in lower case, empty, absent or broken.
    (line(DeviceDetail=DEVICE), "device_name", "PC-7"),
    (line(DeviceDetail={"operatingsystem": "Ios 17"}), "operating_system", "Ios 17"),
    (line(DeviceDetail='{"displayname":"PC-8"}'), "device_name", "PC-8"),
    (line(DeviceDetail='{"browser":"first","browser":"second"}'), "browser", "first"),
    *(
        (line(DeviceDetail=broken), "browser", None)
        for broken in ("", "{", "[]", "7", 7, [], [DEVICE], {}, True, '{"browser":""}')
    ),
    (line(Location="DE", LocationDetails=PLACE), "country", "DE"),
    (line(Location="", LocationDetails=PLACE), "country", "AT"),
    (line(LocationDetails={"countryorregion": "AT"}), "country", "AT"),
    (record(location=PLACE), "state", "Steiermark"),
    *(
        (line(LocationDetails=PLACE | {"geoCoordinates": point}), "latitude", latitude)
        for point, latitude in (
            ({"latitude": 47.07, "longitude": 15.44}, 47.07),
            ({"latitude": "47.07", "longitude": "15.44"}, 47.07),
            ('{"latitude":47.07,"longitude":15.44}', 47.07),
            ({"latitude": 0, "longitude": 15.44}, 0.0),
            ({"latitude": -90, "longitude": 180}, -90.0),
            ({}, None),
            ("", None),
            ({"latitude": 0, "longitude": 0}, None),
            ({"latitude": 0.0, "longitude": -0.0}, None),
            ({"latitude": 47.07}, None),
            ({"latitude": 90.5, "longitude": 15.44}, None),
            ({"latitude": 47.07, "longitude": -180.5}, None),
            ({"latitude": "NaN", "longitude": 15.44}, None),
            ({"latitude": "north", "longitude": 15.44}, None),
        )
    ),
    (
        line(LocationDetails={"geocoordinates": {"latitude": 1.5, "longitude": 2.5}}),
        "longitude",
        2.5,
    ),
    # Text: as it is, but trimmed, bounded, and null where there is none.
    (line(UserPrincipalName="0b9d1c2e-0000-4000"), "user_principal_name", "0b9d1c2e-0000-4000"),
    (line(UserPrincipalName=None, UserId="0b9d1c2e"), "user_id", "0b9d1c2e"),
    (line(IPAddress="0b9d1c2e-0000-4000-8000-01"), "ip_address", "0b9d1c2e-0000-4000-8000-01"),
    (line(AppDisplayName="  Teams "), "app_display_name", "Teams"),
    (line(AppDisplayName="   "), "app_display_name", None),
    (line(ClientAppUsed=""), "client_app_used", None),
    (line(), "client_app_used", None),
    (line(UserAgent="ü" * 3000), "user_agent", "ü" * MAX_TEXT_LENGTH),
    (line(DeviceDetail={"browser": "b" * 100_000}), "browser", "b" * MAX_TEXT_LENGTH),
    (line(Nested="[" * 900 + "]" * 900, Deep=json.loads("[" * 200 + "]" * 200)), "reason", None),
    *(
        (line(AppDisplayName=hostile), "app_display_name", hostile)
        for hostile in (
            "<script>alert('x')</script>",
            """'; DROP TABLE signins; -- "quoted" \\ ${jndi}""",
            "\u202egnp.exe \U0001f600 عربي\u200f",
            "a\u0000b\u0001c\nd\te",
            "}{",
            "],[",
        )
    ),
    # Lines: what may stand around the object, and a name that is there twice.
    ("\ufeff" + line(), "signin_id", "1"),
    (" \t" + line() + "\t ", "signin_id", "1"),
    ('{"Id":"first","Id":"second",' + line()[len('{"Id": "1", ') :], "signin_id", "second"),
]

REJECTS = [
    (line()[:-30], NOT_JSON),
    (line()[:-1], NOT_JSON),
    ("not JSON", NOT_JSON),
    ("<html>502 Bad Gateway</html>", NOT_JSON),
    (f"[{line()}]", NOT_JSON),
    ("[]", NOT_JSON),
    ("42", NOT_JSON),
    ("null", NOT_JSON),
    (line(AutonomousSystemNumber=float("nan")), NOT_JSON),
    ('"text"', NOT_JSON),
    ("{}", NO_ID),
    (line() + "x", NOT_JSON),
    (line() + "}", NOT_JSON),
    # Two objects on a line: the second would be lost.
    (line() + line(Id="2"), NOT_JSON),
    (line() + " " + line(Id="2"), NOT_JSON),
    (line() + "," + line(Id="2"), NOT_JSON),
    (line() + "],[" + line(Id="2"), NOT_JSON),
    (without("Id"), NO_ID),
    (line(Id=""), NO_ID),
    (line(Id="  "), NO_ID),
    (without("TimeGenerated"), NO_TIME),
    *(
        (line(TimeGenerated=time), NO_TIME)
        for time in (
            *("", "12345", 12345, "1782784800", "2026", "2026-06-30", "yesterday", "now"),
            *("2026-13-30T02:05:00Z", "2026-06-31T02:05:00Z", "2026-06-30T25:05:00Z", [], {}),
            # Year 1 is .NET's empty date; neither Python nor pandas can hold all of these.
            *("0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-10:00"),
            *("2068-01-01T00:00:00Z", "2199-12-31T02:00:00Z"),
            *("13/14/2025 1:48:53 AM", "1/1/0001 12:00:00 AM"),
        )
    ),
    (without("UserPrincipalName"), NO_USER),
    (line(UserPrincipalName="", UserId=" "), NO_USER),
    (line(UserPrincipalName="", ServicePrincipalName=" ", ServicePrincipalId=""), NO_USER),
    (without("ResultType"), NO_RESULT_TYPE),
    (line(ResultType=""), NO_RESULT_TYPE),
    (json.dumps({"properties": RECORD["properties"]}), NO_TIME),
    (json.dumps({"time": RECORD["time"], "properties": {"userId": "u"}}), NO_ID),
    (record(status={}), NO_RESULT_TYPE),
    (line(properties="text", Id=""), NO_ID),
]


@pytest.fixture(scope="module")
def rows(spark: SparkSession) -> dict[str, dict[str, Any]]:
    """All lines of both tables, parsed in one job."""
    good = [(f"value {i}", text) for i, (text, _, _) in enumerate(VALUES)]
    bad = [(f"reject {i}", text) for i, (text, _) in enumerate(REJECTS)]
    return by_name(parsed(spark, good + bad))


@pytest.mark.parametrize("case", range(len(VALUES)))
def test_a_value_is_read_as_it_is_meant(rows: dict[str, dict[str, Any]], case: int):
    _, column, expected = VALUES[case]
    row = rows[f"value {case}"]
    assert row["reason"] is None
    assert row["line"] is None
    assert row[column] == expected


@pytest.mark.parametrize("case", range(len(REJECTS)))
def test_a_bad_line_is_refused_with_its_reason_and_text(rows: dict[str, dict[str, Any]], case: int):
    text, reason = REJECTS[case]
    row = rows[f"reject {case}"]
    assert (row["reason"], row["line"]) == (reason, text[:MAX_TEXT_LENGTH])


# --- whole lines -----------------------------------------------------------------------------


def test_both_shapes_and_both_schemas_give_the_same_row(spark: SparkSession):
    common = {
        "appDisplayName": "Teams",
        "clientAppUsed": "Browser",
        "ipAddress": "203.0.113.7",
        "userAgent": "Mozilla/5.0",
        "userPrincipalName": "anna@contoso.com",
        "userId": "u-1",
        "autonomousSystemNumber": 64500,
    }
    sentinel = {key[0].upper() + key[1:]: value for key, value in common.items()}
    sentinel["IPAddress"] = sentinel.pop("IpAddress")
    sentinel |= {"Location": "AT", "IsInteractive": True}
    properties = common | {"id": "1", "status": {"errorCode": 50126}, "isInteractive": "True"}
    time = GOOD["TimeGenerated"]
    lines = {
        "objects": line(**sentinel, DeviceDetail=DEVICE, LocationDetails=PLACE),
        "strings": line(
            **sentinel, DeviceDetail=json.dumps(DEVICE), LocationDetails=json.dumps(PLACE)
        ),
        "diagnostic": json.dumps(
            {
                "time": time,
                "category": "SignInLogs",
                "properties": properties | {"deviceDetail": DEVICE, "location": PLACE},
            }
        ),
        "diagnostic strings": json.dumps(
            {
                "time": time,
                "location": "ignored",
                "properties": properties
                | {"deviceDetail": json.dumps(DEVICE), "location": json.dumps(PLACE)},
            }
        ),
    }
    frame = parsed(spark, lines.items())
    assert frame.columns == [
        "date",
        "file",
        *(name for name in RAW_SIGNINS.schema.names if name != "copies"),
        "reason",
        "line",
    ]
    expected = {
        "date": DAY,
        "signin_id": "1",
        "time_generated": "2026-06-30 02:05:00.123456",
        "user_principal_name": "anna@contoso.com",
        "user_id": "u-1",
        "result_type": "50126",
        "is_interactive": True,
        "app_display_name": "Teams",
        "client_app_used": "Browser",
        "browser": "Edge 131.0",
        "device_name": "PC-7",
        "operating_system": "Windows 10",
        "user_agent": "Mozilla/5.0",
        "ip_address": "203.0.113.7",
        "autonomous_system_number": 64500,
        "country": "AT",
        "state": "Steiermark",
        "city": "Graz",
        "latitude": 47.07,
        "longitude": 15.44,
        "reason": None,
        "line": None,
    }
    assert by_name(frame) == {name: expected | {"file": name} for name in lines}


# As the tables and categories are documented, with made-up values: each has some of the columns,
# and details are strings in all tables but SigninLogs.
OTHER_LOGS = {
    "non-interactive": (
        line(
            Type="AADNonInteractiveUserSignInLogs",
            Category="NonInteractiveUserSignInLogs",
            UserId="u-1",
            AppDisplayName="Azure CLI",
            ClientAppUsed="Mobile Apps and Desktop clients",
            AuthenticationProtocol="ropc",
            DeviceDetail=json.dumps(DEVICE),
            LocationDetails=json.dumps(PLACE),
            Location="AT",
            IPAddress="192.0.2.7",
            AutonomousSystemNumber="64500",
            IsInteractive=False,
            Status='{"errorCode":50126}',
            ServicePrincipalId="",
        ),
        {
            "user_principal_name": "anna@contoso.com",
            "user_id": "u-1",
            "result_type": "50126",
            "is_interactive": False,
            "app_display_name": "Azure CLI",
            "browser": "Edge 131.0",
            "country": "AT",
            "city": "Graz",
            "latitude": 47.07,
            "autonomous_system_number": 64500,
        },
    ),
    "AD FS": (
        line(
            Type="ADFSSignInLogs",
            Category="ADFSSignInLogs",
            UserId="u-1",
            AppDisplayName="NotSet",
            TokenIssuerType="ADFederationServices",
            DeviceDetail=json.dumps(DEVICE | {"displayName": ""}),
            Location="AT",
            IPAddress="198.51.100.7",
            IsInteractive=True,
        ),
        {
            "user_principal_name": "anna@contoso.com",
            "device_name": None,
            "client_app_used": None,
            "ip_address": "198.51.100.7",
            "country": "AT",
            "city": None,
        },
    ),
    "service principal": (
        line(
            Type="AADServicePrincipalSignInLogs",
            Category="ServicePrincipalSignInLogs",
            UserPrincipalName=None,
            ServicePrincipalName=" Backup Robot ",
            ServicePrincipalId="sp-1",
            ResultType="7000215",
            LocationDetails=json.dumps(PLACE),
            IPAddress="203.0.113.7",
            ResourceDisplayName="Microsoft Graph",
        ),
        {
            "user_principal_name": "Backup Robot",
            "user_id": "sp-1",
            "result_type": "7000215",
            "is_interactive": None,
            "app_display_name": None,
            "browser": None,
            "city": "Graz",
        },
    ),
    "service principal without a name": (
        line(UserPrincipalName="", UserId="", ServicePrincipalName="", ServicePrincipalId="sp-1"),
        {"user_principal_name": None, "user_id": "sp-1"},
    ),
    "a user's sign-in that names a service principal, too": (
        line(
            UserPrincipalName=None, UserId="u-1", ServicePrincipalName="X", ServicePrincipalId="s"
        ),
        {"user_principal_name": None, "user_id": "u-1"},
    ),
    "diagnostic service principal": (
        json.dumps(
            {
                "time": GOOD["TimeGenerated"],
                "category": "ServicePrincipalSignInLogs",
                "resultType": "7000215",
                "location": "AT",
                "properties": {
                    "id": "1",
                    "userId": None,
                    "servicePrincipalName": "Backup Robot",
                    "servicePrincipalId": "sp-1",
                    "ipAddress": "203.0.113.7",
                    "status": {"errorCode": 7000215},
                    "location": PLACE,
                    "isInteractive": False,
                },
            }
        ),
        {
            "user_principal_name": "Backup Robot",
            "user_id": "sp-1",
            "result_type": "7000215",
            "country": "AT",
        },
    ),
    "diagnostic non-interactive": (
        json.dumps(
            RECORD
            | {
                "category": "NonInteractiveUserSignInLogs",
                "properties": RECORD["properties"]
                | {"isInteractive": False, "deviceDetail": DEVICE, "servicePrincipalId": ""},
            }
        ),
        {"user_id": "u", "is_interactive": False, "browser": "Edge 131.0"},
    ),
}


def test_rows_of_the_other_logs_are_sign_ins(spark: SparkSession):
    frame = parsed(spark, ((name, text) for name, (text, _) in OTHER_LOGS.items()))
    rows = by_name(frame)
    for name, (_, expected) in OTHER_LOGS.items():
        row = rows[name]
        assert row["reason"] is None, name
        assert {column: row[column] for column in expected} == expected, name
    good = deduplicate(frame.withColumn("signin_id", F.col("file")).drop("file", "reason", "line"))
    users = {
        row["signin_id"]: (row["user"], row["outcome"])
        for row in encode_features(good, tuple(failure_result_types(LOGS))).collect()
    }
    assert users["service principal"] == ("backup robot", "failure")
    assert users["service principal without a name"][0] == "sp-1"


def test_blank_lines_are_no_lines(spark: SparkSession):
    blank = ["", "  ", "\t", "\ufeff", "\ufeff \t"]
    named = [(str(i), text) for i, text in enumerate([*blank, line()])]
    assert by_name(parsed(spark, named)).keys() == {"5"}


def test_wild_values_stop_nothing_and_no_line_is_lost(spark: SparkSession):
    """Any JSON in any field: each line comes out once, as a sign-in or with a reason."""
    text = st.text(max_size=8) | st.sampled_from(
        ['"', "\\", "{", "[}", "\u202e\U0001f600", "<script>", "NaN", "12345", "1e999", "\x00"]
    )
    leaf = (
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | text
    )
    keys = text | st.sampled_from(["browser", "geoCoordinates", "latitude", "errorCode", "city"])
    anything = st.recursive(
        leaf,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
        max_leaves=6,
    )
    value = anything | anything.map(json.dumps)
    sentinel = (
        *("Id", "TimeGenerated", "UserPrincipalName", "UserId", "ResultType", "AppDisplayName"),
        *("ClientAppUsed", "DeviceDetail", "Location", "LocationDetails", "IPAddress"),
        *("AutonomousSystemNumber", "UserAgent", "IsInteractive", "properties", "_corrupt"),
    )
    diagnostic = (
        *("id", "userPrincipalName", "userId", "status", "appDisplayName", "clientAppUsed"),
        *("deviceDetail", "location", "ipAddress", "autonomousSystemNumber", "isInteractive"),
    )
    fields = st.dictionaries(st.sampled_from(sentinel), value, max_size=6)
    properties = st.dictionaries(st.sampled_from(diagnostic), value, max_size=6)
    wild = (
        st.dictionaries(st.sampled_from(sentinel), value, max_size=15)
        # Otherwise good lines, so that what lies behind the required fields is reached.
        | fields.map(lambda changed: GOOD | changed)
        | properties.map(lambda changed: RECORD | {"properties": RECORD["properties"] | changed})
    )
    encoders = st.booleans().map(lambda ascii_only: json.JSONEncoder(ensure_ascii=ascii_only))
    lines = draw_many(st.builds(lambda it, to: to.encode(it), wild, encoders), 400)
    frame = parsed(spark, ((str(i), text) for i, text in enumerate(lines))).cache()
    found = by_name(frame)
    assert frame.count() == len(lines) == len(found)
    reasons = Counter(row["reason"] for row in found.values())
    assert reasons.keys() <= {None, NO_ID, NO_TIME, NO_USER, NO_RESULT_TYPE}
    assert reasons[None] > 50
    assert len(reasons) >= 4
    for i, text in enumerate(lines):
        row = found[str(i)]
        if row["reason"]:
            assert row["line"] == text[:MAX_TEXT_LENGTH]
        else:
            assert row["signin_id"]
            assert row["time_generated"]
            assert row["result_type"]
            assert row["user_principal_name"] or row["user_id"]
    good = deduplicate(frame.where("reason IS NULL").drop("file", "reason", "line"))
    encoded = encode_features(good, FAILURE_RESULT_TYPES).collect()
    assert sum(row["copies"] for row in good.collect()) == reasons[None]
    assert all(row[feature] for row in encoded for feature in FEATURES)
    frame.unpersist()


def test_surrogate_halves_become_text_that_any_engine_reads(spark: SparkSession):
    rows = by_name(parsed(spark, [("half", line(UserAgent="a\ud800b"))]))
    assert rows["half"]["user_agent"].encode() == b"a?b"


# --- duplicates ------------------------------------------------------------------------------


def kept(signins: DataFrame) -> list[dict[str, Any]]:
    frame = deduplicate(signins)
    assert frame.columns == ["date", *RAW_SIGNINS.schema.names]
    time = F.date_format("time_generated", "yyyy-MM-dd HH:mm:ss.SSSSSS")
    rows = frame.withColumn("time_generated", time).orderBy("signin_id").collect()
    return [row.asDict() for row in rows]


def test_one_row_an_id_is_kept_by_a_total_order(spark: SparkSession):
    early, late = "2026-06-30T02:05:00.0000001Z", "2026-06-30T02:06:00Z"
    lines = [
        *(line(Id="exact"),) * 3,
        line(Id="later wins", TimeGenerated=early, AppDisplayName="Z"),
        line(Id="later wins", TimeGenerated=late, AppDisplayName="A"),
        line(Id="then the greater row", AppDisplayName="A", UserAgent="Z"),
        line(Id="then the greater row", AppDisplayName="B", UserAgent="A"),
        line(Id="something over nothing"),
        line(Id="something over nothing", AppDisplayName="A"),
    ]
    rows = kept(parsed(spark, (("", text) for text in lines)).drop("file", "reason", "line"))
    assert [(row["signin_id"], row["copies"], row["app_display_name"]) for row in rows] == [
        ("exact", 3, None),
        ("later wins", 2, "A"),
        ("something over nothing", 2, "A"),
        ("then the greater row", 2, "B"),
    ]
    assert rows[1]["time_generated"] == "2026-06-30 02:06:00.000000"


def test_the_same_id_on_two_days_stays_on_both(spark: SparkSession):
    schema = "date date, file string, value string"
    days = [DAY, date(2026, 7, 1)]
    lines = spark.createDataFrame([(day, "", line()) for day in days], schema)
    rows = kept(parse_lines(lines).drop("file", "reason", "line"))
    assert sorted((row["date"], row["copies"]) for row in rows) == [(day, 1) for day in days]


def test_seconds_between_any_two_times_fit_an_int():
    assert (LATEST - EARLIEST).total_seconds() < 2**31


def test_what_is_kept_depends_on_neither_order_nor_partitions(spark: SparkSession):
    drawn = random.Random(7)
    signins = [
        {
            "Id": str(drawn.randrange(20)),
            "TimeGenerated": f"2026-06-30T02:05:0{drawn.randrange(2)}Z",
            "AppDisplayName": drawn.choice([None, "A", "B"]),
            "UserAgent": drawn.choice([None, "x", "y"]),
            "IsInteractive": drawn.choice([None, True, False]),
            "LocationDetails": drawn.choice([None, PLACE]),
        }
        for _ in range(200)
    ]
    lines = parsed(spark, (("", line(**fields)) for fields in signins))
    copies = lines.drop("file", "reason", "line").cache()
    expected = kept(copies)
    assert sum(row["copies"] for row in expected) == 200
    for seed, partitions in ((1, 1), (2, 8), (3, 8)):
        assert kept(copies.orderBy(F.rand(seed)).repartition(partitions)) == expected
    copies.unpersist()
