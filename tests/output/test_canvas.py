"""Canvases: a BGR picture and the planes of a video frame look alike once drawn on."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace
from hypothesis import given, settings
from hypothesis import strategies as st

from gclf_live.output.canvas import BgrCanvas, PlanarCanvas, make_canvas
from gclf_live.output.overlay import Overlay
from gclf_live.records import I420, U8, FrameResult, Matrix

MakeResult: TypeAlias = Callable[..., FrameResult]
SWSCALE = {Matrix.BT601: Colorspace.ITU601, Matrix.BT709: Colorspace.ITU709}


def _grey(width: int = 320, height: int = 180, matrix: Matrix = Matrix.BT709) -> I420:
    pixels = np.full((height * 3 // 2, width), 128, np.uint8)
    return I420(pixels, matrix)


def _to_bgr(picture: I420) -> U8:
    """What a player shows: FFmpeg's own conversion."""
    frame = av.VideoFrame.from_ndarray(picture.pixels, format="yuv420p")
    shown = frame.reformat(
        format="bgr24",
        src_colorspace=SWSCALE[picture.matrix],
        src_color_range=ColorRange.MPEG,
        dst_color_range=ColorRange.JPEG,
    )
    return np.asarray(shown.to_ndarray(), np.uint8)


@pytest.mark.parametrize("matrix", list(Matrix))
@pytest.mark.parametrize("label", ["female", "male", "unsure"])
def test_planes_and_bgr_look_alike(make_result: MakeResult, matrix: Matrix, label: str) -> None:
    planar = _grey(matrix=matrix)
    image = _to_bgr(planar)
    result = make_result([(101, 63, 180, 150), (240, 1, 330, 90)], labels=[label] * 2)
    for picture in (planar, image):
        Overlay().draw(picture, result, status="30 fps")
    difference = np.abs(_to_bgr(planar).astype(int) - image).max(axis=2)
    untouched = (image == image[0, 0]).all(axis=2)
    # Lines at odd places and the edges of letters share their colour with a neighbour.
    assert np.percentile(difference[~untouched], 70) <= 6
    assert difference.mean() < 4


@pytest.mark.parametrize(
    ("matrix", "red"), [(Matrix.BT601, (81, 90, 240)), (Matrix.BT709, (63, 102, 240))], ids=str
)
def test_colours_are_those_of_the_standard(matrix: Matrix, red: tuple[int, int, int]) -> None:
    wanted = {(255, 255, 255): (235, 128, 128), (0, 0, 0): (16, 128, 128), (0, 0, 255): red}
    for colour, values in wanted.items():
        filled, pasted = _grey(matrix=matrix), _grey(matrix=matrix)
        PlanarCanvas(filled).fill((0, 0, 20, 20), colour)
        PlanarCanvas(pasted).paste(np.full((20, 20, 3), colour, np.uint8), 0, 0)
        for picture in (filled, pasted):
            got = [int(plane[4, 4]) for plane in picture.planes()]
            assert np.abs(np.subtract(got, values)).max() <= 1


@settings(max_examples=80, deadline=None)
@given(
    half=st.tuples(st.integers(1, 40), st.integers(1, 30)),
    corner=st.tuples(st.integers(-90, 90), st.integers(-90, 90)),
    size=st.tuples(st.integers(-3, 120), st.integers(-3, 120)),
)
def test_filled_rectangle_covers_its_pixels_and_at_most_one_more_of_colour(
    half: tuple[int, int], corner: tuple[int, int], size: tuple[int, int]
) -> None:
    picture = _grey(2 * half[0], 2 * half[1])
    (x, y), (width, height) = corner, size
    PlanarCanvas(picture).fill((x, y, x + width, y + height), (0, 0, 255))
    luma, blue, _ = picture.planes()
    rows, columns = np.mgrid[: luma.shape[0], : luma.shape[1]]
    inside = (columns >= x) & (columns < x + width) & (rows >= y) & (rows < y + height)
    assert np.array_equal(luma != 128, inside)
    quarters = inside.reshape(half[1], 2, half[0], 2).any(axis=(1, 3))
    assert np.array_equal(blue != 128, quarters)


@settings(max_examples=80, deadline=None)
@given(
    half=st.tuples(st.integers(1, 40), st.integers(1, 30)),
    at=st.tuples(st.integers(-90, 90), st.integers(-90, 90)),
    size=st.tuples(st.integers(1, 90), st.integers(1, 90)),
)
def test_plate_lands_where_it_does_in_bgr(
    half: tuple[int, int], at: tuple[int, int], size: tuple[int, int]
) -> None:
    picture = _grey(2 * half[0], 2 * half[1])
    image = np.zeros((2 * half[1], 2 * half[0], 3), np.uint8)
    plate = np.full((size[1], size[0], 3), 255, np.uint8)
    PlanarCanvas(picture).paste(plate, *at)
    BgrCanvas(image).paste(plate, *at)
    assert np.array_equal(picture.planes()[0] == 235, image[..., 0] == 255)


def test_read_only_and_foreign_pictures_are_refused() -> None:
    picture = _grey()
    picture.pixels.setflags(write=False)
    with pytest.raises(ValueError, match="read-only"):
        make_canvas(picture)
    with pytest.raises(ValueError, match="uint8 HxWx3"):
        make_canvas(np.zeros((4, 4), np.uint8))


@pytest.mark.parametrize("shape", [(8, 4), (9, 5)])
def test_planes_of_an_impossible_shape_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="contiguous"):
        I420(np.zeros(shape, np.uint8), Matrix.BT709)
