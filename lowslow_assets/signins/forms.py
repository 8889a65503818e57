"""Sign-ins in other forms than the two documented ones, as rows of SigninLogs.

Objects of Microsoft Graph, rows in lower or camel case, tables of the query API and the portal's
downloads name the same fields differently. Names are compared by their letters and digits only,
without case.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from lowslow_assets.signins.json_text import ANY_OBJECT, NotAnObject, read_object
from lowslow_assets.signins.values import bounded_text

# For each name in a row, the folded names that it may have, the likeliest first.
_NAMES = {
    "Id": ("id", "requestid"),
    "UserPrincipalName": ("userprincipalname", "username"),
    "UserId": ("userid",),
    "ServicePrincipalName": ("serviceprincipalname",),
    "ServicePrincipalId": ("serviceprincipalid",),
    "resultType": ("resulttype", "signinerrorcode", "statuserrorcode"),
    "IsInteractive": ("isinteractive",),
    "AppDisplayName": ("appdisplayname", "application"),
    "ClientAppUsed": ("clientappused", "clientapp"),
    "UserAgent": ("useragent",),
    "IPAddress": ("ipaddress", "calleripaddress"),
    "AutonomousSystemNumber": ("autonomoussystemnumber",),
}
# The time at which the log was written, as a row and a record name it; else that of the sign-in.
_TIMES = ("timegenerated", "timegeneratedutc", "time", "dateutc", "createddatetime")
_DETAILS = {
    "DeviceDetail": ("devicedetail",),
    "LocationDetails": ("locationdetails", "location"),
    "status": ("status",),
}
# The entries of a missing detail, as separate fields.
_ENTRIES = {
    "DeviceDetail": {
        "browser": ("devicedetailbrowser", "browser"),
        "operatingSystem": ("devicedetailoperatingsystem", "operatingsystem"),
        "displayName": ("devicedetaildisplayname",),
    },
    "LocationDetails": {
        "city": ("locationdetailscity", "locationcity"),
        "state": ("locationdetailsstate", "locationstate"),
        "countryOrRegion": ("locationdetailscountryorregion", "locationcountryorregion"),
    },
}
# The portal writes a place as "Graz, Steiermark, AT".
_PLACE = re.compile(r"([^,]*), ([^,]*), ([A-Z]{2})")

# Names that show that a record is something else.
_OTHERS = {
    "accountupn": "a row of Microsoft Defender's tables, not of SigninLogs",
    "activitydisplayname": "a record of AuditLogs, not a sign-in",
    "records": "an envelope whose records are not read: it is of another form than Event Hubs'",
    "value": "a page whose values are not read: it is of another form than Microsoft Graph's",
    "tables": "an answer whose tables are not read: it is of another form than Log Analytics'",
    "error": "an error message, not a sign-in",
}
_OF_SIGNINS = re.compile(r"sign-?in", re.IGNORECASE)
_MOST_NAME_LENGTH = 64


def as_row(record: bytes) -> bytes:
    """The JSON of a row of SigninLogs with the record's values; raises NotAnObject.

    If a field beside a record's properties and one within them have the same name, the first
    counts.
    """
    beside, within = _fields(record)
    row = {name: _first_of(spellings, beside, within) for name, spellings in _NAMES.items()}
    row["TimeGenerated"] = _first_of(_TIMES, beside, within)
    for name, spellings in _DETAILS.items():
        found = (_detail(of.get(spelling)) for spelling in spellings for of in (beside, within))
        row[name] = next(filter(None, found), None)
    for name, entries in _ENTRIES.items():
        row[name] = row[name] or {
            entry: _first_of(spellings, beside, within) for entry, spellings in entries.items()
        }
    for of in (within, beside):
        if isinstance(location := of.get("location"), str) and not _detail(location):
            row["Location"] = location
            if match := _PLACE.fullmatch(location):
                city, state, row["Location"] = match.groups()
                row["LocationDetails"] = {"city": city, "state": state}
    # The portal gives a code only to sign-ins that failed.
    if row["resultType"] is None and beside.get("status") == "Success":
        row["resultType"] = "0"
    return msgspec.json.encode(row)


def what_it_is(record: bytes) -> str | None:
    """What kind of record this is, if it is recognised as something other than a sign-in."""
    beside, within = _fields(record)
    for name, reason in _OTHERS.items():
        if name in beside or name in within:
            return reason
    category = bounded_text(_first_of(("category", "type"), beside))
    if category and not _OF_SIGNINS.search(category):
        return f"a record of {category[:_MOST_NAME_LENGTH]}, not a sign-in"
    return None


def _fields(record: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields beside the properties of a record, and those within them, by folded name."""
    beside = _folded(read_object(ANY_OBJECT, record))
    properties = beside.get("properties")
    if isinstance(properties, str):
        try:
            properties = read_object(ANY_OBJECT, properties.encode())
        except NotAnObject:
            properties = None
    return beside, _folded(properties) if isinstance(properties, Mapping) else {}


def _folded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that have a value, by folded name."""
    return {
        re.sub(r"[^a-z0-9]", "", name[:_MOST_NAME_LENGTH].lower()): value
        for name, value in fields.items()
        if value not in (None, "", {}, [])
    }


def _first_of(names: tuple[str, ...], *fields: Mapping[str, Any]) -> Any:
    return next((of[name] for name in names for of in fields if name in of), None)


def _detail(value: Any) -> Any:
    """The value, if it is an object or the text of one."""
    is_text = isinstance(value, str) and value.lstrip().startswith(("{", '"{'))
    return value if is_text or isinstance(value, Mapping) else None
