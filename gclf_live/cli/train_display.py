"""What a training run says: a bar on a terminal; else a line a minute, for those who read a log."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from gclf_live.timing import Clock
    from gclf_train.balance import Balance
    from gclf_train.material import Material
    from gclf_train.reports import StepReport

_LINE_EVERY_S = 60.0
_MOST_NAMED = 5
_FEW_TO_TRAIN, _FEW_TO_VALIDATE = 20, 10
"""Pictures of a class below which what a run gives is hardly more than a trial of the command."""


class TrainDisplay:
    """Shows how far a run is, on standard error."""

    def __init__(self, *, epochs: int, stream: TextIO | None = None, clock: Clock = time.monotonic) -> None:
        """``epochs`` is how many there are at most; ``clock`` decides when a line is due."""
        self._epochs = epochs
        self._stream = sys.stderr if stream is None else stream
        self._bar = contextlib.ExitStack()
        self._what = ""
        self._advance: Callable[[int, int], None] = lambda done, total: None
        self._pace = _Pace(clock)

    def on_data(self, what: str, done: int, total: int) -> None:
        """Faces found or pictures checked; ``what`` says which."""
        if not self._show(what, "pictures", done, total) and (pace := self._pace.due(what, done)):
            self._say(f"{what}, {done:,} of {total:,} pictures, {_left((total - done) / pace)}")

    def on_ready(self, material: Material) -> None:
        """What the run will train on, and what it leaves out."""
        from gclf_live.wording import some

        dataset, teacher = material.dataset, material.teacher
        self.close()
        for split, counts in dataset.counts().items():
            self._say(f"{split}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
        for line in _few(dataset.counts()):
            self._say(line)
        if dataset.ignored:
            self._say(f"ignored: {some(dataset.ignored, _MOST_NAMED)}")
        if dataset.left_out:
            left_out = f"{len(dataset.left_out):,} left out, damaged or without a face"
            self._say(f"{left_out}: {some(dataset.left_out, _MOST_NAMED)}; see left_out.txt")
        if teacher is not None:
            dropped = int((~teacher.keep).sum())
            known = f"teacher: knows {teacher.known:,} pictures"
            self._say(f"{known}; {dropped:,} left out whose label it contradicts")
        if material.balance is not None:
            self._say_balance(material.balance)

    def _say_balance(self, balance: Balance) -> None:
        low, high = balance.weights.min(), balance.weights.max()
        within = f" within each of {balance.groups:,} groups" if balance.groups > 1 else ""
        self._say(f"balance: the classes count the same{within}; a picture for {low:.2f} to {high:.2f}")
        for note in balance.notes:
            self._say(note)

    def on_step(self, report: StepReport) -> None:
        """One optimiser step; the time left is that of the whole run."""
        epoch = f"epoch {report.epoch + 1} of {self._epochs}"
        if self._show(epoch, "steps", report.done, report.total):
            return
        self._pace.pictures += report.pictures
        if pace := self._pace.due("steps", report.done):
            seconds = (report.total - report.done) / pace
            self._say(
                f"{epoch}, step {report.done:,} of {report.total:,}: loss {report.loss:.4f}, "
                f"{self._pace.pictures_per_second:.0f} pictures/s, {_left(seconds)}"
            )

    def on_epoch(self, row: dict[str, Any]) -> None:
        """One epoch's results."""
        self.close()
        self._pace.restart()  # validation took its time and was no step
        self._say(
            f"epoch {row['epoch']} of {self._epochs}: training loss {row['train_loss']:.4f}, "
            f"validation loss {row['val_loss']:.4f}, accuracy {100 * row['val_accuracy']:.2f} %, "
            f"balanced {100 * row['val_balanced_accuracy']:.2f} %, {row['seconds']:.0f} s"
        )

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()
        self._what = ""

    def _show(self, what: str, unit: str, done: int, total: int) -> bool:
        """Move the bar; False where nobody would see one."""
        from gclf_live.output.progress import progress_bar

        if not self._stream.isatty() or os.environ.get("TERM") == "dumb":
            return False
        if what != self._what:
            self.close()
            self._what = what
            self._advance = self._bar.enter_context(progress_bar(what, total, unit=unit, stream=self._stream))
        self._advance(done, total)
        return True

    def _say(self, line: str) -> None:
        click.echo(f"gclf-live: {line}", file=self._stream)


class _Pace:
    """How fast the work goes since the last line, and when the next line is due."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._what = ""
        self._since_s, self._done = 0.0, 0
        self.pictures, self.pictures_per_second = 0, 0.0

    def restart(self) -> None:
        """Measure anew from the next news on."""
        self._what = ""

    def due(self, what: str, done: int) -> float | None:
        """``done`` a second, once a line is due; None before, and at the first news of a new ``what``."""
        now_s = self._clock()
        if what == self._what and now_s - self._since_s < _LINE_EVERY_S:
            return None
        is_new, passed_s, advanced = what != self._what, now_s - self._since_s, done - self._done
        self.pictures_per_second = self.pictures / max(passed_s, 1e-9)
        self._what, self._since_s, self._done, self.pictures = what, now_s, done, 0
        return None if is_new or advanced <= 0 else advanced / passed_s


def _left(seconds: float) -> str:
    """``about 1:02:03 left``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"about {hours}:{minutes:02}:{rest:02} left"


def _few(counts: dict[str, dict[str, int]]) -> Iterator[str]:
    """A line for each split that has few pictures of a class, on what the figures are worth then."""
    least = min(counts["train"].values())
    if least < _FEW_TO_TRAIN:
        yield (
            f"few pictures to learn from: {least:,} of the smallest class. Take the run for a trial; "
            "hundreds of each class are the least for a classifier of its own, --init shipped needs fewer"
        )
    least = min(counts["val"].values())
    if least < _FEW_TO_VALIDATE:
        yield (
            f"few pictures to validate on: {least:,} of the smallest class. One answer moves its recall by "
            f"{100 / least:.0f} points; the figures, the best epoch and the confidences are rough"
        )
