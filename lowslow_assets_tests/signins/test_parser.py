"""Lines to sign-ins: every spelling that occurs, every reason to reject, and no lost line."""

import io
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lowslow_assets.signins import parser
from lowslow_assets.signins.json_text import (
    MORE_BEHIND,
    NOT_AN_OBJECT,
    NOT_JSON,
    STRAY_END,
    TOO_DEEP,
)
from lowslow_assets.signins.parser import (
    NO_ID,
    NO_RESULT_TYPE,
    NO_TIME,
    NO_USER,
    PARSED,
    parse_files,
)
from lowslow_assets.signins.records import EMPTY_ARRAY, UNCLOSED_OBJECT
from lowslow_assets.signins.values import EARLIEST, LATEST, MAX_TEXT_LENGTH, as_text, parse_time

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


def parse(content: str | bytes, name: str = "x.json") -> list[dict[str, Any]]:
    """The rows of a file."""
    data = content.encode() if isinstance(content, str) else content
    batches = list(parse_files([(name, io.BytesIO(data))]))
    for batch in batches:
        assert batch.schema == PARSED
        batch.validate(full=True)
    return [row for batch in batches for row in batch.to_pylist()]


def parse_one(content: str | bytes, name: str = "x.json") -> dict[str, Any]:
    (row,) = parse(content, name)
    return row


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# --- one value after the other ---------------------------------------------------------------

VALUES = [
    # Times: any number of fraction digits, an offset, and the other way the log writes them.
    (line(), "time_generated", utc("2026-06-30 02:05:00.123456")),
    (
        line(TimeGenerated="2026-06-30T02:05:00Z"),
        "time_generated",
        utc("2026-06-30 02:05:00.000000"),
    ),
    (
        line(TimeGenerated="2026-06-30 02:05:00"),
        "time_generated",
        utc("2026-06-30 02:05:00.000000"),
    ),
    (
        line(TimeGenerated="2026-06-30T02:05:00+02:00"),
        "time_generated",
        utc("2026-06-30 00:05:00.000000"),
    ),
    (
        line(TimeGenerated="11/14/2025 1:48:53 AM"),
        "time_generated",
        utc("2025-11-14 01:48:53.000000"),
    ),
    (
        line(TimeGenerated="1/2/2026 12:00:00 PM"),
        "time_generated",
        utc("2026-01-02 12:00:00.000000"),
    ),
    (record(), "time_generated", utc("2026-06-30 02:05:00.000000")),
    # Numbers in place of documented text, and the reverse.
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
    (line(DeviceDetail='{"browser":"first","browser":"second"}'), "browser", "second"),
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
    # Text: unchanged, but trimmed, bounded, and null if it is empty.
    (line(UserPrincipalName="0b9d1c2e-0000-4000"), "user_principal_name", "0b9d1c2e-0000-4000"),
    (line(UserPrincipalName=None, UserId="0b9d1c2e"), "user_id", "0b9d1c2e"),
    (line(IPAddress="0b9d1c2e-0000-4000-8000-01"), "ip_address", None),
    (line(IPAddress="0b9d1c2e-0000-4000-8000-01"), "unread", "address"),
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
    # Lines: text around the object, and repeated names.
    *(
        (line(**{field: value}), column, text)
        for field, column in (("ResultType", "result_type"), ("AppDisplayName", "app_display_name"))
        for value, text in (
            *((0, "0"), (-7, "-7"), (50126, "50126"), (50126.0, "50126"), (0.0, "0"), (1.5, "1.5")),
            *((1e22, "1" + "0" * 22), (True, "true"), (False, "false")),
            *((2**63, str(2**63)), (10**29, "1" + "0" * 29)),
        )
    ),
    *((line(UserAgent=none), "user_agent", None) for none in ({}, {"a": 1}, [], ["a"], "  ")),
    (line(Id=7), "signin_id", "7"),
    (line(Id="a\ud800b\udc00"), "signin_id", "a\ufffdb\ufffd"),
    (line(UserAgent="\ud83d\ude00"), "user_agent", "\U0001f600"),
    (line(DeviceDetail={"browser": "\ud800"}), "browser", "\ufffd"),
    (line(DeviceDetail=json.dumps({"browser": "\udfff"})), "browser", "\ufffd"),
    (line(Unknown="\ud800"), "signin_id", "1"),
    (line(UserAgent="tab\u00a0"), "user_agent", "tab\u00a0"),
    (line(UserAgent="\t"), "user_agent", "\t"),
    (line(Id="number").replace('"number"', "9" * 10_000), "signin_id", "9" * MAX_TEXT_LENGTH),
    (line(Unknown="number").replace('"number"', "9" * 10_000), "signin_id", "1"),
    (line(UserAgent="number").replace('"number"', "1e999"), "user_agent", None),
    (line(UserAgent="number").replace('"number"', "-0"), "user_agent", "0"),
    # The user in lower case, and the prefix of the address.
    (line(UserPrincipalName="Änna@Contoso.com", UserId="X"), "user", "änna@contoso.com"),
    (line(UserPrincipalName=" ", UserId="X"), "user", "x"),
    (line(IPAddress=" 203.0.113.7:443 "), "ip_prefix", "203.0.113"),
    (line(IPAddress="0b9d1c2e"), "ip_prefix", None),
    (line(), "ip_prefix", None),
    # A field in the place of the other schema.
    (line(properties="text"), "signin_id", "1"),
    (line(properties=[{}]), "signin_id", "1"),
    (line(properties=7.5), "signin_id", "1"),
    (line(properties={"id": "2", "userAgent": "a"}), "signin_id", "1"),
    (line(properties={"id": "2", "userAgent": "a"}), "user_agent", "a"),
    ("\ufeff" + line(), "signin_id", "1"),
    (" \t" + line() + "\t ", "signin_id", "1"),
    ('{"Id":"first","Id":"second",' + line()[len('{"Id": "1", ') :], "signin_id", "second"),
]

