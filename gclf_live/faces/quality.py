"""How much a face crop can tell, so that the crops that tell most are classified and weigh most.

quality = height x sharpness x frontalness x detection x inside, each factor in (0, 1]:

- height: a box of 20 px gives 0.11, from 60 px on 1, linear between.
- sharpness: variance of the Laplacian of the crop at 56 px, divided by the variance of its brightness,
  on a logarithmic scale. Measured medians: sharp 0.42, blurred by a sixtieth of its side 0.06, by a
  thirtieth 0.013. It takes away at most three quarters.
- frontalness: 1 up to 25 degrees of yaw, 0.3 from 75 on.
- detection: the detector's score, 0.9 and more counts as certain.
- inside: share of the crop that lies inside the picture, known by the plain colour that ``crop_faces``
  shows elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from gclf_live.geometry import BORDER_BGR
from gclf_live.records import F32, U8, Bool, Faces

_HEIGHT_PX = (15.0, 60.0)
SHARPNESS_SIDE_PX = 56
"""Side to which a crop is reduced before its sharpness is measured."""
_SHARPNESS = (0.01, 0.2)
_FRONTAL_DEG = (25.0, 75.0)
_SCORE = (0.3, 0.9)
_NOSE_LENGTH = 0.55
"""How far the tip of the nose lies before the plane of eyes and mouth, in eye distances."""
SENSOR_VARIANCE = 25.0
"""Variance of brightness that a crop without content has; keeps flat crops from counting as sharp."""


@dataclass(frozen=True, slots=True)
class Measures:
    """What is read from the crops of N faces.

    Attributes:
        quality: float32, shape (N,), in [0, 1]: 1 for a large, sharp, frontal, certain face.
        sharpness: float32, shape (N,), more than 0: variance of the Laplacian over that of the brightness.
        yaw_deg: float32, shape (N,): as ``face_yaw_deg`` gives it.
    """

    quality: F32
    sharpness: F32
    yaw_deg: F32


def measure_faces(faces: Faces, crops: U8) -> Measures:
    """Judge the crops of one frame, and say by what.

    Args:
        faces: N faces in pixels of the picture.
        crops: uint8, shape (N, S, S, 3), BGR: what ``crop_faces`` cut for them.

    Raises:
        ValueError: there are not as many crops as faces.
    """
    shown = [cv2.inRange(crop, BORDER_BGR, BORDER_BGR) == 0 for crop in crops]
    sharpness = [_sharpness(crop, mask) for crop, mask in zip(crops, shown, strict=False)]
    inside = [mask.mean() for mask in shown]
    return judge_faces(faces, np.array(sharpness, np.float32), np.array(inside, np.float32))


def judge_faces(faces: Faces, sharpness: F32, inside: F32) -> Measures:
    """As ``measure_faces``, where the crops were measured elsewhere.

    Args:
        faces: N faces in pixels of the picture.
        sharpness: float32, shape (N,), see ``Measures``.
        inside: float32, shape (N,): the share of each crop that lies inside the picture.

    Raises:
        ValueError: there are not as many crops as faces.
    """
    if not len(sharpness) == len(inside) == len(faces):
        raise ValueError(f"{len(faces)} faces with {len(sharpness)} crops; there must be one crop a face")
    if not len(faces):
        return Measures(*(np.zeros(0, np.float32) for _ in range(3)))
    height = _ramp(faces.boxes[:, 3] - faces.boxes[:, 1], _HEIGHT_PX, floor=0.01)
    sharp = _ramp(np.log(sharpness), np.log(_SHARPNESS), floor=0.25)
    yaw_deg = face_yaw_deg(faces.landmarks)
    frontal = _ramp(-np.abs(yaw_deg), (-_FRONTAL_DEG[1], -_FRONTAL_DEG[0]), floor=0.3)
    certain = _ramp(faces.scores, _SCORE, floor=0.05)
    quality = np.asarray(height * sharp * frontal * certain * inside, np.float32)
    return Measures(quality, sharpness, yaw_deg)


def face_quality(faces: Faces, crops: U8) -> F32:
    """The quality alone: float32, shape (N,). Arguments and errors as ``measure_faces``."""
    return measure_faces(faces, crops).quality


def face_yaw_deg(landmarks: F32) -> F32:
    """How far each head is turned, from where its nose lies between eyes and mouth.

    With the head's long axis upright, the nose tip is off it by ``nose length * sin(yaw)`` and the eyes
    are ``eye distance * cos(yaw)`` apart; roll does not matter and nodding hardly.

    Args:
        landmarks: float32, shape (N, 5, 2), in the order of ``Faces.landmarks``.

    Returns:
        float32, shape (N,), degrees in [-90, 90]: positive when the nose points to the picture's right,
        0 for landmarks that fall onto one point.
    """
    points = landmarks.astype(np.float64)
    eyes, mouth = points[:, :2].mean(axis=1), points[:, 3:].mean(axis=1)
    down = mouth - eyes
    across = np.stack([down[:, 1], -down[:, 0]], axis=1)
    nose = ((points[:, 2] - (eyes + mouth) / 2) * across).sum(axis=1)
    # Past profile the projected eyes change places: still profile for us.
    apart = np.maximum(((points[:, 1] - points[:, 0]) * across).sum(axis=1), 0.0)
    return np.asarray(np.degrees(np.arctan2(nose, _NOSE_LENGTH * apart)), np.float32)


def _ramp(values: F32, ends: tuple[float, float] | F32, *, floor: float) -> F32:
    """``floor`` up to the first end, 1 from the second on, linear from 0 at the first end between."""
    return np.asarray(np.clip((values - ends[0]) / (ends[1] - ends[0]), floor, 1.0), np.float32)


def _sharpness(crop: U8, shown: Bool) -> float:
    """Variance of the Laplacian over that of the brightness, more than 0, where ``shown`` (S, S) is true."""
    size = (SHARPNESS_SIDE_PX, SHARPNESS_SIDE_PX)
    small = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_BGR2GRAY).astype(np.float32)
    laplacian = cv2.Laplacian(grey, cv2.CV_32F)
    if not shown.all():
        # The picture's edge is sharp whatever the face is.
        mask = cv2.resize(shown.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
        inside = cv2.erode(mask, np.ones((5, 5), np.uint8)) > 0
        grey, laplacian = grey[inside], laplacian[inside]
    if not grey.size:
        return 1e-6
    return float(laplacian.var()) / (float(grey.var()) + SENSOR_VARIANCE) + 1e-6
