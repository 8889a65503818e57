"""What Azure refused, and what will pass, each in one sentence."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from lowslow_assets.export.source import SourceError, SourceUnavailable
from lowslow_assets.platform.azure import reason

_ASK_AGAIN = (408, 429, 500, 502, 503, 504)
_NONE: Mapping[int, str] = MappingProxyType({})


def is_permanent(error: Exception) -> bool:
    """Whether trying again is in vain: Azure refused, and not because it was busy."""
    from azure.core.exceptions import ClientAuthenticationError

    status = _status(error)
    refused = 400 <= status < 500 and status not in _ASK_AGAIN
    return refused or isinstance(error, ClientAuthenticationError)


def _status(error: Exception) -> int:
    """The HTTP status; 0 where there was no answer."""
    found = re.search(r"Azure Error: \[\w*\] (\d{3}) ", str(error))
    return getattr(error, "status_code", None) or int(found[1] if found else 0)


def why(error: Exception) -> str:
    """Why a call failed, for people: never what the call was."""
    if is_permanent(error):
        return reason(error)
    if isinstance(error, FileNotFoundError):
        return "a file was removed meanwhile"
    if status := _status(error):
        return f"it is busy or out of order (status {status}), which should pass"
    if isinstance(error, OSError):
        return "the connection broke, or no answer came"
    return reason(error)


@contextmanager
def told(where: str, refusals: Mapping[int, str] = _NONE) -> Iterator[None]:
    """Raise SourceError for what was refused, SourceUnavailable for what should pass.

    ``refusals`` says what a status means where its code does not. Nothing is said of the call,
    which may hold a token.
    """
    from azure.core.exceptions import AzureError

    try:
        yield
    except (AzureError, OSError) as error:
        kind = SourceError if is_permanent(error) else SourceUnavailable
        reason_told = refusals.get(_status(error)) or why(error)
        sentence = kind(f"LOWSLOW_SOURCE {where!r} cannot be read: {reason_told}.")
    else:
        return
    raise sentence from None
