"""A run that can go on after a kill: its whole state in one file, replaced atomically."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gclf_live.errors import CheckpointError


@dataclass(slots=True)
class RunState:
    """Where a run stands.

    Attributes:
        recipe_sha256: of the recipe and data that the run was started with.
        epoch: the epoch under way, from 0.
        step: optimiser steps done in it.
        loss_sum: of those steps, weighted by their pictures.
        seen: pictures of those steps.
        seconds: spent in this epoch.
        bad_epochs: epochs since the best.
        best_accuracy, best_loss: validation results of the best epoch.
        history: one row an epoch, as in ``metrics.csv``.
        tensors: state dicts of ``network``, ``ema``, ``optimiser``, ``scaler`` and ``best``.
    """

    recipe_sha256: str
    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    seen: int = 0
    seconds: float = 0.0
    bad_epochs: int = 0
    best_accuracy: float = -1.0
    best_loss: float = float("inf")
    history: list[dict[str, Any]] = field(default_factory=list)
    tensors: dict[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write to ``path``; whoever reads sees the old state or the new one, never half of it."""
        part = path.with_suffix(".part")
        torch.save(asdict(self), part)
        with part.open("rb") as handle:
            os.fsync(handle.fileno())
        part.replace(path)

    @classmethod
    def load(cls, path: Path) -> RunState:
        """Read a state back.

        Raises:
            CheckpointError: the file is missing, damaged or no run state.
        """
        if not path.is_file():
            raise CheckpointError(f"nothing to resume: {str(path)!r} is not there; start without --resume")
        try:
            return cls(**torch.load(path, weights_only=True, map_location="cpu"))
        except Exception as error:
            raise CheckpointError(
                f"cannot resume from {str(path)!r}: it is damaged; start without --resume"
            ) from error


def copy_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict on the processor that later steps do not change."""
    return {name: value.detach().to("cpu", copy=True) for name, value in state.items()}
