"""The live window: shows frames, answers keys, and closes when its user closes it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import cv2

from gclf_live.errors import DisplayError
from gclf_live.output.display import check_display
from gclf_live.output.plates import font_folder
from gclf_live.output.x_mapped import MappedReminder
from gclf_live.records import U8

_FIRST_SIZE_PX = (1280, 720)
_ESCAPE = 27


class Action(Enum):
    """What the user asked for in the window."""

    QUIT = "quit"
    PAUSE = "pause"
    SNAPSHOT = "snapshot"
    HELP = "help"


_KEYS = {
    ord("q"): Action.QUIT,
    _ESCAPE: Action.QUIT,
    ord(" "): Action.PAUSE,
    ord("s"): Action.SNAPSHOT,
    ord("h"): Action.HELP,
}


class WindowBackend(Protocol):
    """The few window functions that are needed, so that a test can stand in for the screen."""

    def open(self, title: str, *, width_px: int, height_px: int) -> None:
        """Open a window that the user can resize."""

    def show(self, title: str, image: U8) -> None:
        """Put a BGR picture into the window."""

    def wait_key(self, wait_ms: int) -> int:
        """Handle events for ``wait_ms``; the code of a key that was pressed, or -1."""

    def is_visible(self, title: str) -> bool:
        """Whether the window is still there."""

    def close(self, title: str) -> None:
        """Close the window; nothing happens if it is gone already."""


class Closeable(Protocol):
    """Something that is held open."""

    def close(self) -> None:
        """Let go of it."""


class OpenCvWindow:
    """The real screen, through OpenCV."""

    def open(self, title: str, *, width_px: int, height_px: int) -> None:
        """Open a window. Raises DisplayError where this OpenCV was built without windows."""
        prepare_qt()
        try:
            cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_KEEPRATIO | cv2.WINDOW_GUI_NORMAL)
        except cv2.error as error:
            raise DisplayError(
                "no window can be opened: this OpenCV has no windows. Install opencv-python in place of "
                "opencv-python-headless, or add --no-window"
            ) from error
        cv2.resizeWindow(title, width_px, height_px)

    def show(self, title: str, image: U8) -> None:
        """Put a BGR picture into the window."""
        cv2.imshow(title, image)

    def wait_key(self, wait_ms: int) -> int:
        """Handle events; the key's code, or -1."""
        return cv2.waitKey(wait_ms)

    def is_visible(self, title: str) -> bool:
        """Whether the window is still there."""
        try:
            return cv2.getWindowProperty(title, cv2.WND_PROP_VISIBLE) >= 1
        except cv2.error:
            return False

    def close(self, title: str) -> None:
        """Close the window and let the screen know at once."""
        try:
            cv2.destroyWindow(title)
            cv2.waitKey(1)
        except cv2.error:
            return


class LiveWindow:
    """A window as a context manager. Use it from the main thread only; Qt and macOS want it so.

    It opens with the first picture, at its shape, and is closed on the way out.
    """

    def __init__(
        self,
        title: str = "gclf-live",
        *,
        backend: WindowBackend | None = None,
        check: Callable[[], Closeable | None] = check_display,
    ) -> None:
        """Prepare a window; nothing is shown yet.

        Args:
            title: what its frame says.
            backend: the screen; OpenCV unless given.
            check: raises DisplayError where there is no screen. Called on entering the context; what
                it returns is held open until the window is closed.
        """
        self._title = title
        self._backend = OpenCvWindow() if backend is None else backend
        self._check = check
        self._connection: Closeable | None = None
        self._reminder: MappedReminder | None = None
        self._opened = False
        self._closed = False

    def __enter__(self) -> Self:
        self._connection = self._check()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._opened:
            self._backend.close(self._title)
        self._closed = True
        if self._connection is not None:
            self._connection.close()

    def show(self, image: U8) -> None:
        """Show a picture: uint8, shape (H, W, 3), BGR. Does nothing once the user has closed the window."""
        if not self._opened:
            width_px, height_px = _first_size(image)
            self._backend.open(self._title, width_px=width_px, height_px=height_px)
            self._reminder = MappedReminder(self._connection, self._title)
            self._opened = True
        # To show a picture in a window that was closed by mouse would open it again.
        if not self._closed:
            self._backend.show(self._title, image)

    def poll(self, wait_ms: int = 1) -> Action | None:
        """Handle what the user did; also what makes the picture appear.

        Args:
            wait_ms: how long to wait for a key, at least 1.

        Returns:
            The key's action, QUIT for good once the window was closed, or None.
        """
        if self._reminder is None:
            return None
        if not self._closed:
            self._reminder.poll()
            key = self._backend.wait_key(max(1, wait_ms))
            self._closed = not self._backend.is_visible(self._title)
        return Action.QUIT if self._closed else _action(key)


def prepare_qt() -> None:
    """Settle what OpenCV's own Qt would complain about on standard error. Before the first window."""
    if not sys.platform.startswith("linux"):
        return
    # Desktops set QT_QPA_PLATFORM=wayland for all programs; the wheel's Qt has xcb alone and would abort.
    if os.environ.get("QT_QPA_PLATFORM") not in {"offscreen", "minimal"}:
        os.environ["QT_QPA_PLATFORM"] = "xcb"
    # OpenCV names a folder that its wheel does not contain.
    fonts, named = font_folder(), os.environ.get("QT_QPA_FONTDIR")
    if fonts is not None and not (named and Path(named).is_dir()):
        os.environ["QT_QPA_FONTDIR"] = str(fonts)
    os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")


def _action(key: int) -> Action | None:
    return None if key < 0 else _KEYS.get(ord(chr(key & 0xFF).lower()))


def _first_size(image: U8) -> tuple[int, int]:
    """Width and height that fit a common screen in the picture's shape, at most twice its size."""
    height, width = image.shape[:2]
    scale = min(2.0, _FIRST_SIZE_PX[0] / width, _FIRST_SIZE_PX[1] / height)
    return max(1, round(width * scale)), max(1, round(height * scale))
