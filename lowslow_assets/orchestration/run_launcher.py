"""Runs as processes of the code server, which is asked whether they are still there."""

from dagster import DagsterRun, DefaultRunLauncher
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._grpc.types import GetCurrentRunsResult
from dagster._serdes import deserialize_value


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's own launcher, but a run that dies with its code server is found out.

    With Dagster's own, a run whose process is gone is reported by its code server. Where that
    died too, as when its container is killed, nobody would: the run would count as in progress,
    and keep those that wait for their turn waiting, until it has taken longer than a run may.
    Named in ``deploy/dagster.yaml``; asked by Dagster's run monitoring.
    """

    @property
    def supports_check_run_worker_health(self) -> bool:
        """So the monitoring asks."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the code server has the run's process; as long as it does not answer, yes."""
        client = self._get_grpc_client_for_termination(run.run_id)
        if client is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "the run has just ended")
        try:
            answer = deserialize_value(client.get_current_runs(), GetCurrentRunsResult)
        except DagsterUserCodeUnreachableError:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "its code server does not answer")
        if run.run_id in answer.current_runs:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(
            WorkerStatus.NOT_FOUND, "its code server has been started again since, without the run"
        )
