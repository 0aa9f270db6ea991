"""Keeping C libraries from printing past us."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

_STDERR = 2
# Two threads that leave in the order in which they came would leave standard error where it leads nowhere.
_one_at_a_time = threading.Lock()


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send what this process writes to standard error nowhere while the block runs.

    For libraries that print there and cannot be told not to. Other threads are not heard either.
    """
    with _one_at_a_time:
        try:
            kept = os.dup(_STDERR)
        except OSError:  # it is closed
            yield
            return
        with contextlib.suppress(OSError, ValueError, AttributeError):  # None, closed, or a full disk
            sys.stderr.flush()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, _STDERR)
        os.close(nowhere)
        try:
            yield
        finally:
            os.dup2(kept, _STDERR)
            os.close(kept)
