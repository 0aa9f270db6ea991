"""What a frame's faces look like: cut out, judged and classified, on the processor or on a CUDA device."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from gclf_live.faces.quality import SENSOR_VARIANCE, SHARPNESS_SIDE_PX, face_quality, judge_faces
from gclf_live.geometry import crop_faces, crop_transform
from gclf_live.model.classifier import Classifier
from gclf_live.model.frame_classifier import FrameClassifier
from gclf_live.profiling import Spans
from gclf_live.records import F32, U8, Faces
from gclf_live.timing import Clock


class FaceReader(Protocol):
    """Reads the faces of frames of one source.

    Attributes:
        most_faces: more than these are not worth a frame's time.
        started_s: when the last classification began, on the clock.
    """

    most_faces: int
    started_s: float

    def prepare(self, height_px: int, width_px: int) -> None:
        """Make ready for frames of another size."""

    def read(self, image: U8, faces: Faces) -> tuple[F32, F32]:
        """Evidence, float32, shape (N, C), log probabilities; and quality, float32, shape (N,), in [0, 1].

        Args:
            image: uint8, shape (H, W, 3), BGR.
            faces: N faces in its pixels, at least one.
        """


class ProcessorReader:
    """Cuts faces out with OpenCV; the classifier may be anywhere, and gets the crops."""

    most_faces = 8

    def __init__(self, classifier: Classifier, *, clock: Clock, spans: Spans) -> None:
        self._classifier, self._clock, self._spans = classifier, clock, spans
        self.started_s = 0.0

    def prepare(self, height_px: int, width_px: int) -> None:
        """Nothing depends on the size."""

    def read(self, image: U8, faces: Faces) -> tuple[F32, F32]:
        """As ``FaceReader.read``."""
        with self._spans.span("crop"):
            crops = crop_faces(image, faces, self._classifier.crop_spec)
            quality = face_quality(faces, crops)
        self.started_s = self._clock()
        with self._spans.span("classify"):
            return self._classifier.log_probabilities(crops), quality


class DeviceReader:
    """Sends the frame to the classifier's device and does all of the work there."""

    most_faces = 32

    def __init__(
        self, classifier: Classifier, *, clock: Clock, spans: Spans, say: Callable[[str], None]
    ) -> None:
        self._frames = FrameClassifier(
            classifier, sharpness_side_px=SHARPNESS_SIDE_PX, sensor_variance=SENSOR_VARIANCE, say=say
        )
        self._spec = classifier.crop_spec
        self._clock, self._spans = clock, spans
        self.started_s = 0.0

    def prepare(self, height_px: int, width_px: int) -> None:
        """Allocate memory, and record the work for every size of batch."""
        with self._spans.span("load"):
            self._frames.prepare(height_px, width_px)

    def read(self, image: U8, faces: Faces) -> tuple[F32, F32]:
        """As ``FaceReader.read``."""
        self.started_s = self._clock()
        with self._spans.span("classify"):
            matrices = [
                crop_transform(box, points, self._spec)
                for box, points in zip(faces.boxes, faces.landmarks, strict=True)
            ]
            readings = self._frames.read(image, np.stack(matrices))
        quality = judge_faces(faces, readings.sharpness, readings.inside).quality
        return readings.log_probabilities, quality


def face_reader(
    classifier: Classifier,
    *,
    clock: Clock = time.monotonic,
    spans: Spans,
    say: Callable[[str], None] = lambda line: None,
) -> FaceReader:
    """The reader that suits where the classifier runs."""
    # What stands in for a classifier, as in the server's workers, has no device of its own.
    plan = getattr(classifier, "plan", None)
    if plan is not None and plan.device.type == "cuda":
        return DeviceReader(classifier, clock=clock, spans=spans, say=say)
    return ProcessorReader(classifier, clock=clock, spans=spans)
