"""The process that children are forked from."""

from __future__ import annotations

import multiprocessing
import signal
import threading
from multiprocessing import forkserver, resource_tracker

# It has loaded the libraries and done nothing with them: a new child is there in 20 ms, and shares memory.
context = multiprocessing.get_context("forkserver")
"""Where children come from."""


def start_fork_server() -> None:
    """Start that process, which loads what it needs by itself. Called again, it does nothing.

    Ctrl-C in a terminal reaches every process of the group: children are never to see it, the server ends
    them. Started from the main thread, they inherit that the signal is blocked.
    """
    context.set_forkserver_preload(["gclf_live.serve.preload"])
    if threading.current_thread() is not threading.main_thread():
        forkserver.ensure_running()
        return
    resource_tracker.ensure_running()  # it would unblock the signal
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
