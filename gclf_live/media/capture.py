"""A thread that reads a source, so that a slow or silent one never holds up the caller."""

from __future__ import annotations

import threading
import time
from collections import deque
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from gclf_live.media.camera import FrameStream
from gclf_live.media.source import FramePolicy
from gclf_live.profiling import NO_PROFILER, Spans
from gclf_live.records import U8, Frame
from gclf_live.timing import Clock

_CAPACITY = 2
"""Frames that wait where none may be dropped: one being taken, one ready."""
# A thread that libav holds in a read cannot be woken; it ends by itself and is left to do so.
_JOIN_S = 1.0
_REMEMBERED = 64


@runtime_checkable
class TimedStream(Protocol):
    """A stream whose pictures have a time of their own, as those of a file do."""

    @property
    def last_pts_s(self) -> float:
        """Time of the picture that ``read`` gave last, in seconds."""


class CaptureThread:
    """Reads a stream in a thread of its own; at most two frames wait.

    Attributes:
        captured: frames read so far, dropped ones included.
        dropped: frames that a newer one replaced before they were handed out.
    """

    def __init__(
        self,
        stream: FrameStream,
        *,
        policy: FramePolicy = FramePolicy.NEWEST,
        clock: Clock = time.monotonic,
        spans: Spans = NO_PROFILER,
    ) -> None:
        """Prepare the thread; ``with`` starts it, and closes ``stream`` in the end.

        Args:
            stream: what to read.
            policy: ``NEWEST`` keeps one frame, ``EVERY`` lets the source wait for the caller.
            clock: seconds, monotonic.
            spans: what reading is timed with.
        """
        self.captured = 0
        self.dropped = 0
        self._stream = stream
        self._policy = policy
        self._clock = clock
        self._spans = spans
        self._changed = threading.Condition()
        self._waiting: deque[Frame] = deque()
        self._captured_s: deque[tuple[int, float]] = deque(maxlen=_REMEMBERED)
        self._started_s: float | None = None
        self._last_s: float | None = None
        self._stop = False
        self._finished = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"capture {stream.name}", daemon=True)

    def __enter__(self) -> Self:
        self._last_s = self._clock()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._stop = True
            self._waiting.clear()
            self._changed.notify_all()
        self._thread.join(_JOIN_S)

    @property
    def ended(self) -> bool:
        """Whether the stream has finished and every frame was handed out."""
        with self._changed:
            return self._finished and not self._waiting

    @property
    def stalled_s(self) -> float:
        """Seconds since the last frame came in, or since the start while there was none."""
        return 0.0 if self._last_s is None else max(0.0, self._clock() - self._last_s)

    def age_s(self, frame: Frame) -> float:
        """Seconds since ``frame`` was captured; it must be one of the last 64."""
        with self._changed:
            captured_s = next((at for index, at in reversed(self._captured_s) if index == frame.index), None)
        if captured_s is None:
            raise ValueError(f"frame {frame.index} is not among the last {_REMEMBERED} that were captured")
        return self._clock() - captured_s

    def newest(self, timeout_s: float) -> Frame | None:
        """The newest frame not yet handed out; with ``EVERY`` the next one.

        Args:
            timeout_s: how long to wait for it.

        Returns:
            The frame. Its time counts from the first frame: as the file has it, or as the clock stood at
            capture. None where none came in time or the stream has ended.

        Raises:
            SourceError: the source failed; whatever the thread raised is raised here.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._finished, timeout_s)
            if self._waiting:
                frame = self._waiting.popleft()
                self._changed.notify_all()
                return frame
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            return None

    def _run(self) -> None:
        try:
            while not self._stop and (image := self._read()) is not None:
                self._take(image)
        except BaseException as error:  # it is raised again in the caller
            self._error = error
        finally:
            # Only this thread may close the stream: libav does not survive it during a read.
            try:
                self._stream.close()
            finally:
                with self._changed:
                    self._finished = True
                    self._changed.notify_all()

    def _read(self) -> U8 | None:
        with self._spans.span("capture"):
            return self._stream.read()

    def _take(self, image: U8) -> None:
        now = self._clock()
        with self._changed:
            frame = Frame(image, self._pts_s(now), self.captured)
            self._captured_s.append((frame.index, now))
            self._last_s = now
            self.captured += 1
            self._make_room()
            if not self._stop:
                self._waiting.append(frame)
            self._changed.notify_all()

    def _pts_s(self, now: float) -> float:
        if isinstance(self._stream, TimedStream):
            return self._stream.last_pts_s
        if self._started_s is None:
            self._started_s = now
        return now - self._started_s

    def _make_room(self) -> None:
        """Drop what waits, or wait until it is taken."""
        if self._policy is FramePolicy.EVERY:
            self._changed.wait_for(lambda: self._stop or len(self._waiting) < _CAPACITY)
        elif self._waiting:
            self._waiting.clear()
            self.dropped += 1
