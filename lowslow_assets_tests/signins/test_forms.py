"""Every form of sign-ins gives the same rows as SigninLogs."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from lowslow_assets.sample_tenant import Tenant
from lowslow_assets.sample_tenant.facts import facts_of
from lowslow_assets.sample_tenant.schemas import diagnostic, sentinel
from lowslow_assets.sample_tenant.traffic import draw
from lowslow_assets_tests.signins.test_parser import DEVICE, PLACE, line, parse, parse_one, record

Rows = list[dict[str, Any]]
TENANT = Tenant(seed=5, days=2, users=40, signins_per_day=120, duplicates=0.0)


@pytest.fixture(scope="module")
def records() -> Rows:
    """Records of the diagnostic settings."""
    return [json.loads(diagnostic(fact)) for fact in facts_of(*draw(TENANT))]


@pytest.fixture(scope="module")
def rows() -> Rows:
    """The same as rows of SigninLogs."""
    return [json.loads(sentinel(fact, text_details=True)) for fact in facts_of(*draw(TENANT))]


def graph(record: dict[str, Any]) -> dict[str, Any]:
    """An object of Microsoft Graph's auditLogs/signIns."""
    return record["properties"] | {"createdDateTime": record["time"]}


def portal(record: dict[str, Any]) -> dict[str, str]:
    """A row of the portal's CSV download, which has no device names and no coordinates."""
    signin = record["properties"]
    place, device = signin["location"], signin["deviceDetail"]
    parts = [place.get(name, "") for name in ("city", "state", "countryOrRegion")]
    code = str(signin["status"]["errorCode"])
    return {
        "Date (UTC)": record["time"],
        "Request ID": signin["id"],
        "User agent": signin["userAgent"],
        "User ID": signin["userId"],
        "User": signin["userDisplayName"],
        "Username": signin["userPrincipalName"],
        "Application": signin["appDisplayName"],
        "IP address": signin["ipAddress"],
        "Location": ", ".join(parts) if any(parts) else "",
        "Status": "Success" if code == "0" else "Failure",
        "Sign-in error code": "" if code == "0" else code,
        "Client app": signin["clientAppUsed"],
        "Browser": device["browser"],
        "Operating System": device["operatingSystem"],
        "Autonomous system  number": str(signin.get("autonomousSystemNumber", "")),
        "Is Interactive": str(signin["isInteractive"]),
    }


def comma_separated(values: Rows) -> str:
    names = list(dict.fromkeys(name for value in values for name in value))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, names, restval="")
    writer.writeheader()
    writer.writerows(values)
    return text.getvalue()


def of_log_analytics(row: dict[str, Any]) -> dict[str, Any]:
    return {("TimeGenerated [UTC]" if name == "TimeGenerated" else name): row[name] for name in row}


