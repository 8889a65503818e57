"""Errors of reading a log from Azure, in one sentence each."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from lowslow_assets.export.source import SourceError, SourceUnavailable
from lowslow_assets.platform.refusals import NO_MEANINGS, is_permanent, why


@contextmanager
def as_source_errors(where: str, meanings: Mapping[int, str] = NO_MEANINGS) -> Iterator[None]:
    """Raise SourceError for a refused call, SourceUnavailable for an error that should pass.

    ``meanings`` are a service's own words by status, as ``why`` takes them.
    """
    from azure.core.exceptions import AzureError

    try:
        yield
    except (AzureError, OSError) as error:
        kind = SourceError if is_permanent(error) else SourceUnavailable
        sentence = kind(f"LOWSLOW_SOURCE {where!r} cannot be read: {why(error, meanings)}.")
    else:
        return
    raise sentence from None
