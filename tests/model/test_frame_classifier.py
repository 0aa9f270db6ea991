"""Whole frames through the device's path: here on the processor, on fake CUDA tensors, and on a card."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from face_makers import Face, scene
from test_cuda_path import _GPU
from test_cuda_path import fakes as fakes  # the fixture
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from gclf_live.faces.detector import FaceDetector
from gclf_live.faces.quality import SENSOR_VARIANCE, SHARPNESS_SIDE_PX, face_quality, judge_faces
from gclf_live.geometry import crop_faces, crop_transform
from gclf_live.model import frame_classifier as module
from gclf_live.model.checkpoint import Checkpoint
from gclf_live.model.classifier import Classifier
from gclf_live.model.device import Precision, choose_plan
from gclf_live.model.frame_classifier import BATCH_SIZES, FrameClassifier
from gclf_live.model.graphs import GraphedFunction
from gclf_live.records import F32, U8, Faces


def frames_of(classifier: Classifier, said: list[str] | None = None) -> FrameClassifier:
    return FrameClassifier(
        classifier,
        sharpness_side_px=SHARPNESS_SIDE_PX,
        sensor_variance=SENSOR_VARIANCE,
        say=(said if said is not None else []).append,
    )


def picture() -> U8:
    return scene(Face("collins", 150, 160, 150), Face("obama", 400, 150, 100), width_px=560)


def matrices_of(faces: Faces, classifier: Classifier) -> F32:
    each = zip(faces.boxes, faces.landmarks, strict=True)
    return np.stack([crop_transform(box, points, classifier.crop_spec) for box, points in each])


@pytest.fixture(scope="module")
def shipped() -> Classifier:
    return Classifier.load(device="cpu", precision=Precision.FP32)


def test_faces_of_a_frame_are_told_as_their_crops_are(shipped: Classifier) -> None:
    image = picture()
    faces = FaceDetector(max_side_px=640).detect(image)
    assert len(faces) == 2
    found = frames_of(shipped).read(image, matrices_of(faces, shipped))
    crops = crop_faces(image, faces, shipped.crop_spec)
    np.testing.assert_allclose(
        np.exp(found.log_probabilities), np.exp(shipped.log_probabilities(crops)), atol=0.02
    )
    quality = judge_faces(faces, found.sharpness, found.inside).quality
    np.testing.assert_allclose(quality, face_quality(faces, crops), rtol=0.03)


@pytest.mark.parametrize("count", [0, 1, 3, 32, 33, 70])
def test_any_number_of_faces_is_answered_in_order(checkpoint: Checkpoint, count: int) -> None:
    classifier = Classifier(checkpoint, choose_plan("cpu", Precision.FP32))
    frames, image = frames_of(classifier), picture()
    shifts = [np.array([[1, 0, -i], [0, 1, -i]], np.float32) for i in range(count)]
    matrices = np.stack(shifts) if shifts else np.zeros((0, 2, 3), np.float32)
    found = frames.read(image, matrices)
    assert found.log_probabilities.shape == (count, len(classifier.classes))
    assert found.sharpness.shape == found.inside.shape == (count,)
    for i in range(0, count, 17):
        alone = frames.read(image, matrices[i : i + 1])
        np.testing.assert_allclose(found.log_probabilities[i], alone.log_probabilities[0], atol=1e-4)
        np.testing.assert_allclose(found.sharpness[i], alone.sharpness[0], rtol=1e-4)


def test_frames_may_change_their_size(checkpoint: Checkpoint) -> None:
    classifier = Classifier(checkpoint, choose_plan("cpu", Precision.FP32))
    frames = frames_of(classifier)
    matrix = np.array([[[1, 0, -50], [0, 1, -60]]], np.float32)
    first = frames.read(picture(), matrix)
    frames.read(np.zeros((50, 70, 3), np.uint8), matrix)
    again = frames.read(picture(), matrix)
    np.testing.assert_array_equal(first.log_probabilities, again.log_probabilities)


def test_frame_travels_once_as_bytes_and_one_table_comes_back(
    fakes: FakeTensorMode, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module.FrameClassifier, "_current_device", lambda self: _Nothing())
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda tensor: tensor)  # takes a driver
    with fakes:
        frames = frames_of(Classifier(checkpoint, choose_plan("auto", hardware=_GPU)))
        frames._with_graphs = False
        frames.prepare(90, 160)
        with _Transfers() as transfers:
            frames.read(np.zeros((90, 160, 3), np.uint8), np.zeros((40, 2, 3), np.float32) + np.eye(2, 3))
    assert [(move.dtype, tuple(move.shape)) for move in transfers.there] == [
        (torch.uint8, (90, 160, 3)),
        (torch.float32, (40, 7)),
    ]
    assert [tuple(move.shape) for move in transfers.back] == [(40, len(checkpoint.meta.classes) + 2)]


def test_without_graphs_it_goes_on_and_says_so(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    classifier = Classifier(checkpoint, choose_plan("cpu", Precision.FP32))
    frames = frames_of(classifier, said)
    frames._with_graphs = True
    monkeypatch.setattr(GraphedFunction, "_record", _fail_to_record)
    matrix = np.array([[[1, 0, -50], [0, 1, -60]]], np.float32)
    found = frames.read(picture(), matrix)
    np.testing.assert_array_equal(
        found.log_probabilities, frames_of(classifier).read(picture(), matrix).log_probabilities
    )
    assert said == ["cpu: no CUDA graphs (operation not permitted); going on without, more slowly"]


def test_graph_that_gives_something_else_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GraphedFunction, "_record", _record_wrongly)
    assert GraphedFunction(lambda value: value * 1.001, torch.ones(3)).unusable is None
    wrong = GraphedFunction(lambda value: value * 1.5, torch.ones(3))
    assert wrong.unusable == "a replay differs by 0.5 from the same work done step by step"


def test_two_batches_of_one_size_keep_their_own_answers(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GraphedFunction, "_record", _record_on_processor)
    classifier = Classifier(checkpoint, choose_plan("cpu", Precision.FP32))
    matrices = np.stack([np.array([[1, 0, -i], [0, 1, -i]], np.float32) for i in range(70)])
    frames = frames_of(classifier)
    frames._with_graphs = True
    found, wanted = frames.read(picture(), matrices), frames_of(classifier).read(picture(), matrices)
    assert sorted(frames._graphs) == list(BATCH_SIZES)
    np.testing.assert_allclose(found.log_probabilities, wanted.log_probabilities, atol=1e-4)
    np.testing.assert_allclose(found.sharpness, wanted.sharpness, rtol=1e-4)


def _fail_to_record(self: GraphedFunction, function: Any, example: torch.Tensor) -> None:
    raise RuntimeError("operation not permitted\nand a second line")


def _record_wrongly(self: GraphedFunction, function: Any, example: torch.Tensor) -> None:
    """A graph that hands its input back."""
    self._input = self._output = example.clone()
    self._graph = _Nothing()  # type: ignore[assignment]


def _record_on_processor(self: GraphedFunction, function: Any, example: torch.Tensor) -> None:
    """What a graph does: each replay reads one piece of memory and writes into one other."""
    self._input = example.clone()
    self._output = function(self._input)
    self._graph = _Replay(lambda: self._output.copy_(function(self._input)))  # type: ignore[assignment]


class _Replay:
    def __init__(self, replay: Any) -> None:
        self.replay = replay


class _Nothing:
    def __enter__(self) -> None: ...
    def __exit__(self, *_: object) -> None: ...
    def replay(self) -> None: ...


class _Transfers(TorchDispatchMode):
    """Takes down what was carried between the processor's memory and the card's, and which way."""

    def __init__(self) -> None:
        super().__init__()
        self.there: list[torch.Tensor] = []
        self.back: list[torch.Tensor] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        answer = function(*args, **(kwargs or {}))
        source, target = (args[1], args[0]) if "copy_" in str(function) else (args[0] if args else 0, answer)
        if isinstance(source, torch.Tensor) and isinstance(target, torch.Tensor):
            way = source.device.type, target.device.type
            if way == ("cpu", "cuda"):
                self.there.append(source)
            elif way == ("cuda", "cpu"):
                self.back.append(source)
        # A single value that is asked for waits for the card as well.
        assert "_local_scalar_dense" not in str(function)
        return answer


@pytest.mark.gpu
@pytest.mark.parametrize("count", [1, 5, 40])
def test_card_tells_what_the_processor_tells(shipped: Classifier, count: int) -> None:
    image = picture()
    faces = FaceDetector(max_side_px=640).detect(image)
    matrices = np.resize(matrices_of(faces, shipped), (count, 2, 3))
    said: list[str] = []
    frames = frames_of(Classifier.load(device="cuda"), said)
    frames.prepare(*image.shape[:2])
    on_card, here = frames.read(image, matrices), frames_of(shipped).read(image, matrices)
    np.testing.assert_allclose(np.exp(on_card.log_probabilities), np.exp(here.log_probabilities), atol=0.01)
    np.testing.assert_allclose(on_card.sharpness, here.sharpness, rtol=0.01)
    np.testing.assert_allclose(on_card.inside, here.inside, atol=0.001)
    assert said == []
    assert sorted(frames._graphs) == list(BATCH_SIZES)
