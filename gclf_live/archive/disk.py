"""Telling a full disk from everything else that can be wrong with a file."""

from __future__ import annotations

import errno

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_full(error: BaseException) -> bool:
    """Whether an exception, or one that led to it, says that the disk or the user's share of it is full."""
    seen: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None and cause not in seen:
        if getattr(cause, "errno", None) in _FULL:  # FFmpeg's errors have one too
            return True
        seen.append(cause)
        cause = cause.__cause__ or cause.__context__
    return False
