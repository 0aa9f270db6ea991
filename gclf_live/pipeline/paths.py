"""What a video's first pass leaves of each track: where it was, and the crops that tell most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from gclf_live.pipeline.settings import FILL_GAP_S
from gclf_live.records import F32, U8, Bool, Faces

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Positions:
    """Where one face is at T times.

    Attributes:
        shown: bool, shape (T,): whether it is on screen; where it is not, the other rows mean nothing.
        faces: T of them, in pixels of the full frame.
        quality: float32, shape (T,): of its crops, in [0, 1].
        gap_s: float64, shape (T,): seconds between the sightings before and after; 0 at a sighting, and
            beyond the first and the last.
    """

    shown: Bool
    faces: Faces
    quality: F32
    gap_s: F64


@dataclass(frozen=True, slots=True)
class TrackPath:
    """One face through one shot.

    Attributes:
        track_id: its number.
        pts_s: float64, shape (M,), increasing: when its face was found.
        faces: the M sightings, in pixels of the full frame.
        quality: float32, shape (M,): of their crops, in [0, 1].
        probabilities: float32, shape (C,): for the whole track.
        classified: how many of its crops the classifier saw.
        first_s, last_s: from and until when the box is drawn, inclusive: up to half the time between two
            searches beyond the first and last sighting.
        excluded: why the track gets no label and counts for no class, or empty.
        crop_jpeg: the best of the classified crops as a small JPEG file; empty where there is none.
        fill_gap_s: farther apart than this, the face was hidden between two sightings.
    """

    track_id: int
    pts_s: F64
    faces: Faces
    quality: F32
    probabilities: F32
    classified: int
    first_s: float
    last_s: float
    excluded: str = ""
    crop_jpeg: bytes = field(default=b"", repr=False)
    fill_gap_s: float = FILL_GAP_S

    def over(self, times_s: F64) -> Positions:
        """Where the face is at each of T times, float64, shape (T,): interpolated between two sightings."""
        last = len(self.pts_s) - 1
        after = np.searchsorted(self.pts_s, times_s)
        inside = (after > 0) & (after <= last)
        after = np.minimum(after, last)
        before = np.where(inside, after - 1, after)
        gap_s = self.pts_s[after] - self.pts_s[before]
        passed_s = np.where(inside, times_s - self.pts_s[before], 0.0)
        share = (passed_s / np.where(inside, gap_s, 1.0)).astype(np.float32)
        hidden = (gap_s > self.fill_gap_s) & (share > 0) & (share < 1)

        def mix(values: F32) -> F32:
            shaped = share.reshape(-1, *(1,) * (values.ndim - 1))
            return np.asarray(values[before] + shaped * (values[after] - values[before]), np.float32)

        found = self.faces
        return Positions(
            shown=(self.first_s <= times_s) & (times_s <= self.last_s) & ~hidden,
            faces=Faces(mix(found.boxes), mix(found.scores), mix(found.landmarks)),
            quality=mix(self.quality),
            gap_s=np.where(self.pts_s[after] == times_s, 0.0, gap_s),
        )

    def seconds(self) -> float:
        """Time on screen: the drawn time without the gaps in which the face was hidden."""
        gaps = np.diff(self.pts_s)
        return self.last_s - self.first_s - float(gaps[gaps > self.fill_gap_s].sum())

    def spans_s(self) -> tuple[tuple[float, float], ...]:
        """When the face was on screen, increasing; their lengths add up to ``seconds``."""
        hidden = np.flatnonzero(np.diff(self.pts_s) > self.fill_gap_s)
        starts = [self.first_s, *self.pts_s[hidden + 1].tolist()]
        ends = [*self.pts_s[hidden].tolist(), self.last_s]
        return tuple(zip(starts, ends, strict=True))


@dataclass(frozen=True, slots=True)
class PartTrack:
    """One face through one shot of one part of a video, with what its label was drawn from.

    Attributes:
        path: as if the part were all there is; ``excluded`` is not decided yet.
        sharpness, yaw_deg: float32, shape (M,): of the sightings, see ``faces.quality.Measures``.
        crops_s: float64, shape (K,), increasing: when the classified crops were seen.
        crops_quality: float32, shape (K,).
        log_probabilities: float32, shape (K, C).
    """

    path: TrackPath
    sharpness: F32
    yaw_deg: F32
    crops_s: F64
    crops_quality: F32
    log_probabilities: F32


def join_faces(parts: Sequence[Faces]) -> Faces:
    """The faces of all ``parts``, at least one, in order."""
    return Faces(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate([part.landmarks for part in parts]),
    )


@dataclass(slots=True)
class CropReservoir:
    """The best crops of a track that is still going on, spread over its length; bounded in memory.

    Time is cut into bins of equal width, each of which keeps its best crop. Once there are more than
    ``max_crops`` the bins double their width.
    """

    max_crops: int
    width_s: float = 0.1
    kept: dict[int, tuple[float, float, U8]] = field(default_factory=dict)

    def add(self, pts_s: float, quality: float, crop: U8) -> None:
        """Offer one crop: uint8, shape (S, S, 3)."""
        self._offer(pts_s, quality, crop)
        while len(self.kept) > self.max_crops:
            self.width_s *= 2
            before = list(self.kept.values())
            self.kept = {}
            for item in before:
                self._offer(*item)

    def _offer(self, pts_s: float, quality: float, crop: U8) -> None:
        place = int(pts_s // self.width_s)
        if place not in self.kept or self.kept[place][1] < quality:
            self.kept[place] = (pts_s, quality, crop)


@dataclass(slots=True)
class OpenTrack:
    """A track that the first pass is still following."""

    track_id: int
    reservoir: CropReservoir
    pts_s: list[float] = field(default_factory=list)
    faces: list[Faces] = field(default_factory=list)
    quality: list[float] = field(default_factory=list)
    sharpness: list[float] = field(default_factory=list)
    yaw_deg: list[float] = field(default_factory=list)

    def add(
        self,
        pts_s: float,
        face: Faces,
        quality: float,
        crop: U8,
        *,
        sharpness: float = 1.0,
        yaw_deg: float = 0.0,
    ) -> None:
        """Note one sighting."""
        self.pts_s.append(pts_s)
        self.faces.append(face)
        self.quality.append(quality)
        self.sharpness.append(sharpness)
        self.yaw_deg.append(yaw_deg)
        self.reservoir.add(pts_s, quality, crop)

    def close(
        self,
        probabilities: F32,
        *,
        classified: int,
        lead_s: float,
        not_before_s: float,
        not_after_s: float,
        crop_jpeg: bytes = b"",
        fill_gap_s: float = FILL_GAP_S,
    ) -> TrackPath:
        """The finished path; its box is drawn up to ``lead_s`` earlier and later, within its shot."""
        return TrackPath(
            track_id=self.track_id,
            pts_s=np.array(self.pts_s, np.float64),
            faces=join_faces(self.faces),
            quality=np.array(self.quality, np.float32),
            probabilities=probabilities,
            classified=classified,
            first_s=max(self.pts_s[0] - lead_s, not_before_s),
            last_s=min(self.pts_s[-1] + lead_s, not_after_s),
            crop_jpeg=crop_jpeg,
            fill_gap_s=fill_gap_s,
        )
