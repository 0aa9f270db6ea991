"""``annotate -``: a video through a pipe."""

from __future__ import annotations

import os
import pty
import resource
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from command_answers import Answer, Command
from face_makers import Face, scene
from media_makers import frame_times, make_video, sound_seconds

from gclf_live.screentime.result_file import read_result

Annotate = Callable[..., Answer]
FPS, FRAMES = 10, 12


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """An mp4 with its index at its end, which cannot be read without seeking."""
    images = [scene(Face("collins", 100 + 6 * i, 120, 90)) for i in range(FRAMES)]
    path = make_video(tmp_path / "in.mp4", images=images, fps=FPS, sound_s=1.2)
    assert path.read_bytes().index(b"moov") > path.read_bytes().index(b"mdat")
    return path


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def annotate(command: Command, weights: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch) -> Annotate:
    """Run ``annotate -`` with bytes that come through a pipe; nothing may be left of them."""

    def call(piped: bytes, *arguments: object) -> Answer:
        reading, writing = os.pipe()

        def feed() -> None:
            with os.fdopen(writing, "wb") as sink:
                sink.write(piped)

        feeder = threading.Thread(target=feed)
        feeder.start()
        options = ("--device", "cpu", "--weights", weights, "--threshold", "0", "--preset", "ultrafast")
        with os.fdopen(reading) as stream:
            monkeypatch.setattr(sys, "stdin", stream)
            answer = command("annotate", *options, *arguments)
            stream.buffer.read()  # what was refused unread
        feeder.join()
        assert list(temporary.iterdir()) == []
        return answer

    return call


def test_video_through_a_pipe_is_annotated_as_the_file_is(
    annotate: Annotate, command: Command, weights: Path, video: Path, tmp_path: Path
) -> None:
    answer = annotate(
        *(video.read_bytes(), "-", "-o", tmp_path / "out.mp4", "--tracks", tmp_path / "t.csv", "--json")
    )
    assert answer.code == 0, answer.err
    (entry,) = answer.document["files"]
    assert (entry["source"], entry["frames"]) == ("-", FRAMES)
    assert len(frame_times(tmp_path / "out.mp4")) == FRAMES
    assert sound_seconds(tmp_path / "out.mp4")[1] == pytest.approx(1.2, abs=0.06)
    options = ("--device", "cpu", "--weights", weights, "--threshold", "0")
    assert command("annotate", *options, video, "--no-video", "--tracks", tmp_path / "f.csv").code == 0
    assert (tmp_path / "t.csv").read_bytes() == (tmp_path / "f.csv").read_bytes()


def test_range_of_a_piped_video_is_measured_without_a_copy(
    annotate: Annotate, video: Path, tmp_path: Path
) -> None:
    answer = annotate(video.read_bytes(), "-", "--no-video", "--from", "0.5", "--result", tmp_path / "r.json")
    assert answer.code == 0, answer.err
    assert answer.out.startswith("-: ")
    result = read_result(tmp_path / "r.json")
    assert (result.name, result.frames) == ("standard-input", FRAMES - 5)


def test_copy_of_a_piped_video_has_a_name_in_a_folder(
    annotate: Annotate, video: Path, tmp_path: Path
) -> None:
    assert annotate(video.read_bytes(), "-", "-o", f"{tmp_path}/out/").code == 0
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["standard-input.mp4"]


@pytest.mark.parametrize(
    ("piped", "told"),
    [(b"", "nothing came on standard input"), (b"no video" * 100, "cannot read standard input as a video")],
)
def test_pipe_without_a_video_is_told_in_one_line(
    annotate: Annotate, temporary: Path, tmp_path: Path, piped: bytes, told: str
) -> None:
    answer = annotate(piped, "-", "-o", tmp_path / "out.mp4")
    assert answer.code == 1
    lines = [line for line in answer.err.splitlines() if told in line]
    assert len(lines) == 1, answer.err
    assert str(temporary) not in answer.err
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    "arguments", [("-", "--out-dir", "out"), ("-", "b.mp4", "-o", "out"), ("-", "-", "-o", "out")]
)
def test_pipe_is_no_part_of_an_archive(annotate: Annotate, arguments: tuple[str, ...]) -> None:
    answer = annotate(b"x", *arguments)
    assert answer.code == 2
    assert "- is one video on standard input" in answer.error


def test_output_that_exists_is_refused_before_the_pipe_is_read(
    annotate: Annotate, video: Path, tmp_path: Path
) -> None:
    (tmp_path / "r.json").write_text("precious")
    answer = annotate(video.read_bytes(), "-", "--no-video", "--result", tmp_path / "r.json")
    assert answer.code == 1
    assert "--overwrite" in answer.error


@pytest.fixture
def terminal() -> Iterator[int]:
    """A file descriptor of a terminal."""
    main, other = pty.openpty()
    yield other
    os.close(main)


def test_terminal_is_not_waited_for(
    command: Command, terminal: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with os.fdopen(terminal) as stream:
        monkeypatch.setattr(sys, "stdin", stream)
        answer = command("annotate", "-", "-o", tmp_path / "out.mp4")
    assert answer.code == 2
    assert "is a terminal" in answer.error


@pytest.fixture
def nearly_full(video: Path) -> Iterator[None]:
    """No file may get as large as half the video; Python ignores the signal, so that the write fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (video.stat().st_size // 2, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("nearly_full")
def test_full_disk_is_told_with_what_to_do(annotate: Annotate, video: Path) -> None:
    answer = annotate(video.read_bytes(), "-", "--no-video", "--json")
    assert answer.code == 1
    assert "cannot keep standard input" in answer.err
    assert "TMPDIR" in answer.err
    assert answer.document == {"files": []}
