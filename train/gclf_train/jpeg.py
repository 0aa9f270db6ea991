"""What JPEG compression does to a picture, as tensor operations: cosine transform and quantisation."""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

# The example tables of ITU-T T.81, annex K, which encoders scale by their quality setting.
_LUMA = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ],
    dtype=torch.float32,
)
_CHROMA = torch.full((8, 8), 99.0)
_CHROMA[:4, :4] = torch.tensor([[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]])

# RGB to YCbCr as in JFIF (ITU-T T.871), without the chroma offset.
_YCC = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def _cosine_matrix() -> Tensor:
    """The orthonormal DCT-II of length 8: row k is the k-th cosine."""
    k = torch.arange(8, dtype=torch.float64)
    matrix = torch.cos(math.pi * (2 * k[None] + 1) * k[:, None] / 16) / 2
    matrix[0] /= math.sqrt(2)
    return matrix.float()


_DCT = _cosine_matrix()
_YCC_INVERSE = torch.linalg.inv(_YCC)


@lru_cache(maxsize=8)
def _constants(device: torch.device) -> tuple[Tensor, ...]:
    """To YCbCr and back, the cosine transform, and the three tables; carried to the device once."""
    tables = torch.stack([_LUMA, _CHROMA, _CHROMA]).view(1, 3, 1, 1, 8, 8)
    return tuple(part.to(device) for part in (_YCC, _YCC_INVERSE, _DCT, tables))


def jpeg_artefacts(x: Tensor, quality: Tensor) -> Tensor:
    """Compress and restore every picture.

    Args:
        x: float32, shape (N, 3, H, W), RGB on a scale of 0 to 1.
        quality: float32, shape (N,), on the same device: the quality setting, 1 to 100, libjpeg's scale.

    Returns:
        float32, shape (N, 3, H, W). Chroma is not subsampled: at face-crop size that is blur, which
        another augmentation brings.
    """
    n, _, height, width = x.shape
    ycc, ycc_inverse, dct, tables = _constants(x.device)
    padded = F.pad(x * 255, (0, -width % 8, 0, -height % 8), mode="replicate")
    planes = torch.einsum("ij,njhw->nihw", ycc, padded)
    planes[:, 0] -= 128
    rows, columns = planes.shape[2] // 8, planes.shape[3] // 8
    blocks = planes.reshape(n, 3, rows, 8, columns, 8).permute(0, 1, 2, 4, 3, 5)
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50).view(n, 1, 1, 1, 1, 1)
    steps = (tables * scale).clamp(1, 255)
    coefficients = torch.round(dct @ blocks @ dct.T / steps) * steps
    restored = (dct.T @ coefficients @ dct).permute(0, 1, 2, 4, 3, 5).reshape(planes.shape)
    restored[:, 0] += 128
    rgb = torch.einsum("ij,njhw->nihw", ycc_inverse, restored)
    return rgb[..., :height, :width].clamp(0, 255) / 255
