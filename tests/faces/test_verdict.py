"""Which tracks get no verdict, and why."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from face_makers import head

from gclf_live.faces.quality import measure_faces
from gclf_live.faces.verdict import Exclusion, Limits, exclusion
from gclf_live.records import Faces

LIMITS = Limits(min_height_px=20, max_yaw_deg=75, min_sharpness=0.01)


def _reason(*sightings: tuple[float, float, float]) -> Exclusion | None:
    heights, yaw, sharp = np.array(sightings, np.float32).T
    return exclusion(heights, yaw, sharp, LIMITS)


@pytest.mark.parametrize(
    ("sighting", "reason"),
    [
        ((20, 75, 0.01), None),
        ((20, -75, 0.01), None),
        ((19, 0, 0.4), Exclusion.TOO_SMALL),
        ((80, -80, 0.4), Exclusion.TURNED_AWAY),
        ((80, 0, 0.001), Exclusion.TOO_BLURRED),
        ((10, 90, 0.0), Exclusion.TOO_SMALL),
    ],
)
def test_one_sighting(sighting: tuple[float, float, float], reason: Exclusion | None) -> None:
    assert _reason(sighting) is reason


def test_one_good_sighting_is_enough() -> None:
    assert _reason((10, 90, 0.0), (80, 0, 0.4), (10, 90, 0.0)) is None


def test_good_parts_of_different_sightings_do_not_add_up() -> None:
    assert _reason((80, 90, 0.4), (10, 0, 0.4)) is Exclusion.TURNED_AWAY
    assert _reason((80, 0, 0.001), (80, 90, 0.4)) is Exclusion.TOO_BLURRED


def test_nothing_seen_and_uneven_lengths_are_refused() -> None:
    nothing = np.zeros(0, np.float32)
    with pytest.raises(ValueError, match="0 heights"):
        exclusion(nothing, nothing, nothing, LIMITS)
    with pytest.raises(ValueError, match="1 angles"):
        exclusion(np.ones(2, np.float32), np.ones(1, np.float32), np.ones(2, np.float32), LIMITS)


@pytest.mark.parametrize(
    ("heights", "excluded"), [((60, 60, 20), False), ((60, 20, 20), True), ((40, 40, 40), False)]
)
def test_height_that_is_asked_for_is_that_of_the_median(heights: tuple[int, ...], excluded: bool) -> None:
    limits = Limits(min_median_height_px=40)
    flat = np.zeros(3, np.float32)
    reason = exclusion(np.array(heights, np.float32), flat, flat + 0.4, limits)
    assert reason is (Exclusion.TOO_SMALL if excluded else None)


@pytest.mark.parametrize(
    ("height_px", "blur", "reason"),
    [
        (60, 0.0, None),
        (60, 0.04, None),
        (14, 0.0, None),
        (10, 0.0, Exclusion.TOO_SMALL),
    ],
)
@pytest.mark.parametrize("name", ["collins", "hopper", "biden", "obama", "obama_speaking"])
def test_real_face_is_left_out_only_where_nothing_is_to_be_seen(
    name: str, height_px: int, blur: float, reason: Exclusion | None
) -> None:
    """``blur`` is the deviation of a Gaussian in heights of the face; the crop is 1.8 heights high."""
    side = round(1.8 * height_px)
    small = cv2.resize(head(name), (side, side), interpolation=cv2.INTER_AREA)
    if blur:
        small = cv2.GaussianBlur(small, (0, 0), blur * height_px)
    middle = round(0.2 * side)
    crop = cv2.resize(small[middle:-middle, middle:-middle], (112, 112), interpolation=cv2.INTER_LINEAR)
    box = np.array([[0, 0, 0.75 * height_px, height_px]], np.float32)
    points = np.array([[[30, 40], [60, 40], [45, 60], [33, 80], [57, 80]]], np.float32)
    measures = measure_faces(Faces(box, np.ones(1, np.float32), points), np.asarray(crop[None], np.uint8))
    heights = np.array([height_px], np.float32)
    assert exclusion(heights, measures.yaw_deg, measures.sharpness, Limits()) is reason, measures


@pytest.mark.parametrize(
    "limit",
    [
        {"min_height_px": -1.0},
        {"max_yaw_deg": 91.0},
        {"min_sharpness": -0.1},
        {"min_median_height_px": -1.0},
        {"min_median_height_px": float("nan")},
    ],
)
def test_limits_out_of_range_are_refused(limit: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="allowed"):
        Limits(**limit)
