"""Random changes to a whole batch at once, as tensor operations on whatever device holds it."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from gclf_live.model.preprocess import normalise
from gclf_train.changes import Changes, Chosen, draw_changes
from gclf_train.config import Augmentation
from gclf_train.jpeg import jpeg_artefacts
from gclf_train.transfer import to_device


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
        theta = torch.zeros(len(pictures), 2, 3)
        theta[:, 0, 0] = theta[:, 1, 1] = self._zoom
        return self._sample(self._normalise(pictures), theta, size_px)

    def draw(
        self,
        count: int,
        size_px: int,
        generator: torch.Generator,
        noise_generator: torch.Generator | None = None,
    ) -> Changes:
        """Draw what happens to a batch of ``count`` pictures; see ``draw_changes``."""
        return draw_changes(
            self._settings,
            count,
            size_px=size_px,
            zoom=self._zoom,
            generator=generator,
            noise_generator=noise_generator,
        )

    def augmented(self, pictures: Tensor, size_px: int, generator: torch.Generator) -> Tensor:
        """A randomly changed view: uint8 (N, H, W, 3) BGR to float32 (N, 3, size, size), normalised."""
        return self.changed(pictures, size_px, self.draw(len(pictures), size_px, generator))

    def changed(self, pictures: Tensor, size_px: int, changes: Changes) -> Tensor:
        """The view after ``changes``: uint8 (N, H, W, 3) BGR to float32 (N, 3, size, size), normalised.

        Args:
            pictures: on any device.
            size_px: side of the network's input, as the changes were drawn for.
            changes: to these N pictures.
        """
        x = self._sample(self._normalise(pictures), changes.affine, size_px)
        if changes.colour is not None:
            matrix, offset = (to_device(part, x.device) for part in changes.colour)
            x = torch.einsum("nij,njhw->nihw", matrix, x) + offset
        for chosen, small_px in changes.low_resolution:
            x = _change(x, chosen, lambda part, px=small_px: _low_resolution(part, px))
        x = _change(x, changes.blur, _blur)
        x = _change(x, changes.noise, lambda part, strength, noise: part + strength * noise)
        x = _change(x, changes.jpeg, self._compress)
        return _change(x, changes.erase, _erase)

    def _normalise(self, pictures: Tensor) -> Tensor:
        """RGB planes, normalised: after this, 0 is the mean colour, which is also the border's."""
        return normalise(pictures, mean=self._mean, std=self._std)

    def _compress(self, x: Tensor, quality: Tensor) -> Tensor:
        """JPEG artefacts on normalised planes."""
        mean, std = _planes(self._mean, x.device), _planes(self._std, x.device)
        return (jpeg_artefacts(x * std + mean, quality) - mean) / std

    def _sample(self, x: Tensor, theta: Tensor, size_px: int) -> Tensor:
        """Look at ``x`` through ``theta`` (N, 2, 3), which maps the view's unit square into the picture's."""
        if size_px == x.shape[-1] and self._zoom == 1 and _is_identity(theta):
            return x
        shrink = self._zoom * x.shape[-1] / size_px
        if shrink > 2.5:  # bilinear sampling sees 2x2 pixels: average larger pictures down first
            x = F.avg_pool2d(x, int(shrink / 1.25))
        theta = to_device(theta, x.device)
        grid = F.affine_grid(theta, [len(x), 3, size_px, size_px], align_corners=False)
        return F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)


@lru_cache(maxsize=16)
def _planes(values: tuple[float, float, float], device: torch.device) -> Tensor:
    """One number a channel: float32 (1, 3, 1, 1); carried to the device once."""
    return torch.tensor(values, device=device).view(1, 3, 1, 1)


def _is_identity(theta: Tensor) -> bool:
    return bool((theta == torch.eye(2, 3)).all())


def _change(x: Tensor, chosen: Chosen, change: Callable[..., Tensor]) -> Tensor:
    """Apply ``change`` to the chosen pictures and their numbers, in place."""
    if len(chosen):
        here = chosen.to(x.device)
        x[here.rows] = change(x[here.rows], *here.numbers)
    return x


def _low_resolution(x: Tensor, small_px: int) -> Tensor:
    """Reduce and enlarge again, as a small face in a video arrives."""
    size = x.shape[-1]
    reduced = F.interpolate(
        x, size=(small_px, small_px), mode="bilinear", antialias=True, align_corners=False
    )
    return F.interpolate(reduced, size=(size, size), mode="bilinear", align_corners=False)


def _blur(x: Tensor, draw: Tensor) -> Tensor:
    """Gaussian blur with its own strength along each axis: 0.4 to 1.6 px in an input of 64 px."""
    n, size = len(x), x.shape[-1]
    radius = max(2, round(4 * size / 112))
    sigma = (0.4 + 1.2 * draw) * size / 64
    steps = torch.arange(-radius, radius + 1, device=x.device, dtype=x.dtype)
    kernels = torch.exp(-0.5 * (steps / sigma[..., None]) ** 2)
    kernels = (kernels / kernels.sum(-1, keepdim=True)).repeat_interleave(3, dim=0)
    flat = x.reshape(1, n * 3, size, size)
    flat = F.conv2d(flat, kernels[:, 0].view(n * 3, 1, 1, -1), padding=(0, radius), groups=n * 3)
    flat = F.conv2d(flat, kernels[:, 1].view(n * 3, 1, -1, 1), padding=(radius, 0), groups=n * 3)
    return flat.reshape(n, 3, size, size)


def _erase(x: Tensor, draw: Tensor) -> Tensor:
    """Cover one rectangle of 15 to 55 % of each side with the mean colour, as a hand or a mask does."""
    size, device = x.shape[-1], x.device
    extent = 0.15 + 0.4 * draw[:, :2]
    start = draw[:, 2:] * (1 - extent)
    places = (torch.arange(size, device=device) + 0.5) / size
    inside = (places >= start[..., None]) & (places < (start + extent)[..., None])
    covered = inside[:, 0, :, None] & inside[:, 1, None, :]
    return x.masked_fill(covered[:, None], 0.0)
