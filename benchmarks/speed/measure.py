"""The cost of a command: wall time, processor time, peak memory. Linux only.

A hunt is a tree of processes (Python, its workers, and a JVM with Spark), and some outlive their
parents. So this process becomes the parent of orphans: it sees all processes, and the kernel's
account of its children is their complete processor time.
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

# The tree is only sampled, because every sample costs time.
_SAMPLE_SECONDS = 0.25
_PR_SET_CHILD_SUBREAPER = 36
_MB = 1_000_000


@dataclass(frozen=True)
class Cost:
    """The cost of a command.

    wall, cpu: seconds; cpu is the processor time of the whole tree of processes.
    process_mb: peak resident memory of the command's own process, as the kernel reports it.
    tree_mb: the most memory that all processes of the tree held at once, sampled four times per
    second; memory that several processes share counts once.
    outcome: "finished", "failed", or "stopped" (at the time limit).
    """

    wall: float
    cpu: float
    process_mb: float
    tree_mb: float
    outcome: str

    def __add__(self, after: "Cost") -> "Cost":
        """The cost of two commands that run one after the other."""
        return Cost(
            self.wall + after.wall,
            self.cpu + after.cpu,
            max(self.process_mb, after.process_mb),
            max(self.tree_mb, after.tree_mb),
            after.outcome if self.outcome == "finished" else self.outcome,
        )


def measure(
    command: Sequence[str], environment: Mapping[str, str], output: Path, limit: float
) -> Cost:
    """Run a command, for at most ``limit`` seconds.

    Its standard output is written to ``output``, and its messages to a file beside it that ends in
    .log.
    """
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    before = _children_cpu()
    with output.open("w") as stdout, output.with_suffix(".log").open("w") as stderr:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr
        )
        process_mb = tree_mb = 0.0
        while (code := process.poll()) is None and time.perf_counter() - began < limit:
            process_mb = max(process_mb, _memory(process.pid, "status", "VmHWM"))
            pids = [child.pid for child in psutil.Process().children(recursive=True)]
            tree_mb = max(tree_mb, sum(_memory(pid, "smaps_rollup", "Pss") for pid in pids))
            with suppress(subprocess.TimeoutExpired):
                process.wait(_SAMPLE_SECONDS)
        wall = time.perf_counter() - began
        _end_descendants(process)
    outcome = "stopped" if code is None else "failed" if code else "finished"
    return Cost(wall, _children_cpu() - before, process_mb, tree_mb, outcome)


def _children_cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _memory(pid: int, file: str, name: str) -> float:
    """A figure of a process in MB; 0 if the process has ended."""
    with suppress(FileNotFoundError, ProcessLookupError):
        text = Path(f"/proc/{pid}/{file}").read_text()
        # A process that has ended, but has not been waited for yet, has no memory any more.
        if found := re.search(rf"^{name}:\s*(\d+) kB$", text, re.MULTILINE):
            return int(found[1]) * 1024 / _MB
    return 0.0


def _end_descendants(process: subprocess.Popen[bytes]) -> None:
    """End the command's remaining processes, and wait: only then is their time accounted."""
    while left := psutil.Process().children(recursive=True):
        for child in left:
            with suppress(psutil.NoSuchProcess):
                child.send_signal(signal.SIGKILL)
        process.poll()
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.02)
