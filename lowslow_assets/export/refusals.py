"""Errors of reading a log from Azure, in one sentence each."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from lowslow_assets.export.source import SourceError, SourceUnavailable
from lowslow_assets.platform.refusals import is_permanent, status_of, why

_NONE: Mapping[int, str] = MappingProxyType({})


@contextmanager
def told(where: str, refusals: Mapping[int, str] = _NONE) -> Iterator[None]:
    """Raise SourceError for a refused call, SourceUnavailable for an error that should pass.

    ``refusals`` gives the meaning of a status whose code does not show it. The message does not
    mention the call, which may hold a token.
    """
    from azure.core.exceptions import AzureError

    try:
        yield
    except (AzureError, OSError) as error:
        kind = SourceError if is_permanent(error) else SourceUnavailable
        reason_told = refusals.get(status_of(error)) or why(error)
        sentence = kind(f"LOWSLOW_SOURCE {where!r} cannot be read: {reason_told}.")
    else:
        return
    raise sentence from None
