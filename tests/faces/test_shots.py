"""Shot cuts on generated pictures: portraits before a backdrop, moved, lit and cut."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
from scenedetect import ContentDetector, FrameTimecode, StatsManager

from gclf_live.faces.shots import ShotCuts
from gclf_live.records import U8

_FPS = 25.0


def backdrop(kind: int = 0) -> U8:
    """A smooth studio wall."""
    y, x = np.mgrid[0:360, 0:640]
    waves = [np.sin(x / 150 + 1 + kind), np.cos(y / 100 + 2 * kind), np.sin((x + y) / 125 - kind)]
    return np.asarray(np.stack([110 + 50 * wave for wave in waves], axis=2), np.uint8)


def portrait(person: int, *, x: int = 320, y: int = 180, height: int = 220, wall: int = 0) -> U8:
    """A drawn head before the backdrop; each person has other hair, skin, build and features."""
    random = np.random.default_rng(person)
    picture = backdrop(wall)

    def ellipse(centre: tuple[float, float], axes: tuple[float, float], colour: Sequence[float]) -> None:
        at = round(x + centre[0] * height), round(y + centre[1] * height)
        size = max(1, round(axes[0] * height)), max(1, round(axes[1] * height))
        cv2.ellipse(picture, at, size, 0, 0, 360, tuple(colour), -1, cv2.LINE_AA)

    hair, skin, shirt = random.uniform(20, 120, 3), random.uniform(110, 230, 3), random.uniform(20, 235, 3)
    wide, long = random.uniform(0.32, 0.5), random.uniform(0.45, 0.75)
    ellipse((0, 1.0), (random.uniform(0.6, 0.9), 0.5), shirt)
    ellipse((0, long - 0.55), (wide + 0.05, long), hair)
    ellipse((0, 0), (wide - 0.06, random.uniform(0.4, 0.48)), skin)
    for side in (-1, 1):
        ellipse((side * random.uniform(0.12, 0.18), -0.08), (0.05, 0.03), (30, 30, 30))
    ellipse((0, random.uniform(0.18, 0.28)), (random.uniform(0.07, 0.15), 0.03), (60, 50, 150))
    return picture


def cut_times(frames: Sequence[U8], cuts: ShotCuts | None = None, *, fps: float = _FPS) -> list[int]:
    """Indices of the frames reported as cuts; every frame gets sensor noise of its own."""
    cuts = cuts or ShotCuts()
    random = np.random.default_rng(0)
    noise = random.normal(0, 3, (8, 360, 640, 1))
    noisy = (np.clip(frame + noise[k % 8], 0, 255).astype(np.uint8) for k, frame in enumerate(frames))
    return [k for k, frame in enumerate(noisy) if cuts.is_cut(frame, k / fps)]


def scaled(picture: U8, gain: float, offset: float = 0.0) -> U8:
    return np.asarray(np.clip(picture * gain + offset, 0, 255), np.uint8)


@pytest.mark.parametrize(("before", "after"), [(1, 2), (3, 4), (5, 6), (7, 8), (9, 10)])
def test_hard_cut_between_portraits_before_the_same_wall(before: int, after: int) -> None:
    assert cut_times([portrait(before)] * 20 + [portrait(after)] * 20) == [20]


def test_hard_cut_between_two_scenes() -> None:
    assert cut_times([portrait(1)] * 15 + [portrait(2, x=200, wall=2)] * 15) == [15]


def test_first_frame_is_never_a_cut() -> None:
    assert cut_times([portrait(1)]) == []


def test_black_before_the_first_picture_is_no_shot() -> None:
    cuts = ShotCuts()
    frames = [np.zeros((360, 640, 3), np.uint8)] * 3 + [portrait(1)] * 3
    assert not any(cuts.is_cut(frame, k / _FPS) for k, frame in enumerate(frames))


def test_cut_in_the_second_frame_is_found() -> None:
    assert cut_times([portrait(1), portrait(2, wall=2)]) == [1]


def test_still_and_moving_person_are_one_shot() -> None:
    still = [portrait(1)] * 25
    walking = [portrait(1, x=320 + 8 * k) for k in range(20)]
    nodding = [portrait(1, x=472, y=180 + round(12 * np.sin(k))) for k in range(20)]
    assert cut_times(still + walking + nodding) == []


def test_sudden_fast_pan_is_no_cut() -> None:
    wide = np.concatenate([portrait(1), portrait(2, wall=0), portrait(3, wall=0)], axis=1)
    shifts = [0] * 15 + [18 * k for k in range(60)]
    assert cut_times([wide[:, s : s + 640] for s in shifts]) == []


@pytest.mark.parametrize("gain", [1.4, 2.0, 3.0])
def test_flash_is_no_cut(gain: float) -> None:
    lit = scaled(portrait(1), gain, 20)
    assert cut_times([portrait(1)] * 15 + [lit] * 2 + [portrait(1)] * 15) == []


@pytest.mark.parametrize("grey", [0, 255])
def test_blank_frames_within_a_shot_are_no_cut(grey: int) -> None:
    blank = np.full((360, 640, 3), grey, np.uint8)
    frames = [portrait(1)] * 15 + [blank] * 3 + [portrait(1)] * 15
    cuts = ShotCuts()
    assert [k for k, frame in enumerate(frames) if cuts.is_cut(frame, k / _FPS)] == []


@pytest.mark.parametrize("grey", [0, 255])
def test_cut_across_blank_frames_is_where_the_new_shot_begins(grey: int) -> None:
    blank = np.full((360, 640, 3), grey, np.uint8)
    frames = [portrait(1)] * 15 + [blank] * 3 + [portrait(2)] * 15
    cuts = ShotCuts()
    assert [k for k, frame in enumerate(frames) if cuts.is_cut(frame, k / _FPS)] == [18]


def test_fade_out_and_in_of_the_same_shot_is_no_cut() -> None:
    levels = [*np.linspace(1, 0, 12), *np.linspace(0, 1, 12)]
    frames = [scaled(portrait(1), level) for level in [1.0] * 10 + levels + [1.0] * 10]
    cuts = ShotCuts()
    assert [k for k, frame in enumerate(frames) if cuts.is_cut(frame, k / _FPS)] == []


def test_fade_through_black_to_another_shot_is_one_cut() -> None:
    out = [scaled(portrait(1), level) for level in np.linspace(1, 0, 12)]
    back = [scaled(portrait(2), level) for level in np.linspace(0, 1, 12)]
    frames = [portrait(1)] * 10 + out + back + [portrait(2)] * 10
    cuts = ShotCuts()
    found = [k for k, frame in enumerate(frames) if cuts.is_cut(frame, k / _FPS)]
    assert len(found) == 1
    assert 22 <= found[0] <= 25


def test_change_of_light_colour_is_no_cut() -> None:
    warm = np.asarray(np.clip(portrait(1) * [0.6, 0.9, 1.2], 0, 255), np.uint8)
    assert cut_times([portrait(1)] * 15 + [warm] * 15) == []


def test_two_cuts_close_by_are_both_found() -> None:
    frames = [portrait(1)] * 15 + [portrait(2)] * 8 + [portrait(3)] * 15
    assert cut_times(frames) == [15, 23]


def test_cut_within_the_shortest_shot_is_reported_once_that_is_over() -> None:
    frames = [portrait(1)] * 15 + [portrait(2)] * 3 + [portrait(3)] * 25
    assert cut_times(frames, ShotCuts(min_shot_s=0.4)) == [15, 25]


@pytest.mark.parametrize("fps", [5.0, 12.0, 60.0])
def test_cut_is_found_at_any_frame_rate(fps: float) -> None:
    assert cut_times([portrait(1)] * 10 + [portrait(2)] * 10, fps=fps) == [10]


def test_picture_of_another_size_and_shape_goes_on() -> None:
    small = cv2.resize(portrait(1), (320, 180), interpolation=cv2.INTER_AREA)
    cuts = ShotCuts()
    frames = [portrait(1)] * 5 + [np.asarray(small, np.uint8)] * 5 + [np.zeros((20, 20, 3), np.uint8)]
    assert [cuts.is_cut(frame, k / _FPS) for k, frame in enumerate(frames)] == [False] * 11


@pytest.mark.parametrize("options", [{"min_shot_s": -1.0}, {"max_structure": 2.0}])
def test_unusable_options_are_named(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        ShotCuts(**options)


def test_score_is_that_of_pyscenedetect() -> None:
    """Ours does not find the edges that weigh nothing in it."""
    assert hasattr(ContentDetector, "_detect_edges"), "renamed: they would be found after all"
    plain, stats = ContentDetector(min_scene_len=0), StatsManager()
    plain.stats_manager = stats
    ours = ShotCuts()
    for i in range(4):
        small = np.asarray(cv2.resize(portrait(i, x=300 + 20 * i), (128, 72)), np.uint8)
        time = FrameTimecode(i, _FPS)
        plain.process_frame(time, small)
        expected = stats.get_metrics(time, [ContentDetector.FRAME_SCORE_KEY])[0] if i else 0.0
        assert ours._content_score(small) == expected
        assert i == 0 or expected > 1
