"""Comparing two analyses of one video, and one with the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest

from benchmarks.crowd import Crowd, CrowdStage
from benchmarks.quality import compare, match, missed_stays
from gclf_live.records import F32, Faces, FrameResult, Predictions, Tracks


def boxes_of(*rows: tuple[float, float, float, float]) -> F32:
    return np.array(rows, np.float32).reshape(-1, 4)


def result_of(boxes: F32, labels: tuple[str, ...] | None = None, index: int = 0) -> FrameResult:
    """A frame with these boxes, male unless ``labels`` says otherwise."""
    count = len(boxes)
    faces = Faces(boxes, np.ones(count, np.float32), np.zeros((count, 5, 2), np.float32))
    tracks = Tracks(np.arange(1, count + 1, dtype=np.int64), faces)
    predictions = Predictions(("female", "male"), np.full((count, 2), 0.5, np.float32))
    shown = ("male",) * count if labels is None else labels
    return FrameResult(index, index / 30, tracks, predictions, shown, np.ones(count, np.float32))


LEFT, RIGHT, FAR = (0, 0, 10, 10), (100, 0, 110, 10), (500, 500, 510, 510)


def test_boxes_are_paired_with_those_they_overlap_most() -> None:
    pairs = match(boxes_of(LEFT, RIGHT, FAR), boxes_of((100, 0, 110, 8), (0, 0, 10, 9)))
    assert [(i, j) for i, j, _ in pairs] == [(0, 1), (1, 0)]
    assert [iou for _, _, iou in pairs] == pytest.approx([0.9, 0.8])


def test_no_boxes_pair_with_nothing() -> None:
    assert match(boxes_of(), boxes_of(LEFT)) == []


def test_analysis_agrees_with_itself() -> None:
    same = compare([result_of(boxes_of(LEFT, RIGHT))], [result_of(boxes_of(LEFT, RIGHT))])
    assert (same.boxes, same.found, same.iou, same.same_label, same.extra) == (2, 1.0, 1.0, 1.0, 0)


def test_missed_moved_extra_and_relabelled_boxes_are_counted() -> None:
    reference = [result_of(boxes_of(LEFT, RIGHT), ("female", "male")), result_of(boxes_of(LEFT, FAR))]
    analysis = [
        result_of(boxes_of((0, 0, 10, 8), RIGHT), ("male", "male")),
        result_of(boxes_of(LEFT, RIGHT)),
    ]
    found = compare(analysis, reference)
    assert (found.boxes, found.found, found.extra) == (4, 0.75, 1)
    assert found.iou == pytest.approx((0.8 + 1 + 1) / 3)
    assert found.same_label == pytest.approx(2 / 3)


def test_video_without_faces_has_no_figures() -> None:
    empty = compare([result_of(boxes_of())], [result_of(boxes_of())])
    assert empty.boxes == 0
    assert math.isnan(empty.iou)


def test_analyses_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="longer"):
        compare([], [result_of(boxes_of())])


def test_face_without_a_box_in_any_frame_is_missed() -> None:
    stage = CrowdStage(Crowd(2, seconds=4, width_px=640, height_px=360, visits_s=(0.5, 0.2)))
    frames = range(stage.crowd.frames)
    truth = [result_of(stage.present(i).boxes, index=i) for i in frames]
    assert missed_stays(truth, stage) == (3, 0)
    assert missed_stays([result_of(boxes_of(), index=i) for i in frames], stage) == (3, 3)
    # Those who are there all the time come first: without the visitors one of three is missed.
    assert missed_stays([result_of(stage.present(i).boxes[:2], index=i) for i in frames], stage) == (3, 1)
    # Somebody who is there for 0.2 s only counts where that is asked for.
    assert missed_stays(truth, stage, least_s=0.1) == (4, 0)
