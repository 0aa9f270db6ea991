"""Ctrl-C and SIGTERM while there is work that would rather end at a place of its own choice."""

from __future__ import annotations

import signal
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequest:
    """Within its block the first signal is kept until somebody asks; calling the object asks.

    Attributes:
        signal: number of the signal that has come, or None.
    """

    def __init__(self, *, insist: bool) -> None:
        """``insist``: a second signal acts at once. False where a launcher passes every signal on again."""
        self.signal: int | None = None
        self._insist = insist
        self._before: dict[int, Callable[[int, FrameType | None], Any]] = {}

    def __enter__(self) -> StopRequest:
        for number in _SIGNALS:
            before = signal.getsignal(number)
            if callable(before):  # what is ignored, as in a job in the background, stays ignored
                self._before[number] = before
                signal.signal(number, self._note)
        return self

    def __exit__(self, *exception: object) -> None:
        for number, before in self._before.items():
            ending = self.signal is not None and not self._insist
            signal.signal(number, signal.SIG_IGN if ending else before)

    def __call__(self) -> bool:
        return self.signal is not None

    def pass_on(self, note: str) -> NoReturn:
        """Do what the signal would have done without this block, and add ``note`` to what is told.

        Raises:
            KeyboardInterrupt: what the handlers of Ctrl-C and of SIGTERM raise.
        """
        number = self.signal or signal.SIGINT  # none came here if another process of the run was told
        try:
            self._before.get(number, signal.default_int_handler)(number, None)
        except KeyboardInterrupt as error:
            error.add_note(note)
            raise
        raise KeyboardInterrupt(note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None and self._insist:
            self._before[number](number, frame)
        self.signal = number
