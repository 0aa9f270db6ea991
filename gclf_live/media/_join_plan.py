"""What has to be known of segments before they are joined."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from gclf_live.errors import OutputError
from gclf_live.media._segment import SegmentFormat, open_segment, packets_of, picture_of, unusable
from gclf_live.media.encoder import ticks
from gclf_live.media.reader import VideoInfo, VideoReader

REORDERED = 2
"""x264 with any of its presets changes the order of pictures by this many places at most."""


@dataclass(frozen=True, slots=True)
class JoinPlan:
    """What is known before anything is written.

    Attributes:
        segments: those with frames; at least one.
        format: what they have in common.
        info: of the source.
        begins: when the first frame is shown, in ticks of the segments' clock.
        decoded_before: decode times that come before those of the joined film's rule, in those ticks.
        last_shown: how long the last frame of all is shown, in those ticks.
    """

    segments: tuple[Path, ...]
    format: SegmentFormat
    info: VideoInfo
    begins: int
    decoded_before: tuple[int, ...]
    last_shown: int

    def origin(self, origin_s: Fraction) -> int:
        """The tick of the segments' clock that is 0 in the film, rounded to the source's as in one run."""
        source_tick_s = self.info.time_base
        return ticks(origin_s, source_tick_s) * int(source_tick_s / self.format.time_base)


def plan_join(source: Path, segments: Sequence[Path]) -> JoinPlan:
    """Look at the head of every segment, before any is copied.

    Raises:
        SourceError: the source cannot be read; a segment is missing, damaged, from another video, or was
            encoded with other settings.
        OutputError: no segment has a frame.
    """
    with VideoReader(source) as reader:
        info = reader.info
    filled: list[Path] = []
    common: SegmentFormat | None = None
    for path in segments:
        with open_segment(path) as container:
            stream = picture_of(container, path)
            found = SegmentFormat.of(stream) if stream else None
        if found is None:
            continue
        if not _fits(found, info):
            raise unusable(path, f"its size or clock is not that of {str(source)!r}")
        if common is not None and found != common:
            raise unusable(path, f"it was encoded with other settings than {str(filled[0])!r}")
        common = found
        filled.append(path)
    if common is None:
        raise OutputError(f"cannot join segments of {str(source)!r}: they have no frame. Check the input")
    return JoinPlan(
        segments=tuple(filled),
        format=common,
        info=info,
        begins=next(pts for _, pts in packets_of(filled[0])),
        decoded_before=_decoded_before(filled) if common.reorders else (),
        last_shown=_last_shown(filled, info.average_fps),
    )


def _fits(found: SegmentFormat, info: VideoInfo) -> bool:
    even = (info.width_px + info.width_px % 2, info.height_px + info.height_px % 2)
    return found.size == even and (info.time_base / found.time_base).denominator == 1


def _decoded_before(segments: Sequence[Path]) -> tuple[int, ...]:
    """When the first ``REORDERED`` pictures are decoded: as x264 does, so early that the next one is decoded
    when the first is shown."""
    ticks_shown = (pts for path in segments for _, pts in packets_of(path))
    # So many packets in the order of decoding hold the first pictures in the order of presentation.
    first = sorted(itertools.islice(ticks_shown, 2 * REORDERED + 1))
    if len(first) <= REORDERED:
        return ()  # too few to be reordered
    return tuple(pts - (first[REORDERED] - first[0]) for pts in first[:REORDERED])


def _last_shown(segments: Sequence[Path], average_fps: Fraction | None) -> int:
    """How long the last frame is shown: as long as frames usually are, else as long as the one before."""
    shown: list[int] = []
    duration = 1
    for path in segments[-2:]:
        for packet, pts in packets_of(path):
            shown.append(pts)
            duration = packet.duration or 1  # an mp4 keeps what the encoder gave the last one
    if average_fps is None and len(shown) > 1:
        *_, before, last = sorted(shown)
        return last - before
    return duration
