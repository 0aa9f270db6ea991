"""Crop quality on synthetic heads and crops."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gclf_live.faces.quality import face_quality, face_yaw_deg
from gclf_live.geometry import BORDER_BGR
from gclf_live.records import F32, U8, Faces

# Eyes, nose tip and mouth corners of an average head in millimetres: right, down, towards the camera.
_HEAD = np.array([[-31, -30, 0], [31, -30, 0], [0, 6, 36], [-25, 38, 2], [25, 38, 2]], np.float64)


def head(*, yaw_deg: float = 0, pitch_deg: float = 0, roll_deg: float = 0) -> F32:
    """Landmarks of a turned head seen from afar: float32 (1, 5, 2)."""
    yaw, pitch, roll = np.radians([yaw_deg, pitch_deg, roll_deg])
    turn = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    nod = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    tilt = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    seen = _HEAD @ (tilt @ nod @ turn).T
    return (seen[None, :, :2] + 200).astype(np.float32)


def face(*, height_px: float = 90, score: float = 0.95, yaw_deg: float = 0) -> Faces:
    box = np.array([[100, 100, 100 + 0.8 * height_px, 100 + height_px]], np.float32)
    return Faces(box, np.array([score], np.float32), head(yaw_deg=yaw_deg))


def textured_crop(*, blur_px: float = 0, contrast: float = 1.0) -> U8:
    """A crop with detail at all scales, like a face: (1, 112, 112, 3)."""
    random = np.random.default_rng(0)
    layers = [
        cv2.resize(random.normal(size=(n, n)).astype(np.float32), (112, 112), interpolation=cv2.INTER_CUBIC)
        for n in (4, 8, 16, 32, 64)
    ]
    picture = 128 + contrast * sum(30 / 1.5**k * layer for k, layer in enumerate(layers))
    if blur_px:
        picture = cv2.GaussianBlur(picture, (0, 0), blur_px)
    return np.repeat(np.clip(picture, 0, 255).astype(np.uint8)[None, ..., None], 3, axis=3)


def quality(faces: Faces, crops: U8 | None = None) -> float:
    return float(face_quality(faces, textured_crop() if crops is None else crops)[0])


def test_large_sharp_frontal_certain_face_is_near_one() -> None:
    assert quality(face()) > 0.9


def test_height_counts_from_twenty_to_sixty_pixels() -> None:
    full = quality(face(height_px=60))
    assert quality(face(height_px=200)) == pytest.approx(full)
    assert quality(face(height_px=20)) == pytest.approx(0.11 * full, rel=0.05)
    assert 0 < quality(face(height_px=8)) < quality(face(height_px=20))


def test_blur_lowers_quality_step_by_step() -> None:
    values = [quality(face(), textured_crop(blur_px=blur)) for blur in (0, 2, 4, 8)]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.5 * values[0]


def test_contrast_alone_hardly_changes_sharpness() -> None:
    crops = [textured_crop(blur_px=3, contrast=c) for c in (1.0, 0.6)]
    strong, weak = (quality(face(), crop) for crop in crops)
    assert weak == pytest.approx(strong, rel=0.2)


def test_profile_tells_less_than_a_frontal_face() -> None:
    values = [quality(face(yaw_deg=yaw)) for yaw in (0, 40, 60, 85)]
    assert values == sorted(values, reverse=True)
    assert values[-1] == pytest.approx(0.3 * values[0], rel=0.02)


def test_both_profiles_count_the_same() -> None:
    assert quality(face(yaw_deg=50)) == pytest.approx(quality(face(yaw_deg=-50)), rel=1e-4)


def test_uncertain_detection_lowers_quality() -> None:
    assert quality(face(score=0.6)) == pytest.approx(0.5 * quality(face(score=0.9)), rel=0.01)


def test_crop_half_outside_the_picture_counts_half() -> None:
    crop = textured_crop()
    whole = face_quality(face(), crop)
    crop[:, :, 56:] = BORDER_BGR
    assert face_quality(face(), crop)[0] == pytest.approx(0.5 * whole[0], rel=0.1)


def test_flat_crop_is_not_sharp() -> None:
    assert quality(face(), np.full((1, 112, 112, 3), 90, np.uint8)) < 0.3


def test_no_faces_give_no_values() -> None:
    values = face_quality(Faces.empty(), np.zeros((0, 112, 112, 3), np.uint8))
    assert values.shape == (0,)
    assert values.dtype == np.float32


def test_each_face_is_judged_by_its_own_crop() -> None:
    one = face()
    two = Faces(np.repeat(one.boxes, 2, 0), np.repeat(one.scores, 2), np.repeat(one.landmarks, 2, 0))
    values = face_quality(two, np.concatenate([textured_crop(blur_px=6), textured_crop()]))
    assert values[0] < values[1]


def test_missing_crop_is_refused() -> None:
    with pytest.raises(ValueError, match="1 faces with 0 crops"):
        face_quality(face(), np.zeros((0, 112, 112, 3), np.uint8))


@pytest.mark.parametrize("yaw_deg", [-75, -45, -20, 0, 20, 45, 75])
@pytest.mark.parametrize("roll_deg", [-90, -30, 0, 30, 180])
@pytest.mark.parametrize("pitch_deg", [-15, 0, 15])
def test_yaw_is_read_within_ten_degrees_whatever_roll_and_nod(
    yaw_deg: float, roll_deg: float, pitch_deg: float
) -> None:
    found = float(face_yaw_deg(head(yaw_deg=yaw_deg, roll_deg=roll_deg, pitch_deg=pitch_deg))[0])
    assert found == pytest.approx(yaw_deg, abs=10)


def test_yaw_of_collapsed_landmarks_is_zero() -> None:
    assert face_yaw_deg(np.full((1, 5, 2), 7, np.float32)).tolist() == [0.0]


@given(
    st.floats(0, 2000, width=32),
    st.floats(0, 1, width=32),
    st.lists(st.floats(-1e4, 1e4, width=32), min_size=10, max_size=10),
    st.integers(0, 255),
)
def test_quality_stays_between_zero_and_one(
    height: float, score: float, points: list[float], grey: int
) -> None:
    faces = Faces(
        np.array([[0, 0, 50, height]], np.float32),
        np.array([score], np.float32),
        np.array(points, np.float32).reshape(1, 5, 2),
    )
    value = quality(faces, np.full((1, 32, 32, 3), grey, np.uint8))
    assert 0 <= value <= 1
