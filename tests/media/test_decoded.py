"""Frames that are converted only where it is needed, and planes that pass through untouched."""

from __future__ import annotations

import gc
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_makers import corners, make_video, plain

from gclf_live.media.decoded import ColourTags
from gclf_live.media.reader import VideoReader
from gclf_live.media.writer import EncoderSettings, VideoWriter
from gclf_live.records import I420, Matrix


def _planes(path: Path) -> list[np.ndarray]:
    with av.open(path) as container:
        return [frame.to_ndarray() for frame in container.decode(video=0)]


def _tagged(path: Path, *, colorspace: int, color_range: int = 1, pix_fmt: str = "yuv420p") -> Path:
    """Six frames of noise that say what their numbers stand for."""
    rng = np.random.default_rng(1)
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=30, options={"crf": "10", "threads": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, pix_fmt
        stream.codec_context.colorspace = colorspace
        stream.codec_context.color_range = color_range
        for i in range(6):
            image = rng.integers(0, 255, (6, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
            frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(format=pix_fmt)
            frame.pts, frame.time_base = i, Fraction(1, 30)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("colorspace", "matrix"), [(1, Matrix.BT709), (6, Matrix.BT601), (5, Matrix.BT601), (2, Matrix.BT601)]
)
def test_planes_pass_through_a_copy_untouched(tmp_path: Path, colorspace: int, matrix: Matrix) -> None:
    source, target = _tagged(tmp_path / "in.mp4", colorspace=colorspace), tmp_path / "out.mp4"
    lossless = EncoderSettings(crf=0, threads=1)
    with VideoReader(source) as reader, VideoWriter.like(reader, target, settings=lossless) as writer:
        assert reader.info.colours is not None
        assert reader.info.colours.matrix is matrix
        for frame in reader.decoded():
            planes = frame.i420(reader.info.colours)
            assert planes is not None
            writer.write(planes, frame.pts_s)
    before, after = _planes(source), _planes(target)
    assert len(before) == len(after) == 6
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    with av.open(target) as container:
        assert container.streams.video[0].codec_context.colorspace == (1 if matrix is Matrix.BT709 else 6)


@pytest.mark.parametrize("colorspace", [1, 6])
def test_bgr_pictures_are_converted_with_the_files_own_matrix(tmp_path: Path, colorspace: int) -> None:
    source, target = _tagged(tmp_path / "in.mp4", colorspace=colorspace), tmp_path / "out.mp4"
    with VideoReader(source) as reader, VideoWriter.like(reader, target) as writer:
        for frame in reader.decoded():
            writer.write(plain(64, 48, (30, 60, 200)), frame.pts_s)
    for frame in VideoReader(target):
        assert np.abs(frame.image[20, 20].astype(int) - (30, 60, 200)).max() <= 6


def test_copied_planes_are_the_callers_own(tmp_path: Path) -> None:
    """Later frames are predicted from earlier ones: what is drawn must not leak into them."""
    path = make_video(tmp_path / "a.mp4", frames=12)
    clean = [frame.image.copy() for frame in VideoReader(path)]
    reader = VideoReader(path)
    for frame, wanted in zip(reader.decoded(), clean, strict=True):
        planes = frame.i420(reader.info.colours)
        assert planes is not None
        planes.pixels[:] = 255
        assert np.array_equal(frame.image, wanted)


@pytest.mark.parametrize(
    "what",
    [{"rotation": 90}, {"pix_fmt": "yuv444p"}, {"pix_fmt": "yuv420p10le"}, {"pix_fmt": "yuv422p"}],
    ids=str,
)
def test_what_is_stored_otherwise_has_no_planes(tmp_path: Path, what: dict[str, object]) -> None:
    reader = VideoReader(make_video(tmp_path / "a.mp4", frames=2, **what))  # type: ignore[arg-type]
    assert reader.info.colours is None
    assert all(frame.i420(ColourTags(Matrix.BT601)) is None for frame in reader.decoded())


def test_full_range_has_no_planes(tmp_path: Path) -> None:
    path = _tagged(tmp_path / "a.mp4", colorspace=1, color_range=2, pix_fmt="yuvj420p")
    assert VideoReader(path).info.colours is None


def test_planes_of_other_colours_are_not_given(tmp_path: Path) -> None:
    reader = VideoReader(_tagged(tmp_path / "a.mp4", colorspace=6))
    frame = next(reader.decoded())
    assert frame.colours is not None
    assert frame.i420(ColourTags(Matrix.BT709)) is None
    assert isinstance(frame.i420(frame.colours), I420)
    reader.close()


def test_writer_refuses_planes_that_are_not_its_own(tmp_path: Path) -> None:
    with VideoWriter(tmp_path / "a.mp4", width_px=64, height_px=48, time_base=Fraction(1, 30)) as writer:
        writer.write(plain(64, 48, 9), 0.0)
        with pytest.raises(ValueError, match="bt601"):
            writer.write(I420(np.zeros((72, 64), np.uint8), Matrix.BT601), 0.1)
        with pytest.raises(ValueError, match="48x64"):
            writer.write(I420(np.zeros((36, 64), np.uint8), Matrix.BT709), 0.1)


def test_preview_shows_the_same_picture_smaller(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", images=[corners(640, 360)] * 2, size=(640, 360))
    first, second = VideoReader(path).decoded()
    small = first.preview(64, 36)
    assert small.shape == (36, 64, 3)
    large = second.image
    assert second.preview(64, 36) is large, "what is converted already costs nothing"
    for y, x in ((9, 16), (9, 48), (27, 16), (27, 48)):
        assert np.abs(small[y, x].astype(int) - large[10 * y, 10 * x]).max() <= 4


@pytest.mark.parametrize("colorspace", [1, 6, 2])
def test_preview_has_the_colours_of_the_picture(tmp_path: Path, colorspace: int) -> None:
    path = _tagged(tmp_path / "a.mp4", colorspace=colorspace)
    with VideoReader(path) as reader:
        frame = next(reader.decoded())
        small = frame.preview(32, 24).astype(int)
        large = frame.image.astype(int)
    # In the middle of the plain blocks of 8 pixels, which are 4 in the preview.
    difference = np.abs(small[2::4, 2::4] - large[4::8, 4::8])
    assert difference.mean() < 3
    assert difference.max() < 30


def test_preview_of_a_turned_recording_is_upright(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", images=[corners(64, 48)], rotation=90)
    (frame,) = VideoReader(path).decoded()
    assert frame.preview(16, 12).shape == frame.image.shape == (64, 48, 3)


def _frames_alive() -> int:
    return sum(type(thing) is av.VideoFrame for thing in gc.get_objects())


def test_frames_are_let_go_at_once(tmp_path: Path) -> None:
    """A frame of 4K is 12 MB: none may wait for the garbage collector."""
    reader = VideoReader(make_video(tmp_path / "a.mp4", frames=40))
    gc.collect()
    before = _frames_alive()
    gc.disable()
    try:
        shapes = [frame.image.shape for frame in reader.decoded()]
        alive = _frames_alive() - before
    finally:
        gc.enable()
    assert len(shapes) == 40
    assert alive <= 4
