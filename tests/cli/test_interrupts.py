"""Ctrl-C and SIGTERM in a process of its own: exit codes, and what is left on the disk."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from command_answers import Command
from media_makers import frame_times, make_video

ROOT = Path(__file__).parent.parent.parent
_SOON_S = 120.0


class Running:
    """The command as a user starts it, without a terminal or a display."""

    def __init__(self, *arguments: object) -> None:
        environ = {name: value for name, value in os.environ.items() if "DISPLAY" not in name}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gclf_live", *map(str, arguments)],
            cwd=ROOT,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # A shell that runs the tests in its background leaves Ctrl-C ignored, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
        )

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for something that the command is to do."""
        end = time.monotonic() + _SOON_S
        while not condition():
            assert self.process.poll() is None, self.process.communicate()[1]
            assert time.monotonic() < end, "did not happen"
            time.sleep(0.005)

    def end(self, number: signal.Signals) -> tuple[int, list[str]]:
        """Send a signal; the exit code, and the lines on standard error but the one that names the device."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=_SOON_S)
        return self.process.returncode, [line for line in err.splitlines() if ": cpu: " not in line]


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that takes a while to encode."""
    random = np.random.default_rng(3)
    tile = random.integers(0, 255, (240, 320, 3), np.uint8)
    images = (np.roll(tile, 37 * i, axis=1) for i in range(240))
    path = tmp_path_factory.mktemp("noise") / "noise.mp4"
    return make_video(path, images=images)


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def _hidden_size(folder: Path) -> int:
    return max((path.stat().st_size for path in folder.glob(".gclf-*")), default=-1)


@pytest.mark.parametrize(
    ("number", "code", "line"),
    [
        (signal.SIGINT, 130, "interrupted"),
        (signal.SIGTERM, 143, "terminated"),
        (signal.SIGHUP, 129, "hung up"),
    ],
)
def test_signal_that_comes_before_the_command_is_loaded_is_one_line(
    number: signal.Signals, code: int, line: str
) -> None:
    running = Running("export", "-o", "/nowhere/model.onnx")
    running.until(lambda: _is_caught(running.process.pid, number))
    assert running.end(number) == (code, [f"gclf-live: {line}"])


def _is_caught(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler of its own for a signal, and it is not yet Python's for Ctrl-C."""
    status = Path(f"/proc/{pid}/status").read_text("ascii", "replace")
    caught = int(next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), 16)
    return all(caught >> (each - 1) & 1 for each in (number, signal.SIGTERM))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_end_in_the_second_pass_leaves_a_part_that_plays(
    tmp_path: Path, weights: Path, noise: Path, number: signal.Signals, code: int
) -> None:
    running = Running(
        *("annotate", noise, "-o", tmp_path / "out.mp4", "--tracks", tmp_path / "t.csv"),
        *("--weights", weights, "--device", "cpu"),
    )
    running.until(lambda: _hidden_size(tmp_path) > 100_000)
    got, told = running.end(number)
    how = "interrupted" if number == signal.SIGINT else "terminated"
    partial = tmp_path / "out.partial.mp4"
    assert (got, told) == (code, [f"gclf-live: {how}; what was done is in '{partial}'"])
    assert _names(tmp_path) == {"out.partial.mp4"}
    assert 0 < len(frame_times(partial)) < 240


def test_interrupt_in_the_first_pass_leaves_nothing(tmp_path: Path, weights: Path, noise: Path) -> None:
    running = Running("annotate", noise, "-o", tmp_path / "out.mp4", "--weights", weights, "--device", "cpu")
    running.until(lambda: _hidden_size(tmp_path) >= 0)
    time.sleep(0.1)
    assert running.end(signal.SIGINT) == (130, ["gclf-live: interrupted"])
    assert _names(tmp_path) == set()


