"""Finding a lost camera or stream again, without ever waiting for an attempt that hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from gclf_live.errors import SourceError
from gclf_live.media.camera import FrameStream

_FIRST_PAUSE_S = 0.25
_LONGEST_PAUSE_S = 1.0
"""A source that is back is to be seen within two seconds: one pause, and the time that opening takes."""
_SETTLED_S = 5.0
"""A connection that held this long was a good one: the pauses begin small again."""
_PATIENCE_S = 1.5
"""An attempt without an answer for so long is joined by another: a packet sent to a host that is still off
is repeated after 1, 3 and 7 seconds only."""
_MOST_ATTEMPTS = 4
_LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class Reconnection:
    """How a source that was lost is opened again.

    Attributes:
        reopen: opens it, and has its first picture when it returns; raises SourceError while it is not there.
        beside: whether that can be tried while another attempt, or a connection that is silent, is still
            held: streams can, a camera's driver cannot.
        give_up_after_s: seconds after which the session ends; None is never.
    """

    reopen: Callable[[], FrameStream]
    beside: bool = False
    give_up_after_s: float | None = None


class Reconnector:
    """Watches one source in a thread of its own, and opens it again whenever it is lost.

    Attributes:
        failure: why the last attempt failed, one line; None after one that did not.
    """

    def __init__(
        self,
        how: Reconnection,
        name: str,
        *,
        is_lost: Callable[[], bool],
        take_over: Callable[[FrameStream], None],
        give_up: Callable[[BaseException], None],
    ) -> None:
        """Prepare the thread; ``start`` starts it.

        Args:
            how: what opening is like.
            name: of the source.
            is_lost: whether it has to be looked for.
            take_over: gets the open stream and reads it to its end, on the thread that opened it. It closes
                the stream at once where the source came back by another way meanwhile.
            give_up: is told what to raise in the caller, once no more is tried.
        """
        self.failure: str | None = None
        self._how, self._name = how, name
        self._is_lost, self._take_over, self._give_up = is_lost, take_over, give_up
        self._woken = threading.Event()
        self._stopped = False
        self._unanswered = 0
        self._count = threading.Lock()
        self._pause_s = _FIRST_PAUSE_S
        self._thread = threading.Thread(target=self._run, name=f"reconnect {name}", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        """Try no more. An attempt that libav or a driver holds ends by itself, and closes what it opened."""
        self._stopped = True
        self._woken.set()
        self._thread.join(timeout_s)

    def wake(self) -> None:
        """Look at once whether the source is lost."""
        self._woken.set()

    def _run(self) -> None:
        found_s = time.monotonic()
        while not self._stopped:
            if self._is_lost():
                if time.monotonic() - found_s > _SETTLED_S:
                    self._pause_s = _FIRST_PAUSE_S
                self._search()
                found_s = time.monotonic()
            else:
                self._wait(_LOOK_S, self._is_over_or_lost)

    def _search(self) -> None:
        """Try with growing pauses until the source is there again."""
        began_s = time.monotonic()
        self.failure = None
        while not self._is_over_or_back():
            if self._is_too_late(began_s):
                self._stopped = True
                self._give_up(self._too_late())
                return
            self._wait(self._pause_s, self._is_over_or_back)
            self._pause_s = min(2 * self._pause_s, _LONGEST_PAUSE_S)
            if self._is_over_or_back():
                return
            before = self._unanswered
            if before < (_MOST_ATTEMPTS if self._how.beside else 1):
                self._try()
            patience_s = _PATIENCE_S if self._how.beside else _LONGEST_PAUSE_S
            self._wait(patience_s, lambda: self._is_over_or_back() or self._unanswered <= before)  # noqa: B023

    def _try(self) -> None:
        with self._count:
            self._unanswered += 1
        threading.Thread(target=self._attempt, name=f"capture {self._name}", daemon=True).start()

    def _attempt(self) -> None:
        stream: FrameStream | None = None
        try:
            stream = self._how.reopen()
            self.failure = None
        except SourceError as error:
            self.failure = str(error)
        except BaseException as error:  # nothing that trying again would mend; it is raised in the caller
            self._stopped = True
            self._give_up(error)
        finally:
            with self._count:
                self._unanswered -= 1
            self._woken.set()
        if stream is not None:
            self._take_over(stream)

    def _wait(self, seconds: float, until: Callable[[], bool]) -> None:
        """Wait for a condition, at most so long."""
        end_s = time.monotonic() + seconds
        while not until() and (left_s := end_s - time.monotonic()) > 0:
            self._woken.wait(min(left_s, _LOOK_S))
            self._woken.clear()

    def _is_over_or_back(self) -> bool:
        return self._stopped or not self._is_lost()

    def _is_over_or_lost(self) -> bool:
        return self._stopped or self._is_lost()

    def _is_too_late(self, began_s: float) -> bool:
        limit_s = self._how.give_up_after_s
        return limit_s is not None and time.monotonic() - began_s >= limit_s

    def _too_late(self) -> SourceError:
        last = f" (the last attempt: {self.failure})" if self.failure else ""
        return SourceError(
            f"{self._name!r} did not come back within {self._how.give_up_after_s:g} s{last}. "
            "Check it and start again"
        )
