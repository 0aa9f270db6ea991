"""A window that shows pictures and says which key was pressed."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from gclf_live.output.display import check_display
from gclf_live.output.window import Closeable, OpenCvWindow, WindowBackend
from gclf_live.output.x_mapped import MappedReminder
from gclf_live.records import U8

_ESCAPE, _BACKSPACE = 27, 8
_REPAINT_S = 0.5
CLOSED = "closed"
"""What ``KeyWindow.key`` says once the user has closed the window."""


class KeyWindow:
    """A window as a context manager; use it from the main thread only, as ``LiveWindow``."""

    def __init__(
        self,
        title: str,
        *,
        backend: WindowBackend | None = None,
        check: Callable[[], Closeable | None] = check_display,
    ) -> None:
        """Prepare a window.

        Args:
            title: what its frame says.
            backend: the screen; OpenCV unless given.
            check: raises DisplayError where there is no screen; what it returns is held open.
        """
        self._title = title
        self._backend = OpenCvWindow() if backend is None else backend
        self._check = check
        self._connection: Closeable | None = None
        self._reminder: MappedReminder | None = None
        self._shown: U8 | None = None
        self._shown_at = 0.0

    def __enter__(self) -> Self:
        self._connection = self._check()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._shown is not None:
            self._backend.close(self._title)
        if self._connection is not None:
            self._connection.close()

    def show(self, image: U8) -> None:
        """Show a picture: uint8, shape (H, W, 3), BGR. The first one opens the window, at its size.

        Raises:
            DisplayError: this OpenCV has no windows.
        """
        if self._shown is None:
            self._backend.open(self._title, width_px=image.shape[1], height_px=image.shape[0])
            self._reminder = MappedReminder(self._connection, self._title)
        self._shown, self._shown_at = image, time.monotonic()
        self._backend.show(self._title, image)

    def key(self, wait_ms: int = 50) -> str | None:
        """Handle what the user did.

        Returns:
            The letter or digit in lower case, ``escape``, ``backspace``, ``CLOSED``, or None where no key
            of these came within ``wait_ms``.
        """
        if self._reminder is not None:
            self._reminder.poll()
        code = self._backend.wait_key(max(1, wait_ms))
        if not self._backend.is_visible(self._title):
            return CLOSED
        if code < 0:
            # A desktop can lose what was painted before it had placed the window: paint it again.
            if self._shown is not None and time.monotonic() - self._shown_at > _REPAINT_S:
                self.show(self._shown)
            return None
        named = {_ESCAPE: "escape", _BACKSPACE: "backspace"}.get(code & 0xFF)
        letter = chr(code & 0xFF).lower()
        return named or (letter if letter.isascii() and letter.isalnum() else None)
