"""The faces of a whole frame, cut out, judged and classified on one device without leaving it.

A frame travels to the device once, as bytes. There it becomes a pyramid of halved pictures (Williams 1983,
"Pyramidal parametrics"), from which every face is sampled bilinearly at the level where that does not alias.
One small table comes back, and waiting for it is the only synchronisation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, pad

from gclf_live.geometry import BORDER_BGR
from gclf_live.records import F32

_MOST_LEVELS = 6
"""Halved five times, a face of 3,500 px is 112 px."""


@dataclass(frozen=True, slots=True)
class Cutting:
    """What decides how a crop is cut and its sharpness measured.

    Attributes:
        size_px: side of a crop.
        sharpness_side_px: side to which crops are reduced for their sharpness.
        sensor_variance: added to the variance of the brightness.
    """

    size_px: int
    sharpness_side_px: int
    sensor_variance: float


class FramePyramid:
    """Device memory for a frame of one size and its halved copies, one after the other."""

    def __init__(self, height_px: int, width_px: int, device: torch.device) -> None:
        """Allocate it; the contents are black until ``fill``."""
        count = 1
        while count < _MOST_LEVELS and min(height_px, width_px) >> count >= 1:
            count += 1
        self._sizes = [(height_px >> level, width_px >> level) for level in range(count)]
        starts = np.cumsum([0, *(h * w for h, w in self._sizes)])
        self._starts = starts.tolist()
        self._pixels = torch.zeros((self._starts[-1], 3), dtype=torch.uint8, device=device)
        # First row, height and width of each level.
        table = [[start, h, w] for start, (h, w) in zip(self._starts[:-1], self._sizes, strict=True)]
        self._table = torch.tensor(table, dtype=torch.int64, device=device)
        self._border = torch.tensor(BORDER_BGR, dtype=torch.float32, device=device)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the frame in pixels."""
        return self._sizes[0]

    @property
    def levels(self) -> int:
        """How many pictures there are, the frame included."""
        return len(self._sizes)

    def level(self, number: int) -> Tensor:
        """One picture of the pyramid, 0 is the frame: a view, uint8, shape (H, W, 3), BGR."""
        height, width = self._sizes[number]
        return self._pixels[self._starts[number] : self._starts[number + 1]].view(height, width, 3)

    def fill(self) -> None:
        """Make the halved pictures from level 0. A last odd row or column is left out."""
        values = self.level(0).permute(2, 0, 1)[None].float()
        for number in range(1, self.levels):
            values = avg_pool2d(values, 2)
            self.level(number).copy_(values[0].permute(1, 2, 0).round())

    def sample(self, geometry: Tensor, size_px: int) -> tuple[Tensor, Tensor]:
        """Cut squares out, bilinearly, each from its own level.

        Args:
            geometry: float32, shape (N, 7), as ``crop_geometry`` gives it, on the pyramid's device.
            size_px: side S of the squares.

        Returns:
            uint8, shape (N, S, S, 3), BGR, ``BORDER_BGR`` outside the frame; and float32, shape
            (N, S, S), which part of each pixel lies inside.
        """
        inverse, level = geometry[:, :6].view(-1, 2, 3), geometry[:, 6].long()
        start, height, width = (column[:, None, None] for column in self._table[level].unbind(1))
        steps = torch.arange(size_px, dtype=torch.float32, device=geometry.device)
        down, right = torch.meshgrid(steps, steps, indexing="ij")
        shrink = torch.exp2(-geometry[:, 6])[:, None, None]
        x, y = (
            (
                inverse[:, axis, 0, None, None] * right
                + inverse[:, axis, 1, None, None] * down
                + inverse[:, axis, 2, None, None]
                + 0.5
            )
            * shrink
            - 0.5
            for axis in (0, 1)
        )
        left, top = x.floor(), y.floor()
        inside = torch.zeros_like(x)
        mixed = torch.zeros((*x.shape, 3), dtype=torch.float32, device=geometry.device)
        for step_y in (0, 1):
            for step_x in (0, 1):
                column, row = (left + step_x).long(), (top + step_y).long()
                weight = (1 - (x - column).abs()) * (1 - (y - row).abs())
                weight = weight * ((column >= 0) & (column < width) & (row >= 0) & (row < height))
                # Where the weight is 0 any pixel will do, so long as there is one.
                row, column = row.clamp(min=0).minimum(height - 1), column.clamp(min=0).minimum(width - 1)
                pixel = self._pixels[start + row * width + column]
                mixed += weight[..., None] * pixel
                inside += weight
        mixed += (1 - inside)[..., None] * self._border
        return mixed.round().clamp(0, 255).to(torch.uint8), inside


