"""Faces that lie on their side or stand on their head keep the landmarks of how they lie."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from gclf_live.faces.detector import FaceDetector
from gclf_live.faces.turned import upright_landmarks
from gclf_live.media.pictures import read_picture
from gclf_live.records import Faces

_PORTRAITS = Path(__file__).parents[2] / "samples" / "portraits"


@pytest.mark.parametrize("name", ["biden", "collins", "obama_speaking"])
@pytest.mark.parametrize("turns", [2, 3])
def test_landmarks_turn_with_the_face(name: str, turns: int) -> None:
    detector = FaceDetector()
    upright = read_picture(_PORTRAITS / f"{name}.jpg")
    height, width = upright.shape[:2]
    turned = np.ascontiguousarray(np.rot90(upright, turns))
    x, y = detector.detect(upright).landmarks[0].T
    expected = np.stack((width - x, height - y) if turns == 2 else (height - y, x), axis=1)

    found = upright_landmarks(detector, turned, detector.detect(turned))

    assert len(found) == 1
    error = np.linalg.norm(found.landmarks[0] - expected, axis=1).max()
    assert error < 0.1 * (found.boxes[0, 3] - found.boxes[0, 1])
    assert found.boxes[0, 0] < found.landmarks[0, 2, 0] < found.boxes[0, 2]
    assert found.boxes[0, 1] < found.landmarks[0, 2, 1] < found.boxes[0, 3]


def test_upright_faces_stay_as_they_are() -> None:
    detector = FaceDetector()
    image = read_picture(_PORTRAITS / "collins.jpg")
    faces = detector.detect(image)
    kept = upright_landmarks(detector, image, faces)
    assert np.array_equal(kept.landmarks, faces.landmarks)
    assert np.array_equal(kept.boxes, faces.boxes)


def test_weak_upright_face_is_not_turned() -> None:
    detector = FaceDetector()
    image = read_picture(_PORTRAITS / "collins.jpg")
    faces = detector.detect(image)
    weak = Faces(faces.boxes, np.full_like(faces.scores, 0.85), faces.landmarks)
    kept = upright_landmarks(detector, image, weak)
    assert np.array_equal(kept.landmarks, faces.landmarks)


def test_no_faces_stay_none() -> None:
    assert len(upright_landmarks(FaceDetector(), np.zeros((50, 50, 3), np.uint8), Faces.empty())) == 0
