"""Faces made unrecognisable: all that is left of one is a handful of colours.

Networks recognise people through a blur of fixed strength, or a mosaic of many small squares (McPherson,
Shokri, Shmatikov 2016, arXiv:1609.00408). Here the detail is thrown away in proportion to the face: three
means along it, whatever its size, with a smooth way from one to the next, so that it looks soft rather than
broken.
"""

from __future__ import annotations

import cv2
import numpy as np

from gclf_live.records import F32, U8

_REACH = 1.65
"""Size of the oval relative to the box, which ends at the forehead, the ears and the chin. From the square
root of 2 on, the oval holds all of the box."""
_CELLS = 5
"""Means along the longer side of the oval: three along that of the box."""
_EDGE = 0.12
"""Share of the oval's radius, at its rim, in which the picture comes back."""


def obscure(plane: U8, box: tuple[int, int, int, int], *, scale: float = 1.0) -> None:
    """Replace an oval around ``box`` by a few means of what it shows, in place.

    Args:
        plane: uint8, shape (H, W) or (H, W, 3); writable, need not be contiguous.
        box: x1 y1 x2 y2 in pixels, x2 and y2 exclusive; it may reach out of the picture.
        scale: size of a pixel of ``box`` in pixels of ``plane``: 0.5 for colours at half the size.
    """
    x1, y1, x2, y2 = (value * scale for value in box)
    if x2 <= x1 or y2 <= y1:
        return
    centre = ((x1 + x2) / 2, (y1 + y2) / 2)
    radius = ((x2 - x1) / 2 * _REACH, (y2 - y1) / 2 * _REACH)
    left, top = (max(0, int(np.floor(c - r))) for c, r in zip(centre, radius, strict=True))
    right = min(plane.shape[1], int(np.ceil(centre[0] + radius[0])))
    bottom = min(plane.shape[0], int(np.ceil(centre[1] + radius[1])))
    if right <= left or bottom <= top:
        return
    part = plane[top:bottom, left:right]
    # The size of a mean follows the face, not the part of it that is in the picture.
    cell = max(1.0, 2 * max(radius) / _CELLS)
    cells = (max(1, round((right - left) / cell)), max(1, round((bottom - top) / cell)))
    size = (right - left, bottom - top)
    means = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
    soft = cv2.resize(means, size, interpolation=cv2.INTER_LINEAR).astype(np.float32)
    cover = _oval(size, centre=(centre[0] - left, centre[1] - top), radius=radius)
    cover = cover if plane.ndim == 2 else cover[..., None]
    part[...] = np.rint(part + cover * (soft - part)).astype(np.uint8)


def _oval(size: tuple[int, int], *, centre: tuple[float, float], radius: tuple[float, float]) -> F32:
    """How much of each pixel is replaced: float32 (height, width), 1 inside and 0 outside."""
    across = (np.arange(size[0], dtype=np.float32) + 0.5 - centre[0]) / radius[0]
    down = (np.arange(size[1], dtype=np.float32) + 0.5 - centre[1]) / radius[1]
    distance = np.hypot(across[None, :], down[:, None])
    return np.asarray(np.clip((1 - distance) / _EDGE, 0, 1), np.float32)
