"""Where a track's box is between two sightings, and which of its crops are kept."""

from __future__ import annotations

import numpy as np
import pytest

from gclf_live.pipeline.paths import CropReservoir, OpenTrack, TrackPath
from gclf_live.pipeline.settings import FILL_GAP_S
from gclf_live.records import Faces


def _face(x: float, score: float = 0.9) -> Faces:
    box = np.array([[x, 0, x + 10, 10]], np.float32)
    return Faces(box, np.array([score], np.float32), np.full((1, 5, 2), x, np.float32))


def _path(sightings: dict[float, float], *, lead_s: float = 0.05, until_s: float = 99.0) -> TrackPath:
    track = OpenTrack(7, CropReservoir(4))
    for pts_s, x in sightings.items():
        track.add(pts_s, _face(x), 0.5, np.zeros((8, 8, 3), np.uint8))
    even = np.full(2, 0.5, np.float32)
    return track.close(even, classified=1, lead_s=lead_s, not_before_s=0.0, not_after_s=until_s)


def _shown(path: TrackPath, *times_s: float) -> list[bool]:
    shown: list[bool] = path.over(np.array(times_s)).shown.tolist()
    return shown


def test_box_between_two_sightings_lies_between_their_boxes() -> None:
    found = _path({0.0: 0.0, 0.1: 20.0}).over(np.array([0.025, 0.1]))
    assert found.shown.tolist() == [True, True]
    assert found.faces.boxes.tolist() == [[5, 0, 15, 10], [20, 0, 30, 10]]
    assert found.faces.landmarks[0, 0].tolist() == [5, 5]


def test_box_is_drawn_half_a_search_before_and_after_and_no_longer() -> None:
    path = _path({1.0: 0.0, 1.1: 10.0})
    assert _shown(path, 0.94, 0.96, 1.14, 1.16) == [False, True, True, False]
    assert path.over(np.array([0.96, 1.14])).faces.boxes[:, 0].tolist() == [0, 10]


def test_box_does_not_reach_beyond_its_shot() -> None:
    path = _path({0.02: 0.0, 0.1: 10.0}, until_s=0.12)
    assert (path.first_s, path.last_s) == (0.0, 0.12)


def test_hidden_face_is_neither_drawn_nor_counted() -> None:
    path = _path({0.0: 0.0, 0.1: 0.0, 0.9: 0.0, 1.0: 0.0}, lead_s=0.0)
    assert _shown(path, 0.5, 0.9) == [False, True]
    assert path.seconds() == pytest.approx(0.2)


def test_short_gap_is_bridged() -> None:
    path = _path({0.0: 0.0, FILL_GAP_S: 35.0}, lead_s=0.0)
    assert _shown(path, 0.1) == [True]
    assert path.over(np.array([0.1])).gap_s.tolist() == pytest.approx([FILL_GAP_S])
    assert path.seconds() == pytest.approx(FILL_GAP_S)


@pytest.mark.parametrize("pts_s", [0.0, 0.1, 0.3, -1.0, 5.0])
def test_no_gap_at_or_beyond_a_sighting(pts_s: float) -> None:
    assert _path({0.0: 0.0, 0.1: 0.0, 0.3: 0.0}).over(np.array([pts_s])).gap_s.tolist() == [0]


def test_kept_crops_are_bounded_and_spread_over_the_track() -> None:
    reservoir = CropReservoir(8)
    for i in range(600):
        reservoir.add(i / 10, 0.5, np.zeros((2, 2, 3), np.uint8))
    times = sorted(pts_s for pts_s, _, _ in reservoir.kept.values())
    assert 4 <= len(times) <= 8
    assert max(np.diff(times)) <= 20
    assert times[0] < 20
    assert times[-1] > 40


def test_best_crop_of_a_moment_is_kept() -> None:
    reservoir = CropReservoir(2)
    for i in range(64):
        reservoir.add(i / 10, 1.0 if i in (5, 60) else 0.1, np.zeros((2, 2, 3), np.uint8))
    assert sorted(pts_s for pts_s, quality, _ in reservoir.kept.values() if quality == 1.0) == [0.5, 6.0]
