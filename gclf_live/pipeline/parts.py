"""A long video in parts, each analysed by itself, in any order and anywhere, and joined again.

A part is a minute of presentation time, on one machine as on many, so that what comes out does not depend on
how the work was spread, and a run that is killed loses at most the part in work.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from gclf_live.errors import SourceError
from gclf_live.media.reader import VideoInfo, VideoReader
from gclf_live.model.classifier import Classifier
from gclf_live.pipeline.analysis import VideoAnalysis
from gclf_live.pipeline.glances import glances
from gclf_live.pipeline.joining import carried_over, joined_track
from gclf_live.pipeline.memory import give_back_memory
from gclf_live.pipeline.part_file import read_part, write_part
from gclf_live.pipeline.part_pass import PartPass
from gclf_live.pipeline.paths import F64, PartTrack
from gclf_live.pipeline.settings import AnalysisSettings
from gclf_live.profiling import NO_PROFILER, Spans

PART_S = 60.0
_TIDY_EVERY_S = 15.0
"""How often free memory is given back, in the video's time."""
_SHORTEST_SHARE = 0.1
"""A shorter rest, as a share of a part, is read with the part before it."""
_RUN_UP_S = 2.0
"""Frames before a part that are shown to the shot-cut detector: its memory of half a second fades to 2 %."""
_ROUNDED_S = 0.5e-6
"""A time that is taken from a table has six decimals; it still means the frame that it was read from."""

Advance = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Part:
    """One stretch of a video.

    Attributes:
        index: its position, from 0.
        from_s, to_s: presentation times, [from, to); the last part's ``to_s`` is infinite, or the end of the
            range that was asked for.
    """

    index: int
    from_s: float
    to_s: float


