"""The failures that a deployment retries."""

import dagster as dg
import pytest
from dagster._core.test_utils import instance_for_test

from lowslow_assets.engines.base import EngineError
from lowslow_assets.export.source import SourceError, SourceUnavailable
from lowslow_assets.lake.lake import LakeError
from lowslow_assets.orchestration.assets.declare import permanent_failures


@pytest.mark.parametrize(
    ("error", "again"),
    [
        (SourceError("no such folder"), "false"),
        (LakeError("a table is missing"), "false"),
        (EngineError("LOWSLOW_SPILL is full"), "false"),
        # An error of one of Spark's executors arrives as the text of its traceback.
        (RuntimeError("...\nSourceError: LOWSLOW_SOURCE is refused\n"), "false"),
        (SourceUnavailable("Azure is busy"), "true"),
        (RuntimeError("Java has ended"), "true"),
    ],
)
def test_a_wrong_setting_is_not_tried_again(error: Exception, again: str):
    @dg.asset
    def broken() -> None:
        with permanent_failures():
            raise error

    retries = {"run_retries": {"enabled": True, "max_retries": 2}}
    with instance_for_test(overrides=retries) as instance:
        result = dg.materialize([broken], instance=instance, raise_on_error=False)
        run = instance.get_run_by_id(result.run_id)
        assert run
        assert run.tags["dagster/will_retry"] == again
