"""The public names as a program of somebody else uses them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from face_makers import Face, portrait, save_tiny_weights, scene
from media_makers import make_video

import gclf_live
from gclf_live import AnalysisSettings, Classifier, LiveSettings, PictureLabeller, UsageError


@pytest.fixture
def classifier(tmp_path: Path) -> Classifier:
    """One whose answers mean nothing, loaded by a path that is text."""
    return Classifier.load(os.fspath(save_tiny_weights(tmp_path / "tiny.safetensors")), device="cpu")


def test_paths_may_be_text(classifier: Classifier, tmp_path: Path) -> None:
    picture, video, copy = (os.fspath(tmp_path / name) for name in ("p.png", "v.mp4", "copy.mp4"))
    gclf_live.write_picture(picture, portrait("collins"))
    assert np.array_equal(gclf_live.read_picture(picture), portrait("collins"))
    make_video(Path(video), images=[scene(Face("collins", 100, 120, 90))] * 5, fps=10)
    with gclf_live.VideoReader(video) as reader:
        assert reader.path == Path(video)
    done = gclf_live.annotate_video(video, copy, classifier)
    assert done.result_path == Path(copy)
    assert Path(copy).is_file()


def test_record_of_a_video_prints_in_a_few_lines(classifier: Classifier, tmp_path: Path) -> None:
    make_video(tmp_path / "v.mp4", images=[scene(Face("collins", 100, 120, 90))] * 5, fps=10)
    done = gclf_live.annotate_video(tmp_path / "v.mp4", None, classifier)
    assert done.analysis.tracks[0].crop_jpeg
    for each in (done, done.analysis, done.analysis.tracks[0]):
        assert "\\xff\\xd8" not in repr(each)
    assert len(repr(done)) < 2000


@pytest.mark.parametrize("threshold", [-0.1, 1.01, 5, float("nan")])
def test_threshold_that_cannot_be_is_refused(classifier: Classifier, threshold: float) -> None:
    for make in (
        lambda: PictureLabeller(classifier, threshold=threshold),
        lambda: AnalysisSettings(threshold=threshold),
        lambda: LiveSettings(threshold=threshold),
    ):
        with pytest.raises(UsageError, match=r"threshold is .*; allowed is a number from 0 to 1"):
            make()


@pytest.mark.parametrize(
    "changes", [{"max_latency_s": 0.0}, {"max_latency_s": float("nan")}, {"max_crops": 0}]
)
def test_live_settings_that_cannot_be_are_refused(changes: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=rf"{next(iter(changes))} is .*; allowed"):
        LiveSettings(**changes)  # type: ignore[arg-type]
