"""One picture through detector and classifier, to see that they work and how long they take."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np

from gclf_live.model.classifier import Classifier
from gclf_live.pipeline.pictures import PictureLabeller
from gclf_live.records import U8

_WIDTH_PX, _HEIGHT_PX = 1280, 720
_RUNS = 5

_SKIN, _HAIR, _WHITE, _DARK = (140, 170, 215), (30, 35, 45), (240, 240, 240), (30, 30, 40)
_NOSE, _LIPS = (110, 140, 190), (90, 90, 170)


def time_drawn_face(classifier: Classifier) -> dict[str, Any]:
    """Find and label the face of one drawn picture, several times.

    Returns:
        Size of the picture in pixels, number of faces found (1 unless the detector is broken), number of
        runs, and medians in milliseconds: ``frame_ms`` for all of it, ``classify_ms`` for one crop alone.
        A first run is not counted.
    """
    labeller = PictureLabeller(classifier, threshold=0.5)
    image = _drawn_face(_WIDTH_PX, _HEIGHT_PX)
    faces = len(labeller.label(image).tracks)
    side = classifier.crop_spec.size_px
    crop = np.zeros((1, side, side, 3), np.uint8)
    return {
        "width_px": _WIDTH_PX,
        "height_px": _HEIGHT_PX,
        "faces": faces,
        "runs": _RUNS,
        "frame_ms": _median_ms(lambda: labeller.label(image)),
        "classify_ms": _median_ms(lambda: classifier.predict(crop)),
    }


def _median_ms(work: Callable[[], object]) -> float:
    took_s = []
    for _ in range(_RUNS):
        start_s = time.perf_counter()
        work()
        took_s.append(time.perf_counter() - start_s)
    return round(statistics.median(took_s) * 1000, 2)


def _drawn_face(width_px: int, height_px: int) -> U8:
    """A face of ellipses, a third of the picture high: enough for the detector, and nobody's likeness."""
    image = np.full((height_px, width_px, 3), 150, np.uint8)
    unit = height_px / 6
    # Middle and half axes, in units from the middle of the picture.
    shapes = [(0.0, -0.25, 1.0, 1.25, _HAIR), (0.0, 0.0, 0.85, 1.15, _SKIN)]
    for x in (-0.36, 0.36):
        shapes += [
            (x, -0.18, 0.17, 0.08, _WHITE),
            (x, -0.18, 0.08, 0.08, _DARK),
            (x, -0.36, 0.22, 0.045, _HAIR),
        ]
    shapes += [(0.0, 0.22, 0.13, 0.09, _NOSE), (0.0, 0.58, 0.3, 0.08, _LIPS)]
    for x, y, half_width, half_height, colour in shapes:
        centre = (round(width_px / 2 + x * unit), round(height_px / 2 + y * unit))
        axes = (round(half_width * unit), round(half_height * unit))
        cv2.ellipse(image, centre, axes, 0, 0, 360, colour, cv2.FILLED, cv2.LINE_AA)
    return np.asarray(cv2.GaussianBlur(image, (0, 0), unit / 25), np.uint8)
