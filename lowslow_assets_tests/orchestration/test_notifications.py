"""The message about a failed run."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import dagster as dg
import pytest

from lowslow_assets.orchestration.resources import NotificationError, Notifier
from lowslow_assets.orchestration.sensors import failed_runs

SECRET = "hook-of-team-7f3a"


class Hook(ThreadingHTTPServer):
    """A web hook on loopback that keeps the messages that it receives."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.received: list[dict] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{SECRET}"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        assert isinstance(self.server, Hook)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(json.loads(body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, code: object = "-", size: object = "-") -> None:
        """Log nothing."""


@pytest.fixture
def hook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hook]:
    server = Hook()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("LOWSLOW_NOTIFY_URL", server.url)
    yield server
    server.shutdown()
    server.server_close()


@dg.asset(partitions_def=dg.DailyPartitionsDefinition("2026-06-01"))
def broken() -> None:
    raise dg.Failure("LOWSLOW_SOURCE has no folder of a day.\nAnd more.", allow_retries=False)


def fail_and_report(notifier: Notifier) -> str:
    """Run a job that fails, and the sensor; returns the run's id."""
    job = dg.Definitions(assets=[broken], jobs=[dg.define_asset_job("hunt", [broken])])
    with dg.DagsterInstance.ephemeral() as instance:
        result = job.resolve_job_def("hunt").execute_in_process(
            instance=instance, partition_key="2026-06-30", raise_on_error=False
        )
        context = dg.build_run_status_sensor_context(
            sensor_name="failed_runs",
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            dagster_event=result.get_run_failure_event(),
            resources={"notifier": notifier},
        ).for_run_failure()
        failed_runs(context)
        return result.run_id


def test_the_hook_receives_which_run_failed_for_which_day_and_why(hook):
    run_id = fail_and_report(Notifier())
    assert hook.received == [
        {
            "text": "lowslow_assets: hunt failed for 2026-06-30.\n"
            "broken: LOWSLOW_SOURCE has no folder of a day.\n"
            f"Run {run_id}."
        }
    ]


def test_without_an_address_nothing_is_sent(hook, monkeypatch):
    monkeypatch.setenv("LOWSLOW_NOTIFY_URL", " ")
    fail_and_report(Notifier())
    assert hook.received == []


def test_a_notifier_of_ones_own_takes_the_place_of_the_hook(hook):
    said = []

    class Own(Notifier):
        def send(self, text: str) -> None:
            said.append(text)

    fail_and_report(Own())
    assert len(said) == 1
    assert hook.received == []


def test_a_hook_that_refuses_is_an_error_without_its_address(hook):
    hook.status = 403
    with pytest.raises(NotificationError, match="did not take the message: 403") as caught:
        Notifier().send("text")
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("url", [f"file:///etc/{SECRET}", SECRET, f"http://[{SECRET}"])
def test_an_invalid_address_is_an_error_that_does_not_repeat_it(url, monkeypatch):
    monkeypatch.setenv("LOWSLOW_NOTIFY_URL", url)
    with pytest.raises(NotificationError) as caught:
        Notifier().send("text")
    assert SECRET not in str(caught.value)
