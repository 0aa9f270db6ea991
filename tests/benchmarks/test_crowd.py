"""Clips of a crowd: as many faces as asked for, where the truth says, for as long as it says."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.crowd import Crowd, CrowdStage, make_clips, stays
from gclf_live.faces.detector import FaceDetector
from gclf_live.geometry import box_iou


@pytest.mark.parametrize("faces", [0, 1, 7])
def test_detector_finds_the_faces_where_the_truth_has_them(faces: int) -> None:
    stage = CrowdStage(Crowd(faces, seconds=4, width_px=640, height_px=360, visits_s=(1.0,)))
    for frame, count in ((0, faces), (50, faces + 1), (100, faces)):
        present = stage.present(frame)
        found = FaceDetector().detect(stage.draw(frame))
        assert len(present.boxes) == len(present.labels) == count
        assert len(found) == count
        if count:
            assert box_iou(present.boxes, found.boxes).max(axis=1).min() > 0.5


def test_faces_move_and_stay_in_the_picture_apart_from_one_another() -> None:
    crowd = Crowd(12, seconds=3)
    stage = CrowdStage(crowd)
    boxes = np.stack([stage.present(frame).boxes for frame in range(crowd.frames)])
    assert (np.ptp(boxes, axis=0)[:, 0] > 0.3 * stage.face_px).all()
    assert boxes.min() >= 0
    assert (boxes[..., 2:] <= (crowd.width_px, crowd.height_px)).all()
    assert all((box_iou(now, now) > 0).sum() == crowd.faces for now in boxes)


@pytest.mark.parametrize("crowd", [Crowd(1, seconds=10), Crowd(6, seconds=3), Crowd(3, seconds=0.5)])
def test_no_face_moves_faster_than_people_walk(crowd: Crowd) -> None:
    stage = CrowdStage(crowd)
    boxes = np.stack([stage.present(frame).boxes for frame in range(crowd.frames)])
    steps_px = np.linalg.norm(np.diff(boxes[..., :2], axis=0), axis=-1)
    # Places are whole pixels.
    assert (steps_px * 30 < 1.5 * stage.face_px + 45).all()


def test_clip_ends_where_it_began() -> None:
    crowd = Crowd(3, seconds=2, width_px=320, height_px=180)
    stage = CrowdStage(crowd)
    boxes = np.stack([stage.present(frame).boxes for frame in range(crowd.frames)])
    largest_step = np.abs(np.diff(boxes, axis=0)).max()
    assert largest_step > 0
    assert np.abs(boxes[-1] - boxes[0]).max() <= largest_step


def test_visitors_come_one_after_another_as_new_people() -> None:
    crowd = Crowd(2, seconds=10, visits_s=(0.3, 1.0), gap_s=1.5)
    visitors = [stay for stay in stays(crowd) if stay.first > 0]
    assert [stay.person for stay in visitors] == [2, 3, 4, 5]
    assert [stay.last - stay.first + 1 for stay in visitors] == [9, 30, 9, 30]
    assert {stay.place for stay in visitors} == {2}
    assert all(after.first - before.last - 1 == 45 for before, after in pairwise(visitors))
    assert visitors[-1].last < crowd.frames


def test_visit_that_does_not_fit_is_left_out() -> None:
    assert len(stays(Crowd(2, seconds=2, visits_s=(1.0,)))) == 2


def test_clips_are_written_once_with_their_sound(tmp_path: Path) -> None:
    crowds = [Crowd(count, seconds=0.5, width_px=320, height_px=180) for count in (0, 1)]
    clips = make_clips(tmp_path / "clips", crowds)
    assert list(clips) == crowds
    with av.open(str(clips[crowds[1]])) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (320, 180)
        assert len(list(container.decode(video=0))) == 15
        assert len(container.streams.audio) == 1
    written = [path.stat().st_mtime_ns for path in clips.values()]
    assert [path.stat().st_mtime_ns for path in make_clips(tmp_path / "clips", crowds).values()] == written
