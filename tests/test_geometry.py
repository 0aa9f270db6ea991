"""Boxes and the face crop, against values worked out by hand and pictures whose every pixel is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gclf_live.geometry import (
    BORDER_BGR,
    Alignment,
    CropSpec,
    box_area,
    box_iou,
    clip_boxes,
    crop_faces,
    crop_transform,
)
from gclf_live.records import F32, U8, Faces

# Where ArcFace's 112 px frame has the five points.
_ARCFACE = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    np.float32,
)


def one_face(points: F32, box: tuple[float, float, float, float] | None = None) -> Faces:
    low, high = points.min(axis=0), points.max(axis=0)
    rows = np.array([[*low, *high] if box is None else box], np.float32)
    return Faces(rows, np.ones(1, np.float32), points[None].astype(np.float32))


def boxes(*rows: tuple[float, float, float, float]) -> F32:
    return np.array(rows, np.float32).reshape(-1, 4)


def gradient(width: int = 1000, height: int = 800) -> U8:
    """A picture whose blue is a quarter of x and whose green is a quarter of y (1020 px at most)."""
    y, x = np.mgrid[0:height, 0:width]
    exact = np.stack([x / 4, y / 4, np.full_like(x, 50)], axis=2)
    # Rounded at random: rounding to the nearest level leaves a bias after averaging.
    return np.asarray(np.floor(exact + np.random.default_rng(0).random(exact.shape)), np.uint8)


def test_iou_of_known_boxes() -> None:
    a = boxes((0, 0, 10, 10))
    b = boxes((0, 0, 10, 10), (5, 0, 15, 10), (10, 0, 20, 10), (2, 2, 4, 4))
    np.testing.assert_allclose(box_iou(a, b), [[1, 1 / 3, 0, 0.04]], rtol=1e-6)


def test_iou_of_no_boxes_and_of_empty_ones() -> None:
    assert box_iou(boxes(), boxes((0, 0, 1, 1))).shape == (0, 1)
    assert box_iou(boxes((3, 3, 3, 3)), boxes((3, 3, 3, 3))).tolist() == [[0.0]]


_box = st.tuples(*[st.floats(-100, 100, width=32)] * 2, *[st.floats(0, 50, width=32)] * 2).map(
    lambda row: (row[0], row[1], row[0] + row[2], row[1] + row[3])
)


@given(st.lists(_box, max_size=5), st.lists(_box, max_size=5))
def test_iou_is_symmetric_and_between_zero_and_one(
    a: list[tuple[float, ...]], b: list[tuple[float, ...]]
) -> None:
    first, second = (np.array(rows, np.float32).reshape(-1, 4) for rows in (a, b))
    iou = box_iou(first, second)
    assert iou.dtype == np.float32
    assert ((iou >= 0) & (iou <= 1 + 1e-6)).all()
    np.testing.assert_allclose(iou, box_iou(second, first).T, atol=1e-6)


def test_area_of_a_box_turned_inside_out_is_zero() -> None:
    assert box_area(boxes((0, 0, 4, 5), (4, 0, 0, 5), (4, 5, 0, 0))).tolist() == [20.0, 0.0, 0.0]


def test_boxes_are_cut_at_the_edges() -> None:
    found = clip_boxes(boxes((-5, -5, 700, 500), (10, 20, 30, 40)), width_px=640, height_px=480)
    assert found.tolist() == [[0, 0, 640, 480], [10, 20, 30, 40]]


def test_landmarks_of_arcface_are_left_where_they_are() -> None:
    matrix = crop_transform(np.zeros(4, np.float32), _ARCFACE - 0.5, CropSpec(112, 1.0))
    np.testing.assert_allclose(matrix, [[1, 0, 0], [0, 1, 0]], atol=1e-3)


@pytest.mark.parametrize("angle_deg", [0, 30, 90, 180, -135])
@pytest.mark.parametrize("scale", [0.3, 1.0, 7.0])
def test_turned_and_scaled_face_is_laid_into_the_same_place(angle_deg: float, scale: float) -> None:
    angle = np.radians(angle_deg)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = (_ARCFACE @ turn.T + [300, -40]).astype(np.float32)
    matrix = crop_transform(np.zeros(4, np.float32), points, CropSpec(224, 1.0))
    np.testing.assert_allclose(points @ matrix[:, :2].T + matrix[:, 2], _ARCFACE * 2 - 0.5, atol=0.02)


def test_margin_shows_more_around_the_same_middle() -> None:
    matrix = crop_transform(np.zeros(4, np.float32), _ARCFACE - 0.5, CropSpec(112, 2.0))
    np.testing.assert_allclose(matrix, [[0.5, 0, 27.75], [0, 0.5, 27.75]], atol=0.01)


def test_box_alignment_takes_the_square_around_the_box() -> None:
    spec = CropSpec(50, 1.0, Alignment.BOX)
    matrix = crop_transform(boxes((100, 200, 180, 300))[0], _ARCFACE, spec)
    # The square is 100 px wide around (140, 250): its first pixel is at (90, 200), seen two to one.
    np.testing.assert_allclose(matrix @ [89.5, 199.5, 1], [-0.5, -0.5], atol=1e-4)
    np.testing.assert_allclose(matrix @ [189.5, 299.5, 1], [49.5, 49.5], atol=1e-4)


@pytest.mark.parametrize("value", [5.0, float("nan"), float("inf")])
def test_landmarks_that_say_nothing_fall_back_to_the_box(value: float) -> None:
    box = boxes((10, 10, 50, 50))[0]
    with np.errstate(invalid="ignore"):
        found = crop_transform(box, np.full((5, 2), value, np.float32), CropSpec(64, 1.0))
    np.testing.assert_allclose(found, crop_transform(box, _ARCFACE, CropSpec(64, 1.0, Alignment.BOX)))


@pytest.mark.parametrize("scale", [0.4, 1.0, 2.6, 4.5])
@pytest.mark.parametrize("alignment", list(Alignment))
def test_every_pixel_of_a_crop_comes_from_where_the_matrix_says(scale: float, alignment: Alignment) -> None:
    points = (_ARCFACE * scale + [250, 120]).astype(np.float32)
    spec = CropSpec(96, 0.9, alignment)
    faces = one_face(points, (260, 130, 260 + 100 * scale, 130 + 110 * scale))
    crop, negative = (
        crop_faces(picture, faces, spec)[0].astype(float) for picture in (gradient(), 255 - gradient())
    )
    matrix = crop_transform(faces.boxes[0], points, spec)
    inverse = cv2.invertAffineTransform(matrix.astype(np.float64))
    v, u = np.mgrid[0:96, 0:96]
    source = np.stack([u, v, np.ones_like(u)], axis=2) @ inverse.T
    error = crop[..., :2] - source / 4
    # Rounding moves a pixel by up to one level, cropping by half of one more.
    assert np.abs(error).max() <= 1.51
    # Half the difference to the negative is free of how levels are rounded; a level is 4 px of the picture.
    # Corners taken for centres when a large face is averaged first would be 0.19 px of the crop or more.
    shift_px = ((crop - negative + 255)[..., :2] / 2 - source / 4).mean(axis=(0, 1)) * 4
    assert np.abs(shift_px).max() * float(np.hypot(matrix[0, 0], matrix[0, 1])) < 0.15


def test_large_face_is_averaged_not_sampled() -> None:
    checks = np.zeros((900, 900, 3), np.uint8)
    checks[::2, ::2] = checks[1::2, 1::2] = 255
    points = (_ARCFACE * 6 + 100).astype(np.float32)
    crop = crop_faces(checks, one_face(points), CropSpec(64, 1.0))[0]
    assert crop.min() > 100
    assert crop.max() < 156


def test_what_lies_outside_the_picture_is_the_border_colour() -> None:
    points = (_ARCFACE - [56, 0]).astype(np.float32)
    crop = crop_faces(np.full((200, 200, 3), 255, np.uint8), one_face(points), CropSpec(112, 1.0))[0]
    assert (crop[:, :54] == BORDER_BGR).all()
    assert (crop[2:, 58:] == 255).all()


@pytest.mark.parametrize("offset", [(-5000, 0), (0, 5000), (3000, -3000)])
def test_face_wholly_outside_the_picture_is_all_border(offset: tuple[int, int]) -> None:
    points = (_ARCFACE + np.array(offset)).astype(np.float32)
    crop = crop_faces(np.full((80, 90, 3), 255, np.uint8), one_face(points), CropSpec(32, 1.0))[0]
    assert (crop == BORDER_BGR).all()


def test_crops_of_many_faces_come_in_their_order_and_leave_the_picture_alone() -> None:
    picture = gradient()
    before = picture.copy()
    shifted = np.stack([_ARCFACE + 100, _ARCFACE + 400]).astype(np.float32)
    faces = Faces(np.zeros((2, 4), np.float32), np.ones(2, np.float32), shifted)
    crops = crop_faces(picture, faces, CropSpec(48, 1.0))
    assert crops[0, ..., 0].mean() < crops[1, ..., 0].mean()
    np.testing.assert_array_equal(picture, before)


def test_no_faces_give_no_crops() -> None:
    assert crop_faces(gradient(), Faces.empty(), CropSpec(48, 1.0)).shape == (0, 48, 48, 3)


@pytest.mark.parametrize(
    ("size_px", "margin"), [(8, 1.0), (2000, 1.0), (112, 0.1), (112, 9.0), (112, float("nan"))]
)
def test_unusable_crop_is_refused(size_px: int, margin: float) -> None:
    with pytest.raises(ValueError, match="16 to 1024"):
        CropSpec(size_px, margin)
