"""When a live source sends no pictures: what to say, and what to show instead."""

from __future__ import annotations

from collections.abc import Callable

from gclf_live.media.capture import CaptureThread, Outage
from gclf_live.timing import Clock

_STEP_S = 1.0


class OutageWatch:
    """Follows one capture thread through its outages.

    Attributes:
        count: outages so far.
        seconds: without pictures, added up over them.
    """

    def __init__(
        self,
        capture: CaptureThread,
        name: str,
        *,
        reconnects: bool,
        say: Callable[[str], None],
        clock: Clock,
    ) -> None:
        """Watch a source.

        Args:
            capture: the thread that reads it.
            name: what to call it.
            reconnects: whether it is opened again.
            say: takes one line for the user.
            clock: seconds, monotonic; that of ``capture``.
        """
        self.count = 0
        self._over_s = 0.0
        self._capture, self._name, self._reconnects = capture, name, reconnects
        self._say, self._clock = say, clock
        self._began_s: float | None = None
        self._next_s = 0.0
        self._attempt: str | None = None

    @property
    def seconds(self) -> float:
        """Seconds without pictures so far, that of an outage which goes on included."""
        now_s = 0.0 if self._began_s is None else self._clock() - self._began_s
        return self._over_s + now_s

    def look(self) -> str | None:
        """To be called while no picture comes.

        Returns:
            The line for the greyed picture where it is due: when an outage begins, and once a second.
        """
        outage = self._capture.outage
        if outage is None:
            return None
        now_s = self._clock()
        if self._began_s is None:
            self._begin(outage)
        self._tell_attempt()
        if now_s < self._next_s:
            return None
        self._next_s = now_s + _STEP_S
        what = "reconnecting" if self._reconnects else "waiting for the picture"
        return f"{what}  {outage.seconds:.0f} s"

    def over(self) -> None:
        """To be called when a picture has come."""
        if self._began_s is None:
            return
        lasted_s = self._clock() - self._began_s
        self._over_s += lasted_s
        self._began_s = None
        self._say(f"{self._name} is back" + (f" after {lasted_s:.1f} s" if self._reconnects else ""))

    def _begin(self, outage: Outage) -> None:
        self.count += 1
        self._began_s = self._clock() - outage.seconds
        self._next_s = 0.0
        self._attempt = None
        what = f"was lost: {outage.why}" if outage.broken else f"has stalled: {outage.why}"
        self._say(f"{self._name} {what}; {'reconnecting' if self._reconnects else 'waiting for it'}")

    def _tell_attempt(self) -> None:
        """Why it cannot be opened, whenever that is another reason than before."""
        failure = self._capture.last_attempt
        if failure is not None and failure != self._attempt:
            self._attempt = failure
            self._say(f"not back yet: {failure}")
