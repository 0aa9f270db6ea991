"""Labelling single pictures."""

from __future__ import annotations

import numpy as np

from gclf_live.faces.detector import FaceDetector
from gclf_live.faces.portrait import pad_picture
from gclf_live.faces.quality import face_quality
from gclf_live.faces.turned import upright_landmarks
from gclf_live.geometry import clip_boxes, crop_faces
from gclf_live.model.classifier import Classifier
from gclf_live.pipeline.settings import check_threshold
from gclf_live.records import U8, Faces, FrameResult, Tracks

LARGEST_SIDE_PX = 1920
"""Larger pictures are searched at this size: it shows faces of 10 px and more of a 1920 px picture."""


class PictureLabeller:
    """Finds and labels the faces of single pictures."""

    def __init__(self, classifier: Classifier, *, threshold: float) -> None:
        """Make the detector.

        Args:
            classifier: labels crops.
            threshold: confidence below which a face is ``unsure``.

        Raises:
            UsageError: ``threshold`` is not from 0 to 1.
        """
        check_threshold(threshold)
        self.classifier = classifier
        self.threshold = threshold
        self._detector = FaceDetector(max_side_px=LARGEST_SIDE_PX)

    def label(self, image: U8) -> FrameResult:
        """Label every face of a picture.

        Args:
            image: uint8, shape (H, W, 3), BGR; faces that stand on their head are turned for the network.

        Returns:
            The faces, strongest detection first, as they lie in the picture; those that are turned for the
            network have a higher score after that. Track ids only number them.
        """
        faces = upright_landmarks(self._detector, image, self._find(image))
        crops = crop_faces(image, faces, self.classifier.crop_spec)
        predictions = self.classifier.predict(crops)
        return FrameResult(
            index=0,
            pts_s=0.0,
            tracks=Tracks(np.arange(1, len(faces) + 1, dtype=np.int64), faces),
            predictions=predictions,
            labels=predictions.labels(self.threshold),
            quality=face_quality(faces, crops),
        )

    def _find(self, image: U8) -> Faces:
        """Faces of the picture; where there is none, of the picture with a border around it.

        A picture that is cut close to its one face leaves a detector nothing to tell it by.
        """
        faces = self._detector.detect(image)
        if len(faces):
            return faces
        padded = pad_picture(image)
        border = (padded.shape[1] - image.shape[1]) // 2
        faces = self._detector.detect(padded)
        boxes = clip_boxes(faces.boxes - border, width_px=image.shape[1], height_px=image.shape[0])
        inside = ((boxes[:, 2:] - boxes[:, :2]) >= 1).all(axis=1)
        return Faces(boxes, faces.scores, faces.landmarks - np.float32(border)).select(np.flatnonzero(inside))
