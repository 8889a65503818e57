"""Six days on deploy/'s instance: each is made once, a late file again, whoever is killed.

Code server, daemon and webserver run as separate processes. Their records are in the PostgreSQL
that DAGSTER_PG_HOST, _PORT, _DB, _USERNAME and _PASSWORD name, in a database without runs. Half of
a small tenant's days exist at first, and half come later. The daemon is killed when the sensor has
begun to request the first days. The code server is killed in the middle of a run, and again when a
run is about to start, each time with all its processes, as a container is. Each server is started
again. At last, a file arrives that a day had lacked.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import date, timedelta
from pathlib import Path

import dagster as dg

from lowslow_assets.orchestration.definitions import build_defs
from lowslow_assets.sample_tenant import PRESETS, Tenant, generate
from lowslow_assets.settings import Settings

_DEPLOY = Path(__file__).parents[1] / "deploy"
_BIN = Path(sys.executable).parent
_TENANT = Tenant(seed=5, days=6, users=80, signins_per_day=200, campaigns=(PRESETS["classic"],))
_DAYS = [_TENANT.start + timedelta(days=n) for n in range(_TENANT.days)]
_CUT_SHORT, _LATE, _NOT_STARTED = _DAYS[1:4]
_AWAY_SECONDS = 30
_LONGEST_SECONDS = 3600
_PARTITION = "dagster/partition"
# An asset about halfway through a run, and the last one.
_AMID, _LAST = dg.AssetKey("anomaly_masks"), dg.AssetKey("delivered_incidents")


def main() -> None:
    """Run the benchmark and print what happens; the exit message says what was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="new folder for all that it makes")
    parser.add_argument("--port", type=int, default=4000, help="code server; the webserver's is +1")
    options = parser.parse_args()
    out = options.out.absolute()
    environment = _prepare(out, options.port)
    os.environ.update(environment)
    # Dagster's servers treat SIGTERM as SIGINT, which processes ignore that a shell starts with &.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    began = time.monotonic()
    workspace = ["--workspace", str(out / "workspace.yaml")]
    port = ["--port", str(options.port)]
    daemon = ["dagster-daemon", "run", *workspace]
    web = ["dagster-webserver", "--port", str(options.port + 1), *workspace]
    code = [
        "dagster",
        "api",
        "grpc",
        *port,
        "--module-name",
        "lowslow_assets.definitions",
    ]
    healthy = [_BIN / "dagster", "api", "grpc-health-check", *port]
    for day in _DAYS[:3]:
        _put(out, day)
    with dg.DagsterInstance.get() as instance, ExitStack() as processes:

        def start(command: list[str]) -> subprocess.Popen[bytes]:
            return processes.enter_context(_process(out, command))

        def say(text: str) -> None:
            seconds = time.monotonic() - began
            print(f"{seconds:6.0f} s  {text}; runs: {_summary(instance)}", flush=True)

        def start_code_server() -> subprocess.Popen[bytes]:
            process = start(code)
            _wait(lambda: not subprocess.run(healthy, stderr=subprocess.DEVNULL).returncode)
            say("the code server answers")
            return process

        def replace(code_server: subprocess.Popen[bytes], with_it: str) -> subprocess.Popen[bytes]:
            os.killpg(code_server.pid, signal.SIGKILL)
            say(f"code server killed, and with it {with_it}")
            time.sleep(_AWAY_SECONDS)
            return start_code_server()

        start(web)
        code_server = start_code_server()
        subprocess.run([_BIN / "dagster", "sensor", "start", "new_days", *workspace], check=True)
        first_daemon = start(daemon)
        # As soon as the sensor has made the first of several runs, mostly during its tick.
        _wait(lambda: _runs(instance).total() > 0)
        first_daemon.kill()
        say("daemon killed")
        for day in _DAYS[3:]:
            _put(out, day)
        time.sleep(_AWAY_SECONDS)
        start(daemon)
        say("daemon started again, with more days there")
        _wait(lambda: _made(instance, _AMID)[str(_CUT_SHORT)] > 0)
        code_server = replace(code_server, f"the run of {_CUT_SHORT}")
        _wait(lambda: _is_starting(instance, _NOT_STARTED))
        replace(code_server, f"what was to become the run of {_NOT_STARTED}")
        _wait(lambda: len(_made(instance, _LAST)) == len(_DAYS) and _all_ended(instance))
        say("all days are hunted")
        _put_late(out)
        _wait(lambda: _made(instance, _LAST)[str(_LATE)] > 1 and _all_ended(instance))
        say("the late file is hunted")
        for record in reversed(instance.get_run_records()):
            run, begun, end = record.dagster_run, record.start_time or 0, record.end_time or 0
            print(f"  {run.tags[_PARTITION]}  {run.status.value}  {end - begun:.0f} s")
        expected = Counter(map(str, [*_DAYS, _LATE]))
        layer = build_defs(Settings()).resolve_job_def("ingest_and_hunt").asset_layer
        made = {str(key): _made(instance, key) for key in layer.selected_asset_keys}
        wrong = {name: days for name, days in made.items() if days != expected}
        runs = _runs(instance) - Counter([str(_CUT_SHORT)])
        if wrong or runs != expected or _statuses(instance)["FAILURE"] != 1:
            sys.exit(f"not as it should be: {_runs(instance)} {_statuses(instance)} {wrong}")
        say(f"each of {len(made)} assets once a day, twice for the late one")


