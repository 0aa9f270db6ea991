"""Files that appear whole under their name or not at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from gclf_live.errors import OutputError


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


@contextlib.contextmanager
def atomic_path(path: Path, *, overwrite: bool = False) -> Iterator[Path]:
    """A path to write to, which becomes ``path`` when the block ends well and is removed when it does not.

    Folders that are missing on the way are made.

    Args:
        path: the final name. A link is followed.
        overwrite: replace a file that exists.

    Yields:
        A hidden path in the same folder, with no file there yet.

    Raises:
        OutputError: see ``check_output``; or the system does not let the file be written.
    """
    check_output(path, overwrite=overwrite)
    final = path.resolve()
    partial = final.parent / f".gclf-{secrets.token_hex(6)}.part"
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        _sync(partial)
        check_output(path, overwrite=overwrite)  # Another run may have written it meanwhile.
        partial.replace(final)
    except OutputError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise OutputError(f"cannot write {str(path)!r}: {reason}. Give another place") from error
    finally:
        with contextlib.suppress(OSError):  # Gone if all went well; never there if the folder was not.
            partial.unlink()


def _sync(path: Path) -> None:
    """Bring the content to the disk before the name: a crash must not leave an empty file behind it."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
