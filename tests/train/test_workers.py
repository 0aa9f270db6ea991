"""Helper processes: answers in the order of the jobs, and one line where a process is killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import numpy as np
import pytest
from torch import Tensor

from gclf_train import sources
from gclf_train.sources import FileSource
from gclf_train.workers import WorkerLostError, in_processes


def _doubled(job: int) -> int:
    if job < 0:
        os.kill(os.getpid(), signal.SIGKILL)  # as the kernel does that is short of memory
    return 2 * job


def test_answers_come_in_the_order_of_the_jobs() -> None:
    assert list(in_processes(_doubled, range(50), workers=2, chunk=3)) == [2 * job for job in range(50)]


def test_killed_process_ends_the_work_instead_of_being_waited_for() -> None:
    with pytest.raises(WorkerLostError, match=r"^a process that reads pictures was ended .* with --resume"):
        list(in_processes(_doubled, [*range(20), -1, *range(20)], workers=2, chunk=2))


def test_killed_reader_of_batches_ends_the_epoch_in_one_line(
    colours: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(path: Path, size_px: int) -> Tensor:
        os.kill(os.getpid(), signal.SIGKILL)
        raise AssertionError

    monkeypatch.setattr(sources, "read_square", end)  # its processes are forked
    source = FileSource(colours, ["train/male/1.jpg"], size_px=32, workers=1)
    with pytest.raises(WorkerLostError, match="memory ran out"):
        list(source.batches([np.array([0])]))
