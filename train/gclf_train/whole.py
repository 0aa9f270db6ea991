"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from gclf_live.errors import OutputError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Let the block write a file beside ``path`` that takes its name once the block has ended well.

    Yields:
        Where to write: a path in the same folder with another name.

    Raises:
        OutputError: the file cannot be written; what was under ``path`` before is still there.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield part
        with part.open("rb") as handle:
            os.fsync(handle.fileno())
        part.replace(path)
    except OSError as error:
        raise OutputError(
            f"cannot write {str(path)!r}: {error.strerror or error}; make room there, "
            "or choose another folder"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            part.unlink()
