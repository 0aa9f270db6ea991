"""The picture of a source that is away."""

from __future__ import annotations

import numpy as np
import pytest

from gclf_live.output.greyed import greyed


def _colours(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 255, (height, width, 3), np.uint8)


def test_picture_is_grey_and_darker_and_the_original_is_left_alone() -> None:
    image = _colours(240, 320)
    before = image.copy()
    shown = greyed(image, "reconnecting  3 s")
    assert np.array_equal(image, before)
    edge = shown[:60]
    assert np.array_equal(edge[..., 0], edge[..., 1])
    assert np.array_equal(edge[..., 0], edge[..., 2])
    assert edge.mean() < 0.7 * image[:60].mean()


def test_text_is_in_the_middle() -> None:
    a, b = (greyed(_colours(240, 320), text) for text in ("reconnecting  3 s", "reconnecting  4 s"))
    rows, columns, _ = np.nonzero(a != b)
    assert 100 < rows.mean() < 140
    assert 100 < columns.mean() < 300


@pytest.mark.parametrize("size", [(2, 2), (16, 16), (30, 4000), (1080, 1920)])
def test_any_size_will_do(size: tuple[int, int]) -> None:
    assert greyed(_colours(*size), "reconnecting  12 s").shape == (*size, 3)
