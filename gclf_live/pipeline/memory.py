"""Memory that is free, and that the process still holds."""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Protocol, cast


class _Trim(Protocol):
    def __call__(self, pad: int) -> int: ...


def give_back_memory() -> None:
    """Return free pages to the system, where the C library is glibc; nothing happens elsewhere.

    Frames and crops of several threads leave its heaps full of holes, which it keeps: without this the
    resident memory of an hour of video grew by a quarter (``python -m benchmarks.memory``).
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> _Trim | None:
    """glibc's ``malloc_trim`` (malloc.h)."""
    return cast("_Trim | None", getattr(ctypes.CDLL(None), "malloc_trim", None))
