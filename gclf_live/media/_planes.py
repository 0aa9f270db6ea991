"""The planes of a decoded 4:2:0 frame, read where the decoder left them."""

from __future__ import annotations

from functools import lru_cache

import av
import cv2
import numpy as np

from gclf_live.records import F32, U8, Matrix


def can_be_sampled(frame: av.VideoFrame) -> bool:
    """Whether ``sampled`` takes the frame: three planes of 8 bits, the rows of each from top to bottom."""
    return frame.format.name == "yuv420p" and all(plane.line_size >= plane.width for plane in frame.planes)


def sampled(frame: av.VideoFrame, size: tuple[int, int], matrix: Matrix) -> U8:
    """A frame in a smaller size, from four pixels of it for each of the picture's.

    swscale, which averages over all pixels, takes twice the processor time, some of it in threads of its own.

    Args:
        frame: one that ``can_be_sampled``, in limited range.
        size: width and height.
        matrix: how its colours were mixed.

    Returns:
        uint8, shape (height, width, 3), BGR.
    """
    mixed = cv2.merge([cv2.resize(_plane(frame, i), size) for i in range(3)])
    return np.asarray(cv2.transform(mixed, _to_bgr(matrix)), np.uint8)


def _plane(frame: av.VideoFrame, i: int) -> U8:
    plane = frame.planes[i]
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
    return np.asarray(rows[: plane.height, : plane.width], np.uint8)


@lru_cache(maxsize=2)
def _to_bgr(matrix: Matrix) -> F32:
    """From limited-range brightness and colours (and 1) to blue, green, red: float32 (3, 4)."""
    red, blue = matrix.luma_weights
    green = 1 - red - blue
    by_blue, by_red = 2 * (1 - blue), 2 * (1 - red)
    mix = np.array(
        [
            [255 / 219, 255 / 224 * by_blue, 0],
            [255 / 219, -255 / 224 * by_blue * blue / green, -255 / 224 * by_red * red / green],
            [255 / 219, 0, 255 / 224 * by_red],
        ]
    )
    return np.column_stack([mix, mix @ [-16, -128, -128]]).astype(np.float32)
