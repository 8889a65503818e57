"""What a result code says about the password: the outcome of a sign-in, in one table.

A spray's attempts are not only wrong passwords. If the password was right and something else
stopped the sign-in, Entra's code shows that, and spray tools read this code. Entra also refuses
some attempts before the password counts. A code that is not in the table says nothing about the
password.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from lowslow_assets.lake.tables import FAILURE, OTHER, REFUSED, STOPPED, SUCCESS

SUCCESS_RESULT_TYPE = "0"
WRONG_PASSWORD, EXPIRED_PASSWORD, SECOND_FACTOR = "50126", "50055", "50076"

MICROSOFT = "https://learn.microsoft.com/entra/identity-platform/reference-error-codes"
"""Microsoft's list of AADSTS codes; https://login.microsoftonline.com/error?code=50126 has each."""
_CODES = "Microsoft: error codes"
_LOOKUP = "Microsoft: login.microsoftonline.com/error"

KINDS = {
    FAILURE: "the password was wrong",
    STOPPED: "the password was right, but something else stopped the sign-in",
    REFUSED: "refused before the password counted",
}
"""The outcomes of a sign-in that is not a success, if its code is in the table; else ``other``."""


@dataclass(frozen=True)
class ResultCode:
    """A code of Entra ID: what it means, and who says so.

    If the outcome is ``stopped``, ``meaning`` continues a sentence after "stopped by". ``read_by``
    names published spray tools, with their reading of the code. ``no_account`` means that the name
    has no account.
    """

    code: str
    outcome: str
    meaning: str
    source: str = _CODES
    read_by: str = ""
    no_account: bool = False


TABLE = (
    ResultCode(
        WRONG_PASSWORD, FAILURE, "wrong user name or password", read_by="all: an invalid password"
    ),
    ResultCode(
        "7000215",
        FAILURE,
        "wrong client secret of a service principal (an expired one, 7000222, is a broken "
        "application's)",
        _LOOKUP,
    ),
    ResultCode(
        EXPIRED_PASSWORD,
        STOPPED,
        "an expired password",
        read_by="MSOLSpray, TREVORspray, o365spray: valid, expired",
    ),
    ResultCode("50144", STOPPED, "a password expired in Active Directory", read_by="bl-bfg: valid"),
    ResultCode("50072", STOPPED, "a second factor not registered yet", read_by="bl-bfg: valid"),
    ResultCode("50074", STOPPED, "a missing second factor", read_by="bl-bfg: valid"),
    ResultCode(
        SECOND_FACTOR,
        STOPPED,
        "a request for a second factor",
        read_by="MSOLSpray, TREVORspray, o365spray: valid, with MFA",
    ),
    ResultCode(
        "50079",
        STOPPED,
        "a second factor that is not registered yet, or that another provider checks",
        read_by="MSOLSpray, TREVORspray, o365spray: valid, with MFA",
    ),
    ResultCode(
        "50158",
        STOPPED,
        "a challenge of another provider (Duo and the like)",
        read_by="MSOLSpray, TREVORspray, o365spray: valid, with MFA of another provider",
    ),
    ResultCode("500121", STOPPED, "a second factor that failed or was declined", _LOOKUP),
    ResultCode(
        "50131",
        STOPPED,
        "Conditional Access, for the device or suspicious activity",
        read_by="TREVORspray: right password, blocked",
    ),
    ResultCode(
        "53000",
        STOPPED,
        "Conditional Access: a compliant device is required",
        read_by="bl-bfg: valid",
    ),
    ResultCode(
        "53001",
        STOPPED,
        "Conditional Access: a domain-joined device is required",
        read_by="bl-bfg: valid",
    ),
    ResultCode("53002", STOPPED, "Conditional Access: an approved application is required"),
    ResultCode(
        "53003", STOPPED, "Conditional Access", read_by="o365spray: valid, Conditional Access"
    ),
    ResultCode(
        "53004",
        STOPPED,
        "registration of a second factor, blocked for risk",
        read_by="bl-bfg: valid",
    ),
    ResultCode("530002", STOPPED, "Conditional Access: a compliant device is required", _LOOKUP),
    ResultCode("530003", STOPPED, "Conditional Access: a managed device is required", _LOOKUP),
    ResultCode(
        "530021", STOPPED, "Conditional Access: an approved application is required", _LOOKUP
    ),
    ResultCode(
        "530031",
        STOPPED,
        "Conditional Access: the policy allows no token",
        _LOOKUP,
        "TREVORspray: valid, access policy",
    ),
    ResultCode("530032", STOPPED, "a security policy of the tenant"),
    ResultCode("530033", STOPPED, "Conditional Access: a device code from elsewhere", _LOOKUP),
    ResultCode("530034", STOPPED, "risk of a delegated administrator"),
    ResultCode("530035", STOPPED, "security defaults"),
    ResultCode(
        "50053",
        REFUSED,
        "account locked by smart lockout, or address with malicious activity",
        read_by="MSOLSpray, TREVORspray, o365spray: locked",
    ),
    ResultCode(
        "50057", REFUSED, "account disabled", read_by="MSOLSpray, TREVORspray, o365spray: disabled"
    ),
    ResultCode(
        "50056",
        REFUSED,
        "account without a password in the directory",
        read_by="TREVORspray, bl-bfg: exists, has no password",
    ),
    ResultCode(
        "50034",
        REFUSED,
        "no such account",
        read_by="MSOLSpray, TREVORspray, o365spray: no such user",
        no_account=True,
    ),
    ResultCode(
        "50059",
        REFUSED,
        "no such tenant",
        read_by="MSOLSpray, TREVORspray, o365spray: no such tenant",
        no_account=True,
    ),
    ResultCode(
        "50128",
        REFUSED,
        "no such domain",
        read_by="MSOLSpray, TREVORspray, o365spray: no such tenant",
        no_account=True,
    ),
)
RESULT_CODES = {each.code: each for each in TABLE}
INVENTED_NAMES = [each.code for each in TABLE if each.no_account]
"""Codes of names without an account: they come from an attacker's list or from a typo."""


