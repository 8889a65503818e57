"""A campaign in plain words: what happened, and what to do next."""

from collections.abc import Sequence
from datetime import date, datetime

from lowslow_assets.reports.pages.campaign_page import HuntDay, Row

PROPERTIES = {
    "AppDisplayName": "Application",
    "ClientAppUsed": "Client",
    "browser": "Browser",
    "displayName": "Device name",
    "operatingSystem": "Operating system",
    "network": "Network",
    "Location": "Country",
    "state": "State",
    "city": "City",
    "agent": "User agent's product",
}
# Clients that cannot do multi-factor authentication, as the log spells them.
_LEGACY_CLIENTS = {
    "Authenticated SMTP",
    "Autodiscover",
    "Exchange ActiveSync",
    "Exchange Online PowerShell",
    "Exchange Web Services",
    "IMAP4",
    "MAPI Over HTTP",
    "Offline Address Book",
    "Other clients",
    "Outlook Anywhere (RPC over HTTP)",
    "POP3",
    "Reporting Web Services",
}
_SURE = {"high": "It is very likely", "medium": "It may well be", "low": "It might be"}


def summary(incident: Row) -> str:
    """What happened, in three or four sentences."""
    compromised, known = len(incident["compromised_users"]), len(incident["known_passwords"])
    accounts = number(incident["users"], "account")
    if incident["invented_names"]:
        accounts += f" and {number(incident['invented_names'], 'name')} without an account"
    said = [
        f"From {long_date(incident['first_activity'])} to {long_date(incident['last_activity'])}, "
        f"{number(incident['attempts'], 'failed sign-in')} came in on {accounts}, "
        f"{incident['attempts_per_user']:.1f} on each, from "
        f"{number(incident['ip_addresses'], 'address', 'addresses')} in "
        f"{number(incident['countries'], 'country', 'countries')}.",
        f"{_SURE[incident['confidence_label']]} one campaign that guesses passwords slowly enough "
        "to stay below lockouts and alert thresholds.",
    ]
    if compromised == 1:
        said.append("It probably compromised one account: check it first.")
    elif compromised:
        said.append(f"It probably compromised {number(compromised, 'account')}: check these first.")
    elif known:
        said.append("No success follows its pattern.")
    else:
        said.append("No success follows its pattern: the log shows no compromised account.")
    if known:
        passwords = "the password of one account" if known == 1 else f"{known} accounts' passwords"
        these = "it" if known == 1 else "these"
        more = " besides" if compromised else ""
        said.append(f"It probably knows {passwords}{more}, and was stopped: reset {these} first.")
    return " ".join(said)


def history(incident: Row) -> str:
    """Since when the campaign is known, and what is new."""
    known = f"First found by the hunt of {long_date(incident['first_hunted'])}"
    if incident["previous_hunt"] is None:
        return f"{known}: all of it is new."
    news = number(incident["new_attempts"], "attempt")
    if compromised := len(incident["new_compromised_users"]):
        news += f", {number(compromised, 'account')} possibly compromised"
    if passwords := len(incident["new_known_passwords"]):
        news += f", {number(passwords, 'password')} known"
    return f"{known}. New since that of {long_date(incident['previous_hunt'])}: {news}."


def hunt_summary(hunt: HuntDay) -> str:
    """What a hunt started from and what was left."""
    if not hunt.failures:
        return "No sign-in in the window failed, was stopped or was refused."
    explained = sum(row["failures"] for row in hunt.explanations)
    said = (
        f"{number(hunt.failures, 'sign-in')} in the window failed, were stopped behind a right "
        "password or were refused."
    )
    if explained:
        said += (
            f" {explained / hunt.failures:.1%} of them have a harmless or loud explanation; "
            f"{hunt.suspects:,} have none and were searched for campaigns."
        )
    return said


def next_steps(incident: Row, features: Sequence[Row]) -> list[str]:
    """What to do about a campaign, most urgent first."""
    steps = []
    if incident["compromised_users"]:
        steps += [
            "Revoke the sessions and refresh tokens of the accounts that it may have compromised, "
            "and reset their passwords. Ask each owner about the sign-in: an account is cleared "
            "if its owner made it.",
            "From each first success on, look for what an intruder leaves: new authentication "
            "methods and devices, consents to applications, inbox rules, forwarding and downloads.",
        ]
    if incident["known_passwords"]:
        steps.append(
            "First reset the passwords that it knows: what stopped it may not stop it elsewhere. "
            "Ask each owner about prompts they did not cause, and check that no second factor was "
            "registered since then."
        )
    steps += [
        "Require a second factor of every account that was tried: a spray guesses passwords only.",
        "Check whether attempts continued against accounts that need no second factor: service "
        "accounts, break-glass accounts, guests.",
    ]
    clients = {row["top_category"] for row in features if row["feature"] == "ClientAppUsed"}
    if clients & _LEGACY_CLIENTS:
        steps.append(
            "Block legacy authentication by Conditional Access: the campaign mostly uses a client "
            "that cannot do multi-factor authentication."
        )
    if incident["invariants"]:
        steps.append(
            "Test a Conditional Access rule on what it keeps repeating (the fingerprint), first in "
            "report-only mode: the addresses change with every attempt, the fingerprint does not."
        )
    steps += [
        "Ban the season's likely passwords with Entra Password Protection, and switch on smart "
        "lockout and sign-in risk policies where they are off.",
        "Ask whether it was a penetration test. If so, close the incident as benign, with dates.",
        "Open the page of a later day: a campaign may continue, or pause and resume.",
    ]
    return steps


def number(count: int, one: str, many: str | None = None) -> str:
    """``1 account``, ``1,245 accounts``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def long_date(day: date | datetime) -> str:
    """``2 May 2026``; of a time, its day (UTC)."""
    return f"{day.day} {day:%B %Y}"


def p_value(value: float) -> str:
    """``p = 0.023``; a value that is too small for a number is not written as zero."""
    return f"p = {value:.2g}" if value > 0 else "p < 1e-300"


def visible(text: str) -> str:
    """The text with a mark for each invisible or reordering character."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
