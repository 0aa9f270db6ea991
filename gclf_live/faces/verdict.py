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
    """What a sighting has to reach so that its crop can be judged.

    Attributes:
        min_height_px: of the box. On faces of 20 px the shipped weights are still right in 94 of 100.
        max_yaw_deg: how far the head may be turned: beyond, one eye and half of the mouth are hidden.
        min_sharpness: as ``crop_sharpness`` gives it. 0.013 is a blur of a thirtieth of the crop's side.
    """

    min_height_px: float = 20.0
    max_yaw_deg: float = 75.0
    min_sharpness: float = 0.004

    def __post_init__(self) -> None:
        if self.min_height_px < 0 or not 0 <= self.max_yaw_deg <= 90 or self.min_sharpness < 0:
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
