"""One live frame after another: detect, track, classify what is due, smooth."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gclf_live.errors import UsageError
from gclf_live.faces.detector import FaceDetector
from gclf_live.faces.shots import ShotCuts
from gclf_live.faces.tracker import FaceTracker
from gclf_live.geometry import box_iou
from gclf_live.labels.smoothing import LiveSmoother, SmoothingSettings
from gclf_live.model.classifier import Classifier
from gclf_live.pipeline.face_reading import face_reader
from gclf_live.pipeline.paths import join_faces
from gclf_live.pipeline.settings import check_threshold
from gclf_live.profiling import NO_PROFILER, Spans
from gclf_live.records import F32, I64, U8, Faces, Frame, FrameResult, Tracks
from gclf_live.timing import Clock

_DETECTION_SIDE_PX = 480
_SMALLER_SIDE_PX = 320
"""What is searched where the time does not suffice: half the work, and faces must be half again as large."""
_SEARCH_SHARE = 1 / 3
"""The part of the time allowed for a frame that the search for faces may take."""
_HOLD_S = 0.25
"""A box stays this long where its face was last seen: single misses must not make it flicker."""
_COVERED_IOU = 0.3
"""A held box that overlaps a face seen now by more is not shown: its own face is behind that one."""
_DUE = 0.3
"""Urgency that is acted on: a new face at once, an unsure one every 0.2 s, a settled one every 1.2 s."""
_RESERVE_S = 0.02
"""Kept free of the time allowed for a frame: drawing, the window, and what cannot be foreseen."""


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """How live labelling weighs delay against evidence.

    Attributes:
        threshold: confidence below which a label is ``unsure``.
        max_latency_s: from capture to display; classification is fitted into what is left of it.
        max_crops: crops classified in one frame at most; by default 8, and 32 on a CUDA device.

    Raises:
        UsageError: a value is out of range.
    """

    threshold: float = 0.8
    max_latency_s: float = 0.08
    max_crops: int | None = None

    def __post_init__(self) -> None:
        check_threshold(self.threshold)
        if not 0 < self.max_latency_s < math.inf:
            raise UsageError(f"max_latency_s is {self.max_latency_s:g}; allowed is a time above 0")
        if self.max_crops is not None and self.max_crops < 1:
            raise UsageError(f"max_crops is {self.max_crops}; allowed are 1 and more")


@dataclass(slots=True)
class _Seen:
    """Where a track's face was last."""

    pts_s: float
    face: Faces
    quality: float


