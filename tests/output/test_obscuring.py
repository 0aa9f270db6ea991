"""Faces made unrecognisable: no detail is left of them, and nothing else changes."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from face_makers import PORTRAITS, portrait

from gclf_live.faces.detector import FaceDetector
from gclf_live.output.canvas import BgrCanvas, PlanarCanvas
from gclf_live.records import I420, U8, Matrix

BOX = (60, 40, 140, 150)


def _noise(width: int = 240, height: int = 200) -> U8:
    return np.random.default_rng(3).integers(0, 255, (height, width, 3), np.uint8)


def _obscured(image: U8, *boxes: tuple[int, int, int, int]) -> U8:
    image = image.copy()
    for box in boxes:
        BgrCanvas(image).obscure(box)
    return image


def _detail(image: U8, box: tuple[int, int, int, int]) -> float:
    """How far the pixels of a box are from those of the picture blurred by a fifteenth of the box."""
    x1, y1, x2, y2 = box
    blurred = cv2.GaussianBlur(image, (0, 0), (y2 - y1) / 15).astype(int)
    return float(np.abs(image - blurred)[y1:y2, x1:x2].mean())


@pytest.mark.parametrize("name", sorted(path.stem for path in PORTRAITS.glob("*.jpg")))
def test_no_detail_is_left_of_a_face(name: str) -> None:
    image = portrait(name)
    found = FaceDetector(max_side_px=640).detect(image).boxes
    height, width = image.shape[:2]
    for x1, y1, x2, y2 in np.clip(found.round(), 0, [width, height, width, height]).astype(int).tolist():
        hidden = _obscured(image, (x1, y1, x2, y2))
        assert _detail(hidden, (x1, y1, x2, y2)) < _detail(image, (x1, y1, x2, y2)) / 10


def test_all_of_the_box_is_replaced_and_nothing_far_from_it() -> None:
    image = _noise()
    hidden = _obscured(image, BOX)
    x1, y1, x2, y2 = BOX
    # Means of noise lie close together; every pixel of the box is one of them.
    assert np.ptp(hidden[y1:y2, x1:x2], axis=(0, 1)).max() < 60
    reach_x, reach_y = round(0.35 * (x2 - x1)), round(0.35 * (y2 - y1))
    far = np.ones(image.shape[:2], np.bool_)
    far[y1 - reach_y : y2 + reach_y, x1 - reach_x : x2 + reach_x] = False
    assert np.array_equal(hidden[far], image[far])


def test_what_is_left_depends_on_the_face_not_on_its_size() -> None:
    small = cv2.GaussianBlur(portrait("collins"), (0, 0), 2)
    large = cv2.resize(small, None, fx=3, fy=3, interpolation=cv2.INTER_LINEAR)
    hidden_small = _obscured(small, (178, 62, 268, 176))
    hidden_large = _obscured(large, (534, 186, 804, 528))
    shrunk = cv2.resize(hidden_large, small.shape[1::-1], interpolation=cv2.INTER_AREA)
    inside = (slice(62, 176), slice(178, 268))
    assert np.abs(shrunk[inside].astype(int) - hidden_small[inside]).mean() < 2


def test_face_that_stands_out_of_the_picture_is_hidden_as_strongly() -> None:
    image = portrait("collins")[:, 223:]  # through the middle of the face
    hidden = _obscured(image, (178 - 223, 62, 268 - 223, 176))
    part = hidden[62:176, :45]
    # Half of the face is two means wide: with as many as for a whole one, it would show twice the detail.
    columns = cv2.resize(part, (3, 6), interpolation=cv2.INTER_AREA)
    assert np.abs(part - cv2.resize(columns, (45, 114)).astype(int)).mean() < 5
    for box in ((-80, -80, -10, -10), (500, 600, 700, 800), (50, 50, 50, 90), (90, 50, 50, 90)):
        assert np.array_equal(_obscured(image, box), image)


def test_planes_of_a_video_frame_are_hidden_in_brightness_and_colour() -> None:
    pixels = np.random.default_rng(4).integers(16, 235, (300, 240), np.uint8)
    picture = I420(pixels.copy(), Matrix.BT709)
    PlanarCanvas(picture).obscure((61, 41, 139, 149))
    before = I420(pixels, Matrix.BT709)
    for plane, source, scale in zip(picture.planes(), before.planes(), (1, 2, 2), strict=True):
        inside = (slice(42 // scale, 148 // scale), slice(62 // scale, 138 // scale))
        assert plane[inside].std() < source[inside].std() / 3
        assert np.array_equal(plane[:, : 20 // scale], source[:, : 20 // scale])


def test_mirrored_view_is_hidden_like_the_picture() -> None:
    image = _noise()
    x1, y1, x2, y2 = BOX
    mirrored = image.copy()
    BgrCanvas(mirrored[:, ::-1]).obscure((240 - x2, y1, 240 - x1, y2))
    assert np.abs(mirrored.astype(int) - _obscured(image, BOX)).max() <= 1
