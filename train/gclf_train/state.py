"""A run that can go on after a kill: its whole state in one file, replaced atomically."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gclf_live.errors import CheckpointError
from gclf_live.whole_file import whole_file

STATE_NAME = "last.pt"
"""Name of the file in the run's folder."""


@dataclass(slots=True)
class RunState:
    """Where a run stands.

    Attributes:
        recipe_sha256: of the recipe and data that the run was started with.
        asked: the same in words, see ``asked.asked_for``; empty where an older version wrote the state.
        epoch: the epoch under way, from 0.
        step: optimiser steps done in it.
        loss_sum: of those steps, weighted by their pictures.
        seen: pictures of those steps.
        seconds: spent in this epoch.
        bad_epochs: epochs since the best.
        best_accuracy, best_loss: validation results of the best epoch.
        history: one row an epoch, as in ``metrics.csv``.
        tensors: state dicts of ``network``, ``ema``, ``optimiser``, ``scaler``, ``best`` and, with a
            teacher, ``descriptor_head``.
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
    asked: dict[str, str] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write to ``path``; whoever reads sees the old state or the new one, never half of it.

        Raises:
            OutputError: the file cannot be written; the old state is still there.
        """
        with whole_file(path, overwrite=True) as part, part.open("wb") as handle:
            try:
                torch.save(asdict(self), handle)
            except RuntimeError as error:  # how torch's zip writer says that the disk is full
                if isinstance(error.__context__, KeyboardInterrupt):  # or that it was cut short
                    raise error.__context__ from None
                raise OSError(str(error).splitlines()[0]) from error

    @classmethod
    def load(cls, path: Path) -> RunState:
        """Read a state back; runs no code from it.

        Raises:
            CheckpointError: the file is missing, damaged or no run state.
        """
        if not path.is_file():
            raise CheckpointError(f"nothing to resume: {str(path)!r} is not there; start without --resume")
        try:
            return cls(**torch.load(path, weights_only=True, map_location="cpu"))
        except Exception as error:  # torch names no single class for what a damaged file raises
            raise CheckpointError(
                f"cannot resume from {str(path)!r}: it is damaged; start again with --overwrite"
            ) from error


def copy_state(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """A state dict on the processor that later steps do not change."""
    return {name: value.detach().to("cpu", copy=True) for name, value in state.items()}
