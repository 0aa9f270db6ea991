"""One error tree. Every message says what was got, what is allowed and what to do, in one line.

Each class also inherits the builtin that a Python programmer would expect to catch, and carries
the exit code that the command line ends with.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Exit codes of ``gclf-live``."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    SOME_FAILED = 3
    INTERRUPTED = 130


class GclfError(Exception):
    """Base of every error that this package raises on purpose."""

    exit_code: ExitCode = ExitCode.FAILED


class UsageError(GclfError, ValueError):
    """An argument or option that cannot be used as it was given."""

    exit_code = ExitCode.USAGE


class SourceError(GclfError, OSError):
    """A camera, stream, video or picture that cannot be opened or read."""


class OutputError(GclfError, OSError):
    """A file that cannot be written, or that must not be overwritten."""


class CheckpointError(GclfError, ValueError):
    """A weights file that is unreadable or does not describe a usable classifier."""


class DatasetError(GclfError, ValueError):
    """Training or evaluation folders that are missing, empty or inconsistent."""


class DeviceError(GclfError, RuntimeError):
    """A compute device that was asked for and is not there."""


class DisplayError(GclfError, RuntimeError):
    """A window was asked for and there is no display to show it on."""
