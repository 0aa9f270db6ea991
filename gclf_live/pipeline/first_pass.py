"""The first pass over a video file: who is in it, when and where, and one label a track."""

from __future__ import annotations

from gclf_live.media.reader import VideoReader
from gclf_live.model.classifier import Classifier
from gclf_live.pipeline.analysis import VideoAnalysis
from gclf_live.pipeline.parts import Advance, PartAnalysis, join_parts, plan_parts, read_through
from gclf_live.pipeline.settings import AnalysisSettings
from gclf_live.profiling import NO_PROFILER, Spans

__all__ = ["AnalysisSettings", "analyse_video"]


def analyse_video(
    reader: VideoReader,
    classifier: Classifier,
    settings: AnalysisSettings | None = None,
    *,
    advance: Advance = lambda done: None,
    spans: Spans = NO_PROFILER,
) -> VideoAnalysis:
    """Read a video once and find, follow and label its faces.

    A video of more than 66 s is read in parts of a minute, as ``pipeline.parts`` does on many machines.

    Args:
        reader: the open video.
        classifier: labels crops.
        settings: cost against detail, and the time range.
        advance: called with the number of frames read so far.
        spans: what the stages are timed with.

    Raises:
        SourceError: the file can no longer be read, or shows nothing in the time range.
    """
    settings = settings or AnalysisSettings()
    found: list[PartAnalysis] = []
    done = 0
    for part in plan_parts(reader.info, from_s=settings.from_s, to_s=settings.to_s):
        before = done
        found.append(
            read_through(
                reader,
                part,
                classifier,
                settings,
                advance=lambda count, before=before: advance(before + count),  # type: ignore[misc]
                spans=spans,
            )
        )
        done += len(found[-1].pts_s)
    return join_parts(found, path=reader.path, info=reader.info, settings=settings)
