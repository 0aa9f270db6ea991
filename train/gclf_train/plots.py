"""Pictures of a run: its curves and its confusion matrix."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from gclf_live.whole_file import whole_file
from gclf_train.metrics import Scores

mpl.use("Agg")


def plot_curves(history: list[dict[str, Any]], path: Path) -> None:
    """Write loss and accuracy by epoch, training and validation, as a PNG.

    Args:
        history: one row an epoch, as in ``metrics.csv``.
        path: the file.

    Raises:
        OutputError: it cannot be written.
    """
    epochs = [row["epoch"] for row in history]
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    loss, accuracy = figure.subplots(1, 2)
    loss.plot(epochs, [row["train_loss"] for row in history], "o-", label="training (as optimised)")
    loss.plot(epochs, [row["val_loss"] for row in history], "s-", label="validation")
    loss.set(xlabel="epoch", ylabel="loss (nats)", title="Loss")
    accuracy.plot(epochs, [100 * row["val_accuracy"] for row in history], "o-", label="accuracy")
    accuracy.plot(
        epochs, [100 * row["val_balanced_accuracy"] for row in history], "s--", label="balanced accuracy"
    )
    accuracy.set(xlabel="epoch", ylabel="%", title="Validation")
    for axes in (loss, accuracy):
        axes.grid(alpha=0.3)
        axes.legend()
        axes.xaxis.get_major_locator().set_params(integer=True)
    _save(figure, path)


def plot_confusion(scores: Scores, classes: tuple[str, ...], path: Path) -> None:
    """Write the confusion matrix, counts and shares of each row, as a PNG.

    Args:
        scores: of the validation split, C classes.
        classes: their C names.
        path: the file.

    Raises:
        OutputError: it cannot be written.
    """
    counts = scores.confusion
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = 2.2 + 0.9 * len(classes)
    figure = Figure(figsize=(side, side * 0.9), layout="constrained")
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i in range(len(classes)):
        for j in range(len(classes)):
            axes.text(
                j,
                i,
                f"{counts[i, j]}\n{100 * shares[i, j]:.1f} %",
                ha="center",
                va="center",
                color="white" if shares[i, j] > 0.5 else "black",
            )
    names = [name.replace("$", r"\$") for name in classes]  # between two of them matplotlib sees a formula
    axes.set_xticks(range(len(classes)), names)
    axes.set_yticks(range(len(classes)), names)
    axes.set(
        xlabel="answer", ylabel="label", title=f"Balanced accuracy {100 * scores.balanced_accuracy:.2f} %"
    )
    _save(figure, path)


def _save(figure: Figure, path: Path) -> None:
    with whole_file(path, overwrite=True) as part:
        figure.savefig(part, dpi=130, format="png")
