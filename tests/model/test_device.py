"""What runs where: never anything but what was asked for."""

from __future__ import annotations

import pytest
import torch

from gclf_live.errors import DeviceError, UsageError
from gclf_live.model.device import ComputePlan, Hardware, Precision, choose_plan

_PLAIN = Hardware(cuda_names=(), cpu_has_bf16=False)
_SERVER = Hardware(cuda_names=(), cpu_has_bf16=True)
_TWO_GPUS = Hardware(cuda_names=("Card A", "Card B"), cpu_has_bf16=True)


@pytest.mark.parametrize(
    ("requested", "hardware", "plan"),
    [
        ("auto", _PLAIN, ComputePlan(torch.device("cpu"), torch.float32, "cpu: no CUDA device; float32")),
        ("auto", _SERVER, ComputePlan(torch.device("cpu"), torch.bfloat16, "cpu: no CUDA device; bfloat16")),
        ("auto", _TWO_GPUS, ComputePlan(torch.device("cuda:0"), torch.float16, "cuda:0: Card A; float16")),
        ("cpu", _TWO_GPUS, ComputePlan(torch.device("cpu"), torch.bfloat16, "cpu: as asked; bfloat16")),
        ("cuda", _TWO_GPUS, ComputePlan(torch.device("cuda:0"), torch.float16, "cuda:0: Card A; float16")),
        ("cuda:1", _TWO_GPUS, ComputePlan(torch.device("cuda:1"), torch.float16, "cuda:1: Card B; float16")),
    ],
)
def test_default_plan_by_hardware(requested: str, hardware: Hardware, plan: ComputePlan) -> None:
    assert choose_plan(requested, hardware=hardware) == plan


@pytest.mark.parametrize("precision", list(Precision))
@pytest.mark.parametrize("requested", ["cpu", "cuda"])
def test_asked_precision_is_kept(precision: Precision, requested: str) -> None:
    assert choose_plan(requested, precision, hardware=_TWO_GPUS).dtype == precision.dtype


def test_missing_cuda_is_an_error_that_names_what_there_is() -> None:
    with pytest.raises(DeviceError, match=r"no device 'cuda'; there is cpu\."):
        choose_plan("cuda", hardware=_PLAIN)
    with pytest.raises(DeviceError, match=r"cpu, cuda:0 \(Card A\), cuda:1 \(Card B\)"):
        choose_plan("cuda:2", hardware=_TWO_GPUS)


@pytest.mark.parametrize("requested", ["", "gpu", "cuda:", "cuda:x", "cuda:-1", "CPU", "cuda:0\n", "mps"])
def test_unknown_device_is_a_usage_error(requested: str) -> None:
    with pytest.raises(UsageError, match="allowed are auto, cpu, cuda and cuda:N"):
        choose_plan(requested, hardware=_TWO_GPUS)


def test_this_machine_can_be_asked() -> None:
    found = Hardware.detect()
    assert len(found.cuda_names) == (torch.cuda.device_count() if torch.cuda.is_available() else 0)
    assert choose_plan("cpu").dtype == (torch.bfloat16 if found.cpu_has_bf16 else torch.float32)


@pytest.mark.gpu
def test_auto_takes_the_gpu_in_half_precision() -> None:
    plan = choose_plan("auto")
    assert (plan.device, plan.dtype) == (torch.device("cuda:0"), torch.float16)
