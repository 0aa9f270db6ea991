"""Ctrl-C and SIGTERM during a training."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import pytest
import torch
from pairs import TIMEOUT_S, environment
from train_makers import COMMAND, FinishedRun

from gclf_live.cli.stopping import StopRequest
from gclf_train.state import RunState


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Python's own for Ctrl-C and one that raises for SIGTERM, as the command has them."""

    def terminate(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt("terminated")

    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, terminate)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_is_kept_and_passed_on_when_it_suits(number: signal.Signals) -> None:
    with StopRequest(insist=True) as stop:
        assert not stop()
        signal.raise_signal(number)
        assert stop()
        with pytest.raises(KeyboardInterrupt) as caught:
            stop.pass_on("saved")
    assert caught.value.__notes__ == ["saved"]
    assert (caught.value.args == ("terminated",)) == (number == signal.SIGTERM)


def test_second_signal_acts_at_once() -> None:
    with StopRequest(insist=True):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_launcher_may_repeat_a_signal() -> None:
    with StopRequest(insist=False) as stop:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        assert stop()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_handlers_are_as_before_after_the_block() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with StopRequest(insist=True):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_what_is_ignored_stays_ignored() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with StopRequest(insist=True) as stop:
        signal.raise_signal(signal.SIGINT)
        assert not stop()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code", "how"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_signal_saves_the_run_and_says_how_to_go_on(
    finished: FinishedRun, out: Path, number: signal.Signals, code: int, how: str
) -> None:
    command = [
        sys.executable,
        "-m",
        "gclf_live",
        "train",
        finished.data,
        "-o",
        out,
        *COMMAND,
        "--epochs",
        500,
    ]
    process = subprocess.Popen(
        [str(part) for part in command],
        env=environment() | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )
    assert process.stderr is not None
    while "epoch 1 of" not in process.stderr.readline():
        assert process.poll() is None
    # As a terminal and a batch system do: to the command and to the processes that read its pictures.
    os.killpg(process.pid, number)
    _, said = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == code, said
    state = RunState.load(out / "last.pt")
    done = state.epoch * 3 + state.step
    *epochs, last = said.splitlines()
    assert last == (
        f"gclf-live: {how}; step {done} of 1,500 is saved in '{out / 'last.pt'}'; "
        "the same command line with --resume goes on from there"
    )
    assert all(": epoch " in line for line in epochs)
