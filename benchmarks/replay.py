"""A clip in the place of a camera, a screen that shows nothing, and a note of what was shown when."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from gclf_live.pipeline.live import LiveLabeller
from gclf_live.records import U8, Frame, FrameResult
from gclf_live.timing import Clock


class ReplayedCamera:
    """Hands out decoded frames at a steady rate, over and over, in the place of ``cv2.VideoCapture``.

    Attributes:
        handed: for every picture that was fetched, its number since the start, skipped ones counted, and
            when it was due, on the clock.
    """

    def __init__(
        self,
        frames: list[U8],
        *,
        fps: float,
        clock: Clock = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take frames, uint8, shape (H, W, 3), BGR; the first one is due when it is fetched."""
        self._frames, self._step_s = frames, 1 / fps
        self._clock, self._sleep = clock, sleep
        self._next = 0
        self._start_s: float | None = None
        self.handed: list[tuple[int, float]] = []

    def due_s(self, number: int) -> float:
        """When a picture is or was due, on the clock. Before the first one is fetched: counted from now."""
        start_s = self._clock() if self._start_s is None else self._start_s
        return start_s + number * self._step_s

    def isOpened(self) -> bool:  # noqa: N802
        """OpenCV's own name."""
        return True

    def read(self) -> tuple[bool, Any]:
        """Wait for the next frame to be due; one that nobody fetched in time is gone, as with a camera."""
        now_s = self._clock()
        if self._start_s is None:
            self._start_s = now_s
        self._next = max(self._next, int((now_s - self._start_s) / self._step_s + 1e-6))
        due_s = self.due_s(self._next)
        self._sleep(max(0.0, due_s - now_s))
        frame = self._frames[self._next % len(self._frames)]
        self.handed.append((self._next, due_s))
        self._next += 1
        return True, frame.copy()

    def set(self, propId: int, value: float) -> bool:  # noqa: N803
        """Nothing can be set."""
        return False

    def release(self) -> None:
        """Nothing to give back."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One frame that came to the screen.

    Attributes:
        number: of the camera's picture since its start.
        due_s: when the camera had it.
        at_s: when the screen had it.
        result: what was drawn on it.
    """

    number: int
    due_s: float
    at_s: float
    result: FrameResult


class WatchedScreen:
    """A window backend that shows nothing, and notes when it would have."""

    def __init__(self, camera: ReplayedCamera, *, clock: Clock = time.monotonic) -> None:
        """Watch what comes from ``camera``."""
        self.shown: list[Shown] = []
        self._camera, self._clock = camera, clock
        self._result: FrameResult | None = None
        self._waiting = False

    def expect(self, result: FrameResult) -> None:
        """Say what is on the picture that comes next."""
        self._result = result

    def open(self, title: str, *, width_px: int, height_px: int) -> None:
        """Nothing to open."""

    def show(self, title: str, image: U8) -> None:
        """The picture would appear with the next ``wait_key``."""
        self._waiting = True

    def wait_key(self, wait_ms: int) -> int:
        """No key; a picture that waits is on the screen now."""
        if self._waiting and self._result is not None:
            number, due_s = self._camera.handed[self._result.index]
            self.shown.append(Shown(number, due_s, self._clock(), self._result))
            self._waiting = False
        return -1

    def is_visible(self, title: str) -> bool:
        """Never closed."""
        return True

    def close(self, title: str) -> None:
        """Nothing to close."""


class WatchedLabeller(LiveLabeller):
    """Tells the screen what is on the picture that it gets next."""

    screen: WatchedScreen | None = None

    def label(self, frame: Frame, *, age_s: float = 0.0) -> FrameResult:
        """As ``LiveLabeller.label``."""
        result = super().label(frame, age_s=age_s)
        if self.screen is not None:
            # Times of results count from the first frame; the index is what leads back to the camera.
            self.screen.expect(replace(result, index=frame.index))
        return result
