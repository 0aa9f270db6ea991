"""One clock for the frames of a video, whatever its container says or leaves out."""

from __future__ import annotations

import heapq
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from gclf_live.media._libav import usable_fps

_FALLBACK_FPS = Fraction(25)
# A step back by more than this is a second recording joined on, not a frame out of order.
_JOIN_S = 1


class Timeline:
    """Gives every frame of a stream a tick that is later than the one before.

    Attributes:
        time_base: seconds of a tick.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        fps = usable_fps(stream) or _FALLBACK_FPS
        self.time_base = stream.time_base or 1 / fps
        self._step = max(1, round(1 / (fps * self.time_base)))
        self._join = round(_JOIN_S / self.time_base)
        # AVI has no presentation times. Its frames take the slots of its packets, smallest first, or those
        # that B-frames reorder would jump about.
        self._slots: list[int] | None = [] if container.format.name == "avi" else None
        self._next = 0
        self._first: int | None = None
        self._last: int | None = None
        self._offset = 0

    @property
    def length_s(self) -> float:
        """Seconds from the start of the first frame that was placed to the end of the last."""
        return float((self._next - (self._first or 0)) * self.time_base)

    def expect(self, packet: av.Packet[VideoStream]) -> None:
        """Note a packet before it is decoded."""
        if self._slots is not None and packet.dts is not None:
            heapq.heappush(self._slots, packet.dts)

    def place(self, frame: av.VideoFrame) -> int:
        """The frame's tick: its own, or one that follows where it has none or goes back."""
        tick = self._own_tick(frame)
        if tick is None:
            tick = self._next - self._offset
        elif self._last is not None and tick + self._offset < self._last - self._join:
            self._offset = self._next - tick
        tick += self._offset
        if self._last is not None and tick <= self._last:
            tick = self._last + 1
        if self._first is None:
            self._first = tick
        self._last, self._next = tick, tick + (frame.duration or self._step)
        return tick

    def _own_tick(self, frame: av.VideoFrame) -> int | None:
        if self._slots:
            return heapq.heappop(self._slots)
        return frame.pts if frame.pts is not None else frame.dts
