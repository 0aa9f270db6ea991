"""Sound in the written file: copied or converted, whole, and in time with the picture."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_makers import RATE, frame_times, make_video, sound_seconds, tone

from gclf_live.media.reader import VideoReader
from gclf_live.media.writer import EncoderSettings, VideoWriter


def _annotate(source: Path, path: Path) -> VideoWriter:
    """Copy a video through reader and writer, as an annotation does."""
    with (
        VideoReader(source) as reader,
        VideoWriter.like(reader, path, settings=EncoderSettings(threads=1)) as writer,
    ):
        for frame in reader:
            writer.write(frame.image, frame.pts_s)
    return writer


def _packets(path: Path) -> list[bytes]:
    with av.open(path) as container:
        return [bytes(p) for p in container.demux(container.streams.audio[0]) if p.size]


@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "ac3", "flac", "libopus", "alac"])
def test_sound_that_mp4_takes_is_copied_bit_by_bit(tmp_path: Path, codec: str) -> None:
    source = make_video(tmp_path / "in.mkv", frames=30, sound_s=1, sound_codec=codec)
    writer = _annotate(source, tmp_path / "out.mp4")
    assert writer.notes == []
    assert _packets(tmp_path / "out.mp4") == _packets(source)


@pytest.mark.parametrize(
    ("codec", "suffix"), [("pcm_u8", "avi"), ("wmav2", "avi"), ("pcm_s16le", "mkv"), ("mp2", "ts")]
)
def test_sound_that_mp4_refuses_becomes_aac_and_is_told(tmp_path: Path, codec: str, suffix: str) -> None:
    source = make_video(tmp_path / f"in.{suffix}", frames=60, sound_s=2, sound_codec=codec)
    writer = _annotate(source, tmp_path / "out.mp4")
    name, seconds = sound_seconds(tmp_path / "out.mp4")
    assert name == "aac"
    assert seconds == pytest.approx(2.0, abs=0.05)
    (note,) = writer.notes
    assert "AAC" in note
    assert "\n" not in note


@pytest.mark.parametrize("sound_s", [2, 8])
def test_shorter_and_longer_sound_stay_whole_beside_every_frame(tmp_path: Path, sound_s: int) -> None:
    source = make_video(tmp_path / "in.mp4", frames=150, sound_s=sound_s)
    _annotate(source, tmp_path / "out.mp4")
    assert frame_times(tmp_path / "out.mp4") == frame_times(source)
    assert sound_seconds(tmp_path / "out.mp4")[1] == pytest.approx(sound_s, abs=0.05)


def _offset_s(path: Path) -> float:
    """Seconds from the first frame to the start of the tone."""
    with av.open(path) as container:
        first = next(f for f in container.decode(video=0))
    with av.open(path) as container:
        for block in container.decode(audio=0):
            loud = np.flatnonzero(np.abs(block.to_ndarray().astype(np.float64)).max(axis=0) > 0.02)
            if loud.size:
                return (
                    float(block.pts * block.time_base)
                    + loud[0] / block.rate
                    - float(first.pts * first.time_base)
                )
    raise AssertionError("no tone")


@pytest.mark.parametrize("start_s", [0, 7])
@pytest.mark.parametrize("suffix", ["mp4", "ts", "mkv"])
def test_sound_stays_in_time_wherever_the_file_starts(tmp_path: Path, suffix: str, start_s: int) -> None:
    source = make_video(tmp_path / f"in.{suffix}", frames=60, sound_s=2, start_s=start_s)
    _annotate(source, tmp_path / "out.mp4")
    assert _offset_s(tmp_path / "out.mp4") == pytest.approx(_offset_s(source), abs=0.005)


def test_broadcast_start_becomes_zero(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.ts", frames=30, sound_s=1, start_s=9000)
    writer = _annotate(source, tmp_path / "out.mp4")
    assert float(writer.origin_s) > 8999
    assert 0 <= frame_times(tmp_path / "out.mp4")[0] < Fraction(1, 10)
    steps = np.diff([float(t) for t in frame_times(tmp_path / "out.mp4")])
    assert steps == pytest.approx(np.full(29, 1 / 30), abs=1e-4)


def test_sound_that_begins_late_begins_late(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    with av.open(source, "w") as output:
        video = output.add_stream("libx264", rate=30, width=64, height=48, pix_fmt="yuv420p")
        sound = output.add_stream("libmp3lame", rate=RATE, layout="mono")
        for i in range(60):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="bgr24")
            frame.pts, frame.time_base = i, Fraction(1, 30)
            output.mux(video.encode(frame))
        for block in tone(1):
            block.pts += RATE
            output.mux(sound.encode(block))
        output.mux([*video.encode(None), *sound.encode(None)])
    _annotate(source, tmp_path / "out.mp4")
    assert _offset_s(tmp_path / "out.mp4") == pytest.approx(_offset_s(source), abs=0.005)
    assert _offset_s(source) > 0.9


def test_every_sound_stream_is_kept_with_its_language(tmp_path: Path) -> None:
    source = tmp_path / "in.mkv"
    with av.open(source, "w") as output:
        video = output.add_stream("libx264", rate=30, width=64, height=48, pix_fmt="yuv420p")
        sounds = [output.add_stream(codec, rate=RATE, layout="mono") for codec in ("aac", "pcm_s16le")]
        for sound, language in zip(sounds, ("ger", "eng"), strict=True):
            sound.metadata["language"] = language
        for i in range(30):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="bgr24")
            frame.pts, frame.time_base = i, Fraction(1, 30)
            output.mux(video.encode(frame))
        for sound in sounds:
            for block in tone(1):
                output.mux(sound.encode(block))
            output.mux(sound.encode(None))
        output.mux(video.encode(None))
    writer = _annotate(source, tmp_path / "out.mp4")
    with av.open(tmp_path / "out.mp4") as container:
        assert [s.codec_context.name for s in container.streams.audio] == ["aac", "aac"]
        assert [s.language for s in container.streams.audio] == ["ger", "eng"]
    assert len(writer.notes) == 1


def test_silent_source_gives_a_silent_file(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=10)
    assert _annotate(source, tmp_path / "out.mp4").notes == []
    with av.open(tmp_path / "out.mp4") as container:
        assert len(container.streams.audio) == 0


def test_sound_cut_off_in_the_source_does_not_cost_the_picture(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "in.mkv", frames=90, sound_s=3, sound_codec="pcm_s16le")
    whole.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    _annotate(whole, tmp_path / "out.mp4")
    assert len(frame_times(tmp_path / "out.mp4")) == len(list(VideoReader(whole)))