REJECTS = [
    (line()[:-30], UNCLOSED_OBJECT),
    (line()[:-1], UNCLOSED_OBJECT),
    ("not JSON", NOT_JSON),
    ("<html>502 Bad Gateway</html>", NOT_JSON),
    ("[]", EMPTY_ARRAY),
    ("42", NOT_AN_OBJECT),
    ("null", NOT_AN_OBJECT),
    ("]", STRAY_END),
    ("],", STRAY_END),
    ("}", STRAY_END),
    ("{]", NOT_JSON),
    ("{'Id': 1}", NOT_JSON),
    ('{"Id": 1,}', NOT_JSON),
    ('{"Id": "a\tb"}', NOT_JSON),
    ('{"Id": Infinity}', NOT_JSON),
    ('{"Id": "a\0b"}', NOT_JSON),
    ('{"Id":' * 20_000 + "1" + "}" * 20_000, TOO_DEEP),
    ('{"Unknown":' + "[" * 20_000 + "]" * 20_000 + "}", TOO_DEEP),
    (line(AutonomousSystemNumber=float("nan")), NOT_JSON),
    ('"text"', NOT_AN_OBJECT),
    ("{}", NO_ID),
    (line() + "x", MORE_BEHIND),
    (line() + "}", MORE_BEHIND),
    (line() + "],[" + line(Id="2"), MORE_BEHIND),
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


@pytest.mark.parametrize(("text", "column", "expected"), VALUES)
def test_a_value_is_read_as_it_is_meant(text: str, column: str, expected: Any):
    row = parse_one(text)
    assert row["reason"] is None
    assert row["line"] is None
    assert row["file"] == "x.json"
    assert row[column] == expected


@pytest.mark.parametrize(("text", "reason"), REJECTS)
def test_a_bad_line_is_refused_with_its_reason_and_text(text: str, reason: str):
    nothing = dict.fromkeys(PARSED.names)
    refused = {"file": "x.json", "reason": reason, "line": text[:MAX_TEXT_LENGTH]}
    assert parse_one(text) == nothing | refused


def test_all_of_them_in_one_file_are_read_as_each_alone():
    """Columns are read together: a value must not change how its neighbours are read."""
    lines = [text for text, *_ in VALUES + REJECTS]
    together = Counter(map(repr, parse("\n".join(lines))))
    assert together == Counter(repr(row) for text in lines for row in parse(text))


# --- whole lines -----------------------------------------------------------------------------


def test_both_shapes_and_both_schemas_give_the_same_row():
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
    expected = {
        "file": "x.json",
        "signin_id": "1",
        "time_generated": utc("2026-06-30 02:05:00.123456"),
        "user_principal_name": "anna@contoso.com",
        "user_id": "u-1",
        "user": "anna@contoso.com",
        "result_type": "50126",
        "is_interactive": True,
        "app_display_name": "Teams",
        "client_app_used": "Browser",
        "browser": "Edge 131.0",
        "device_name": "PC-7",
        "operating_system": "Windows 10",
        "user_agent": "Mozilla/5.0",
        "ip_address": "203.0.113.7",
        "ip_prefix": "203.0.113",
        "autonomous_system_number": 64500,
        "country": "AT",
        "state": "Steiermark",
        "city": "Graz",
        "latitude": 47.07,
        "longitude": 15.44,
        "unread": None,
        "reason": None,
        "line": None,
    }
    assert {name: parse_one(text) for name, text in lines.items()} == dict.fromkeys(lines, expected)
    assert parse("\n".join(lines.values())) == [expected] * len(lines)


# Rows as the tables and categories are documented, with invented values: each has some of the
# columns, and details are strings in all tables but SigninLogs.
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


@pytest.mark.parametrize("name", OTHER_LOGS)
def test_rows_of_the_other_logs_are_sign_ins(name: str):
    text, expected = OTHER_LOGS[name]
    row = parse_one(text)
    assert row["reason"] is None
    assert {column: row[column] for column in expected} == expected


def test_blank_lines_are_no_lines():
    assert [row["signin_id"] for row in parse(f"\n  \n\t\n\ufeff\n\ufeff \t\r\n{line()}\n \n")] == [
        "1"
    ]
    assert parse("") == []


def test_text_that_is_not_utf_8_is_read_with_replacements():
    good, wild = line(UserAgent="?"), b"\xe4\xff"
    assert parse_one(good.encode().replace(b"?", wild))["user_agent"] == "\ufffd\ufffd"
    nested = line(DeviceDetail={"browser": "?"}).encode().replace(b"?", wild)
    assert parse_one(nested)["browser"] == "\ufffd\ufffd"
    quoted = line(DeviceDetail=json.dumps({"browser": "?"})).encode().replace(b"?", wild)
    assert parse_one(quoted)["browser"] == "\ufffd\ufffd"
    assert parse_one(wild + b"\0")["line"] == "\ufffd\ufffd\0"


def test_a_name_that_is_not_unicode_is_replaced_too():
    assert parse_one(line(), "x\udcff.json")["file"] == "x?.json"


# --- batches ---------------------------------------------------------------------------------


def test_batches_are_bounded_and_nothing_is_lost_between_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parser, "_MOST_ROWS", 50)
    monkeypatch.setattr(parser, "_CHUNK_ROWS", 8)
    texts = [line(Id=str(i)) if i % 7 else f"junk {i}" for i in range(500)]
    batches = list(parse_files([("x.json", io.BytesIO("\n".join(texts).encode()))]))
    assert max(batch.num_rows for batch in batches) <= 50
    rows = [row for batch in batches for row in batch.to_pylist()]
    found = {int(row["signin_id"] or row["line"].split()[1]): row["reason"] for row in rows}
    assert found == {i: None if i % 7 else NOT_JSON for i in range(500)}


