"""What is lost by looking less often: the boxes and labels of two analyses of one video, side by side."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from benchmarks.crowd import CrowdStage
from gclf_live.geometry import box_iou
from gclf_live.records import F32, FrameResult
from samples.clip_scene import FPS

_SAME_IOU = 0.5
_FOUND_IOU = 0.3


@dataclass(frozen=True, slots=True)
class Agreement:
    """How an analysis compares with a reference.

    Attributes:
        boxes: in the reference, over all frames.
        found: share of them with a box of the analysis that overlaps by an IoU of at least 0.5.
        iou: mean IoU of those; NaN where there are none.
        same_label: share of those with the same label; NaN where there are none.
        extra: boxes of the analysis without one in the reference.
    """

    boxes: int
    found: float
    iou: float
    same_label: float
    extra: int


def match(boxes: F32, others: F32, *, least_iou: float = _SAME_IOU) -> list[tuple[int, int, float]]:
    """The pairing of two sets of boxes, (N, 4) and (M, 4), with the greatest sum of IoU.

    Returns:
        (position in ``boxes``, position in ``others``, IoU) of each pair that overlaps enough.
    """
    iou = box_iou(boxes, others)
    rows, columns = linear_sum_assignment(-iou)
    pairs = zip(rows.tolist(), columns.tolist(), strict=True)
    return [(i, j, float(iou[i, j])) for i, j in pairs if iou[i, j] >= least_iou]


def compare(results: Iterable[FrameResult], reference: Iterable[FrameResult]) -> Agreement:
    """Compare two analyses of the same frames; ValueError where one has more frames."""
    boxes = extra = 0
    overlaps: list[float] = []
    same: list[bool] = []
    for result, wanted in zip(results, reference, strict=True):
        pairs = match(wanted.tracks.faces.boxes, result.tracks.faces.boxes)
        overlaps += [iou for _, _, iou in pairs]
        same += [wanted.labels[i] == result.labels[j] for i, j, _ in pairs]
        boxes += len(wanted.tracks)
        extra += len(result.tracks) - len(pairs)
    mean_iou, mean_same = (float(np.mean(values)) if values else float("nan") for values in (overlaps, same))
    return Agreement(boxes, len(overlaps) / boxes if boxes else float("nan"), mean_iou, mean_same, extra)


def missed_stays(
    results: Iterable[FrameResult], stage: CrowdStage, *, least_s: float = 0.3
) -> tuple[int, int]:
    """Count the people of a clip who were never found.

    Args:
        results: of every frame of the clip.
        stage: who is in it.
        least_s: those who are there for a shorter time do not count.

    Returns:
        How many people are in view for at least ``least_s``, and how many of them have no box, in any frame,
        that overlaps theirs by an IoU of at least 0.3.
    """
    wanted = {s.person for s in stage.stays if (s.last - s.first + 1) / FPS >= least_s - 1e-6}
    found: set[int] = set()
    for index, result in enumerate(results):
        present = stage.present(index)
        pairs = match(present.boxes, result.tracks.faces.boxes, least_iou=_FOUND_IOU)
        found.update(int(present.people[i]) for i, _, _ in pairs)
    return len(wanted), len(wanted - found)
