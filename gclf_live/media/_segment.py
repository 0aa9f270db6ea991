"""Reading the segments that ``SegmentWriter`` wrote, and refusing what it did not."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Self

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.video.stream import VideoStream

from gclf_live.errors import SourceError
from gclf_live.media._libav import open_file, reason


@dataclass(frozen=True, slots=True)
class SegmentFormat:
    """What packets must have in common to go into one track.

    Attributes:
        codec: its name.
        extradata: the parameter sets of H.264: size, colours, and what of the encoder's settings a decoder
            has to know. An mp4 has them once, for all of its packets.
        size: width and height in pixels.
        time_base: seconds of a tick.
        reorders: whether pictures are stored in another order than they are shown in.
    """

    codec: str
    extradata: bytes
    size: tuple[int, int]
    time_base: Fraction
    reorders: bool

    @classmethod
    def of(cls, stream: VideoStream) -> Self:
        """The format of an open track."""
        context = stream.codec_context
        return cls(
            codec=context.name,
            extradata=bytes(context.extradata or b""),
            size=(context.width, context.height),
            time_base=stream.time_base or Fraction(1),
            reorders=bool(context.has_b_frames),
        )


def open_segment(path: Path) -> InputContainer:
    """Open a segment for demuxing.

    Raises:
        SourceError: it is missing or cannot be read.
    """
    if not path.exists():
        raise unusable(path, "it is missing")
    try:
        whole = _ends_with_a_box(path)
        container = open_file(path) if whole else None
    except OSError as error:
        raise unusable(path, "it is damaged or cannot be read") from error
    if container is None:
        raise unusable(path, "it is damaged or no mp4")
    return container


def _ends_with_a_box(path: Path) -> bool:
    """Whether an mp4 has its last byte: libav also opens one whose end is missing.

    It is made of boxes (ISO/IEC 14496-12, 4.2): 4 bytes of length and 4 of type; where the length is 1, it is
    in the next 8.
    """
    at, end = 0, path.stat().st_size
    with path.open("rb") as file:
        while 0 <= at < end:
            file.seek(at)
            head = file.read(16)
            length = int.from_bytes(head[:4], "big")
            at += max(8, int.from_bytes(head[8:], "big") if length == 1 else length)
    return at == end > 0


def picture_of(container: InputContainer, path: Path) -> VideoStream | None:
    """The only track; None in a segment without frames, which has no track.

    Raises:
        SourceError: there are others.
    """
    streams = container.streams
    if not len(streams):
        return None
    if len(streams) > 1 or not streams.video:
        raise unusable(path, "it is a video of another kind")
    return streams.video[0]


def packets_of(path: Path) -> Iterator[tuple[av.Packet[VideoStream], int]]:
    """The coded pictures of a segment in the order of decoding, and the ticks at which they are shown.

    Raises:
        SourceError: one is missing or damaged, or the first is no key frame.
    """
    with open_segment(path) as container:
        stream = picture_of(container, path)
        count = 0
        try:
            for packet in container.demux(stream) if stream else ():
                if not packet.size:  # the flush packet at the end
                    continue
                if packet.is_corrupt or packet.pts is None or not (count or packet.is_keyframe):
                    raise unusable(path, f"frame {count} is damaged")
                count += 1
                yield packet, packet.pts
        except FFmpegError as error:
            raise unusable(path, reason(error)) from error
        if stream and count != stream.frames:
            raise unusable(path, f"{count} of {stream.frames} frames are left in it")


def unusable(path: Path, why: str) -> SourceError:
    """The error of a segment that cannot be joined with others, as one line for the user."""
    return SourceError(f"cannot join {str(path)!r}: {why}. Remove this segment and run again")
