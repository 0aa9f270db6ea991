"""The detector on one portrait (matplotlib's sample picture), placed, scaled and cut in many ways."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import matplotlib.cbook
import numpy as np
import pytest

from gclf_live.faces.detector import FaceDetector
from gclf_live.geometry import CropSpec, box_iou, crop_faces
from gclf_live.records import U8


@pytest.fixture(scope="module")
def detector() -> FaceDetector:
    return FaceDetector()


@pytest.fixture(scope="module")
def portrait() -> U8:
    """A portrait of 512x600 pixels."""
    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    picture = cv2.imdecode(np.frombuffer(Path(str(path)).read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return np.asarray(picture, np.uint8)


def resized(picture: U8, height_px: int) -> U8:
    size = (round(picture.shape[1] * height_px / picture.shape[0]), height_px)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def placed(picture: U8, x: int, y: int, *, width: int = 640, height: int = 480) -> U8:
    """A grey frame with the picture's top left corner at (x, y), also outside."""
    frame = np.full((height, width, 3), 128, np.uint8)
    x1, y1 = max(x, 0), max(y, 0)
    x2, y2 = min(x + picture.shape[1], width), min(y + picture.shape[0], height)
    frame[y1:y2, x1:x2] = picture[y1 - y : y2 - y, x1 - x : x2 - x]
    return frame


def test_portrait_is_found_once_with_landmarks_in_order(detector: FaceDetector, portrait: U8) -> None:
    faces = detector.detect(portrait)
    assert len(faces) == 1
    assert faces.scores[0] > 0.8
    right_eye, left_eye, nose, right_mouth, left_mouth = faces.landmarks[0]
    # The person's right is on the picture's left.
    assert right_eye[0] < nose[0] < left_eye[0]
    assert right_mouth[0] < left_mouth[0]
    assert max(right_eye[1], left_eye[1]) < nose[1] < min(right_mouth[1], left_mouth[1])


def test_box_follows_the_face(detector: FaceDetector, portrait: U8) -> None:
    small = resized(portrait, 300)
    here = detector.detect(placed(small, 40, 60))
    there = detector.detect(placed(small, 200, 100))
    assert len(here) == len(there) == 1
    np.testing.assert_allclose(there.boxes - here.boxes, [[160, 40, 160, 40]], atol=6)
    np.testing.assert_allclose(there.landmarks - here.landmarks, np.full((1, 5, 2), [160, 40]), atol=4)


@pytest.mark.parametrize("max_side_px", [320, 480, 5000])
def test_reduced_detection_answers_in_pixels_of_the_picture(portrait: U8, max_side_px: int) -> None:
    full = FaceDetector().detect(portrait)
    reduced = FaceDetector(max_side_px=max_side_px).detect(portrait)
    assert len(reduced) == 1
    assert box_iou(full.boxes, reduced.boxes)[0, 0] > 0.75


def test_very_flat_picture_is_reduced_without_failing() -> None:
    assert len(FaceDetector(max_side_px=160).detect(np.zeros((17, 4000, 3), np.uint8))) == 0


def test_sizes_may_change_from_call_to_call(detector: FaceDetector, portrait: U8) -> None:
    first = detector.detect(portrait)
    detector.detect(resized(portrait, 211))
    np.testing.assert_array_equal(detector.detect(portrait).boxes, first.boxes)


def test_picture_that_is_a_view_gives_the_same_faces(detector: FaceDetector, portrait: U8) -> None:
    mirrored = portrait[:, ::-1]
    found = detector.detect(mirrored)
    np.testing.assert_array_equal(found.boxes, detector.detect(np.ascontiguousarray(mirrored)).boxes)
    assert len(found) == 1


@pytest.mark.parametrize("shape", [(1, 1), (15, 400), (16, 16), (480, 640)])
def test_picture_without_a_face_gives_an_empty_record(detector: FaceDetector, shape: tuple[int, int]) -> None:
    faces = detector.detect(np.full((*shape, 3), 90, np.uint8))
    assert faces.boxes.shape == (0, 4)


@pytest.mark.parametrize("horizontal", [-1, 0, 1])
@pytest.mark.parametrize("vertical", [-1, 0, 1])
def test_face_over_the_edge_gives_a_box_inside_and_a_whole_crop(
    detector: FaceDetector, portrait: U8, horizontal: int, vertical: int
) -> None:
    x1, y1, x2, y2 = detector.detect(portrait).boxes[0]
    centre = np.array([320 + horizontal * (320 - (x2 - x1) / 6), 240 + vertical * (240 - (y2 - y1) / 6)])
    left, top = centre - [(x1 + x2) / 2, (y1 + y2) / 2]
    frame = placed(portrait, round(left), round(top))
    faces = detector.detect(frame)
    assert len(faces) == 1
    assert (faces.boxes >= 0).all()
    assert (faces.boxes <= [640, 480, 640, 480]).all()
    assert ((faces.boxes[:, 2:] - faces.boxes[:, :2]) >= 1).all()
    assert np.isfinite(faces.landmarks).all()
    assert crop_faces(frame, faces, CropSpec(64, 1.2)).shape == (1, 64, 64, 3)


def test_grid_of_fifty_six_small_faces_is_found_each_once(detector: FaceDetector, portrait: U8) -> None:
    cell = resized(portrait, 160)
    frame = np.full((7 * 160, 8 * 160, 3), 128, np.uint8)
    for k in range(56):
        x, y = 160 * (k % 8) + 10, 160 * (k // 8)
        picture = cell[:, ::-1] if k % 2 else cell
        frame[y : y + 160, x : x + cell.shape[1]] = picture
    faces = detector.detect(frame)
    assert len(faces) >= 54
    centres = (faces.boxes[:, :2] + faces.boxes[:, 2:]) / 2
    cells = {(int(x // 160), int(y // 160)) for x, y in centres}
    assert len(cells) == len(faces)


def test_strongest_face_comes_first(detector: FaceDetector, portrait: U8) -> None:
    frame = np.concatenate([cv2.GaussianBlur(portrait, (0, 0), 9), portrait], axis=1)
    scores = detector.detect(np.asarray(frame, np.uint8)).scores
    assert len(scores) == 2
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)


def test_threshold_of_one_finds_nothing(portrait: U8) -> None:
    assert len(FaceDetector(score_threshold=1.0).detect(portrait)) == 0


def test_nothing_is_printed_and_the_log_level_is_left_alone() -> None:
    script = (
        "import cv2, numpy as np\n"
        "from gclf_live.faces.detector import FaceDetector\n"
        "before = getattr(cv2.utils, 'logging', cv2).getLogLevel()\n"
        "detector = FaceDetector(max_side_px=320)\n"
        "detector.detect(np.zeros((240, 640, 3), np.uint8))\n"
        "detector.detect(np.zeros((480, 640, 3), np.uint8))\n"
        "raise SystemExit(before != getattr(cv2.utils, 'logging', cv2).getLogLevel())\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
