"""The files that a run leaves."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gclf_live.model.checkpoint import Checkpoint, save_checkpoint, save_pth
from gclf_live.whole_file import whole_file
from gclf_train.metrics import Scores
from gclf_train.plots import plot_confusion, plot_curves

CHECKPOINT_NAME = "checkpoint.safetensors"


@dataclass(frozen=True, slots=True)
class TrainResult:
    """What a run left.

    Attributes:
        checkpoint: path of the self-describing checkpoint with the best epoch's weights.
        pth: path of the plain state dict, or None.
        scores: of the best epoch on the validation split.
        ece: expected calibration error there after the temperature, which was fitted on the same pictures.
        classes: class names.
    """

    checkpoint: Path
    pth: Path | None
    scores: Scores
    ece: float
    classes: tuple[str, ...]


def write_result(result: TrainResult, checkpoint: Checkpoint, history: list[dict[str, Any]]) -> None:
    """Write the checkpoints, ``metrics.csv`` and the plots; ``history`` has one row an epoch.

    Raises:
        OutputError: one of them cannot be written.
    """
    out_dir = result.checkpoint.parent
    save_checkpoint(result.checkpoint, checkpoint)
    if result.pth is not None:
        save_pth(result.pth, checkpoint)
    write_metrics(out_dir / "metrics.csv", history)
    plot_curves(history, out_dir / "curves.png")
    plot_confusion(result.scores, result.classes, out_dir / "confusion.png")


def write_metrics(path: Path, history: list[dict[str, Any]]) -> None:
    """Write ``history``, one row an epoch, as CSV."""
    with whole_file(path, overwrite=True) as part, part.open("w", newline="", encoding="utf-8") as handle:
        writer = csv.DictWriter(handle, fieldnames=list(history[0]))
        writer.writeheader()
        for row in history:
            writer.writerow({k: round(v, 6) if isinstance(v, float) else v for k, v in row.items()})
