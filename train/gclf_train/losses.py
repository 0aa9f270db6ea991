"""The losses of an epoch's steps, read from the device no more often than it can bear."""

from __future__ import annotations

import torch
from torch import Tensor

from gclf_train.processes import Processes
from gclf_train.state import RunState

_CUDA_READS_EVERY = 20
"""Steps. Whoever reads a number waits for the device, which then waits for its next work."""


class LossSum:
    """Adds the steps' losses to ``RunState.loss_sum`` and their pictures to ``RunState.seen``."""

    def __init__(self, device: torch.device, processes: Processes) -> None:
        self._every = _CUDA_READS_EVERY if device.type == "cuda" else 1
        self._processes = processes
        self._unread: list[tuple[Tensor, int]] = []

    def add(self, loss: Tensor, count: int) -> None:
        """Note a step: its mean loss, which may still be being computed, over ``count`` pictures here."""
        self._unread.append((loss, count))

    def read_into(self, state: RunState, *, now: bool) -> None:
        """Add what was noted, if enough has come together or ``now``. Every process must call it alike."""
        if not self._unread or not (now or len(self._unread) >= self._every or state.seen == 0):
            return
        losses = torch.stack([loss for loss, _ in self._unread]).double().cpu()
        counts = torch.tensor([count for _, count in self._unread], dtype=torch.float64)
        for weighted, count in self._processes.sum(torch.stack([losses * counts, counts])).T.tolist():
            state.loss_sum += weighted
            state.seen += int(count)
        self._unread.clear()
