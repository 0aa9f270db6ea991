"""Runs a command and tells how it ended: its exit code and, where it failed, one line."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import signal
import sys
from collections.abc import Sequence

import click

from gclf_live.cli.stopping import Stopped, divert, on_terminal, raise_waiting
from gclf_live.errors import ExitCode, GclfError

_LOAD_NO_NETWORK = (["report"], ["audit"])
_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def run(arguments: Sequence[str] | None = None) -> int:
    """Run ``gclf-live`` and return its exit code; an error is one line on standard error."""
    terminal = on_terminal()
    try:
        from gclf_live.cli.app import app
        from gclf_live.cpu_threads import wait_briefly
        from gclf_live.memory_limit import check_room, use_one_blas_thread

        raise_waiting()
        if "_GCLF_LIVE_COMPLETE" in os.environ:
            app.main(prog_name="gclf-live")  # a shell that asks for completions; does not return
        # It speaks of a home folder that cannot be written, and does without.
        logging.getLogger("matplotlib").setLevel(logging.ERROR)
        # Not app.main: it turns Ctrl-C into an exception of its own, with an empty line before ours.
        given = list(sys.argv[1:] if arguments is None else arguments)
        with app.make_context("gclf-live", given) as context:
            use_one_blas_thread()
            wait_briefly()
            if given[:1] not in _LOAD_NO_NETWORK and "--help" not in given:
                check_room()
            code = app.invoke(context)
        return int(code) if isinstance(code, int) else ExitCode.DONE
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more while closing it.
        divert(1, 2)
        return ExitCode.FAILED
    except (KeyboardInterrupt, Exception) as error:
        if isinstance(error, OSError) and error.errno == errno.EIO and on_terminal() != terminal:
            divert(*terminal)  # it has hung up, and its signal found the work done
            return Stopped(signal.SIGHUP).exit_code
        told = _told(error)
        if told is None:
            raise
        line, code = told
        with contextlib.suppress(OSError):  # nobody is there to read it
            click.echo(f"gclf-live: {line}", err=True)
        return code


def _told(error: BaseException) -> tuple[str, int] | None:
    """The line and the exit code of an error that is no fault of the program; None for others."""
    from gclf_live.memory_limit import is_short_of_memory, what_to_do

    notes = "".join(f"; {note}" for note in getattr(error, "__notes__", ()))
    if isinstance(error, Stopped):
        return f"{error.how}{notes}", error.exit_code
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return f"interrupted{notes}", ExitCode.INTERRUPTED
    if isinstance(error, click.ClickException):
        usage = error.ctx if isinstance(error, click.UsageError) else None
        hint = f". See {usage.command_path} --help" if usage else ""
        line = " ".join(error.format_message().split()).rstrip(".")
        return line + (hint.removeprefix(".") if line.endswith("?") else hint), error.exit_code
    if isinstance(error, GclfError):
        return str(error), error.exit_code
    # opencv-python needs libraries that desktops have and bare servers lack.
    missing = re.match(r"(\S+\.so\S*): cannot open shared object file", str(error))
    if isinstance(error, ImportError) and missing:
        how = "on Debian and Ubuntu: apt-get install libgl1 libglib2.0-0"
        return f"the system library {missing[1]} is missing; {how}", ExitCode.FAILED
    if isinstance(error, OSError) and error.filename is not None:
        # A name that is too long, a folder that may not be looked into: a trace would explain nothing.
        return f"{error.strerror}: {str(error.filename)[:200]!r}. Check the path", ExitCode.FAILED
    if isinstance(error, OSError) and error.errno in _UNWRITABLE:
        divert(1)  # what could not be written is still waiting to be
        return f"cannot write to standard output: {error.strerror}. Make room there", ExitCode.FAILED
    if is_short_of_memory(error):
        return f"memory ran out. {what_to_do()}", ExitCode.FAILED
    return None
