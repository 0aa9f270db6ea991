"""Output files that appear under their name only once they are whole.

Until then a file is hidden, and whoever writes it holds a lock on it, which the system takes back when the
process ends, however it ends. So what a kill has left is told from what another run is writing: the next run
that writes into the folder removes it, or brings it back where it is of use as far as it goes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import itertools
import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from gclf_live.errors import GclfError, OutputError

_HIDDEN = ".gclf-live-"
_USEFUL = "useful-"
_LONGEST_STEM = 150
"""Bytes of a hidden name that the stem may take of the 255 that most file systems allow."""
_MACHINE_ID = Path("/etc/machine-id")
_TRIES = 10


def check_output(path: Path, *, overwrite: bool) -> None:
    """Make sure, before work is put into it, that a file may be written.

    Raises:
        OutputError: it exists and ``overwrite`` is not set, or it is a folder.
    """
    if path.is_dir():
        raise OutputError(f"cannot write {str(path)!r}: it is a folder. Give the name of a file")
    if path.exists() and not overwrite:
        raise OutputError(
            f"{str(path)!r} exists already. Add --overwrite to replace it, or give another name"
        )


def remove_leftovers(folder: Path, *, below: bool = False) -> None:
    """Remove the hidden files that a kill has left half written.

    Args:
        folder: nobody else may be writing there.
        below: in the folders that lie in it, too.
    """
    for path in (folder.rglob if below else folder.glob)(f"{_HIDDEN}*"):
        with contextlib.suppress(OSError):
            path.unlink()


def remove_abandoned(folder: Path) -> None:
    """Remove the hidden files of a folder whose writers have ended without removing them.

    Those of other machines are left alone: some network file systems keep locks from one another. So are
    those that ``bring_back`` gives a name.
    """
    with contextlib.suppress(OSError):
        for path in [path for path in folder.iterdir() if path.name.startswith(_prefix())]:
            if not path.name.startswith(_prefix() + _USEFUL):
                _take_if_abandoned(path, path.unlink)


def bring_back(folder: Path, *, is_of_use: Callable[[Path], bool]) -> list[Path]:
    """Give the hidden files of a folder that are ``useful_in_part``, and whose writers were killed, a name.

    Args:
        folder: where they are.
        is_of_use: whether a file holds anything; others are removed.

    Returns:
        The names, ``<stem>.partial<suffix>``, with a number where there is such a file.
    """
    names: list[Path] = []

    def take(path: Path) -> None:
        if not is_of_use(path):
            path.unlink()
            return
        stem = path.stem.removeprefix(_prefix() + _USEFUL).partition("-")[2]
        name = free_partial_name(path.with_name(stem + path.suffix))
        path.rename(name)
        names.append(name)

    with contextlib.suppress(OSError):
        for path in sorted(folder.glob(f"{_prefix()}{_USEFUL}*")):
            _take_if_abandoned(path, lambda path=path: take(path))  # type: ignore[misc]
    return names


def free_partial_name(path: Path) -> Path:
    """``<stem>.partial<suffix>`` beside ``path``, with a number, from 2 on, where there is such a file."""
    stem, suffix = f"{path.stem}.partial", path.suffix
    names = itertools.chain([stem], (f"{stem}-{number}" for number in itertools.count(2)))
    return next(each for name in names if not (each := path.with_name(name + suffix)).exists())


def _take_if_abandoned(path: Path, take: Callable[[], None]) -> None:
    with contextlib.suppress(OSError):
        # For writing: network file systems give an exclusive lock to nobody else.
        file = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            take()
        finally:
            os.close(file)


@functools.cache
def _prefix() -> str:
    """What the names of all hidden files of this machine begin with."""
    try:
        machine = _MACHINE_ID.read_bytes()
    except OSError:
        machine = b""
    return f"{_HIDDEN}{hashlib.sha256(machine + os.uname().nodename.encode()).hexdigest()[:8]}-"


def _create_hidden(folder: Path, path: Path, *, useful_in_part: bool) -> tuple[Path, int]:
    """A new empty file for ``path``, and its descriptor, which holds the lock."""
    stem = os.fsencode(path.stem)[:_LONGEST_STEM].decode(errors="ignore")
    for _ in range(_TRIES):
        mark = secrets.token_hex(6)
        name = f"{_USEFUL}{mark}-{stem}" if useful_in_part else mark
        hidden = folder / f"{_prefix()}{name}{path.suffix}"
        # Not tempfile: its files are readable by their owner only, and the final file keeps that.
        file = os.open(hidden, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        if _lock(file):
            return hidden, file
        os.close(file)  # another run took it for abandoned before it was locked
    raise FileExistsError(errno.EEXIST, "files are removed there as soon as they are made")


def _lock(file: int) -> bool:
    """Lock a file that was just made; False where somebody is removing it, or has."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # a file system without locks: there nobody can take it for abandoned either
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES)
    return os.fstat(file).st_nlink > 0


