"""Which face of a labelled picture counts."""

from __future__ import annotations

from pathlib import Path

import cv2
import matplotlib.cbook
import numpy as np
import pytest

from gclf_live.faces.detector import FaceDetector
from gclf_live.faces.portrait import find_main_face, main_face, pad_picture
from gclf_live.geometry import BORDER_BGR
from gclf_live.records import Faces


def faces_at(*boxes: tuple[float, float, float, float]) -> Faces:
    rows = np.array(boxes, np.float32)
    return Faces(rows, np.full(len(rows), 0.9, np.float32), np.zeros((len(rows), 5, 2), np.float32))


def test_padding_is_a_third_of_the_longer_side_in_the_border_colour() -> None:
    picture = np.full((60, 90, 3), 7, np.uint8)
    padded = pad_picture(picture)
    assert padded.shape == (120, 150, 3)
    np.testing.assert_array_equal(padded[30:90, 30:120], picture)
    assert (padded[:30] == BORDER_BGR).all()
    assert (padded[:, 120:] == BORDER_BGR).all()


def test_no_faces_give_no_main_face() -> None:
    assert len(main_face(Faces.empty(), width_px=100, height_px=100)) == 0


def test_larger_of_two_equally_central_faces_is_the_main_one() -> None:
    faces = faces_at((10, 30, 40, 70), (55, 25, 95, 75))
    assert main_face(faces, width_px=100, height_px=100).boxes.tolist() == [[55, 25, 95, 75]]


def test_central_face_wins_over_a_little_larger_one_in_the_corner() -> None:
    faces = faces_at((0, 0, 44, 44), (30, 30, 70, 70))
    assert main_face(faces, width_px=100, height_px=100).boxes.tolist() == [[30, 30, 70, 70]]


def test_large_face_off_centre_wins_over_a_small_central_one() -> None:
    faces = faces_at((45, 45, 55, 55), (0, 10, 60, 80))
    assert main_face(faces, width_px=100, height_px=100).boxes.tolist() == [[0, 10, 60, 80]]


@pytest.fixture(scope="module")
def tight_crop() -> np.ndarray:
    """A face cut so tightly that forehead and chin touch the edge."""
    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    picture = cv2.imdecode(np.frombuffer(Path(str(path)).read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    x1, y1, x2, y2 = FaceDetector().detect(np.asarray(picture, np.uint8)).boxes[0].astype(int)
    return np.asarray(picture[y1:y2, x1:x2], np.uint8)


def test_tightly_cut_face_is_found_in_pixels_of_the_padded_picture(tight_crop: np.ndarray) -> None:
    padded, faces = find_main_face(FaceDetector(), tight_crop)
    assert len(faces) == 1
    border = (padded.shape[0] - tight_crop.shape[0]) // 2
    nose = faces.landmarks[0, 2] - border
    assert (np.abs(nose / tight_crop.shape[1::-1] - 0.5) < 0.2).all()


def test_picture_without_a_face_gives_none() -> None:
    padded, faces = find_main_face(FaceDetector(), np.full((80, 60, 3), 200, np.uint8))
    assert len(faces) == 0
    assert padded.shape == (134, 114, 3)
