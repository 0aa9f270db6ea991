"""From pixels to the network's input: the only place where colours are reordered and scaled."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from gclf_live.records import U8


def normalise(
    crops: U8 | Tensor,
    *,
    mean: tuple[float, float, float],
    std: tuple[float, float, float],
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Tensor:
    """Turn BGR crops into what the network was trained on: ``(rgb / 255 - mean) / std``.

    Args:
        crops: uint8, shape (N, S, S, 3), BGR; an array, or a tensor on any device.
        mean: of red, green and blue, on a scale of 0 to 1.
        std: likewise.
        dtype: floating type of the result. The arithmetic itself is float32.
        device: where the result lies; by default where ``crops`` lie. Pixels travel there as bytes.

    Returns:
        Shape (N, 3, S, S), RGB, in ``channels_last`` memory format.

    Raises:
        ValueError: ``crops`` are not uint8 (N, S, S, 3).
    """
    # torch takes neither mirrored views nor read-only memory: such an array is copied, any other is not.
    pixels = (
        crops if isinstance(crops, Tensor) else torch.from_numpy(np.require(crops, requirements=["C", "W"]))
    )
    if pixels.dtype != torch.uint8 or pixels.ndim != 4 or pixels.shape[3] != 3:
        raise ValueError(f"crops are {pixels.dtype} {tuple(pixels.shape)}; they must be uint8 NxSxSx3")
    pixels = pixels.to(device, non_blocking=True) if device is not None else pixels
    scale, offset = _scale_and_offset(mean, std, pixels.device)
    values = torch.addcmul(offset, pixels.flip(-1).float(), scale)
    # Height, width, channel in memory is channels_last already: the permutation moves no bytes.
    return values.to(dtype).permute(0, 3, 1, 2)


@lru_cache(maxsize=16)
def _scale_and_offset(
    mean: tuple[float, float, float], std: tuple[float, float, float], device: torch.device
) -> tuple[Tensor, Tensor]:
    """``(x / 255 - mean) / std`` as ``offset + scale * x``, one multiply-add a value; carried over once."""
    scale = torch.tensor([1 / (255 * s) for s in std], dtype=torch.float32, device=device)
    offset = torch.tensor(
        [-m / s for m, s in zip(mean, std, strict=True)], dtype=torch.float32, device=device
    )
    return scale, offset