class WholeFile:
    """A final name and the hidden file beside it, which takes that name once it is complete.

    Attributes:
        path: the final name, as it was given.
        temp: the hidden file: absolute, in the same folder, with the same suffix.
    """

    def __init__(
        self, path: Path, *, overwrite: bool = False, parents: bool = False, useful_in_part: bool = False
    ) -> None:
        """Check the name and create the hidden file, empty; those there that a kill has left are removed.

        Args:
            path: the final name. A link is followed.
            overwrite: replace a file that exists.
            parents: make the folders that are missing on the way.
            useful_in_part: what a kill leaves of it is for ``bring_back``, and not removed.

        Raises:
            OutputError: see ``check_output``; or the folder is missing or cannot be written.
        """
        self.path = path
        self._overwrite = overwrite
        self._useful_in_part = useful_in_part
        try:
            self._check(parents=parents)
            self._final = path.resolve() if path.is_symlink() else path
            folder = self._final.absolute().parent
            remove_abandoned(folder)
            self.temp, self._file = _create_hidden(folder, path, useful_in_part=useful_in_part)
        except GclfError:
            raise
        except OSError as error:
            raise self.error(error) from error

    def commit(self, name: str | None = None) -> Path:
        """Give the complete file its final name, or ``name`` in the same folder, in one step.

        Returns:
            The name that it has now.

        Raises:
            OutputError: the system refuses, or the name was taken meanwhile. The hidden file is gone, but for
                one that is ``useful_in_part``, which is for ``rescue`` or ``discard``.
        """
        final = self._final.with_name(name) if name else self._final
        try:
            if name is None:  # another run may have written it meanwhile
                check_output(self.path, overwrite=self._overwrite)
            self._sync()
            self.temp.replace(final)
            self._release()
        except BaseException as error:
            if not self._useful_in_part:
                self.discard()
            if isinstance(error, OSError) and not isinstance(error, GclfError):
                raise self.error(error) from error
            raise
        return final if name else self.path

    def rescue(self, name: str) -> Path | None:
        """Give what there is of a file that cannot be completed ``name``, in the same folder.

        Returns:
            The name that it has now; None where the system refuses, and nothing is left then.
        """
        final = self._final.with_name(name)
        try:
            self.temp.replace(final)
        except OSError:
            self.discard()
            return None
        self._release()
        return final

    def discard(self) -> None:
        """Remove the hidden file; nothing happens if it is gone already."""
        with contextlib.suppress(OSError):
            self.temp.unlink()
        self._release()

    def error(self, cause: BaseException) -> OutputError:
        """What went wrong while the file was written, as one line for the user."""
        reason = " ".join(str(getattr(cause, "strerror", None) or cause).split()) or type(cause).__name__
        return OutputError(
            f"cannot write {str(self.path)!r}: {reason}. Make room there, or choose another folder"
        )

    def _check(self, *, parents: bool) -> None:
        folder = self.path.parent
        if parents:
            folder.mkdir(parents=True, exist_ok=True)
        elif not folder.is_dir():
            raise OutputError(f"cannot write {str(self.path)!r}: no folder {str(folder)!r}. Create it first")
        check_output(self.path, overwrite=self._overwrite)

    def _release(self) -> None:
        """Let go of the lock."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def _sync(self) -> None:
        """Bring the content to the disk before the name: a crash must not leave an empty file behind it."""
        with self.temp.open("rb") as file:
            os.fsync(file.fileno())


@contextlib.contextmanager
def whole_file(path: Path, *, overwrite: bool = False, parents: bool = False) -> Iterator[Path]:
    """A path to write to, which becomes ``path`` when the block ends well and is removed when it does not.

    Args:
        path, overwrite, parents: as ``WholeFile``.

    Yields:
        The hidden file, empty.

    Raises:
        OutputError: as ``WholeFile``; or the system does not let the file be written.
    """
    file = WholeFile(path, overwrite=overwrite, parents=parents)
    try:
        yield file.temp
        file.commit()
    except GclfError:
        raise
    except OSError as error:
        raise file.error(error) from error
    finally:
        file.discard()
