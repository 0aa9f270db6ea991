"""Random changes to a whole batch at once, as tensor operations on whatever device holds it.

All randomness comes from one generator a batch, so a step's pictures depend on the seed, the epoch
and the step alone: a run that was killed goes on to the same curve.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from gclf_live.model.preprocess import normalise
from gclf_train.config import Augmentation
from gclf_train.jpeg import jpeg_artefacts


class BatchAugmenter:
    """Turns stored pictures into the network's input, changed or unchanged."""

    def __init__(
        self,
        settings: Augmentation,
        *,
        zoom: float,
        mean: tuple[float, float, float],
        std: tuple[float, float, float],
    ) -> None:
        """Args:
        settings: what to change and how much.
        zoom: side of the network's view relative to the stored picture's side.
        mean, std: of the RGB channels on a scale of 0 to 1.
        """
        self._settings = settings
        self._zoom = zoom
        self._mean = mean
        self._std = std

    def plain(self, pictures: Tensor, size_px: int) -> Tensor:
        """The unchanged view: uint8 (N, H, W, 3) BGR to float32 (N, 3, size, size), normalised."""
        n = len(pictures)
        theta = torch.zeros(n, 2, 3, device=pictures.device)
        theta[:, 0, 0] = theta[:, 1, 1] = self._zoom
        return self._sample(self._normalise(pictures), theta, size_px)

    def augmented(self, pictures: Tensor, size_px: int, generator: torch.Generator) -> Tensor:
        """A randomly changed view: uint8 (N, H, W, 3) BGR to float32 (N, 3, size, size), normalised."""
        s = self._settings
        x = self._sample(self._normalise(pictures), self._random_affine(pictures, generator), size_px)
        x = _colour(x, s.colour, s.grey, generator)
        x = _on_share(
            x, s.low_resolution, generator, lambda part: _low_resolution(part, s.smallest_px, generator)
        )
        x = _on_share(x, s.blur, generator, lambda part: _blur(part, generator))
        x = _on_share(x, s.noise, generator, lambda part: _noise(part, generator))
        x = _on_share(x, s.jpeg, generator, lambda part: self._compress(part, generator))
        return _on_share(x, s.erase, generator, lambda part: _erase(part, generator))

    def _normalise(self, pictures: Tensor) -> Tensor:
        """RGB planes, normalised: after this, 0 is the mean colour, which is also the border's."""
        return normalise(pictures, mean=self._mean, std=self._std)

    def _compress(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """JPEG artefacts on normalised planes."""
        mean = torch.tensor(self._mean, device=x.device).view(1, 3, 1, 1)
        std = torch.tensor(self._std, device=x.device).view(1, 3, 1, 1)
        return (jpeg_artefacts(x * std + mean, generator) - mean) / std

    def _sample(self, x: Tensor, theta: Tensor, size_px: int) -> Tensor:
        """Look at ``x`` through ``theta`` (N, 2, 3), which maps the view's unit square into the picture's."""
        if size_px == x.shape[-1] and self._zoom == 1 and _is_identity(theta):
            return x
        shrink = self._zoom * x.shape[-1] / size_px
        if shrink > 2.5:  # bilinear sampling sees 2x2 pixels: average larger pictures down first
            x = F.avg_pool2d(x, int(shrink / 1.25))
        grid = F.affine_grid(theta, [len(x), 3, size_px, size_px], align_corners=False)
        return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)

    def _random_affine(self, pictures: Tensor, generator: torch.Generator) -> Tensor:
        """Random flip, scale, aspect, rotation and shift around the nominal view: float32 (N, 2, 3)."""
        s, n, device = self._settings, len(pictures), pictures.device

        def spread(half_width: float) -> Tensor:
            return (torch.rand(n, generator=generator, device=device) * 2 - 1) * half_width

        angle = torch.randn(n, generator=generator, device=device) * math.radians(s.rotation_deg)
        zoom = self._zoom * torch.exp(spread(s.scale))
        stretch = torch.exp(spread(s.aspect))
        flip = (
            torch.where(torch.rand(n, generator=generator, device=device) < 0.5, -1.0, 1.0) if s.flip else 1.0
        )
        theta = torch.empty(n, 2, 3, device=device)
        theta[:, 0, 0] = zoom * stretch * torch.cos(angle) * flip
        theta[:, 0, 1] = -zoom * torch.sin(angle)
        theta[:, 1, 0] = zoom * torch.sin(angle) * flip
        theta[:, 1, 1] = zoom / stretch * torch.cos(angle)
        theta[:, 0, 2] = spread(s.shift) * 2 * self._zoom
        theta[:, 1, 2] = spread(s.shift) * 2 * self._zoom
        return theta


