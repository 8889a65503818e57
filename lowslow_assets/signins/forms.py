"""Sign-ins in other forms than the documented two, as rows of SigninLogs.

Objects of Microsoft Graph, rows in lower or camel case, tables of the query API and the portal's
downloads name the same fields differently. A name is compared without case and without what is
neither letter nor digit.
"""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from lowslow_assets.signins.json_text import ANY_OBJECT, NotAnObject, read_object
from lowslow_assets.signins.values import bounded_text

# By the name in a row the folded names it may have, the likeliest first.
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
# When the log was written, as a row and a record have it; else when the sign-in was.
_TIMES = ("timegenerated", "timegeneratedutc", "time", "dateutc", "createddatetime")
_DETAILS = {
    "DeviceDetail": ("devicedetail",),
    "LocationDetails": ("locationdetails", "location"),
    "status": ("status",),
}
# The entries of a detail that is not there, as fields of their own.
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
# "Graz, Steiermark, AT" is how the portal writes a place.
_PLACE = re.compile(r"([^,]*), ([^,]*), ([A-Z]{2})")

# Names by which a record tells that it is something else.
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
    """The JSON of a row of SigninLogs with what the record says; raises NotAnObject.

    Of one name the field beside a record's properties counts before the one within.
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
    # The portal gives a code to what failed only.
    if row["resultType"] is None and beside.get("status") == "Success":
        row["resultType"] = "0"
    return msgspec.json.encode(row)


def what_it_is(record: bytes) -> str | None:
    """What a record is that is no sign-in, where that can be told."""
    beside, within = _fields(record)
    for name, reason in _OTHERS.items():
        if name in beside or name in within:
            return reason
    category = bounded_text(_first_of(("category", "type"), beside))
    if category and not _OF_SIGNINS.search(category):
        return f"a record of {category[:_MOST_NAME_LENGTH]}, not a sign-in"
    return None


def _fields(record: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """What stands beside the properties of a record, and within them, by folded name."""
    beside = _folded(read_object(ANY_OBJECT, record))
    properties = beside.get("properties")
    if isinstance(properties, str):
        try:
            properties = read_object(ANY_OBJECT, properties.encode())
        except NotAnObject:
            properties = None
    return beside, _folded(properties) if isinstance(properties, Mapping) else {}


def _folded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """By folded name the fields that have a value."""
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
