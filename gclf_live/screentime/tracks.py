"""What a result holds: the faces that were followed, or the sums that privacy leaves of them."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

_STEP = 0.5
"""Tracks whose log probabilities round to the same multiples of this are one group of evidence."""
_LEAST_PROBABILITY = 1e-4


@dataclass(frozen=True, slots=True)
class ResultTrack:
    """One face that was followed.

    Attributes:
        track_id: its number within the video.
        spans_s: when it was on screen, [from, to) in presentation times: increasing, without overlap.
        seconds: sum of the spans.
        faces: frames in which it was found.
        classified: how many of them the classifier saw.
        median_height_px: median height of its boxes.
        label: a class name or ``unsure``.
        confidence: probability of the likeliest class; NaN if nothing was classified.
        probabilities: calibrated probability of each class by name; empty if nothing was classified.
        excluded: why it does not count towards screen time, or empty.
        crop_jpeg: its best crop as a JPEG file, or empty.
    """

    track_id: int
    spans_s: tuple[tuple[float, float], ...]
    seconds: float
    faces: int
    classified: int
    median_height_px: float
    label: str
    confidence: float
    probabilities: Mapping[str, float]
    excluded: str = ""
    crop_jpeg: bytes = b""

    def __post_init__(self) -> None:
        ends = [end for span in self.spans_s for end in span]
        if (
            not ends
            or not all(math.isfinite(end) for end in ends)
            or not all(a <= b for a, b in pairwise(ends))
        ):
            raise ValueError(
                f"track {self.track_id} has the spans {self.spans_s}; they must be one or more, in order"
            )
        if not 0 <= self.seconds < math.inf or not 0 <= self.median_height_px < math.inf:
            raise ValueError(
                f"track {self.track_id} lasts {self.seconds} seconds, {self.median_height_px} px high; "
                "allowed are finite numbers from 0"
            )

    @property
    def start_s(self) -> float:
        """Presentation time of its first face, in seconds."""
        return self.spans_s[0][0]

    @property
    def end_s(self) -> float:
        """Presentation time at which its last face left the screen, in seconds."""
        return self.spans_s[-1][1]

    @property
    def counts(self) -> bool:
        """Whether it says something of the shares: it is not excluded, was on screen and was classified."""
        return not self.excluded and bool(self.probabilities) and self.seconds > 0

    @property
    def total(self) -> str:
        """What its seconds are added to in ``Result.totals``."""
        return f"excluded: {self.excluded}" if self.excluded else self.label


@dataclass(frozen=True, slots=True)
class Evidence:
    """Tracks that count towards screen time and look alike to the classifier, without who they are.

    Attributes:
        seconds: sum over the tracks.
        tracks: how many there are.
        probabilities: of each class by name, the mean over the tracks' seconds.
        squared_seconds: sum of the squared seconds: how unevenly long they are, for the interval.
    """

    seconds: float
    tracks: int
    probabilities: Mapping[str, float]
    squared_seconds: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.seconds < math.inf or self.tracks < 1:
            raise ValueError(
                f"evidence of {self.tracks} tracks and {self.seconds} seconds; both must be above 0"
            )
        if not 0 <= self.squared_seconds < math.inf:
            raise ValueError(f"squared seconds {self.squared_seconds}; allowed are finite numbers from 0")


def group_tracks(tracks: Sequence[ResultTrack], classes: Sequence[str]) -> tuple[Evidence, ...]:
    """The tracks that count, added up by what the classifier said of them.

    A group holds the tracks whose log probabilities round to the same halves: some ten to thirty groups for
    two classes. Its probabilities are the mean over its tracks' seconds, so the shares that are worked out
    from groups differ by about 0.1 points at most from those of the tracks.
    """
    groups: defaultdict[tuple[int, ...], list[ResultTrack]] = defaultdict(list)
    for track in tracks:
        if track.counts:
            groups[_rounded([track.probabilities[name] for name in classes])].append(track)
    return tuple(_grouped(groups[key], classes) for key in sorted(groups))


def _rounded(probabilities: Sequence[float]) -> tuple[int, ...]:
    return tuple(round(math.log(max(p, _LEAST_PROBABILITY)) / _STEP) for p in probabilities)


def _grouped(tracks: Sequence[ResultTrack], classes: Sequence[str]) -> Evidence:
    seconds = math.fsum(track.seconds for track in tracks)
    means = {
        name: math.fsum(track.seconds * track.probabilities[name] for track in tracks) / seconds
        for name in classes
    }
    return Evidence(
        seconds=round(seconds, 6),
        tracks=len(tracks),
        probabilities={name: round(min(value, 1.0), 4) for name, value in means.items()},
        squared_seconds=round(math.fsum(track.seconds**2 for track in tracks), 6),
    )
