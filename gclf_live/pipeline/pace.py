"""How the time of a live session passes: its pauses, and the speed at which a file goes by."""

from __future__ import annotations

from gclf_live.timing import Clock


class Pace:
    """Keeps the pauses of a session apart from the time in which it worked.

    Attributes:
        paused: whether its user has paused it.
        resumed_s: time on the clock when it last went on, or began.
        playback_speed: seconds of the source that went by in a second, pauses left out; None before the
            second frame.
    """

    def __init__(self, clock: Clock) -> None:
        """Begin now; ``clock`` gives seconds, monotonic."""
        self.paused = False
        self.resumed_s = clock()
        self.playback_speed: float | None = None
        self._clock = clock
        self._before_s, self._paused_at_s = 0.0, 0.0
        self._first: tuple[float, float] | None = None
        """Working time and time of the source at the first frame."""

    @property
    def paused_s(self) -> float:
        """Seconds of all pauses, one that lasts included."""
        return self._before_s + (self._clock() - self._paused_at_s if self.paused else 0.0)

    def toggle(self) -> None:
        """Pause, or go on."""
        if self.paused:
            self._before_s = self.paused_s
            self.resumed_s = self._clock()
        else:
            self._paused_at_s = self._clock()
        self.paused = not self.paused

    def played(self, pts_s: float) -> None:
        """Note that the source's frame at ``pts_s`` was shown."""
        worked_s = self._clock() - self.paused_s
        if self._first is None:
            self._first = worked_s, pts_s
        elif worked_s > self._first[0]:
            self.playback_speed = (pts_s - self._first[1]) / (worked_s - self._first[0])
