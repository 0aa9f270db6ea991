"""What a step of the training asks of a CUDA device, on fake tensors: they have no values.

It ends with the loss: for gradients torch asks the driver, and that they are right is what the tests marked
``gpu`` show, and on the processor those of ``test_loop``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from fake_tensors import Convolutions
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torchvision.models import resnet18

from gclf_live.model.device import Hardware, choose_plan
from gclf_live.model.device import Precision as Asked
from gclf_train.config import load_recipe
from gclf_train.objective import Objective
from gclf_train.processes import Processes
from gclf_train.stepper import Precision, Stepper

_COUNT = 64


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeTensorMode]:
    """Tensors are fake from here on, and torch believes in the card."""
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: True)
    monkeypatch.setattr(Tensor, "pin_memory", lambda tensor: tensor)
    # How many pictures take part is a value.
    monkeypatch.setattr(Objective, "rows", lambda objective: np.arange(_COUNT))
    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        yield mode


class _Movable(nn.Module):
    """A ResNet18 whose parts become fake tensors when it moves, which torch's own ``to`` does not do."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = resnet18(num_classes=2)

    @property
    def fc(self) -> nn.Module:
        return self.inside.fc

    def forward(self, x: Tensor) -> Any:
        return self.inside(x)

    def to(self, device: torch.device, memory_format: torch.memory_format) -> _Movable:  # type: ignore[override]
        for module in self.modules():
            for parts in (module._parameters, module._buffers):
                for name, part in parts.items():
                    if part is None:
                        continue
                    moved = part.detach().to(device)
                    moved = moved.contiguous(memory_format=memory_format) if moved.ndim == 4 else moved
                    parts[name] = nn.Parameter(moved) if isinstance(part, nn.Parameter) else moved  # type: ignore[assignment]
        return self


@pytest.mark.parametrize(
    ("asked", "dtype"),
    [(None, torch.float16), (Asked.BF16, torch.bfloat16), (Asked.FP32, torch.float32)],
)
def test_network_learns_on_the_card_in_mixed_precision_and_channels_last(
    asked: Asked | None, dtype: torch.dtype, fakes: FakeTensorMode
) -> None:
    plan = choose_plan("auto", asked, hardware=Hardware(("a card",), cpu_has_bf16=False))
    network = _Movable()
    stepper = Stepper(
        load_recipe("readme"),
        network,
        np.zeros(_COUNT, np.int64),
        precision=Precision(plan.device, plan.dtype),
        teacher=None,
        processes=Processes(),
    )
    x = torch.empty(_COUNT, 3, 224, 224, device=plan.device)
    with Convolutions() as convolutions:
        logits, _ = stepper._forward(x.contiguous(memory_format=torch.channels_last))
        loss = stepper.objective.loss(logits, None, np.arange(_COUNT))
    assert len(convolutions.given) == 20
    for tensor in (*convolutions.given, *convolutions.weights):
        assert (tensor.device, tensor.dtype) == (torch.device("cuda:0"), dtype)
    # What lies between two convolutions is cuDNN's own choice.
    for tensor in (convolutions.given[0], *convolutions.weights):
        assert tensor.is_contiguous(memory_format=torch.channels_last)
    assert {value.dtype for value in network.parameters()} == {torch.float32}, "the weights stay whole"
    assert (loss.device, loss.dtype) == (torch.device("cuda:0"), torch.float32)
    assert stepper._scaler.is_enabled() is (dtype is torch.float16)
