"""The real window, on a virtual X screen: what it shows, which keys it hears, how it ends."""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

pytestmark = pytest.mark.skipif(
    not os.environ.get("CI") and not all(shutil.which(name) for name in ("Xvfb", "xdotool", "openbox")),
    reason="Xvfb, xdotool and openbox are not all installed; with CI set this fails instead",
)

PATIENCE_S = 60.0
PROGRAM = """
import numpy as np
from gclf_live.output.window import Action, LiveWindow

picture = np.zeros((360, 640, 3), np.uint8)
picture[:, :320] = 0, 0, 255
picture[:, 320:] = 255, 0, 0
with LiveWindow("window under test") as window:
    while (action := window.poll(20)) is not Action.QUIT:
        window.show(picture)
        if action:
            print(action.name, flush=True)
print("END", flush=True)
"""


@dataclass
class Screen:
    """A running X server."""

    display: str
    memory: Path

    def pixels(self) -> npt.NDArray[np.uint8]:
        """What is on the screen, BGR; the server's memory is an XWD file (X11/XWDFile.h)."""
        data = self.memory.read_bytes()
        header = struct.unpack(">25I", data[:100])
        width, height, line_bytes, colours = header[4], header[5], header[12], header[19]
        start = header[0] + 12 * colours
        pixels = np.frombuffer(data, np.uint8, height * line_bytes, start).reshape(height, -1, 4)
        return pixels[:, :width, :3]

    def xdotool(self, *words: str) -> str:
        """Run xdotool on this screen."""
        environ = os.environ | {"DISPLAY": self.display}
        # A search that finds nothing yet exits with 1.
        command = ["xdotool", *words]
        return subprocess.run(
            command, env=environ, check=False, stdout=subprocess.PIPE, text=True
        ).stdout.strip()


@pytest.fixture(scope="module")
def screen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    folder = tmp_path_factory.mktemp("screen")
    reading, writing = os.pipe()
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1600x900x24", "-fbdir", str(folder)]
    # Without -noreset the server drops its clients whenever xdotool was the only one and leaves.
    command += ["-noreset", "-nolisten", "tcp"]
    server = subprocess.Popen(command, pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    try:
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        assert number, "Xvfb did not start"
        # Qt now and then waits for ever to paint a window that no window manager has placed.
        environ = os.environ | {"DISPLAY": f":{number}"}
        manager = subprocess.Popen(["openbox", "--sm-disable"], env=environ, stderr=subprocess.DEVNULL)
        try:
            screen = Screen(f":{number}", folder / "Xvfb_screen0")
            _wait_for(lambda: screen.xdotool("get_num_desktops"))  # openbox is there
            yield screen
        finally:
            manager.terminate()
            manager.wait(timeout=10)
    finally:
        server.terminate()
        server.wait(timeout=10)


@dataclass
class Program:
    """The program under test, the number of its window, and the files it writes to."""

    process: subprocess.Popen[bytes]
    window: str
    output: Path
    complaints: Path

    def says(self, words: list[str]) -> bool:
        """Whether these words, and no others, have come out by now."""
        return self.output.read_text().split() == words


@pytest.fixture
def program(screen: Screen, tmp_path: Path) -> Iterator[Program]:
    # What desktops with Wayland set for all programs; the wheel's Qt would abort on it.
    environ = os.environ | {"DISPLAY": screen.display, "QT_QPA_PLATFORM": "wayland"}
    command = [sys.executable, "-c", PROGRAM]
    output, complaints = tmp_path / "stdout", tmp_path / "stderr"
    with output.open("wb") as stdout, complaints.open("wb") as stderr:
        process = subprocess.Popen(command, env=environ, stdout=stdout, stderr=stderr)
    try:
        window = _wait_for(lambda: screen.xdotool("search", "--onlyvisible", "--name", "window under test"))
        _wait_for(lambda: bool((screen.pixels() == (0, 0, 255)).all(axis=2).sum() > 100_000))
        screen.xdotool("windowfocus", "--sync", window)
        yield Program(process, window, output, complaints)
    finally:
        process.kill()
        process.wait()


def _wait_for(answer: Callable[[], str | bool]) -> str:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        if found := answer():
            return str(found)
        time.sleep(0.05)
    raise TimeoutError("nothing of the kind happened")


def _close_by_mouse(display: str, window: int) -> None:
    """What a click on the window's cross comes to: the message WM_DELETE_WINDOW (ICCCM 4.2.8.1)."""
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(x11.XOpenDisplay(display.encode()))
    protocols, delete = (
        x11.XInternAtom(connection, name, False) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
    )
    # XClientMessageEvent of Xlib.h in native layout: type 33, serial, send_event, display, window,
    # message_type, format, five longs; an XEvent is 24 longs.
    message = struct.pack("@iLiPLLi5l", 33, 0, 1, connection.value, window, protocols, 32, delete, 0, 0, 0, 0)
    x11.XSendEvent(connection, ctypes.c_ulong(window), False, ctypes.c_long(0), message.ljust(192, b"\0"))
    x11.XCloseDisplay(connection)


def test_window_shows_the_picture_and_answers_keys(screen: Screen, program: Program) -> None:
    pixels = screen.pixels()
    red, blue = ((pixels == colour).all(axis=2) for colour in ((0, 0, 255), (255, 0, 0)))
    # 640x360 opens at twice its size, in its shape.
    assert abs(int(red.sum()) - 640 * 720) < 640 * 720 * 0.02
    assert abs(int(blue.sum()) - 640 * 720) < 640 * 720 * 0.02
    assert np.nonzero(red)[1].mean() < np.nonzero(blue)[1].mean()
    heard: list[str] = []
    # One after the other: of two keys within one poll, OpenCV tells only the last.
    for key, word in (("h", "HELP"), ("s", "SNAPSHOT"), ("space", "PAUSE"), ("q", "END")):
        screen.xdotool("key", key)
        heard.append(word)
        _wait_for(lambda: program.says(heard))
    assert program.process.wait(timeout=PATIENCE_S) == 0
    assert program.complaints.read_text() == ""


def test_window_closed_by_mouse_ends_the_program(screen: Screen, program: Program) -> None:
    _close_by_mouse(screen.display, int(program.window))
    assert program.process.wait(timeout=PATIENCE_S) == 0
    assert program.says(["END"])
    assert program.complaints.read_text() == ""
    assert not screen.xdotool("search", "--onlyvisible", "--name", "window under test")
