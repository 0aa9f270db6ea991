"""Whether a track shows its face well enough for a verdict, and if not, why not."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from gclf_live.records import F32


class Exclusion(StrEnum):
    """Why a track gets no verdict; its seconds are counted apart."""

    TOO_SMALL = "too small"
    TOO_BLURRED = "too blurred"
    TURNED_AWAY = "turned away"


@dataclass(frozen=True, slots=True)
class Limits:
    """What a sighting has to reach so that its crop can be judged. ``docs/tracking.md`` has the figures.

    Attributes:
        min_height_px: of the box.
        max_yaw_deg: how far the head may be turned: beyond, one eye and half of the mouth are hidden.
        min_sharpness: as ``quality.Measures`` has it.
        min_median_height_px: of a track's boxes, where the user asks for it; one large sighting does not
            outweigh it.
    """

    min_height_px: float = 12.0
    max_yaw_deg: float = 75.0
    min_sharpness: float = 0.01
    min_median_height_px: float = 0.0

    def __post_init__(self) -> None:
        from_zero = (self.min_height_px, self.min_sharpness, self.min_median_height_px)
        if not all(limit >= 0 for limit in from_zero) or not 0 <= self.max_yaw_deg <= 90:
            raise ValueError(f"{self}; allowed are heights and sharpness from 0, yaw from 0 to 90")


def exclusion(heights_px: F32, yaw_deg: F32, sharpness: F32, limits: Limits) -> Exclusion | None:
    """The reason to leave a track out: that which its sightings fail at last; None if one passes all.

    Args:
        heights_px: float32, shape (M,): of the boxes of a track's M sightings.
        yaw_deg: float32, shape (M,).
        sharpness: float32, shape (M,).
        limits: what is asked of a sighting.

    Raises:
        ValueError: the lengths differ, or there is no sighting.
    """
    if not len(heights_px) or not len(heights_px) == len(yaw_deg) == len(sharpness):
        raise ValueError(
            f"{len(heights_px)} heights, {len(yaw_deg)} angles, {len(sharpness)} values of sharpness; "
            "they must be equal and more than 0"
        )
    if np.median(heights_px) < limits.min_median_height_px:
        return Exclusion.TOO_SMALL
    usable = np.ones(len(heights_px), np.bool_)
    for passes, reason in (
        (heights_px >= limits.min_height_px, Exclusion.TOO_SMALL),
        (np.abs(yaw_deg) <= limits.max_yaw_deg, Exclusion.TURNED_AWAY),
        (sharpness >= limits.min_sharpness, Exclusion.TOO_BLURRED),
    ):
        usable &= passes
        if not usable.any():
            return reason
    return None
