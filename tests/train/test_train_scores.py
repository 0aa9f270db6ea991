"""Scores, and the pictures of a run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from gclf_train.metrics import score
from gclf_train.plots import plot_confusion, plot_curves

LOGITS = torch.tensor([[2.0, 0], [1, 0], [0, 1], [3, 0], [0, 5]])
TARGETS = torch.tensor([0, 0, 0, 1, 1])


def test_scores_of_a_small_table() -> None:
    scores = score(LOGITS, TARGETS)
    assert scores.confusion.tolist() == [[2, 1], [1, 1]]
    assert scores.accuracy == pytest.approx(3 / 5)
    assert scores.recall == pytest.approx((2 / 3, 1 / 2))
    assert scores.balanced_accuracy == pytest.approx((2 / 3 + 1 / 2) / 2)
    wanted = -np.log(np.exp([2, 1, 0, 0, 5]) / np.exp(LOGITS.numpy()).sum(1)).mean()
    assert scores.loss == pytest.approx(wanted, rel=1e-5)


def test_class_that_is_never_answered_has_a_column_all_the_same() -> None:
    scores = score(torch.tensor([[1.0, 0, 0], [1, 0, 0]]), torch.tensor([0, 1]))
    assert scores.confusion.tolist() == [[1, 0, 0], [1, 0, 0], [0, 0, 0]]


def _row(epoch: int) -> dict[str, float]:
    names = ("train_loss", "val_loss", "val_accuracy", "val_balanced_accuracy")
    return {"epoch": epoch, **dict.fromkeys(names, 0.5 / epoch)}


@pytest.mark.parametrize("epochs", [1, 5])
def test_curves_are_a_picture(tmp_path: Path, epochs: int) -> None:
    plot_curves([_row(epoch) for epoch in range(1, epochs + 1)], tmp_path / "c.png")
    with Image.open(tmp_path / "c.png") as picture:
        assert picture.width > picture.height > 200
    assert [path.name for path in tmp_path.iterdir()] == ["c.png"]


@pytest.mark.parametrize("classes", [("female", "male"), ("$a^$", "a_$\\b$")])
def test_confusion_matrix_is_a_picture_whatever_the_classes_are_called(
    tmp_path: Path, classes: tuple[str, ...]
) -> None:
    plot_confusion(score(LOGITS, TARGETS), classes, tmp_path / "m.png")
    with Image.open(tmp_path / "m.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 10