@dataclass(frozen=True, slots=True)
class PartAnalysis:
    """What was found in one part.

    Attributes:
        part: which.
        classes: names of the C classes.
        tracks: as if the part were all there is; at a border also those seen too little to be believed.
        pts_s: float64, shape (F,): presentation time of every frame.
        cuts_s: times of the first frames of new shots; the part's own first frame may be one.
        damaged: None, or what of the part could not be read.
    """

    part: Part
    classes: tuple[str, ...]
    tracks: tuple[PartTrack, ...]
    pts_s: F64
    cuts_s: tuple[float, ...]
    damaged: str | None

    def save(self, path: Path) -> None:
        """Write it to a file (NumPy's ``.npz``), whole or not at all.

        Raises:
            OutputError: it cannot be written.
        """
        document = {"index": self.part.index, "classes": list(self.classes), "damaged": self.damaged}
        arrays = {
            "range_s": np.array([self.part.from_s, self.part.to_s], np.float64),
            "pts_s": self.pts_s,
            "cuts_s": np.array(self.cuts_s, np.float64),
        }
        write_part(path, document, arrays, self.tracks)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file that ``save`` wrote; bit for bit what was saved.

        Raises:
            SourceError: it is missing, damaged, or of another version.
        """
        document, arrays, tracks = read_part(path)
        from_s, to_s = arrays["range_s"].tolist()
        return cls(
            part=Part(document["index"], from_s, to_s),
            classes=tuple(document["classes"]),
            tracks=tracks,
            pts_s=arrays["pts_s"],
            cuts_s=tuple(arrays["cuts_s"].tolist()),
            damaged=document["damaged"],
        )


def plan_parts(
    info: VideoInfo, *, from_s: float | None = None, to_s: float | None = None, part_s: float = PART_S
) -> list[Part]:
    """Cut a video, or a range of it, into parts.

    Args:
        info: of the video. One whose length is unknown, or that can be read from its beginning only, is one
            part.
        from_s, to_s: presentation times of the range, to the microsecond; None is the beginning, or the end.
        part_s: length of a part; the last is 0.1 to 1.1 times as long.

    Returns:
        At least one part, without gaps. A range that the video does not reach is one part, without frames.

    Raises:
        ValueError: ``part_s`` is not above 0.
    """
    if not part_s > 0:
        raise ValueError(f"part_s={part_s}; it must be more than 0")
    begins_s = info.start_s if from_s is None else max(from_s - _ROUNDED_S, info.start_s)
    ends_s = math.inf if to_s is None else to_s - _ROUNDED_S
    count = 1
    if info.seekable and info.duration_s is not None:
        length_s = min(ends_s, info.start_s + info.duration_s) - begins_s
        count = max(1, math.ceil(length_s / part_s - _SHORTEST_SHARE))
    borders = [*(begins_s + i * part_s for i in range(count)), ends_s]
    return [Part(i, a, b) for i, (a, b) in enumerate(itertools.pairwise(borders))]


def analyse_part(
    path: Path,
    part: Part,
    classifier: Classifier,
    settings: AnalysisSettings | None = None,
    *,
    threads: int = 0,
    advance: Advance = lambda done: None,
    spans: Spans = NO_PROFILER,
) -> PartAnalysis:
    """Read one part of a video file and find, follow and classify its faces.

    Args:
        path: the video.
        part: one of ``plan_parts``, with the range of ``settings``.
        classifier: labels crops.
        settings: cost against detail.
        threads: of the decoder; 0 is one for each core.
        advance: called with the number of the part's frames read so far.
        spans: what the stages are timed with.

    Raises:
        SourceError: the file cannot be read.
    """
    with VideoReader(path, threads=threads) as reader:
        return read_through(
            reader, part, classifier, settings or AnalysisSettings(), advance=advance, spans=spans
        )


def read_through(
    reader: VideoReader,
    part: Part,
    classifier: Classifier,
    settings: AnalysisSettings,
    *,
    advance: Advance,
    spans: Spans,
) -> PartAnalysis:
    """``analyse_part`` on a video that is open already."""
    last_s = math.inf if settings.to_s is None else settings.to_s - 2 * _ROUNDED_S
    run = PartPass(classifier, settings, spans, begins_inside=part.index > 0, ends_inside=part.to_s < last_s)
    frames = reader.decoded(from_s=part.from_s - _RUN_UP_S, to_s=part.to_s)
    decoded = spans.around_next("decode", frames)
    tidy_at_s = part.from_s + _TIDY_EVERY_S
    with glances(decoded, settings, spans, from_s=part.from_s) as coming:
        for glance in spans.around_next("wait", coming):
            before = len(run.pts_s)
            run.see(glance)
            if glance.frame.pts_s >= tidy_at_s:
                give_back_memory()
                tidy_at_s = glance.frame.pts_s + _TIDY_EVERY_S
            for count in range(before, len(run.pts_s)):
                advance(count + 1)
    tracks = tuple(run.finish())
    give_back_memory()
    return PartAnalysis(
        part=part,
        classes=classifier.classes,
        tracks=tracks,
        pts_s=np.array(run.pts_s, np.float64),
        cuts_s=tuple(run.cuts_s),
        damaged=reader.damaged,
    )


def join_parts(
    parts: Sequence[PartAnalysis], *, path: Path, info: VideoInfo, settings: AnalysisSettings | None = None
) -> VideoAnalysis:
    """Put the parts of one video together: a face that goes on over a border is one track again.

    Args:
        parts: all of ``plan_parts``, in any order.
        path, info: of the video.
        settings: with which they were analysed.

    Raises:
        SourceError: the video shows nothing in the range that was asked for.
        ValueError: a part is missing or there twice, or they are not of one video and checkpoint.
    """
    settings = settings or AnalysisSettings()
    ordered = sorted(parts, key=lambda analysis: analysis.part.index)
    _check_parts(ordered)
    pts_s = np.concatenate([analysis.pts_s for analysis in ordered])
    if not len(pts_s):
        raise SourceError(_nothing_there(path, info, ordered))
    joined = (joined_track(pieces, settings) for pieces in _pieces(ordered, settings))
    tracks = [track for track in joined if track is not None]
    return VideoAnalysis(
        path=path,
        info=info,
        classes=ordered[0].classes,
        threshold=settings.threshold,
        tracks=tuple(sorted(tracks, key=lambda track: (track.first_s, track.track_id))),
        pts_s=np.asarray(pts_s, np.float64),
        # Nothing is before the first frame of all, whatever the file has there.
        cuts_s=tuple(cut for analysis in ordered for cut in analysis.cuts_s if cut > pts_s[0]),
        damaged=next((analysis.damaged for analysis in ordered if analysis.damaged), None),
        detect_every_s=settings.detect_every_s,
    )


def _pieces(ordered: Sequence[PartAnalysis], settings: AnalysisSettings) -> list[list[PartTrack]]:
    """The tracks of all parts, each with what continues it; numbered on from part to part."""
    chains: list[list[PartTrack]] = []
    reaching: dict[int, list[PartTrack]] = {}
    offset = 0
    for before, after in zip((None, *ordered), ordered, strict=False):
        links = {} if before is None else _links(before, after, settings)
        here: dict[int, list[PartTrack]] = {}
        for track in after.tracks:
            number = track.path.track_id
            if number in links:
                here[number] = reaching[links[number]]
            else:
                here[number] = []
                chains.append(here[number])
            numbered = replace(track.path, track_id=number + offset)
            here[number].append(replace(track, path=numbered))
        offset += max(here, default=0)
        reaching = here
    return chains


def _links(before: PartAnalysis, after: PartAnalysis, settings: AnalysisSettings) -> dict[int, int]:
    return carried_over(
        before.tracks,
        after.tracks,
        shot_start_s=before.cuts_s[-1] if before.cuts_s else -math.inf,
        shot_end_s=after.cuts_s[0] if after.cuts_s else math.inf,
        max_gap_s=settings.max_gap_s,
    )


def _check_parts(ordered: Sequence[PartAnalysis]) -> None:
    parts = [analysis.part for analysis in ordered]
    whole = [part.index for part in parts] == list(range(len(parts)))
    if not parts or not whole or any(a.to_s != b.from_s for a, b in itertools.pairwise(parts)):
        raise ValueError(f"parts {parts}; they must be all of one plan, each once")
    if len({analysis.classes for analysis in ordered}) > 1:
        raise ValueError("the parts have different classes; they must come from one checkpoint")


def _nothing_there(path: Path, info: VideoInfo, ordered: Sequence[PartAnalysis]) -> str:
    from_s, to_s = ordered[0].part.from_s, ordered[-1].part.to_s
    asked = f"from {from_s:g} s on" if math.isinf(to_s) else f"from {from_s:g} to {to_s:g} s"
    until = "" if info.duration_s is None else f" and ends at about {info.start_s + info.duration_s:g} s"
    return (
        f"{str(path)!r} shows nothing {asked}: it begins at {info.start_s:g} s{until}. "
        "Choose a time range that it has"
    )
