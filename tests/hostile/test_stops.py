"""What is left of a command that did not get to its end, and how the next run goes on."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_answers import Command
from face_makers import save_tiny_weights
from media_makers import frame_times, make_video

from benchmarks.stop_judging import faults, left_behind, visible_files
from benchmarks.stop_kinds import KINDS, small_disk

ROOT = Path(__file__).parent.parent.parent
_SOON_S = 120.0
_NAMES = {"out.mp4", "tracks.csv", "result.json"}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose answers mean nothing."""
    return save_tiny_weights(tmp_path_factory.mktemp("tiny") / "tiny.safetensors")


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that takes a while to encode."""
    tile = np.random.default_rng(3).integers(0, 255, (240, 320, 3), np.uint8)
    images = (np.roll(tile, 37 * i, axis=1) for i in range(100))
    return make_video(tmp_path_factory.mktemp("noise") / "noise.mp4", images=images, sound_s=3)


def _arguments(noise: Path, tiny: Path, out: Path) -> list[object]:
    files = ("-o", out / "out.mp4", "--tracks", out / "tracks.csv", "--result", out / "result.json")
    return ["annotate", noise, *files, "--weights", tiny, "--device", "cpu"]


def _start(arguments: list[object]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "gclf_live", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    end_s = time.monotonic() + _SOON_S
    while not condition():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end_s, "did not happen"
        time.sleep(0.005)


def _hidden_bytes(folder: Path) -> int:
    return max((path.stat().st_size for path in folder.glob(".gclf-live-*")), default=-1)


def test_kill_leaves_a_hidden_file_and_the_next_run_removes_it_and_gives_everything(
    command: Command, noise: Path, tiny: Path, tmp_path: Path
) -> None:
    arguments = _arguments(noise, tiny, tmp_path)
    process = _start(arguments)
    _until(lambda: _hidden_bytes(tmp_path) > 50_000, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert left_behind(tmp_path) == "1 hidden"
    assert command(*arguments).code == 0
    assert {path.name for path in tmp_path.iterdir()} == _NAMES
    assert frame_times(tmp_path / "out.mp4") == frame_times(noise)


def test_folder_that_is_taken_away_is_one_line(noise: Path, tiny: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    process = _start(_arguments(noise, tiny, out))
    _until(lambda: _hidden_bytes(out) > 50_000, process)
    shutil.rmtree(out)
    _, told = process.communicate(timeout=_SOON_S)
    assert process.returncode == 1
    line = told.splitlines()[-1]
    assert line.startswith(f"gclf-live: cannot write '{out / 'out.mp4'}': No such file or directory")
    assert "Traceback" not in told
    assert not out.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may make a small file system")
@pytest.mark.parametrize("share", [0.001, 0.6])
def test_full_disk_is_one_line_and_leaves_what_is_whole(
    command: Command, noise: Path, tiny: Path, tmp_path: Path, share: float
) -> None:
    # Of noise a copy is about as large as its source.
    with small_disk(tmp_path, KINDS["disk"], round(share * noise.stat().st_size)) as (folder, _, make_room):
        answer = command(*_arguments(noise, tiny, folder))
        assert answer.code == 1
        assert "No space left on device. Make room there" in answer.err
        assert "Traceback" not in answer.err
        assert faults(folder, _NAMES, may_hide=False) == []
        assert not (folder / "out.mp4").exists()
        make_room()
        assert command(*_arguments(noise, tiny, folder), "--overwrite").code == 0
        assert {path.name for path in visible_files(folder)} == _NAMES


def test_judge_finds_what_must_not_be_left(tmp_path: Path) -> None:
    make_video(tmp_path / "out.partial.mp4", frames=3)
    (tmp_path / "out.mp4").write_bytes((tmp_path / "out.partial.mp4").read_bytes()[:400])
    (tmp_path / "tracks.csv").write_text("track_id\n1\n2")
    (tmp_path / "result.json").write_text('{"tracks": [')
    (tmp_path / "odd.tmp").write_text("?")
    (tmp_path / ".gclf-live-00-11.mp4").touch()
    found = faults(tmp_path, _NAMES, may_hide=False)
    assert [line.split()[0] for line in found] == [
        *("odd.tmp", "out.mp4", "result.json", "tracks.csv", ".gclf-live-00-11.mp4"),
    ]
    assert left_behind(tmp_path) == "4 whole, 1 partial, 1 hidden"
