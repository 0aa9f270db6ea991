"""The one face that a labelled picture is about, for training and for evaluation."""

from __future__ import annotations

import cv2
import numpy as np

from gclf_live.faces.detector import FaceDetector
from gclf_live.geometry import BORDER_BGR, box_area
from gclf_live.records import U8, Faces

_PADDING = 1 / 3
"""Border added on each side, relative to the longer side: data sets of face crops are often cut so
tightly that a detector does not recognise what is left (UTKFace is)."""


def portrait_detector() -> FaceDetector:
    """The detector of labelled pictures, not sharable between threads.

    It takes less for a face than that of videos does: a labelled picture does show one.
    """
    return FaceDetector(score_threshold=0.4, max_side_px=480)


def pad_picture(image: U8) -> U8:
    """The picture with a plain border around it: uint8 (H', W', 3), BGR."""
    border = round(min(max(image.shape[:2]), 4 * min(image.shape[:2])) * _PADDING)
    padded = cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_CONSTANT, value=BORDER_BGR)
    return np.asarray(padded, np.uint8)


def main_face(faces: Faces, *, width_px: int, height_px: int) -> Faces:
    """The largest face near the middle: of N faces one, of none none.

    A face counts by its area, halved at a quarter of the picture's diagonal from the middle.
    """
    if not len(faces):
        return faces
    centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    middle = np.array([width_px, height_px], np.float32) / 2
    distance = np.linalg.norm(centres - middle, axis=1) / float(np.hypot(width_px, height_px))
    best = int(np.argmax(box_area(faces.boxes) / (1 + (distance / 0.25) ** 2)))
    return faces.select(np.array([best]))


def find_main_face(detector: FaceDetector, image: U8) -> tuple[U8, Faces]:
    """Find the face that a labelled picture is about.

    Returns:
        The padded picture and, in its pixels, the one face found, or none.
    """
    padded = pad_picture(image)
    faces = detector.detect(padded)
    return padded, main_face(faces, width_px=padded.shape[1], height_px=padded.shape[0])
