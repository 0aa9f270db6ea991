"""How long a face that comes into view waits for its box and its label, live."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.crowd import CrowdStage, Stay
from benchmarks.quality import match
from benchmarks.replay import Shown
from gclf_live.records import UNSURE

_FOUND_IOU = 0.3


@dataclass(frozen=True, slots=True)
class Entry:
    """One visit of one person.

    Attributes:
        box_s: from the moment at which the camera had the face to its first box on the screen; None: never.
        label_s: the same to its first label other than unsure; None: it left without one.
        stayed_s: how long the face was in view.
    """

    box_s: float | None
    label_s: float | None
    stayed_s: float


def entries(shown: Sequence[Shown], stage: CrowdStage, due_s: Callable[[int], float]) -> list[Entry]:
    """The visits that began and ended while frames were shown.

    Args:
        shown: what came to the screen, in order, of a camera that plays the stage's clip over and over.
        stage: who is in the clip.
        due_s: when the camera had the picture of a number, see ``ReplayedCamera``.
    """
    if not shown:
        return []
    length = stage.crowd.frames
    return [
        _entry([s for s in shown if first <= s.number <= last], stage, stay, due_s, first=first, last=last)
        for stay in stage.stays
        if stay.first > 0
        for first, last in _turns(stay, length, shown[0].number, shown[-1].number)
    ]


def _turns(stay: Stay, length: int, begin: int, end: int) -> Iterator[tuple[int, int]]:
    """First and last number of a person's stay each time that the clip is played, within begin and end."""
    for turn in range(begin // length, end // length + 1):
        first, last = turn * length + stay.first, turn * length + stay.last
        if first > begin and last < end:
            yield first, last


def _entry(
    shown: list[Shown],
    stage: CrowdStage,
    stay: Stay,
    due_s: Callable[[int], float],
    *,
    first: int,
    last: int,
) -> Entry:
    came_s = due_s(first)
    box_s = label_s = None
    for frame in shown:
        label = _label(frame, stage, stay)
        if label is not None and box_s is None:
            box_s = frame.at_s - came_s
        if label not in {None, UNSURE}:
            label_s = frame.at_s - came_s
            break
    return Entry(box_s, label_s, due_s(last + 1) - came_s)


def _label(frame: Shown, stage: CrowdStage, stay: Stay) -> str | None:
    """What is shown for the person; None where they have no box."""
    present = stage.present(frame.number % stage.crowd.frames)
    mine = int(np.flatnonzero(present.people == stay.person)[0])
    pairs = match(present.boxes, frame.result.tracks.faces.boxes, least_iou=_FOUND_IOU)
    return next((frame.result.labels[j] for i, j, _ in pairs if i == mine), None)
