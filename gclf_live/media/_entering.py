"""Beginning to read a file in its middle, so that what comes is what reading it through gives there."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from gclf_live.media._libav import open_file, video_stream

# Their frames carry their own times, so one is known for what it is wherever reading begins. AVI and raw
# streams count from the beginning.
_TIMED_FORMATS = {"mov", "matroska", "flv", "asf", "mpegts", "mpeg"}
_JOINED_END_TO_END = {"mpegts", "mpeg"}
_PROBES = 32
BACK_S = (0.5, 2.0, 5.0, 12.0, 30.0, 90.0)
"""How far before a time to look for a key frame, one after the other: those of most files are at most 10 s
apart, and a frame may be stored half a second before it is shown."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """Presentation times from ``from_s`` up to but without ``to_s``."""

    from_s: float
    to_s: float

    def holds(self, stored: av.Packet[VideoStream] | av.VideoFrame) -> bool:
        """Whether a picture, if it says when it is shown, lies in the range."""
        if stored.pts is None or stored.time_base is None:
            return True
        return self.from_s <= float(stored.pts * stored.time_base) < self.to_s


def can_be_entered(path: Path, container: InputContainer, stream: VideoStream) -> bool:
    """Whether a time names one place in the file.

    Not so where frames have no times of their own, nor where a recording follows another and the clock starts
    again: MPEG transport and program streams are looked at in 32 places.
    """
    name = container.format.name.split(",")[0]
    if name not in _TIMED_FORMATS or stream.time_base is None:
        return False
    return name not in _JOINED_END_TO_END or _clock_only_rises(path)


def _clock_only_rises(path: Path) -> bool:
    with open_file(path) as container:
        stream = video_stream(container, str(path))
        try:
            times = [_time_at(container, stream, container.size * i // _PROBES) for i in range(_PROBES)]
        except FFmpegError:
            return False
    known = [tick for tick in times if tick is not None]
    return len(known) > 1 and all(before <= after for before, after in itertools.pairwise(known))


def _time_at(container: InputContainer, stream: VideoStream, byte: int) -> int | None:
    """Decoding time, in ticks, of the first picture that begins at ``byte`` or after; None at the end."""
    container.seek(byte, unsupported_byte_offset=True)
    return next((packet.dts for packet in container.demux(stream) if packet.dts is not None), None)


def packets_from(
    container: InputContainer, stream: VideoStream, enter_s: float
) -> tuple[Iterator[av.Packet[VideoStream]], int]:
    """The packets from a key frame at about ``enter_s`` on, and the tick at which it is shown.

    No packets where there is no way to get there. Pictures that are stored behind the key frame and shown
    before it (an open group of pictures) refer to what was not read.
    """
    assert stream.time_base is not None
    with contextlib.suppress(FFmpegError):
        container.seek(round(enter_s / stream.time_base), stream=stream)
        read = container.demux(stream)
        for packet in read:
            if packet.is_keyframe and packet.pts is not None:
                return itertools.chain((packet,), read), packet.pts
    return iter(()), 0
