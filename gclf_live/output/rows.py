"""Faces and tracks as rows: the columns' names, order, units and decimals."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gclf_live.records import FrameResult
from gclf_live.wording import tidy_text

FACE_COLUMNS = (
    "track_id",
    "frame",
    "pts_s",
    "x_px",
    "y_px",
    "width_px",
    "height_px",
    "detection_score",
    "quality",
    "label",
    "confidence",
)
"""Columns of one face in one frame; one ``p_<class>`` for each class follows."""

TRACK_COLUMNS = (
    "track_id",
    "start_s",
    "end_s",
    "seconds",
    "faces",
    "classified",
    "median_height_px",
    "label",
    "confidence",
    "excluded",
)
"""Columns of one track; one ``p_<class>`` for each class stands before ``excluded``."""


@dataclass(frozen=True, slots=True)
class TrackSummary:
    """What is known of one track once it has ended.

    Attributes:
        track_id: its number, as in the face rows.
        start_s: presentation time of its first face, in seconds.
        end_s: presentation time at which its last face left the screen, in seconds.
        seconds: time on screen.
        faces: frames in which it was found.
        classified: how many of them the classifier saw.
        median_height_px: median height of its boxes.
        label: a class name or ``unsure``.
        confidence: probability of the likeliest class; NaN if nothing was classified.
        probabilities: probability of each class by name; empty if nothing was classified.
        excluded: why it does not count towards screen time, or empty.
    """

    track_id: int
    start_s: float
    end_s: float
    seconds: float
    faces: int
    classified: int
    median_height_px: float
    label: str
    confidence: float
    probabilities: Mapping[str, float]
    excluded: str = ""

    def as_row(self) -> dict[str, object]:
        """The track with its values by column, in the order of ``track_columns``."""
        row: dict[str, object] = {name: getattr(self, name) for name in TRACK_COLUMNS[:-1]}
        row |= {f"p_{name}": value for name, value in self.probabilities.items()}
        return row | {"excluded": self.excluded}


def face_columns(classes: Sequence[str]) -> tuple[str, ...]:
    """All columns of a table of faces, for these classes."""
    return (*FACE_COLUMNS, *(f"p_{name}" for name in classes))


def track_columns(classes: Sequence[str]) -> tuple[str, ...]:
    """All columns of a table of tracks, for these classes."""
    return (*TRACK_COLUMNS[:-1], *(f"p_{name}" for name in classes), TRACK_COLUMNS[-1])


def face_rows(results: Iterable[FrameResult]) -> Iterator[dict[str, object]]:
    """One row for each face of each frame, in order, tidied; frames are taken one at a time.

    ``confidence`` is the highest class probability of the face.
    """
    for result in results:
        faces = result.tracks.faces
        confidences = result.predictions.confidences
        for i, (x1, y1, x2, y2) in enumerate(faces.boxes.tolist()):
            row = {
                "track_id": result.tracks.ids[i],
                "frame": result.index,
                "pts_s": result.pts_s,
                "x_px": x1,
                "y_px": y1,
                "width_px": x2 - x1,
                "height_px": y2 - y1,
                "detection_score": faces.scores[i],
                "quality": result.quality[i],
                "label": result.labels[i],
                "confidence": confidences[i],
            }
            chances = zip(result.predictions.classes, result.predictions.probabilities[i], strict=True)
            row |= {f"p_{name}": value for name, value in chances}
            yield tidy_row(row)


def tidy_row(row: Mapping[str, object]) -> dict[str, object]:
    """The row in plain Python types, fit for JSON.

    Seconds have 6 decimals, pixels 2, probabilities and scores 4, other numbers 6. What is not
    finite is None. Text is as ``tidy_text`` leaves it.
    """
    return {tidy_text(column): _tidy(column, value) for column, value in row.items()}


def whole_percent(share: float) -> int:
    """``share`` as whole percent for a person, at most 99: no classifier of faces is certain."""
    return min(99, round(100 * share))


def _tidy(column: str, value: object) -> object:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        # Adding 0 turns -0.0 into 0.0.
        return round(value, _decimals(column)) + 0.0 if math.isfinite(value) else None
    if isinstance(value, str):
        return tidy_text(value)
    return value


@lru_cache(maxsize=256)
def _decimals(column: str) -> int:
    if column.endswith("_px"):
        return 2
    if column.startswith("p_") or column in {"confidence", "quality", "detection_score"}:
        return 4
    return 6
