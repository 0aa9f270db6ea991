"""When faces were on screen, and how large they were."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gclf_live.records import UNSURE
from gclf_live.screentime.result import Result
from gclf_live.screentime.tracks import ResultTrack

F64 = npt.NDArray[np.float64]

EXCLUDED = "excluded"
_STEPS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_MOST_STEPS = 240
HEIGHT_EDGES_PX = (0, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
"""Lower edges of the bands of face heights; the last one is open."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """How many faces were on screen in the course of one video.

    Attributes:
        name: of the video.
        from_s: presentation time at which it begins.
        step_s: length of a step; the last one may be shorter.
        faces: by class, ``unsure`` and ``excluded``: float64, shape (steps,), mean number on screen.
    """

    name: str
    from_s: float
    step_s: float
    faces: Mapping[str, F64]


@dataclass(frozen=True, slots=True)
class Heights:
    """Seconds by height of the face.

    Attributes:
        seconds: by class, ``unsure`` and ``excluded``: float64, one for each of ``HEIGHT_EDGES_PX``.
    """

    seconds: Mapping[str, F64]


def lane(track: ResultTrack) -> str:
    """What a drawing shows a track as: its label, or ``excluded`` whatever the reason."""
    return EXCLUDED if track.excluded else track.label


def lanes(classes: Sequence[str]) -> tuple[str, ...]:
    """All that ``lane`` can say, in the order in which they are shown."""
    return (*classes, UNSURE, EXCLUDED)


def make_timeline(result: Result) -> Timeline | None:
    """The course of one video; None where it was not kept or there is none."""
    length_s = result.to_s - result.from_s
    if result.privacy or length_s <= 0:
        return None
    fitting = (step for step in _STEPS_S if length_s / step <= _MOST_STEPS)
    step_s = float(next(fitting, _STEPS_S[-1] * math.ceil(length_s / _STEPS_S[-1] / _MOST_STEPS)))
    edges = np.append(np.arange(0, length_s, step_s), length_s)
    faces = {}
    for name in lanes(result.classes):
        spans = [span for track in result.tracks if lane(track) == name for span in track.spans_s]
        faces[name] = _mean_on_screen(np.array(spans).reshape(-1, 2) - result.from_s, edges)
    return Timeline(result.name, result.from_s, step_s, faces)


def make_heights(results: Sequence[Result]) -> Heights | None:
    """Heights of all faces; None where no track was kept."""
    tracks = [track for result in results for track in result.tracks]
    if not tracks:
        return None
    # The classes come first and the two others last, whichever are seen.
    names = lanes(results[0].classes)
    bands = np.searchsorted(HEIGHT_EDGES_PX, [track.median_height_px for track in tracks], side="right") - 1
    rows = np.array([names.index(lane(track)) for track in tracks])
    seconds = np.zeros((len(names), len(HEIGHT_EDGES_PX)))
    np.add.at(seconds, (rows, bands), [track.seconds for track in tracks])
    return Heights(dict(zip(names, seconds, strict=True)))


def _mean_on_screen(spans_s: F64, edges_s: F64) -> F64:
    """Mean number of the spans, float64 (N, 2), that are on screen between two edges: float64 (E - 1,)."""
    # Seconds on screen up to an edge, all spans together: it grows by one a second within each span.
    starts, ends = np.sort(spans_s[:, 0]), np.sort(spans_s[:, 1])
    seen = _since(starts, edges_s) - _since(ends, edges_s)
    return np.asarray(np.diff(seen) / np.maximum(np.diff(edges_s), 1e-9))


def _since(moments_s: F64, edges_s: F64) -> F64:
    """The time since each of the sorted moments that lie before an edge, added up: float64 (E,)."""
    before = np.searchsorted(moments_s, edges_s)
    return np.asarray(before * edges_s - np.concatenate([[0.0], np.cumsum(moments_s)])[before])
