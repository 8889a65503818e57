"""The two forms in which the same sign-in is exported: Sentinel's table, diagnostic settings."""

from typing import Any

import msgspec

from lowslow_assets.sample_tenant.facts import Facts
from lowslow_assets.sample_tenant.streams import guids, mix

TENANT_ID, WORKSPACE_ID = guids(mix("tenant", [1, 2]), mix("tenant id", [1, 2]))
_RESOURCE = f"/tenants/{TENANT_ID}/providers/Microsoft.aadiam"


def sentinel(facts: Facts, text_details: bool) -> str:
    """A row of the table SigninLogs, with its dynamic columns as objects or as JSON text."""

    def dynamic(value: dict[str, Any]) -> dict[str, Any] | str:
        return _encode(value) if text_details else value

    record = {
        "TenantId": WORKSPACE_ID,
        "SourceSystem": "Azure AD",
        "TimeGenerated": facts.time,
        "Category": "SignInLogs",
        "ResultType": facts.result,
        "ResultSignature": _signature(facts),
        "CorrelationId": facts.correlation,
        "Location": facts.location.get("countryOrRegion", ""),
        "AppDisplayName": facts.app.name,
        "AppId": app_id(facts),
        "AuthenticationRequirement": _requirement(facts),
        "ClientAppUsed": facts.client,
        "ConditionalAccessStatus": _conditional_access(facts),
        "CreatedDateTime": facts.created,
        "DeviceDetail": dynamic(facts.device),
        "Id": facts.id,
        "IPAddress": facts.address,
        "IsInteractive": facts.interactive,
        "LocationDetails": dynamic(facts.location),
        "ResourceDisplayName": facts.app.resource,
        "RiskLevelDuringSignIn": "none",
        "Status": dynamic(facts.status),
        "UserAgent": facts.user_agent,
        "UserDisplayName": facts.user_name,
        "UserId": facts.user_id,
        "UserPrincipalName": facts.upn,
        "Type": "SigninLogs",
    }
    if facts.asn is not None:
        record["AutonomousSystemNumber"] = facts.asn
    return _encode(record)


def diagnostic(facts: Facts) -> str:
    """A record of Entra's diagnostic settings export."""
    properties = {
        "id": facts.id,
        "createdDateTime": facts.created,
        "userDisplayName": facts.user_name,
        "userPrincipalName": facts.upn,
        "userId": facts.user_id,
        "appId": app_id(facts),
        "appDisplayName": facts.app.name,
        "ipAddress": facts.address,
        "status": facts.status,
        "clientAppUsed": facts.client,
        "userAgent": facts.user_agent,
        "deviceDetail": facts.device,
        "location": facts.location,
        "correlationId": facts.correlation,
        "conditionalAccessStatus": _conditional_access(facts),
        "isInteractive": facts.interactive,
        "authenticationRequirement": _requirement(facts),
        "riskLevelDuringSignIn": "none",
        "resourceDisplayName": facts.app.resource,
    }
    if facts.asn is not None:
        properties["autonomousSystemNumber"] = facts.asn
    record = {
        "time": facts.time,
        "resourceId": _RESOURCE,
        "operationName": "Sign-in activity",
        "operationVersion": "1.0",
        "category": "SignInLogs",
        "tenantId": TENANT_ID,
        "resultType": facts.result,
        "resultSignature": _signature(facts),
        "callerIpAddress": facts.address,
        "correlationId": facts.correlation,
        "identity": facts.user_name,
        "Level": 4,
        "location": facts.location.get("countryOrRegion", ""),
        "properties": properties,
    }
    return _encode(record)


def _encode(value: dict[str, Any]) -> str:
    return msgspec.json.encode(value).decode()


_APP_IDS: dict[str, str] = {}


def app_id(facts: Facts) -> str:
    """A GUID that belongs to the application."""
    name = facts.app.name
    if name not in _APP_IDS:
        _APP_IDS[name] = guids(mix("app", name), mix("app id", name))[0]
    return _APP_IDS[name]


def _signature(facts: Facts) -> str:
    return "SUCCESS" if facts.result in ("0", 0) else "FAILURE"


def _requirement(facts: Facts) -> str:
    kind = (
        "single" if facts.client not in ("Browser", "Mobile Apps and Desktop clients") else "multi"
    )
    return f"{kind}FactorAuthentication"


def _conditional_access(facts: Facts) -> str:
    if facts.result in ("0", 0):
        return "success"
    return "failure" if facts.result in ("53003", 53003) else "notApplied"
