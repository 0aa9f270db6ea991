"""The random numbers behind a batch's changes, drawn before any of them is applied.

They are drawn on the processor for the whole batch, whatever shows it to the network: one process, or
several of which each takes its share. A step's pictures then depend on the seed, the epoch and the step
alone, and nothing has to be read back from a device to learn which pictures are to be changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from gclf_train.config import Augmentation
from gclf_train.transfer import to_device

_JPEG_QUALITY = (12, 75)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Some pictures of a batch, and what happens to them.

    Attributes:
        rows: int64, shape (K,): their places in the batch, ascending.
        numbers: float32 tensors, shape (K, ...).
    """

    rows: Tensor
    numbers: tuple[Tensor, ...] = ()

    def __len__(self) -> int:
        return len(self.rows)

    def part(self, share: slice) -> Chosen:
        """Those in one share of the batch; rows count from the share's start."""
        ends = torch.searchsorted(self.rows, torch.tensor([share.start, share.stop])).tolist()
        mine = slice(*ends)
        return Chosen(self.rows[mine] - share.start, tuple(n[mine] for n in self.numbers))

    def to(self, device: torch.device) -> Chosen:
        """The same on another device."""
        return Chosen(to_device(self.rows, device), tuple(to_device(n, device) for n in self.numbers))


@dataclass(frozen=True, slots=True)
class Changes:
    """Everything that happens to N pictures.

    Attributes:
        affine: float32, shape (N, 2, 3): maps the view's unit square into the picture's.
        colour: float32, shapes (N, 3, 3) and (N, 1, 1, 1): matrix and offset of the normalised colours, or
            None.
        low_resolution: groups of pictures and the side in pixels to which each is reduced.
        blur: numbers are (K, 2): share of the range of strengths along each axis.
        noise: numbers are (K, 1, 1, 1) and (K, 3, size, size): strength and normal deviates.
        jpeg: numbers are (K,): quality settings.
        erase: numbers are (K, 4): width, height and place of what is covered, as shares.
    """

    affine: Tensor
    colour: tuple[Tensor, Tensor] | None
    low_resolution: tuple[tuple[Chosen, int], ...]
    blur: Chosen
    noise: Chosen
    jpeg: Chosen
    erase: Chosen

    def part(self, share: slice) -> Changes:
        """What happens to one share of the batch."""
        return Changes(
            affine=self.affine[share],
            colour=self.colour and (self.colour[0][share], self.colour[1][share]),
            low_resolution=tuple((chosen.part(share), px) for chosen, px in self.low_resolution),
            blur=self.blur.part(share),
            noise=self.noise.part(share),
            jpeg=self.jpeg.part(share),
            erase=self.erase.part(share),
        )


def draw_changes(
    settings: Augmentation,
    count: int,
    *,
    size_px: int,
    zoom: float,
    generator: torch.Generator,
    noise_generator: torch.Generator | None = None,
) -> Changes:
    """Draw what happens to ``count`` pictures.

    Args:
        settings: what to change and how much.
        count: pictures of the whole batch.
        size_px: side of the network's input.
        zoom: side of the nominal view relative to the stored picture's side.
        generator: on the processor; all numbers come from it in one fixed order.
        noise_generator: draws the noise on its own device, where there is more of it than one would carry
            there; ``generator`` unless given.
    """

    def choose(share: float, numbers: Callable[[int], tuple[Tensor, ...]]) -> Chosen:
        rows = _choose(count, share, generator)
        return Chosen(rows, numbers(len(rows)) if len(rows) else ())

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    def noise(k: int) -> tuple[Tensor, ...]:
        source = noise_generator or generator
        strength = 0.3 * rand(k, 1, 1, 1)
        return strength, torch.randn(k, 3, size_px, size_px, generator=source, device=source.device)

    lowest, highest = _JPEG_QUALITY
    # Arguments are evaluated from top to bottom: this is the order in which the numbers are drawn.
    return Changes(
        affine=_affine(settings, count, zoom, generator),
        colour=_colour(settings, count, generator),
        low_resolution=_low_resolution(settings, count, size_px, generator),
        blur=choose(settings.blur, lambda k: (rand(k, 2),)),
        noise=choose(settings.noise, noise),
        jpeg=choose(settings.jpeg, lambda k: (lowest + (highest - lowest) * rand(k),)),
        erase=choose(settings.erase, lambda k: (rand(k, 4),)),
    )


def _choose(count: int, share: float, generator: torch.Generator) -> Tensor:
    """A random share of the rows, ascending: int64 (K,)."""
    if share <= 0:
        return torch.empty(0, dtype=torch.int64)
    return torch.nonzero(torch.rand(count, generator=generator) < share)[:, 0]


def _spread(half_width: float, *shape: int, generator: torch.Generator) -> Tensor:
    return (torch.rand(*shape, generator=generator) * 2 - 1) * half_width


def _affine(s: Augmentation, n: int, zoom: float, generator: torch.Generator) -> Tensor:
    """Random flip, scale, aspect, rotation and shift around the nominal view: float32 (N, 2, 3)."""
    angle = torch.randn(n, generator=generator) * math.radians(s.rotation_deg)
    scaled = zoom * torch.exp(_spread(s.scale, n, generator=generator))
    stretch = torch.exp(_spread(s.aspect, n, generator=generator))
    flip = torch.where(torch.rand(n, generator=generator) < 0.5, -1.0, 1.0) if s.flip else 1.0
    theta = torch.empty(n, 2, 3)
    theta[:, 0, 0] = scaled * stretch * torch.cos(angle) * flip
    theta[:, 0, 1] = -scaled * torch.sin(angle)
    theta[:, 1, 0] = scaled * torch.sin(angle) * flip
    theta[:, 1, 1] = scaled / stretch * torch.cos(angle)
    theta[:, 0, 2] = _spread(s.shift, n, generator=generator) * 2 * zoom
    theta[:, 1, 2] = _spread(s.shift, n, generator=generator) * 2 * zoom
    return theta


def _colour(s: Augmentation, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor] | None:
    """Brightness, contrast, saturation and colour cast as one matrix a picture; some become grey."""
    if s.colour <= 0 and s.grey <= 0:
        return None
    saturation = 1 + _spread(s.colour, n, generator=generator)
    if s.grey > 0:
        is_grey = torch.rand(n, generator=generator) < s.grey
        saturation = torch.where(is_grey, torch.zeros_like(saturation), saturation)
    luma = torch.tensor([0.299, 0.587, 0.114]).expand(3, 3)
    mix = saturation.view(n, 1, 1) * torch.eye(3) + (1 - saturation).view(n, 1, 1) * luma
    gain = torch.exp(_spread(s.colour, n, generator=generator)).view(n, 1, 1)
    cast = torch.exp(_spread(s.colour / 4, n, 3, generator=generator)).view(n, 3, 1)
    offset = _spread(s.colour * 2, n, generator=generator).view(n, 1, 1, 1)
    return gain * cast * mix, offset


def _low_resolution(
    s: Augmentation, n: int, size_px: int, generator: torch.Generator
) -> tuple[tuple[Chosen, int], ...]:
    """Up to four groups of pictures and the side to which each is reduced."""
    rows = _choose(n, s.low_resolution, generator)
    groups = []
    for part in rows.chunk(4) if len(rows) else ():
        u = float(torch.rand(1, generator=generator))
        groups.append((Chosen(part), round(s.smallest_px * (size_px / s.smallest_px) ** u)))
    return tuple(groups)
