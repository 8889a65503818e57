"""What running a command costs: wall time, processor time, peak memory. Linux only.

A hunt is a tree of processes (Python, its JVM, Python workers), and some outlive their parents.
So this process becomes the one that orphans fall to: it sees them all, and the kernel's account
of its children is the whole of their processor time.
"""

import ctypes
import os
import re
import resource
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

# The kernel keeps the peaks, so seldom is enough; every look at all processes costs time.
_SAMPLE_SECONDS = 0.5
_PR_SET_CHILD_SUBREAPER = 36
_MB = 1_000_000


@dataclass(frozen=True)
class Cost:
    """What a command cost.

    driver_mb, jvm_mb: peak resident memory of the command's own process, and of its JVM.
    outcome: "finished", "failed", or "stopped" (at the time limit).
    """

    wall: float
    cpu: float
    driver_mb: float
    jvm_mb: float
    outcome: str

    def __add__(self, after: "Cost") -> "Cost":
        """One command after the other."""
        return Cost(
            self.wall + after.wall,
            self.cpu + after.cpu,
            max(self.driver_mb, after.driver_mb),
            max(self.jvm_mb, after.jvm_mb),
            after.outcome if self.outcome == "finished" else self.outcome,
        )


def measure(
    command: Sequence[str], environment: Mapping[str, str], output: Path, limit: float
) -> Cost:
    """Run a command, for at most ``limit`` seconds.

    What it prints goes to ``output``, and its messages to a file beside it that ends in .log.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = _children_cpu()
    with output.open("w") as stdout, output.with_suffix(".log").open("w") as stderr:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )
        driver_mb = jvm_mb = 0.0
        while (code := process.poll()) is None and time.perf_counter() - began < limit:
            driver, jvm = _peaks(process.pid)
            driver_mb, jvm_mb = max(driver_mb, driver), max(jvm_mb, jvm)
            with suppress(subprocess.TimeoutExpired):
                process.wait(_SAMPLE_SECONDS)
        wall = time.perf_counter() - began
        _end_descendants(process)
    outcome = "stopped" if code is None else "failed" if code else "finished"
    return Cost(wall, _children_cpu() - before, driver_mb, jvm_mb, outcome)


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _peaks(driver: int) -> tuple[float, float]:
    """Peak resident memory so far of the driver, and of the largest Java below it, in MB."""
    own = jvm = 0.0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
            if process.pid == driver:
                own = _peak(process.pid)
            elif process.name() == "java":
                jvm = max(jvm, _peak(process.pid))
    return own, jvm


def _peak(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    # A process that has ended, and is not waited for yet, has no memory any more.
    found = re.search(r"^VmHWM:\s*(\d+) kB$", status, re.MULTILINE)
    return int(found[1]) * 1024 / _MB if found else 0.0


def _end_descendants(process: subprocess.Popen) -> None:
    """End what the command left behind, and wait for it: only then is its time accounted."""
    while left := psutil.Process().children(recursive=True):
        for child in left:
            with suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGKILL)
        process.poll()
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.02)
