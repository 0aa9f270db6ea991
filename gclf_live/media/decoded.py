"""A frame as the decoder left it, converted only where and as far as somebody needs it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import av
import numpy as np
from av.video.reformatter import ColorRange

from gclf_live.media._planes import can_be_sampled, sampled
from gclf_live.media._upright import Uprighter, matrix_of
from gclf_live.records import I420, U8, Matrix

_PLANES = ("yuv420p", "nv12")
"""8-bit 4:2:0: three planes, or two with the colours side by side, as hardware has them."""


@dataclass(frozen=True, slots=True)
class ColourTags:
    """What the numbers of a limited-range 4:2:0 video stand for.

    Attributes:
        matrix: how brightness and colours were mixed.
        primaries, transfer: FFmpeg's ``AVColorPrimaries`` and ``AVColorTransferCharacteristic``, where 2 is
            unspecified.
    """

    matrix: Matrix
    primaries: int = 2
    transfer: int = 2


class DecodedFrame:
    """One frame of a file, upright.

    Attributes:
        pts_s: presentation time in seconds.
        index: position in the file, from 0.
    """

    def __init__(
        self, frame: av.VideoFrame, uprighter: Uprighter, aspect: Fraction | None, *, pts_s: float, index: int
    ) -> None:
        """Wrap ``frame``; ``aspect`` is width to height of a stored pixel, None for square ones."""
        self.pts_s, self.index = pts_s, index
        self._frame, self._uprighter = frame, uprighter
        self._placement = uprighter.place(frame, aspect)

    @cached_property
    def image(self) -> U8:
        """The upright picture: uint8, shape (H, W, 3), BGR."""
        # What gives no planes is drawn on and encoded as this picture.
        return self._uprighter.convert(self._frame, self._placement, exact=self.colours is None)

    def preview(self, width_px: int, height_px: int) -> U8:
        """The upright picture in about this size, or as it is where that costs less.

        Returns:
            uint8, shape (height_px, width_px, 3) or that of ``image``, BGR.
        """
        smaller = width_px < self._frame.width and height_px < self._frame.height
        if "image" in self.__dict__ or not (smaller and self._placement.keeps(self._frame)):
            return self.image
        if self.colours is not None and can_be_sampled(self._frame):
            return sampled(self._frame, (width_px, height_px), self.colours.matrix)
        return self._uprighter.reduce(self._frame, (width_px, height_px))

    @cached_property
    def colours(self) -> ColourTags | None:
        """What the planes stand for, where ``i420`` can give them; else None."""
        frame = self._frame
        plain = frame.format.name in _PLANES and frame.color_range != ColorRange.JPEG
        # PyAV makes no frame of planes in which colours have a single row.
        even = frame.width % 2 == 0 and frame.height % 2 == 0 and frame.height > 2
        matrix = matrix_of(frame)
        if not (plain and even and matrix is not None and self._placement.keeps(frame)):
            return None
        return ColourTags(matrix, int(frame.color_primaries), int(frame.color_trc))

    def i420(self, colours: ColourTags | None) -> I420 | None:
        """A copy of the planes.

        Args:
            colours: what they must stand for.

        Returns:
            None where the picture is not stored upright in limited-range 8-bit 4:2:0 with these colours.
        """
        if self.colours is None or self.colours != colours:
            return None
        pixels = np.asarray(self._frame.to_ndarray(), np.uint8)
        if self._frame.format.name == "nv12":
            height, width = self._frame.height, self._frame.width
            pairs = pixels[height:].reshape(height // 2, width // 2, 2)
            parted = [pixels[:height].ravel(), pairs[..., 0].ravel(), pairs[..., 1].ravel()]
            pixels = np.concatenate(parted).reshape(height * 3 // 2, width)
        return I420(pixels, self.colours.matrix)
