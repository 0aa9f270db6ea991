"""HDR video: its pictures, and the copies that are made of them, are in standard range."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import ColorPrimaries, ColorTrc
from command_answers import Command
from face_makers import save_tiny_weights

from gclf_live.media.reader import VideoReader
from gclf_live.media.writer import VideoWriter

WIDTH, HEIGHT = 320, 192
REFERENCE_WHITE_CD_M2 = 203
PQ, HLG, BT709 = int(ColorTrc.SMPTE2084), int(ColorTrc.ARIB_STD_B67), int(ColorTrc.BT709)


def _pq(luminance_cd_m2: float) -> float:
    """The signal of a luminance: SMPTE ST 2084, ITU-R BT.2100-2 table 4."""
    y = (luminance_cd_m2 / 10_000) ** 0.1593017578125
    return float(((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375)


def _write(path: Path, signals: tuple[float, ...], transfer: int, *, matrix: int = 9) -> Path:
    """Three frames of grey stripes; each signal in [0, 1] has one, from left to right."""
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "1", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p10le"
        context = stream.codec_context
        context.colorspace, context.color_range, context.color_trc = matrix, 1, transfer
        context.color_primaries = int(ColorPrimaries.BT2020)
        luma = np.repeat(np.array(signals) * 876 + 64, WIDTH // len(signals)).round().astype(np.uint16)
        planes = np.concatenate(
            [np.tile(luma, HEIGHT), np.full(WIDTH * HEIGHT // 2, 512, np.uint16)]
        ).reshape(-1, WIDTH)
        for i in range(3):
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p10le")
            frame.pts, frame.time_base = i, Fraction(1, 25)
            frame.colorspace, frame.color_range, frame.color_trc = matrix, 1, transfer
            frame.color_primaries = int(ColorPrimaries.BT2020)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _stripes(image: np.ndarray, count: int) -> list[int]:
    """The grey level in the middle of each stripe; no stripe may have a tint."""
    spots = image[HEIGHT // 2, [(2 * i + 1) * WIDTH // (2 * count) for i in range(count)]].astype(int)
    assert np.ptp(spots, axis=1).max() <= 3
    return spots.mean(axis=1).round().astype(int).tolist()


@pytest.mark.parametrize("matrix", [9, 2], ids=["tagged", "without a matrix"])
def test_reference_white_of_pq_becomes_white(tmp_path: Path, matrix: int) -> None:
    luminances = (0, REFERENCE_WHITE_CD_M2 / 4, REFERENCE_WHITE_CD_M2, 1000)
    path = _write(tmp_path / "a.mp4", tuple(_pq(each) for each in luminances), PQ, matrix=matrix)
    reader = VideoReader(path)
    assert reader.info.hdr == "PQ"
    black, quarter, white, highlight = _stripes(next(iter(reader)).image, 4)
    assert black <= 2
    # A quarter of the light is 0.50 to 0.55 of the signal in standard range, whose exponent is 2 to 2.4.
    assert 0.48 * 255 <= quarter <= 0.58 * 255
    assert white >= 250
    assert highlight == 255


def test_reference_white_of_hlg_becomes_white(tmp_path: Path) -> None:
    reader = VideoReader(_write(tmp_path / "a.mp4", (0, 0.38, 0.75, 1), HLG))
    assert reader.info.hdr == "HLG"
    black, grey_card, white, highlight = _stripes(next(iter(reader)).image, 4)  # levels of ITU-R BT.2408
    assert black <= 2
    assert 95 <= grey_card <= 125
    assert white >= 250
    assert highlight == 255


def test_copy_of_hdr_says_that_it_is_standard_range_and_is(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.mp4", (0, _pq(50), _pq(100), _pq(REFERENCE_WHITE_CD_M2)), PQ)
    with VideoReader(path) as reader, VideoWriter.like(reader, tmp_path / "b.mp4") as writer:
        pictures = [(frame.image, frame.pts_s) for frame in reader]
        for image, pts_s in pictures:
            writer.write(image, pts_s)
    copy = VideoReader(tmp_path / "b.mp4")
    assert copy.info.hdr is None
    with av.open(tmp_path / "b.mp4") as container:
        frame = next(container.decode(video=0))
        assert (int(frame.color_trc), int(frame.color_primaries), int(frame.colorspace)) == (BT709, 1, 1)
    shown = _stripes(next(iter(copy)).image, 4)
    assert shown == pytest.approx(_stripes(pictures[0][0], 4), abs=3)


def test_planes_of_an_eight_bit_hdr_video_are_not_copied_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        context = stream.codec_context
        context.colorspace, context.color_range, context.color_trc, context.color_primaries = 1, 1, PQ, 9
        frame = av.VideoFrame.from_ndarray(np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8), format="yuv420p")
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    reader = VideoReader(path)
    assert reader.info.hdr == "PQ"
    assert reader.info.colours is None
    assert next(reader.decoded()).colours is None


def test_other_videos_are_no_hdr(tmp_path: Path) -> None:
    reader = VideoReader(_write(tmp_path / "a.mp4", (0, 0.25, 0.5, 1), BT709))
    assert reader.info.hdr is None
    assert _stripes(next(iter(reader)).image, 4) == pytest.approx([0, 64, 128, 255], abs=2)


def test_annotate_says_that_its_copy_is_not_hdr(tmp_path: Path, command: Command) -> None:
    video = _write(tmp_path / "a.mp4", (0, _pq(50), _pq(100), _pq(REFERENCE_WHITE_CD_M2)), PQ)
    options = ("--device", "cpu", "--weights", save_tiny_weights(tmp_path / "tiny.safetensors"), "--json")
    answer = command("annotate", video, "-o", tmp_path / "b.mp4", *options)
    assert answer.code == 0
    (note,) = answer.document["files"][0]["notes"]
    assert note.startswith("is HDR (PQ); the copy is in standard range (BT.709)")
    assert f"gclf-live: {video}: {note}" in answer.err.splitlines()
