"""The first pass over a video file: who is in it, when and where, and one label a track."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gclf_live.faces.detector import FaceDetector
from gclf_live.faces.quality import face_quality
from gclf_live.faces.shots import PREVIEW_PX, ShotCuts
from gclf_live.faces.tracker import FaceTracker
from gclf_live.geometry import crop_faces
from gclf_live.labels.aggregate import combine_track, pick_crops
from gclf_live.media.ahead import ReadAhead
from gclf_live.media.decoded import DecodedFrame
from gclf_live.media.reader import VideoReader
from gclf_live.model.classifier import MAX_BATCH, Classifier
from gclf_live.pipeline.analysis import VideoAnalysis
from gclf_live.pipeline.paths import CropReservoir, OpenTrack, TrackPath
from gclf_live.profiling import NO_PROFILER, Spans
from gclf_live.records import F32, U8, Tracks

Advance = Callable[[int], None]

_Crop = tuple[float, float, U8]
"""Time, quality and pixels, as ``CropReservoir`` keeps them."""

_SURE_SCORE = 0.8
"""A face that was seen once only is believed from this detection score on; others are noise."""


@dataclass(frozen=True, slots=True)
class AnalysisSettings:
    """How the first pass weighs cost against detail.

    Attributes:
        threshold: confidence below which a track is ``unsure``.
        detect_every_s: time between two searches for faces; boxes between them are interpolated.
        detection_side_px: longer side of the picture that is searched.
        crops_per_track: how many of a track's crops are classified at most.
    """

    threshold: float = 0.8
    detect_every_s: float = 0.1
    detection_side_px: int = 640
    crops_per_track: int = 8


def analyse_video(
    reader: VideoReader,
    classifier: Classifier,
    settings: AnalysisSettings | None = None,
    *,
    advance: Advance = lambda done: None,
    spans: Spans = NO_PROFILER,
) -> VideoAnalysis:
    """Read a video once and find, follow and label its faces.

    Args:
        reader: the open video.
        classifier: labels crops.
        settings: cost against detail.
        advance: called with the number of frames read so far.
        spans: what the stages are timed with.

    Raises:
        SourceError: the file can no longer be read.
    """
    settings = settings or AnalysisSettings()
    run = _FirstPass(classifier, settings, spans)
    decoded = spans.around_next("decode", reader.decoded())
    with ReadAhead(decoded, name="decode, first pass") as frames:
        for frame in spans.around_next("wait", iter(frames)):
            run.see(frame)
            advance(len(run.pts_s))
    tracks = run.finish()
    return VideoAnalysis(
        path=reader.path,
        info=reader.info,
        classes=classifier.classes,
        threshold=settings.threshold,
        tracks=tuple(sorted(tracks, key=lambda track: (track.first_s, track.track_id))),
        pts_s=np.array(run.pts_s, np.float64),
        cuts_s=tuple(run.cuts_s),
        damaged=reader.damaged,
        detect_every_s=settings.detect_every_s,
    )


class _FirstPass:
    """What is kept between two frames of the first pass."""

    def __init__(self, classifier: Classifier, settings: AnalysisSettings, spans: Spans) -> None:
        self.pts_s: list[float] = []
        self.cuts_s: list[float] = []
        self._classifier = classifier
        self._settings = settings
        self._spans = spans
        self._detector = FaceDetector(max_side_px=settings.detection_side_px)
        self._tracker = FaceTracker()
        self._cuts = ShotCuts()
        self._open: dict[int, OpenTrack] = {}
        self._ended: list[tuple[OpenTrack, float, float]] = []
        self._done: list[TrackPath] = []
        self._before: DecodedFrame | None = None
        self._searched_s = -np.inf
        self._shot_start_s = 0.0

    def see(self, frame: DecodedFrame) -> None:
        """Take the next frame."""
        if not self.pts_s:
            self._shot_start_s = frame.pts_s
        with self._spans.span("decode"):  # frames are converted here, where and as far as they are needed
            preview = frame.preview(*PREVIEW_PX)
        with self._spans.span("shot cuts"):
            is_cut = self._cuts.is_cut(preview, frame.pts_s)
        if is_cut:
            self._cut(frame)
        if frame.pts_s - self._searched_s >= self._settings.detect_every_s - 1e-3:
            self._search(frame)
        self._before = frame
        self.pts_s.append(frame.pts_s)

    def finish(self) -> list[TrackPath]:
        """Close what is open and return all tracks."""
        if self._before is not None:
            if self._searched_s < self._before.pts_s:
                self._search(self._before)
            self._end_tracks(list(self._open), self._before.pts_s)
        self._classify_ended()
        return self._done

    def _cut(self, frame: DecodedFrame) -> None:
        """A new shot begins with ``frame``: the old one's faces are followed to its last frame and let go."""
        assert self._before is not None
        if self._searched_s < self._before.pts_s:
            self._search(self._before)
        self._end_tracks(list(self._open), self._before.pts_s)
        self._tracker.reset()
        self.cuts_s.append(frame.pts_s)
        self._shot_start_s = frame.pts_s
        self._searched_s = -np.inf

    def _search(self, frame: DecodedFrame) -> None:
        """Find the faces of a frame and note them on their tracks."""
        span = self._spans.span
        self._searched_s = frame.pts_s
        with span("decode"):
            image = frame.image
        with span("detect"):
            faces = self._detector.detect(image)
        with span("track"):
            tracks = self._tracker.update(faces, frame.pts_s)
        with span("crop"):
            crops = crop_faces(image, tracks.faces, self._classifier.crop_spec)
            quality = face_quality(tracks.faces, crops)
            self._keep(frame, tracks, crops, quality)
        # The tracker lets go of a track after a second; half a second more and it is surely over.
        gone = [i for i, track in self._open.items() if frame.pts_s - track.pts_s[-1] > 1.5]
        self._end_tracks(gone, frame.pts_s)

    def _keep(self, frame: DecodedFrame, tracks: Tracks, crops: U8, quality: F32) -> None:
        """Note the faces of a frame, with their crops and qualities, on their tracks."""
        for i, track_id in enumerate(tracks.ids.tolist()):
            track = self._open.get(track_id)
            if track is None:
                track = OpenTrack(track_id, CropReservoir(2 * self._settings.crops_per_track))
                self._open[track_id] = track
            track.add(frame.pts_s, tracks.faces.select(np.array([i])), float(quality[i]), crops[i].copy())

    def _end_tracks(self, ids: list[int], not_after_s: float) -> None:
        for track_id in ids:
            self._ended.append((self._open.pop(track_id), self._shot_start_s, not_after_s))
        if len(self._ended) * self._settings.crops_per_track >= MAX_BATCH:
            self._classify_ended()

    def _classify_ended(self) -> None:
        """Label the tracks that have ended, their crops in full batches, and let the crops go."""
        believed = [entry for entry in self._ended if _is_believed(entry[0])]
        self._ended = []
        chosen = [self._best_crops(track) for track, _, _ in believed]
        crops = [crop for best in chosen for _, _, crop in best]
        if not crops:
            return
        with self._spans.span("classify"):
            evidence = self._classifier.log_probabilities(np.stack(crops))
        ends = np.cumsum([len(best) for best in chosen])[:-1]
        for entry, best, logits in zip(believed, chosen, np.split(evidence, ends), strict=True):
            self._done.append(self._close(*entry, best, logits))

    def _close(
        self, track: OpenTrack, not_before_s: float, not_after_s: float, best: list[_Crop], logits: F32
    ) -> TrackPath:
        """A finished track with the label that its classified crops, shape (K, C), come to."""
        probabilities = combine_track(
            logits,
            np.array([quality for _, quality, _ in best], np.float32),
            np.array([pts_s for pts_s, _, _ in best], np.float64),
        )
        return track.close(
            probabilities,
            classified=len(best),
            lead_s=self._settings.detect_every_s / 2,
            not_before_s=not_before_s,
            not_after_s=not_after_s,
        )

    def _best_crops(self, track: OpenTrack) -> list[_Crop]:
        """The crops of a track to classify with their times and qualities, in order of time."""
        kept = list(track.reservoir.kept.values())
        quality = np.array([quality for _, quality, _ in kept], np.float32)
        pts_s = np.array([pts_s for pts_s, _, _ in kept], np.float64)
        return [kept[i] for i in pick_crops(quality, pts_s, count=self._settings.crops_per_track)]


def _is_believed(track: OpenTrack) -> bool:
    """Whether a track is a face rather than a passing pattern that looks like one."""
    return len(track.faces) > 1 or float(track.faces[0].scores[0]) >= _SURE_SCORE
