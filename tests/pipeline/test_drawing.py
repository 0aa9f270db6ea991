"""The second pass: a video that is drawn in parts looks as if it had been drawn in one go."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from face_makers import BLUE, ColourClassifier, Face, scene
from media_makers import make_video

from gclf_live.errors import SourceError
from gclf_live.media.reader import VideoReader
from gclf_live.output.overlay import Overlay
from gclf_live.pipeline.analysis import VideoAnalysis
from gclf_live.pipeline.annotate import draw_part
from gclf_live.pipeline.drawing import draw_video
from gclf_live.pipeline.first_pass import analyse_video
from gclf_live.pipeline.parts import Part, plan_parts
from gclf_live.records import I420, U8, FrameResult

FRAMES, FPS = 40, 20


class Kept:
    """A sink that keeps what it is given."""

    def __init__(self) -> None:
        self.frames: list[tuple[float, U8]] = []

    def write(self, picture: U8 | I420, pts_s: float) -> None:
        pixels = picture.pixels if isinstance(picture, I420) else picture
        self.frames.append((pts_s, pixels.copy()))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One face that comes and goes, another that wanders through all of it."""
    images = []
    for i in range(FRAMES):
        faces = [Face("collins", 70 + 4 * i, 150, 80)]
        faces += [Face("obama", 250, 60, 60, BLUE)] if 9 <= i < 25 else []
        images.append(scene(*faces))
    folder = tmp_path_factory.mktemp("drawing")
    return make_video(folder / "v.mp4", images=images, fps=FPS, options={"g": "5"}, start_s=1)


@pytest.fixture(scope="module")
def analysis(video: Path) -> VideoAnalysis:
    with VideoReader(video) as reader:
        return analyse_video(reader, ColourClassifier())  # type: ignore[arg-type]


@pytest.mark.parametrize("privacy", [False, True])
def test_parts_show_what_the_whole_shows(video: Path, analysis: VideoAnalysis, privacy: bool) -> None:
    whole, in_parts = Kept(), Kept()
    with VideoReader(video) as reader:
        draw_video(reader, analysis, whole, Overlay(), privacy=privacy)
    parts = plan_parts(analysis.info, part_s=0.45)
    assert len(parts) > 3
    for part in parts:
        draw_part(video, part, analysis, in_parts, Overlay(), privacy=privacy)
    assert len(whole.frames) == FRAMES
    assert [pts_s for pts_s, _ in in_parts.frames] == [pts_s for pts_s, _ in whole.frames]
    for (pts_s, one), (_, other) in zip(whole.frames, in_parts.frames, strict=True):
        assert np.array_equal(one, other), pts_s


def test_what_goes_wrong_beside_the_encoder_is_raised(
    video: Path, analysis: VideoAnalysis, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, overlay = Kept(), Overlay()
    draw = overlay.draw

    def fail_at_the_fifth(picture: U8 | I420, result: FrameResult) -> None:
        if result.index == 5:
            raise RuntimeError("the pencil broke")
        draw(picture, result)

    monkeypatch.setattr(overlay, "draw", fail_at_the_fifth)
    with VideoReader(video) as reader, pytest.raises(RuntimeError, match="the pencil broke"):
        draw_video(reader, analysis, kept, overlay)
    assert len(kept.frames) == 5
    assert "draw, second pass" not in [thread.name for thread in threading.enumerate()]


def test_part_without_a_frame_draws_nothing(video: Path, analysis: VideoAnalysis) -> None:
    kept = Kept()
    draw_part(video, Part(0, 1.01, 1.02), analysis, kept, Overlay())
    assert kept.frames == []


def test_face_that_no_track_knows_is_hidden_all_the_same(tmp_path: Path) -> None:
    images = [scene(Face("collins", 160, 120, 90))] * 3
    video = make_video(tmp_path / "v.mp4", images=images)
    shown, hidden = Kept(), Kept()
    with VideoReader(video) as reader:
        nobody = analyse_video(reader, ColourClassifier())  # type: ignore[arg-type]
        nobody = VideoAnalysis(
            path=video,
            info=nobody.info,
            classes=nobody.classes,
            threshold=0.8,
            tracks=(),
            pts_s=nobody.pts_s,
            cuts_s=(),
            damaged=None,
            detect_every_s=0.1,
        )
        draw_video(reader, nobody, shown, Overlay())
        draw_video(reader, nobody, hidden, Overlay(), privacy=True)
    inside = (slice(90, 150), slice(135, 185))
    for (_, before), (_, after) in zip(shown.frames, hidden.frames, strict=True):
        assert after[inside].std() < before[inside].std() / 2


def test_video_with_other_frames_than_were_analysed_is_refused(
    video: Path, analysis: VideoAnalysis, tmp_path: Path
) -> None:
    other = make_video(tmp_path / "o.mp4", frames=30, fps=25, start_s=1)
    with VideoReader(other) as reader, pytest.raises(SourceError, match="lost pictures"):
        draw_video(reader, analysis, Kept(), Overlay())
