"""Annotated copies of every sort of video: same frames, same times, same sound, boxes where the faces are."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from face_makers import BLUE, ColourClassifier, Face, scene
from media_makers import frame_times, make_video, plain, shade, sound_seconds

from gclf_live.errors import OutputError, SourceError
from gclf_live.pipeline.annotate import Annotated, annotate_video


def _annotate(source: Path, target: Path | None = None, **options: object) -> Annotated:
    target = target or source.with_name("out.mp4")
    return annotate_video(source, target, ColourClassifier(), **options)  # type: ignore[arg-type]


def _size(path: Path) -> tuple[int, int]:
    with av.open(path) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        return stream.width, stream.height


def _left(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_variable_frame_rate_is_kept_to_the_tick(tmp_path: Path) -> None:
    pts = [0, 1000, 1500, 4000, 4017, 9000, 9400]
    source = make_video(
        tmp_path / "v.mp4", frames=7, pts=pts, time_base=Fraction(1, 12_800), options={"bf": "0"}
    )
    _annotate(source)
    assert frame_times(tmp_path / "out.mp4") == frame_times(source)


def test_lying_portrait_video_comes_out_upright_with_its_box(tmp_path: Path) -> None:
    upright = scene(Face("collins", 90, 130, 100), width_px=180, height_px=320)
    lying = [np.rot90(upright, 3).copy()] * 8
    source = make_video(tmp_path / "phone.mp4", images=lying, rotation=90)
    twin = make_video(tmp_path / "twin.mp4", images=[upright] * 8)
    turned, straight = _annotate(source), _annotate(twin, tmp_path / "twin_out.mp4")
    assert _size(tmp_path / "out.mp4") == (180, 320)
    with av.open(tmp_path / "out.mp4") as container:
        assert next(container.decode(video=0)).rotation == 0
    (a,), (b,) = turned.analysis.tracks, straight.analysis.tracks
    assert np.abs(a.faces.boxes[0] - b.faces.boxes[0]).max() < 4
    assert turned.analysis.summaries()[0].label == straight.analysis.summaries()[0].label == "female"


def test_numbers_of_the_tracks_are_drawn_on_request(tmp_path: Path) -> None:
    source = make_video(tmp_path / "v.mp4", images=[scene(Face("collins", 160, 130, 90))] * 3)
    frames = []
    for name, track_ids in (("plain.mp4", False), ("numbered.mp4", True)):
        _annotate(source, tmp_path / name, track_ids=track_ids)
        with av.open(tmp_path / name) as container:
            frames.append(next(container.decode(video=0)).to_ndarray(format="bgr24").astype(int))
    changed = np.abs(frames[0] - frames[1]).max(axis=2) > 60
    assert changed[:110].sum() > 50, "the label above the box is another"
    assert changed[170:].sum() == 0


def test_odd_size_gets_one_more_row_and_column(tmp_path: Path) -> None:
    source = make_video(tmp_path / "odd.mkv", frames=4, size=(65, 49), codec="ffv1", pix_fmt="bgr0")
    _annotate(source)
    assert _size(tmp_path / "out.mp4") == (66, 50)


def test_gif_becomes_a_video_with_its_own_pace(tmp_path: Path) -> None:
    source = make_video(tmp_path / "a.gif", frames=5, fps=10, codec="gif", pix_fmt="rgb8")
    _annotate(source)
    assert [float(t) for t in frame_times(tmp_path / "out.mp4")] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4])


def test_one_frame_and_a_picture_called_mp4_become_videos(tmp_path: Path) -> None:
    single = make_video(tmp_path / "one.mp4", frames=1)
    assert _annotate(single).stats.frames == 1
    encoded = cv2.imencode(".jpg", plain(64, 48, 90))[1]
    (tmp_path / "picture.mp4").write_bytes(encoded.tobytes())
    assert _annotate(tmp_path / "picture.mp4", tmp_path / "p.mp4").stats.frames == 1
    assert len(frame_times(tmp_path / "p.mp4")) == 1


def test_webm_without_a_length_keeps_all_frames_and_progress_has_no_total(tmp_path: Path) -> None:
    source = tmp_path / "live.webm"
    with source.open("wb") as sink, av.open(_Pipe(sink), "w", format="webm") as output:
        video = output.add_stream("libvpx", rate=30, width=64, height=48, pix_fmt="yuv420p")
        for i in range(12):
            frame = av.VideoFrame.from_ndarray(plain(64, 48, shade(i)), format="bgr24")
            frame.pts, frame.time_base = i, Fraction(1, 30)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
    told: list[tuple[int, int | None]] = []
    _annotate(source, advance=lambda done, total: told.append((done, total)))
    assert frame_times(tmp_path / "out.mp4") == frame_times(source)
    assert told[:12] == [(i, None) for i in range(1, 13)], "nobody knows how many there will be"
    assert told[12:] == [(i, 24) for i in range(13, 25)]


class _Pipe:
    """A sink that cannot seek, as a network is."""

    def __init__(self, file) -> None:  # type: ignore[no-untyped-def]
        self._file = file

    def write(self, data: bytes) -> int:
        return int(self._file.write(data))


def test_size_that_changes_inside_a_file_becomes_one_size_with_faces_in_both_halves(tmp_path: Path) -> None:
    parts = [
        scene(Face("collins", 160, 120, 90)),
        scene(Face("obama", 320, 240, 180, BLUE), width_px=640, height_px=480),
    ]
    joined = b""
    for i, image in enumerate(parts):
        joined += make_video(tmp_path / f"{i}.h264", images=[image] * 15).read_bytes()
    (tmp_path / "joined.h264").write_bytes(joined)
    done = _annotate(tmp_path / "joined.h264")
    assert _size(tmp_path / "out.mp4") == (320, 240)
    assert done.stats.frames == len(frame_times(tmp_path / "out.mp4")) == 30
    seen = [len(result.tracks) for result in done.analysis.results()]
    assert seen == [1] * 30
    boxes = np.concatenate([track.faces.boxes for track in done.analysis.tracks])
    shape = (boxes[:, 2] - boxes[:, 0]) / (boxes[:, 3] - boxes[:, 1])
    assert np.ptp(shape) < 0.15, "undistorted"


@pytest.mark.parametrize(("suffix", "codec"), [("avi", "pcm_u8"), ("wmv", "wmav2")])
def test_sound_that_mp4_cannot_carry_is_converted_and_said(tmp_path: Path, suffix: str, codec: str) -> None:
    source = make_video(tmp_path / f"a.{suffix}", frames=30, sound_s=1, sound_codec=codec)
    done = _annotate(source)
    name, seconds = sound_seconds(tmp_path / "out.mp4")
    assert name == "aac"
    assert seconds == pytest.approx(1, abs=0.05)
    assert [note for note in done.notes if "AAC" in note] == list(done.notes)
    assert len(done.notes) == 1


def test_summary_adds_up(tmp_path: Path) -> None:
    two = scene(Face("collins", 90, 120), Face("obama", 230, 120, tint=BLUE))
    stats = _annotate(make_video(tmp_path / "v.mp4", images=[two] * 10, fps=10)).stats
    assert stats.frames == 10
    assert stats.video_s == pytest.approx(1)
    assert {label: total.tracks for label, total in stats.labels.items()} == {"female": 1, "male": 1}
    assert stats.labels["male"].seconds == pytest.approx(1)


def test_boxes_are_drawn_on_the_copy_only_around_faces(tmp_path: Path) -> None:
    image = scene(Face("collins", 230, 140, 80))
    _annotate(make_video(tmp_path / "v.mp4", images=[image] * 4))
    with av.open(tmp_path / "out.mp4") as container:
        drawn = next(container.decode(video=0)).to_ndarray(format="bgr24").astype(int)
    difference = np.abs(drawn - image).max(axis=2)
    assert difference[:, :100].max() < 40
    assert difference[60:230, 150:].max() > 80


@pytest.mark.parametrize("name", ["missing.mp4", "broken.mp4"])
def test_source_that_cannot_be_read_leaves_nothing(tmp_path: Path, name: str) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video at all" * 99)
    with pytest.raises(SourceError):
        _annotate(tmp_path / name)
    assert _left(tmp_path) == {"broken.mp4"}


def test_output_that_exists_is_refused_before_any_work(tmp_path: Path) -> None:
    source = make_video(tmp_path / "v.mp4", frames=2)
    (tmp_path / "out.mp4").write_bytes(b"precious")
    told: list[int] = []
    with pytest.raises(OutputError, match="--overwrite"):
        _annotate(source, advance=lambda done, total: told.append(done))
    assert (tmp_path / "out.mp4").read_bytes() == b"precious"
    assert told == []
    _annotate(source, overwrite=True)
    assert len(frame_times(tmp_path / "out.mp4")) == 2


@contextmanager
def _largest_file(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_full_disk_is_one_error_and_leaves_nothing(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (12, 240, 320, 3), np.uint8)
    source = make_video(tmp_path / "v.mp4", images=list(noise), options={"crf": "40"})
    with _largest_file(100_000), pytest.raises(OutputError, match=r"cannot write .*out\.mp4"):
        _annotate(source)
    assert _left(tmp_path) == {"v.mp4"}


@pytest.mark.parametrize("at", [3, 14])
def test_interrupt_leaves_no_final_name(tmp_path: Path, at: int) -> None:
    source = make_video(tmp_path / "v.mp4", frames=10)

    def advance(done: int, total: int | None) -> None:
        if done == at:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _annotate(source, advance=advance)
    in_second_pass = at > 10
    assert _left(tmp_path) == {"v.mp4"} | ({"out.partial.mp4"} if in_second_pass else set())
    if in_second_pass:
        assert len(frame_times(tmp_path / "out.partial.mp4")) == at - 10


def test_source_that_loses_frames_between_the_passes_is_no_success(tmp_path: Path) -> None:
    source = make_video(tmp_path / "v.mp4", frames=10)
    shorter = make_video(tmp_path / "shorter.mp4", frames=6)

    def advance(done: int, total: int | None) -> None:
        if done == 10:
            shorter.replace(source)

    with pytest.raises(SourceError, match="10, then 6"):
        _annotate(source, advance=advance)
    assert _left(tmp_path) == {"v.mp4"}
