"""How far an archive is: all inputs and those in work, with the time left; only where a person is looking."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, TextIO

from gclf_live.wording import moment

if TYPE_CHECKING:
    from rich.progress import Progress, Task, TaskID

_PACE_OVER_S = 600.0
"""Inputs differ: a pace over less than ten minutes makes the time left jump."""


class ArchiveDisplay(Protocol):
    """Takes the news of how far the work is."""

    def all(self, ended: int, inputs: int, share: float) -> None:
        """Say how many ``inputs`` have ended, and how much of the work is done, in [0, 1]."""

    def one(self, name: str, share: float) -> None:
        """Say how far an input is; at 1 it is no longer shown."""


@contextlib.contextmanager
def archive_display(stream: TextIO | None = None) -> Iterator[ArchiveDisplay]:
    """Show progress while the block runs; nothing at all where ``stream`` is not a terminal.

    Args:
        stream: where to; standard error unless given.
    """
    stream = sys.stderr if stream is None else stream
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        yield _Nothing()
        return
    with _rich_progress(stream) as progress:
        yield _Bars(progress)


class _Nothing:
    """Nobody is looking."""

    def all(self, ended: int, inputs: int, share: float) -> None:
        return

    def one(self, name: str, share: float) -> None:
        return


class _Bars:
    """One bar for all inputs and below it one for each in work."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._all = progress.add_task("", total=1.0, what="all inputs")
        self._ones: dict[str, TaskID] = {}

    def all(self, ended: int, inputs: int, share: float) -> None:
        self._progress.update(self._all, completed=share, what=f"{ended:,} of {inputs:,} inputs")

    def one(self, name: str, share: float) -> None:
        if name not in self._ones and share < 1:
            self._ones[name] = self._progress.add_task("", total=1.0, what=name)
        if name in self._ones:
            self._progress.update(self._ones[name], completed=share)
        if share >= 1 and name in self._ones:
            self._progress.remove_task(self._ones.pop(name))


def _rich_progress(stream: TextIO) -> Progress:
    # Imported here: it takes a tenth of a second, and a batch job has no use for it.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn
    from rich.text import Text

    class What(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(str(task.fields["what"]), overflow="ellipsis", no_wrap=True)

    class Left(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(left(task.percentage, task.time_remaining))

    return Progress(
        What(),
        BarColumn(bar_width=24),
        Left(),
        console=Console(file=stream),
        transient=True,
        speed_estimate_period=_PACE_OVER_S,
        # Results that go into a file or a pipe must not end up on the console.
        redirect_stdout=sys.stdout.isatty(),
    )


def left(percent: float, left_s: float | None) -> str:
    """``37 %, 2:05:53 left``; the time where it can be told."""
    text = f"{int(percent)} %"
    return text if left_s is None or percent >= 100 else f"{text}, {moment(round(left_s))} left"
