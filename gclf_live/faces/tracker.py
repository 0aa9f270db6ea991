"""Following faces from frame to frame by their motion, in seconds and face sizes, never in frames or pixels.

Motion is an integrated Ornstein-Uhlenbeck process (Johnson et al. 2008, doi:10.1890/07-1032.1): a
velocity that is remembered for some time and then fades. Its exact solution for any time step makes the
tracker independent of the frame rate, and its growing uncertainty is the search region of a lost face.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from gclf_live.records import I64, Faces, Tracks

F64: TypeAlias = npt.NDArray[np.float64]

_VELOCITY_MEMORY_S = 1.5
_SPEED = 1.5
"""Typical speed of a face, standard deviation of each axis, in face sizes a second."""
_JITTER = 0.05
"""Standard deviation of a detected centre, in face sizes (YuNet on a still face: 0.01 to 0.05)."""
_SIZE_JITTER = 0.12
"""Standard deviation of the logarithm of a detected size."""
_SIZE_DRIFT = 0.5
"""How fast the logarithm of the size wanders, a square root of a second."""
_GATE = 16.0
"""Largest squared Mahalanobis distance of a match; 99.9 % of true ones in three dimensions."""
_REACH = 0.8
_REACH_PER_S = 1.2
"""Farthest a face may be from where it is expected, in face sizes, plus this much a second unseen. Without
it the search region of a lost face grows over its neighbours'."""


@dataclass(slots=True)
class _State:
    """T tracks, one row each: the estimate for the time of the last ``predict``."""

    ids: I64
    seen_s: F64
    centre: F64
    """(T, 2), pixels."""
    velocity: F64
    """(T, 2), pixels a second."""
    size: F64
    """(T,), square root of the box's area, pixels."""
    covariance: F64
    """(T, 3): variance of position, covariance, variance of velocity, in face sizes; the axes share it."""
    size_variance: F64

    @classmethod
    def new(cls, ids: I64, boxes: F64, pts_s: float) -> _State:
        """Tracks that begin with ``boxes``, their velocity unknown."""
        centre, size = _centre_and_size(boxes)
        prior = np.array([_JITTER**2, 0.0, _SPEED**2])
        return cls(
            ids=ids,
            seen_s=np.full(len(ids), pts_s),
            centre=centre,
            velocity=np.zeros((len(ids), 2)),
            size=size,
            covariance=np.tile(prior, (len(ids), 1)),
            size_variance=np.full(len(ids), _SIZE_JITTER**2),
        )

    def keep(self, mask: npt.NDArray[np.bool_]) -> None:
        """Drop the tracks outside ``mask``."""
        for field in fields(self):
            setattr(self, field.name, getattr(self, field.name)[mask])

    def extend(self, other: _State) -> None:
        """Append the tracks of ``other``."""
        for field in fields(self):
            setattr(self, field.name, np.concatenate([getattr(self, field.name), getattr(other, field.name)]))

    def predict(self, step_s: float) -> None:
        """Move every track on by ``step_s`` seconds."""
        if step_s <= 0:
            return
        fade = float(np.exp(-step_s / _VELOCITY_MEMORY_S))
        travel = _VELOCITY_MEMORY_S * (1 - fade)
        position, cross, speed = self.covariance.T
        moved = [
            position + 2 * travel * cross + travel**2 * speed,
            fade * (cross + travel * speed),
            fade**2 * speed,
        ]
        self.covariance = np.stack(moved, axis=1) + _motion_noise(step_s, fade, travel)
        self.centre = self.centre + travel * self.velocity
        self.velocity = fade * self.velocity
        self.size_variance = self.size_variance + _SIZE_DRIFT**2 * step_s

    def correct(self, rows: I64, boxes: F64, pts_s: float) -> None:
        """Kalman update of the tracks at ``rows`` with the boxes found for them."""
        centre, size = _centre_and_size(boxes)
        position, cross, speed = self.covariance[rows].T
        total = position + _JITTER**2
        gain, gain_velocity = position / total, cross / total
        error = centre - self.centre[rows]
        self.centre[rows] += gain[:, None] * error
        self.velocity[rows] += gain_velocity[:, None] * error
        corrected = [(1 - gain) * position, (1 - gain) * cross, speed - gain_velocity * cross]
        self.covariance[rows] = np.stack(corrected, axis=1)
        gain_size = self.size_variance[rows] / (self.size_variance[rows] + _SIZE_JITTER**2)
        self.size[rows] *= (size / self.size[rows]) ** gain_size
        self.size_variance[rows] *= 1 - gain_size
        self.seen_s[rows] = pts_s

    def match_costs(self, boxes: F64, pts_s: float) -> F64:
        """Negative log likelihood that box N belongs to track T, (T, N); infinite where it cannot."""
        centre, size = _centre_and_size(boxes)
        distance = np.linalg.norm(self.centre[:, None] - centre[None], axis=2) / self.size[:, None]
        growth = np.log(size[None] / self.size[:, None])
        variance = (self.covariance[:, 0] + _JITTER**2)[:, None]
        size_variance = (self.size_variance + _SIZE_JITTER**2)[:, None]
        squared = distance**2 / variance + growth**2 / size_variance
        reach = _REACH + _REACH_PER_S * (pts_s - self.seen_s)[:, None]
        costs = squared / 2 + np.log(variance) + np.log(size_variance) / 2
        return np.asarray(np.where((squared <= _GATE) & (distance <= reach), costs, np.inf))


