"""Where the network runs and in which number format, decided once and said aloud."""

from __future__ import annotations

import platform
import re
from dataclasses import dataclass
from enum import StrEnum

import torch

from gclf_live.errors import DeviceError, UsageError


class Precision(StrEnum):
    """Number format of the network's weights and activations."""

    FP16 = "fp16"
    BF16 = "bf16"
    FP32 = "fp32"

    @property
    def dtype(self) -> torch.dtype:
        """torch's name for it."""
        return {"fp16": torch.float16, "bf16": torch.bfloat16, "fp32": torch.float32}[self.value]


@dataclass(frozen=True, slots=True)
class Hardware:
    """What there is to choose from.

    Attributes:
        cuda_names: name of each CUDA device that torch can use, in the order of their numbers.
        cpu_has_bf16: whether the processor multiplies bfloat16 itself.
    """

    cuda_names: tuple[str, ...]
    cpu_has_bf16: bool

    @classmethod
    def detect(cls) -> Hardware:
        """This machine."""
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        return cls(tuple(torch.cuda.get_device_name(i) for i in range(count)), _cpu_has_bf16())


@dataclass(frozen=True, slots=True)
class ComputePlan:
    """Where and how the network runs.

    Attributes:
        device: with a number where it is a CUDA device.
        dtype: of weights and activations.
        reason: one line for the user, such as ``cpu: no CUDA device; float32``.
    """

    device: torch.device
    dtype: torch.dtype
    reason: str


def choose_plan(
    requested: str = "auto", precision: Precision | None = None, *, hardware: Hardware | None = None
) -> ComputePlan:
    """Decide where the network runs; what was asked for is never replaced by something else.

    Args:
        requested: ``auto`` (the first CUDA device, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``.
        precision: by default float16 on CUDA; on the CPU bfloat16 where the processor has it in
            hardware, else float32.
        hardware: what there is; by default this machine.

    Raises:
        UsageError: ``requested`` is none of these.
        DeviceError: the CUDA device is not there.
    """
    match = re.fullmatch(r"auto|cpu|cuda(?::(\d{1,3}))?", requested)
    if match is None:
        raise UsageError(f"unknown device {requested!r}; allowed are auto, cpu, cuda and cuda:N")
    hardware = hardware or Hardware.detect()
    if requested == "cpu" or (requested == "auto" and not hardware.cuda_names):
        return _cpu_plan(requested, precision, hardware)
    return _cuda_plan(requested, int(match[1] or 0), precision, hardware)


def _cpu_plan(requested: str, precision: Precision | None, hardware: Hardware) -> ComputePlan:
    # Without the instructions bfloat16 is emulated: three times slower than float32 (ResNet18, 112 px, AVX2).
    default = Precision.BF16 if hardware.cpu_has_bf16 else Precision.FP32
    why = "no CUDA device" if requested == "auto" else "as asked"
    return _plan("cpu", why, precision or default)


def _cuda_plan(requested: str, index: int, precision: Precision | None, hardware: Hardware) -> ComputePlan:
    names = hardware.cuda_names
    if index >= len(names):
        present = ", ".join(["cpu", *(f"cuda:{i} ({name})" for i, name in enumerate(names))])
        raise DeviceError(f"no device {requested!r}; there is {present}. Use one of these, or --device auto")
    return _plan(f"cuda:{index}", names[index], precision or Precision.FP16)


def _plan(device: str, why: str, precision: Precision) -> ComputePlan:
    name = str(precision.dtype).removeprefix("torch.")
    return ComputePlan(torch.device(device), precision.dtype, f"{device}: {why}; {name}")


def _cpu_has_bf16() -> bool:
    """Whether the processor has bfloat16 products, as torch sees it.

    oneDNN's own answer, the only one for Arm, is true on x86 from AVX-512 on, where it may mean
    emulation; there the two instruction sets are asked for by name. Older or newer torch may lack
    one of these questions, and then the answer is no.
    """
    if platform.machine().lower() in {"x86_64", "amd64"}:
        questions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(bool(getattr(torch.cpu, question, _no)()) for question in questions)
    return bool(getattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", _no)())


def _no() -> bool:
    return False
