"""When faces were on screen, and how large they were."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from result_makers import make_result, make_track, random_result

from gclf_live.screentime.result import without_people
from gclf_live.screentime.timeline import HEIGHT_EDGES_PX, make_heights, make_timeline


def test_step_holds_the_mean_number_of_faces() -> None:
    result = make_result(
        make_track(1, 0.97, start_s=100.0, seconds=2.0),
        make_track(2, 0.97, start_s=101.0, seconds=2.5),
        make_track(3, 0.02, start_s=100.25, seconds=0.5),
        make_track(4, 0.02, start_s=103.0, seconds=1.0, excluded="too small"),
        from_s=100.0,
        to_s=104.0,
    )
    timeline = make_timeline(result)
    assert timeline is not None
    assert (timeline.from_s, timeline.step_s) == (100.0, 0.5)
    assert timeline.faces["female"].tolist() == [1, 1, 2, 2, 1, 1, 1, 0]
    assert timeline.faces["male"].tolist() == [0.5, 0.5, 0, 0, 0, 0, 0, 0]
    assert timeline.faces["excluded"].tolist() == [0, 0, 0, 0, 0, 0, 1, 1]
    assert not timeline.faces["unsure"].any()


def test_face_that_goes_away_and_comes_back_leaves_a_gap() -> None:
    track = replace(make_track(1), spans_s=((0.0, 1.0), (2.0, 3.0)), seconds=2.0)
    timeline = make_timeline(make_result(track, to_s=3.0))
    assert timeline is not None
    assert timeline.faces["female"].tolist() == [1, 1, 0, 0, 1, 1]


@pytest.mark.parametrize("length_s", [0.3, 59.9, 7201.0, 40_000.0, 9e6])
def test_seconds_are_all_there_at_any_length(length_s: float) -> None:
    track = make_track(1, seconds=length_s / 2)
    timeline = make_timeline(make_result(track, to_s=length_s))
    assert timeline is not None
    steps = timeline.faces["female"]
    assert 1 <= len(steps) <= 241
    lengths = np.diff(np.append(timeline.step_s * np.arange(len(steps)), length_s))
    assert float(steps @ lengths) == pytest.approx(track.seconds)


def test_nothing_is_shown_with_privacy_or_without_length() -> None:
    private = without_people(random_result(1))
    assert make_timeline(private) is None
    assert make_heights([private]) is None
    assert make_timeline(make_result(to_s=0.0)) is None


def test_heights_are_added_up_in_bands() -> None:
    result = make_result(
        make_track(1, 0.97, seconds=3, height_px=63.9),
        make_track(2, 0.97, seconds=2, height_px=64),
        make_track(3, 0.6, seconds=5, height_px=2000),
        make_track(4, 0.97, seconds=7, height_px=0, excluded="too small"),
    )
    heights = make_heights([result, replace(result, name="b.mp4")])
    assert heights is not None
    band = HEIGHT_EDGES_PX.index
    assert heights.seconds["female"][band(48)] == 6
    assert heights.seconds["female"][band(64)] == 4
    assert heights.seconds["unsure"][-1] == 10
    assert heights.seconds["excluded"][0] == 14
    assert sum(values.sum() for values in heights.seconds.values()) == 34