class FaceTracker:
    """Gives each face of a video an id that stays with it.

    Works on detections at any, also irregular, times. Not thread-safe.
    """

    def __init__(self, *, max_gap_s: float = 1.0, new_track_score: float = 0.6) -> None:
        """Start without tracks.

        Args:
            max_gap_s: a track ends when its face has not been seen for longer.
            new_track_score: a weaker face only continues a track that no stronger one continues, and is
                dropped if there is none (the second round of ByteTrack, Zhang et al. 2022, arXiv:2110.06864).

        Raises:
            ValueError: an option is out of range.
        """
        if not max_gap_s > 0 or not 0 <= new_track_score <= 1:
            raise ValueError(
                f"max_gap_s={max_gap_s}, new_track_score={new_track_score}; allowed: more than 0, and 0 to 1"
            )
        self._max_gap_s = max_gap_s
        self._new_track_score = new_track_score
        self._next_id = 1
        self._now_s: float | None = None
        self._state = _State.new(np.zeros(0, np.int64), np.zeros((0, 4)), 0.0)

    def reset(self) -> None:
        """End every track, as at a shot cut. Ids go on from where they were."""
        self._state = _State.new(np.zeros(0, np.int64), np.zeros((0, 4)), 0.0)
        self._now_s = None

    def update(self, faces: Faces, pts_s: float) -> Tracks:
        """Assign the faces of one frame to tracks.

        Args:
            faces: N detections; none is a frame in which no face was found.
            pts_s: time of the frame. More than ``max_gap_s`` before the last frame's, it ends all tracks.

        Returns:
            Tracks of those faces that continue or begin a track, in the order of ``faces``.
        """
        self._advance(pts_s)
        boxes = faces.boxes.astype(np.float64)
        ids = np.zeros(len(faces), np.int64)
        strong = faces.scores >= self._new_track_score
        self._continue_tracks(ids, boxes, np.flatnonzero(strong), pts_s)
        self._continue_tracks(ids, boxes, np.flatnonzero(~strong), pts_s)
        self._begin_tracks(ids, boxes, np.flatnonzero(strong & (ids == 0)), pts_s)
        kept = np.flatnonzero(ids)
        return Tracks(ids[kept], faces.select(kept))

    def _advance(self, pts_s: float) -> None:
        """Move the state to ``pts_s`` and end what has been gone for too long."""
        before = pts_s if self._now_s is None else self._now_s
        if pts_s < before - self._max_gap_s:
            self.reset()
        self._state.predict(pts_s - before)
        self._state.keep(pts_s - self._state.seen_s <= self._max_gap_s + 1e-9)
        self._now_s = max(pts_s, before) if self._now_s is not None else pts_s

    def _continue_tracks(self, ids: I64, boxes: F64, candidates: I64, pts_s: float) -> None:
        """Give the ``candidates`` among the boxes to tracks that have none in this frame; writes ``ids``."""
        free = np.flatnonzero(~np.isin(self._state.ids, ids))
        if not len(free) or not len(candidates):
            return
        costs = self._state.match_costs(boxes[candidates], pts_s)[free]
        allowed = np.isfinite(costs)
        # More than all true costs together, so that as many faces as possible find a track.
        rows, columns = linear_sum_assignment(np.where(allowed, costs, 1e6))
        good = allowed[rows, columns]
        rows, columns = free[rows[good]], candidates[columns[good]]
        ids[columns] = self._state.ids[rows]
        self._state.correct(rows, boxes[columns], pts_s)

    def _begin_tracks(self, ids: I64, boxes: F64, begin: I64, pts_s: float) -> None:
        """Start a track for each of the boxes at ``begin``; writes ``ids``."""
        if not len(begin):
            return
        ids[begin] = np.arange(self._next_id, self._next_id + len(begin))
        self._next_id += len(begin)
        self._state.extend(_State.new(ids[begin], boxes[begin], pts_s))


def _motion_noise(step_s: float, fade: float, travel: float) -> F64:
    """What an unknown acceleration adds to the variances in ``step_s``: shape (3,), as in ``covariance``.

    ``fade`` is what is left of a velocity after the step, ``travel`` the time for which it has counted.
    """
    position = 2 * _VELOCITY_MEMORY_S * (step_s - travel) - travel**2
    return _SPEED**2 * np.array([position, travel**2 / _VELOCITY_MEMORY_S, 1 - fade**2])


def _centre_and_size(boxes: F64) -> tuple[F64, F64]:
    """Centres (N, 2) and square roots of the areas (N,), at least one pixel."""
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 1.0)
    return (boxes[:, :2] + boxes[:, 2:]) / 2, np.sqrt(sides.prod(axis=1))
