"""What a user may choose about the first pass over a video."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gclf_live.errors import UsageError

_MEMORY_S = 1.0
FILL_GAP_S = 0.35
"""A box is drawn between two sightings that are at most this far apart; longer, the face was hidden."""
_SEARCHES = 2.5
"""A face that one search misses is still followed, and its box drawn, when searches are far apart."""


def check_threshold(threshold: float) -> None:
    """Raise UsageError unless ``threshold`` is a confidence below which a face can be ``unsure``."""
    if not 0 <= threshold <= 1:
        raise UsageError(f"the threshold is {threshold:g}; allowed is a number from 0 to 1")


@dataclass(frozen=True, slots=True)
class AnalysisSettings:
    """How the first pass weighs cost against detail, and what of a video it looks at.

    Attributes:
        threshold: confidence below which a track is ``unsure``.
        detect_every_s: time between two searches for faces; boxes between them are interpolated. 0 searches
            every frame.
        skip_calm: leave out every other search where those before and behind it find the same faces, little
            moved; only as long as searches stay 0.2 s apart at most.
        detection_side_px: longer side of the picture that is searched.
        crops_per_track: how many of a track's crops are classified at most, in each part of a long video.
        first_crops: how many of these are classified first; the others only where they leave a confidence
            below 0.98.
        min_face_px: tracks whose median height is below are left out as ``too small``; 0 asks for none.
        from_s: presentation time of the first frame that counts; None is the beginning.
        to_s: presentation time of the first frame that does not; None is the end.

    Raises:
        UsageError: a value is out of range.
    """

    threshold: float = 0.8
    detect_every_s: float = 0.1
    skip_calm: bool = True
    detection_side_px: int = 640
    crops_per_track: int = 8
    first_crops: int = 4
    min_face_px: float = 0.0
    from_s: float | None = None
    to_s: float | None = None

    def __post_init__(self) -> None:
        check_threshold(self.threshold)
        for name in ("detect_every_s", "min_face_px"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                raise UsageError(f"{name} is {value}; allowed are 0 and more")
        for name in ("from_s", "to_s"):
            value = getattr(self, name)
            if value is not None and not math.isfinite(value):
                raise UsageError(f"{name} is {value}; give a time in seconds, or leave it out")
        if self.from_s is not None and self.to_s is not None and not self.from_s < self.to_s:
            raise UsageError(
                f"the time range from {self.from_s:g} to {self.to_s:g} s is empty; it must end later"
            )

    @property
    def max_gap_s(self) -> float:
        """For how long a face that is not found is waited for."""
        return max(_MEMORY_S, _SEARCHES * self.detect_every_s)

    @property
    def fill_gap_s(self) -> float:
        """How far two sightings may be apart for the box to be drawn between them."""
        return max(FILL_GAP_S, _SEARCHES * self.detect_every_s)
