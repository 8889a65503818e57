"""Retries of calls to Azure. Imported when an Azure URL is first used: it needs azure-core."""

from typing import Any

from azure.core.pipeline.policies import RetryPolicy


class BoundedRetries(RetryPolicy):
    """Waits as long as the service asks in Retry-After, but never longer than a bound.

    A connection is retried only twice, because each failed one may take as long as its time limit.
    """

    def __init__(self, tries: int, longest_wait_seconds: int, **options: Any) -> None:
        counts = dict.fromkeys(("retry_total", "retry_read", "retry_status"), tries)
        bounds = {"retry_connect": 2, "retry_backoff_max": longest_wait_seconds}
        super().__init__(**counts, **bounds, **options)
        self._longest_wait_seconds = longest_wait_seconds

    def get_retry_after(self, response: Any) -> float | None:
        """As RetryPolicy describes, bounded."""
        asked = super().get_retry_after(response)
        return asked and min(asked, self._longest_wait_seconds)


class StorageRetries(BoundedRetries):
    """The same for storage, whose own policy neither heeds Retry-After nor retries a 429."""

    def send(self, request: Any) -> Any:
        """As RetryPolicy describes."""
        # Storage's own policy removes these options, and sets the mode on the response.
        options = request.context.options
        mode = options.pop("location_mode", None)
        for name in ("hosts", "retry_to_secondary"):
            options.pop(name, None)
        response = super().send(request)
        response.http_response.location_mode = mode  # type: ignore[attr-defined]
        return response

    def is_retry(self, settings: Any, response: Any) -> bool:
        """As RetryPolicy describes."""
        if response.http_response.status_code >= 400:
            # Read here, where an answer that is cut off is requested again.
            response.http_response.read()
        return super().is_retry(settings, response)