def answer(rows: Rows) -> str:
    """An answer of Log Analytics' query API."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = [{"name": name, "type": "string"} for name in names]
    values = [[row.get(name) for name in names] for row in rows]
    return json.dumps({"tables": [{"name": "P", "columns": columns, "rows": values}]})


def lines(values: Rows) -> str:
    return "".join(json.dumps(value) + "\n" for value in values)


def camel(row: dict[str, Any]) -> dict[str, Any]:
    return {name[0].lower() + name[1:]: value for name, value in row.items()}


OF_ROWS: dict[str, Callable[[Rows], str]] = {
    "lines": lines,
    "an array": json.dumps,
    "indented": lambda rows: json.dumps(rows, indent=2),
    "lower case": lambda rows: lines([{n.lower(): row[n] for n in row} for row in rows]),
    "camel case": lambda rows: lines([camel(row) for row in rows]),
    "an answer of the query API": answer,
    "Log Analytics' CSV": lambda rows: comma_separated([of_log_analytics(row) for row in rows]),
    "a CSV of the table": comma_separated,
}
OF_RECORDS: dict[str, Callable[[Rows], str]] = {
    "lines": lines,
    "envelopes": lambda records: lines(
        [{"records": records[at : at + 7]} for at in range(0, len(records), 7)]
    ),
    "envelopes in an array": lambda records: json.dumps([{"records": records}] * 1),
    "several on a line": lambda records: "".join(map(json.dumps, records)),
    "properties as text": lambda records: lines(
        [each | {"properties": json.dumps(each["properties"])} for each in records]
    ),
    "objects of Graph": lambda records: lines([graph(each) for each in records]),
    "pages of Graph": lambda records: json.dumps(
        {
            "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#auditLogs/signIns",
            "@odata.nextLink": "https://graph.microsoft.com/v1.0/auditLogs/signIns?$skiptoken=a",
            "value": [graph(each) for each in records],
        }
    ),
    "the portal's JSON": lambda records: json.dumps([graph(each) for each in records]),
}
NOT_IN_PORTAL = ("device_name", "latitude", "longitude")


def read(text: str | bytes) -> Rows:
    found = parse(text)
    assert all(row["reason"] is None for row in found)
    return sorted(found, key=lambda row: row["signin_id"])


@pytest.mark.parametrize("form", OF_ROWS)
def test_rows_in_another_form_are_the_same(rows: Rows, form: str):
    text, expected = OF_ROWS[form](rows), read(lines(rows))
    assert len(expected) > 200
    assert read(text) == expected
    for encoding in ("utf-8-sig", "utf-16"):
        assert read(text.encode(encoding)) == expected
        assert read(gzip.compress(text.encode(encoding))) == expected


@pytest.mark.parametrize("form", OF_RECORDS)
def test_records_in_another_form_are_the_same(records: Rows, form: str):
    expected = read(lines(records))
    assert read(OF_RECORDS[form](records)) == expected
    assert read(OF_RECORDS[form](records).encode("utf-16")) == expected


def test_the_portals_csv_is_the_same_in_all_columns_that_it_has(records: Rows):
    def known(rows: Rows) -> Iterator[dict[str, Any]]:
        for row in rows:
            yield {name: row[name] for name in row if name not in NOT_IN_PORTAL}

    found = read(comma_separated([portal(each) for each in records]))
    assert list(known(found)) == list(known(read(lines(records))))


def test_all_forms_may_be_in_one_text(rows: Rows, records: Rows):
    forms = [*(form(rows) for form in OF_ROWS.values()), *(f(records) for f in OF_RECORDS.values())]
    text = "\n".join(form for form in forms if form.startswith(("{", "[")))
    by_id = {row["signin_id"]: row for row in read(lines(rows)) + read(lines(records))}
    found = read(text)
    assert len(found) == 6 * len(rows) + len(OF_RECORDS) * len(records)
    assert {row["signin_id"] for row in found} == by_id.keys()


DETAIL_SPELLINGS = {
    "in Pascal case": {name[0].upper() + name[1:]: value for name, value in DEVICE.items()},
    "in upper case": {name.upper(): value for name, value in DEVICE.items()},
    "as text": json.dumps(DEVICE),
    "quoted twice": json.dumps(json.dumps(DEVICE)),
    "as Python writes it": str(DEVICE | {"isCompliant": False, "trustType": None}),
}


@pytest.mark.parametrize("spelling", DETAIL_SPELLINGS)
def test_a_detail_is_read_in_any_spelling(spelling: str):
    row = parse_one(line(DeviceDetail=DETAIL_SPELLINGS[spelling]))
    assert (row["browser"], row["operating_system"], row["device_name"], row["unread"]) == (
        *("Edge 131.0", "Windows 10", "PC-7"),
        None,
    )


def test_details_are_read_where_they_are_fields_of_their_own():
    flat = {"DeviceDetail_browser": "Edge 131.0", "DeviceDetail.operatingSystem": "Windows 10"}
    row = parse_one(line(**flat, LocationDetails=PLACE))
    assert (row["browser"], row["operating_system"], row["city"]) == (*flat.values(), "Graz")
    beside = json.loads(record()) | {"callerIpAddress": "203.0.113.7", "location": "AT"}
    row = parse_one(json.dumps(beside))
    assert (row["ip_address"], row["country"]) == ("203.0.113.7", "AT")


@pytest.mark.parametrize("detail", ["{", "[7]", "7", "{'a': b}", "{" * 50, "x" * 9_000, True])
def test_a_detail_that_cannot_be_read_is_counted(detail: Any):
    row = parse_one(line(DeviceDetail=detail, LocationDetails=detail))
    assert (row["browser"], row["city"], row["unread"]) == (None, None, "device, place")


@pytest.mark.parametrize("nothing", ["", "null", None, {}, "{}", "[]", [], "-"])
def test_a_detail_without_anything_is_no_doubt(nothing: Any):
    row = parse_one(line(DeviceDetail=nothing))
    assert (row["browser"], row["unread"]) == (None, None)


OTHERS = {
    "a record of AuditLogs, not a sign-in": {
        "time": "2026-06-30T02:06:00Z",
        "category": "AuditLogs",
        "resultType": "Update",
        "properties": {"id": "D_1", "activityDisplayName": "Update user"},
    },
    "a record of RiskyUsers, not a sign-in": {
        "time": "2026-06-30T02:06:00Z",
        "category": "RiskyUsers",
        "properties": {"id": "1"},
    },
    "a row of Microsoft Defender's tables, not of SigninLogs": {
        "Timestamp": "2026-06-30T02:05:07Z",
        "AccountUpn": "ann@example.com",
        "ErrorCode": 50126,
    },
    "an error message, not a sign-in": {"error": {"code": "Request_Throttled"}},
    "an envelope whose records are not read: it is of another form than Event Hubs'": {
        "id": 7,
        "records": {"a": 1},
    },
}


@pytest.mark.parametrize("reason", OTHERS)
def test_a_record_of_something_else_is_named(reason: str):
    assert parse_one(json.dumps(OTHERS[reason]))["reason"] == reason


@pytest.mark.parametrize(
    ("result", "code", "unread"),
    [
        *((value, "50126", None) for value in (50126, 50126.0, "50126 ", "0050126", "50126.0")),
        *((value, "50126", None) for value in ("AADSTS50126", "aadsts50126: bad", "50126: made")),
        *((value, "0", None) for value in (0, 0.0, "0.0", "00", "Success", "succeeded")),
        *((value, value, "result") for value in ("Failure", "-1", "None", "50126x")),
    ],
)
def test_a_result_is_its_code_where_it_has_one(result: Any, code: str, unread: str | None):
    row = parse_one(line(ResultType=result))
    assert (row["result_type"], row["unread"]) == (code, unread)
    row = parse_one(record(status={"errorCode": result}))
    assert (row["result_type"], row["unread"]) == (code, unread)


def test_an_error_counts_beside_a_success():
    both = json.loads(record(status={"errorCode": 0})) | {"resultType": "50126"}
    assert parse_one(json.dumps(both))["result_type"] == "50126"
    both = json.loads(record(status={"errorCode": None})) | {"resultType": "0"}
    assert parse_one(json.dumps(both))["result_type"] == "0"


@pytest.mark.parametrize(
    "name",
    [
        *("Not Available", "not available", "<null>", "null", "N/A", "{PII Removed}@domain.com"),
        *("removed for privacy", "[Redacted]", "Unknown"),
    ],
)
def test_a_placeholder_is_not_a_user(name: str):
    row = parse_one(line(UserPrincipalName=name, UserId="U-1"))
    assert (row["user_principal_name"], row["user"]) == (None, "u-1")
    nobody = "00000000-0000-0000-0000-000000000000"
    assert parse_one(line(UserPrincipalName=name, UserId=nobody))["reason"] == "no user"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(
            ("64,500", 64500),
            ("64 500", 64500),
            ("64.500", 64500),
            ("4'200'000'000", 4_200_000_000),
        ),
        *(
            ("AS 64500", 64500),
            ("64500.0", 64500),
            ("-64500", None),
            ("AS-64500", None),
            ("0", None),
        ),
    ],
)
def test_a_number_of_a_network(text: str, number: int | None):
    assert parse_one(line(AutonomousSystemNumber=text))["autonomous_system_number"] == number


@pytest.mark.parametrize(
    "time",
    [
        *("2026-06-30T02:05:00z", " 2026-06-30  02:05:00 ", "/Date(1782785100000)/"),
        *("6/30/2026 2:05:00\u202fAM", "6/30/2026, 2:05:00.000 AM", "2026-06-30T04:05:00+02:00"),
    ],
)
def test_times_in_odd_spellings(time: str):
    found = parse_one(line(TimeGenerated=time))["time_generated"]
    assert found.isoformat() == "2026-06-30T02:05:00+00:00"
