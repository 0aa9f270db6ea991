"""What the training loop tells those who watch it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StepReport:
    """What a progress display needs.

    Attributes:
        epoch: the epoch under way, from 0.
        done, total: steps of the whole run.
        loss: the epoch's mean so far; on CUDA it may be some steps old.
        pictures: in this step.
    """

    epoch: int
    done: int
    total: int
    loss: float
    pictures: int


class RunStopped(Exception):  # noqa: N818 - nothing is wrong
    """The run was asked to stop and has saved its state."""
