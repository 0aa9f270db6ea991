from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from gclf_live.errors import DisplayError
from gclf_live.output.window import Action, LiveWindow, OpenCvWindow, prepare_qt
from gclf_live.records import U8

PICTURE = np.zeros((360, 640, 3), np.uint8)


class FakeScreen:
    """A screen whose user presses ``keys`` one after another and may close the window."""

    def __init__(self, keys: list[int] | None = None) -> None:
        self.keys = keys or []
        self.calls: list[str] = []
        self.size: tuple[int, int] | None = None
        self.visible = False

    def open(self, title: str, *, width_px: int, height_px: int) -> None:
        self.calls.append("open")
        self.size = (width_px, height_px)
        self.visible = True

    def show(self, title: str, image: U8) -> None:
        self.calls.append("show")
        self.visible = True  # As OpenCV does: a closed window opens again.

    def wait_key(self, wait_ms: int) -> int:
        assert wait_ms >= 1, "0 would wait for ever"
        return self.keys.pop(0) if self.keys else -1

    def is_visible(self, title: str) -> bool:
        return self.visible

    def close(self, title: str) -> None:
        self.calls.append("close")
        self.visible = False


def _window(screen: FakeScreen) -> LiveWindow:
    return LiveWindow(backend=screen, check=lambda: None)


@pytest.mark.parametrize(
    ("key", "action"),
    [
        (ord("q"), Action.QUIT),
        (ord("Q"), Action.QUIT),
        (27, Action.QUIT),
        (ord(" "), Action.PAUSE),
        (ord("s"), Action.SNAPSHOT),
        (ord("h"), Action.HELP),
        (ord("h") | 0x100000, Action.HELP),  # GTK sets bits above the character for Num Lock.
        (ord("x"), None),
        (225, None),
        (-1, None),
    ],
)
def test_keys_mean_actions(key: int, action: Action | None) -> None:
    with _window(FakeScreen([key])) as window:
        window.show(PICTURE)
        assert window.poll(0) is action


def test_window_closed_by_mouse_means_quit_and_stays_closed() -> None:
    screen = FakeScreen([-1, ord("h")])
    with _window(screen) as window:
        window.show(PICTURE)
        assert window.poll() is None
        screen.visible = False
        assert window.poll() is Action.QUIT
        shown = screen.calls.count("show")
        window.show(PICTURE)
        assert screen.calls.count("show") == shown
        assert window.poll() is Action.QUIT


def test_window_is_closed_when_the_work_fails() -> None:
    screen = FakeScreen()

    def work() -> None:
        with _window(screen) as window:
            window.show(PICTURE)
            raise RuntimeError("camera gone")

    with pytest.raises(RuntimeError, match="camera gone"):
        work()
    assert screen.calls == ["open", "show", "close"]


def test_nothing_opens_without_a_picture() -> None:
    screen = FakeScreen([ord("q")])
    with _window(screen) as window:
        assert window.poll() is None
    assert screen.calls == []


def test_connection_to_the_screen_is_held_while_the_window_is_there() -> None:
    screen = FakeScreen()

    class Connection:
        def close(self) -> None:
            screen.calls.append("let go")

    with LiveWindow(backend=screen, check=Connection) as window:
        window.show(PICTURE)
    assert screen.calls == ["open", "show", "close", "let go"]


def test_screen_is_checked_before_it_is_touched() -> None:
    screen = FakeScreen()

    def refuse() -> None:
        raise DisplayError("none here")

    with pytest.raises(DisplayError, match="none here"), LiveWindow(backend=screen, check=refuse) as window:
        window.show(PICTURE)
    assert screen.calls == []


@pytest.mark.parametrize(
    ("picture", "window"),
    [
        ((1280, 720), (1280, 720)),
        ((3840, 2160), (1280, 720)),
        ((1080, 1920), (405, 720)),
        ((320, 240), (640, 480)),
        ((3000, 10), (1280, 4)),
        ((4000, 1), (1280, 1)),
    ],
)
def test_window_opens_in_the_shape_of_the_picture(picture: tuple[int, int], window: tuple[int, int]) -> None:
    screen = FakeScreen()
    with _window(screen) as live:
        live.show(np.zeros((picture[1], picture[0], 3), np.uint8))
    assert screen.size == window


@pytest.fixture
def qt_environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without Qt's variables; what is set in the test is undone after it."""
    for name in ("QT_QPA_PLATFORM", "QT_LOGGING_RULES", "QT_QPA_FONTDIR"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setattr("sys.platform", "linux")
    return monkeypatch


def test_without_a_display_the_window_says_so_on_entering(qt_environ: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        qt_environ.delenv(name, raising=False)
    with pytest.raises(DisplayError, match="--no-window"), LiveWindow():
        pytest.fail("the block must not run")


def test_opencv_without_windows_is_one_line(qt_environ: pytest.MonkeyPatch) -> None:
    def headless(title: str, flags: int) -> None:
        raise cv2.error("The function is not implemented. Rebuild the library")

    qt_environ.setattr(cv2, "namedWindow", headless)
    with pytest.raises(DisplayError, match="opencv-python-headless, or add --no-window"):
        OpenCvWindow().open("window", width_px=640, height_px=360)


@pytest.mark.parametrize(("before", "after"), [("wayland", "xcb"), (None, "xcb"), ("offscreen", "offscreen")])
def test_qt_is_told_a_platform_that_the_wheel_has(
    qt_environ: pytest.MonkeyPatch, before: str | None, after: str
) -> None:
    if before is not None:
        qt_environ.setenv("QT_QPA_PLATFORM", before)
    prepare_qt()
    assert os.environ["QT_QPA_PLATFORM"] == after


@pytest.mark.parametrize("before", [None, "", "/no/such/folder"])
def test_qt_is_told_where_fonts_are(qt_environ: pytest.MonkeyPatch, before: str | None) -> None:
    if before is not None:
        qt_environ.setenv("QT_QPA_FONTDIR", before)
    prepare_qt()
    assert list(Path(os.environ["QT_QPA_FONTDIR"]).glob("*.ttf"))


def test_what_the_user_told_qt_is_kept(qt_environ: pytest.MonkeyPatch, tmp_path: Path) -> None:
    qt_environ.setenv("QT_QPA_FONTDIR", str(tmp_path))
    qt_environ.setenv("QT_LOGGING_RULES", "*=true")
    prepare_qt()
    assert os.environ["QT_QPA_FONTDIR"] == str(tmp_path)
    assert os.environ["QT_LOGGING_RULES"] == "*=true"
