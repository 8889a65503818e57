"""Ten days on deploy/'s instance: each day is hunted once, a late file again, whoever is killed.

Code server, daemon and webserver run as processes of their own with records in the PostgreSQL
that DAGSTER_PG_HOST, _PORT, _DB, _USERNAME and _PASSWORD name, a database without runs. A small
tenant's days come one after the other; when the sensor has begun to request them the daemon is
killed, and started again later. The last thing to come is a file that was missing from a day.
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
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

import dagster as dg

from lowslow_assets.sample_tenant import PRESETS, Tenant, generate

_DEPLOY = Path(__file__).parents[1] / "deploy"
_BIN = Path(sys.executable).parent
_TENANT = Tenant(seed=5, days=10, users=80, signins_per_day=200, campaigns=(PRESETS["classic"],))
_DAYS = [_TENANT.start + timedelta(days=n) for n in range(_TENANT.days)]
_LATE = _DAYS[6]
_A_DAY_COMES_SECONDS = 60
_DAEMON_AWAY_SECONDS = 30
_LONGEST_SECONDS = 3600
_PARTITION = "dagster/partition"


def main() -> None:
    """Run it, printing what happens; exits with what was not as it should be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, help="new folder for all that it makes")
    parser.add_argument("--port", type=int, default=4000, help="code server; the webserver's is +1")
    options = parser.parse_args()
    out = options.out.absolute()
    environment = _prepare(out, options.port)
    os.environ.update(environment)
    began = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - began:6.0f} s  {text}", flush=True)

    workspace = ["--workspace", str(out / "workspace.yaml")]
    port = ["--port", str(options.port)]
    daemon = ["dagster-daemon", "run", *workspace]
    web = ["dagster-webserver", "--port", str(options.port + 1), *workspace]
    code = ["dagster", "api", "grpc", *port, "--module-name", "lowslow_assets.definitions"]
    with (
        _process(out, code),
        _process(out, web),
        dg.DagsterInstance.get() as instance,
    ):
        healthy = [_BIN / "dagster", "api", "grpc-health-check", *port]
        while subprocess.run(healthy, stderr=subprocess.DEVNULL).returncode:
            time.sleep(1)
        say("the code server answers")
        _put(out, _DAYS[0])
        subprocess.run([_BIN / "dagster", "sensor", "start", "new_days", *workspace], check=True)
        with _process(out, daemon) as running:
            for day in _DAYS[1:6]:
                time.sleep(_A_DAY_COMES_SECONDS)
                _put(out, day)
                say(f"{day} came; runs: {_summary(instance)}")
            # As soon as the sensor has made the first run of several: mostly within its tick.
            _wait(lambda: _runs(instance).total() > 1)
            running.kill()
            say(f"daemon killed; runs: {_summary(instance)}")
        time.sleep(_DAEMON_AWAY_SECONDS)
        with _process(out, daemon):
            say(f"daemon started again; runs: {_summary(instance)}")
            for day in _DAYS[6:]:
                time.sleep(_A_DAY_COMES_SECONDS)
                _put(out, day)
                say(f"{day} came; runs: {_summary(instance)}")
            _wait(lambda: _runs(instance).total() >= len(_DAYS) and _all_ended(instance))
            say(f"all days are hunted; runs: {_summary(instance)}")
            _put_late(out)
            _wait(lambda: _runs(instance).total() > len(_DAYS) and _all_ended(instance))
            say(f"the late file is hunted; runs: {_summary(instance)}")
        for record in reversed(instance.get_run_records()):
            run, start, end = record.dagster_run, record.start_time or 0, record.end_time or 0
            print(f"  {run.tags[_PARTITION]}  {run.status.value}  {end - start:.0f} s")
        expected = Counter({str(day): 1 + (day == _LATE) for day in _DAYS})
        if _runs(instance) != expected or set(_statuses(instance)) != {"SUCCESS"}:
            sys.exit(f"not as it should be: {_runs(instance)} {_statuses(instance)}")
        say("each day once, the late one twice, none failed")


def _prepare(out: Path, port: int) -> Mapping[str, str]:
    """Make the tenant and Dagster's home; returns what the processes' environment has more."""
    generate(_TENANT, out / "tenant", out / "labels.csv")
    # A source without a day is an error to the sensor, which waits then.
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
    """A server, which is told to end at the end, unless it was killed."""
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
    """The file of the late day that comes last: its largest."""
    files = (out / "tenant" / _folder(_LATE)).rglob("*.json")
    return max(files, key=lambda file: (file.stat().st_size, file.name))


def _put(out: Path, day: date) -> None:
    late = _held_back(out)
    # A folder is copied under another name first: the sensor must not see half a day.
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
    """Runs by their day."""
    return Counter(run.tags[_PARTITION] for run in instance.get_runs())


def _statuses(instance: dg.DagsterInstance) -> Counter[str]:
    return Counter(run.status.value for run in instance.get_runs())


def _summary(instance: dg.DagsterInstance) -> str:
    return ", ".join(f"{n} {status}" for status, n in sorted(_statuses(instance).items())) or "none"


def _all_ended(instance: dg.DagsterInstance) -> bool:
    return all(run.is_finished for run in instance.get_runs())


def _wait(for_what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while not for_what():
        if time.monotonic() > deadline:
            sys.exit("it takes too long: see the logs")
        time.sleep(2)


if __name__ == "__main__":
    main()
