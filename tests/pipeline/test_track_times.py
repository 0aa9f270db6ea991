"""Time on screen by label, over sessions of any length."""

from __future__ import annotations

import numpy as np
import pytest

from gclf_live.output.summary import LabelTotal
from gclf_live.pipeline.track_times import TrackTimes
from gclf_live.records import Faces, FrameResult, Predictions, Tracks


def _result(pts_s: float, labels: dict[int, str]) -> FrameResult:
    count = len(labels)
    boxes = np.tile(np.array([0, 0, 10, 10], np.float32), (count, 1))
    faces = Faces(boxes, np.ones(count, np.float32), np.zeros((count, 5, 2), np.float32))
    return FrameResult(
        index=0,
        pts_s=pts_s,
        tracks=Tracks(np.array(list(labels), np.int64), faces),
        predictions=Predictions(("female", "male"), np.full((count, 2), 0.5, np.float32)),
        labels=tuple(labels.values()),
        quality=np.ones(count, np.float32),
    )


def test_time_counts_under_the_latest_label() -> None:
    times = TrackTimes()
    for pts_s, label in ((0.0, "unsure"), (0.5, "unsure"), (1.0, "female")):
        times.add(_result(pts_s, {7: label}))
    assert times.totals() == {"female": LabelTotal(1, 1.0)}


def test_time_in_which_nothing_was_shown_does_not_count() -> None:
    times = TrackTimes()
    for pts_s in (0.0, 0.5, 5.0, 5.5):
        times.add(_result(pts_s, {1: "male"}))
    assert times.totals()["male"].seconds == pytest.approx(1.0)


def test_session_of_hours_holds_those_in_view_only_and_counts_all() -> None:
    times = TrackTimes()
    for second in range(10_000):
        times.add(_result(float(second), {0: "female", 1 + second // 2: "male"}))
        assert len(times) <= 8
    totals = times.totals()
    assert totals["female"] == LabelTotal(1, 9999.0)
    assert totals["male"] == LabelTotal(5000, 5000.0)


def test_source_whose_time_begins_again_does_not_keep_the_tracks_of_before() -> None:
    times = TrackTimes()
    times.add(_result(5000.0, {1: "male"}))
    times.add(_result(0.0, {2: "male"}))
    assert len(times) == 1
    assert times.totals() == {"male": LabelTotal(2, 0.0)}
