"""Signals that end a command, and work that would rather end at a place of its own choice."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

_STOPS = {signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}
_SIGNALS = (signal.SIGINT, *_STOPS)
_AGAIN_S = 0.01


class Stopped(KeyboardInterrupt):
    """A signal other than that of Ctrl-C came, and what is there is to be finished as after Ctrl-C.

    Attributes:
        number: of the signal.
        how: what happened, in a word or two.
        exit_code: 128 and the number of the signal, as shells have it.
    """

    def __init__(self, number: int) -> None:
        super().__init__(_STOPS[signal.Signals(number)])
        self.number, self.how, self.exit_code = number, _STOPS[signal.Signals(number)], 128 + number


def stop_on_signals() -> None:
    """From now on SIGTERM, of batch systems, and SIGHUP, of a window that was closed, raise ``Stopped``.

    SIGHUP stays ignored where it is, as under ``nohup``; so does Ctrl-C in a job in the background. A signal
    that comes where nothing can be raised, as while an object is let go, comes again a moment later instead
    of being lost. So does one that comes while a module is imported: libraries in C++ end the process with a
    core dump where an exception comes up from what they call then.
    """
    terminal = on_terminal()

    def stop(number: int, frame: FrameType | None) -> None:
        if _is_importing(frame):
            _Later(number)
        else:
            _raise(number, terminal)

    def come_again(found: sys.UnraisableHookArgs) -> None:
        error = found.exc_value
        if not isinstance(error, KeyboardInterrupt):
            sys.__unraisablehook__(found)
            return
        number = int(signal.SIGINT)
        if isinstance(error, Stopped):
            number = error.number
            signal.signal(number, stop)
        _Later(number)

    for number in _SIGNALS:
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, stop)
    sys.unraisablehook = come_again


class _Later:
    """Lets a signal come once more, when no module is being imported any more.

    By the system's timer, which ticks until then. A thread would need locks that this one may hold, and a
    signal that comes only once may come just before a call that waits, and be seen after it.
    """

    def __init__(self, number: int) -> None:
        self._number = number
        signal.signal(signal.SIGALRM, self)
        signal.setitimer(signal.ITIMER_REAL, _AGAIN_S, _AGAIN_S)

    def __call__(self, _: int, frame: FrameType | None) -> None:
        if not _is_importing(frame):
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.raise_signal(self._number)


def raise_waiting() -> None:
    """Raise now what came while modules were imported: before the next ones, which may take seconds."""
    if isinstance(signal.getsignal(signal.SIGALRM), _Later) and signal.getitimer(signal.ITIMER_REAL)[0] > 0:
        signal.raise_signal(signal.SIGALRM)


def _raise(number: int, terminal: list[int]) -> NoReturn:
    """Raise what the signal stands for."""
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    for each in _STOPS:  # once is enough; a second one must not disturb the tidying up
        signal.signal(each, signal.SIG_IGN)
    if number == signal.SIGHUP:
        divert(*terminal)
    raise Stopped(number)


def _is_importing(frame: FrameType | None) -> bool:
    """Whether what runs there was called by Python's import of a module."""
    while frame is not None:
        if frame.f_code.co_filename == "<frozen importlib._bootstrap>":
            return True
        frame = frame.f_back
    return False


def ignore_signals() -> None:
    """From now on no signal changes how the command ends: its exit code is known."""
    for number in (*_SIGNALS, signal.SIGALRM):
        signal.signal(number, signal.SIG_IGN)


def on_terminal() -> list[int]:
    """Which of standard output and standard error a terminal shows; once that has hung up, none is one."""
    return [number for number in (1, 2) if os.isatty(number)]


def divert(*descriptors: int) -> None:
    """Let what is written to these go nowhere: whoever read it has gone, and writing there would fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for each in descriptors:
        os.dup2(nowhere, each)
    os.close(nowhere)


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
        self._on_terminal = on_terminal()

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
            KeyboardInterrupt: what the handlers of Ctrl-C, SIGTERM and SIGHUP raise.
        """
        number = self.signal or signal.SIGINT  # none came here if another process of the run was told
        try:
            self._before.get(number, signal.default_int_handler)(number, None)
        except KeyboardInterrupt as error:
            error.add_note(note)
            raise
        raise KeyboardInterrupt(note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:  # what shows the progress must not fail before the work is saved
            divert(*self._on_terminal)
        if self.signal is not None and self._insist:
            self._before[number](number, frame)
        self.signal = number
