"""Small media files made on the spot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation

RATE = 48_000


def shade(index: int) -> int:
    """The brightness that marks frame ``index``: 40 levels that survive compression."""
    return 20 + 5 * (index % 40)


def plain(width: int, height: int, value: int | Sequence[int]) -> np.ndarray:
    """A picture of one BGR colour or grey level."""
    image = np.empty((height, width, 3), np.uint8)
    image[:] = value
    return image


def corners(width: int, height: int) -> np.ndarray:
    """A picture whose quarters are red, green (top), blue and white (bottom)."""
    image = plain(width, height, 255)
    half_w, half_h = width // 2, height // 2
    image[:half_h, :half_w] = (0, 0, 255)
    image[:half_h, half_w:] = (0, 255, 0)
    image[half_h:, :half_w] = (255, 0, 0)
    return image


def corner_names(image: np.ndarray) -> tuple[str, str, str, str]:
    """The colours of the four quarters: top left, top right, bottom left, bottom right."""
    height, width = image.shape[:2]
    names = {(0, 0, 1): "red", (0, 1, 0): "green", (1, 0, 0): "blue", (1, 1, 1): "white"}
    spots = [(y, x) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    found = [names[tuple(int(v > 127) for v in image[spot])] for spot in spots]  # type: ignore[index]
    return found[0], found[1], found[2], found[3]


def tone(seconds: float, *, rate: int = RATE, format_name: str = "s16") -> Iterable[av.AudioFrame]:
    """A 440 Hz tone in blocks of 1024 samples, mono."""
    total, at = round(seconds * rate), 0
    while at < total:
        count = min(1024, total - at)
        wave = np.sin(2 * np.pi * 440 * np.arange(at, at + count) / rate)
        values = (
            (wave * 100 + 128).astype(np.uint8) if format_name == "u8" else (wave * 9000).astype(np.int16)
        )
        frame = av.AudioFrame.from_ndarray(values[None], format=format_name, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, at, Fraction(1, rate)
        yield frame
        at += count


def make_video(
    path: Path,
    *,
    images: Iterable[np.ndarray] | None = None,
    frames: int = 30,
    size: tuple[int, int] = (64, 48),
    fps: int = 30,
    pts: Sequence[int] | None = None,
    time_base: Fraction | None = None,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    rotation: int = 0,
    sound_s: float = 0,
    sound_codec: str = "aac",
    start_s: int = 0,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a video; frame i is grey ``shade(i)`` unless ``images`` says otherwise.

    ``pts`` in ticks of ``time_base`` gives each frame's time, else they are evenly spaced at ``fps``.
    """
    width, height = size
    pictures = list(images) if images is not None else [plain(width, height, shade(i)) for i in range(frames)]
    base = time_base or Fraction(1, fps)
    with av.open(path, "w", container_options=options or {}) as output:
        # One thread: starting them costs more than such a small picture.
        speed = {"preset": "veryfast", "threads": "1"} if codec == "libx264" else {}
        video = output.add_stream(codec, rate=fps, options=speed)
        video.height, video.width = pictures[0].shape[:2]
        video.pix_fmt = pix_fmt
        video.codec_context.time_base = base
        if rotation:
            video.set_display_rotation(rotation)
        sound = output.add_stream(sound_codec, rate=RATE, layout="mono", bit_rate=96_000) if sound_s else None
        for i, picture in enumerate(pictures):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame = frame.reformat(
                format=pix_fmt, interpolation=Interpolation.BILINEAR | Interpolation.ACCURATE_RND
            )
            frame.time_base = base
            frame.pts = (pts[i] if pts is not None else i) + round(start_s / base)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        if sound is not None:
            for block in tone(sound_s, format_name="u8" if sound_codec == "pcm_u8" else "s16"):
                block.pts = block.pts + start_s * RATE
                output.mux(sound.encode(block))
            output.mux(sound.encode(None))
    return path


def frame_times(path: Path) -> list[Fraction]:
    """Times of all frames as a player shows them, exact."""
    with av.open(path) as container:
        return [frame.pts * frame.time_base for frame in container.decode(video=0)]


def sound_seconds(path: Path) -> tuple[str, float]:
    """Codec of the first sound stream and seconds of sound that it decodes to."""
    with av.open(path) as container:
        stream = container.streams.audio[0]
        samples = sum(frame.samples for frame in container.decode(stream))
        return stream.codec_context.name, samples / stream.rate