def test_run_that_was_killed_goes_on_where_it_was(
    command: Command, tmp_path: Path, weights: Path, noise: Path
) -> None:
    (tmp_path / "in").mkdir()
    make_video(tmp_path / "in" / "a.mp4", frames=3)
    (tmp_path / "in" / "b.mp4").symlink_to(noise)
    arguments = ("annotate", tmp_path / "in", "-o", tmp_path / "out", "--weights", weights, "--device", "cpu")
    running = Running(*arguments)
    assert running.process.stdout is not None
    assert running.process.stdout.readline().startswith(f"{tmp_path / 'in' / 'a.mp4'}: ")
    running.process.kill()
    running.process.communicate()
    finished = {"a.mp4", "a.result.json", "a.tracks.csv"}
    assert {name for name in _names(tmp_path / "out") if not name.startswith(".")} == finished
    before = (tmp_path / "out" / "a.mp4").stat().st_mtime_ns
    make_video(tmp_path / "in" / "short.mp4", frames=2)
    (tmp_path / "in" / "b.mp4").unlink()
    again = command(*arguments)
    assert again.code == 0
    assert "1 of 2 inputs were up to date" in again.err
    assert (tmp_path / "out" / "a.mp4").stat().st_mtime_ns == before
    assert len(frame_times(tmp_path / "out" / "short.mp4")) == 2


def test_interrupted_recording_plays(tmp_path: Path, weights: Path) -> None:
    source = make_video(tmp_path / "v.mp4", frames=300, fps=10)
    running = Running(
        *("--source", source, "--no-window", "--record", tmp_path / "r.mp4"),
        *("--weights", weights, "--device", "cpu"),
    )
    # The encoder looks some 40 pictures ahead before it writes the first.
    running.until(lambda: _hidden_size(tmp_path) >= 0)
    time.sleep(3)
    code, told = running.end(signal.SIGINT)
    assert code == 130
    assert told == [f"gclf-live: recorded {tmp_path / 'r.partial.mp4'}", "gclf-live: interrupted"]
    assert _names(tmp_path) == {"v.mp4", "r.partial.mp4"}
    assert frame_times(tmp_path / "r.partial.mp4")[-1] > 0.5


class SilentCamera:
    """A network camera that sends thirty pictures, and then nothing over a connection that stays open."""

    def __init__(self) -> None:
        self._server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.getsockname()[1]}/"
        self._over = threading.Event()
        self.silent = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        encoded = cv2.imencode(".jpg", np.full((120, 160, 3), 90, np.uint8))[1].tobytes()
        head = f"--b\r\nContent-Type: image/jpeg\r\nContent-Length: {len(encoded)}\r\n\r\n".encode()
        connection, _ = self._server.accept()
        with connection:
            connection.recv(4096)
            connection.sendall(
                b"HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=b\r\n\r\n"
            )
            for _ in range(30):
                connection.sendall(head + encoded + b"\r\n")
                time.sleep(0.03)
            self.silent.set()
            self._over.wait(_SOON_S)

    def close(self) -> None:
        self._over.set()
        self._server.close()


def test_interrupt_while_a_stream_is_silent_keeps_the_recording(tmp_path: Path, weights: Path) -> None:
    camera = SilentCamera()
    try:
        running = Running(
            *("--source", camera.url, "--no-window", "--record", tmp_path / "r.mp4"),
            *("--weights", weights, "--device", "cpu"),
        )
        lines: list[str] = []
        assert running.process.stderr is not None
        while not any("has stalled" in line for line in lines):
            line = running.process.stderr.readline()
            assert line, lines
            lines.append(line)
        began_s = time.monotonic()
        code, told = running.end(signal.SIGINT)
        # A read that libav is held in ends by itself after 30 s; that must not be waited for.
        assert time.monotonic() - began_s < 25
    finally:
        camera.close()
    assert camera.silent.is_set()
    assert code == 130
    assert told == [f"gclf-live: recorded {tmp_path / 'r.partial.mp4'}", "gclf-live: interrupted"]
    assert len(frame_times(tmp_path / "r.partial.mp4")) > 0
