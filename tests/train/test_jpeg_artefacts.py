"""JPEG as tensor operations against a real encoder."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from train_makers import PORTRAITS

from gclf_train.jpeg import jpeg_artefacts


def _portrait(width: int = 104, height: int = 96) -> Tensor:
    with Image.open(PORTRAITS / "hopper.jpg") as picture:
        small = picture.convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float() / 255


def _by_pillow(x: Tensor, quality: int) -> Tensor:
    pixels = (x[0].permute(1, 2, 0) * 255).round().byte().numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0)
    with Image.open(buffer) as picture:
        return torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].float() / 255


def _ours(x: Tensor, quality: float) -> Tensor:
    return jpeg_artefacts(x, torch.full((len(x),), quality))


@pytest.mark.parametrize("quality", [12, 30, 50, 75])
def test_artefacts_are_those_of_a_real_encoder(quality: int) -> None:
    x = _portrait()
    real, ours = _by_pillow(x, quality), _ours(x, quality)
    loss = float((real - x).abs().mean())
    assert float((ours - x).abs().mean()) == pytest.approx(loss, rel=0.02)
    # libjpeg rounds its tables to whole numbers, which moves some values over to the next step.
    assert float((ours - real).abs().mean()) < 0.35 * loss


def test_lower_quality_loses_more() -> None:
    x = _portrait()
    losses = [float((_ours(x, quality) - x).abs().mean()) for quality in (90, 60, 30, 10)]
    assert losses == sorted(losses)


@pytest.mark.parametrize(("width", "height"), [(104, 96), (97, 33), (8, 8), (5, 3)])
def test_any_size_is_kept(width: int, height: int) -> None:
    y = _ours(_portrait(width, height), 40)
    assert y.shape == (1, 3, height, width)
    assert float(y.min()) >= 0
    assert float(y.max()) <= 1


def test_each_picture_has_its_own_quality() -> None:
    batch = _portrait().expand(6, -1, -1, -1)
    y = jpeg_artefacts(batch, torch.linspace(10, 90, 6))
    assert len({round(float((picture - batch[0]).abs().mean()), 6) for picture in y}) == 6
