"""Records refuse what does not fit, and say what would."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from gclf_live.records import UNSURE, Faces, Frame, FrameResult, Predictions, Tracks


def faces(n: int) -> Faces:
    return Faces(
        np.arange(n * 4, dtype=np.float32).reshape(n, 4),
        np.arange(n, dtype=np.float32),
        np.zeros((n, 5, 2), np.float32),
    )


def predictions(*rows: tuple[float, float]) -> Predictions:
    return Predictions(("female", "male"), np.array(rows, np.float32).reshape(-1, 2))


def test_frame_knows_its_size() -> None:
    frame = Frame(np.zeros((480, 640, 3), np.uint8), 1.5, 3)
    assert (frame.width_px, frame.height_px) == (640, 480)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)]
)
def test_frame_refuses_what_is_no_bgr_picture(image: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"image is .*; it must be uint8 NxNx3"):
        Frame(image, 0.0, 0)


def test_faces_refuse_float64_boxes_and_uneven_lengths() -> None:
    two = faces(2)
    with pytest.raises(ValueError, match="boxes is float64"):
        Faces(two.boxes.astype(np.float64), two.scores, two.landmarks)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="scores is float32"):
        Faces(two.boxes, two.scores[:1], two.landmarks)
    with pytest.raises(ValueError, match="landmarks is float32"):
        Faces(two.boxes, two.scores, two.landmarks[:, :4])


def test_faces_are_selected_by_position_or_by_mask() -> None:
    four = faces(4)
    assert four.select(np.array([3, 1])).scores.tolist() == [3, 1]
    assert four.select(four.scores > 1).scores.tolist() == [2, 3]
    assert len(four.select(np.zeros(0, np.int64))) == 0


def test_empty_records_have_length_zero() -> None:
    assert len(Faces.empty()) == len(Tracks.empty()) == len(predictions()) == 0
    assert predictions().confidences.shape == (0,)
    assert predictions().labels(0.8) == ()


def test_tracks_need_one_int64_id_a_face() -> None:
    assert len(Tracks(np.array([4, 2], np.int64), faces(2))) == 2
    with pytest.raises(ValueError, match="ids is int64"):
        Tracks(np.array([1], np.int64), faces(2))
    with pytest.raises(ValueError, match="ids is int32"):
        Tracks(np.array([1, 2], np.int32), faces(2))  # type: ignore[arg-type]


def test_label_is_the_likelier_class_from_the_threshold_on() -> None:
    found = predictions((0.75, 0.25), (0.1, 0.9), (0.5, 0.5))
    assert found.labels(0.75) == ("female", "male", UNSURE)
    assert found.confidences.tolist() == pytest.approx([0.75, 0.9, 0.5])


def test_predictions_need_a_column_a_class() -> None:
    with pytest.raises(ValueError, match=r"probabilities is float32 \(1, 3\); it must be float32 Nx2"):
        Predictions(("female", "male"), np.zeros((1, 3), np.float32))


def test_result_needs_everything_for_each_track() -> None:
    tracks = Tracks(np.array([1], np.int64), faces(1))
    quality = np.ones(1, np.float32)
    result = FrameResult(0, 0.0, tracks, predictions((0.9, 0.1)), ("female",), quality)
    assert result.labels == ("female",)
    with pytest.raises(ValueError, match="1 tracks with 1 predictions and 2 labels"):
        dataclasses.replace(result, labels=("female", "male"))
    with pytest.raises(ValueError, match="quality"):
        dataclasses.replace(result, quality=np.ones(2, np.float32))


def test_records_are_frozen_and_slotted() -> None:
    frame = Frame(np.zeros((2, 2, 3), np.uint8), 0.0, 0)
    with pytest.raises(dataclasses.FrozenInstanceError):
        frame.index = 5  # type: ignore[misc]
    assert not hasattr(frame, "__dict__")
