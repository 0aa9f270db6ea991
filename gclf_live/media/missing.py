"""What is said of a file that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from gclf_live.errors import SourceError
from gclf_live.media.source import without_password

_ADDRESS = re.compile(r"(?:^|/)(https?|rtsps?|rtmps?):/+(.*)$")
"""A path has one slash where an address has two."""


def no_such_file(path: Path) -> SourceError:
    """The error about an input that does not exist, for the caller to raise.

    Args:
        path: as it was given, or made absolute.
    """
    address = _ADDRESS.search(path.as_posix())
    if address is None:
        return SourceError(f"cannot open {str(path)!r}: no such file or folder. Check the path")
    shown = without_password(f"{address[1]}://{address[2]}")
    return SourceError(
        f"cannot open {shown!r}: only files and folders are read here. Save it to a file, or use "
        "gclf-live --source ADDRESS --record OUT.mp4"
    )
