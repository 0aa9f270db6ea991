"""The second pass over a video file: draw what the first one found and encode."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gclf_live.errors import SourceError
from gclf_live.media.ahead import ReadAhead
from gclf_live.media.reader import VideoReader
from gclf_live.media.writer import EncoderSettings, VideoWriter
from gclf_live.model.classifier import Classifier
from gclf_live.output.overlay import Overlay
from gclf_live.output.summary import AnnotateStats, total_by_label
from gclf_live.pipeline.analysis import VideoAnalysis
from gclf_live.pipeline.first_pass import AnalysisSettings, analyse_video
from gclf_live.profiling import NO_PROFILER, Spans

Advance = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Annotated:
    """What annotating one video gave.

    Attributes:
        analysis: tracks and labels.
        stats: figures for the summary.
        notes: one line for each thing the user should know.
        result_path: the video that was written.
        origin_s: time of the source that is 0 in it.
    """

    analysis: VideoAnalysis
    stats: AnnotateStats
    notes: tuple[str, ...]
    result_path: Path
    origin_s: float


def annotate_video(
    source: Path,
    target: Path,
    classifier: Classifier,
    *,
    settings: AnalysisSettings | None = None,
    encoder: EncoderSettings | None = None,
    overwrite: bool = False,
    track_ids: bool = False,
    advance: Advance = lambda done, total: None,
    spans: Spans = NO_PROFILER,
) -> Annotated:
    """Write a copy of a video with boxes and labels, its sound and its timing.

    Args:
        source: anything that PyAV decodes.
        target: an ``.mp4``; it appears under this name only when it is whole.
        classifier: labels crops.
        settings: of the first pass.
        encoder: of the video.
        overwrite: replace ``target`` where it exists.
        track_ids: draw the number that each track has in the tables.
        advance: called with frames done, both passes counted, and in all or None.
        spans: what the stages are timed with.

    Raises:
        SourceError: ``source`` cannot be read, or changes meanwhile.
        OutputError: ``target`` exists or cannot be written.
        KeyboardInterrupt: passed on, after what is there was finished as ``<stem>.partial.mp4``; a note
            on the exception says so.
    """
    started_s = time.monotonic()
    with VideoReader(source) as reader:
        # Opened before the first pass: an output that cannot be written must not cost an hour first.
        writer = VideoWriter.like(reader, target, overwrite=overwrite, settings=encoder or EncoderSettings())
        try:
            with _finishing(writer, spans):
                analysis = _analyse(reader, classifier, settings, advance=advance, spans=spans)
                overlay = Overlay(track_ids=track_ids)
                _draw_all(reader, analysis, writer, overlay, advance=advance, spans=spans)
        except KeyboardInterrupt as ended:
            if writer.result_path is not None:
                ended.add_note(f"what was done is in {str(writer.result_path)!r}")
            raise
    assert writer.result_path is not None
    damage = (analysis.damaged,) if analysis.damaged else ()
    stats = _stats(analysis, writer.result_path, wall_s=time.monotonic() - started_s)
    notes = (*damage, *writer.notes)
    return Annotated(analysis, stats, notes, writer.result_path, float(writer.origin_s))


@contextlib.contextmanager
def _finishing(writer: VideoWriter, spans: Spans) -> Iterator[None]:
    """``with writer``; the time that its end takes, when what still waits is encoded, is that of encoding."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(writer)
        yield
        with spans.span("encode"):
            stack.close()


def _analyse(
    reader: VideoReader,
    classifier: Classifier,
    settings: AnalysisSettings | None,
    *,
    advance: Advance,
    spans: Spans,
) -> VideoAnalysis:
    hint = reader.info.frames_hint
    total = 2 * hint if hint else None
    return analyse_video(reader, classifier, settings, advance=lambda done: advance(done, total), spans=spans)


def _draw_all(
    reader: VideoReader,
    analysis: VideoAnalysis,
    writer: VideoWriter,
    overlay: Overlay,
    *,
    advance: Advance,
    spans: Spans,
) -> None:
    """Draw and encode every frame.

    Raises:
        SourceError: the file has fewer frames than in the first pass.
    """
    count, drawn = len(analysis.pts_s), 0
    decoded = spans.around_next("decode", reader.decoded())
    results = spans.around_next("interpolate", analysis.results())
    with ReadAhead(decoded, name="decode, second pass") as frames:
        for frame, result in zip(spans.around_next("wait", iter(frames)), results, strict=False):
            with spans.span("decode"):
                planes = frame.i420(reader.info.colours)
                picture = frame.image if planes is None else planes
            with spans.span("draw"):
                overlay.draw(picture, result)
            with spans.span("encode"):
                writer.write(picture, frame.pts_s)
            drawn = frame.index + 1
            advance(count + drawn, 2 * count)
    if drawn < count:
        raise SourceError(
            f"{str(reader.path)!r} lost pictures while it was read: {count}, then {drawn}. Run it again"
        )


def _stats(analysis: VideoAnalysis, path: Path, *, wall_s: float) -> AnnotateStats:
    tracks = analysis.summaries()
    return AnnotateStats(
        path=str(path),
        frames=len(analysis.pts_s),
        video_s=_length_s(analysis),
        wall_s=wall_s,
        faces=int(sum(len(track.pts_s) for track in analysis.tracks)),
        labels=total_by_label((track.label, track.seconds) for track in tracks if not track.excluded),
        excluded=Counter(track.excluded for track in tracks if track.excluded),
    )


def _length_s(analysis: VideoAnalysis) -> float:
    """From the first frame to the end of the last, which is shown as long as frames usually are."""
    if not len(analysis.pts_s):
        return 0.0
    usual_s = float(np.median(np.diff(analysis.pts_s))) if len(analysis.pts_s) > 1 else 0.0
    return float(analysis.pts_s[-1] - analysis.pts_s[0]) + usual_s
