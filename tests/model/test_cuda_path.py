"""What the classifier asks of a CUDA device, on fake tensors: they have a device and a type, and no values.

This shows where the work goes and in which format, on a machine without the device; that the numbers are
right is what the tests marked ``gpu`` show.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from fake_tensors import Convolutions
from torch._subclasses import FakeTensorMode
from torch.fx.experimental.proxy_tensor import unset_fake_temporarily
from torch.utils._python_dispatch import TorchDispatchMode

from gclf_live.model import classifier as module
from gclf_live.model.checkpoint import Checkpoint
from gclf_live.model.classifier import MAX_BATCH, Classifier
from gclf_live.model.device import Hardware, Precision, choose_plan

_GPU = Hardware(("a card",), cpu_has_bf16=False)


class _Moves(TorchDispatchMode):
    """Takes down what was carried from the processor's memory to the card's."""

    def __init__(self) -> None:
        super().__init__()
        self.moved: list[torch.Tensor] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        answer = function(*args, **(kwargs or {}))
        tensors = [thing for thing in (*args[:1], answer) if isinstance(thing, torch.Tensor)]
        if [tensor.device.type for tensor in tensors] == ["cpu", "cuda"]:
            self.moved.append(args[0])
        return answer


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> FakeTensorMode:
    """Tensors are fake from here on but for those of the checkpoint, which are read before they move."""
    for name in ("network_from_state", "fold_batch_norm"):
        real = getattr(module, name)

        def on_real_tensors(*arguments: Any, real: Any = real) -> Any:
            with unset_fake_temporarily():
                return real(*arguments)

        monkeypatch.setattr(module, name, on_real_tensors)
    monkeypatch.setattr(torch.Tensor, "numpy", lambda tensor: np.zeros(tuple(tensor.shape), np.float32))
    return FakeTensorMode(allow_non_fake_inputs=True)


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [(None, torch.float16), (Precision.BF16, torch.bfloat16), (Precision.FP32, torch.float32)],
)
def test_network_runs_on_the_card_in_half_precision_and_channels_last(
    fakes: FakeTensorMode, checkpoint: Checkpoint, precision: Precision | None, dtype: torch.dtype
) -> None:
    plan = choose_plan("auto", precision, hardware=_GPU)
    side, count = checkpoint.meta.crop.size_px, MAX_BATCH + 3
    with fakes, Convolutions() as convolutions:
        answer = Classifier(checkpoint, plan).log_probabilities(np.zeros((count, side, side, 3), np.uint8))
    assert answer.shape == (count, len(checkpoint.meta.classes))
    assert len(convolutions.given) == 2 * 20  # the convolutions of a ResNet18, in two batches
    assert {len(tensor) for tensor in convolutions.given} == {MAX_BATCH, 3}
    for tensor in (*convolutions.given, *convolutions.weights):
        assert (tensor.device, tensor.dtype) == (torch.device("cuda:0"), dtype)
    # What lies between two convolutions is cuDNN's own choice.
    for tensor in (convolutions.given[0], *convolutions.weights):
        assert tensor.is_contiguous(memory_format=torch.channels_last)


def test_pixels_travel_to_the_card_as_bytes(fakes: FakeTensorMode, checkpoint: Checkpoint) -> None:
    side = checkpoint.meta.crop.size_px
    with fakes:
        classifier = Classifier(checkpoint, choose_plan("auto", hardware=_GPU))
        with _Moves() as moves:
            classifier.log_probabilities(np.zeros((5, side, side, 3), np.uint8))
    images = [(tensor.dtype, tuple(tensor.shape)) for tensor in moves.moved if tensor.ndim > 1]
    assert images == [(torch.uint8, (5, side, side, 3))]
