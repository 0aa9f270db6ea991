"""Copies to the device that nobody waits for."""

from __future__ import annotations

import torch
from torch import Tensor


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """``tensor`` on ``device``; where it lies there already it is not copied.

    From pageable memory a copy to CUDA waits until all earlier work there is done, so that the device
    would idle while the next step is prepared. From pinned memory it takes its turn like any other work.
    """
    if device.type != "cuda" or tensor.device == device:
        return tensor
    return tensor.pin_memory().to(device, non_blocking=True)
