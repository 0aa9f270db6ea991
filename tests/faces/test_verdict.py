"""Which tracks get no verdict, and why."""

from __future__ import annotations

import numpy as np
import pytest

from gclf_live.faces.verdict import Exclusion, Limits, exclusion

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


@pytest.mark.parametrize("limit", [{"min_height_px": -1.0}, {"max_yaw_deg": 91.0}, {"min_sharpness": -0.1}])
def test_limits_out_of_range_are_refused(limit: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="allowed"):
        Limits(**limit)
