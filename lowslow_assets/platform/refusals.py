"""Refusals and temporary problems of Azure, each in one sentence."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from lowslow_assets.platform.azure import reason

NO_IDENTITY = "no identity was found or accepted (docs/azure.md)"
_ASK_AGAIN = (408, 429, 500, 502, 503, 504)
NO_MEANINGS: Mapping[int, str] = MappingProxyType({})


def is_permanent(error: Exception) -> bool:
    """Whether a retry is hopeless: Azure refused, and not because it was busy."""
    status = status_of(error)
    return 400 <= status < 500 and status not in _ASK_AGAIN


def status_of(error: Exception) -> int:
    """The HTTP status; 401 also for a missing identity, 0 where there was no answer."""
    from azure.core.exceptions import ClientAuthenticationError

    # The client of Log Analytics raises another error in place of the credential's.
    if any(isinstance(each, ClientAuthenticationError) for each in (error, error.__context__)):
        return 401
    found = re.search(r"Azure Error: \[\w*\] (\d{3}) ", str(error))
    return getattr(error, "status_code", None) or int(found[1] if found else 0)


def why(error: Exception, meanings: Mapping[int, str] = NO_MEANINGS) -> str:
    """Why a call failed, for people, without the call, which may hold a token.

    ``meanings`` are a service's own words by status. Without one, the words are those of storage.
    """
    status = status_of(error)
    if status in meanings:
        return meanings[status]
    if is_permanent(error):
        return reason(error)
    if isinstance(error, FileNotFoundError):
        return "a file was removed meanwhile"
    if status:
        return f"it is busy or out of order (status {status}), which should pass"
    if isinstance(error, OSError):
        return "the connection broke, or no answer came"
    return reason(error)
