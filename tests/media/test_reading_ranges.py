"""A time range of a file: the same frames as reading through gives, wherever reading begins."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from media_makers import corners, make_video

from gclf_live.media.decoded import DecodedFrame
from gclf_live.media.reader import VideoReader
from gclf_live.records import U8

FRAMES = 260
FPS = 25
_NOISE = np.random.default_rng(0).integers(0, 255, (48, 80, 3), dtype=np.uint8)
_OPEN_GOP = "open-gop=1:keyint=50:min-keyint=50:bframes=4:scenecut=0:b-pyramid=normal"


@dataclass(frozen=True)
class Kind:
    """One kind of file to make."""

    name: str
    codec: str = "libx264"
    options: dict[str, str] = field(default_factory=dict)
    container: dict[str, str] = field(default_factory=dict)
    start_s: int = 0
    uneven: bool = False
    seekable: bool = True


KINDS = [
    Kind("closed.mp4", options={"x264-params": "keyint=40:bframes=3"}),
    Kind("open.mp4", options={"x264-params": _OPEN_GOP}),
    Kind("open.mkv", options={"x264-params": _OPEN_GOP}),
    Kind("open.ts", options={"x264-params": _OPEN_GOP}),
    Kind("late.ts", options={"x264-params": "keyint=40:bframes=3"}, start_s=7),
    Kind("one_key_frame.ts", options={"x264-params": "keyint=infinite:scenecut=0"}),
    Kind("refresh.ts", options={"x264-params": "intra-refresh=1:keyint=40:bframes=0"}),
    Kind("mpeg2.ts", codec="mpeg2video", options={"b": "800k", "g": "15", "bf": "2"}),
    Kind("uneven.mp4", options={"x264-params": "keyint=40"}, start_s=3, uneven=True),
    Kind("uneven.mkv", options={"x264-params": "keyint=40"}, start_s=3, uneven=True),
    Kind("fragments.mp4", container={"movflags": "frag_keyframe+empty_moov"}, options={"g": "40"}),
    Kind("vp8.webm", codec="libvpx", options={"deadline": "realtime", "cpu-used": "8", "g": "40"}),
    Kind("asp.avi", codec="mpeg4", options={"bf": "2", "g": "20"}, seekable=False),
    Kind("program.mpg", codec="mpeg2video", options={"b": "800k", "g": "15", "bf": "2"}),
    Kind("flash.flv", options={"x264-params": _OPEN_GOP}),
    Kind("windows.wmv", codec="wmv2", options={"g": "20"}),
    Kind("raw.h264", options={"x264-params": "keyint=40"}, seekable=False),
]


def _picture(index: int) -> U8:
    """A picture that moves, so that frames are predicted from others, with a square that tells its number."""
    image = np.roll(cv2.resize(_NOISE, (160, 96)), (3 * index, index), (1, 0))
    image[:24, :24] = 20 + 5 * (index % 40)
    return np.asarray(image, np.uint8)


def _make(folder: Path, kind: Kind) -> Path:
    path = folder / kind.name
    random = np.random.default_rng(1)
    base = Fraction(1, 90_000)
    steps = random.integers(1500, 9000, FRAMES) if kind.uneven else np.full(FRAMES, 90_000 // FPS)
    ticks = np.cumsum(steps) - steps[0] + kind.start_s * 90_000
    speed = {"preset": "veryfast"} if kind.codec == "libx264" else {}
    with av.open(path, "w", options=kind.container) as output:
        stream = output.add_stream(kind.codec, rate=FPS, options={"threads": "1", **speed, **kind.options})
        stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
        # MPEG codecs know whole frames only.
        frame_clock = kind.codec in {"mpeg2video", "mpeg4", "wmv2"}
        stream.codec_context.time_base = Fraction(1, FPS) if frame_clock else base
        for index, tick in enumerate(ticks.tolist()):
            frame = av.VideoFrame.from_ndarray(_picture(index), format="bgr24").reformat(format="yuv420p")
            frame.time_base = Fraction(1, FPS) if frame_clock else base
            frame.pts = round(tick * base * FPS) if frame_clock else tick
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return path


def _range(reader: VideoReader, from_s: float | None, to_s: float | None) -> list[DecodedFrame]:
    return list(reader.decoded(from_s=from_s, to_s=to_s))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_frames_of_a_range_are_those_of_reading_through(tmp_path: Path, kind: Kind) -> None:
    with VideoReader(_make(tmp_path, kind)) as reader:
        through = [(frame.pts_s, frame.image) for frame in reader.decoded()]
        times = [pts_s for pts_s, _ in through]
        assert len(times) == FRAMES
        assert reader.info.seekable == kind.seekable
        # At the beginning, on a key frame, just behind one, between two frames, at the end, and beyond it.
        ranges = [
            (times[0], times[4]),
            (None, times[3]),
            (times[80], times[90]),
            (times[101], times[103]),
            (times[148] + 0.001, times[160]),
            (times[-3], None),
            (times[-1] + 5, None),
        ]
        for from_s, to_s in ranges:
            wanted = [
                (pts_s, image)
                for pts_s, image in through
                if (from_s is None or pts_s >= from_s) and (to_s is None or pts_s < to_s)
            ]
            found = _range(reader, from_s, to_s)
            assert [frame.pts_s for frame in found] == [pts_s for pts_s, _ in wanted], (from_s, to_s)
            assert [frame.index for frame in found] == list(range(len(wanted)))
            for frame, (_, image) in zip(found, wanted, strict=True):
                np.testing.assert_array_equal(frame.image, image)
            assert reader.damaged is None


def _bytes_read() -> int:
    """What this process has read from files so far."""
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    return int(dict(line.split(": ") for line in lines)["rchar"])


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
def test_range_far_into_a_file_is_reached_without_reading_what_is_before(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (600, 64, 64, 3), dtype=np.uint8)
    path = make_video(tmp_path / name, images=noise, codec="mpeg4")
    with VideoReader(path) as reader:
        before = _bytes_read()
        found = _range(reader, 18.0, 19.0)
        taken = _bytes_read() - before
        before = _bytes_read()
        whole = _range(reader, None, None)
        everything = _bytes_read() - before
    assert [round(frame.pts_s * 30) for frame in found] == list(range(540, 570))
    assert len(whole) == 600
    assert taken < 0.6 * everything


@pytest.mark.parametrize("suffix", [".ts", ".mpg"])
def test_recordings_joined_with_their_clocks_are_read_from_the_beginning(tmp_path: Path, suffix: str) -> None:
    part = make_video(tmp_path / f"a{suffix}", frames=60, codec="mpeg2video", start_s=3).read_bytes()
    path = tmp_path / f"joined{suffix}"
    path.write_bytes(part + part)
    with VideoReader(path) as reader:
        assert not reader.info.seekable
        times = [frame.pts_s for frame in reader.decoded()]
        found = _range(reader, times[90], None)
    assert [frame.pts_s for frame in found] == times[90:]


def test_clock_that_goes_back_by_little_is_told(tmp_path: Path) -> None:
    """The first recording ends at 63 s, the second begins at 61 s: too little to be seen from afar."""
    first = make_video(tmp_path / "a.ts", frames=240, fps=4, start_s=3, options={"g": "20"}).read_bytes()
    second = make_video(tmp_path / "b.ts", frames=240, fps=4, start_s=61, options={"g": "20"}).read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(first + second)
    with VideoReader(path) as reader:
        assert reader.info.seekable
        _range(reader, 50.0, 55.0)
        assert reader.damaged is None
        _range(reader, 50.0, 70.0)
        assert reader.damaged is not None
        assert "clock that goes back" in reader.damaged


def test_pictures_of_a_range_have_the_size_of_the_first_of_the_file(tmp_path: Path) -> None:
    wide, narrow = corners(320, 240), corners(240, 480)
    parts = [make_video(tmp_path / f"{i}.h264", images=[p] * 30) for i, p in enumerate((wide, narrow))]
    path = tmp_path / "joined.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    with VideoReader(path) as reader:
        times = [frame.pts_s for frame in reader.decoded()]
        found = _range(reader, times[40], times[45])
    assert [frame.image.shape for frame in found] == [(240, 320, 3)] * 5


@pytest.mark.parametrize(("from_s", "to_s", "told"), [(0.0, 0.8, False), (0.0, 4.0, True), (3.0, 4.0, False)])
def test_damage_is_told_of_the_range_that_has_it(
    tmp_path: Path, from_s: float, to_s: float, told: bool
) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (120, 64, 64, 3), dtype=np.uint8)
    path = make_video(tmp_path / "a.mp4", images=noise, codec="mpeg4")
    with av.open(path) as container:
        packet = [p for p in container.demux(video=0) if p.size][55]
    assert packet.pos is not None
    data = bytearray(path.read_bytes())
    data[packet.pos : packet.pos + packet.size] = bytes(packet.size)
    path.write_bytes(data)
    with VideoReader(path) as reader:
        _range(reader, from_s, to_s)
        assert (reader.damaged is not None) == told


def test_cut_off_file_is_told_by_the_range_that_misses_its_end(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (150, 64, 64, 3), dtype=np.uint8)
    whole = make_video(tmp_path / "a.mp4", images=noise, options={"movflags": "+faststart", "g": "12"})
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with VideoReader(cut) as reader:
        _range(reader, 0.5, 1.0)
        assert reader.damaged is None
        found = _range(reader, 1.0, None)
        assert found
        assert reader.damaged is not None


def test_length_of_a_matroska_file_that_begins_late_is_that_of_its_pictures(tmp_path: Path) -> None:
    with VideoReader(make_video(tmp_path / "a.mkv", frames=60, start_s=5)) as reader:
        assert len(list(reader)) == 60
        assert reader.damaged is None
        assert reader.info.duration_s == pytest.approx(2.0, abs=0.05)