def test_a_batch_is_bounded_in_bytes_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(parser, "_MOST_BYTES", 4 << 20)
    long = line(UserAgent="x" * 500_000)
    batches = list(parse_files([("x.json", io.BytesIO(f"{long}\n".encode() * 40))]))
    assert sum(batch.num_rows for batch in batches) == 40
    assert max(batch.num_rows for batch in batches) <= 10


# --- tables ----------------------------------------------------------------------------------


def parquet(rows: list[dict[str, Any]]) -> bytes:
    written = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), written)
    return written.getvalue()


def test_rows_of_a_table_are_read_as_lines_are():
    time = datetime(2026, 6, 3, 1, 2, 3, 456789, tzinfo=UTC)
    typed = {
        "Id": "one",
        "TimeGenerated": time,
        "UserPrincipalName": "ann@example.com",
        "ResultType": 50126,
        "AutonomousSystemNumber": 64500,
        "DeviceDetail": json.dumps({"browser": 'Edge "1"'}),
        "LocationDetails": PLACE,
        "IsInteractive": True,
        "Ratio": float("nan"),
        "Raw": b"abc",
    }
    rows = parse(parquet([typed, typed | {"Id": None}, typed | {"ResultType": None}]), "x.parquet")
    assert [row["reason"] for row in rows] == [None, NO_ID, NO_RESULT_TYPE]
    good, no_id, _ = rows
    assert good["time_generated"] == time
    assert (good["result_type"], good["is_interactive"]) == ("50126", True)
    assert (good["browser"], good["city"], good["latitude"]) == ('Edge "1"', "Graz", 47.07)
    assert json.loads(no_id["line"])["UserPrincipalName"] == "ann@example.com"


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "+02:00"])
def test_times_of_a_table_are_utc(unit: str, zone: str | None):
    time = utc("2026-06-30 02:05:00")
    micros = int(time.timestamp()) * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    times = pa.array([micros], pa.timestamp(unit, zone))
    table = pa.table({"Id": ["1"], "UserId": ["u"], "ResultType": ["0"], "TimeGenerated": times})
    written = io.BytesIO()
    pq.write_table(table, written)
    assert parse_one(written.getvalue(), "x.parquet")["time_generated"] == time


