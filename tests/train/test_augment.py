"""The network's view of stored pictures, plain and randomly changed."""

from __future__ import annotations

from dataclasses import fields, replace

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from train_makers import PORTRAITS

from gclf_live.faces.detector import FaceDetector
from gclf_live.faces.portrait import find_main_face
from gclf_live.geometry import CropSpec, crop_faces
from gclf_live.model.preprocess import normalise
from gclf_live.records import U8
from gclf_train.augment import BatchAugmenter
from gclf_train.config import IMAGENET_MEAN, IMAGENET_STD, Augmentation, load_recipe
from gclf_train.data import cache_spec

NOTHING = Augmentation(flip=False)
LIVE = load_recipe("live").augmentation
ONE_BY_ONE = [
    replace(NOTHING, flip=True),
    replace(NOTHING, scale=0.2),
    replace(NOTHING, shift=0.1),
    replace(NOTHING, aspect=0.2),
    replace(NOTHING, rotation_deg=10.0),
    replace(NOTHING, colour=0.3),
    replace(NOTHING, grey=1.0),
    replace(NOTHING, low_resolution=1.0),
    replace(NOTHING, blur=1.0),
    replace(NOTHING, jpeg=1.0),
    replace(NOTHING, noise=1.0),
    replace(NOTHING, erase=1.0),
]


def _augmenter(settings: Augmentation = NOTHING, *, zoom: float = 1.0) -> BatchAugmenter:
    return BatchAugmenter(settings, zoom=zoom, mean=IMAGENET_MEAN, std=IMAGENET_STD)


def _pictures(count: int = 6, size_px: int = 48) -> Tensor:
    """Smooth random pictures: uint8 (N, size, size, 3)."""
    rough = torch.rand(count, 3, 8, 8, generator=torch.Generator().manual_seed(5))
    smooth = torch.nn.functional.interpolate(rough, size=(size_px, size_px), mode="bicubic")
    return (smooth.clamp(0, 1) * 255).byte().permute(0, 2, 3, 1)


def _normalised(pictures: Tensor | U8) -> Tensor:
    return normalise(pictures, mean=IMAGENET_MEAN, std=IMAGENET_STD)


def _seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("person", ["collins", "obama"])
def test_view_of_a_cached_crop_is_the_live_paths_crop(person: str) -> None:
    image = np.fromfile(PORTRAITS / f"{person}.jpg", np.uint8)
    decoded = np.asarray(cv2.imdecode(image, cv2.IMREAD_COLOR), np.uint8)
    padded, face = find_main_face(FaceDetector(score_threshold=0.4, max_side_px=480), decoded)
    spec = CropSpec(112, 1.15)
    live = _normalised(crop_faces(padded, face, spec))
    cached = crop_faces(padded, face, cache_spec(spec))
    assert cached.shape == (1, 144, 144, 3)
    seen = _augmenter(zoom=1.15 / 1.5).plain(torch.from_numpy(cached), 112)
    assert seen.shape == live.shape
    # A second resampling softens edges: 0.07 is 4 of 255 grey levels. A shift by one pixel gives 0.2.
    assert float((seen - live).abs().mean()) < 0.07
    shifted = torch.roll(live, 1, dims=3)
    assert float((seen - live).abs().mean()) < 0.5 * float((shifted - live).abs().mean())


def test_plain_view_at_the_stored_size_is_the_normalised_picture() -> None:
    pictures = _pictures()
    torch.testing.assert_close(_augmenter().plain(pictures, 48), _normalised(pictures))


def test_plain_view_of_a_much_larger_picture_does_not_alias() -> None:
    stripes = torch.zeros(1, 96, 96, 3, dtype=torch.uint8)
    stripes[:, :, ::2] = 255
    seen = _augmenter().plain(stripes, 32)
    grey = _normalised(torch.full((1, 1, 1, 3), 128, dtype=torch.uint8)).expand_as(seen)
    torch.testing.assert_close(seen, grey, atol=0.02, rtol=0)


def test_shares_and_ranges_of_zero_leave_pictures_unchanged() -> None:
    pictures = _pictures()
    torch.testing.assert_close(_augmenter().augmented(pictures, 48, _seeded()), _normalised(pictures))


