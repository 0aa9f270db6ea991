"""The command line. What is heavy is imported inside the commands: ``--help`` answers at once."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Sequence

from gclf_live.cli.stopping import Stopped, ignore_signals, stop_on_signals
from gclf_live.errors import ExitCode


def main(arguments: Sequence[str] | None = None) -> None:
    """Run ``gclf-live`` and end the process with the exit code of ``errors.ExitCode``.

    SIGTERM, which is how a batch system ends a job, and SIGHUP, which a window sends that is closed, finish
    what is there as Ctrl-C does; exit codes 143 and 129.
    """
    stop_on_signals()
    begun = False
    try:
        # Only now: it takes most of the time until a command begins, and signals come when they like.
        from gclf_live.cli.running import run

        begun = True
        code = run(arguments)
    except KeyboardInterrupt as stop:
        how, code = (
            (stop.how, stop.exit_code) if isinstance(stop, Stopped) else ("interrupted", ExitCode.INTERRUPTED)
        )
        if not begun:  # else it came once more, while the first one was told
            with contextlib.suppress(OSError):  # nobody is there to read it
                print(f"gclf-live: {how}", file=sys.stderr)
    ignore_signals()
    # A read of a silent stream cannot be woken, and the interpreter's end would wait 30 s for it.
    if any(thread.daemon for thread in threading.enumerate() if thread is not threading.current_thread()):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
