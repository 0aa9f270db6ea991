"""The process that children are forked from."""

from __future__ import annotations

import multiprocessing
import os
import signal
import tempfile
import threading
from multiprocessing import forkserver, resource_tracker, util
from pathlib import Path

from gclf_live.errors import UsageError
from gclf_live.serve.leftovers import Claim

# It has loaded the libraries and done nothing with them: a new child is there in 20 ms, and shares memory.
context = multiprocessing.get_context("forkserver")
"""Where children come from."""

_claims: dict[Path, Claim] = {}
_LONGEST_FOLDER = 70
"""Bytes. A socket's whole path may have 108 (sun_path in sys/un.h; 104 on macOS), 33 of which are added."""
_SHORT_FOLDER = "/tmp"


def start_fork_server() -> None:
    """Start that process, which loads what it needs by itself. Called again, it does nothing.

    Ctrl-C in a terminal reaches every process of the group: children are never to see it, the server ends
    them. Started from the main thread, they inherit that the signal is blocked.

    Raises:
        UsageError: no folder for temporary files has a path that is short enough for the process's socket.
    """
    _make_room_for_socket()
    socket_folder()
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


def socket_folder() -> Path:
    """Where multiprocessing keeps its sockets until this process ends; claimed, see ``leftovers``."""
    folder = Path(util.get_temp_dir())
    if folder not in _claims:
        _claims[folder] = Claim(folder)
    return folder


def _make_room_for_socket() -> None:
    """Where the path of the folder for temporary files is too long for a socket, choose one for them."""
    folder = tempfile.gettempdir()
    if len(os.fsencode(folder)) <= _LONGEST_FOLDER:
        return
    tempfile.tempdir = _SHORT_FOLDER
    try:
        util.get_temp_dir()  # made here, and remembered
    except OSError as error:
        raise UsageError(
            f"the path of the folder for temporary files is too long for a socket: {folder} "
            f"(allowed are {_LONGEST_FOLDER} bytes), and {_SHORT_FOLDER} cannot be used ({error.strerror}); "
            "set TMPDIR to a shorter one"
        ) from None
    finally:
        tempfile.tempdir = folder
