"""The live command without a camera or a screen: what it says, and what it writes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from command_answers import Answer, Command
from face_makers import Face, scene
from media_makers import frame_times, make_video

from gclf_live.media.camera import list_cameras

Live = Callable[..., Answer]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Half a second with one face."""
    return make_video(tmp_path / "v.mp4", images=[scene(Face("collins", 160, 120, 90))] * 8, fps=16)


@pytest.fixture
def live(command: Command, weights: Path) -> Live:
    """Run the live command with weights that mean nothing."""

    def call(*arguments: object) -> Answer:
        return command("--device", "cpu", "--weights", weights, "--threshold", "0", *arguments)

    return call


def test_file_is_played_recorded_and_summed_up(live: Live, clip: Path, tmp_path: Path) -> None:
    answer = live("--source", clip, "--no-window", "--record", tmp_path / "r.mp4", "--json")
    assert answer.code == 0
    figures = answer.document
    assert figures["captured"] == 8
    assert (figures["shown"], figures["dropped"]) == (8, 0), "a file loses no frame, however slow the machine"
    times = [float(t) for t in frame_times(tmp_path / "r.mp4")]
    assert len(times) == figures["shown"]
    assert all(t * 16 == pytest.approx(round(t * 16), abs=0.01) for t in times), "the file's own times"
    assert list(figures["labels"]) in (["female"], ["male"])
    assert f"recorded {tmp_path / 'r.mp4'}" in answer.err


def test_summary_is_for_people_unless_asked_otherwise(live: Live, clip: Path) -> None:
    answer = live("--source", clip, "--no-window")
    assert "8 frames captured" in answer.out
    assert "latency: " in answer.out


def test_recording_that_exists_is_refused_at_once(live: Live, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "r.mp4").write_bytes(b"precious")
    answer = live("--source", clip, "--no-window", "--record", tmp_path / "r.mp4")
    assert answer.code == 1
    assert "--overwrite" in answer.error
    assert (tmp_path / "r.mp4").read_bytes() == b"precious"


@pytest.mark.parametrize("record", ["r.avi", "gone/r.mp4"])
def test_recording_that_cannot_be_written_is_told_without_a_summary(
    live: Live,
    clip: Path,
    tmp_path: Path,
    record: str,
) -> None:
    answer = live("--source", clip, "--no-window", "--record", tmp_path / record)
    assert answer.code == 1
    assert "cannot write" in answer.err
    assert {path.name for path in tmp_path.iterdir()} == {"v.mp4"}


def test_camera_that_is_not_there_names_those_that_are(live: Live) -> None:
    answer = live("--camera", "97", "--no-window")
    assert answer.code == 1
    there = list_cameras()
    assert ("cameras found: " + ", ".join(map(str, there)) if there else "no cameras found") in answer.error
    assert answer.out == ""


def test_no_display_is_told_with_the_way_out(live: Live, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    answer = live("--source", clip)
    assert answer.code == 1
    assert "--no-window" in answer.error
    assert answer.out == ""


def test_file_that_is_not_there_is_one_line(live: Live, tmp_path: Path) -> None:
    answer = live("--source", tmp_path / "none.mp4", "--no-window")
    assert answer.code == 1
    assert "no such file" in answer.error


def test_recording_that_cannot_be_is_refused_before_anything_is_loaded(
    live: Live, clip: Path, tmp_path: Path
) -> None:
    answer = live("--source", clip, "--no-window", "--record", tmp_path / "out.avi")
    assert answer.code == 1
    assert answer.err.count("\n") == 1
    assert "its name ends in '.avi'; allowed are .m4v, .mp4" in answer.error


def test_session_can_be_limited_in_time(live: Live, tmp_path: Path) -> None:
    long = make_video(tmp_path / "long.mp4", frames=600, fps=10)
    answer = live("--source", long, "--no-window", "--seconds", "0.5", "--json")
    assert answer.code == 0
    assert answer.document["shown"] < 100
