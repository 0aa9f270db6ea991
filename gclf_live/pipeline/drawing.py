"""The second pass over a video: what the first one found, drawn on every frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import numpy as np

from gclf_live.errors import SourceError
from gclf_live.media.ahead import ReadAhead
from gclf_live.media.decoded import ColourTags, DecodedFrame
from gclf_live.media.reader import VideoReader
from gclf_live.output.canvas import make_canvas
from gclf_live.output.overlay import Overlay
from gclf_live.pipeline.analysis import VideoAnalysis
from gclf_live.pipeline.hiding import LEAD_S, HiddenFaces
from gclf_live.pipeline.memory import give_back_memory
from gclf_live.pipeline.parts import PART_S, Part
from gclf_live.profiling import NO_PROFILER, Spans
from gclf_live.records import I420, U8

Advance = Callable[[int], None]


class FrameSink(Protocol):
    """What takes the drawn frames: ``VideoWriter``, ``SegmentWriter``."""

    def write(self, picture: U8 | I420, pts_s: float) -> None:
        """Add one frame at its time in the source."""


def draw_video(
    reader: VideoReader,
    analysis: VideoAnalysis,
    sink: FrameSink,
    overlay: Overlay,
    *,
    privacy: bool = False,
    advance: Advance = lambda done: None,
    spans: Spans = NO_PROFILER,
) -> None:
    """Draw and encode every frame that was analysed.

    Args:
        reader: the open video.
        analysis: of this video.
        sink: takes the frames in order.
        overlay: draws them.
        privacy: make all faces unrecognisable, below what is drawn.
        advance: called with the number of frames drawn so far.
        spans: what the stages are timed with.

    Raises:
        SourceError: the file has other frames than in the first pass.
    """
    count, drawn = len(analysis.pts_s), 0
    if not count:
        return
    tidy_at_s = float(analysis.pts_s[0]) + PART_S
    drawing = _drawn(reader, analysis, overlay, HiddenFaces(analysis) if privacy else None, spans)
    with ReadAhead(drawing, name="draw, second pass") as frames:
        for picture, pts_s in spans.around_next("wait", iter(frames)):
            with spans.span("encode"):
                sink.write(picture, pts_s)
            drawn += 1
            advance(drawn)
            if pts_s >= tidy_at_s:
                give_back_memory()
                tidy_at_s = pts_s + PART_S
    if drawn < count:
        raise SourceError(
            f"{str(reader.path)!r} lost pictures while it was read: {count}, then {drawn}. Run it again"
        )


def _drawn(
    reader: VideoReader, analysis: VideoAnalysis, overlay: Overlay, hidden: HiddenFaces | None, spans: Spans
) -> Iterator[tuple[U8 | I420, float]]:
    """The frames of ``analysis`` with what was found drawn on them, and their times, in order.

    It ends early where the file has other frames. It runs beside the encoder, in a thread of its own.
    """
    # The end is in microseconds, as ranges are compared, behind the last frame.
    wanted = reader.decoded(from_s=float(analysis.pts_s[0]), to_s=float(analysis.pts_s[-1]) + 1e-6)
    decoded = spans.around_next("decode", _to_draw_on(wanted, reader.info.colours))
    results = spans.around_next("interpolate", analysis.results())
    for (frame, picture), result in zip(decoded, results, strict=False):
        if frame.pts_s != result.pts_s:
            return
        if hidden is not None:
            with spans.span("hide"):
                hidden.hide(make_canvas(picture), frame.image, frame.pts_s)
        with spans.span("draw"):
            overlay.draw(picture, result)
        yield picture, frame.pts_s


def _to_draw_on(
    frames: Iterator[DecodedFrame], colours: ColourTags | None
) -> Iterator[tuple[DecodedFrame, U8 | I420]]:
    """Each frame with a picture of it that may be drawn on."""
    for frame in frames:
        planes = frame.i420(colours)
        yield frame, frame.image if planes is None else planes


def draw_part(
    path: Path,
    part: Part,
    analysis: VideoAnalysis,
    sink: FrameSink,
    overlay: Overlay,
    *,
    privacy: bool = False,
    threads: int = 0,
    advance: Advance = lambda done: None,
    spans: Spans = NO_PROFILER,
) -> None:
    """Draw and encode the frames of one part of a video.

    Args:
        path: the video.
        part: which part of it.
        analysis: of the whole video.
        sink, overlay, privacy, advance, spans: as for ``draw_video``.
        threads: of the decoder; 0 is one for each core.

    Raises:
        SourceError: the video cannot be read, or has other frames than in the first pass.
    """
    with VideoReader(path, threads=threads) as reader:
        draw_video(
            reader,
            _cut_out(analysis, part),
            sink,
            overlay,
            privacy=privacy,
            advance=advance,
            spans=spans,
        )


def _cut_out(analysis: VideoAnalysis, part: Part) -> VideoAnalysis:
    """What is known of the frames of one part, without going through those of all others."""
    first, behind = np.searchsorted(analysis.pts_s, [part.from_s, part.to_s]).tolist()
    tracks = tuple(
        track
        for track in analysis.tracks
        if track.last_s + LEAD_S >= part.from_s and track.first_s - LEAD_S <= part.to_s
    )
    return replace(analysis, pts_s=analysis.pts_s[first:behind], tracks=tracks)
