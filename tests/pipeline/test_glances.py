"""Which frames are searched for faces: fewer where nothing changes, all that are due where it does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest
from face_makers import Face, scene
from media_makers import make_video

from gclf_live.media.reader import VideoReader
from gclf_live.pipeline.glances import Glance, glances, unchanged
from gclf_live.pipeline.settings import AnalysisSettings
from gclf_live.profiling import NO_PROFILER
from gclf_live.records import U8, Faces


def _faces(*boxes: Sequence[float]) -> Faces:
    count = len(boxes)
    return Faces(
        np.array(boxes, np.float32).reshape(count, 4),
        np.ones(count, np.float32),
        np.zeros((count, 5, 2), np.float32),
    )


def _glances(path: Path, *, from_s: float = -1.0, **settings: float) -> list[Glance]:
    chosen = AnalysisSettings(**settings)  # type: ignore[arg-type]
    with VideoReader(path) as reader, glances(reader.decoded(), chosen, NO_PROFILER, from_s=from_s) as coming:
        return list(coming)


def _video(path: Path, images: Sequence[U8]) -> Path:
    return make_video(path / "v.mp4", images=images, fps=20)


@pytest.mark.parametrize(
    ("before", "after", "same"),
    [
        ([], [], True),
        ([(0, 0, 100, 100)], [(0, 0, 100, 100)], True),
        ([(0, 0, 100, 100)], [(30, 0, 130, 100)], True),
        ([(0, 0, 100, 100)], [(50, 0, 150, 100)], False),
        ([(0, 0, 100, 100)], [], False),
        ([], [(0, 0, 100, 100)], False),
        ([(0, 0, 100, 100)], [(0, 0, 100, 100), (300, 0, 400, 100)], False),
        ([(0, 0, 100, 100), (300, 0, 400, 100)], [(0, 0, 100, 100), (500, 0, 600, 100)], False),
        ([(0, 0, 100, 100), (300, 0, 400, 100)], [(300, 0, 400, 100), (0, 0, 100, 100)], True),
    ],
)
def test_same_faces_little_moved_are_unchanged(
    before: list[Sequence[float]], after: list[Sequence[float]], same: bool
) -> None:
    assert unchanged(_faces(*before), _faces(*after)) is same


def test_every_other_search_may_be_left_out_but_the_first_and_the_last(tmp_path: Path) -> None:
    path = _video(tmp_path, [scene(Face("hopper", 160, 120, 100))] * 12)
    seen = _glances(path)
    times = [glance.frame.pts_s for glance in seen]
    assert times == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.55])
    assert [glance.found is None for glance in seen] == [False, True, False, True, False, True, False]
    assert [len(glance.found.result()) for glance in seen if glance.found is not None] == [1] * 4
    assert [pts_s for glance in seen for pts_s in glance.pts_s] == pytest.approx(np.arange(12) / 20)


def test_last_frame_is_searched_after_all_where_it_was_left_out(tmp_path: Path) -> None:
    seen = _glances(_video(tmp_path, [scene()] * 3))
    assert [glance.frame.index for glance in seen] == [0, 2, 2]
    assert [glance.found is None for glance in seen] == [False, True, False]
    assert seen[-1].pts_s == ()


@pytest.mark.parametrize(
    "settings", [{"skip_calm": False}, {"detect_every_s": 0.0}, {"detect_every_s": 0.15}]
)
def test_no_search_is_left_out_where_that_is_not_wanted_or_too_rare(
    tmp_path: Path, settings: dict[str, float]
) -> None:
    seen = _glances(_video(tmp_path, [scene()] * 9), **settings)
    assert all(glance.found is not None for glance in seen)
    assert len(seen) == (
        9 if settings.get("detect_every_s") == 0.0 else 9 // 3 + 1 if settings.get("detect_every_s") else 5
    )


def test_frames_on_both_sides_of_a_cut_are_searched(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = [
        np.asarray(cv2.resize(rng.integers(0, 256, (6, 8, 3), np.uint8), (320, 240)), np.uint8) for _ in "ab"
    ]
    seen = _glances(_video(tmp_path, [noise[0]] * 8 + [noise[1]] * 8))
    (cut,) = [i for i, glance in enumerate(seen) if glance.cut]
    assert seen[cut].frame.index == 8
    assert seen[cut - 1].frame.index == 7
    assert seen[cut - 1].found is not None
    assert seen[cut].found is not None


def test_what_is_before_the_beginning_is_looked_at_for_cuts_alone(tmp_path: Path) -> None:
    seen = _glances(_video(tmp_path, [scene()] * 8), from_s=0.2)
    assert seen[0].frame.pts_s == pytest.approx(0.2)
    assert [pts_s for glance in seen for pts_s in glance.pts_s] == pytest.approx([0.2, 0.25, 0.3, 0.35])


def test_leaving_early_ends_the_threads_and_gives_opencv_its_own_back(tmp_path: Path) -> None:
    path = _video(tmp_path, [scene()] * 40)
    before = cv2.getNumThreads()
    with VideoReader(path) as reader, glances(reader.decoded(), AnalysisSettings(), NO_PROFILER) as coming:
        next(coming)
        assert cv2.getNumThreads() == 1
    assert cv2.getNumThreads() == before


def test_opencv_has_its_threads_back_only_when_the_last_of_several_videos_has_ended(tmp_path: Path) -> None:
    path = _video(tmp_path, [scene()] * 10)
    before = cv2.getNumThreads()
    with VideoReader(path) as one, VideoReader(path) as two:
        first = glances(one.decoded(), AnalysisSettings(), NO_PROFILER)
        second = glances(two.decoded(), AnalysisSettings(), NO_PROFILER)
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert cv2.getNumThreads() == 1
        second.__exit__(None, None, None)
    assert cv2.getNumThreads() == before
