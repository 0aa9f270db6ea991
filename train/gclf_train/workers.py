"""What every helper process of a training run does first."""

from __future__ import annotations

import signal


def ignore_interrupts(worker: int = 0) -> None:
    """Leave Ctrl-C to the process that started this one.

    A terminal sends it to all of them; those that read pictures would each end with a trace of their own,
    before the one that trains has decided what it means. ``worker`` is what torch numbers them with.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
