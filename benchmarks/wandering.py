"""Films of wandering faces whose truth is known: what a tracker sees, and who each face is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gclf_live.records import I64, Bool, Faces

_FRAME_PX = (1280, 720)
_EDGE_PX = 100
_TICKS_PER_S = 60
_FADE_S = 2.0
"""Time constant with which a face forgets where it was heading."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a film is like.

    Attributes:
        speed: typical speed of each axis, standard deviation, in face sizes a second.
        fps: frames a second.
        seed: of all that is random.
        faces: how many there are; their sizes are 50 to 120 px.
        seconds: length of the film.
        jitter: standard deviation of a detection's place and of its size's logarithm, in face sizes.
        missed: share of detections that are lost.
        false_per_frame: mean number of detections of nobody.
    """

    speed: float
    fps: float
    seed: int
    faces: int = 6
    seconds: float = 10.0
    jitter: float = 0.03
    missed: float = 0.1
    false_per_frame: float = 0.05


@dataclass(frozen=True, slots=True)
class Sighting:
    """One frame.

    Attributes:
        pts_s: its time.
        faces: N detections, in random order.
        people: int64, shape (N,): whose face each is, from 0; -1 for nobody's.
    """

    pts_s: float
    faces: Faces
    people: I64


def make_film(conditions: Conditions) -> Iterator[Sighting]:
    """The frames of a film. Each face is hidden for 0.1 to 0.9 s, about every 3 s."""
    rng = np.random.default_rng(conditions.seed)
    sizes = rng.uniform(50, 120, conditions.faces)
    ticks = round(conditions.seconds * _TICKS_PER_S)
    centres = _wander(rng, sizes, conditions.speed, ticks)
    hidden = _hide(rng, conditions.faces, ticks)
    for frame in range(round(conditions.seconds * conditions.fps)):
        pts_s = frame / conditions.fps
        tick = int(pts_s * _TICKS_PER_S)
        seen = np.flatnonzero(~hidden[tick] & (rng.random(conditions.faces) >= conditions.missed))
        yield _sight(rng, conditions, pts_s, seen, centres[tick, seen], sizes[seen])


def box_faces(centres: npt.NDArray[np.float64], sizes: npt.NDArray[np.float64]) -> Faces:
    """Faces at these centres, shape (N, 2), px, of these sizes, shape (N,), px.

    They are a quarter taller than wide, as YuNet's are, and certain.
    """
    half = sizes[:, None] * np.array([0.45, 0.56])
    boxes = np.concatenate([centres - half, centres + half], axis=1).astype(np.float32)
    landmarks = np.repeat(centres[:, None].astype(np.float32), 5, axis=1)
    return Faces(boxes, np.full(len(boxes), 0.9, np.float32), landmarks)


def _wander(
    rng: np.random.Generator, sizes: npt.NDArray[np.float64], speed: float, ticks: int
) -> npt.NDArray[np.float64]:
    """Places, shape (ticks, faces, 2), px. Velocities fade and are renewed, and turn round at the edges."""
    scale = (speed * sizes)[:, None]
    low, high = np.array([0, 0]), np.array(_FRAME_PX)
    place = rng.uniform(low + _EDGE_PX, high - _EDGE_PX, (len(sizes), 2))
    velocity = rng.normal(size=place.shape) * scale
    kept = np.exp(-1 / _TICKS_PER_S / _FADE_S)
    places = np.empty((ticks, *place.shape))
    for tick in range(ticks):
        velocity = kept * velocity + np.sqrt(1 - kept**2) * scale * rng.normal(size=place.shape)
        place = place + velocity / _TICKS_PER_S
        velocity[(place < low) | (place > high)] *= -1
        place = np.clip(place, low, high)
        places[tick] = place
    return places


def _hide(rng: np.random.Generator, faces: int, ticks: int) -> Bool:
    """When each face cannot be seen: bool, shape (ticks, faces)."""
    hidden = np.zeros((ticks, faces), np.bool_)
    for face in range(faces):
        begins_s = rng.exponential(3.0)
        while begins_s < ticks / _TICKS_PER_S:
            ends_s = begins_s + rng.uniform(0.1, 0.9)
            hidden[round(begins_s * _TICKS_PER_S) : round(ends_s * _TICKS_PER_S), face] = True
            begins_s += rng.exponential(3.0)
    return hidden


def _sight(
    rng: np.random.Generator,
    conditions: Conditions,
    pts_s: float,
    seen: I64,
    centres: npt.NDArray[np.float64],
    sizes: npt.NDArray[np.float64],
) -> Sighting:
    """What a detector makes of the faces ``seen``."""
    noise = rng.normal(size=(len(seen), 3)) * conditions.jitter
    centres, sizes = centres + noise[:, :2] * sizes[:, None], sizes * np.exp(noise[:, 2])
    false = rng.poisson(conditions.false_per_frame)
    centres = np.concatenate([centres, rng.uniform((0, 0), _FRAME_PX, (false, 2))])
    sizes = np.concatenate([sizes, rng.uniform(40, 100, false)])
    people = np.concatenate([seen, np.full(false, -1)])
    order = rng.permutation(len(people))
    return Sighting(pts_s, box_faces(centres[order], sizes[order]), people[order].astype(np.int64))
