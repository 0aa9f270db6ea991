"""The truth table of the sample clip: every face in every frame, and how much of it can be seen."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gclf_live.geometry import clip_boxes
from gclf_live.records import F32, Bool
from gclf_live.whole_file import whole_file

from .clip_cast import Portrait
from .clip_scene import FPS, FRAMES, HEIGHT_PX, WIDTH_PX, Actor, face_box, placement, scene_of

_GRID = 32


@dataclass(frozen=True, slots=True)
class TruthRow:
    """One face in one frame.

    Attributes:
        frame: index from 0.
        pts_s: presentation time.
        person: who it is.
        track: the truth track: a new one after the cut and after more than a second out of the picture.
        label: ``female`` or ``male``.
        x_px: left edge of the face box, cut at the edges of the frame.
        y_px: upper edge.
        width_px: width of what is left.
        height_px: height of what is left.
        visible: share of the face that is inside the frame and behind nobody, in [0, 1].
    """

    frame: int
    pts_s: float
    person: str
    track: int
    label: str
    x_px: float
    y_px: float
    width_px: float
    height_px: float
    visible: float


class TrackNumbers:
    """Numbers the truth tracks in order of appearance. Frames must come in order."""

    def __init__(self) -> None:
        self._last: dict[Actor, tuple[int, int]] = {}
        self._count = 0

    def number(self, actor: Actor, frame: int) -> int:
        """The track of ``actor``, who is seen in ``frame``."""
        track, seen = self._last.get(actor, (0, -FRAMES))
        if frame - seen - 1 > FPS:
            self._count += 1
            track = self._count
        self._last[actor] = (track, frame)
        return track


def truth(cast: Mapping[str, Portrait], outlines: Mapping[str, F32]) -> Iterator[TruthRow]:
    """The rows of the whole clip, by frame, in each from the back to the front.

    Args:
        cast: the portraits, by name.
        outlines: float32, shape (H, W), by name: how much of each portrait pixel is the person.
    """
    numbers = TrackNumbers()
    for frame in range(FRAMES):
        actors = scene_of(frame).actors
        for depth, actor in enumerate(actors):
            portrait = cast[actor.portrait]
            whole = face_box(actor.pose(frame), portrait.box)
            box = clip_boxes(whole[None], width_px=WIDTH_PX, height_px=HEIGHT_PX)[0]
            x, y, width, height = (round(float(v), 2) for v in (*box[:2], *(box[2:] - box[:2])))
            if min(width, height) < 1:
                continue
            seen = _visible(whole, frame, actors[depth + 1 :], cast, outlines)
            track = numbers.number(actor, frame)
            time_s = round(frame / FPS, 6)
            yield TruthRow(
                frame, time_s, portrait.person, track, portrait.label, x, y, width, height, round(seen, 3)
            )


def _visible(
    whole: F32,
    frame: int,
    in_front: tuple[Actor, ...],
    cast: Mapping[str, Portrait],
    outlines: Mapping[str, F32],
) -> float:
    """Share of the ellipse in the box ``whole`` that is inside the frame and not covered."""
    u, v = np.meshgrid(*[(np.arange(_GRID) + 0.5) / _GRID * 2 - 1] * 2)
    unit = np.stack([u, v], axis=-1)[u**2 + v**2 <= 1]
    points = (whole[:2] + whole[2:]) / 2 + unit * (whole[2:] - whole[:2]) / 2
    shown = _inside(points, WIDTH_PX, HEIGHT_PX)
    for actor in in_front:
        matrix = placement(actor.pose(frame), cast[actor.portrait].box).astype(np.float64)
        source = np.floor((points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T)
        outline = outlines[actor.portrait]
        height, width = outline.shape
        inside = _inside(source, width, height)
        column, row = np.where(inside[:, None], source, 0).astype(int).T
        shown &= ~(inside & (outline[row, column] > 0.5))
    return float(shown.mean())


def _inside(points: npt.NDArray[np.float64], width: int, height: int) -> Bool:
    """Which of the points, shape (N, 2), lie in a picture of that size: bool, shape (N,)."""
    x, y = points[:, 0], points[:, 1]
    return np.asarray((x >= 0) & (x < width) & (y >= 0) & (y < height), np.bool_)


def write_truth(rows: list[TruthRow], path: Path) -> None:
    """Write the table as CSV with a header; ``path`` appears whole or not at all."""
    with whole_file(path, overwrite=True) as part, part.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(field.name for field in fields(TruthRow))
        table.writerows(astuple(row) for row in rows)


def read_truth(path: Path) -> list[TruthRow]:
    """Read a table that ``write_truth`` wrote."""
    kinds = {"str": str, "int": int, "float": float}
    with path.open(newline="", encoding="utf-8") as file:
        return [
            TruthRow(**{field.name: kinds[str(field.type)](row[field.name]) for field in fields(TruthRow)})
            for row in csv.DictReader(file)
        ]
