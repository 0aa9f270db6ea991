"""VideoWriter: true times, true colours, whole files only."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from disk_limits import file_size_limit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from media_makers import frame_times, make_video, plain, shade

from gclf_live.errors import OutputError, SourceError, UsageError
from gclf_live.media.reader import VideoReader
from gclf_live.media.writer import EncoderSettings, VideoWriter

_TB = Fraction(1, 15360)


def _writer(path: Path, *, width_px: int = 64, height_px: int = 48, **more) -> VideoWriter:  # type: ignore[no-untyped-def]
    return VideoWriter(
        path,
        width_px=width_px,
        height_px=height_px,
        **{"time_base": _TB, "settings": EncoderSettings(threads=1), **more},
    )


def _write(path: Path, count: int = 10, **more) -> VideoWriter:  # type: ignore[no-untyped-def]
    with _writer(path, **more) as writer:
        for i in range(count):
            writer.write(plain(64, 48, shade(i)), i / 30)
    return writer


def test_file_has_its_name_only_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "out.mp4"
    with _writer(path) as writer:
        writer.write(plain(64, 48, 80), 0.0)
        assert not path.exists()
        assert writer.result_path is None
    assert writer.result_path == path
    assert [p.name for p in tmp_path.iterdir()] == ["out.mp4"]


@pytest.mark.parametrize(
    "time_base", [Fraction(1, 1000), Fraction(1001, 30000), Fraction(1, 90000), Fraction(1, 25)]
)
def test_uneven_times_survive_exactly(tmp_path: Path, time_base: Fraction) -> None:
    ticks = [0, 1, 2, 30, 31, 90, 400, 401, 1000]
    with _writer(tmp_path / "a.mp4", time_base=time_base) as writer:
        for tick in ticks:
            writer.write(plain(64, 48, 90), float(tick * time_base))
    assert frame_times(tmp_path / "a.mp4") == [tick * time_base for tick in ticks]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 5000), min_size=1, max_size=30), st.integers(0, 400))
def test_any_rising_times_survive(tmp_path: Path, gaps: list[int], start: int) -> None:
    base = Fraction(1, 1000)
    ticks = [start + sum(gaps[:i]) for i in range(len(gaps) + 1)]
    with _writer(tmp_path / "a.mp4", time_base=base, overwrite=True) as writer:
        for tick in ticks:
            writer.write(plain(64, 48, 90), tick / 1000)
    assert frame_times(tmp_path / "a.mp4") == [tick * base for tick in ticks]


def test_frames_at_one_time_are_all_kept(tmp_path: Path) -> None:
    with _writer(tmp_path / "a.mp4") as writer:
        for pts_s in (0.0, 0.0, 0.5, 0.4):
            writer.write(plain(64, 48, 90), pts_s)
    times = frame_times(tmp_path / "a.mp4")
    assert len(times) == 4
    assert times == sorted(set(times))


def test_last_frame_keeps_its_duration(tmp_path: Path) -> None:
    _write(tmp_path / "a.mp4", 30, average_fps=Fraction(30))
    with av.open(tmp_path / "a.mp4") as container:
        stream = container.streams.video[0]
        assert stream.duration * stream.time_base == 1
        assert stream.average_rate == 30


def test_colours_come_back_and_are_tagged(tmp_path: Path) -> None:
    colours = [
        (0, 0, 255),
        (0, 255, 0),
        (255, 0, 0),
        (255, 255, 255),
        (0, 0, 0),
        (128, 128, 128),
        (90, 140, 210),
    ]
    with _writer(tmp_path / "a.mp4") as writer:
        for i, colour in enumerate(colours):
            writer.write(plain(64, 48, colour), i / 10)
    for colour, frame in zip(colours, VideoReader(tmp_path / "a.mp4"), strict=True):
        assert abs(frame.image[24, 32].astype(int) - colour).max() <= 6
    with av.open(tmp_path / "a.mp4") as container:
        context = container.streams.video[0].codec_context
        assert (context.colorspace, context.color_primaries, context.color_trc, context.color_range) == (
            1,
            1,
            1,
            1,
        )
        assert (context.pix_fmt, context.name) == ("yuv420p", "h264")


def test_odd_sizes_get_one_more_row_and_column_of_the_edge(tmp_path: Path) -> None:
    image = plain(63, 47, 60)
    image[-1], image[:, -1] = 200, 200
    with _writer(
        tmp_path / "a.mp4", width_px=63, height_px=47, settings=EncoderSettings(crf=1, threads=1)
    ) as writer:
        writer.write(image, 0.0)
    (frame,) = VideoReader(tmp_path / "a.mp4")
    assert frame.image.shape == (48, 64, 3)
    assert frame.image[-1].min() > 150
    assert frame.image[:, -1].min() > 150
    assert frame.image[:44, :60].max() < 100


def test_index_lies_in_front_so_that_a_browser_can_start(tmp_path: Path) -> None:
    _write(tmp_path / "a.mp4")
    data = (tmp_path / "a.mp4").read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_existing_file_is_refused_before_anything_is_opened(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"precious")
    with pytest.raises(OutputError, match="--overwrite"):
        _writer(path, sound_from=tmp_path / "missing.mp4")
    assert path.read_bytes() == b"precious"
    assert len(list(tmp_path.iterdir())) == 1


def test_file_that_appeared_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"

    def write() -> None:
        with _writer(path) as writer:
            writer.write(plain(64, 48, 80), 0.0)
            path.write_bytes(b"theirs")

    with pytest.raises(OutputError, match="exists already"):
        write()
    assert path.read_bytes() == b"theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_partial_film_lies_beside_the_file_that_a_link_names(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "a.mp4").symlink_to(tmp_path / "disk" / "b.mp4")
    with _writer(tmp_path / "a.mp4", overwrite=True) as writer:
        writer.write(plain(64, 48, 80), 0.0)
        writer.interrupt()
    assert writer.result_path == tmp_path / "disk" / "a.partial.mp4"
    assert writer.result_path.exists()


def test_overwrite_replaces_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_bytes(b"old")
    with _writer(path, overwrite=True) as writer:
        writer.write(plain(64, 48, 80), 0.0)
        assert path.read_bytes() == b"old"
    assert len(list(VideoReader(path))) == 1


def test_input_is_never_its_own_output(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.mp4", frames=3)
    (tmp_path / "link.mp4").symlink_to(path)
    with pytest.raises(OutputError, match="input itself"):
        _writer(tmp_path / "link.mp4", sound_from=path, overwrite=True)


def test_exception_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with _writer(tmp_path / "a.mp4") as writer:
            writer.write(plain(64, 48, 80), 0.0)
            raise RuntimeError("broke")

    with pytest.raises(RuntimeError, match="broke"):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_keeps_what_was_written_as_partial(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=90, sound_s=3)

    def interrupted(writer: VideoWriter) -> None:
        with writer:
            for i in range(60):
                writer.write(plain(64, 48, shade(i)), i / 30)
            raise KeyboardInterrupt

    writer = _writer(tmp_path / "a.mp4", sound_from=source)
    with pytest.raises(KeyboardInterrupt):
        interrupted(writer)
    assert writer.result_path == tmp_path / "a.partial.mp4"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.partial.mp4", "in.mp4"]
    assert len(frame_times(tmp_path / "a.partial.mp4")) == 60
    with av.open(tmp_path / "a.partial.mp4") as container:
        sound = container.streams.audio[0]
        assert float(sound.duration * sound.time_base) == pytest.approx(2.0, abs=0.15)


class _TimeThatInterrupts(float):
    """A time whose use is where Ctrl-C arrives."""

    def __truediv__(self, other: float) -> float:
        raise KeyboardInterrupt


def test_ctrl_c_within_a_write_keeps_what_was_written_as_partial(tmp_path: Path) -> None:
    def interrupted() -> None:
        with _writer(tmp_path / "a.mp4") as writer:
            for i in range(9):
                writer.write(plain(64, 48, shade(i)), i / 30)
            writer.write(plain(64, 48, 80), _TimeThatInterrupts(0.3))

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [p.name for p in tmp_path.iterdir()] == ["a.partial.mp4"]
    assert len(frame_times(tmp_path / "a.partial.mp4")) == 9


@pytest.mark.parametrize("name", ["Übung 你好.mp4", "e\u0301 \U0001f3ac %d.mp4", "data:x.mp4"])
def test_file_under_any_name_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    _write(Path(name), 2)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert len(list(VideoReader(tmp_path / name))) == 2


def test_interrupt_by_call_keeps_what_was_written_as_partial(tmp_path: Path) -> None:
    with _writer(tmp_path / "a.mp4") as writer:
        writer.write(plain(64, 48, 80), 0.0)
        writer.interrupt()
    assert [p.name for p in tmp_path.iterdir()] == ["a.partial.mp4"]


def test_ctrl_c_on_a_full_disk_stays_a_ctrl_c_and_leaves_nothing(tmp_path: Path) -> None:
    def interrupted() -> None:
        with _writer(tmp_path / "a.mp4") as writer:
            for i in range(3):  # fewer than the encoder holds back, so that nothing is written before the end
                writer.write(plain(64, 48, shade(i)), i / 30)
            raise KeyboardInterrupt

    with file_size_limit(0), pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_before_the_first_frame_leaves_nothing(tmp_path: Path) -> None:
    with _writer(tmp_path / "a.mp4") as writer:
        writer.interrupt()
    assert writer.result_path is None
    assert list(tmp_path.iterdir()) == []


def test_no_frame_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no frame"), _writer(tmp_path / "a.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("limit", [0, 20, 2000, 60_000])
def test_write_that_the_disk_refuses_is_one_line_and_leaves_nothing(tmp_path: Path, limit: int) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (60, 48, 64, 3), dtype=np.uint8)

    def write_all() -> None:
        with _writer(tmp_path / "a.mp4") as writer:
            for i, image in enumerate(noise):
                writer.write(image, i / 30)

    with file_size_limit(limit), pytest.raises(OutputError, match=r"a\.mp4") as caught:
        write_all()
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [("nowhere/a.mp4", "no folder"), ("a.avi", "allowed are"), ("folder.mp4", "is a folder")],
)
def test_place_that_cannot_hold_the_file_is_refused(tmp_path: Path, name: str, says: str) -> None:
    (tmp_path / "folder.mp4").mkdir()
    with pytest.raises(OutputError, match=says):
        _writer(tmp_path / name, overwrite=True)


def test_folder_that_refuses_new_files_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"/proc/a\.mp4"):
        _writer(Path("/proc/a.mp4"))


def test_missing_sound_source_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no such file"):
        _writer(tmp_path / "a.mp4", sound_from=tmp_path / "gone.mp4")
    assert list(tmp_path.iterdir()) == []


def test_frame_of_another_size_is_a_programming_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="48x64x3"), _writer(tmp_path / "a.mp4") as writer:
        writer.write(plain(32, 48, 0), 0.0)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(UsageError, match="0 to 51"):
        EncoderSettings(crf=90)


def test_file_can_be_read_by_whom_the_umask_allows(tmp_path: Path) -> None:
    _write(tmp_path / "a.mp4", 1)
    (tmp_path / "twin").touch()
    assert (tmp_path / "a.mp4").stat().st_mode == (tmp_path / "twin").stat().st_mode


def test_copy_of_a_video_has_the_same_times(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "in.mkv", frames=5, pts=[0, 40, 43, 500, 1010], time_base=Fraction(1, 1000)
    )
    with VideoReader(source) as reader, VideoWriter.like(reader, tmp_path / "out.mp4") as writer:
        for frame in reader:
            writer.write(frame.image, frame.pts_s)
    assert frame_times(tmp_path / "out.mp4") == frame_times(source)
