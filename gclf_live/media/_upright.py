"""A decoded frame as an upright BGR picture of one fixed size with square pixels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from threading import Lock
from typing import cast

import av
import cv2
import numpy as np
from av.sidedata.sidedata import SideData
from av.video.reformatter import (
    ColorPrimaries,
    ColorRange,
    Colorspace,
    ColorTrc,
    Interpolation,
    VideoReformatter,
)

from gclf_live.records import U8, Matrix

_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
_HD_HEIGHT_PX = 720
# What swscale does by default is wrong by a level on average and by three at worst, in a fifth of the time.
_EXACT = Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
# AVCOL_SPC_BT709, _BT470BG and _SMPTE170M; the last two are the same matrix.
_MATRICES = {1: Matrix.BT709, 5: Matrix.BT601, 6: Matrix.BT601}
# ITU-R BT.2100-2: perceptual quantisation and hybrid log-gamma.
_HDR_CURVES = {int(ColorTrc.SMPTE2084): "PQ", int(ColorTrc.ARIB_STD_B67): "HLG"}


@dataclass(frozen=True, slots=True)
class Orientation:
    """How a stored picture is turned for showing: transposed first, then mirrored."""

    transpose: bool = False
    flip_x: bool = False
    flip_y: bool = False
    clockwise_deg: int = 0

    def apply(self, image: U8) -> U8:
        """The picture (H, W, 3) as it is to be seen: (H, W, 3), or (W, H, 3) where it lay on its side."""
        if self.transpose:
            image = np.asarray(cv2.transpose(image), np.uint8)
        if self.flip_x or self.flip_y:
            # OpenCV's codes: 1 mirrors left and right, 0 top and bottom, -1 both.
            code = -1 if self.flip_x and self.flip_y else int(self.flip_x)
            image = np.asarray(cv2.flip(image, code), np.uint8)
        return image


def orientation_of(frame: av.VideoFrame) -> Orientation:
    """Read the display matrix of a frame; upright where it has none.

    The matrix maps a stored pixel (x, y) to (a*x + c*y, b*x + d*y) on the screen, y down. Phones write
    the eight quarter turns and mirrorings; anything between is taken as the nearest of them.
    """
    # PyAV's stub knows motion vectors only; at run time this is a mapping of all kinds of side data.
    side_data = cast("Mapping[str, SideData]", frame.side_data).get("DISPLAYMATRIX")
    if side_data is None:
        return Orientation()
    matrix = np.frombuffer(bytes(side_data), np.int32)
    a, b, c, d = (int(matrix[i]) for i in (0, 1, 3, 4))
    angle = round(math.degrees(math.atan2(b, a)) / 90) * 90 % 360
    if abs(b) > abs(a):
        return Orientation(transpose=True, flip_x=c < 0, flip_y=b < 0, clockwise_deg=angle)
    return Orientation(flip_x=a < 0, flip_y=d < 0, clockwise_deg=angle)


def square_size(width: int, height: int, aspect: Fraction | None) -> tuple[int, int]:
    """Width and height in square pixels: one side grows, none shrinks.

    ``aspect`` is width to height of a stored pixel; None is square.
    """
    if not aspect or not Fraction(1, 16) <= aspect <= 16:
        return width, height
    if aspect >= 1:
        return round(width * aspect), height
    return width, round(height / aspect)


@dataclass(frozen=True, slots=True)
class Placement:
    """How one frame of a video comes to be an upright picture.

    Attributes:
        orientation: how it is turned.
        size: width and height in square pixels before that.
        canvas: width and height of every picture of the video; where this frame's is another, it is scaled to
            fit, undistorted, on black.
    """

    orientation: Orientation
    size: tuple[int, int]
    canvas: tuple[int, int]

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height of the upright frame."""
        return self.size[::-1] if self.orientation.transpose else self.size

    def keeps(self, frame: av.VideoFrame) -> bool:
        """Whether the picture is the frame as it is stored."""
        stored = (frame.width, frame.height)
        return self.orientation == Orientation() and stored == self.size == self.canvas


