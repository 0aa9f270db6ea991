"""What is known of a video once it was read: its tracks, and from them what is in each frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gclf_live.geometry import box_iou
from gclf_live.media.reader import VideoInfo
from gclf_live.output.rows import TrackSummary
from gclf_live.pipeline.paths import F64, Positions, TrackPath, join_faces
from gclf_live.records import UNSURE, Bool, Faces, FrameResult, Predictions, Tracks

_COVERED_IOU = 0.3
"""Overlap from which a face that was not found is taken to be behind one that was."""
_TOLERANCE_S = 0.02
"""Searches are not exactly as far apart as asked for: they fall on frames."""
_USUAL_STEP_S = 0.04
_BLOCK = 64
"""Frames whose boxes are worked out at once: one by one that takes as long as drawing them."""


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
        for start in range(0, len(self.pts_s), _BLOCK):
            times_s = self.pts_s[start : start + _BLOCK]
            while waiting and waiting[-1].first_s <= times_s[-1]:
                active.append(waiting.pop())
            active = [track for track in active if track.last_s >= times_s[0]]
            yield from self._block(start, times_s, active)

    def _block(self, start: int, times_s: F64, active: list[TrackPath]) -> Iterator[FrameResult]:
        """The results of the frames from ``start`` on at ``times_s``, in which ``active`` may be seen."""
        places = [track.over(times_s) for track in active]
        shown = self._uncovered(places, len(times_s))
        frames, which = np.nonzero(shown.T)
        faces, quality = Faces.empty(), np.zeros(0, np.float32)
        if places:
            # The rows of a block are one track after the other; they are wanted one frame after the other.
            rows = which * len(times_s) + frames
            faces = join_faces([place.faces for place in places]).select(rows)
            quality = np.concatenate([place.quality for place in places])[rows]
        ids = np.array([track.track_id for track in active], np.int64)
        known = np.array([track.probabilities for track in active], np.float32)
        known = known.reshape(-1, len(self.classes))
        labels = self._labels(active)
        borders = np.searchsorted(frames, np.arange(len(times_s) + 1)).tolist()
        for i, pts_s in enumerate(times_s.tolist()):
            part = slice(borders[i], borders[i + 1])
            here = which[part]
            found = Faces(faces.boxes[part], faces.scores[part], faces.landmarks[part])
            yield FrameResult(
                start + i,
                pts_s,
                Tracks(ids[here], found),
                Predictions(self.classes, known[here]),
                tuple(labels[j] for j in here.tolist()),
                quality[part],
            )

    def _labels(self, tracks: Sequence[TrackPath]) -> list[str]:
        """What each track is shown as."""
        known = [Predictions(self.classes, track.probabilities[None]) for track in tracks]
        return [
            UNSURE if track.excluded else prediction.labels(self.threshold)[0]
            for track, prediction in zip(tracks, known, strict=True)
        ]

    def _uncovered(self, places: Sequence[Positions], count: int) -> Bool:
        """Which tracks are shown in each of ``count`` frames: bool, shape (tracks, frames).

        Left out are boxes that bridge a missed search where another face was found: theirs is behind it.
        """
        shown = np.array([place.shown for place in places], np.bool_).reshape(-1, count)
        longest_s = 2 * self.detect_every_s + _TOLERANCE_S
        gaps_s = np.array([place.gap_s for place in places], np.float64).reshape(-1, count)
        bridged, found = shown & (gaps_s > longest_s), shown & (gaps_s <= longest_s)
        for frame in np.flatnonzero(bridged.any(axis=0) & found.any(axis=0)).tolist():
            boxes = np.array([place.faces.boxes[frame] for place in places], np.float32)
            behind, before = bridged[:, frame], found[:, frame]
            covered = (box_iou(boxes[behind], boxes[before]) > _COVERED_IOU).any(axis=1)
            shown[np.flatnonzero(behind)[covered], frame] = False
        return shown

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
