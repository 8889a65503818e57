"""How long a call to Azure waits before it is made again."""

from types import SimpleNamespace

import pytest

from lowslow_assets.platform.retries import BoundedRetries


@pytest.mark.parametrize(("asked", "waits"), [(None, None), ("3", 3), ("7200", 60)])
def test_retry_after_is_heeded_up_to_the_bound(asked: str | None, waits: float | None):
    headers = {} if asked is None else {"Retry-After": asked}
    response = SimpleNamespace(http_response=SimpleNamespace(headers=headers))
    assert BoundedRetries(6, 60).get_retry_after(response) == waits