def _prepare(out: Path, port: int) -> Mapping[str, str]:
    """Make the tenant and Dagster's home; returns further variables for the processes."""
    generate(_TENANT, out / "tenant", out / "labels.csv")
    (out / "source").mkdir()
    home = out / "home"
    home.mkdir()
    shutil.copy(_DEPLOY / "dagster.yaml", home)
    workspace = (_DEPLOY / "workspace.yaml").read_text()
    (out / "workspace.yaml").write_text(workspace.replace("4000", str(port)))
    return {
        "DAGSTER_HOME": str(home),
        "LOWSLOW_CODE_HOST": "127.0.0.1",
        "LOWSLOW_SOURCE": str(out / "source"),
        "LOWSLOW_LAKE": str(out / "lake"),
        "LOWSLOW_START_DATE": str(_DAYS[0]),
        "LOWSLOW_LOOKBACK_DAYS": str(len(_DAYS)),
    }


@contextmanager
def _process(out: Path, command: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A server, which is asked to stop at the end unless it was killed."""
    with (out / f"{command[0]}.log").open("ab") as log:
        process = subprocess.Popen(
            [_BIN / command[0], *command[1:]], stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=120)


def _folder(day: date) -> str:
    return f"{day:y=%Y/m=%m/d=%d}"


def _held_back(out: Path) -> Path:
    """The file of the late day that comes last: the day's largest file."""
    files = (out / "tenant" / _folder(_LATE)).rglob("*.json")
    return max(files, key=lambda file: (file.stat().st_size, file.name))


def _put(out: Path, day: date) -> None:
    late = _held_back(out)
    # A folder is first copied under another name, because the sensor must not see half a day.
    target = out / "source" / _folder(day)
    copied = out / "coming"
    shutil.copytree(
        out / "tenant" / _folder(day),
        copied,
        ignore=lambda folder, names: [name for name in names if Path(folder, name) == late],
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    copied.rename(target)


def _put_late(out: Path) -> None:
    late = _held_back(out)
    target = out / "source" / late.relative_to(out / "tenant")
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(late, target)


def _runs(instance: dg.DagsterInstance) -> Counter[str]:
    """The number of runs by day."""
    return Counter(run.tags[_PARTITION] for run in instance.get_runs())


def _made(instance: dg.DagsterInstance, key: dg.AssetKey) -> Counter[str]:
    """How often the asset was made, by day."""
    found = instance.fetch_materializations(key, limit=1000).records
    return Counter(str(record.partition_key) for record in found)


def _statuses(instance: dg.DagsterInstance) -> Counter[str]:
    return Counter(run.status.value for run in instance.get_runs())


def _summary(instance: dg.DagsterInstance) -> str:
    return ", ".join(f"{n} {status}" for status, n in sorted(_statuses(instance).items())) or "none"


def _is_starting(instance: dg.DagsterInstance, day: date) -> bool:
    wanted = dg.RunsFilter(tags={_PARTITION: str(day)}, statuses=[dg.DagsterRunStatus.STARTING])
    return bool(instance.get_runs(wanted))


def _all_ended(instance: dg.DagsterInstance) -> bool:
    return all(run.is_finished for run in instance.get_runs())


def _wait(for_what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while not for_what():
        if time.monotonic() > deadline:
            sys.exit("it takes too long: see the logs")
        time.sleep(1)


if __name__ == "__main__":
    main()
