"""A face as it is kept in results: a small JPEG file."""

from __future__ import annotations

import cv2
import numpy as np

from gclf_live.records import U8

_LONGEST_PX = 96
"""Enough to see who is meant, at about 3 kB each."""
_QUALITY = 85


def small_jpeg(crop: U8) -> bytes:
    """A crop, uint8, shape (H, W, 3), BGR, as a JPEG file of at most 96 px a side.

    Raises:
        ValueError: the crop has another shape.
    """
    if crop.dtype != np.uint8 or crop.ndim != 3 or crop.shape[2] != 3 or not crop.size:
        raise ValueError(f"crop is {crop.dtype} {crop.shape}; it must be uint8 HxWx3")
    scale = _LONGEST_PX / max(crop.shape[:2])
    if scale < 1:
        crop = np.asarray(cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    _, encoded = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return encoded.tobytes()