def test_a_damaged_file_ends_with_one_reject():
    whole = parquet([GOOD] * 10)
    row = parse_one(whole[:-9], "x.parquet")
    assert row["reason"].startswith("unreadable file: ")
    assert row["line"] is None
    assert row["file"] == "x.parquet"


# --- times -----------------------------------------------------------------------------------


def test_seconds_between_any_two_times_fit_an_int():
    assert (LATEST - EARLIEST).total_seconds() < 2**31


@given(
    st.datetimes(),
    st.sampled_from(["T", " "]),
    st.text("0123456789", max_size=11),
    st.sampled_from(["", "Z", "z", "UTC", " UTC", "+02:00", "-0930", "+14", "+2", "+99:99", "x"]),
    st.integers(10, 26),
)
def test_a_time_is_the_same_read_alone_or_with_all(
    time: datetime, separator: str, fraction: str, zone: str, length: int
):
    text = time.isoformat(timespec="seconds")[:length].replace("T", separator)
    text += ("." + fraction if fraction and length > 18 else "") + zone
    row = parse_one(line(TimeGenerated=text))
    assert row["time_generated"] == parse_time(text)


@given(st.datetimes(EARLIEST.replace(tzinfo=None), LATEST.replace(tzinfo=None)))
def test_any_time_is_read_back(time: datetime):
    aware = time.replace(tzinfo=UTC)
    assert parse_time(f"{time:%Y-%m-%dT%H:%M:%S.%f}9Z") == aware
    assert parse_time((aware + timedelta(hours=2)).isoformat(" ") + "+02:00") is None
    american = f"{time.month}/{time.day}/{time.year} {time:%I:%M:%S %p}"
    assert parse_time(american) == aware.replace(microsecond=0)


# --- wild values -----------------------------------------------------------------------------


def wild_records() -> st.SearchStrategy[dict[str, Any]]:
    """Any JSON in any field."""
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
    return (
        st.dictionaries(st.sampled_from(sentinel), value, max_size=15)
        # Lines that are otherwise valid, so that the code behind the required fields is reached.
        | fields.map(lambda changed: GOOD | changed)
        | properties.map(lambda changed: RECORD | {"properties": RECORD["properties"] | changed})
    )


@given(st.lists(wild_records(), max_size=5), st.booleans(), st.sampled_from(["\n", ",", "\r\n"]))
@settings(deadline=None, max_examples=40)
def test_wild_values_stop_nothing_and_no_line_is_lost(
    records: list[dict[str, Any]], ascii_only: bool, separator: str
):
    texts = [json.dumps(record, ensure_ascii=ascii_only) for record in records]
    joined = separator.join(texts)
    rows = parse(f"[{joined}]" if separator == "," and texts else joined)
    assert len(rows) == len(records)
    for row in rows:
        if row["reason"]:
            assert row["reason"] in (NO_ID, NO_TIME, NO_USER, NO_RESULT_TYPE)
            assert any(text.startswith(row["line"]) for text in texts)
        else:
            assert row["signin_id"]
            assert row["time_generated"]
            assert row["result_type"]
            assert row["user"] == (row["user_principal_name"] or row["user_id"]).lower()
    # Alone, each is the same as among others, because columns are read together.
    alone = [row for text in texts for row in parse(text)]
    assert Counter(map(repr, alone)) == Counter(map(repr, rows))


@given(st.lists(st.binary(max_size=40).map(lambda wild: wild.replace(b"[", b"(")), max_size=20))
def test_wild_bytes_are_a_reject_for_each_line(lines: list[bytes]):
    # Not in the first bytes, which decide the kind of file.
    rows = parse(b"\n" + b"\n".join(lines))
    assert all(row["reason"] and len(row["line"]) <= MAX_TEXT_LENGTH for row in rows)


@given(st.lists(wild_records(), min_size=1, max_size=3), st.data())
def test_a_damaged_text_stops_nothing(records: list[dict[str, Any]], data: st.DataObject):
    text = bytearray("\n".join(map(json.dumps, records)).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    rows = parse(b"\n" + bytes(text) + b"\n" + line(Id="last").encode())
    assert any(row["signin_id"] == "last" or "last" in (row["line"] or "") for row in rows)


@pytest.mark.parametrize("value", [None, {}, [], {"a": "b"}, ["a"], object()])
def test_a_value_that_is_not_text(value: Any):
    assert as_text(value) is None
