"""Worker processes on this machine."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess

from gclf_live.archive.child import Refused, work
from gclf_live.archive.tasks import Blame, Failure, Outcome, Progress, Setup, Task
from gclf_live.archive.worker import do_task, prepare
from gclf_live.errors import GclfError

_TELL_EVERY_S = 0.2
_GRACE_S = 2.0
_TRIES = 2
"""A task whose process died is begun once more: the system may have been short of memory for a moment."""


class _Worker:
    """One process, and the task that it has."""

    def __init__(self, setup: Setup) -> None:
        context = multiprocessing.get_context("spawn")  # a fork would share torch's threads and our locks
        self.connection, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(
            target=work, args=(theirs, pickle.dumps(setup)), daemon=True
        )
        # Ctrl-C in a terminal reaches every process of the run: only the first one may act on it.
        with _interrupt_held_back():
            self.process.start()
        theirs.close()
        self.task: Task | None = None
        self.tries = 0
        self.began_s = 0.0

    @property
    def waitables(self) -> tuple[Connection, int]:
        """What is ready once it has said something, or has died."""
        return self.connection, self.process.sentinel

    def begin(self, task: Task, *, tries: int = 1) -> None:
        self.task, self.tries, self.began_s = task, tries, time.monotonic()
        with contextlib.suppress(OSError):  # it has died: ``news`` tells
            self.connection.send(task)

    def messages(self) -> Iterator[Progress | Outcome | Refused]:
        """What it has said so far."""
        with contextlib.suppress(EOFError, OSError):
            while self.connection.poll():
                yield self.connection.recv()

    def end(self) -> None:
        self.process.terminate()

    def join(self, timeout_s: float) -> None:
        self.process.join(timeout_s)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()
        self.connection.close()
        self.process.close()


class LocalEngine:
    """As many processes as there are tasks at once, up to ``jobs``; each has its own classifier."""

    def __init__(self, setup: Setup) -> None:
        """Start nothing yet: the first task starts the first process."""
        self._setup = setup
        self._workers: list[_Worker] = []

    def free(self) -> int:
        """How many more tasks it takes now."""
        return self._setup.options.jobs - sum(worker.task is not None for worker in self._workers)

    def begin(self, task: Task) -> None:
        """Give a task to an idle process, or to a new one."""
        self._idle().begin(task)

    def news(self, timeout_s: float) -> list[Progress | Outcome]:
        """As ``Engine.news``."""
        busy = [worker for worker in self._workers if worker.task is not None]
        ready = wait([each for worker in busy for each in worker.waitables], timeout_s)
        heard = [worker for worker in busy if not set(worker.waitables).isdisjoint(ready)]
        return [news for worker in heard for news in self._hear(worker)]

    def close(self) -> None:
        """End every process, whatever it is doing."""
        with _interrupt_held_back():
            for worker in self._workers:
                worker.end()
            end_s = time.monotonic() + _GRACE_S
            for worker in self._workers:
                worker.join(max(0.0, end_s - time.monotonic()))
            self._workers.clear()

    def _idle(self) -> _Worker:
        for worker in self._workers:
            if worker.task is None and worker.process.is_alive():
                return worker
        worker = _Worker(self._setup)
        self._workers.append(worker)
        return worker

    def _hear(self, worker: _Worker) -> Iterator[Progress | Outcome]:
        alive = worker.process.is_alive()  # asked first: what it said before its end is read below
        for message in worker.messages():
            if isinstance(message, Refused):
                assert worker.task is not None
                yield Outcome(worker.task, Failure(Blame.SETUP, message.error, kind=message.kind), 0.0)
                return
            if isinstance(message, Outcome):
                worker.task = None
            yield message
        if not alive:
            yield from self._lost(worker)

    def _lost(self, worker: _Worker) -> Iterator[Outcome]:
        """Replace a process that died; its task is tried again, or has failed."""
        self._workers.remove(worker)
        task, code, wall_s = worker.task, worker.process.exitcode, time.monotonic() - worker.began_s
        worker.join(0)
        if task is None:
            return
        if worker.tries < _TRIES:
            again = _Worker(self._setup)
            self._workers.append(again)
            again.begin(task, tries=worker.tries + 1)
            return
        yield Outcome(task, Failure(Blame.INPUT, _died(task, code)), wall_s)


def _died(task: Task, code: int | None) -> str:
    how = f"exit code {code}"
    if code is not None and code < 0:
        how = (
            signal.Signals(-code).name if -code in signal.Signals.__members__.values() else f"signal {-code}"
        )
    memory = "; if memory ran out, use fewer --jobs" if code == -signal.SIGKILL else ""
    return (
        f"cannot {task.step} {str(task.source)!r}: the process at work on it died {_TRIES} times ({how})"
        f"{memory}. The others go on; try this one alone"
    )


def serve(connection: Connection, setup: Setup) -> None:
    """What a worker process runs until its parent ends it, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        prepare(setup)
    except GclfError as error:
        connection.send(Refused(type(error).__name__, str(error)))
        return
    with contextlib.suppress(EOFError, OSError):  # the parent has gone
        while True:
            task = connection.recv()
            connection.send(do_task(setup, task, _Teller(connection, task)))


class _Teller:
    """Tells the parent how far a task is, a few times a second."""

    def __init__(self, connection: Connection, task: Task) -> None:
        self._connection, self._task, self._told_s = connection, task, time.monotonic()

    def __call__(self, share: float) -> None:
        now_s = time.monotonic()
        if now_s - self._told_s >= _TELL_EVERY_S:
            self._told_s = now_s
            self._connection.send(Progress(self._task, share))


def _end_with_parent() -> None:
    """After kill -9 of the parent nobody else would end this process."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


@contextlib.contextmanager
def _interrupt_held_back() -> Iterator[None]:
    """Ctrl-C waits for the end of the block; a process that is started in it never gets any."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
