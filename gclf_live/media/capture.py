"""A thread that reads a source, so that a slow or silent one never holds up the caller."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from gclf_live.errors import SourceError
from gclf_live.media.camera import FrameStream, SourceLostError
from gclf_live.media.connection import Burst, Connection
from gclf_live.media.reconnect import Reconnection, Reconnector
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


@dataclass(frozen=True, slots=True)
class Outage:
    """No pictures come.

    Attributes:
        seconds: since the last one, or since the start while there was none.
        why: in a few words.
        broken: whether the connection is gone, rather than silent.
    """

    seconds: float
    why: str
    broken: bool


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
        reconnection: Reconnection | None = None,
        clock: Clock = time.monotonic,
        spans: Spans = NO_PROFILER,
    ) -> None:
        """Prepare the thread; ``with`` starts it, and closes ``stream`` in the end.

        Args:
            stream: what to read.
            policy: ``NEWEST`` keeps one frame, ``EVERY`` lets the source wait for the caller.
            reconnection: how to open the source again when it fails, ends or falls silent. Without, its
                failure is raised, its end is the end, and silence is waited out.
            clock: seconds, monotonic.
            spans: what reading is timed with.
        """
        self.captured = 0
        self.dropped = 0
        self._policy = policy
        self._clock = clock
        self._spans = spans
        self._changed = threading.Condition()
        self._waiting: deque[Frame] = deque()
        self._captured_s: deque[tuple[int, float]] = deque(maxlen=_REMEMBERED)
        self._started_s: float | None = None
        self._last_s: float | None = None
        self._burst = Burst()
        self._stop = False
        self._finished = False
        self._error: BaseException | None = None
        self._connection = Connection(stream)
        self._reconnection = reconnection
        self._reconnector = self._make_reconnector(stream.name)
        self._thread = threading.Thread(
            target=self._run, args=(self._connection,), name=f"capture {stream.name}", daemon=True
        )

    def _make_reconnector(self, name: str) -> Reconnector | None:
        if self._reconnection is None:
            return None
        return Reconnector(
            self._reconnection,
            name,
            is_lost=self._is_lost,
            take_over=self._take_over,
            give_up=self._finish,
        )

    def __enter__(self) -> Self:
        self._last_s = self._clock()
        self._thread.start()
        if self._reconnector is not None:
            self._reconnector.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._stop = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._reconnector is not None:
            self._reconnector.stop(_JOIN_S)
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

    @property
    def now_s(self) -> float:
        """The time that a frame would have which came in now."""
        return 0.0 if self._started_s is None else self._clock() - self._started_s

    @property
    def outage(self) -> Outage | None:
        """What keeps pictures from coming; None while they do, and once the source has ended for good.

        Never any of a file, which may well hold one picture for a minute.
        """
        with self._changed:
            silent_s = self._connection.silent_limit_s
            if self._finished or isinstance(self._connection.stream, TimedStream):
                return None
            if self._connection.ended is not None:
                return Outage(self.stalled_s, self._connection.ended, broken=True)
            if self.stalled_s > silent_s:
                return Outage(self.stalled_s, f"no picture for {silent_s:.0f} s", broken=False)
            return None

    @property
    def last_attempt(self) -> str | None:
        """Why the last attempt to open the source again failed, in one line."""
        return None if self._reconnector is None else self._reconnector.failure

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
        end_s = time.monotonic() + timeout_s
        with self._changed:
            while not self._finished and (not self._waiting or self._burst.goes_on()):
                left_s = end_s - time.monotonic()
                if left_s <= 0:
                    return None
                self._changed.wait(min(left_s, self._burst.quiet_s) if self._waiting else left_s)
            if self._waiting:
                frame = self._waiting.popleft()
                self._changed.notify_all()
                return frame
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            return None

    def _run(self, connection: Connection) -> None:
        """Read one stream to its end."""
        error: BaseException | None = None
        try:
            while not self._stop and (image := self._read(connection)) is not None:
                if not self._take(image, connection):
                    break
        except BaseException as caught:  # it is raised again in the caller
            error = caught
        finally:
            # Only this thread may close the stream: libav does not survive it during a read.
            try:
                connection.stream.close()
            finally:
                self._end(connection, error)

    def _read(self, connection: Connection) -> U8 | None:
        with self._spans.span("capture"):
            return connection.stream.read()

    def _end(self, connection: Connection, error: BaseException | None) -> None:
        """A stream is over: for good, or until it is found again."""
        expected = error is None or isinstance(error, SourceError)
        if self._reconnector is None or self._stop or not expected:
            self._finish(error)
            return
        with self._changed:
            why = getattr(error, "why", None) if isinstance(error, SourceLostError) else error
            connection.ended = "it was closed" if why is None else str(why)
            self._changed.notify_all()
        self._reconnector.wake()

    def _finish(self, error: BaseException | None) -> None:
        with self._changed:
            if not self._finished:
                self._error = error
            self._finished = True
            self._changed.notify_all()

    def _is_lost(self) -> bool:
        """Whether the source has to be opened again."""
        with self._changed:
            if self._stop or self._finished:
                return False
            # What is silent may speak again: it is read on while another connection is tried beside it.
            beside = self._reconnection is not None and self._reconnection.beside
            silent = beside and self.stalled_s > self._connection.silent_limit_s
            return self._connection.ended is not None or silent

    def _take_over(self, stream: FrameStream) -> None:
        """Read from a connection that was opened again, unless the old one is back."""
        connection = Connection(stream)
        with self._changed:
            wanted = self._is_lost()
            if wanted:
                self._burst.begin(self._connection.quiet_s)
                self._connection, self._thread = connection, threading.current_thread()
                self._last_s = self._clock()
        if wanted:
            self._run(connection)
        else:
            stream.close()

    def _take(self, image: U8, connection: Connection) -> bool:
        """Put a picture where it waits; False from a connection that another one has replaced."""
        now = self._clock()
        with self._changed:
            if connection is not self._connection:
                return False
            if self._policy is FramePolicy.NEWEST and self.stalled_s > self._connection.silent_limit_s:
                self._burst.begin(connection.quiet_s)
            if self.captured and self._last_s is not None:
                connection.note_interval(now - self._last_s)
            frame = Frame(image, self._pts_s(now), self.captured)
            self._captured_s.append((frame.index, now))
            self._last_s = now
            self._burst.note_frame()
            self.captured += 1
            self._make_room()
            if not self._stop:
                self._waiting.append(frame)
            self._changed.notify_all()
        return True

    def _pts_s(self, now: float) -> float:
        if isinstance(self._connection.stream, TimedStream):
            return self._connection.stream.last_pts_s
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