def test_flip_gives_the_picture_or_its_mirror_image() -> None:
    pictures = _pictures(16)
    seen = _augmenter(Augmentation(flip=True)).augmented(pictures, 48, _seeded())
    upright = _normalised(pictures)
    same = (seen - upright).abs().amax((1, 2, 3)) < 1e-3
    mirrored = (seen - upright.flip(-1)).abs().amax((1, 2, 3)) < 1e-3
    assert bool((same ^ mirrored).all())
    assert 0 < int(mirrored.sum()) < 16


@pytest.mark.parametrize("settings", ONE_BY_ONE)
def test_every_change_changes_pictures_and_keeps_numbers_sensible(settings: Augmentation) -> None:
    pictures = _pictures(12)
    seen = _augmenter(settings).augmented(pictures, 48, _seeded())
    assert seen.shape == (12, 3, 48, 48)
    assert seen.dtype == torch.float32
    assert float(seen.abs().max()) < 8
    assert float((seen - _normalised(pictures)).abs().max()) > 0.01


def test_the_list_above_names_every_setting() -> None:
    set_there = {
        f.name
        for f in fields(Augmentation)
        for s in ONE_BY_ONE
        if getattr(s, f.name) != getattr(NOTHING, f.name)
    }
    assert set_there == {f.name for f in fields(Augmentation)} - {"smallest_px"}


@pytest.mark.parametrize("size_px", [40, 64, 112])
def test_same_seed_gives_the_same_batch_at_any_input_size(size_px: int) -> None:
    pictures, augmenter = _pictures(8), _augmenter(LIVE, zoom=0.77)
    first = augmenter.augmented(pictures, size_px, _seeded(1))
    assert first.shape == (8, 3, size_px, size_px)
    assert bool(first.isfinite().all())
    assert torch.equal(first, augmenter.augmented(pictures, size_px, _seeded(1)))
    assert not torch.equal(first, augmenter.augmented(pictures, size_px, _seeded(2)))


def test_stored_pictures_are_not_written_to() -> None:
    pictures = _pictures()
    before = pictures.clone()
    _augmenter(replace(LIVE, erase=1.0, noise=1.0)).augmented(pictures, 48, _seeded())
    assert torch.equal(pictures, before)


def test_grey_pictures_have_three_equal_channels() -> None:
    settings = replace(NOTHING, grey=1.0)
    pictures = _pictures()
    seen = _augmenter(settings).augmented(pictures, 48, _seeded())
    torch.testing.assert_close(seen[:, 0], seen[:, 1])
    torch.testing.assert_close(seen[:, 1], seen[:, 2])


def test_low_resolution_takes_fine_detail_away() -> None:
    board = torch.zeros(8, 48, 48, 3, dtype=torch.uint8)
    board[:, ::2, ::2] = board[:, 1::2, 1::2] = 255
    settings = replace(NOTHING, low_resolution=1.0, smallest_px=12)
    seen = _augmenter(settings).augmented(board, 48, _seeded())
    plain = _normalised(board)
    assert float(seen.std()) < 0.6 * float(plain.std())
    assert float(seen.mean()) == pytest.approx(float(plain.mean()), abs=0.05)


def test_blur_keeps_the_mean_colour() -> None:
    pictures = torch.full((4, 48, 48, 3), 200, dtype=torch.uint8)
    seen = _augmenter(replace(NOTHING, blur=1.0)).augmented(pictures, 48, _seeded())[..., 10:-10, 10:-10]
    torch.testing.assert_close(seen, _normalised(pictures)[..., 10:-10, 10:-10], atol=1e-4, rtol=0)


def test_erasing_covers_a_rectangle_of_the_named_size_with_the_mean_colour() -> None:
    pictures = torch.full((20, 100, 100, 3), 255, dtype=torch.uint8)
    seen = _augmenter(replace(NOTHING, erase=1.0)).augmented(pictures, 100, _seeded())
    covered = (seen == 0).all(1)
    for mask in covered:
        rows, columns = mask.any(1), mask.any(0)
        assert torch.equal(mask, rows[:, None] & columns[None])
        assert 14 <= int(rows.sum()) <= 56
        assert 14 <= int(columns.sum()) <= 56


def test_share_is_the_part_of_the_pictures_that_is_changed() -> None:
    pictures = _pictures(400, 32)
    seen = _augmenter(replace(NOTHING, noise=0.25)).augmented(pictures, 32, _seeded())
    changed = (seen - _normalised(pictures)).abs().amax((1, 2, 3)) > 1e-3
    assert 0.18 < float(changed.float().mean()) < 0.32
