"""Tests that run side by side, and a test that runs alone."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def turn(folder: Path, *, alone: bool) -> Iterator[None]:
    """Wait until a test may run beside those of the other workers; if ``alone``, until none of them runs.

    Whoever waits to be alone lets nobody else begin, and so waits for one test of each worker at most.
    ``folder`` is one that all workers share.
    """
    with (folder / "next").open("w") as door, (folder / "running").open("w") as room:
        fcntl.flock(door, fcntl.LOCK_EX)
        fcntl.flock(room, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(door, fcntl.LOCK_UN)
        try:
            yield
        finally:
            # Said, not left to the closing: a process that the test forked may have the file open, too.
            fcntl.flock(room, fcntl.LOCK_UN)
