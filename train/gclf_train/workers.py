"""Helper processes of a training run: what each does first, and pictures worked on in several at once."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import TypeVar

from gclf_live.errors import GclfError

Job = TypeVar("Job")
Found = TypeVar("Found")


class WorkerLostError(GclfError, RuntimeError):
    """A helper process was ended from outside, as a system does that is short of memory."""

    def __init__(self) -> None:
        super().__init__(
            "a process that reads pictures was ended by something else, perhaps because memory ran out. "
            "Close other programs and run it again, with --resume where a training had begun"
        )


def ignore_interrupts(worker: int = 0) -> None:
    """Leave Ctrl-C to the process that started this one.

    A terminal sends it to all of them; those that read pictures would each end with a trace of their own,
    before the one that trains has decided what it means. ``worker`` is what torch numbers them with.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def in_processes(
    work: Callable[[Job], Found],
    jobs: Sequence[Job],
    *,
    workers: int,
    chunk: int,
    start: Callable[[], None] = ignore_interrupts,
) -> Iterator[Found]:
    """What ``work`` makes of each job, in the order of the jobs.

    Args:
        work, start: functions of a module; ``start`` is what a process does first.
        workers: processes at once.
        chunk: jobs that a process takes at once.

    Raises:
        WorkerLostError: one of them has ended. (``multiprocessing.Pool`` would wait for its answer forever.)
    """
    # Spawned, not forked: OpenCV's threads do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=start) as pool:
        try:
            yield from pool.map(work, jobs, chunksize=chunk)
        except BrokenProcessPool:
            raise WorkerLostError from None
