"""Output files that appear under their name only once they are whole."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from gclf_live.errors import GclfError, OutputError

_HIDDEN = ".gclf-live-"


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


class WholeFile:
    """A final name and the hidden file beside it, which takes that name once it is complete.

    Attributes:
        path: the final name, as it was given.
        temp: the hidden file: absolute, in the same folder, with the same suffix.
    """

    def __init__(self, path: Path, *, overwrite: bool = False, parents: bool = False) -> None:
        """Check the name and create the hidden file, empty.

        Args:
            path: the final name. A link is followed.
            overwrite: replace a file that exists.
            parents: make the folders that are missing on the way.

        Raises:
            OutputError: see ``check_output``; or the folder is missing or cannot be written.
        """
        self.path = path
        self._overwrite = overwrite
        try:
            self._check(parents=parents)
            self._final = path.resolve() if path.is_symlink() else path
            folder = self._final.absolute().parent
            self.temp = folder / f"{_HIDDEN}{secrets.token_hex(6)}{path.suffix}"
            # Not tempfile: its files are readable by their owner only, and the final file keeps that.
            os.close(os.open(self.temp, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except GclfError:
            raise
        except OSError as error:
            raise self.error(error) from error

    def commit(self, name: str | None = None) -> Path:
        """Give the complete file its final name, or ``name`` in the same folder, in one step.

        Returns:
            The name that it has now.

        Raises:
            OutputError: the system refuses, or the name was taken meanwhile. The hidden file is gone.
        """
        final = self._final.with_name(name) if name else self._final
        try:
            if name is None:
                check_output(
                    self.path, overwrite=self._overwrite
                )  # another run may have written it meanwhile
            self._sync()
            self.temp.replace(final)
        except GclfError:
            self.discard()
            raise
        except OSError as error:
            self.discard()
            raise self.error(error) from error
        return final if name else self.path

    def discard(self) -> None:
        """Remove the hidden file; nothing happens if it is gone already."""
        with contextlib.suppress(OSError):
            self.temp.unlink()

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
