"""What a training run says where no terminal shows a bar."""

from __future__ import annotations

import io

from gclf_live.cli.train_display import TrainDisplay
from gclf_train.reports import StepReport


class _Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def _display() -> tuple[TrainDisplay, _Clock, io.StringIO]:
    clock, stream = _Clock(), io.StringIO()
    return TrainDisplay(epochs=5, stream=stream, clock=clock), clock, stream


def _steps(display: TrainDisplay, clock: _Clock, *, first: int, last: int, step_s: float = 2.0) -> None:
    for done in range(first, last + 1):
        clock.now_s += step_s
        display.on_step(StepReport(epoch=done // 400, done=done, total=2000, loss=0.5, pictures=128))


def test_a_log_gets_a_line_a_minute() -> None:
    display, clock, stream = _display()
    _steps(display, clock, first=1, last=100)
    lines = stream.getvalue().splitlines()
    # Measured from the first step on: 30 steps a minute.
    assert [line.split(":")[1] for line in lines] == [
        f" epoch 1 of 5, step {done} of 2,000" for done in (31, 61, 91)
    ]
    assert lines[0].endswith("loss 0.5000, 64 pictures/s, about 1:05:38 left")


def test_short_run_says_nothing_between_its_epochs() -> None:
    display, clock, stream = _display()
    _steps(display, clock, first=1, last=29)
    assert stream.getvalue() == ""


def test_run_that_is_resumed_is_measured_from_where_it_went_on() -> None:
    display, clock, stream = _display()
    _steps(display, clock, first=1701, last=1731)
    assert stream.getvalue().endswith("64 pictures/s, about 0:08:58 left\n")


def test_validation_between_two_epochs_does_not_count_as_steps() -> None:
    display, clock, stream = _display()
    _steps(display, clock, first=390, last=399)
    clock.now_s += 500
    row = dict.fromkeys(("train_loss", "val_loss", "val_accuracy", "val_balanced_accuracy"), 0.5)
    display.on_epoch({"epoch": 1, "seconds": 800.0, **row})
    _steps(display, clock, first=400, last=431)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert "step 430 of 2,000" in lines[1]
    assert "64 pictures/s, about 0:52:20 left" in lines[1]


def test_search_for_faces_is_told_as_well() -> None:
    display, clock, stream = _display()
    for done in range(0, 1300, 100):
        clock.now_s += 10
        display.on_data("finding faces: train", done, 10_000)
    lines = stream.getvalue().splitlines()
    assert lines == [
        "gclf-live: finding faces: train, 600 of 10,000 pictures, about 0:15:40 left",
        "gclf-live: finding faces: train, 1,200 of 10,000 pictures, about 0:14:40 left",
    ]
