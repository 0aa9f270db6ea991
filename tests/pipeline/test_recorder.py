"""Recording: in a thread of its own, nothing lost, no error swallowed."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from disk_limits import file_size_limit
from media_makers import frame_times, plain

from gclf_live.errors import OutputError, SourceError
from gclf_live.pipeline.recorder import Recorder
from gclf_live.records import U8


def _recorder(path: Path, *, overwrite: bool = False) -> Recorder:
    return Recorder(path, width_px=64, height_px=48, overwrite=overwrite)


def _record(recorder: Recorder, images: list[U8], then: BaseException | None = None) -> None:
    with recorder:
        for i, image in enumerate(images):
            recorder.write(image, i / 30)
        if then is not None:
            raise then


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("record")]


def test_all_frames_are_written_at_their_times(tmp_path: Path) -> None:
    times = [0.0, 0.011, 0.05, 0.4, 0.433] + [0.5 + i / 30 for i in range(40)]
    with _recorder(tmp_path / "r.mp4") as recorder:
        for pts_s in times:
            recorder.write(plain(64, 48, 90), pts_s)
        assert recorder.result_path is None
    assert recorder.result_path == tmp_path / "r.mp4"
    assert [float(t) for t in frame_times(tmp_path / "r.mp4")] == pytest.approx(times, abs=1e-4)
    assert _threads() == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SourceError("camera 0 stopped sending pictures")])
def test_what_ends_the_session_keeps_the_recording_as_partial(tmp_path: Path, error: BaseException) -> None:
    recorder = _recorder(tmp_path / "r.mp4")
    with pytest.raises(type(error)):
        _record(recorder, [plain(64, 48, 90)] * 5, then=error)
    assert [path.name for path in tmp_path.iterdir()] == ["r.partial.mp4"]
    assert len(frame_times(tmp_path / "r.partial.mp4")) == 5
    assert recorder.result_path == tmp_path / "r.partial.mp4"


def test_interrupted_recordings_do_not_replace_one_another(tmp_path: Path) -> None:
    for frames in (2, 3, 4):
        with pytest.raises(KeyboardInterrupt):
            _record(_recorder(tmp_path / "r.mp4"), [plain(64, 48, 90)] * frames, then=KeyboardInterrupt())
    found = {path.name: len(frame_times(path)) for path in tmp_path.iterdir()}
    assert found == {"r.partial.mp4": 2, "r.partial-2.mp4": 3, "r.partial-3.mp4": 4}


def test_recording_without_frames_is_no_file_and_no_error(tmp_path: Path) -> None:
    with _recorder(tmp_path / "r.mp4") as recorder:
        pass
    assert recorder.result_path is None
    assert list(tmp_path.iterdir()) == []


def test_recording_is_never_replaced_unasked(tmp_path: Path) -> None:
    (tmp_path / "r.mp4").write_bytes(b"precious")
    with pytest.raises(OutputError, match="--overwrite"):
        _recorder(tmp_path / "r.mp4")
    with _recorder(tmp_path / "r.mp4", overwrite=True) as recorder:
        recorder.write(plain(64, 48, 90), 0)
    assert len(frame_times(tmp_path / "r.mp4")) == 1


def _record_on_a_disk_of(limit: int, path: Path) -> OutputError:
    noise = np.random.default_rng(1).integers(0, 255, (48, 64, 3), np.uint8)
    with file_size_limit(limit), pytest.raises(OutputError, match="cannot write") as caught:
        _record(_recorder(path), [np.roll(noise, i * 7, axis=1) for i in range(300)])
    assert _threads() == []
    return caught.value


@pytest.mark.parametrize("limit", [60_001, 100_001, 173_210])
def test_full_disk_keeps_what_was_recorded_before(tmp_path: Path, limit: int) -> None:
    error = _record_on_a_disk_of(limit, tmp_path / "r.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["r.partial.mp4"]
    assert str(error).endswith(f"What was recorded before is in {str(tmp_path / 'r.partial.mp4')!r}")
    times = frame_times(tmp_path / "r.partial.mp4")
    assert len(times) >= 30
    assert [float(t) for t in times] == pytest.approx([i / 30 for i in range(len(times))], abs=1e-4)


def test_recording_that_was_finished_and_not_yet_named_is_brought_back_whole(tmp_path: Path) -> None:
    with _recorder(tmp_path / "r.mp4") as recorder:
        hidden = next(tmp_path.iterdir()).name
        for i in range(90):
            recorder.write(plain(64, 48, i), i / 30)
    (tmp_path / "r.mp4").rename(tmp_path / hidden)  # as a kill leaves it that comes before the name
    again = _recorder(tmp_path / "r.mp4")
    with again:
        again.write(plain(64, 48, 90), 0.0)
    assert again.brought_back == [tmp_path / "r.partial.mp4"]
    assert len(frame_times(tmp_path / "r.partial.mp4")) == 90


def test_disk_that_is_full_at_the_end_keeps_the_recording(tmp_path: Path) -> None:
    with _recorder(tmp_path / "whole.mp4") as recorder:
        for i in range(300):
            recorder.write(plain(64, 48, i % 200), i / 30)
    size = (tmp_path / "whole.mp4").stat().st_size
    images = [plain(64, 48, i % 200) for i in range(300)]
    # Room for all but the end of the index.
    with file_size_limit(size - 100), pytest.raises(OutputError, match=r"r\.partial\.mp4"):
        _record(_recorder(tmp_path / "r.mp4"), images)
    assert len(frame_times(tmp_path / "r.partial.mp4")) >= 270


def test_name_that_another_run_took_meanwhile_keeps_both(tmp_path: Path) -> None:
    recorder = _recorder(tmp_path / "r.mp4")
    recorder.__enter__()
    for i in range(40):
        recorder.write(plain(64, 48, i), i / 30)
    (tmp_path / "r.mp4").write_text("another one's")
    with pytest.raises(OutputError, match=r"exists already.*r\.partial\.mp4"):
        recorder.__exit__(None, None, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.mp4", "r.partial.mp4"]
    assert (tmp_path / "r.mp4").read_text() == "another one's"
    assert len(frame_times(tmp_path / "r.partial.mp4")) == 40


@pytest.mark.parametrize("limit", [0, 10, 1_000])
def test_disk_without_room_for_a_frame_leaves_nothing(tmp_path: Path, limit: int) -> None:
    error = _record_on_a_disk_of(limit, tmp_path / "r.mp4")
    assert "recorded" not in str(error)
    assert list(tmp_path.iterdir()) == []


_KILLED = """
import os, signal, sys, time
from pathlib import Path
import numpy as np
from gclf_live.pipeline.recorder import Recorder
folder, frames = Path(sys.argv[1]), int(sys.argv[2])
with Recorder(folder / "r.mp4", width_px=64, height_px=48) as recorder:
    for i in range(frames):
        recorder.write(np.full((48, 64, 3), i % 200, np.uint8), i / 30)
    deadline = time.monotonic() + 60
    while recorder._waiting.qsize() and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _kill_a_recording(folder: Path, *, frames: int) -> None:
    ended = subprocess.run([sys.executable, "-c", _KILLED, str(folder), str(frames)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(list(folder.glob(".gclf-live-*"))) == 1


def test_killed_recording_plays_but_for_its_last_seconds_and_gets_a_name(tmp_path: Path) -> None:
    _kill_a_recording(tmp_path, frames=300)
    with _recorder(tmp_path / "s.mp4") as recorder:
        recorder.write(plain(64, 48, 90), 0.0)
    assert recorder.brought_back == [tmp_path / "r.partial.mp4"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.partial.mp4", "s.mp4"]
    times = [float(t) for t in frame_times(tmp_path / "r.partial.mp4")]
    assert times == pytest.approx([i / 30 for i in range(len(times))], abs=1e-4)
    assert len(times) >= 300 - 3 * 30


def test_killed_recordings_do_not_replace_one_another(tmp_path: Path) -> None:
    (tmp_path / "r.partial.mp4").write_text("there already")
    _kill_a_recording(tmp_path, frames=200)
    assert _recorder(tmp_path / "s.mp4").brought_back == [tmp_path / "r.partial-2.mp4"]
    assert (tmp_path / "r.partial.mp4").read_text() == "there already"


def test_recording_that_was_killed_before_its_first_second_leaves_nothing(tmp_path: Path) -> None:
    _kill_a_recording(tmp_path, frames=1)
    with _recorder(tmp_path / "s.mp4") as recorder:
        pass
    assert recorder.brought_back == []
    assert list(tmp_path.iterdir()) == []


def test_recording_that_another_program_writes_is_left_alone(tmp_path: Path) -> None:
    with _recorder(tmp_path / "r.mp4") as writing:
        writing.write(plain(64, 48, 90), 0.0)
        with _recorder(tmp_path / "s.mp4") as other:
            other.write(plain(64, 48, 90), 0.0)
        assert other.brought_back == []
        writing.write(plain(64, 48, 90), 0.5)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.mp4", "s.mp4"]
    assert len(frame_times(tmp_path / "r.mp4")) == 2
