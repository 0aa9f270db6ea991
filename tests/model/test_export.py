"""The ONNX file: what it answers, what it says of itself, and what is not let out."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from scipy.special import softmax

from gclf_live.errors import CheckpointError, GclfError
from gclf_live.geometry import CropSpec
from gclf_live.model.checkpoint import Checkpoint, CheckpointMeta
from gclf_live.model.classifier import Classifier
from gclf_live.model.device import Precision, choose_plan
from gclf_live.model.export import (
    HALF_TOLERANCE,
    METADATA_KEY,
    TOLERANCE,
    OnnxModel,
    export_onnx,
    run_onnx,
)
from gclf_live.model.networks import ARCHITECTURES, build_network
from gclf_live.records import F32, U8


@pytest.fixture(scope="module")
def exported(checkpoint: Checkpoint) -> OnnxModel:
    return export_onnx(replace(checkpoint, tensors_sha256="cd" * 32))


@pytest.fixture(scope="module")
def session(exported: OnnxModel) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(exported.content, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def facts(session: onnxruntime.InferenceSession) -> dict[str, Any]:
    document = json.loads(session.get_modelmeta().custom_metadata_map[METADATA_KEY])
    assert isinstance(document, dict)
    return document


def _crops(count: int, side_px: int = 64) -> U8:
    """Noise in patches, each picture with a colour of its own; uint8 (N, S, S, 3), BGR."""
    rng = np.random.default_rng(3)
    patches = rng.integers(0, 256, (count, 8, 8, 3)).repeat(side_px // 8, axis=1).repeat(side_px // 8, axis=2)
    return (0.5 * patches + 0.5 * rng.integers(0, 256, (count, 1, 1, 3))).astype(np.uint8)


def _as_documented(crops: U8) -> F32:
    """BGR crops as the metadata asks for them: RGB, channels first, 0 to 255."""
    return np.ascontiguousarray(crops[..., ::-1].transpose(0, 3, 1, 2), np.float32)


@pytest.mark.parametrize("count", [1, 2, 10])
def test_rows_of_any_batch_equal_single_runs(session: onnxruntime.InferenceSession, count: int) -> None:
    inputs = _as_documented(_crops(count))
    together = session.run(None, {"input": inputs})
    singles = [session.run(None, {"input": inputs[i : i + 1]}) for i in range(count)]
    for output in range(2):
        alone = np.concatenate([single[output] for single in singles])
        assert together[output].shape == (count, 2)
        np.testing.assert_allclose(together[output], alone, atol=1e-4)


def test_pixels_as_they_come_give_the_answers_of_the_classifier(
    checkpoint: Checkpoint, session: onnxruntime.InferenceSession
) -> None:
    crops = _crops(6)
    wanted = Classifier(checkpoint, choose_plan("cpu", Precision.FP32)).predict(crops).probabilities
    assert np.ptp(wanted[:, 0]) > 0.01, "pictures that all look the same would show nothing"
    (probabilities,) = session.run(["probabilities"], {"input": _as_documented(crops)})
    np.testing.assert_allclose(probabilities, wanted, atol=1e-4)
    (swapped,) = session.run(["probabilities"], {"input": _as_documented(crops[..., ::-1])})
    assert np.abs(swapped - wanted).max() > 1e-3, "the order of the colours must matter here"


def test_probabilities_are_the_softmax_of_the_cooled_logits(
    session: onnxruntime.InferenceSession, facts: dict[str, Any]
) -> None:
    logits, probabilities = session.run(["logits", "probabilities"], {"input": _as_documented(_crops(4))})
    assert facts["temperature"] == 1.5
    np.testing.assert_allclose(probabilities, softmax(logits / 1.5, axis=1), atol=1e-6)


def test_names_types_and_shapes_are_the_documented_ones(session: onnxruntime.InferenceSession) -> None:
    (given,) = session.get_inputs()
    assert (given.name, given.type, given.shape) == ("input", "tensor(float)", ["batch", 3, 64, 64])
    assert [(o.name, o.type, o.shape) for o in session.get_outputs()] == [
        ("logits", "tensor(float)", ["batch", 2]),
        ("probabilities", "tensor(float)", ["batch", 2]),
    ]


def test_metadata_says_how_to_use_it(checkpoint: Checkpoint, facts: dict[str, Any]) -> None:
    assert facts["classes"] == ["female", "male"]
    assert facts["crop"] == {"size_px": 64, "margin": 1.15, "alignment": "landmarks"}
    assert facts["input"]["shape"] == ["batch", 3, 64, 64]
    assert facts["input"]["colour_order"] == "RGB"
    assert facts["input"]["value_range"] == [0, 255]
    assert facts["input"]["normalised_inside"] is True
    assert (facts["mean"], facts["std"]) == (list(checkpoint.meta.mean), list(checkpoint.meta.std))


def test_metadata_says_where_it_came_from(facts: dict[str, Any]) -> None:
    assert facts["architecture"] == "resnet18"
    assert facts["terms"] == "für Übungen"
    assert facts["tensors_sha256"] == "cd" * 32
    assert (facts["recipe"], facts["validation"]) == ("live", {"accuracy": 0.9})
    assert [row["threshold"] for row in facts["error_table"]] == [0.5, 0.9]
    assert "never who or what a person is" in facts["meaning"]
    assert facts["precision"] == "float32"


def test_half_has_half_the_bytes_and_the_same_ends(checkpoint: Checkpoint, exported: OnnxModel) -> None:
    before = {name: tensor.clone() for name, tensor in checkpoint.state.items()}
    half = export_onnx(checkpoint, half=True)
    assert all(torch.equal(before[name], tensor) for name, tensor in checkpoint.state.items())
    assert len(half.content) < 0.51 * len(exported.content)
    assert (half.tolerance, exported.tolerance) == (HALF_TOLERANCE, TOLERANCE)
    assert exported.difference < half.difference <= HALF_TOLERANCE
    inputs = _as_documented(_crops(3))
    for got, wanted in zip(run_onnx(half.content, inputs), run_onnx(exported.content, inputs), strict=True):
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, wanted, rtol=HALF_TOLERANCE, atol=HALF_TOLERANCE)
    graph = onnx.load_from_string(half.content).graph
    float16 = [t for t in graph.initializer if t.data_type == onnx.TensorProto.FLOAT16]
    assert sum(int(np.prod(t.dims)) for t in float16) > 10_000_000


@pytest.mark.parametrize("architecture", [name for name in ARCHITECTURES if name != "resnet18"])
def test_every_architecture_and_class_count_is_exported(architecture: str) -> None:
    torch.manual_seed(5)
    network = build_network(architecture, 3)
    meta = CheckpointMeta(
        architecture=architecture,
        classes=("cat", "dog", "owl"),
        crop=CropSpec(33, 1.0),
        mean=(0.5, 0.4, 0.3),
        std=(0.25, 0.2, 0.22),
        temperature=0.7,
    )
    model = export_onnx(Checkpoint(meta, network.state_dict()))
    logits, probabilities = run_onnx(model.content, np.zeros((2, 3, 33, 33), np.float32))
    assert logits.shape == probabilities.shape == (2, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize(
    ("output", "error"), [(0, float("nan")), (1, 0.002)], ids=["logits", "probabilities"]
)
def test_file_that_answers_otherwise_than_torch_is_refused(
    checkpoint: Checkpoint, output: int, error: float
) -> None:
    def run(content: bytes, inputs: F32) -> tuple[F32, F32]:
        answers = [values.copy() for values in run_onnx(content, inputs)]
        answers[output][-1, 0] += error
        return answers[0], answers[1]

    with pytest.raises(CheckpointError, match=r"does not agree with torch: .*0\.001.*--half") as caught:
        export_onnx(checkpoint, run=run)
    assert "\n" not in str(caught.value)


def test_weights_that_half_precision_cannot_hold_are_refused(checkpoint: Checkpoint) -> None:
    state = dict(checkpoint.state)
    state["fc.bias"] = torch.tensor([1e5, 0.0])
    with pytest.raises(CheckpointError, match="does not agree"):
        export_onnx(replace(checkpoint, state=state), half=True)


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_missing_package_is_named_with_what_to_install(
    checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(GclfError, match=rf"'{package}'.*pip install onnx onnxruntime"):
        export_onnx(checkpoint)
