"""The applications that people sign in to, client protocols, and result codes."""

from typing import NamedTuple

import numpy as np


class App(NamedTuple):
    """An application and the resource its tokens are for, by their display names."""

    name: str
    resource: str


_EXCHANGE, _GRAPH, _SHAREPOINT = (
    "Office 365 Exchange Online",
    "Microsoft Graph",
    "Office 365 SharePoint Online",
)
_COMMON = [
    App("Office 365 Exchange Online", _EXCHANGE),
    App("Microsoft Teams", "Microsoft Teams Services"),
    App("Office 365 SharePoint Online", _SHAREPOINT),
    App("Microsoft Authentication Broker", "Device Registration Service"),
    App("OfficeHome", _GRAPH),
    App("Microsoft Office", _EXCHANGE),
    App("One Outlook Web", _EXCHANGE),
    App("Outlook Mobile", _EXCHANGE),
    App("OneDrive SyncEngine", _SHAREPOINT),
    App("Windows Sign In", "Windows Azure Active Directory"),
    App("Azure Portal", "Windows Azure Service Management API"),
    App("My Apps", "Windows Azure Active Directory"),
    App("Salesforce", "Salesforce"),
    App("ServiceNow", "ServiceNow"),
    App("Workday", "Workday"),
    App("Atlassian Cloud", "Atlassian Cloud"),
    App("Zoom", "Zoom"),
    App("Adobe Creative Cloud", "Adobe Creative Cloud"),
    App("Power BI Service", "Power BI Service"),
    App("Visual Studio Code", "Windows Azure Service Management API"),
    App("GitHub Enterprise", "GitHub Enterprise"),
    App("SAP Concur", "SAP Concur"),
    App("Microsoft Forms", "Microsoft Forms"),
    App("Microsoft To-Do", _EXCHANGE),
    App("Expense Portal", "Expense Portal"),
    App("Warehouse Planner", "Warehouse Planner"),
    App("Ticket Desk", "Ticket Desk"),
    App("Learning Hub", "Learning Hub"),
    App("Travel Desk", "Travel Desk"),
    App("Lab Notebook", "Lab Notebook"),
]
_ODD_NAMES = (
    "Azure Active Directory PowerShell|Microsoft Azure CLI|Microsoft Azure PowerShell|"
    "Microsoft Intune Company Portal|Microsoft Whiteboard Client|Microsoft Planner|Yammer|"
    "Microsoft Stream|Microsoft Bookings|Sway|Universal Store Native Client|Dynamics 365|"
    "Microsoft Power Automate|PowerApps|Windows Search|Accounts Control UI|Microsoft Edge|"
    "Enterprise Roaming and Backup|Microsoft Docs|Microsoft Kaizala|SharePoint Android|"
    "Microsoft Tunnel|Visual Studio|Aadrm Admin Powershell|Office Delve|"
    "Microsoft Exchange REST API Based Powershell|ZTNA Network Access Client|Dataverse|"
    "Microsoft Device Management Agent|Outlook Lite|Microsoft Defender for Mobile|Bing"
)
_ODD = [App(name, _GRAPH) for name in _ODD_NAMES.split("|")]
_CONNECTOR = [App("CRM Mail Connector", _EXCHANGE)]
_NEW = [App("Benefits Portal", "Benefits Portal")]

APPS = _COMMON + _ODD + _CONNECTOR + _NEW
COMMON_APPS = np.arange(len(_COMMON))
"""Indices of the applications that the tenant uses every day, the most popular first."""
ODD_APPS = np.arange(len(_COMMON), len(_COMMON) + len(_ODD))
"""Indices of applications that exist in every tenant and that hardly anybody opens."""
NEW_APP = len(APPS) - 1
"""The application that nobody opens before the tenant introduces it (see `Tenant.new_app_day`)."""
CONNECTOR_APP = NEW_APP - 1
EXCHANGE_APP = 0

CLIENTS = [
    "Browser",
    "Mobile Apps and Desktop clients",
    "Exchange ActiveSync",
    "IMAP4",
    "POP3",
    "Authenticated SMTP",
    "Exchange Web Services",
    "Other clients",
]
"""`ClientAppUsed`; from the third on these protocols carry a bare password."""
BROWSER, RICH_CLIENT, ACTIVE_SYNC = 0, 1, 2
LEGACY_CLIENTS = np.array([3, 4, 5, 7])
CONNECTOR_CLIENT, OTHER_CLIENT = 6, 7

SUCCESS, WRONG_PASSWORD, EXPIRED_PASSWORD, LOCKED = 0, 50126, 50055, 50053
MFA_CODES = np.array([50074, 50076])
MFA_REFUSED = 500121
STOPPED_CODES = np.array([50074, 50076, 50079, 53003, 50158, EXPIRED_PASSWORD])
"""The codes that stop a sign-in although its password was right."""
OTHER_CODES = np.array([50140, 53003, 65001, 50058, 700016, LOCKED, 50105, 50097])
"""Interruptions and refusals that say nothing about the password, commonest first."""

REASONS = {
    WRONG_PASSWORD: "Error validating credentials due to invalid username or password.",
    EXPIRED_PASSWORD: "The password is expired.",
    LOCKED: "The account is locked: too many attempts with an incorrect password.",
    50058: "Session information is not sufficient for single-sign-on.",
    50074: "Strong Authentication is required.",
    50076: "You must use multi-factor authentication.",
    50079: "The user must enroll in multi-factor authentication.",
    50097: "Device authentication is required.",
    50105: "The signed in user is not assigned to a role for the application.",
    50140: "This error occurred due to 'Keep me signed in' interrupt when the user was signing-in.",
    50158: "External security challenge was not satisfied.",
    MFA_REFUSED: "Authentication failed during strong authentication request.",
    53003: "Access has been blocked by Conditional Access policies.",
    65001: "The user or administrator has not consented to use the application.",
    700016: "Application was not found in the directory.",
}
"""`Status.failureReason` by result code."""
