"""Files parsed by several processes at once, as streams of Arrow batches.

A worker process runs this module. It reads its files' names from standard input and writes a stream
of batches to standard output. A pipe holds 64 kB, so a worker is never faster than its reader, and
memory is bounded by one batch per process. A stream that breaks off looks like one that ends: only
the exit code says whether a worker has finished.
"""

import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress

import pyarrow as pa

from lowslow_assets.engines.base import InputFile, Open, Parse

_SHOWN_MESSAGE = 4_000
_SECONDS_TO_END = 1
# With fewer bytes, starting a process takes longer than it saves.
_BYTES_PER_WORKER = 32 << 20


class WorkerError(Exception):
    """A process that parses files ended before it had finished."""


@contextmanager
def batches_of(
    files: Sequence[InputFile], parse: Parse, open_files: Open, schema: pa.Schema, processes: int
) -> Iterator[list[pa.RecordBatchReader]]:
    """Readers that together give the rows of all files.

    Raises WorkerError at the end of the context if a process failed, because rows are missing then.
    """
    total = sum(file.size for file in files)
    count = max(1, min(processes, total // _BYTES_PER_WORKER, len(files)))
    if count == 1:
        yield [pa.RecordBatchReader.from_batches(schema, parse(open_files(files)))]
        return
    workers: list[_Worker] = []
    with ExitStack() as stack:
        try:
            for _ in range(count):
                workers.append(_Worker())
                stack.callback(workers[-1].stop)
            # All start at once: a task is taken when its process has started.
            for worker, part in zip(workers, _parts(files, count), strict=True):
                worker.begin(part, parse, open_files, schema)
            yield [worker.reader() for worker in workers]
            for worker in workers:
                worker.require_end()
        except Exception:
            # The reader of a broken stream raises an error of its own.
            for worker in workers:
                with suppress(subprocess.TimeoutExpired):
                    worker.require_end(_SECONDS_TO_END)
            raise


def _parts(files: Sequence[InputFile], count: int) -> list[list[InputFile]]:
    """The files in parts of about equal size: the largest file first, each to the smallest part."""
    parts: list[list[InputFile]] = [[] for _ in range(count)]
    sizes = [0] * count
    for file in sorted(files, key=lambda file: -file.size):
        least = sizes.index(min(sizes))
        parts[least].append(file)
        sizes[least] += file.size
    return parts


class _Worker:
    def __init__(self) -> None:
        command = [sys.executable, "-m", __name__]
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - closed by stop
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._messages
        )

    def begin(
        self, files: Sequence[InputFile], parse: Parse, open_files: Open, schema: pa.Schema
    ) -> None:
        assert self._process.stdin
        with self._process.stdin as task:
            pickle.dump((list(files), parse, open_files, schema), task)

    def reader(self) -> pa.RecordBatchReader:
        return pa.ipc.open_stream(self._process.stdout)

    def require_end(self, seconds: float | None = None) -> None:
        if code := self._process.wait(seconds):
            self._messages.seek(0)
            said = self._messages.read().decode(errors="replace").strip()[-_SHOWN_MESSAGE:]
            raise WorkerError(f"A process that parses files ended with {code}. {said}")

    def stop(self) -> None:
        assert self._process.stdout
        self._process.stdout.close()
        self._process.kill()
        self._process.wait()
        self._messages.close()


def _work() -> None:
    files, parse, open_files, schema = pickle.load(sys.stdin.buffer)
    with pa.ipc.new_stream(sys.stdout.buffer, schema) as stream:
        for batch in parse(open_files(files)):
            stream.write_batch(batch)


if __name__ == "__main__":
    _work()
