"""Temporary folders with an owner: what a server leaves that was killed is removed by the next one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

PREFIX = "gclf-live-serve-"
"""How the folders of uploads and results begin."""
_PREFIXES = (PREFIX, "pymp-")
"""Also those that multiprocessing makes for its sockets, where they are claimed."""
_OWNER = "owner"


class Claim:
    """Says that a folder is in use. The system withdraws it when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Claim a folder of ours; where the file system has no locks, nobody will ever remove it."""
        new = folder / f"{_OWNER}.new"
        self._file = os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            new.unlink()
        else:  # under its name it is locked from the first moment
            new.rename(folder / _OWNER)

    def release(self) -> None:
        """Say that it is not in use any more."""
        os.close(self._file)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """A folder for temporary files that only this user can read; removed behind the block."""
    claimed = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        with Claim(claimed):
            folder = claimed / "jobs"
            folder.mkdir(mode=0o700)
            yield folder
    finally:
        shutil.rmtree(claimed, ignore_errors=True)


def remove_leftovers(*places: Path) -> None:
    """Remove the claimed folders in these places whose owner, of this user, has gone, and no others."""
    for place in set(places):
        with contextlib.suppress(OSError):  # a place that cannot be listed
            for folder in [path for path in place.iterdir() if path.name.startswith(_PREFIXES)]:
                with contextlib.suppress(OSError):  # in use, never claimed, or just being removed
                    _remove_if_dead(folder)


def _remove_if_dead(folder: Path) -> None:
    """Remove it unless it is in use.

    Raises:
        OSError: it is, or nobody can tell.
    """
    about = folder.lstat()
    if not stat.S_ISDIR(about.st_mode) or about.st_uid != os.getuid():
        return
    file = os.open(folder / _OWNER, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != _OWNER:
                path.unlink()
        # Last: where something could not be removed, the next server tries again.
        (folder / _OWNER).unlink()
        folder.rmdir()
    finally:
        os.close(file)
