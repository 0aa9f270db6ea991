"""What a player takes for the beginning of a file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer

from gclf_live.media._libav import open_file

# Containers count from anywhere (broadcast: hours). A start up to this is a delay that an mp4 keeps.
_KEPT_START_S = Fraction(1, 2)


def origin_of(container: InputContainer) -> Fraction:
    """Time of an open file, in seconds, that its copies show as 0.

    That is its start if over half a second, or where pictures come before 0, which an mp4 would not show.
    """
    start_s = Fraction(container.start_time or 0, av.time_base)
    return start_s if start_s > _KEPT_START_S or _picture_before_zero(container) else Fraction(0)


def _picture_before_zero(container: InputContainer) -> bool:
    return any((stream.start_time or 0) < 0 for stream in container.streams.video)


def played_from_s(path: Path) -> float:
    """Time in seconds of a file that players, and copies of it, show as 0.

    Raises:
        SourceError: the file cannot be opened.
    """
    with open_file(path) as container:
        return float(origin_of(container))
