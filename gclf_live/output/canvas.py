"""What the overlay draws on: a BGR picture, or the planes of a video frame.

Drawing on the planes spares two conversions of the whole frame, to BGR and back, which take as long as
decoding it, and leaves every pixel that is not drawn on as it was.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import cv2
import numpy as np

from gclf_live.output.obscuring import obscure
from gclf_live.output.plates import Colour
from gclf_live.records import F32, I420, U8, Matrix


class Canvas(Protocol):
    """A picture and the ways to draw on it. Nothing is drawn outside of it."""

    @property
    def width_px(self) -> int:
        """Number of columns."""

    @property
    def height_px(self) -> int:
        """Number of rows."""

    def fill(self, box: tuple[int, int, int, int], colour: Colour) -> None:
        """Fill the part of the rectangle ``x1 y1 x2 y2`` (x2 and y2 exclusive) that lies in the picture."""

    def paste(self, plate: U8, x: int, y: int) -> None:
        """Copy ``plate``, uint8 (h, w, 3) BGR, to column ``x`` and row ``y``.

        It is moved inside the picture, and cut at the right and below where it is larger than that.
        """

    def obscure(self, box: tuple[int, int, int, int]) -> None:
        """Make the face in the rectangle unrecognisable, as ``obscuring.obscure`` says."""


class BgrCanvas:
    """A picture as uint8, shape (H, W, 3), BGR, which need not be contiguous: a mirrored view will do."""

    def __init__(self, image: U8) -> None:
        """Draw on ``image`` in place.

        Raises:
            ValueError: it is something else, or read-only.
        """
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.flags.writeable:
            access = "" if image.flags.writeable else "read-only "
            raise ValueError(f"image is {access}{image.dtype} {image.shape}; it must be writable uint8 HxWx3")
        self._image = image
        self.height_px, self.width_px = image.shape[:2]

    def fill(self, box: tuple[int, int, int, int], colour: Colour) -> None:
        """See ``Canvas``."""
        x1, y1, x2, y2 = _clipped(box, self)
        self._image[y1:y2, x1:x2] = colour

    def paste(self, plate: U8, x: int, y: int) -> None:
        """See ``Canvas``."""
        x, y = _moved_inside(plate, x, y, self)
        target = self._image[y : y + plate.shape[0], x : x + plate.shape[1]]
        target[...] = plate[: target.shape[0], : target.shape[1]]

    def obscure(self, box: tuple[int, int, int, int]) -> None:
        """See ``Canvas``."""
        obscure(self._image, box)


class PlanarCanvas:
    """The planes of an I420 picture. A drawn edge at an odd place colours one more pixel beside it."""

    def __init__(self, picture: I420) -> None:
        """Draw on ``picture`` in place.

        Raises:
            ValueError: it is read-only.
        """
        if not picture.pixels.flags.writeable:
            raise ValueError("the picture is read-only; it must be writable")
        self._luma, self._blue, self._red = picture.planes()
        self._matrix = picture.matrix
        self.height_px, self.width_px = self._luma.shape

    def fill(self, box: tuple[int, int, int, int], colour: Colour) -> None:
        """See ``Canvas``."""
        x1, y1, x2, y2 = _clipped(box, self)
        if x2 <= x1 or y2 <= y1:
            return
        luma, blue, red = _video_colour(colour, self._matrix)
        self._luma[y1:y2, x1:x2] = luma
        half = (slice(y1 // 2, (y2 + 1) // 2), slice(x1 // 2, (x2 + 1) // 2))
        self._blue[half] = blue
        self._red[half] = red

    def paste(self, plate: U8, x: int, y: int) -> None:
        """See ``Canvas``."""
        x, y = _moved_inside(plate, x, y, self)
        plate = plate[: self.height_px - y, : self.width_px - x]
        height, width = plate.shape[:2]
        mixed = cv2.transform(plate, _to_video(self._matrix))
        self._luma[y : y + height, x : x + width] = mixed[..., 0]
        # The plate's edges are spread over the 2x2 pixels that they share one colour with.
        down, across = y % 2, x % 2
        even = cv2.copyMakeBorder(
            mixed, down, (height + down) % 2, across, (width + across) % 2, cv2.BORDER_REPLICATE
        )
        half_size = (even.shape[1] // 2, even.shape[0] // 2)
        small = cv2.resize(even, half_size, interpolation=cv2.INTER_AREA)
        half = (slice(y // 2, y // 2 + half_size[1]), slice(x // 2, x // 2 + half_size[0]))
        self._blue[half] = small[..., 1]
        self._red[half] = small[..., 2]

    def obscure(self, box: tuple[int, int, int, int]) -> None:
        """See ``Canvas``."""
        obscure(self._luma, box)
        for plane in (self._blue, self._red):
            obscure(plane, box, scale=0.5)


def make_canvas(picture: U8 | I420) -> Canvas:
    """The canvas that belongs to ``picture``; see ``BgrCanvas`` and ``PlanarCanvas`` for what is raised."""
    return PlanarCanvas(picture) if isinstance(picture, I420) else BgrCanvas(picture)


def _clipped(box: tuple[int, int, int, int], canvas: Canvas) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = box
    return max(0, x1), max(0, y1), max(0, min(x2, canvas.width_px)), max(0, min(y2, canvas.height_px))


def _moved_inside(plate: U8, x: int, y: int, canvas: Canvas) -> tuple[int, int]:
    height, width = plate.shape[:2]
    return max(0, min(x, canvas.width_px - width)), max(0, min(y, canvas.height_px - height))


@lru_cache(maxsize=4)
def _to_video(matrix: Matrix) -> F32:
    """From (blue, green, red, 1) to brightness and colours in limited range: float32 (3, 4)."""
    red, blue = matrix.luma_weights
    luma = np.array([blue, 1 - red - blue, red])
    blue_difference = (np.array([1, 0, 0]) - luma) / (2 * (1 - blue))
    red_difference = (np.array([0, 0, 1]) - luma) / (2 * (1 - red))
    mix = np.stack([219 * luma, 224 * blue_difference, 224 * red_difference]) / 255
    return np.column_stack([mix, [16, 128, 128]]).astype(np.float32)


@lru_cache(maxsize=64)
def _video_colour(colour: Colour, matrix: Matrix) -> Colour:
    """Brightness, blue and red difference of a BGR colour."""
    luma, blue, red = np.rint(_to_video(matrix) @ np.array([*colour, 1], np.float32)).astype(int).tolist()
    return luma, blue, red