def _is_identity(theta: Tensor) -> bool:
    return bool((theta == torch.eye(2, 3, device=theta.device)).all())


def _on_share(
    x: Tensor, share: float, generator: torch.Generator, change: Callable[[Tensor], Tensor]
) -> Tensor:
    """Apply ``change`` to a random ``share`` of the pictures."""
    if share <= 0:
        return x
    chosen = torch.rand(len(x), generator=generator, device=x.device) < share
    if not bool(chosen.any()):
        return x
    x = x.clone()
    x[chosen] = change(x[chosen])
    return x


def _colour(x: Tensor, amount: float, grey: float, generator: torch.Generator) -> Tensor:
    """Brightness, contrast, saturation and colour cast as one matrix a picture; some become grey."""
    if amount <= 0 and grey <= 0:
        return x
    n, device = len(x), x.device

    def spread(half_width: float, *shape: int) -> Tensor:
        return (torch.rand(n, *shape, generator=generator, device=device) * 2 - 1) * half_width

    saturation = 1 + spread(amount)
    if grey > 0:
        saturation = torch.where(
            torch.rand(n, generator=generator, device=device) < grey, torch.zeros_like(saturation), saturation
        )
    luma = torch.tensor([0.299, 0.587, 0.114], device=device).expand(3, 3)
    mix = saturation.view(n, 1, 1) * torch.eye(3, device=device) + (1 - saturation).view(n, 1, 1) * luma
    gain = torch.exp(spread(amount)).view(n, 1, 1) * torch.exp(spread(amount / 4, 3)).view(n, 3, 1)
    offset = spread(amount * 2).view(n, 1, 1, 1)
    return torch.einsum("nij,njhw->nihw", gain * mix, x) + offset


def _low_resolution(x: Tensor, smallest_px: int, generator: torch.Generator) -> Tensor:
    """Reduce to a random size and enlarge again, as a small face in a video arrives."""
    size = x.shape[-1]
    parts = []
    for part in x.chunk(4):
        u = float(torch.rand(1, generator=generator, device=generator.device))
        small = round(smallest_px * (size / smallest_px) ** u)
        reduced = F.interpolate(
            part, size=(small, small), mode="bilinear", antialias=True, align_corners=False
        )
        parts.append(F.interpolate(reduced, size=(size, size), mode="bilinear", align_corners=False))
    return torch.cat(parts)


def _blur(x: Tensor, generator: torch.Generator) -> Tensor:
    """Gaussian blur with its own strength along each axis: 0.4 to 1.6 px in an input of 64 px."""
    n, size = len(x), x.shape[-1]
    radius = max(2, round(4 * size / 112))
    sigma = (0.4 + 1.2 * torch.rand(n, 2, generator=generator, device=x.device)) * size / 64
    steps = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernels = torch.exp(-0.5 * (steps / sigma[..., None]) ** 2)
    kernels = (kernels / kernels.sum(-1, keepdim=True)).repeat_interleave(3, dim=0)
    flat = x.reshape(1, n * 3, size, size)
    flat = F.conv2d(flat, kernels[:, 0].view(n * 3, 1, 1, -1), padding=(0, radius), groups=n * 3)
    flat = F.conv2d(flat, kernels[:, 1].view(n * 3, 1, -1, 1), padding=(radius, 0), groups=n * 3)
    return flat.reshape(n, 3, size, size)


def _noise(x: Tensor, generator: torch.Generator) -> Tensor:
    """Sensor noise with a random strength a picture."""
    strength = 0.3 * torch.rand(len(x), 1, 1, 1, generator=generator, device=x.device)
    return x + strength * torch.randn(x.shape, generator=generator, device=x.device)


def _erase(x: Tensor, generator: torch.Generator) -> Tensor:
    """Cover one rectangle of 15 to 55 % of each side with the mean colour, as a hand or a mask does."""
    n, size, device = len(x), x.shape[-1], x.device
    draw = torch.rand(n, 4, generator=generator, device=device)
    extent = 0.15 + 0.4 * draw[:, :2]
    start = draw[:, 2:] * (1 - extent)
    places = (torch.arange(size, device=device) + 0.5) / size
    inside = (places >= start[..., None]) & (places < (start + extent)[..., None])
    covered = inside[:, 0, :, None] & inside[:, 1, None, :]
    return x.masked_fill(covered[:, None], 0.0)
