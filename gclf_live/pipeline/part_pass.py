"""The first pass over one part of a video: who is in it, when and where, and the evidence for each label."""

from __future__ import annotations

import numpy as np

from gclf_live.faces.detector import FaceDetector
from gclf_live.faces.quality import Measures, measure_faces
from gclf_live.faces.tracker import FaceTracker
from gclf_live.geometry import crop_faces
from gclf_live.labels.aggregate import combine_track, pick_crops
from gclf_live.media.decoded import DecodedFrame
from gclf_live.model.classifier import MAX_BATCH, Classifier
from gclf_live.pipeline.glances import Glance, unchanged
from gclf_live.pipeline.paths import CropReservoir, OpenTrack, PartTrack
from gclf_live.pipeline.settings import AnalysisSettings
from gclf_live.pipeline.small_jpeg import small_jpeg
from gclf_live.profiling import Spans
from gclf_live.records import F32, U8, Faces, Tracks

_Crop = tuple[float, float, U8]
"""Time, quality and pixels, as ``CropReservoir`` keeps them."""

_SURE_SCORE = 0.8
"""A face that was seen once only is believed from this detection score on; others are noise."""

_SURE = 0.98
"""A track that its first crops make as confident as this has no need of the others."""


class PartPass:
    """What is kept between two glances at a part.

    Attributes:
        pts_s: times of the frames so far, run-up apart.
        cuts_s: those of them that begin a shot. The first frame may be one: it is compared with the run-up.
    """

    def __init__(
        self,
        classifier: Classifier,
        settings: AnalysisSettings,
        spans: Spans,
        *,
        begins_inside: bool = False,
        ends_inside: bool = False,
    ) -> None:
        """Start before the first glance.

        Args:
            classifier: labels crops.
            settings: cost against detail.
            spans: what the stages are timed with.
            begins_inside: the video is analysed before this part too.
            ends_inside: and behind it.
        """
        self.pts_s: list[float] = []
        self.cuts_s: list[float] = []
        self._classifier = classifier
        self._settings = settings
        self._spans = spans
        self._begins_inside, self._ends_inside = begins_inside, ends_inside
        self._detector = FaceDetector(max_side_px=settings.detection_side_px)
        self._tracker = FaceTracker(max_gap_s=settings.max_gap_s)
        self._open: dict[int, OpenTrack] = {}
        self._ended: list[tuple[OpenTrack, float, float]] = []
        self._done: list[PartTrack] = []
        self._left_out: Glance | None = None
        self._found = Faces.empty()
        self._shot_start_s = 0.0
        self._finishing = False

    def see(self, glance: Glance) -> None:
        """Take the next glance."""
        frame = glance.frame
        if glance.cut:
            self._cut(frame.pts_s)
        elif not self.pts_s:
            self._shot_start_s = frame.pts_s
        self.pts_s.extend(glance.pts_s)
        if glance.found is None:
            self._left_out = glance
            return
        with self._spans.span("wait"):
            found = glance.found.result()
        before = self._left_out
        # One that is searched after all comes a second time itself: it is one sighting, not two.
        if before is not None and before.frame is not frame and not unchanged(self._found, found):
            self._note(before.frame, self._search(before.frame))
        self._note(frame, found)
        self._left_out, self._found = None, found

    def finish(self) -> list[PartTrack]:
        """Close what is open and return all tracks."""
        self._finishing = True
        self._end_shot()
        self._classify_ended()
        return self._done

    def _cut(self, pts_s: float) -> None:
        """A new shot begins: the old one's faces, which were followed to its last frame, are let go."""
        self._end_shot()
        self._tracker.reset()
        self.cuts_s.append(pts_s)
        self._shot_start_s = pts_s

    def _end_shot(self) -> None:
        if self.pts_s:
            self._end_tracks(list(self._open), self.pts_s[-1])

    def _search(self, frame: DecodedFrame) -> Faces:
        with self._spans.span("detect"):
            return self._detector.detect(frame.image)

    def _note(self, frame: DecodedFrame, faces: Faces) -> None:
        """Note the faces of a frame on their tracks."""
        with self._spans.span("track"):
            tracks = self._tracker.update(faces, frame.pts_s)
        with self._spans.span("crop"):
            crops = crop_faces(frame.image, tracks.faces, self._classifier.crop_spec)
            self._keep(frame, tracks, crops, measure_faces(tracks.faces, crops))
        # Half a second after the tracker has let go of a track it is surely over.
        longest_s = self._settings.max_gap_s + 0.5
        gone = [i for i, track in self._open.items() if frame.pts_s - track.pts_s[-1] > longest_s]
        self._end_tracks(gone, frame.pts_s)

    def _keep(self, frame: DecodedFrame, tracks: Tracks, crops: U8, measures: Measures) -> None:
        """Note the faces of a frame, with their crops and what was read from these, on their tracks."""
        for i, track_id in enumerate(tracks.ids.tolist()):
            track = self._open.get(track_id)
            if track is None:
                track = OpenTrack(track_id, CropReservoir(2 * self._settings.crops_per_track))
                self._open[track_id] = track
            track.add(
                frame.pts_s,
                tracks.faces.select(np.array([i])),
                float(measures.quality[i]),
                crops[i].copy(),
                sharpness=float(measures.sharpness[i]),
                yaw_deg=float(measures.yaw_deg[i]),
            )

    def _end_tracks(self, ids: list[int], not_after_s: float) -> None:
        for track_id in ids:
            self._ended.append((self._open.pop(track_id), self._shot_start_s, not_after_s))
        if len(self._ended) * self._settings.crops_per_track >= MAX_BATCH:
            self._classify_ended()

    def _classify_ended(self) -> None:
        """Classify the tracks that have ended, their crops in full batches, and let the crops go."""
        kept = [entry for entry in self._ended if self._may_be_face(entry[0])]
        self._ended = []
        if not kept:
            return
        best = [self._best_crops(track, self._settings.crops_per_track) for track, _, _ in kept]
        few = [self._best_crops(track, self._settings.first_crops) for track, _, _ in kept]
        few = [least if len(least) < len(most) else most for least, most in zip(few, best, strict=True)]
        found = self._classify(few)
        unsure = [
            i
            for i, (crops, logits) in enumerate(zip(few, found, strict=True))
            if len(crops) < len(best[i]) and _label_of(crops, logits).max() < _SURE
        ]
        for i, logits in zip(unsure, self._classify([best[i] for i in unsure]), strict=True):
            few[i], found[i] = best[i], logits
        for entry, crops, logits in zip(kept, few, found, strict=True):
            self._done.append(self._close(*entry, crops, logits))

    def _classify(self, tracks: list[list[_Crop]]) -> list[F32]:
        """Log probabilities, shape (K, C), of the K crops of each track, in full batches."""
        if not tracks:
            return []
        with self._spans.span("classify"):
            crops = np.stack([crop for best in tracks for _, _, crop in best])
            evidence = self._classifier.log_probabilities(crops)
        return np.split(evidence, np.cumsum([len(best) for best in tracks])[:-1])

    def _may_be_face(self, track: OpenTrack) -> bool:
        """Whether a track is believed, or the next part or the one before may hold what makes it so."""
        if is_believed(len(track.pts_s), float(track.faces[0].scores[0])):
            return True
        memory_s = self._settings.max_gap_s
        goes_back = self._begins_inside and track.pts_s[0] - self.pts_s[0] <= memory_s
        return goes_back or (self._ends_inside and self._finishing)

    def _close(
        self, track: OpenTrack, not_before_s: float, not_after_s: float, best: list[_Crop], logits: F32
    ) -> PartTrack:
        """A finished track with the label that its classified crops, shape (K, C), come to."""
        quality = np.array([quality for _, quality, _ in best], np.float32)
        crops_s = np.array([pts_s for pts_s, _, _ in best], np.float64)
        path = track.close(
            _label_of(best, logits),
            classified=len(best),
            lead_s=self._settings.detect_every_s / 2,
            not_before_s=not_before_s,
            not_after_s=not_after_s,
            crop_jpeg=small_jpeg(best[int(quality.argmax())][2]),
            fill_gap_s=self._settings.fill_gap_s,
        )
        return PartTrack(
            path=path,
            sharpness=np.array(track.sharpness, np.float32),
            yaw_deg=np.array(track.yaw_deg, np.float32),
            crops_s=crops_s,
            crops_quality=quality,
            log_probabilities=logits,
        )

    @staticmethod
    def _best_crops(track: OpenTrack, count: int) -> list[_Crop]:
        """At most ``count`` crops of a track with their times and qualities, in order of time."""
        kept = list(track.reservoir.kept.values())
        quality = np.array([quality for _, quality, _ in kept], np.float32)
        pts_s = np.array([pts_s for pts_s, _, _ in kept], np.float64)
        return [kept[i] for i in pick_crops(quality, pts_s, count=count)]


def _label_of(crops: list[_Crop], logits: F32) -> F32:
    """Class probabilities, shape (C,), from the log probabilities, shape (K, C), of a track's crops."""
    quality = np.array([quality for _, quality, _ in crops], np.float32)
    return combine_track(logits, quality, np.array([pts_s for pts_s, _, _ in crops], np.float64))


def is_believed(sightings: int, score: float) -> bool:
    """Whether a track is a face rather than a passing pattern that looks like one.

    Args:
        sightings: how often it was found.
        score: of its first detection.
    """
    return sightings > 1 or score >= _SURE_SCORE
