"""The real window, on a virtual X screen: what it shows, which keys it hears, how it ends."""

from __future__ import annotations

import contextlib
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

from gclf_live.output.display import check_display
from gclf_live.output.x_mapped import MappedReminder

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

UNREMINDED = """
import numpy as np
from gclf_live.output.window import OpenCvWindow

picture = np.zeros((360, 640, 3), np.uint8)
picture[:, :320] = 0, 0, 255
window = OpenCvWindow()
window.open("window under test", width_px=1280, height_px=720)
while True:
    window.show("window under test", picture)
    window.wait_key(20)
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

    def shows_red(self) -> bool:
        """Whether the picture of the program under test is there."""
        return bool((self.pixels() == (0, 0, 255)).all(axis=2).sum() > 100_000)

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
    with _running(screen, tmp_path, PROGRAM) as program:
        screen.xdotool("windowfocus", "--sync", program.window)
        yield program


@contextlib.contextmanager
def _running(screen: Screen, folder: Path, code: str) -> Iterator[Program]:
    """The program, once its picture is on the screen."""
    # What desktops with Wayland set for all programs; the wheel's Qt would abort on it.
    environ = os.environ | {"DISPLAY": screen.display, "QT_QPA_PLATFORM": "wayland"}
    output, complaints = folder / "stdout", folder / "stderr"
    with output.open("wb") as stdout, complaints.open("wb") as stderr:
        process = subprocess.Popen([sys.executable, "-c", code], env=environ, stdout=stdout, stderr=stderr)
    try:
        window = _wait_for(lambda: screen.xdotool("search", "--onlyvisible", "--name", "window under test"))
        _wait_for(screen.shows_red)
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


@contextlib.contextmanager
def _x11(display: str) -> Iterator[tuple[ctypes.CDLL, ctypes.c_void_p]]:
    """Xlib, and a connection to the server."""
    x11 = ctypes.CDLL("libX11.so.6")
    x11.XOpenDisplay.restype = ctypes.c_void_p
    connection = ctypes.c_void_p(x11.XOpenDisplay(display.encode()))
    try:
        yield x11, connection
    finally:
        x11.XCloseDisplay(connection)


def _send(x11: ctypes.CDLL, connection: ctypes.c_void_p, window: int, event: bytes) -> None:
    # An XEvent is 24 longs.
    x11.XSendEvent(connection, ctypes.c_ulong(window), False, ctypes.c_long(0), event.ljust(192, b"\0"))


def _close_by_mouse(display: str, window: int) -> None:
    """What a click on the window's cross comes to: the message WM_DELETE_WINDOW (ICCCM 4.2.8.1)."""
    with _x11(display) as (x11, connection):
        protocols, delete = (
            x11.XInternAtom(connection, name, False) for name in (b"WM_PROTOCOLS", b"WM_DELETE_WINDOW")
        )
        # XClientMessageEvent of Xlib.h in native layout: type 33, serial, send_event, display, window,
        # message_type, format, five longs.
        fields = (33, 0, 1, connection.value, window, protocols, 32, delete, 0, 0, 0, 0)
        _send(x11, connection, window, struct.pack("@iLiPLLi5l", *fields))


def _let_qt_think_it_is_not_mapped(display: str, window: int) -> None:
    """The event UnmapNotify, though nothing was unmapped; and what is on the screen is blackened."""
    with _x11(display) as (x11, connection):
        # XUnmapEvent: type 18, serial, send_event, display, event, window, from_configure.
        _send(x11, connection, window, struct.pack("@iLiPLLi", 18, 0, 1, connection.value, window, window, 0))
        x11.XDefaultGC.restype = ctypes.c_void_p
        black = ctypes.c_void_p(x11.XDefaultGC(connection, 0))
        x11.XFillRectangle(connection, ctypes.c_ulong(window), black, 0, 0, 1280, 720)
        x11.XSync(connection, False)


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


def test_window_that_does_not_know_it_is_seen_is_painted_once_it_is_told(
    screen: Screen, tmp_path: Path
) -> None:
    # A busy machine does this now and then, when a window opens: Qt misses that it was mapped.
    with _running(screen, tmp_path, UNREMINDED) as program:
        _wait_for(lambda: _stays_black(screen, program))
        seconds = [0.0]
        with contextlib.closing(check_display({"DISPLAY": screen.display}, "linux")) as connection:
            reminder = MappedReminder(connection, "window under test", clock=lambda: seconds[0])
            reminder.poll()
            assert not screen.shows_red()
            seconds[0] = 1.0
            reminder.poll()
            _wait_for(screen.shows_red)


def _stays_black(screen: Screen, program: Program) -> bool:
    """Whether the picture is gone and does not come again; a painting may have been under way."""
    _let_qt_think_it_is_not_mapped(screen.display, int(program.window))
    time.sleep(0.5)  # frames enough for it to be painted, if it were
    return not screen.shows_red()
