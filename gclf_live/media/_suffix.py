"""Which endings a file's name may have."""

from __future__ import annotations

from pathlib import Path

from gclf_live.errors import OutputError

MP4_SUFFIXES = frozenset({".mp4", ".m4v"})


def check_suffix(path: Path, allowed: frozenset[str]) -> None:
    """Make sure that a file can be written in the format that its name asks for.

    Args:
        path: its name.
        allowed: lower-case endings with their dot.

    Raises:
        OutputError: the ending is none of them.
    """
    if path.suffix.lower() not in allowed:
        listed = ", ".join(sorted(allowed))
        raise OutputError(
            f"cannot write {str(path)!r}: its name ends in {path.suffix!r}; allowed are {listed}"
        )
