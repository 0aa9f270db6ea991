"""Decoding and encoding on a device made for it, where that was asked for."""

from __future__ import annotations

from enum import StrEnum

from av.codec.hwaccel import HWAccel


class Hardware(StrEnum):
    """What decodes and encodes video."""

    NONE = "none"
    """The processor: FFmpeg's own decoders, and x264."""
    CUDA = "cuda"
    """An NVIDIA card: NVDEC and NVENC. Frames lie in the processor's memory in between."""


def decoding_on(hardware: Hardware) -> HWAccel | None:
    """What PyAV is told, None for the processor. What was asked for is used or refused, never replaced."""
    if hardware is Hardware.NONE:
        return None
    return HWAccel(hardware.value, allow_software_fallback=False)
