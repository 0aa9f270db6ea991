"""VideoReader: every frame, upright, at its own time."""

from __future__ import annotations

import io
import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from media_makers import corner_names, corners, make_video, plain, shade
from PIL import Image

from gclf_live.errors import SourceError
from gclf_live.media.reader import VideoReader


def test_every_frame_comes_once_in_order_at_its_time(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=35)
    with VideoReader(path) as reader:
        frames = list(reader)
    assert [f.index for f in frames] == list(range(35))
    assert [f.pts_s for f in frames] == pytest.approx([i / 30 for i in range(35)])
    assert [abs(int(f.image.mean()) - shade(i)) <= 2 for i, f in enumerate(frames)] == [True] * 35
    assert reader.damaged is None


def test_info_says_what_the_file_holds(tmp_path: Path) -> None:
    info = VideoReader(make_video(tmp_path / "a.mp4", frames=60, sound_s=1)).info
    assert (info.width_px, info.height_px, info.codec, info.sound_streams) == (64, 48, "h264", 1)
    assert (info.average_fps, info.frames_hint, info.rotation_deg, info.start_s) == (30, 60, 0, 0.0)
    assert info.duration_s == pytest.approx(2.0, abs=0.01)


def test_iterating_again_starts_from_the_beginning(tmp_path: Path) -> None:
    with VideoReader(make_video(tmp_path / "a.mp4", frames=10)) as reader:
        first = next(iter(reader))
        again = list(reader)
    assert len(again) == 10
    np.testing.assert_array_equal(first.image, again[0].image)


