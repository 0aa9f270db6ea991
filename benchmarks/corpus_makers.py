"""What the cases of ``benchmarks.corpus`` are made of: pictures of the sample clip, encoded in many ways."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.reformatter import Interpolation
from av.video.stream import VideoStream

from gclf_live.records import U8

CLIP = Path(__file__).parent.parent / "samples" / "clip.mp4"
FRAMES = 15
SIZE = (320, 180)
RATE = Fraction(30)
_EXACT = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INP
_HERTZ = 48_000


@dataclass(frozen=True, slots=True)
class Sound:
    """One sound track: a tone.

    Attributes:
        seconds: how long it lasts.
        codec: its encoder.
    """

    seconds: float = 0.5
    codec: str = "aac"


@cache
def _shown(count: int) -> tuple[U8, ...]:
    with av.open(CLIP) as container:
        frames = [frame for _, frame in zip(range(count), container.decode(video=0), strict=False)]
    return tuple(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in frames)


def pictures(size: tuple[int, int] = SIZE, count: int = FRAMES) -> list[U8]:
    """The first pictures of the clip in another width and height."""
    return [
        np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8) for image in _shown(count)
    ]


def encode(
    path: Path,
    images: Sequence[U8],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rate: Fraction = RATE,
    base: Fraction | None = None,
    ticks: Sequence[int] | None = None,
    sounds: Sequence[Sound] = (Sound(),),
    codec_options: Mapping[str, str] | None = None,
    muxer_options: Mapping[str, str] | None = None,
    set_up: Callable[[VideoStream], None] = lambda stream: None,
) -> Path:
    """Write a video with PyAV alone, so that nothing of what is measured makes its own input.

    Args:
        path: its suffix says which container.
        images: uint8, shape (H, W, 3), BGR, of one size.
        codec, pix_fmt: of the picture.
        rate: frames a second.
        base: seconds of a tick; one frame by default.
        ticks: when each picture is shown; one after the other by default.
        sounds: sound tracks.
        codec_options, muxer_options: of libav.
        set_up: is given the stream before anything is encoded.
    """
    base = base or 1 / rate
    options = {"threads": "1"} | ({"preset": "ultrafast", "crf": "12"} if codec == "libx264" else {})
    with av.open(path, "w", container_options=dict(muxer_options or {})) as output:
        video = output.add_stream(codec, rate=rate, options=options | dict(codec_options or {}))
        assert isinstance(video, VideoStream)
        video.height, video.width = images[0].shape[:2]
        video.pix_fmt = pix_fmt
        video.codec_context.time_base = base
        set_up(video)
        tracks = [(_sound_stream(output, sound), iter(tone(sound.seconds))) for sound in sounds]
        for i, image in enumerate(images):
            frame = _frame(image, pix_fmt, video)
            frame.time_base, frame.pts = base, ticks[i] if ticks is not None else i
            output.mux(video.encode(frame))
            for track, blocks in tracks:  # beside the picture, as cameras write it
                while block := next(blocks, None):
                    output.mux(track.encode(block))
                    if block.pts is not None and block.pts > (i + 1) * _HERTZ / rate:
                        break
        output.mux(video.encode(None))
        for track, blocks in tracks:
            for block in blocks:
                output.mux(track.encode(block))
            output.mux(track.encode(None))
    return path


def _sound_stream(output: OutputContainer, sound: Sound) -> AudioStream:
    stream = output.add_stream(sound.codec, rate=_HERTZ, layout="mono")
    assert isinstance(stream, AudioStream)
    return stream


def _frame(image: U8, pix_fmt: str, video: VideoStream) -> av.VideoFrame:
    full = pix_fmt.startswith("yuvj")
    frame = av.VideoFrame.from_ndarray(image, format="bgr24").reformat(
        format=pix_fmt, interpolation=_EXACT, dst_color_range=2 if full else None
    )
    frame.colorspace = video.codec_context.colorspace
    return frame


def tone(seconds: float) -> Iterator[av.AudioFrame]:
    """A 440 Hz tone in blocks of 1024 samples, mono."""
    total = round(seconds * _HERTZ)
    for at in range(0, total, 1024):
        wave = np.sin(2 * np.pi * 440 * np.arange(at, min(at + 1024, total)) / _HERTZ)
        frame = av.AudioFrame.from_ndarray((wave * 9000).astype(np.int16)[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = _HERTZ, at, Fraction(1, _HERTZ)
        yield frame


def remux(
    source: Path,
    target: Path,
    *,
    keep: Callable[[int, av.Packet[Any]], bool] = lambda number, packet: True,
    shift_s: Fraction = Fraction(0),
    muxer_options: Mapping[str, str] | None = None,
) -> Path:
    """Copy the packets of a file into another container without encoding again.

    Args:
        source, target: the files.
        keep: of the packets of the picture, those for whose number and packet it is true.
        shift_s: added to all times.
        muxer_options: of libav.
    """
    with (
        av.open(source) as given,
        av.open(target, "w", container_options=dict(muxer_options or {})) as output,
    ):
        streams = {s.index: output.add_stream_from_template(s) for s in given.streams}
        number = -1
        for packet in given.demux():
            if packet.dts is None:
                continue
            number += packet.stream.type == "video"
            if packet.stream.type == "video" and not keep(number, packet):
                continue
            assert packet.time_base is not None
            ticks = round(shift_s / packet.time_base)
            packet.dts += ticks
            packet.pts = None if packet.pts is None else packet.pts + ticks
            packet.stream = streams[packet.stream.index]
            output.mux(packet)
    return target


def set_matrix(path: Path, values: tuple[int, int, int, int]) -> Path:
    """Write a display matrix into the picture track of an mp4.

    Args:
        path: the file, changed in place.
        values: a, b, c, d, each -1, 0 or 1: a stored pixel (x, y) is shown at (a*x + c*y, b*x + d*y).
    """
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4
    at += 4 + (32 if content[at] == 1 else 20) + 16  # version and flags; times, number, length; layer, volume
    a, b, c, d = (value * 65536 for value in values)
    for i, value in enumerate((a, b, 0, c, d, 0, 0, 0, 1 << 30)):
        content[at + 4 * i : at + 4 * i + 4] = value.to_bytes(4, "big", signed=True)
    path.write_bytes(content)
    return path
