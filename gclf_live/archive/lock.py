"""One run at a time in an output folder."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from gclf_live.errors import OutputError


class FolderLock:
    """Holds a folder within its block. The system lets go of it when the process ends, however it ends."""

    def __init__(self, path: Path) -> None:
        """Take the lock.

        Args:
            path: the lock's file, which is made where it is missing and is never removed: a file that is
                removed while another process waits for it would be two locks.

        Raises:
            OutputError: another process holds it, or the file system has no locks.
        """
        self._path = path
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise OutputError(
                f"cannot write {str(path)!r}: {error.strerror}. Choose another folder"
            ) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Fixed width: what is left of a longer line must not be read as part of this one.
            os.pwrite(self._file, f"process {os.getpid()} on {socket.gethostname()}\n".ljust(128).encode(), 0)
        except OSError as error:
            holder = _holder(self._file)
            os.close(self._file)
            raise self._refusal(error, holder) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._file)

    def _refusal(self, error: OSError, holder: str) -> OutputError:
        folder = str(self._path.parent.parent)
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return OutputError(
                f"another run ({holder}) is at work in {folder!r}; wait for its end, or choose another folder"
            )
        return OutputError(
            f"cannot lock {folder!r}: {error.strerror}. Choose a folder on a file system with locks and room"
        )


def _holder(file: int) -> str:
    """Who wrote into the lock's file last, as far as it can be read."""
    try:
        return os.pread(file, 128, 0).decode("utf-8", "replace").strip() or "unknown"
    except OSError:
        return "unknown"
