"""Segments of a long video: whole or not there, and joined the same film as one encoded in one run."""

from __future__ import annotations

import math
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import contextmanager
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from disk_limits import file_size_limit
from media_makers import RATE, frame_times, make_video, plain, sound_seconds, tone

from gclf_live.errors import GclfError, OutputError, SourceError
from gclf_live.media.encoder import EncoderSettings, Preset
from gclf_live.media.excerpt import ExcerptWriter
from gclf_live.media.reader import VideoReader
from gclf_live.media.segments import SegmentWriter, join_segments, segment_path
from gclf_live.media.writer import VideoWriter

_ONE_THREAD = EncoderSettings(threads=1)


def _moving(count: int, size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """Pictures with a bright square that moves over a changing ground: B-frames have something to do."""
    pictures = []
    for i in range(count):
        picture = plain(*size, 30 + i % 25)
        picture[10 : 10 + 16, i % 40 : i % 40 + 16] = 200
        pictures.append(picture)
    return pictures


def _unbroken(source: Path, path: Path, settings: EncoderSettings = _ONE_THREAD) -> VideoWriter:
    with VideoReader(source) as reader, VideoWriter.like(reader, path, settings=settings) as writer:
        for frame in reader:
            writer.write(frame.image, frame.pts_s)
    return writer


def _cut(
    source: Path, folder: Path, borders: Sequence[int], settings: EncoderSettings = _ONE_THREAD
) -> list[Path]:
    """The segments of a video, cut before the frames with these numbers."""
    folder.mkdir(exist_ok=True)
    with VideoReader(source) as reader:
        frames = list(reader)
        edges = [0, *borders, len(frames)]
        paths = [segment_path(folder, index) for index in range(len(edges) - 1)]
        for path, (first, last) in zip(paths, pairwise(edges), strict=True):
            with SegmentWriter(reader, path, settings=settings) as writer:
                for frame in frames[first:last]:
                    writer.write(frame.image, frame.pts_s)
    return paths


def _pictures(path: Path) -> list[np.ndarray]:
    with av.open(path) as container:
        return [frame.to_ndarray(format="gray").astype(int) for frame in container.decode(video=0)]


def _packets(path: Path, kind: str) -> list[tuple[bytes, float]]:
    """Content and time in seconds of the packets of the first stream of a kind."""
    with av.open(path) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return [(bytes(p), float(p.pts * p.time_base)) for p in container.demux(stream) if p.size]


def _decode_ticks(path: Path) -> list[int | None]:
    with av.open(path) as container:
        return [p.dts for p in container.demux(container.streams.video[0]) if p.size]


def _complaints(path: Path) -> list[str]:
    """What libav's demuxer and decoder say while the whole picture is decoded."""
    before = av.logging.get_level()
    av.logging.set_level(av.logging.WARNING)
    try:
        with av.logging.Capture(local=False) as logs:
            _pictures(path)
    finally:
        av.logging.set_level(before)
    return [text for _, _, text in logs]


def _assert_same_film(joined: Path, unbroken: Path) -> None:
    assert frame_times(joined) == frame_times(unbroken)
    assert _complaints(joined) == []
    assert _decode_ticks(joined) == _decode_ticks(unbroken)
    for left, right in zip(_pictures(joined), _pictures(unbroken), strict=True):
        assert np.abs(left - right).mean() < 3
        assert np.abs(left - right).max() < 60
    with av.open(joined) as one, av.open(unbroken) as other:
        assert [s.type for s in one.streams] == [s.type for s in other.streams]
        assert [s.start_time for s in one.streams] == [s.start_time for s in other.streams]
        assert [s.time_base for s in one.streams] == [s.time_base for s in other.streams]
        # libav rounds what it says of the length to milliseconds, up or down as B-frames lie.
        assert one.duration == pytest.approx(other.duration, abs=2000)
        ours, theirs = (c.streams.video[0].codec_context for c in (one, other))
        assert ours.extradata == theirs.extradata
        for name in (
            "colorspace",
            "color_primaries",
            "color_trc",
            "color_range",
            "pix_fmt",
            "width",
            "height",
        ):
            assert getattr(ours, name) == getattr(theirs, name)


def _compare(
    tmp_path: Path, source: Path, borders: Sequence[int], settings: EncoderSettings = _ONE_THREAD
) -> Path:
    """Encode a video both ways, check that the films are the same, and give the joined one."""
    whole, joined = tmp_path / "whole.mp4", tmp_path / "joined.mp4"
    writer = _unbroken(source, whole, settings)
    notes = join_segments(source, _cut(source, tmp_path / "segments", borders, settings), joined)
    _assert_same_film(joined, whole)
    assert list(notes) == writer.notes
    return joined


@pytest.mark.parametrize("preset", ["ultrafast", "superfast", "veryfast", "medium"])
def test_joined_film_is_the_one_of_an_unbroken_run(tmp_path: Path, preset: Preset) -> None:
    source = make_video(tmp_path / "in.mp4", images=_moving(60), sound_s=2)
    _compare(tmp_path, source, [20, 47], EncoderSettings(preset=preset, threads=1))


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
@pytest.mark.parametrize("start_s", [0, 7])
def test_start_and_uneven_times_are_kept(tmp_path: Path, suffix: str, start_s: int) -> None:
    base = Fraction(1, 90000) if suffix != "mkv" else Fraction(1, 1000)
    rng = np.random.default_rng(4)
    pts = [int(t / 1000 / base) + 3 for t in np.cumsum(rng.integers(2, 400, 50))]
    source = make_video(
        tmp_path / f"in.{suffix}",
        images=_moving(50),
        pts=pts,
        time_base=base,
        start_s=start_s,
        sound_s=2,
    )
    joined = _compare(tmp_path, source, [3, 4, 20, 30, 49])
    assert len(frame_times(joined)) == 50
    assert len(set(np.diff(np.array(frame_times(joined), float)).round(3))) > 20


def test_long_and_short_gaps_beside_a_border_leave_every_time_as_it_is(tmp_path: Path) -> None:
    ticks = [*range(0, 40, 4), 2000, 2001, 2002, 9000, 9001, 9500, 20_000, 20_001]
    source = make_video(
        tmp_path / "in.mkv", images=_moving(len(ticks)), pts=ticks, time_base=Fraction(1, 1000)
    )
    for number, border in enumerate((9, 10, 11, 13, 14, 17)):
        folder = tmp_path / str(number)
        folder.mkdir()
        joined = _compare(folder, source, [border])
        assert frame_times(joined) == [Fraction(t, 1000) for t in ticks]


def test_segments_of_one_frame_each_make_a_film(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=9)
    joined = _compare(tmp_path, source, range(1, 9))
    for left, right in zip(_pictures(joined), _pictures(source), strict=True):
        assert abs(left.mean() - right.mean()) < 2


def test_segment_without_a_frame_is_whole_and_adds_nothing(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", images=_moving(30))
    _compare(tmp_path, source, [0, 12, 12, 30])


def test_frame_that_is_shown_for_minutes_has_its_time(tmp_path: Path) -> None:
    ticks = [0, 40, 80, 300_000, 300_040]
    source = make_video(
        tmp_path / "in.mkv", images=_moving(5), pts=ticks, time_base=Fraction(1, 1000), sound_s=1
    )
    _compare(tmp_path, source, [3])


def test_odd_sides_and_other_colours_come_through(tmp_path: Path) -> None:
    pictures = _moving(20, (63, 47))
    source = make_video(tmp_path / "in.mkv", images=pictures, codec="ffv1", pix_fmt="yuv444p")
    _compare(tmp_path, source, [7])


@pytest.mark.parametrize("codec", ["aac", "libmp3lame", "ac3", "flac", "libopus"])
def test_sound_is_copied_bit_by_bit_at_the_same_times(tmp_path: Path, codec: str) -> None:
    source = make_video(tmp_path / "in.mkv", images=_moving(45), sound_s=1.5, sound_codec=codec)
    joined = _compare(tmp_path, source, [10, 30])
    assert [data for data, _ in _packets(joined, "audio")] == [data for data, _ in _packets(source, "audio")]
    assert _packets(joined, "audio") == _packets(tmp_path / "whole.mp4", "audio")


@pytest.mark.parametrize("sound_s", [1, 9])
def test_shorter_and_longer_sound_stays_whole(tmp_path: Path, sound_s: int) -> None:
    source = make_video(tmp_path / "in.mp4", images=_moving(90), sound_s=sound_s)
    joined = _compare(tmp_path, source, [30, 60])
    assert _packets(joined, "audio") == _packets(tmp_path / "whole.mp4", "audio")
    assert sound_seconds(joined)[1] == pytest.approx(sound_s, abs=0.05)


@pytest.mark.parametrize(("picture_s", "sound_from_s"), [(0, 1), (1, 0), (5, 4)])
def test_sound_that_begins_earlier_or_later_keeps_its_place(
    tmp_path: Path, picture_s: int, sound_from_s: int
) -> None:
    source = tmp_path / "in.mkv"
    with av.open(source, "w") as output:
        video = output.add_stream("libx264", rate=30, width=64, height=48, pix_fmt="yuv420p")
        sound = output.add_stream("libmp3lame", rate=RATE, layout="mono")
        for i, picture in enumerate(_moving(60)):
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = i + 30 * picture_s, Fraction(1, 30)
            output.mux(video.encode(frame))
        for block in tone(2):
            block.pts += RATE * sound_from_s
            output.mux(sound.encode(block))
        output.mux([*video.encode(None), *sound.encode(None)])
    joined = _compare(tmp_path, source, [11, 40])
    assert _packets(joined, "audio") == _packets(tmp_path / "whole.mp4", "audio")
    assert [data for data, _ in _packets(joined, "audio")] == [data for data, _ in _packets(source, "audio")]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts"])
@pytest.mark.parametrize("to_s", [3.5, None])
def test_part_of_a_video_begins_at_0_with_the_sound_of_that_part(
    tmp_path: Path, suffix: str, to_s: float | None
) -> None:
    codec = "mp2" if suffix == "ts" else "aac"  # one that is copied, and one that is converted
    source = make_video(
        tmp_path / f"in.{suffix}", images=_moving(120), sound_s=4, sound_codec=codec, start_s=2
    )
    whole, joined = tmp_path / "whole.mp4", tmp_path / "joined.mp4"
    paths = [segment_path(tmp_path, index) for index in range(3)]
    with VideoReader(source) as reader:
        frames = list(reader)[20:70]
        with ExcerptWriter.of(reader, whole, to_s=to_s, settings=_ONE_THREAD) as unbroken:
            for frame in frames:
                unbroken.write(frame.image, frame.pts_s)
        for path, part in zip(paths, (frames[:1], frames[1:30], frames[30:]), strict=True):
            with SegmentWriter(reader, path, settings=_ONE_THREAD) as writer:
                for frame in part:
                    writer.write(frame.image, frame.pts_s)
    join_segments(source, paths, joined, excerpt_to_s=math.inf if to_s is None else to_s)
    _assert_same_film(joined, whole)
    assert frame_times(joined)[0] == 0
    assert _packets(joined, "audio") == _packets(whole, "audio")
    assert len(_packets(joined, "audio")) > 30


def test_sound_that_mp4_refuses_is_converted_as_in_one_run_and_told(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", images=_moving(30), sound_s=1, sound_codec="pcm_s16le")
    joined = tmp_path / "joined.mp4"
    (note,) = join_segments(source, _cut(source, tmp_path / "segments", [11]), joined)
    _unbroken(source, tmp_path / "whole.mp4")
    assert "AAC" in note
    assert _packets(joined, "audio") == _packets(tmp_path / "whole.mp4", "audio")


def test_index_lies_in_front_so_that_a_browser_can_start(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=20, sound_s=1)
    data = _compare(tmp_path, source, [8]).read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


def test_sound_lies_beside_its_picture_in_the_file(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", images=_moving(125), fps=5, sound_s=25)
    joined = tmp_path / "joined.mp4"
    join_segments(source, _cut(source, tmp_path / "segments", [50, 100]), joined)
    reached = {"video": 0.0, "audio": 0.0}
    with av.open(joined) as container:
        packets = [(p.pos, p.stream.type, float(p.dts * p.time_base)) for p in container.demux() if p.size]
    for _, kind, time_s in sorted(packets):
        reached[kind] = time_s
        assert abs(reached["video"] - reached["audio"]) < 1.5


def test_no_picture_is_coded_again(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", images=_moving(50))
    paths = _cut(source, tmp_path / "segments", [20, 21])
    join_segments(source, paths, tmp_path / "joined.mp4")
    coded = [data for path in paths for data, _ in _packets(path, "video")]
    assert [data for data, _ in _packets(tmp_path / "joined.mp4", "video")] == coded


def test_every_border_can_be_entered_and_decodes_without_an_error(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", images=_moving(80), start_s=3)
    borders = [17, 40, 41, 66]
    joined = _compare(tmp_path, source, borders)
    times = frame_times(joined)
    pictures = _pictures(joined)
    with av.open(joined) as container:
        stream = container.streams.video[0]
        stream.codec_context.options = {"err_detect": "explode"}
        for border in borders:
            container.seek(round(times[border] / stream.time_base), stream=stream)
            frames = list(container.decode(stream))
            assert [f.pts * f.time_base for f in frames] == times[border:]
            for frame, picture in zip(frames, pictures[border:], strict=True):
                assert not frame.is_corrupt
                assert np.array_equal(frame.to_ndarray(format="gray"), picture)


def _nal_types(packet: bytes) -> list[int]:
    """Kinds of the units that an mp4 packet of H.264 is made of."""
    types, at = [], 0
    while at < len(packet):
        types.append(packet[at + 4] & 31)
        at += 4 + int.from_bytes(packet[at : at + 4], "big")
    return types


def test_segment_begins_with_an_idr_frame_and_decodes_alone_at_the_times_of_the_source(
    tmp_path: Path,
) -> None:
    pts = [1234567 + 3003 * i for i in range(50)]
    source = make_video(tmp_path / "in.ts", images=_moving(50), pts=pts, time_base=Fraction(1, 90000))
    paths = _cut(source, tmp_path / "segments", [13, 14, 37])
    with VideoReader(source) as reader:
        times = [frame.pts_s for frame in reader]
    assert [float(t) for path in paths for t in frame_times(path)] == times
    for path in paths:
        assert 5 in _nal_types(_packets(path, "video")[0][0])
        assert not any("audio" in s.type for s in av.open(path).streams)


def test_same_settings_give_the_same_extradata_whatever_is_shown_and_however_many_threads(
    tmp_path: Path,
) -> None:
    noise = list(np.random.default_rng(1).integers(0, 255, (30, 48, 64, 3), dtype=np.uint8))
    source = make_video(tmp_path / "in.mp4", images=[*_moving(30), *noise])
    found = set()
    for threads in (1, 2, 3, 0):
        paths = _cut(source, tmp_path / str(threads), [1, 30, 31], EncoderSettings(threads=threads))
        for path in paths:
            with av.open(path) as container:
                found.add(bytes(container.streams.video[0].codec_context.extradata))
    assert len(found) == 1
    mixed = [segment_path(tmp_path / str(threads), threads) for threads in (0, 1, 2, 3)]
    join_segments(source, mixed, tmp_path / "joined.mp4")
    assert frame_times(tmp_path / "joined.mp4") == frame_times(source)


@contextmanager
def _refused(folder: Path, match: str):  # type: ignore[no-untyped-def]
    """The block fails with one line and leaves the folder as it was."""
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(GclfError, match=match) as caught:
        yield caught
    assert "\n" not in str(caught.value)
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(
    "settings", [EncoderSettings(crf=30, threads=1), EncoderSettings(preset="ultrafast", threads=1)]
)
def test_segments_of_different_settings_are_refused(tmp_path: Path, settings: EncoderSettings) -> None:
    source = make_video(tmp_path / "in.mp4", frames=20)
    paths = _cut(source, tmp_path / "a", [10])
    paths[1] = _cut(source, tmp_path / "b", [10], settings)[1]
    with _refused(tmp_path, r"segment-000001\.mp4.*other settings") as caught:
        join_segments(source, paths, tmp_path / "joined.mp4")
    assert isinstance(caught.value, SourceError)


def test_missing_segment_is_named(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=20)
    paths = _cut(source, tmp_path / "segments", [10])
    paths[0].unlink()
    with _refused(tmp_path, r"segment-000000\.mp4.*missing"):
        join_segments(source, paths, tmp_path / "joined.mp4")


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_truncated_segment_is_refused(tmp_path: Path, share: float, which: int) -> None:
    source = make_video(tmp_path / "in.mp4", images=_moving(60), sound_s=2)
    paths = _cut(source, tmp_path / "segments", [20, 40])
    data = paths[which].read_bytes()
    paths[which].write_bytes(data[: int(share * len(data))])
    with _refused(tmp_path, rf"segment-00000{which}\.mp4.*damaged"):
        join_segments(source, paths, tmp_path / "joined.mp4")


def test_segment_that_lost_its_pictures_but_not_its_index_is_refused(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", images=_moving(60), options={"movflags": "+faststart"})
    paths = _cut(source, tmp_path / "segments", [20, 40])
    join_segments(source, paths[1:2], paths[1].with_name("front.mp4"))
    data = paths[1].with_name("front.mp4").read_bytes()
    paths[1].with_name("front.mp4").write_bytes(
        data[: data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2]
    )
    paths[1] = paths[1].with_name("front.mp4")
    with _refused(tmp_path, r"front\.mp4.*(damaged|left)"):
        join_segments(source, paths, tmp_path / "joined.mp4")


def test_foreign_files_are_refused(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=20, sound_s=1)
    larger = make_video(tmp_path / "larger.mp4", frames=20, size=(96, 64))
    (paths := _cut(source, tmp_path / "segments", [10])).append(tmp_path / "foreign")
    for name, says in (
        ("in.mp4", "another kind"),
        ("larger.mp4", "size or clock"),
        ("text.mp4", "damaged or no mp4"),
        ("folder", "cannot be read"),
    ):
        (tmp_path / "text.mp4").write_text("not a film")
        (tmp_path / "folder").mkdir(exist_ok=True)
        paths[-1] = tmp_path / name
        with _refused(tmp_path, says):
            join_segments(source, paths, tmp_path / "joined.mp4")
    paths[-1] = _cut(larger, tmp_path / "others", [10])[0]
    with _refused(tmp_path, "size or clock"):
        join_segments(source, paths, tmp_path / "joined.mp4")


@pytest.mark.parametrize("order", [[1, 0], [0, 0, 1], [0, 1, 0]])
def test_segments_out_of_order_or_given_twice_are_refused(tmp_path: Path, order: list[int]) -> None:
    source = make_video(tmp_path / "in.mp4", images=_moving(40))
    paths = _cut(source, tmp_path / "segments", [20])
    with _refused(tmp_path, "do not come after"):
        join_segments(source, [paths[i] for i in order], tmp_path / "joined.mp4")


@pytest.mark.parametrize("count", [0, 2])
def test_no_frame_at_all_is_no_file(tmp_path: Path, count: int) -> None:
    source = make_video(tmp_path / "in.mp4", frames=5)
    with VideoReader(source) as reader:
        paths = [segment_path(tmp_path, index) for index in range(count)]
        for path in paths:
            with SegmentWriter(reader, path):
                pass
    with _refused(tmp_path, "no frame"):
        join_segments(source, paths, tmp_path / "joined.mp4")


def test_target_that_exists_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=20)
    paths = _cut(source, tmp_path / "segments", [10])
    target = tmp_path / "joined.mp4"
    target.write_bytes(b"precious")
    with _refused(tmp_path, "--overwrite"):
        join_segments(source, paths, target)
    join_segments(source, paths, target, overwrite=True)
    assert frame_times(target) == frame_times(source)


def test_input_is_never_the_target(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=20)
    paths = _cut(source, tmp_path / "segments", [10])
    with _refused(tmp_path, "input itself"):
        join_segments(source, paths, source, overwrite=True)


@pytest.mark.parametrize("limit", [0, 20, 3000, 60_000, -100])
def test_full_disk_while_joining_is_one_line_and_leaves_nothing(tmp_path: Path, limit: int) -> None:
    noise = list(np.random.default_rng(0).integers(0, 255, (50, 48, 64, 3), dtype=np.uint8))
    source = make_video(tmp_path / "in.mp4", images=noise, sound_s=2)
    paths = _cut(source, tmp_path / "segments", [25])
    join_segments(source, paths, tmp_path / "whole.mp4")
    size = (tmp_path / "whole.mp4").stat().st_size
    assert size > 61_000
    with _refused(tmp_path, r"cannot write .*joined\.mp4"), file_size_limit(limit % size):
        join_segments(source, paths, tmp_path / "joined.mp4")


@pytest.mark.parametrize("limit", [0, 3000, 60_000])
def test_full_disk_while_a_segment_is_written_leaves_none(tmp_path: Path, limit: int) -> None:
    noise = list(np.random.default_rng(0).integers(0, 255, (50, 48, 64, 3), dtype=np.uint8))
    source = make_video(tmp_path / "in.mp4", images=noise)
    (tmp_path / "segments").mkdir()
    with _refused(tmp_path, r"cannot write .*segment-000000\.mp4"), file_size_limit(limit):
        _cut(source, tmp_path / "segments", [])


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_segment_that_is_not_finished_is_not_there(tmp_path: Path, error: type[BaseException]) -> None:
    source = make_video(tmp_path / "in.mp4", frames=20)
    path = segment_path(tmp_path, 3)

    def broken(reader: VideoReader) -> None:
        with SegmentWriter(reader, path) as writer:
            for frame in reader:
                writer.write(frame.image, frame.pts_s)
            assert not path.exists()
            raise error

    with VideoReader(source) as reader, pytest.raises(error):
        broken(reader)
    assert list(tmp_path.iterdir()) == [source]


_KILLED_RUN = """
import os, signal, sys
from pathlib import Path
from gclf_live.media.encoder import EncoderSettings
from gclf_live.media.reader import VideoReader
from gclf_live.media.segments import SegmentWriter, segment_path

with VideoReader(Path(sys.argv[1])) as reader:
    frames = list(reader)
    for index in range(2):
        path = segment_path(Path(sys.argv[2]), index)
        with SegmentWriter(reader, path, settings=EncoderSettings(threads=1)) as writer:
            for frame in frames[20 * index : 20 * index + 20]:
                writer.write(frame.image, frame.pts_s)
            if index == 1:
                os.kill(os.getpid(), signal.SIGKILL)
"""


def test_killed_run_leaves_its_whole_segments_and_another_goes_on(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", images=_moving(60), sound_s=2)
    folder = tmp_path / "segments"
    folder.mkdir()
    killed = subprocess.run([sys.executable, "-c", _KILLED_RUN, source, folder], check=False)
    assert killed.returncode == -signal.SIGKILL
    first = segment_path(folder, 0)
    assert list(folder.glob("segment-*")) == [first]
    rest = _cut(source, tmp_path / "later", [20, 40])[1:]
    join_segments(source, [first, *rest], tmp_path / "joined.mp4")
    _unbroken(source, tmp_path / "whole.mp4")
    _assert_same_film(tmp_path / "joined.mp4", tmp_path / "whole.mp4")


def test_segment_that_exists_is_not_written_again_unasked(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=4)
    (path,) = _cut(source, tmp_path / "segments", [])
    before = path.read_bytes()
    with VideoReader(source) as reader, pytest.raises(OutputError, match="exists already"):
        SegmentWriter(reader, path)
    assert path.read_bytes() == before


def test_paths_sort_in_the_order_of_the_video(tmp_path: Path) -> None:
    paths = [segment_path(tmp_path, index) for index in (0, 2, 10, 99, 1000)]
    assert sorted(paths) == paths
    assert {path.parent for path in paths} == {tmp_path}
