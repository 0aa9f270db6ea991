"""Tracks that show too little of a face: kept with their seconds, told with the reason, labelled unsure."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from face_makers import BLUE, ColourClassifier, Face, scene
from media_makers import make_video
from part_makers import FEMALE, made_parts, made_track

from gclf_live.errors import UsageError
from gclf_live.geometry import CropSpec
from gclf_live.media.reader import VideoReader
from gclf_live.pipeline.analysis import VideoAnalysis
from gclf_live.pipeline.first_pass import AnalysisSettings, analyse_video
from gclf_live.pipeline.parts import join_parts
from gclf_live.records import F32, U8, UNSURE


def _analyse(path: Path, settings: AnalysisSettings | None = None) -> VideoAnalysis:
    with VideoReader(path) as reader:
        return analyse_video(reader, ColourClassifier(), settings)  # type: ignore[arg-type]


def _video(tmp_path: Path, image: U8, frames: int = 15) -> Path:
    return make_video(tmp_path / "v.mp4", images=[image] * frames, fps=15)


@pytest.fixture
def two(tmp_path: Path) -> Path:
    """A woman whose face is 110 px high beside a man whose face is 45."""
    return _video(tmp_path, scene(Face("collins", 100, 120, 110), Face("obama", 260, 120, 45, BLUE)))


def test_faces_that_are_seen_well_are_not_left_out(two: Path) -> None:
    assert [(t.label, t.excluded) for t in _analyse(two).summaries()] == [("female", ""), ("male", "")]


def test_face_below_the_height_that_is_asked_for_is_too_small(two: Path) -> None:
    analysis = _analyse(two, AnalysisSettings(min_face_px=70))
    large, small = sorted(analysis.summaries(), key=lambda t: -t.median_height_px)
    assert (large.label, large.excluded) == ("female", "")
    assert (small.label, small.excluded) == (UNSURE, "too small")
    assert small.seconds == pytest.approx(1)
    assert small.probabilities["male"] > 0.9, "what the classifier says stays in the table"
    assert small.as_row()["excluded"] == "too small"


def test_face_that_is_left_out_is_drawn_as_unsure(two: Path) -> None:
    analysis = _analyse(two, AnalysisSettings(min_face_px=70))
    labels = [sorted(result.labels) for result in analysis.results()]
    assert labels == [["female", UNSURE]] * 15


class _LargeCrops(ColourClassifier):
    """As the shipped weights ask for them: in crops of 32 px everything is sharp."""

    crop_spec = CropSpec(112, 1.15)

    def log_probabilities(self, crops: U8) -> F32:
        return super().log_probabilities(np.ascontiguousarray(crops[:, ::4, ::4]))


def test_face_in_an_enlarged_and_blurred_recording_is_left_out(tmp_path: Path) -> None:
    sharp = scene(Face("collins", 160, 120, 110))
    enlarged = cv2.resize(
        cv2.resize(sharp, (32, 24), interpolation=cv2.INTER_AREA), (320, 240), interpolation=cv2.INTER_CUBIC
    )
    blurred = np.asarray(cv2.GaussianBlur(enlarged, (0, 0), 4.5), np.uint8)
    for image, label, excluded in ((sharp, "female", ""), (blurred, UNSURE, "too blurred")):
        with VideoReader(_video(tmp_path, image)) as reader:
            tracks = analyse_video(reader, _LargeCrops()).summaries()  # type: ignore[arg-type]
        assert [(t.label, t.excluded) for t in tracks] == [(label, excluded)]


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        ({}, ""),
        ({"height_px": 11.0}, "too small"),
        ({"yaw_deg": 80.0}, "turned away"),
        ({"yaw_deg": -80.0}, "turned away"),
        ({"yaw_deg": 60.0}, ""),
        ({"sharpness": 0.008}, "too blurred"),
        ({"sharpness": 0.012}, ""),
    ],
)
def test_reason_is_what_all_sightings_lack(two: Path, seen: dict[str, float], reason: str) -> None:
    times = [(t / 10, 100.0) for t in range(20)]
    track = made_track(1, times, **seen)  # type: ignore[arg-type]
    with VideoReader(two) as reader:
        analysis = join_parts(made_parts([track]), path=two, info=reader.info)
    (summary,) = analysis.summaries()
    assert (summary.excluded, summary.label) == (reason, UNSURE if reason else "female")
    assert summary.probabilities["female"] == pytest.approx(math.exp(FEMALE[0]), abs=0.02)


def test_one_good_piece_behind_a_border_saves_a_track(two: Path) -> None:
    away = made_track(1, [(t / 10, 100.0) for t in range(90, 100)], yaw_deg=85)
    facing = made_track(1, [(t / 10, 100.0) for t in range(100, 110)])
    with VideoReader(two) as reader:
        alone = join_parts(made_parts([away]), path=two, info=reader.info)
        both = join_parts(made_parts([away], [facing]), path=two, info=reader.info)
    assert [t.excluded for t in alone.tracks] == ["turned away"]
    assert [t.excluded for t in both.tracks] == [""]


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"min_face_px": -1.0}, "min_face_px is -1"),
        ({"min_face_px": math.nan}, "min_face_px is nan"),
        ({"detect_every_s": math.inf}, "detect_every_s is inf"),
        ({"from_s": math.nan}, "from_s is nan"),
        ({"from_s": 5.0, "to_s": 5.0}, "from 5 to 5 s is empty"),
    ],
)
def test_settings_out_of_range_are_refused_in_one_line(wrong: dict[str, float], says: str) -> None:
    with pytest.raises(UsageError, match=says) as caught:
        AnalysisSettings(**wrong)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
