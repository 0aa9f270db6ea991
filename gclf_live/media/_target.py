"""Output files that appear under their name only once they are whole."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from gclf_live.errors import OutputError


def output_error(path: Path, error: BaseException) -> OutputError:
    """``error`` of writing ``path`` as one line for the user."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return OutputError(
        f"cannot write {str(path)!r}: {' '.join(str(text).split())}. Free space or choose another folder"
    )


class Target:
    """A final name and the hidden file beside it that takes its place when it is complete."""

    def __init__(self, path: Path, *, overwrite: bool, suffixes: frozenset[str]) -> None:
        """Check the name and create the hidden file.

        Raises:
            OutputError: wrong suffix, the file exists and ``overwrite`` is off, or the folder is missing
                or cannot be written.
        """
        self.path = path
        if path.suffix.lower() not in suffixes:
            allowed = ", ".join(sorted(suffixes))
            raise OutputError(
                f"cannot write {str(path)!r}: {path.suffix or 'no suffix'!r}; allowed are {allowed}"
            )
        try:
            self._check(overwrite)
            self.temp = path.absolute().parent / f".gclf-live-{secrets.token_hex(6)}{path.suffix}"
            # Not tempfile: its files are readable by their owner only, and the final file keeps that.
            os.close(os.open(self.temp, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except OutputError:
            raise
        except OSError as error:
            raise output_error(path, error) from error

    def _check(self, overwrite: bool) -> None:
        if not self.path.parent.is_dir():
            raise OutputError(
                f"cannot write {str(self.path)!r}: no folder {str(self.path.parent)!r}. Create it first"
            )
        if self.path.is_dir():
            raise OutputError(f"cannot write {str(self.path)!r}: it is a folder. Give a file name")
        if self.path.exists() and not overwrite:
            raise OutputError(
                f"{str(self.path)!r} exists already. Use --overwrite to replace it, or another name"
            )

    def commit(self, path: Path | None = None) -> Path:
        """Give the complete file its final name, or ``path``, in one step."""
        final = path or self.path
        try:
            self.temp.replace(final)
        except OSError as error:
            self.discard()
            raise output_error(final, error) from error
        return final

    def discard(self) -> None:
        """Remove the hidden file."""
        with contextlib.suppress(OSError):
            self.temp.unlink(missing_ok=True)