class LiveLabeller:
    """Keeps tracks and labels from frame to frame of one live source. Not thread-safe.

    Attributes:
        crops_classified: crops that went through the network.
        crops_put_off: crops that were due and did not fit into the time left for their frame.
        smaller_searches: frames that were searched at 320 px instead of 480, because that took too long.
    """

    def __init__(
        self,
        classifier: Classifier,
        settings: LiveSettings | None = None,
        *,
        clock: Clock = time.monotonic,
        spans: Spans = NO_PROFILER,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        """Start without tracks; the classifier's first run is done here, not in the first frame.

        Args:
            classifier: labels crops.
            settings: delay against evidence.
            clock: seconds, monotonic.
            spans: what the stages are timed with.
            say: takes one line for the user, about something that works less well than it should.
        """
        self.settings = settings or LiveSettings()
        self._classifier = classifier
        self._clock = clock
        self._spans = spans
        self._reader = face_reader(classifier, clock=clock, spans=spans, say=say)
        self._most_crops = self.settings.max_crops or self._reader.most_faces
        self.crops_classified = self.crops_put_off = self.smaller_searches = 0
        self._search = _FaceSearch(_SEARCH_SHARE * self.settings.max_latency_s, clock)
        self._size: tuple[int, ...] | None = None
        self._tracker = FaceTracker()
        self._cuts = ShotCuts()
        threshold = _between_0_and_1(self.settings.threshold)
        self._smoother = LiveSmoother(classifier.classes, SmoothingSettings(threshold=threshold))
        self._seen: dict[int, _Seen] = {}
        self._seconds_a_crop = self._measure_classifier()

    def set_threshold(self, threshold: float) -> None:
        """Show from the next frame on what reaches ``threshold``, from 0 to 1; tracks and evidence stay."""
        self.settings = replace(self.settings, threshold=threshold)
        self._smoother.set_threshold(_between_0_and_1(threshold))

    def label(self, frame: Frame, *, age_s: float = 0.0) -> FrameResult:
        """Label the faces of the next frame.

        Args:
            frame: later than the one before.
            age_s: seconds since its capture; what is left of the allowed delay is for classification.
        """
        began_s = self._clock() - age_s
        span = self._spans.span
        with span("shot cuts"):
            is_cut = self._cuts.is_cut(frame.image, frame.pts_s)
        if is_cut or frame.image.shape != self._size:  # boxes of another picture size would mean nothing
            self._size = frame.image.shape
            self._reader.prepare(*self._size[:2])
            self._tracker.reset()
            self._seen.clear()
        with span("detect"):
            faces = self._search.detect(frame.image)
        self.smaller_searches += self._search.was_smaller
        with span("track"):
            tracks = self._tracker.update(faces, frame.pts_s)
        left_s = self.settings.max_latency_s - _RESERVE_S - (self._clock() - began_s)
        self._classify(frame, tracks, left_s)
        with span("smooth"):
            return self._result(frame, self._with_held(tracks, frame.pts_s))

    def _classify(self, frame: Frame, tracks: Tracks, left_s: float) -> None:
        """Classify the crops that are due and fit into ``left_s``, and take them as evidence."""
        due = self._due(tracks, frame.pts_s, left_s)
        for i in range(len(tracks)):
            before = self._seen.get(int(tracks.ids[i]))
            known = before.quality if before else 0.0
            self._seen[int(tracks.ids[i])] = _Seen(frame.pts_s, tracks.faces.select(np.array([i])), known)
        if not len(due):
            return
        chosen = tracks.faces.select(due)
        evidence, quality = self._reader.read(frame.image, chosen)
        self.crops_classified += len(due)
        took_s = (self._clock() - self._reader.started_s) / len(due)
        self._seconds_a_crop += 0.1 * (took_s - self._seconds_a_crop)
        with self._spans.span("smooth"):
            self._smoother.update(tracks.ids[due], evidence, quality, frame.pts_s)
        for i, value in zip(due, quality, strict=True):
            self._seen[int(tracks.ids[i])].quality = float(value)

    def _due(self, tracks: Tracks, pts_s: float, left_s: float) -> I64:
        """Positions of the faces to classify now, the most urgent first."""
        if not len(tracks):
            return np.zeros(0, np.int64)
        urgency = self._smoother.needs_evidence(tracks.ids, pts_s)
        # However late the frame is, one face a frame is looked at: else nobody would ever get a label.
        fits = max(1, int(left_s / max(self._seconds_a_crop, 1e-4)))
        order = np.argsort(-urgency, kind="stable")
        due = np.asarray(order[urgency[order] >= _DUE], np.int64)
        chosen = due[: min(fits, self._most_crops)]
        self.crops_put_off += len(due) - len(chosen)
        return chosen

    def _with_held(self, tracks: Tracks, pts_s: float) -> Tracks:
        """The tracks of this frame and those whose face was missed for a moment, where it was last seen."""
        gone = [i for i, seen in self._seen.items() if pts_s - seen.pts_s > _HOLD_S]
        for i in gone:
            del self._seen[i]
        held = [
            i for i, seen in self._seen.items() if seen.pts_s < pts_s and not _is_covered(seen.face, tracks)
        ]
        if not held:
            return tracks
        faces = join_faces([tracks.faces, *(self._seen[i].face for i in held)])
        return Tracks(np.concatenate([tracks.ids, np.array(held, np.int64)]), faces)

    def _result(self, frame: Frame, tracks: Tracks) -> FrameResult:
        return FrameResult(
            index=frame.index,
            pts_s=frame.pts_s,
            tracks=tracks,
            predictions=self._smoother.predictions(tracks.ids, frame.pts_s),
            labels=self._smoother.labels(tracks.ids, frame.pts_s),
            quality=self._qualities(tracks),
        )

    def _qualities(self, tracks: Tracks) -> F32:
        return np.array([self._seen[int(i)].quality for i in tracks.ids], np.float32)

    def _measure_classifier(self) -> float:
        """Seconds a crop takes, after a warm-up; corrected with every frame."""
        side = self._classifier.crop_spec.size_px
        crops = np.zeros((4, side, side, 3), np.uint8)
        self._classifier.warm_up((1, 4))
        started_s = self._clock()
        self._classifier.log_probabilities(crops)
        return max((self._clock() - started_s) / len(crops), 1e-4)


class _FaceSearch:
    """Finds faces on a picture that is as large as the time for it allows.

    Attributes:
        was_smaller: whether the last search had to do with the smaller picture.
    """

    def __init__(self, allowed_s: float, clock: Clock) -> None:
        self.was_smaller = False
        self._allowed_s = allowed_s
        self._clock = clock
        self._usual = FaceDetector(max_side_px=_DETECTION_SIDE_PX)
        self._smaller: FaceDetector | None = None
        self._usual_s: float | None = None
        """Seconds that a search of the usual size takes, or would take: the work grows with the pixels."""

    def detect(self, image: U8) -> Faces:
        """The faces of a picture: uint8, shape (H, W, 3), BGR."""
        self.was_smaller = (
            self._usual_s is not None
            and self._usual_s > self._allowed_s
            and max(image.shape[:2]) > _SMALLER_SIDE_PX
        )
        began_s = self._clock()
        if self.was_smaller:
            self._smaller = self._smaller or FaceDetector(max_side_px=_SMALLER_SIDE_PX)
            faces = self._smaller.detect(image)
            work = (_DETECTION_SIDE_PX / _SMALLER_SIDE_PX) ** 2
        else:
            faces, work = self._usual.detect(image), 1.0
        took_s = (self._clock() - began_s) * work
        # The first search sets up the network; it tells nothing about the next.
        self._usual_s = 0.0 if self._usual_s is None else self._usual_s + 0.1 * (took_s - self._usual_s)
        return faces


def _between_0_and_1(threshold: float) -> float:
    """The smoother thinks in log odds, where 0 and 1 are infinite."""
    return min(max(threshold, 1e-6), 1 - 1e-6)


def _is_covered(face: Faces, tracks: Tracks) -> bool:
    """Whether a face of this frame is where ``face`` was last seen."""
    return bool((box_iou(face.boxes, tracks.faces.boxes) > _COVERED_IOU).any())
