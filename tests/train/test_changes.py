"""Random changes are drawn for a batch as a whole, whoever shows which part of it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from gclf_train.augment import BatchAugmenter
from gclf_train.changes import Changes, draw_changes
from gclf_train.config import IMAGENET_MEAN, IMAGENET_STD, Augmentation, load_recipe

SETTINGS = replace(
    load_recipe("live").augmentation, low_resolution=0.6, blur=0.5, jpeg=0.5, noise=0.5, erase=0.5
)
COUNT, SIZE_PX = 13, 40


def _draw(settings: Augmentation = SETTINGS, *, seed: int = 4, count: int = COUNT) -> Changes:
    generator = torch.Generator().manual_seed(seed)
    return draw_changes(settings, count, size_px=SIZE_PX, zoom=0.8, generator=generator)


def _pictures() -> Tensor:
    random = np.random.default_rng(2)
    return torch.from_numpy(random.integers(0, 256, (COUNT, 48, 48, 3), dtype=np.uint8))


@pytest.mark.parametrize("cuts", [(0, 13), (0, 6, 13), (0, 1, 2, 13), (0, 7, 8, 13)])
def test_parts_of_a_batch_look_as_they_do_in_the_whole(cuts: tuple[int, ...]) -> None:
    augmenter = BatchAugmenter(SETTINGS, zoom=0.8, mean=IMAGENET_MEAN, std=IMAGENET_STD)
    pictures, changes = _pictures(), _draw()
    whole = augmenter.changed(pictures, SIZE_PX, changes)
    shares = [slice(start, stop) for start, stop in itertools.pairwise(cuts)]
    parts = [augmenter.changed(pictures[share], SIZE_PX, changes.part(share)) for share in shares]
    torch.testing.assert_close(torch.cat(parts), whole, rtol=1e-4, atol=1e-4)


def test_every_kind_of_change_happens_to_some_and_not_to_all() -> None:
    changes = _draw()
    reduced = torch.cat([chosen.rows for chosen, _ in changes.low_resolution])
    for rows in (reduced, changes.blur.rows, changes.noise.rows, changes.jpeg.rows, changes.erase.rows):
        assert 0 < len(rows) < COUNT
        assert torch.equal(rows, rows.unique())


def test_a_share_of_zero_chooses_nobody_and_draws_nothing() -> None:
    with_blur = _draw(replace(SETTINGS, noise=0.0))
    without = _draw(replace(SETTINGS, noise=0.0, blur=0.0))
    assert len(without.blur) == 0
    assert torch.equal(with_blur.affine, without.affine)
    # What is drawn after it moves up by what the blur would have drawn.
    assert not torch.equal(with_blur.jpeg.rows, without.jpeg.rows)


def test_noise_from_a_generator_of_its_own_leaves_all_else_as_it_was() -> None:
    generator = torch.Generator().manual_seed(4)
    settings = replace(SETTINGS, jpeg=0.0, erase=0.0)
    own = draw_changes(
        settings,
        COUNT,
        size_px=SIZE_PX,
        zoom=0.8,
        generator=generator,
        noise_generator=torch.Generator().manual_seed(4),
    )
    shared = _draw(settings)
    assert torch.equal(own.noise.rows, shared.noise.rows)
    assert torch.equal(own.noise.numbers[0], shared.noise.numbers[0])
    assert not torch.equal(own.noise.numbers[1], shared.noise.numbers[1])
