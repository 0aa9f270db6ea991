"""A part of a video as a file of its own: it begins at 0, and what is heard is heard with what is seen."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_makers import RATE, plain

from gclf_live.errors import OutputError
from gclf_live.media.excerpt import ExcerptWriter
from gclf_live.media.reader import VideoReader

FPS, LENGTH_S, EVENT_S = 25, 6, 3
Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """A dark and silent video in which one frame flashes, and a tone of 0.1 s begins, 3 s after its start."""

    def call(name: str, *, sound: str = "aac", start_s: int = 0) -> Path:
        path = tmp_path / name
        with av.open(path, "w") as output:
            video = output.add_stream("libx264", rate=FPS, options={"preset": "ultrafast", "g": "10"})
            video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
            audio = output.add_stream(sound, rate=RATE, layout="mono")
            wave = np.zeros(LENGTH_S * RATE, np.int16)
            at = np.arange(RATE // 10)
            wave[EVENT_S * RATE :][: len(at)] = 12_000 * np.sin(2 * np.pi * 1000 * at / RATE)
            for i in range(LENGTH_S * FPS):
                picture = plain(64, 48, 230 if i == EVENT_S * FPS else 30)
                frame = av.VideoFrame.from_ndarray(picture, format="bgr24").reformat(format="yuv420p")
                frame.pts, frame.time_base = i + start_s * FPS, Fraction(1, FPS)
                output.mux(video.encode(frame))
                block = wave[i * RATE // FPS : (i + 1) * RATE // FPS]
                samples = av.AudioFrame.from_ndarray(block[None], format="s16", layout="mono")
                samples.sample_rate, samples.time_base = RATE, Fraction(1, RATE)
                samples.pts = i * RATE // FPS + start_s * RATE
                output.mux(audio.encode(samples))
            output.mux(video.encode(None))
            output.mux(audio.encode(None))
        return path

    return call


def _cut(source: Path, from_s: float, to_s: float | None, *, overwrite: bool = False) -> Path:
    """The part of a video between two times, from its first frame on."""
    target = source.with_name("part.mp4")
    with VideoReader(source) as reader:
        start_s = reader.info.start_s
        end_s = None if to_s is None else start_s + to_s
        with ExcerptWriter.of(reader, target, to_s=end_s, overwrite=overwrite) as writer:
            for frame in reader.decoded(from_s=start_s + from_s, to_s=end_s):
                writer.write(frame.image, frame.pts_s)
    return target


def _heard(path: Path) -> tuple[float, float]:
    """When the tone begins, and when all sound ends, in seconds."""
    with av.open(path) as container:
        blocks = [
            (float(frame.pts * frame.time_base), np.atleast_2d(frame.to_ndarray())[0].astype(float))
            for frame in container.decode(audio=0)
        ]
        rate = container.streams.audio[0].rate
    peak = max(np.abs(values).max() for _, values in blocks)
    begins = next(
        at + int(np.argmax(np.abs(values) > peak / 3)) / rate
        for at, values in blocks
        if np.abs(values).max() > peak / 3
    )
    last_at, last = blocks[-1]
    return begins, last_at + len(last) / rate


def _seen(path: Path) -> tuple[list[float], float]:
    """The times of all frames, and that of the flash."""
    with VideoReader(path) as reader:
        frames = [(frame.pts_s, frame.image.mean()) for frame in reader]
    return [pts_s for pts_s, _ in frames], max(frames, key=lambda frame: frame[1])[0]


@pytest.mark.parametrize(
    ("name", "sound", "start_s"),
    [("a.mp4", "aac", 0), ("b.ts", "aac", 37), ("c.mkv", "libopus", 3), ("d.avi", "pcm_s16le", 0)],
)
def test_part_begins_at_0_and_sound_stays_with_the_picture(
    make: Make, name: str, sound: str, start_s: int
) -> None:
    part = _cut(make(name, sound=sound, start_s=start_s), 2.0, 4.0)
    times, flash_s = _seen(part)
    assert times[0] == 0
    assert times[-1] == pytest.approx(1.96, abs=0.001)
    assert flash_s == pytest.approx(EVENT_S - 2, abs=0.001)
    tone_s, end_s = _heard(part)
    assert tone_s == pytest.approx(flash_s, abs=0.035)
    assert end_s == pytest.approx(2.0, abs=0.06)


def test_without_an_end_the_part_goes_on_to_that_of_the_source(make: Make) -> None:
    part = _cut(make("a.mp4"), 1.0, None)
    assert len(_seen(part)[0]) == (LENGTH_S - 1) * FPS
    tone_s, end_s = _heard(part)
    assert tone_s == pytest.approx(EVENT_S - 1, abs=0.035)
    assert end_s == pytest.approx(LENGTH_S - 1, abs=0.06)


def test_source_is_never_its_own_part(make: Make) -> None:
    source = make("part.mp4")
    before = source.read_bytes()
    with pytest.raises(OutputError, match="is the input itself"):
        _cut(source, 1.0, 2.0, overwrite=True)
    assert source.read_bytes() == before
