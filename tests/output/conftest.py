"""Results of a frame, made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from gclf_live.records import Faces, FrameResult, Predictions, Tracks


def _make_result(
    boxes: Sequence[Sequence[float]] = ((10, 20, 50, 70),),
    *,
    labels: Sequence[str] | None = None,
    classes: Sequence[str] = ("female", "male"),
    probabilities: Sequence[Sequence[float]] | None = None,
    index: int = 0,
    pts_s: float = 0.0,
) -> FrameResult:
    """Faces with these boxes; unless told otherwise each is of the first class with probability 0.97."""
    n = len(boxes)
    rest = 0.03 / max(1, len(classes) - 1)
    if probabilities is None:
        probabilities = [[0.97] + [rest] * (len(classes) - 1)] * n
    faces = Faces(
        np.array(boxes, np.float32).reshape(n, 4),
        np.full(n, 0.875, np.float32),
        np.zeros((n, 5, 2), np.float32),
    )
    return FrameResult(
        index=index,
        pts_s=pts_s,
        tracks=Tracks(np.arange(1, n + 1), faces),
        predictions=Predictions(tuple(classes), np.array(probabilities, np.float32).reshape(n, len(classes))),
        labels=tuple(labels) if labels is not None else (classes[0],) * n,
        quality=np.full(n, 0.5, np.float32),
    )


@pytest.fixture
def make_result() -> Callable[..., FrameResult]:
    """Builds a FrameResult from boxes, labels and probabilities."""
    return _make_result