def crop_geometry(matrices: F32, *, levels: int) -> F32:
    """What ``FramePyramid.sample`` wants to know of each crop.

    Args:
        matrices: float32, shape (N, 2, 3), from pixels of the frame to pixels of the crop, as
            ``geometry.crop_transform`` gives them.
        levels: how many levels the pyramid has.

    Returns:
        float32, shape (N, 7): the six numbers of the way back, row by row, and the level.
    """
    forward = matrices.astype(np.float64)
    turn = forward[:, :, :2]
    back = np.linalg.inv(turn)
    shift = -(back @ forward[:, :, 2:])
    # Bilinear sampling sees 2x2 pixels: a face that would shrink by more than two is taken from a level up.
    shrink = 1 / np.sqrt(np.abs(np.linalg.det(turn)))
    level = np.clip(np.floor(np.log2(np.maximum(shrink, 1.0))), 0, levels - 1)
    rows = np.concatenate([back, shift], axis=2).reshape(-1, 6)
    return np.ascontiguousarray(np.concatenate([rows, level[:, None]], axis=1), dtype=np.float32)


def sharpness_and_inside(crops: Tensor, inside: Tensor, cutting: Cutting) -> tuple[Tensor, Tensor]:
    """What ``faces.quality`` reads from the pixels of crops, in the same units, on their device.

    Args:
        crops: uint8, shape (N, S, S, 3), BGR.
        inside: float32, shape (N, S, S), as ``FramePyramid.sample`` gives it.
        cutting: side and variance for the sharpness.

    Returns:
        float32, shape (N,), variance of the Laplacian over that of the brightness, and float32, shape
        (N,), the share of each crop that lies inside the frame.
    """
    shown = inside > 0
    side = (cutting.sharpness_side_px, cutting.sharpness_side_px)
    blue, green, red = interpolate(crops.permute(0, 3, 1, 2).float(), side, mode="area").unbind(1)
    grey = (0.114 * blue + 0.587 * green + 0.299 * red)[:, None]
    around = pad(grey, (1, 1, 1, 1), mode="reflect")
    # Not as a convolution: on CUDA that may be computed with 10 bits.
    laplacian = (
        around[..., :-2, 1:-1]
        + around[..., 2:, 1:-1]
        + around[..., 1:-1, :-2]
        + around[..., 1:-1, 2:]
        - 4 * grey
    )
    mask = interpolate(shown[:, None].float(), side, mode="nearest")
    away_from_edge = -max_pool2d(-mask, 5, stride=1, padding=2)
    whole = shown.flatten(1).all(1)[:, None, None, None]
    counted = torch.where(whole, torch.ones_like(mask), away_from_edge)
    value = _variance(laplacian, counted) / (_variance(grey, counted) + cutting.sensor_variance) + 1e-6
    return value, shown.float().mean((1, 2))


def _variance(values: Tensor, counted: Tensor) -> Tensor:
    """Variance of each of N pictures over the pixels whose ``counted`` is 1, 0 where there are none: (N,)."""
    count = counted.sum((1, 2, 3)).clamp(min=1)
    mean = (values * counted).sum((1, 2, 3)) / count
    off = (values - mean[:, None, None, None]) * counted
    return off.square().sum((1, 2, 3)) / count