class Uprighter:
    """Turns the frames of one video into BGR pictures of the size that its first frame has.

    It may be used by several threads at once.
    """

    def __init__(self) -> None:
        # One for each size, as a converter is set up anew whenever that changes; one thread at a time.
        self._converters: dict[tuple[int, int], tuple[Lock, VideoReformatter]] = {}
        self._canvas: tuple[int, int] | None = None
        self._turned: tuple[int, Orientation] | None = None

    def place(self, frame: av.VideoFrame, aspect: Fraction | None) -> Placement:
        """Measure a frame; the first one that is measured decides the size of all pictures.

        Args:
            frame: as decoded.
            aspect: width to height of a stored pixel; None is square.
        """
        orientation = self._orientation(frame)
        size = square_size(frame.width, frame.height, aspect)
        if self._canvas is None:
            self._canvas = size[::-1] if orientation.transpose else size
        return Placement(orientation, size, self._canvas)

    def _orientation(self, frame: av.VideoFrame) -> Orientation:
        """As ``orientation_of``, asked again only where the angle changes.

        In PyAV a frame and its side data refer to each other once that is asked for, and live on until the
        garbage collector comes by: at one question a frame that was 300 MB of 720p video.
        """
        turned = self._turned
        if turned is None or turned[0] != frame.rotation:
            turned = self._turned = (frame.rotation, orientation_of(frame))
        return turned[1]

    def convert(self, frame: av.VideoFrame, placement: Placement, *, exact: bool = False) -> U8:
        """One upright picture: uint8, shape (H, W, 3), BGR, of the size ``placement.canvas``.

        Args:
            frame: as decoded.
            placement: of this frame.
            exact: no colour may be off by a level, for pictures that are encoded again.
        """
        if placement.shown == placement.canvas:
            return placement.orientation.apply(self._to_bgr(frame, placement.size, exact=exact))
        fitted = _fit(placement.shown, placement.canvas)
        stored = fitted[::-1] if placement.orientation.transpose else fitted
        picture = placement.orientation.apply(self._to_bgr(frame, stored, exact=exact))
        return _letterbox(picture, placement.canvas)

    def reduce(self, frame: av.VideoFrame, size: tuple[int, int]) -> U8:
        """A frame that is kept as it is in another width and height: uint8, (height, width, 3), BGR."""
        return self._to_bgr(frame, size)

    def _to_bgr(self, frame: av.VideoFrame, size: tuple[int, int], *, exact: bool = False) -> U8:
        """Convert and scale in one pass of swscale."""
        lock, converter = self._converters.setdefault(size, (Lock(), VideoReformatter()))
        with lock:
            picture = converter.reformat(
                frame,
                width=size[0],
                height=size[1],
                format="bgr24",
                src_colorspace=_colorspace(frame),
                dst_color_range=ColorRange.JPEG,
                interpolation=_interpolation(frame, size, exact=exact),
                **_standard_range(frame),
            )
        return np.asarray(picture.to_ndarray(), np.uint8)


def _interpolation(frame: av.VideoFrame, size: tuple[int, int], *, exact: bool) -> Interpolation:
    shrinks = size[0] < frame.width or size[1] < frame.height
    kind = Interpolation.AREA if shrinks else Interpolation.BILINEAR
    return kind | _EXACT if exact else kind


def hdr_curve(frame: av.VideoFrame) -> str | None:
    """``PQ`` or ``HLG`` where the brightness of a frame is high dynamic range, else None."""
    return _HDR_CURVES.get(int(frame.color_trc))


def _standard_range(frame: av.VideoFrame) -> dict[str, ColorTrc | ColorPrimaries]:
    """What makes swscale map an HDR frame to BT.709; nothing for others, which it would slow down.

    Reference white (203 cd/m2, ITU-R BT.2408-7) becomes white, and what is brighter is cut. It takes 12 ms at
    720p instead of 1.4, and once for each size a second or two to work out its table.
    """
    if hdr_curve(frame) is None:
        return {}
    return {"dst_color_trc": ColorTrc.BT709, "dst_color_primaries": ColorPrimaries.BT709}


def matrix_of(frame: av.VideoFrame) -> Matrix | None:
    """The matrix that a frame was made with, None for any other than these two, and for HDR.

    An untagged one is taken as players do: BT.709 for HD and BT.601 below.
    """
    if hdr_curve(frame) is not None:
        return None
    if frame.colorspace == _UNSPECIFIED:
        return Matrix.BT709 if min(frame.height, frame.width) >= _HD_HEIGHT_PX else Matrix.BT601
    return _MATRICES.get(int(frame.colorspace))


def _colorspace(frame: av.VideoFrame) -> int | None:
    """The matrix of an untagged video for swscale; None where it can read it from the frame."""
    if frame.colorspace != _UNSPECIFIED or not frame.format.name.startswith(("yuv", "nv")):
        return None
    if hdr_curve(frame) is not None:
        return int(Colorspace.BT2020)
    return int(Colorspace.ITU709 if matrix_of(frame) is Matrix.BT709 else Colorspace.ITU601)


def _fit(size: tuple[int, int], into: tuple[int, int]) -> tuple[int, int]:
    scale = min(into[0] / size[0], into[1] / size[1])
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _letterbox(image: U8, size: tuple[int, int]) -> U8:
    height, width = image.shape[:2]
    canvas = np.zeros((size[1], size[0], 3), np.uint8)
    top, left = (size[1] - height) // 2, (size[0] - width) // 2
    canvas[top : top + height, left : left + width] = image
    return canvas
