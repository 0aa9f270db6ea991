"""A clip in the place of a camera: what is skipped, what is noted, and how long faces waited."""

from __future__ import annotations

import numpy as np
import pytest
from face_makers import ColourClassifier, ScriptedClock

from benchmarks.crowd import Crowd, CrowdStage
from benchmarks.entries import entries
from benchmarks.replay import ReplayedCamera, Shown, WatchedLabeller, WatchedScreen
from gclf_live.media.camera import open_camera
from gclf_live.output.window import LiveWindow
from gclf_live.pipeline.session import LiveSession, SessionOptions
from gclf_live.records import F32, U8, UNSURE, Faces, FrameResult, Predictions, Tracks

FPS = 10


def pictures(count: int) -> list[U8]:
    return [np.full((48, 64, 3), i, np.uint8) for i in range(count)]


def test_camera_hands_out_a_picture_when_it_is_due_over_and_over() -> None:
    clock = ScriptedClock()
    camera = ReplayedCamera(pictures(3), fps=FPS, clock=clock, sleep=clock.sleep)
    seen = [int(camera.read()[1][0, 0, 0]) for _ in range(5)]
    assert seen == [0, 1, 2, 0, 1]
    assert clock.now == pytest.approx(100.4)
    assert [number for number, _ in camera.handed] == [0, 1, 2, 3, 4]
    assert camera.due_s(30) == pytest.approx(103.0)


def test_picture_that_nobody_fetched_is_gone() -> None:
    clock = ScriptedClock()
    camera = ReplayedCamera(pictures(50), fps=FPS, clock=clock, sleep=clock.sleep)
    camera.read()
    clock.sleep(0.55)
    assert int(camera.read()[1][0, 0, 0]) == 5
    number, due_s = camera.handed[-1]
    assert number == 5
    assert due_s == pytest.approx(100.5)


def test_screen_notes_which_picture_came_when() -> None:
    camera = ReplayedCamera(pictures(20), fps=100)
    screen = WatchedScreen(camera)
    labeller = WatchedLabeller(ColourClassifier())  # type: ignore[arg-type]
    labeller.screen = screen
    LiveSession(
        open_camera(0, factory=lambda index: camera),
        labeller,
        window=LiveWindow(backend=screen, check=lambda: None),
        options=SessionOptions(max_duration_s=1.0),
    ).run()
    assert screen.shown
    handed = dict(camera.handed)
    assert all(shown.due_s == handed[shown.number] < shown.at_s for shown in screen.shown)
    numbers = [shown.number for shown in screen.shown]
    assert numbers == sorted(set(numbers))


STAGE = CrowdStage(Crowd(1, seconds=4, width_px=320, height_px=180, visits_s=(1.0,)))
FIRST = 45
"""The visitor's first frame; there are 30."""


def shown_with(boxes: F32, label: str, number: int, delay_s: float) -> Shown:
    count = len(boxes)
    faces = Faces(boxes, np.ones(count, np.float32), np.zeros((count, 5, 2), np.float32))
    predictions = Predictions(("female", "male"), np.full((count, 2), 0.5, np.float32))
    tracks = Tracks(np.arange(1, count + 1, dtype=np.int64), faces)
    labels = (UNSURE,) * (count - 1) + (label,) if count else ()
    result = FrameResult(number, number / 30, tracks, predictions, labels, np.ones(count, np.float32))
    return Shown(number, number / 30, number / 30 + delay_s, result)


def session(*, box_from: int, label_from: int, turns: int = 1, begin: int = 0) -> list[Shown]:
    """What is shown 0.02 s late while the clip is played; the visitor's box and label come later."""
    shown = []
    for number in range(begin, turns * STAGE.crowd.frames):
        frame = number % STAGE.crowd.frames
        boxes = STAGE.present(frame).boxes
        seen = boxes if frame >= FIRST + box_from else boxes[:1]
        shown.append(shown_with(seen, "male" if frame >= FIRST + label_from else UNSURE, number, 0.02))
    return shown


def test_wait_for_box_and_label_counts_from_the_first_frame_with_the_face() -> None:
    (came,) = entries(session(box_from=2, label_from=5), STAGE, lambda number: number / 30)
    assert came.box_s == pytest.approx(2 / 30 + 0.02)
    assert came.label_s == pytest.approx(5 / 30 + 0.02)
    assert came.stayed_s == pytest.approx(1.0)


def test_face_that_leaves_without_a_label_has_none() -> None:
    (came,) = entries(session(box_from=0, label_from=99), STAGE, lambda number: number / 30)
    assert came.box_s == pytest.approx(0.02)
    assert came.label_s is None


def test_each_time_the_clip_is_played_counts_unless_the_face_was_there_at_the_start() -> None:
    whole = session(box_from=1, label_from=1, turns=3)
    assert len(entries(whole, STAGE, lambda number: number / 30)) == 3
    late = session(box_from=1, label_from=1, turns=3, begin=FIRST + 3)
    assert len(entries(late, STAGE, lambda number: number / 30)) == 2
    assert entries([], STAGE, lambda number: number / 30) == []
