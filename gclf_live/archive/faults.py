"""What ends the work on one input, and what ends the run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from gclf_live.archive.disk import is_full
from gclf_live.archive.journal import JournalError
from gclf_live.errors import GclfError, OutputError


@contextlib.contextmanager
def failing(fail: Callable[[str], None]) -> Iterator[None]:
    """What goes wrong with one input in the block is given to ``fail``, as one line.

    Raises:
        OutputError: the disk is full, which would hit every input.
        JournalError: likewise.
    """
    try:
        yield
    except JournalError:
        raise
    except OSError as error:  # SourceError and OutputError are such
        if is_full(error):
            raise OutputError(f"{_line(error)}. What is saved is kept; make room and run it again") from error
        fail(_line(error))


def _line(error: OSError) -> str:
    if isinstance(error, GclfError):
        return str(error)
    return f"{error.strerror or error}: {str(error.filename)[:200]!r}"