def codes_by_outcome(changes: Mapping[str, str] | None = None) -> dict[str, list[str]]:
    """The codes of each of KINDS, in order; ``changes`` gives codes another outcome."""
    outcomes = {each.code: each.outcome for each in TABLE} | dict(changes or {})
    return {kind: sorted(code for code in outcomes if outcomes[code] == kind) for kind in KINDS}


def attempt_codes(changes: Mapping[str, str] | None = None) -> list[str]:
    """The codes of all attempts, in order."""
    return sorted(chain.from_iterable(codes_by_outcome(changes).values()))


def table_digest() -> str:
    """A digest that changes when the outcome of a code in the table changes."""
    described = json.dumps(codes_by_outcome())
    return hashlib.sha256(described.encode()).hexdigest()[:12]


def stopped_by(code: str) -> str:
    """What stopped a right password, in words."""
    known = RESULT_CODES.get(code)
    return known.meaning if known and known.outcome == STOPPED else f"result {code}"


def to_markdown(table: Iterable[ResultCode] = TABLE) -> str:
    """The table as ``docs/outcomes.md`` contains it."""
    rows = [
        f"| {each.code} | {each.outcome} | {each.meaning} | {each.source} | {each.read_by or '–'} |"
        for each in table
    ]
    head = [
        "| code | outcome | meaning | source | spray tools |",
        "| --- | --- | --- | --- | --- |",
    ]
    first = f"| {SUCCESS_RESULT_TYPE} | {SUCCESS} | signed in | {_CODES} | all: valid |"
    last = f"| any other | {OTHER} | says nothing of a password | – | – |"
    return "\n".join([*head, first, *rows, last]) + "\n"


if __name__ == "__main__":
    print(to_markdown(), end="")
