"""Whether a run's process exists, according to the code server."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._core.test_utils import create_run_for_test, instance_for_test
from dagster._grpc.client import DagsterGrpcClient
from dagster._grpc.types import GetCurrentRunsResult
from dagster._serdes import serialize_value

DEPLOYED = Path(__file__).parents[2] / "deploy" / "dagster.yaml"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """An instance with the launcher that is deployed."""
    launcher = yaml.safe_load(DEPLOYED.read_text())["run_launcher"]
    with instance_for_test(overrides={"run_launcher": launcher}) as instance:
        yield instance


def launched(instance: dg.DagsterInstance, status: dg.DagsterRunStatus) -> dg.DagsterRun:
    where = json.dumps({"host": "localhost", "port": 4000})
    return create_run_for_test(instance, status=status, tags={GRPC_INFO_TAG: where})


def running(*run_ids: str) -> Callable[[DagsterGrpcClient], str]:
    return lambda _: serialize_value(
        GetCurrentRunsResult(current_runs=run_ids, serializable_error_info=None)
    )


def unreachable(_: DagsterGrpcClient) -> str:
    raise DagsterUserCodeUnreachableError("nobody is there")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (running("another", "this"), WorkerStatus.RUNNING),
        (running("another"), WorkerStatus.NOT_FOUND),
        (running(), WorkerStatus.NOT_FOUND),
        (unreachable, WorkerStatus.RUNNING),
    ],
    ids=["runs", "others run", "started again", "away"],
)
def test_a_run_is_missing_when_its_code_server_says_so(
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[DagsterGrpcClient], str],
    status: WorkerStatus,
):
    run = launched(instance, dg.DagsterRunStatus.STARTED)
    monkeypatch.setattr(
        DagsterGrpcClient,
        "get_current_runs",
        lambda client: answer(client).replace("this", run.run_id),
    )
    assert instance.run_launcher.supports_check_run_worker_health
    assert instance.run_launcher.check_run_worker_health(run).status is status


def test_a_run_that_has_ended_meanwhile_is_not_missing(instance: dg.DagsterInstance):
    run = launched(instance, dg.DagsterRunStatus.SUCCESS)
    assert instance.run_launcher.check_run_worker_health(run).status is WorkerStatus.RUNNING
