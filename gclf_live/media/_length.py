"""How long a video says that it is."""

from __future__ import annotations

from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from gclf_live.media._libav import HIGHEST_FPS

_LONGEST_S = 10 * 365 * 86400


def duration_of(container: InputContainer, stream: VideoStream) -> float | None:
    """Seconds of the picture track; of the whole file where the track does not say."""
    if stream.duration is not None and stream.time_base is not None:
        seconds = float(stream.duration * stream.time_base)
    elif "DURATION" in stream.metadata:  # Matroska: 00:01:02.500000000, and when it ends, not how long it is
        before_s = float((stream.start_time or 0) * (stream.time_base or 0))
        seconds = _clock_s(stream.metadata["DURATION"]) - max(before_s, 0.0)
    else:
        seconds = (container.duration or 0) / av.time_base
    return seconds if 0 < seconds < _LONGEST_S else None


def promised_duration(container: InputContainer, stream: VideoStream) -> float | None:
    """The length that the file promises for the picture alone; None where sound may be what lasts longer."""
    own = container.format.name.split(",")[0] in {"mov", "avi"} or "DURATION" in stream.metadata
    return duration_of(container, stream) if own or not container.streams.audio else None


def _clock_s(text: str) -> float:
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return 0.0


def frames_hint(counted: int, fps: Fraction | None, duration_s: float | None) -> int | None:
    """The container's own count where it can be true, else length times rate."""
    if counted > 0 and (duration_s is None or counted <= duration_s * HIGHEST_FPS + 1):
        return counted
    return max(1, round(duration_s * fps)) if fps and duration_s else None
