"""The classifier on random weights: shapes, splitting, calibration, devices."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from gclf_live.errors import CheckpointError, DeviceError, UsageError
from gclf_live.model.checkpoint import Checkpoint, load_checkpoint
from gclf_live.model.classifier import CPU_BATCH, MAX_BATCH, Classifier
from gclf_live.model.device import Precision, choose_plan
from gclf_live.model.networks import build_network
from gclf_live.model.preprocess import normalise
from gclf_live.records import U8


def _crops(count: int, side: int = 64) -> U8:
    return np.random.default_rng(count).integers(0, 256, (count, side, side, 3), np.uint8)


@pytest.fixture(scope="module")
def classifier(weights: Path) -> Classifier:
    return Classifier.load(weights, device="cpu", precision=Precision.FP32)


@torch.inference_mode()
def test_equals_the_plain_network_with_its_temperature(classifier: Classifier, weights: Path) -> None:
    checkpoint = load_checkpoint(weights)
    network = build_network("resnet18", 2).eval()
    network.load_state_dict(checkpoint.state)
    crops = _crops(5)
    logits = network(normalise(crops, mean=checkpoint.meta.mean, std=checkpoint.meta.std))
    expected = torch.log_softmax(logits / 1.5, dim=1).numpy()
    assert np.ptp(expected[:, 0]) > 1e-3
    np.testing.assert_allclose(classifier.log_probabilities(crops), expected, atol=1e-4)


def test_what_the_checkpoint_says_can_be_asked(classifier: Classifier, checkpoint: Checkpoint) -> None:
    assert classifier.meta == checkpoint.meta
    assert classifier.classes == ("female", "male")
    assert classifier.crop_spec.size_px == 64
    assert classifier.plan.device == torch.device("cpu")


def test_no_crops_are_fine(classifier: Classifier) -> None:
    answer = classifier.log_probabilities(_crops(0))
    assert answer.shape == (0, 2)
    assert answer.dtype == np.float32
    assert len(classifier.predict(_crops(0))) == 0


def test_more_than_a_batch_is_split_and_keeps_its_order(classifier: Classifier) -> None:
    crops = _crops(2 * CPU_BATCH + 3)
    given: list[int] = []
    watch = classifier.network.register_forward_pre_hook(lambda _, inputs: given.append(len(inputs[0])))
    whole = classifier.log_probabilities(crops)
    watch.remove()
    assert given == [CPU_BATCH, CPU_BATCH, 3]
    assert whole.shape == (2 * CPU_BATCH + 3, 2)
    for i in (0, CPU_BATCH - 1, CPU_BATCH, 2 * CPU_BATCH + 2):
        np.testing.assert_allclose(whole[i], classifier.log_probabilities(crops[i : i + 1])[0], atol=1e-4)


def test_predictions_are_probabilities_of_the_classes(classifier: Classifier) -> None:
    predictions = classifier.predict(_crops(3))
    assert predictions.classes == ("female", "male")
    np.testing.assert_allclose(predictions.probabilities.sum(axis=1), 1, atol=1e-5)


def test_mirrored_view_is_classified_as_its_copy(classifier: Classifier) -> None:
    mirrored = _crops(2)[:, :, ::-1]
    assert not mirrored.flags.c_contiguous
    np.testing.assert_array_equal(
        classifier.log_probabilities(mirrored), classifier.log_probabilities(mirrored.copy())
    )


@pytest.mark.parametrize(
    "crops", [_crops(1, 63), _crops(1)[0], _crops(1).astype(np.float32), np.zeros((1, 64, 64, 4), np.uint8)]
)
def test_wrong_crops_are_refused(classifier: Classifier, crops: U8) -> None:
    with pytest.raises(ValueError, match="must be uint8 Nx64x64x3"):
        classifier.log_probabilities(crops)


def test_higher_temperature_is_less_sure_but_says_the_same(checkpoint: Checkpoint) -> None:
    plan = choose_plan("cpu", Precision.FP32)
    hot = replace(checkpoint, meta=replace(checkpoint.meta, temperature=15.0))
    cool, warm = (Classifier(c, plan).predict(_crops(6)) for c in (checkpoint, hot))
    assert cool.labels(0.5) == warm.labels(0.5)
    assert (cool.confidences > warm.confidences).all()


def test_classifier_leaves_the_checkpoint_as_it_was(checkpoint: Checkpoint) -> None:
    before = {name: tensor.clone() for name, tensor in checkpoint.state.items()}
    Classifier(checkpoint, choose_plan("cpu", Precision.BF16)).warm_up([1, 2])
    assert all(torch.equal(checkpoint.state[name], tensor) for name, tensor in before.items())


def test_bfloat16_stays_near_float32(classifier: Classifier, checkpoint: Checkpoint) -> None:
    half = Classifier(checkpoint, choose_plan("cpu", Precision.BF16))
    crops = _crops(4)
    np.testing.assert_allclose(
        half.predict(crops).probabilities, classifier.predict(crops).probabilities, atol=0.03
    )


def test_thread_count_is_set_on_request(weights: Path) -> None:
    before = torch.get_num_threads()
    try:
        Classifier.load(weights, device="cpu", threads=2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_no_threads_are_a_usage_error(weights: Path) -> None:
    with pytest.raises(UsageError, match="0 threads"):
        Classifier.load(weights, device="cpu", threads=0)


def test_missing_weights_and_devices_are_said(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        Classifier.load(tmp_path / "none.safetensors", device="cpu")
    with pytest.raises(DeviceError, match="cuda:99"):
        Classifier.load(weights, device="cuda:99")


@pytest.mark.gpu
@pytest.mark.parametrize("precision", list(Precision))
def test_gpu_agrees_with_the_cpu(classifier: Classifier, weights: Path, precision: Precision) -> None:
    crops = _crops(MAX_BATCH + 1)
    on_gpu = Classifier.load(weights, device="cuda", precision=precision).predict(crops)
    tolerance = 0.03 if precision is Precision.BF16 else 5e-3
    np.testing.assert_allclose(on_gpu.probabilities, classifier.predict(crops).probabilities, atol=tolerance)
