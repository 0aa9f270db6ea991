"""Decoding and encoding by an NVIDIA card: what its frames come to, and what is said where there is none."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from media_makers import frame_times, make_video, plain

from gclf_live.errors import DeviceError, SourceError
from gclf_live.media._upright import Uprighter
from gclf_live.media.decoded import DecodedFrame
from gclf_live.media.encoder import EncoderSettings
from gclf_live.media.hardware import Hardware
from gclf_live.media.reader import VideoReader
from gclf_live.media.writer import VideoWriter

_SIZES = ((0, (80, 64)), (1, (40, 32)), (3, (40, 32)))
without_card = pytest.mark.skipif(torch.cuda.is_available(), reason="there is an NVIDIA card")


def _decoded(frame: av.VideoFrame) -> DecodedFrame:
    return DecodedFrame(frame, Uprighter(), None, pts_s=0.0, index=0)


def test_frames_of_two_planes_are_those_of_three() -> None:
    # Smooth: where colours jump from pixel to pixel, swscale interpolates the two layouts differently.
    coarse = np.random.default_rng(1).integers(60, 200, (6, 5), np.uint8)
    planes = [np.asarray(cv2.resize(coarse[i : i + 3], size), np.uint8) for i, size in _SIZES]
    pixels = np.concatenate([plane.ravel() for plane in planes]).reshape(96, 80)
    three = av.VideoFrame.from_ndarray(pixels, format="yuv420p")
    two = three.reformat(format="nv12")
    for frame in (three, two):
        frame.colorspace, frame.color_range = 1, 1  # BT.709, limited
    there, here = _decoded(three), _decoded(two)
    assert there.colours == here.colours
    assert there.colours is not None
    wanted, others = there.i420(there.colours), here.i420(here.colours)
    assert wanted is not None
    assert others is not None
    np.testing.assert_array_equal(wanted.pixels, others.pixels)
    assert np.abs(there.image.astype(int) - here.image).mean() < 1


@without_card
def test_decoder_that_is_not_there_is_refused_and_not_replaced(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "a.mp4", frames=3)
    with pytest.raises(DeviceError, match=r"--hwaccel cuda: no NVIDIA card here decodes .*a\.mp4.*Leave out"):
        VideoReader(clip, hardware=Hardware.CUDA)


@without_card
def test_what_is_wrong_with_the_file_itself_is_told_first(tmp_path: Path) -> None:
    text = tmp_path / "a.mp4"
    text.write_text("no video at all " * 100)
    with pytest.raises(SourceError, match="cannot read"):
        VideoReader(text, hardware=Hardware.CUDA)


@without_card
def test_encoder_that_is_not_there_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match=r"--hwaccel cuda: no NVIDIA card here encodes H\.264 .*Leave out"):
        VideoWriter(
            tmp_path / "a.mp4",
            width_px=64,
            height_px=48,
            time_base=Fraction(1, 30),
            settings=EncoderSettings(hardware=Hardware.CUDA),
        )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.gpu
def test_card_decodes_and_encodes(tmp_path: Path) -> None:
    clip = make_video(tmp_path / "a.mp4", images=[plain(320, 240, 10 * i) for i in range(20)])
    copy = tmp_path / "b.mp4"
    settings = EncoderSettings(hardware=Hardware.CUDA)
    with (
        VideoReader(clip, hardware=Hardware.CUDA) as reader,
        VideoWriter.like(reader, copy, settings=settings) as writer,
    ):
        for frame in reader.decoded():
            planes = frame.i420(reader.info.colours)
            writer.write(frame.image if planes is None else planes, frame.pts_s)
    assert frame_times(copy) == frame_times(clip)
    with VideoReader(clip) as here, VideoReader(copy) as there:
        for one, other in zip(here, there, strict=True):
            assert np.abs(one.image.astype(int) - other.image).mean() < 3
