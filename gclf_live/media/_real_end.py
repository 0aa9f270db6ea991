"""Where the pictures of a file end that was cut off, while its index still promises them all."""

from __future__ import annotations

from pathlib import Path

from gclf_live.media._entering import packets_from
from gclf_live.media._libav import open_file, video_stream

_PRECISION_S = 1.0


def last_entry_s(path: Path, start_s: float, behind_s: float) -> float | None:
    """The last time, to a second, at which reading can begin, where a file has nothing left at ``behind_s``.

    Found by halving the time in between: some thirteen looks into a file of two hours, instead of reading it.

    Args:
        path: the file.
        start_s: presentation time of its first frame.
        behind_s: a time at which reading could not begin.

    Returns:
        None where the file has pictures at ``behind_s`` all the same, or nowhere behind its start.

    Raises:
        SourceError: the file cannot be opened any more.
    """
    if behind_s - start_s <= _PRECISION_S:
        return None
    with open_file(path) as container:
        stream = video_stream(container, str(path))

        def readable(time_s: float) -> bool:
            packets, _ = packets_from(container, stream, time_s)
            return next(packets, None) is not None

        if readable(behind_s):
            return None
        low_s, high_s = start_s, behind_s
        while high_s - low_s > _PRECISION_S:
            middle_s = (low_s + high_s) / 2
            if readable(middle_s):
                low_s = middle_s
            else:
                high_s = middle_s
    return low_s if low_s > start_s else None