def test_uneven_frame_times_are_kept(tmp_path: Path) -> None:
    ticks = [0, 40, 43, 500, 1010, 1011, 3000]
    path = make_video(tmp_path / "a.mkv", frames=7, pts=ticks, time_base=Fraction(1, 1000))
    assert [round(f.pts_s * 1000) for f in VideoReader(path)] == ticks


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_turned_recording_comes_upright(tmp_path: Path, rotation: int) -> None:
    upright = corners(160, 240)
    lying = np.ascontiguousarray(np.rot90(upright, k=-rotation // 90))
    path = make_video(tmp_path / "a.mp4", images=[lying] * 3, rotation=rotation)
    reader = VideoReader(path)
    image = next(iter(reader)).image
    assert (reader.info.width_px, reader.info.height_px) == (160, 240)
    assert (reader.info.rotation_deg + rotation) % 360 == 0
    assert corner_names(image) == ("red", "green", "blue", "white")


@pytest.mark.parametrize(("aspect", "size"), [("2:1", (320, 120)), ("1:2", (160, 240))])
def test_oblong_pixels_become_square(tmp_path: Path, aspect: str, size: tuple[int, int]) -> None:
    path = tmp_path / "a.mp4"
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=25, width=160, height=120, pix_fmt="yuv420p")
        stream.codec_context.sample_aspect_ratio = Fraction(aspect.replace(":", "/"))
        output.mux(stream.encode(av.VideoFrame.from_ndarray(corners(160, 120), format="bgr24")))
        output.mux(stream.encode(None))
    reader = VideoReader(path)
    image = next(iter(reader)).image
    assert (reader.info.width_px, reader.info.height_px) == size == image.shape[1::-1]
    assert corner_names(image) == ("red", "green", "blue", "white")


def test_picture_size_change_is_fitted_into_the_first_size_undistorted(tmp_path: Path) -> None:
    wide, narrow = corners(320, 240), corners(240, 480)
    parts = [make_video(tmp_path / f"{i}.h264", images=[p] * 30) for i, p in enumerate((wide, narrow))]
    path = tmp_path / "joined.h264"
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    frames = list(VideoReader(path))
    assert len(frames) == 60
    assert {f.image.shape for f in frames} == {(240, 320, 3)}
    times = [f.pts_s for f in frames]
    assert all(a < b for a, b in itertools.pairwise(times))
    late = frames[45].image
    assert corner_names(late[:, 100:220]) == ("red", "green", "blue", "white")
    assert late[:, :98].max() < 20
    assert late[:, 222:].max() < 20


def test_webm_recorded_without_seeking_has_no_invented_length(tmp_path: Path) -> None:
    sink = io.BytesIO()
    sink.seekable = lambda: False  # type: ignore[method-assign]
    sink.seek = None  # type: ignore[assignment]
    ticks = [0, 33, 70, 95, 133, 170, 201, 240]
    with av.open(sink, "w", format="webm", container_options={"live": "1"}) as output:
        stream = output.add_stream("libvpx", rate=30, width=160, height=120, pix_fmt="yuv420p")
        stream.codec_context.time_base = Fraction(1, 1000)
        for i, tick in enumerate(ticks):
            frame = av.VideoFrame.from_ndarray(plain(160, 120, shade(i)), format="bgr24")
            frame.pts, frame.time_base = tick, Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    path = tmp_path / "a.webm"
    path.write_bytes(sink.getvalue())
    reader = VideoReader(path)
    assert reader.info.duration_s is None
    assert reader.info.frames_hint is None
    assert reader.info.average_fps is None or reader.info.average_fps < 60
    assert [round(f.pts_s * 1000) for f in reader] == ticks
    assert reader.damaged is None


def test_animated_gif_plays_at_its_own_delays(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    pictures = [Image.fromarray(plain(64, 48, shade(i * 8))) for i in range(4)]
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=[100, 500, 200, 300])
    assert [f.pts_s for f in VideoReader(path)] == pytest.approx([0, 0.1, 0.6, 0.8])


def test_colours_of_limited_range_video_come_back(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", images=[plain(64, 48, (0, 0, 255)), plain(64, 48, 255)] * 2)
    red, white = (f.image[24, 32].astype(int) for f in list(VideoReader(path))[:2])
    assert abs(red - (0, 0, 255)).max() <= 12
    assert white.min() >= 245


def test_truncated_file_gives_what_is_there_and_says_so(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "a.mkv", frames=120, options={})
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with VideoReader(cut) as reader:
        frames = list(reader)
    assert 20 < len(frames) < 110
    assert reader.damaged is not None
    assert "cut.mkv" in reader.damaged
    assert "\n" not in reader.damaged


def test_truncated_mp4_with_its_index_in_front_says_so(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (90, 64, 64, 3), dtype=np.uint8)
    whole = make_video(tmp_path / "a.mp4", images=noise, options={"movflags": "+faststart"})
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    reader = VideoReader(cut)
    assert 20 < len(list(reader)) < 70
    assert reader.damaged is not None


def test_broken_bytes_inside_do_not_end_the_file(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 64, 64, 3), dtype=np.uint8)
    path = make_video(tmp_path / "a.mp4", images=noise, codec="mpeg4")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    path.write_bytes(data)
    assert len(list(VideoReader(path))) >= 58


def test_picture_named_mp4_is_one_frame(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    Image.fromarray(corners(64, 48)[:, :, ::-1]).save(path, "PNG")
    frames = list(VideoReader(path))
    assert [f.index for f in frames] == [0]
    assert corner_names(frames[0].image) == ("red", "green", "blue", "white")


def _text(path: Path) -> None:
    path.write_text("no video\n" * 50)


def _sound_only(path: Path) -> None:
    with av.open(path, "w", format="mp4") as output:
        stream = output.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 4800), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = 48000
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda p: None, "no such file"),
        (lambda p: p.mkdir(), "folder"),
        (lambda p: p.touch(), "empty"),
        (_text, "as a video"),
        (lambda p: p.write_bytes(b"\x00\x01\x02" * 3000), "as a video"),
        (_sound_only, "only sound"),
    ],
    ids=["missing", "folder", "empty", "text", "bytes", "sound"],
)
def test_what_is_no_video_is_refused_in_one_line(tmp_path: Path, make, says: str) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.mp4"
    make(path)
    with pytest.raises(SourceError, match=says) as caught:
        VideoReader(path)
    assert "a.mp4" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_text_file_is_not_played_as_a_film_of_letters(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    _text(path)
    with pytest.raises(SourceError, match="text"):
        VideoReader(path)


def test_playlist_does_not_reach_for_the_network(tmp_path: Path) -> None:
    path = tmp_path / "a.m3u8"
    path.write_text("#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/x.ts\n#EXT-X-ENDLIST\n")
    with pytest.raises(SourceError):
        VideoReader(path)


def test_reading_prints_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    whole = make_video(tmp_path / "a.mkv", frames=60)
    whole.write_bytes(whole.read_bytes()[:-900])
    list(VideoReader(whole))
    assert capfd.readouterr() == ("", "")


def test_times_of_two_recordings_joined_in_one_stream_go_on(tmp_path: Path) -> None:
    part = make_video(tmp_path / "a.ts", frames=60, codec="mpeg2video", start_s=3).read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(part + part)
    times = [f.pts_s for f in VideoReader(path)]
    assert len(times) == 120
    assert max(b - a for a, b in itertools.pairwise(times)) < 0.2
    assert min(b - a for a, b in itertools.pairwise(times)) > 0


@pytest.mark.parametrize("name", ["Übung 你好 %d.mp4", "data:x.mp4", "-i.mp4", "e\u0301 \U0001f3ac.mp4"])
def test_file_under_any_name_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    make_video(tmp_path / "plain.mp4", frames=3).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert len(list(VideoReader(Path(name)))) == 3


@pytest.mark.parametrize(
    ("name", "codec", "sound"),
    [
        ("a.mp4", "libx264", "aac"),
        ("a.mov", "libx264", "alac"),
        ("a.mkv", "libx264", "aac"),
        ("a.avi", "libx264", "libmp3lame"),
        ("a.ts", "libx264", "aac"),
        ("a.mpg", "mpeg2video", "mp2"),
        ("a.flv", "libx264", "aac"),
        ("a.webm", "libvpx", "libopus"),
    ],
)
def test_whole_file_of_any_kind_is_not_called_damaged(
    tmp_path: Path, name: str, codec: str, sound: str
) -> None:
    path = make_video(tmp_path / name, codec=codec, frames=30, sound_s=3, sound_codec=sound)
    with VideoReader(path) as reader:
        times = [frame.pts_s - reader.info.start_s for frame in reader]
    assert times == pytest.approx([i / 30 for i in range(30)], abs=0.002)
    assert reader.damaged is None


def test_frames_left_out_of_an_avi_leave_their_gap(tmp_path: Path) -> None:
    ticks = [0, 1, 5, 6, 12]
    path = make_video(
        tmp_path / "a.avi", codec="mjpeg", pix_fmt="yuvj420p", frames=5, pts=ticks, time_base=Fraction(1, 30)
    )
    assert [round(f.pts_s * 30) for f in VideoReader(path)] == ticks


@pytest.mark.parametrize("threads", [1, 3])
def test_decoder_takes_the_threads_that_it_is_given_and_gives_the_same_frames(
    tmp_path: Path, threads: int
) -> None:
    path = make_video(tmp_path / "a.mp4", frames=12)
    usual = [(frame.pts_s, frame.image.tobytes()) for frame in VideoReader(path)]
    before = _decoder_threads()
    with VideoReader(path, threads=threads) as reader:
        frames = iter(reader)
        first = next(frames)
        assert _decoder_threads() - before == (threads if threads > 1 else 0)
        rest = [(frame.pts_s, frame.image.tobytes()) for frame in frames]
    assert [(first.pts_s, first.image.tobytes()), *rest] == usual


def _decoder_threads() -> int:
    """Threads of this process that decode: libav names them after the decoder."""
    names = (path / "comm" for path in Path("/proc/self/task").iterdir())
    return sum(name.read_text().startswith("av:") for name in names)
