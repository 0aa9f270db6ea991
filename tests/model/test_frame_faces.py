"""Cutting faces out with the device's own operations gives what OpenCV gives, here on the processor."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from face_makers import Face, scene

from gclf_live.faces.detector import FaceDetector
from gclf_live.faces.quality import SENSOR_VARIANCE, SHARPNESS_SIDE_PX, measure_faces
from gclf_live.geometry import BORDER_BGR, CropSpec, crop_faces, crop_transform
from gclf_live.model.frame_faces import Cutting, FramePyramid, crop_geometry, sharpness_and_inside
from gclf_live.records import F32, U8, Faces

SPEC = CropSpec(112, 1.15)
CUTTING = Cutting(SPEC.size_px, SHARPNESS_SIDE_PX, SENSOR_VARIANCE)


def pyramid_of(image: U8) -> FramePyramid:
    pyramid = FramePyramid(*image.shape[:2], torch.device("cpu"))
    pyramid.level(0).copy_(torch.from_numpy(image))
    pyramid.fill()
    return pyramid


def matrices_of(faces: Faces, spec: CropSpec = SPEC) -> F32:
    each = zip(faces.boxes, faces.landmarks, strict=True)
    return np.stack([crop_transform(box, points, spec) for box, points in each])


def sampled(image: U8, faces: Faces) -> tuple[U8, F32, F32]:
    """Crops, sharpness, and share inside."""
    pyramid = pyramid_of(image)
    geometry = torch.from_numpy(crop_geometry(matrices_of(faces), levels=pyramid.levels))
    crops, inside = pyramid.sample(geometry, SPEC.size_px)
    sharpness, share = sharpness_and_inside(crops, inside, CUTTING)
    return crops.numpy(), sharpness.numpy(), share.numpy()


def found(image: U8) -> Faces:
    faces = FaceDetector(max_side_px=640).detect(image)
    assert len(faces)
    return faces


@pytest.fixture(scope="module")
def picture() -> U8:
    """Three faces, 60 to 150 px high, one of them turned."""
    return scene(
        Face("collins", 150, 180, 150),
        Face("obama", 400, 180, 100),
        Face("biden", 600, 200, 60),
        width_px=720,
    )


def test_crops_are_those_of_opencv_where_nothing_shrinks_by_two(picture: U8) -> None:
    faces = found(picture)
    crops, sharpness, share = sampled(picture, faces)
    wanted = crop_faces(picture, faces, SPEC)
    assert np.abs(crops.astype(int) - wanted).max() <= 1
    np.testing.assert_allclose(sharpness, measure_faces(faces, wanted).sharpness, rtol=0.02)
    shown = 1 - (wanted == BORDER_BGR).all(axis=3).mean((1, 2))
    np.testing.assert_allclose(share, shown, atol=0.01)


@pytest.mark.parametrize("zoom", [2.2, 3.7, 6.0])
def test_large_faces_are_averaged_down_like_those_of_opencv(picture: U8, zoom: float) -> None:
    large = cv2.resize(picture, None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    noise = np.random.default_rng(1).integers(-40, 41, large.shape)
    large = np.clip(large.astype(int) + noise, 0, 255).astype(np.uint8)
    faces = found(large)
    crops, _, _ = sampled(large, faces)
    wanted = crop_faces(large, faces, SPEC).astype(int)
    # OpenCV's way averages over steps of one pixel, a pyramid over those of two: less alike, and no alias.
    assert np.abs(crops - wanted).mean() < 7
    aliased = cv2.warpAffine(large, matrices_of(faces)[0], (SPEC.size_px, SPEC.size_px))
    assert np.abs(crops[0] - wanted[0]).mean() < 0.6 * np.abs(aliased - wanted[0]).mean()


def test_what_lies_outside_the_frame_is_the_border_and_counts_as_outside(picture: U8) -> None:
    faces = found(picture).select(np.array([0]))
    x1, y1, x2, y2 = faces.boxes[0].astype(int)
    cut = np.ascontiguousarray(picture[: (y1 + y2) // 2, (x1 + x2) // 2 - 20 :])
    moved = np.array([(x1 + x2) // 2 - 20, 0], np.float32)
    shifted = Faces(faces.boxes - np.tile(moved, 2), faces.scores, faces.landmarks - moved)
    crops, sharpness, share = sampled(cut, shifted)
    wanted = crop_faces(cut, shifted, SPEC)
    assert np.abs(crops.astype(int) - wanted).max() <= 1
    assert (crops[0, -1, 0] == BORDER_BGR).all()
    measured = measure_faces(shifted, wanted)
    np.testing.assert_allclose(share[0], 1 - (wanted[0] == BORDER_BGR).all(axis=2).mean(), atol=0.01)
    assert 0.1 < share[0] < 0.6
    np.testing.assert_allclose(sharpness, measured.sharpness, rtol=0.1)


def test_face_that_is_nowhere_near_the_frame_is_all_border(picture: U8) -> None:
    away = np.array([[[1, 0, -5000], [0, 1, -5000]]], np.float32)
    pyramid = pyramid_of(picture)
    crops, inside = pyramid.sample(torch.from_numpy(crop_geometry(away, levels=pyramid.levels)), 112)
    sharpness, share = sharpness_and_inside(crops, inside, CUTTING)
    assert (crops.numpy() == BORDER_BGR).all()
    assert share.item() == 0
    assert sharpness.item() == pytest.approx(1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (1, 50), (33, 17), (719, 1279)])
def test_pyramid_halves_frames_of_any_size(shape: tuple[int, int]) -> None:
    image = np.random.default_rng(2).integers(0, 256, (*shape, 3), np.uint8)
    pyramid = pyramid_of(image)
    assert pyramid.shape == shape
    for number in range(1, pyramid.levels):
        below, height, width = pyramid.level(number - 1).numpy(), shape[0] >> number, shape[1] >> number
        assert pyramid.level(number).shape == (height, width, 3)
        blocks = below[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3).mean(axis=(1, 3))
        assert (
            np.abs(pyramid.level(number).numpy() - blocks).max() <= 1.01
        )  # each is rounded once, from values that are not
    assert min(shape) >> pyramid.levels == 0 or pyramid.levels == 6


def test_geometry_is_the_way_back(picture: U8) -> None:
    matrices = matrices_of(found(picture))
    geometry = crop_geometry(matrices, levels=6)
    there_and_back = matrices[:, :, :2] @ geometry[:, :6].reshape(-1, 2, 3)[:, :, :2]
    np.testing.assert_allclose(there_and_back, np.tile(np.eye(2), (len(matrices), 1, 1)), atol=1e-4)


@pytest.mark.parametrize(("shrink", "level"), [(0.5, 0), (1.9, 0), (2.1, 1), (3.9, 1), (4.1, 2), (1000, 5)])
def test_level_is_the_one_on_which_a_crop_shrinks_by_less_than_two(shrink: float, level: int) -> None:
    matrix = np.array([[[1 / shrink, 0, 3], [0, 1 / shrink, 4]]], np.float32)
    assert crop_geometry(matrix, levels=6)[0, 6] == level
