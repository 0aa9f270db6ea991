"""What is known of a video once it was read: its tracks, and from them what is in each frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gclf_live.geometry import box_iou
from gclf_live.media.reader import VideoInfo
from gclf_live.output.rows import TrackSummary
from gclf_live.pipeline.paths import F64, TrackPath, join_faces
from gclf_live.records import UNSURE, Faces, FrameResult, Predictions, Tracks

_Seen = tuple[TrackPath, tuple[Faces, float]]

_COVERED_IOU = 0.3
"""Overlap from which a face that was not found is taken to be behind one that was."""
_TOLERANCE_S = 0.02
"""Searches are not exactly as far apart as asked for: they fall on frames."""
_USUAL_STEP_S = 0.04


@dataclass(frozen=True, slots=True)
class VideoAnalysis:
    """What the first pass found.

    Attributes:
        path: the video.
        info: what the container says of it.
        classes: names of the C classes.
        threshold: confidence below which a track is ``unsure``.
        tracks: in the order of their first appearance.
        pts_s: float64, shape (F,): presentation time of every frame of the range that was asked for.
        cuts_s: times of the first frames of new shots.
        damaged: None, or what of the file could not be read.
        detect_every_s: time between two searches for faces.
    """

    path: Path
    info: VideoInfo
    classes: tuple[str, ...]
    threshold: float
    tracks: tuple[TrackPath, ...] = field(repr=False)
    pts_s: F64 = field(repr=False)
    cuts_s: tuple[float, ...]
    damaged: str | None
    detect_every_s: float

    def results(self) -> Iterator[FrameResult]:
        """What is known of each frame, in order; every track has its final label from its first frame on."""
        waiting = list(self.tracks)[::-1]
        active: list[TrackPath] = []
        for index, pts_s in enumerate(map(float, self.pts_s)):
            while waiting and waiting[-1].first_s <= pts_s:
                active.append(waiting.pop())
            active = [track for track in active if track.last_s >= pts_s]
            yield self._result(index, pts_s, active)

    def _result(self, index: int, pts_s: float, active: list[TrackPath]) -> FrameResult:
        seen = self._without_covered(
            [(t, found) for t in active if (found := t.at(pts_s)) is not None], pts_s
        )
        tracks = Tracks.empty()
        if seen:
            faces = [face for _, (face, _) in seen]
            tracks = Tracks(np.array([track.track_id for track, _ in seen], np.int64), join_faces(faces))
        probabilities = np.array([track.probabilities for track, _ in seen], np.float32)
        predictions = Predictions(self.classes, probabilities.reshape(-1, len(self.classes)))
        quality = np.array([value for _, (_, value) in seen], np.float32)
        labels = tuple(
            UNSURE if track.excluded else label
            for (track, _), label in zip(seen, predictions.labels(self.threshold), strict=True)
        )
        return FrameResult(index, pts_s, tracks, predictions, labels, quality)

    def _without_covered(self, seen: list[_Seen], pts_s: float) -> list[_Seen]:
        """Drop the boxes that bridge a missed search where another face was found: theirs is behind it."""
        longest_s = 2 * self.detect_every_s + _TOLERANCE_S
        bridged = np.array([track.gap_s(pts_s) > longest_s for track, _ in seen], np.bool_)
        if not bridged.any() or bridged.all():
            return seen
        boxes = np.concatenate([face.boxes for _, (face, _) in seen])
        found = np.flatnonzero(~bridged)
        covered = (box_iou(boxes, boxes[found]) > _COVERED_IOU).any(axis=1)
        return [seen[i] for i in np.flatnonzero(~(bridged & covered))]

    def spans_s(self, track: TrackPath) -> tuple[tuple[float, float], ...]:
        """When a track's face was on screen: from its frames' times until the times of those behind them.

        Returns:
            ``[from, to)``, increasing. The last frame of all is shown as long as frames usually are.
        """
        ends_s = np.append(self.pts_s[1:], self.end_s)
        spans = []
        for from_s, to_s in track.spans_s():
            first = int(np.searchsorted(self.pts_s, from_s))
            behind = int(np.searchsorted(self.pts_s, to_s, side="right"))
            if first < behind:
                spans.append((float(self.pts_s[first]), float(ends_s[behind - 1])))
        return tuple(spans)

    @property
    def end_s(self) -> float:
        """The end of the last frame; 0 without frames."""
        if not len(self.pts_s):
            return 0.0
        usual_s = float(np.median(np.diff(self.pts_s))) if len(self.pts_s) > 1 else _USUAL_STEP_S
        return float(self.pts_s[-1]) + usual_s

    def summaries(self) -> list[TrackSummary]:
        """One row a track, as in the table of tracks."""
        return [self._summary(track) for track in self.tracks]

    def _summary(self, track: TrackPath) -> TrackSummary:
        predictions = Predictions(self.classes, track.probabilities[None])
        boxes = track.faces.boxes
        spans = self.spans_s(track)
        return TrackSummary(
            track_id=track.track_id,
            start_s=spans[0][0],
            end_s=spans[-1][1],
            seconds=sum(end - start for start, end in spans),
            faces=len(track.pts_s),
            classified=track.classified,
            median_height_px=float(np.median(boxes[:, 3] - boxes[:, 1])),
            label=UNSURE if track.excluded else predictions.labels(self.threshold)[0],
            confidence=float(predictions.confidences[0]),
            probabilities=dict(zip(self.classes, track.probabilities.tolist(), strict=True)),
            excluded=track.excluded,
        )
