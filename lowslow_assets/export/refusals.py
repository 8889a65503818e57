"""What goes wrong when a log is read from Azure, in one sentence."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

from lowslow_assets.export.source import SourceError, SourceUnavailable
from lowslow_assets.platform.refusals import is_permanent, status_of, why

_NONE: Mapping[int, str] = MappingProxyType({})


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
        reason_told = refusals.get(status_of(error)) or why(error)
        sentence = kind(f"LOWSLOW_SOURCE {where!r} cannot be read: {reason_told}.")
    else:
        return
    raise sentence from None
