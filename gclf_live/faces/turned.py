"""Faces that lie on their side or stand on their head, as in a scan without an orientation tag.

The detector finds many of them, but with the landmarks of an upright face: the crop is then upside down and
its label is a guess. A turned face scores higher once it has been turned back (0.93 and more against 0.69 to
0.87 for the sample portraits), which tells how it lies.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gclf_live.faces.detector import FaceDetector
from gclf_live.geometry import box_iou
from gclf_live.records import F32, U8, Faces

_UPRIGHT_SCORE = 0.9
"""A face with this detection score is upright; only weaker ones are looked at again."""
_GAIN = 0.03
"""How much higher a face must score once turned: turns of the same weak face differ by less."""
_SURROUNDINGS = 2.2
"""Side of what is looked at again, in sides of the face."""
_SAME_FACE_IOU = 0.3


def upright_landmarks(detector: FaceDetector, image: U8, faces: Faces) -> Faces:
    """The faces with the landmarks, boxes and scores of how they really lie.

    Args:
        detector: finds faces in the turned surroundings of each weak face, three times a face.
        image: uint8, shape (H, W, 3), BGR.
        faces: of that image; strong ones are returned as they are.
    """
    boxes, scores, landmarks = faces.boxes.copy(), faces.scores.copy(), faces.landmarks.copy()
    for i in np.flatnonzero(scores < _UPRIGHT_SCORE).tolist():
        for turns in (1, 2, 3):
            found = _find_turned(detector, image, faces.boxes[i], turns)
            if found is not None and found.scores[0] > max(faces.scores[i] + _GAIN, scores[i]):
                boxes[i], scores[i], landmarks[i] = found.boxes[0], found.scores[0], found.landmarks[0]
    return Faces(boxes, scores, landmarks)


def _find_turned(detector: FaceDetector, image: U8, box: F32, turns: int) -> Faces | None:
    """The face at ``box`` as found after ``turns`` quarter turns, in coordinates of the image."""
    half = _SURROUNDINGS * float((box[2:] - box[:2]).max()) / 2
    centre = (box[:2] + box[2:]) / 2
    left, top = np.maximum(np.floor(centre - half), 0).astype(int).tolist()
    right, bottom = np.ceil(centre + half).astype(int).tolist()
    patch, origin = image[top:bottom, left:right], np.array([left, top], np.float32)
    found = detector.detect(np.ascontiguousarray(np.rot90(patch, turns)))
    if not len(found):
        return None
    corners = _turn_back(found.boxes.reshape(-1, 2, 2), patch, turns) + origin
    boxes = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
    marks = _turn_back(found.landmarks, patch, turns) + origin
    same = np.flatnonzero(box_iou(boxes, box[None])[:, 0] > _SAME_FACE_IOU)
    if not len(same):
        return None
    best = same[[int(found.scores[same].argmax())]]
    return Faces(boxes[best], found.scores[best], marks[best])


def _turn_back(points: npt.NDArray[np.float32], patch: U8, turns: int) -> npt.NDArray[np.float32]:
    """Points (..., 2) of ``np.rot90(patch, turns)`` in coordinates of the patch."""
    height, width = patch.shape[:2]
    for done in range(turns, 0, -1):
        # A quarter turn takes the right edge to the top: x was measured from what is now the top.
        side = width if (done - 1) % 2 == 0 else height
        points = np.stack([side - points[..., 1], points[..., 0]], axis=-1)
    return points
