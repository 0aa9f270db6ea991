"""A video file from its source to what was asked for: measured, and drawn into a copy."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gclf_live.media.excerpt import ExcerptWriter
from gclf_live.media.origin import played_from_s
from gclf_live.media.reader import VideoReader
from gclf_live.media.writer import EncoderSettings, VideoWriter
from gclf_live.model.classifier import Classifier
from gclf_live.output.overlay import Overlay
from gclf_live.output.summary import AnnotateStats, total_by_label
from gclf_live.pipeline.analysis import VideoAnalysis
from gclf_live.pipeline.drawing import draw_part, draw_video
from gclf_live.pipeline.first_pass import analyse_video
from gclf_live.pipeline.measured import measured_range
from gclf_live.pipeline.settings import AnalysisSettings
from gclf_live.profiling import NO_PROFILER, Spans
from gclf_live.records import AnyPath

__all__ = ["Annotated", "annotate_video", "draw_part"]

Advance = Callable[[int, int | None], None]


@dataclass(frozen=True, slots=True)
class Annotated:
    """What annotating one video gave.

    Attributes:
        analysis: tracks and labels.
        stats: figures for the summary.
        notes: one line for each thing the user should know.
        result_path: the video that was written, or None.
        origin_s: time of the source that is 0 in it; without a copy, that is 0 where the source is played.
    """

    analysis: VideoAnalysis
    stats: AnnotateStats
    notes: tuple[str, ...]
    result_path: Path | None
    origin_s: float


def annotate_video(
    source: AnyPath,
    target: AnyPath | None,
    classifier: Classifier,
    *,
    settings: AnalysisSettings | None = None,
    encoder: EncoderSettings | None = None,
    overwrite: bool = False,
    track_ids: bool = False,
    privacy: bool = False,
    advance: Advance = lambda done, total: None,
    spans: Spans = NO_PROFILER,
) -> Annotated:
    """Measure a video, and write a copy of it with boxes and labels, its sound and its timing.

    Args:
        source: anything that PyAV decodes.
        target: an ``.mp4``; it appears under this name only when it is whole. None measures only.
        classifier: labels crops.
        settings: of the first pass. The copy holds the range that they name, and begins at 0 with it.
        encoder: of the video; its ``hardware`` decodes as well.
        overwrite: replace ``target`` where it exists.
        track_ids: draw the number that each track has in the tables.
        privacy: make the faces in the copy unrecognisable.
        advance: called with frames done, both passes counted, and in all or None.
        spans: what the stages are timed with.

    Raises:
        SourceError: ``source`` cannot be read, or changes meanwhile.
        OutputError: ``target`` exists or cannot be written.
        DeviceError: the hardware that was asked for is not there, or cannot do it.
        KeyboardInterrupt: passed on, after what is there was finished as ``<stem>.partial.mp4``; a note
            on the exception says so.
    """
    started_s = time.monotonic()
    target = None if target is None else Path(target)
    settings, encoder = settings or AnalysisSettings(), encoder or EncoderSettings()
    with VideoReader(source, hardware=encoder.hardware) as reader:
        if target is None:
            analysis = _analyse(reader, classifier, settings, passes=1, advance=advance, spans=spans)
            return _annotated(analysis, None, started_s)
        # Opened before the first pass: an output that cannot be written must not cost an hour first.
        writer = _writer(reader, target, settings, encoder, overwrite=overwrite)
        try:
            with _finishing(writer, spans):
                analysis = _analyse(reader, classifier, settings, passes=2, advance=advance, spans=spans)
                count = len(analysis.pts_s)
                draw_video(
                    reader,
                    analysis,
                    writer,
                    Overlay(track_ids=track_ids),
                    privacy=privacy,
                    advance=lambda drawn: advance(count + drawn, 2 * count),
                    spans=spans,
                )
        except KeyboardInterrupt as ended:
            if writer.result_path is not None:
                ended.add_note(f"what was done is in {str(writer.result_path)!r}")
            raise
    return _annotated(analysis, writer, started_s)


def _writer(
    reader: VideoReader,
    target: Path,
    settings: AnalysisSettings,
    encoder: EncoderSettings,
    *,
    overwrite: bool,
) -> VideoWriter:
    if settings.from_s is None and settings.to_s is None:
        return VideoWriter.like(reader, target, overwrite=overwrite, settings=encoder)
    return ExcerptWriter.of(reader, target, to_s=settings.to_s, overwrite=overwrite, settings=encoder)


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
    settings: AnalysisSettings,
    *,
    passes: int,
    advance: Advance,
    spans: Spans,
) -> VideoAnalysis:
    expected = _frames_expected(reader, settings)
    total = expected * passes if expected else None
    return analyse_video(reader, classifier, settings, advance=lambda done: advance(done, total), spans=spans)


def _frames_expected(reader: VideoReader, settings: AnalysisSettings) -> int | None:
    """About how many frames will be analysed; None where nobody knows."""
    info = reader.info
    if settings.from_s is None and settings.to_s is None:
        return info.frames_hint
    if not info.frames_hint or not info.duration_s:
        return None
    end_s = info.start_s + info.duration_s
    from_s = info.start_s if settings.from_s is None else max(settings.from_s, info.start_s)
    to_s = end_s if settings.to_s is None else min(settings.to_s, end_s)
    return max(1, round(info.frames_hint * max(0.0, to_s - from_s) / info.duration_s))


def _annotated(analysis: VideoAnalysis, writer: VideoWriter | None, started_s: float) -> Annotated:
    path, copy = analysis.path, None
    notes = [analysis.damaged] if analysis.damaged else []
    if writer is None:
        origin_s = played_from_s(path)
    else:
        assert writer.result_path is not None
        path = copy = writer.result_path
        origin_s = float(writer.origin_s)
        notes += writer.notes
    stats = _stats(analysis, path, wall_s=time.monotonic() - started_s)
    return Annotated(analysis, stats, tuple(notes), copy, origin_s)


def _stats(analysis: VideoAnalysis, path: Path, *, wall_s: float) -> AnnotateStats:
    tracks = analysis.summaries()
    from_s, to_s = measured_range(analysis)
    return AnnotateStats(
        path=str(path),
        frames=len(analysis.pts_s),
        video_s=to_s - from_s,
        wall_s=wall_s,
        faces=int(sum(len(track.pts_s) for track in analysis.tracks)),
        labels=total_by_label((track.label, track.seconds) for track in tracks if not track.excluded),
        excluded=Counter(track.excluded for track in tracks if track.excluded),
    )
