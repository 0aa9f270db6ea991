"""From a picture to the frame that the encoder takes: 4:2:0, limited range, sides of even length."""

from __future__ import annotations

import av
import cv2
import numpy as np
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)

from gclf_live.media.decoded import ColourTags
from gclf_live.records import I420, U8, Matrix

HD_COLOURS = ColourTags(Matrix.BT709, int(ColorPrimaries.BT709), int(ColorTrc.BT709))
"""What a video gets whose source says nothing that could be kept."""

_CODES = {Matrix.BT709: 1, Matrix.BT601: 6}  # AVCOL_SPC_BT709, AVCOL_SPC_SMPTE170M
# PyAV's Colorspace counts as swscale does.
_SWSCALE_CODES = {Matrix.BT709: Colorspace.ITU709, Matrix.BT601: Colorspace.ITU601}
# swscale's fast path darkens by up to 3 levels and tints grey; this one is right to 1 and costs the same.
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP


class Encodable:
    """Makes frames of one size and with one meaning of their colours."""

    def __init__(self, *, width_px: int, height_px: int, colours: ColourTags) -> None:
        """Args:
        width_px, height_px: of the pictures; an odd side gets one more column or row.
        colours: what BGR pictures are converted to, and what planes must have.
        """
        self._size = (width_px, height_px)
        self._colours = colours
        self._reformatter = VideoReformatter()

    def set_up(self, context: VideoCodecContext) -> None:
        """Tell an encoder what it will get."""
        context.width, context.height = (side + side % 2 for side in self._size)
        context.pix_fmt = "yuv420p"
        context.color_range = ColorRange.MPEG
        context.colorspace = _CODES[self._colours.matrix]
        context.color_primaries = self._colours.primaries
        context.color_trc = self._colours.transfer

    def frame(self, picture: U8 | I420) -> av.VideoFrame:
        """The frame of a picture: uint8, shape (height_px, width_px, 3), BGR, or planes, used as they are.

        Raises:
            ValueError: the picture has another size, or planes have other colours.
        """
        self._check(picture)
        if isinstance(picture, I420):
            return av.VideoFrame.from_numpy_buffer(picture.pixels, format="yuv420p")
        height, width = picture.shape[:2]
        if height % 2 or width % 2:  # 4:2:0 stores one colour for 2x2 pixels
            padded = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
            picture = np.asarray(padded, np.uint8)
        return self._reformatter.reformat(
            av.VideoFrame.from_numpy_buffer(np.ascontiguousarray(picture), format="bgr24"),
            format="yuv420p",
            src_color_range=ColorRange.JPEG,
            dst_colorspace=_SWSCALE_CODES[self._colours.matrix],
            dst_color_range=ColorRange.MPEG,
            interpolation=_EXACT,
        )

    def _check(self, picture: U8 | I420) -> None:
        width, height = self._size
        if isinstance(picture, I420):
            if (picture.width_px, picture.height_px) != self._size or picture.matrix != self._colours.matrix:
                got = f"{picture.height_px}x{picture.width_px} {picture.matrix}"
                raise ValueError(f"frame is {got}; this file takes {height}x{width} {self._colours.matrix}")
        elif picture.shape != (height, width, 3) or picture.dtype != np.uint8:
            got = f"{picture.dtype} {picture.shape}"
            raise ValueError(f"frame is {got}; this file takes uint8 {height}x{width}x3")
