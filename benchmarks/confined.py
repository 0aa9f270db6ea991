"""A child process that does one piece of work after another, under limits that the kernel keeps.

What it must not do is seen from outside: end by a signal, go on for too long, or raise what is no answer.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

_GIB = 2**30
_MEMORY_BYTES = 4 * _GIB
_FILE_BYTES = _GIB
_START_S = 180.0
_WALL_FACTOR = 12
"""A busy machine gives a process a fraction of a core: the limit counts the time of its processor."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one run of the command came to.

    Attributes:
        code: its exit code.
        out, err: what it printed, libraries included.
    """

    code: int
    out: str
    err: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a piece of work came to.

    Attributes:
        value: what it returned; None where it ended otherwise.
        fault: empty, or ``crash``, ``hang`` or ``traceback`` with what is known of it.
    """

    value: Any = None
    fault: str = ""


class Confined:
    """Does ``work`` in a child process, and in a new one after that was lost."""

    def __init__(
        self,
        work: Callable[[Any], Any],
        *,
        prepare: Callable[[], None] | None = None,
        limit_s: float = 10.0,
    ) -> None:
        """Nothing is started yet.

        Args:
            work: a function of a module, of one argument; both it and what it returns can be pickled.
            prepare: likewise, without an argument: what the child does before its memory is limited.
            limit_s: seconds of processor time, after which it counts as hanging.
        """
        self._work, self._prepare, self._limit_s = work, prepare or _nothing, limit_s
        self._child: tuple[SpawnProcess, Connection] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def call(self, argument: Any) -> Outcome:
        """Do the work once."""
        process, connection = self._child or self._start()
        used_s, until_s = _processor_s(process.pid), time.monotonic() + _WALL_FACTOR * self._limit_s
        try:
            connection.send(argument)
            while not connection.poll(0.2):
                if _processor_s(process.pid) - used_s > self._limit_s or time.monotonic() > until_s:
                    self._end()
                    return Outcome(fault=f"hang: more than {self._limit_s:g} s")
            value, fault = connection.recv()
        except (EOFError, OSError):
            process.join(10)
            code = process.exitcode
            self._end()
            name = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
            return Outcome(fault=f"crash: {name}")
        return Outcome(value, fault)

    def _start(self) -> tuple[SpawnProcess, Connection]:
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, self._work, self._prepare))
        process.start()
        theirs.close()
        self._child = process, ours
        if not ours.poll(_START_S):
            self._end()
            raise RuntimeError(f"the child process did not start within {_START_S:.0f} s")
        ours.recv()
        return process, ours

    def _end(self) -> None:
        if self._child is not None:
            process, connection = self._child
            process.kill()
            process.join()
            connection.close()
            self._child = None


def run_command(arguments: Sequence[str], *, stdin: Path | None = None) -> Told:
    """Run ``gclf-live`` in this process.

    Args:
        arguments: of the command line.
        stdin: a file that is fed to standard input through a pipe.
    """
    from gclf_live.cli.running import run

    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with _fed_with(stdin), _caught(1, out), _caught(2, err):
            code = run(list(arguments))
        return Told(code, _text(out), _text(err))


@contextlib.contextmanager
def _caught(descriptor: int, file: IO[bytes]) -> Iterator[None]:
    """Send what is written to ``descriptor``, also by C libraries, into a file."""
    stream = sys.stdout if descriptor == 1 else sys.stderr
    kept = os.dup(descriptor)
    os.dup2(file.fileno(), descriptor)
    try:
        yield
    finally:
        stream.flush()
        os.dup2(kept, descriptor)
        os.close(kept)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


@contextlib.contextmanager
def _fed_with(path: Path | None) -> Iterator[None]:
    if path is None:
        yield
        return
    reading, writing = os.pipe()
    kept = os.dup(0)
    os.dup2(reading, 0)
    os.close(reading)

    def feed() -> None:
        with contextlib.suppress(BrokenPipeError), os.fdopen(writing, "wb") as pipe:
            pipe.write(path.read_bytes())

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    # A process that multiprocessing starts has something else there.
    before, sys.stdin = sys.stdin, os.fdopen(0, closefd=False)
    try:
        yield
    finally:
        sys.stdin = before
        os.dup2(kept, 0)  # the pipe has no reader any more, and the feeder ends
        os.close(kept)
        feeder.join(5)


def load_pipeline() -> None:
    """Load what ``gclf-live`` needs for files, on one thread: so many libraries map gigabytes."""
    import cv2
    import torch

    import gclf_live.cli.annotate_one
    import gclf_live.pipeline.annotate
    import gclf_live.pipeline.pictures  # noqa: F401

    cv2.setNumThreads(1)
    torch.set_num_threads(1)


def _nothing() -> None:
    """No preparation."""


def _serve(connection: Connection, work: Callable[[Any], Any], prepare: Callable[[], None]) -> None:
    """The child: answers until it is killed."""
    prepare()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)  # a file that grows too large is an error, not the end
    memory = _mapped_bytes() + _MEMORY_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    connection.send("ready")
    while True:
        try:
            argument = connection.recv()
        except EOFError:
            return
        try:
            connection.send((work(argument), ""))
        except Exception:  # what no user should ever see is what is looked for
            connection.send((None, f"traceback: {traceback.format_exc()}"))


def _mapped_bytes() -> int:
    """Address space of this process: the libraries alone map some gigabytes."""
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    return pages * os.sysconf("SC_PAGE_SIZE")


def _processor_s(pid: int | None) -> float:
    """Seconds that a process has had of the processors; 0 for one that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
