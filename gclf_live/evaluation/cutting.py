"""From a labelled picture file to the network's input."""

from __future__ import annotations

import threading
from enum import StrEnum
from pathlib import Path

import cv2
import numpy as np

from gclf_live.faces.detector import FaceDetector
from gclf_live.faces.portrait import find_main_face, portrait_detector
from gclf_live.geometry import CropSpec, crop_faces
from gclf_live.media.pictures import read_picture
from gclf_live.records import F32, U8

_LARGEST_SIDE_PX = 2400
"""Larger pictures are reduced first, for memory: a face that is found at all is then still over 80 px."""


class FaceSearch(StrEnum):
    """What of a labelled picture is classified."""

    DETECT = "detect"
    """The largest face near the middle, cut out as everywhere."""
    WHOLE = "whole"
    """The whole picture, squeezed into the network's square."""


class FaceCutter:
    """Cuts the one face that a picture is about. May be called from several threads."""

    def __init__(self, spec: CropSpec, search: FaceSearch = FaceSearch.DETECT) -> None:
        """Remember how to cut; a detector is made for each thread when it first needs one."""
        self._spec = spec
        self._search = search
        self._of_thread = threading.local()
        self._making = threading.Lock()

    def cut(self, path: Path) -> tuple[U8, F32] | None:
        """The crop of a picture's main face, and where it was.

        Returns:
            uint8, shape (S, S, 3), BGR, and the box in pixels of the upright picture, float32, shape
            (4,), which may reach over its edges; NaN for the whole picture. None where no face is found.

        Raises:
            SourceError: the file is no usable picture.
        """
        image = read_picture(path)
        if self._search is FaceSearch.WHOLE:
            return _squeeze(image, self._spec.size_px), np.full(4, np.nan, np.float32)
        small, scale = _reduce(image)
        padded, face = find_main_face(self._detector(), small)
        if not len(face):
            return None
        border = (padded.shape[1] - small.shape[1]) / 2
        box = (face.boxes[0] - np.float32(border)) * np.float32(scale)
        return np.asarray(crop_faces(padded, face, self._spec)[0], np.uint8), np.asarray(box, np.float32)

    def _detector(self) -> FaceDetector:
        detector: FaceDetector | None = getattr(self._of_thread, "detector", None)
        if detector is None:
            # One at a time: the detector quietens OpenCV's log, which all threads share, while it loads.
            with self._making:
                detector = portrait_detector()
            self._of_thread.detector = detector
        return detector


def _reduce(image: U8) -> tuple[U8, float]:
    """The picture, smaller if it is very large, and pixels of the original per pixel of it."""
    factor = max(image.shape[:2]) / _LARGEST_SIDE_PX
    if factor <= 1:
        return image, 1.0
    size = (max(1, round(image.shape[1] / factor)), max(1, round(image.shape[0] / factor)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8), factor


def _squeeze(image: U8, side_px: int) -> U8:
    shrinks = min(image.shape[:2]) >= side_px
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (side_px, side_px), interpolation=how), np.uint8)
