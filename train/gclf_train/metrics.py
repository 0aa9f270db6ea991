"""What a classifier gets right, from its logits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from gclf_live.records import I64


@dataclass(frozen=True, slots=True)
class Scores:
    """Results on one split.

    Attributes:
        loss: mean cross-entropy in nats against the labels.
        accuracy: share of right answers.
        balanced_accuracy: mean of the classes' recalls.
        confusion: int64, shape (C, C): rows are labels, columns answers.
    """

    loss: float
    accuracy: float
    balanced_accuracy: float
    confusion: I64

    @property
    def recall(self) -> tuple[float, ...]:
        """Share of each class that was recognised."""
        return tuple(float(v) for v in np.diag(self.confusion) / np.maximum(self.confusion.sum(axis=1), 1))


def score(logits: Tensor, targets: Tensor) -> Scores:
    """Score logits, float (N, C), against class indices, int64 (N,)."""
    classes = logits.shape[1]
    answers = logits.argmax(dim=1)
    confusion = np.asarray(
        torch.bincount(targets * classes + answers, minlength=classes * classes).reshape(classes, classes),
        np.int64,
    )
    recall = np.diag(confusion) / np.maximum(confusion.sum(axis=1), 1)
    return Scores(
        loss=float(F.cross_entropy(logits.float(), targets)),
        accuracy=float((answers == targets).float().mean()),
        balanced_accuracy=float(recall.mean()),
        confusion=confusion,
    )
