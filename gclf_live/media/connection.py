"""One open stream: when its silence means something, and what comes at once after a silence."""

from __future__ import annotations

import statistics
import time
from collections import deque

from gclf_live.media.camera import FrameStream
from gclf_live.timing import Clock

_SILENT_S = 2.0
_LONGEST_SILENT_S = 30.0
_BURST_S = 1.0
_QUIET_S = 0.04
_LONGEST_QUIET_S = 0.05
_SHORTEST_INTERVAL_S = 0.01
"""No camera is faster: pictures that are closer together were held up themselves."""


class Connection:
    """A stream that is being read.

    Attributes:
        stream: what is read.
        ended: why nothing more will come from it, in a few words; None while it is read.
    """

    def __init__(self, stream: FrameStream) -> None:
        self.stream = stream
        self.ended: str | None = None
        self._intervals_s: deque[float] = deque(maxlen=16)

    def note_interval(self, seconds: float) -> None:
        """A picture came so long after the one before."""
        self._intervals_s.append(seconds)

    @property
    def quiet_s(self) -> float:
        """A pause that no two pictures have between them which were held up: most of the usual interval."""
        if self._usual_s < _SHORTEST_INTERVAL_S:
            return _QUIET_S
        return min(0.8 * self._usual_s, _LONGEST_QUIET_S)

    @property
    def silent_limit_s(self) -> float:
        """Silence that is worth a word: two seconds, or four intervals where pictures come more slowly."""
        return min(max(_SILENT_S, 4 * self._usual_s), _LONGEST_SILENT_S)

    @property
    def _usual_s(self) -> float:
        return statistics.median(self._intervals_s) if self._intervals_s else 0.0


class Burst:
    """Tells pictures that were held up on their way from those of this moment.

    After a silence, and when a connection begins, a network or a server hands over what it kept. It has all
    come when no further picture follows for a moment; after a second it is not waited for any longer.

    Attributes:
        quiet_s: how long that moment is.
    """

    def __init__(self, clock: Clock = time.monotonic) -> None:
        """Start where nothing is held up; ``clock`` is the one that threads wait by."""
        self.quiet_s = _QUIET_S
        self._clock = clock
        self._on = False
        self._since_s = self._came_s = 0.0

    def begin(self, quiet_s: float) -> None:
        """What comes next may be old; what ``quiet_s`` seconds follow is not."""
        self.quiet_s = quiet_s
        self._since_s = self._came_s = self._clock()
        self._on = True

    def note_frame(self) -> None:
        """A picture came."""
        self._came_s = self._clock()

    def goes_on(self) -> bool:
        """Whether the newest picture may still be an old one."""
        now_s = self._clock()
        over = now_s - self._came_s >= self.quiet_s or now_s - self._since_s >= _BURST_S
        self._on = self._on and not over
        return self._on
