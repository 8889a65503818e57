"""Refusals and temporary problems of Azure, each in one sentence."""

import re

from lowslow_assets.platform.azure import reason

_ASK_AGAIN = (408, 429, 500, 502, 503, 504)


def is_permanent(error: Exception) -> bool:
    """Whether a retry is hopeless: Azure refused, and not because it was busy."""
    from azure.core.exceptions import ClientAuthenticationError

    status = status_of(error)
    refused = 400 <= status < 500 and status not in _ASK_AGAIN
    return refused or isinstance(error, ClientAuthenticationError)


def status_of(error: Exception) -> int:
    """The HTTP status; 0 where there was no answer."""
    found = re.search(r"Azure Error: \[\w*\] (\d{3}) ", str(error))
    return getattr(error, "status_code", None) or int(found[1] if found else 0)


def why(error: Exception) -> str:
    """Why a call failed, for people: never what the call was."""
    if is_permanent(error):
        return reason(error)
    if isinstance(error, FileNotFoundError):
        return "a file was removed meanwhile"
    if status := status_of(error):
        return f"it is busy or out of order (status {status}), which should pass"
    if isinstance(error, OSError):
        return "the connection broke, or no answer came"
    return reason(error)
