"""Sign-ins, attempts and tools, from which visits and their traits are made."""

from datetime import UTC, datetime, timedelta
from typing import Any

from lowslow_assets.engines.schemas import schema
from lowslow_assets.lake.tables import NODATA

START = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
PROPERTIES = {
    "application": "AppDisplayName",
    "client": "ClientAppUsed",
    "device": "operatingSystem",
    "place": "city",
    "network": "network",
    "name": "displayName",
}
MEMBERS = schema("cluster_id int, user string, ip_prefix string, time_generated timestamp")
TOOL = {"browser": "curl", "operatingSystem": "Linux", "agent": NODATA}
SILENT = {"browser": NODATA, "operatingSystem": NODATA, "agent": NODATA}


def after(hours: float) -> datetime:
    """The time so many hours after START."""
    return START + timedelta(hours=hours)


def tool_of(cluster: int = 0, since: float = 0, until: float = 10) -> dict[str, Any]:
    """TOOL as that of a campaign between these hours."""
    activity = {"first_activity": after(since), "last_activity": after(until)}
    return {"cluster_id": cluster, **TOOL, "is_device": True, **activity}


def application_of(cluster: int) -> dict[str, Any]:
    """An application as the tool of a campaign."""
    return tool_of(cluster) | SILENT | {"application": "CLI", "is_device": False}


def signin(id: str, prefix: str | None, user: str = "ann", **changed: str) -> dict[str, Any]:
    """Ann's usual sign-in, with some changes."""
    usual = {feature: f"usual {name}" for name, feature in PROPERTIES.items()}
    return {
        "signin_id": id,
        "user": user,
        "ip_prefix": prefix,
        "outcome": "success",
        "agent": NODATA,
        **usual,
        **{PROPERTIES[name]: value for name, value in changed.items()},
    }
