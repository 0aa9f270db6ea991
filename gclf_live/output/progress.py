"""Progress bars: on standard error, and only where a person is looking at it."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.progress import Progress


class Advance(Protocol):
    """Takes the news of how far the work is."""

    def __call__(self, done: int, total: int | None = None) -> None:
        """Say that ``done`` of ``total`` are done; None keeps the total that was known before."""


@contextlib.contextmanager
def progress_bar(
    description: str, total: int | None = None, *, unit: str = "frames", stream: TextIO | None = None
) -> Iterator[Advance]:
    """Show a progress bar while the block runs; nothing at all where ``stream`` is not a terminal.

    Args:
        description: what is being done; shown as it is.
        total: how many there are, or None if nobody knows; then a count and a rate are shown. The
            same happens once more than ``total`` are done, for containers guess their frame count.
        unit: what is counted, in the plural.
        stream: where to; standard error unless given.

    Yields:
        The function that takes the news.
    """
    stream = sys.stderr if stream is None else stream
    if not stream.isatty() or os.environ.get("TERM") == "dumb":
        yield _ignore
        return
    with _rich_progress(stream, unit) as progress:
        progress.add_task(description, total=_usable(total, 0))
        (task,) = progress.tasks

        def advance(done: int, total: int | None = None) -> None:
            # Set directly: update keeps the old total when it is given None.
            task.total = _usable(task.total if total is None else total, done)
            progress.update(task.id, completed=done)

        yield advance


def _ignore(done: int, total: int | None = None) -> None:
    """Nobody is looking."""


def _usable(total: float | None, done: int) -> float | None:
    """The total, or None where it cannot be true."""
    return total if total is not None and total > 0 and total >= done else None


def _rich_progress(stream: TextIO, unit: str) -> Progress:
    # Imported here: it takes a tenth of a second, and a batch job has no use for it.
    from rich.console import Console
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.text import Text

    class Pace(ProgressColumn):
        def render(self, task: Task) -> Text:
            speed = task.finished_speed or task.speed
            return Text(_pace(int(task.completed), task.total, speed, task.time_remaining, unit))

    console = Console(file=stream)
    text = TextColumn("{task.description}", markup=False)
    return Progress(
        text,
        BarColumn(bar_width=24),
        Pace(),
        console=console,
        transient=True,
        # Results that go into a file or a pipe must not end up on the console.
        redirect_stdout=sys.stdout.isatty(),
    )


def _pace(done: int, total: float | None, speed: float | None, left_s: float | None, unit: str) -> str:
    """``1,204 of 9,000 frames, 45.2 per second, 2:53 left``, as far as it is known."""
    parts = [f"{done:,} {unit}" if total is None else f"{done:,} of {int(total):,} {unit}"]
    if speed:
        parts.append(f"{speed:.1f} per second")
    if left_s is not None and total is not None and done < total:
        minutes, seconds = divmod(round(left_s), 60)
        hours, minutes = divmod(minutes, 60)
        parts.append(f"{hours}:{minutes:02}:{seconds:02} left" if hours else f"{minutes}:{seconds:02} left")
    return ", ".join(parts)
