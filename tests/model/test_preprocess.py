"""From pixels to input, held against torchvision's transforms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms import Compose, Normalize, ToTensor

from gclf_live.model.preprocess import normalise
from gclf_live.records import U8

_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


def _crops(count: int, side: int = 9) -> U8:
    return np.random.default_rng(3).integers(0, 256, (count, side, side, 3), np.uint8)


def test_equals_torchvision_on_rgb() -> None:
    crops = _crops(3)
    transform = Compose([ToTensor(), Normalize(_MEAN, _STD)])
    expected = torch.stack([transform(np.ascontiguousarray(crop[:, :, ::-1])) for crop in crops])
    torch.testing.assert_close(normalise(crops, mean=_MEAN, std=_STD), expected, rtol=1e-5, atol=1e-5)


def test_blue_pixel_lands_in_the_last_channel() -> None:
    blue = np.zeros((1, 1, 1, 3), np.uint8)
    blue[..., 0] = 255
    values = normalise(blue, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    torch.testing.assert_close(values.flatten(), torch.tensor([0.0, 0.0, 1.0]))


def test_tensor_and_array_give_the_same() -> None:
    crops = _crops(2)
    from_array = normalise(crops, mean=_MEAN, std=_STD)
    assert torch.equal(normalise(torch.from_numpy(crops), mean=_MEAN, std=_STD), from_array)


@pytest.mark.filterwarnings("error")
def test_mirrored_and_read_only_arrays_are_taken() -> None:
    crops = _crops(2)
    mirrored = crops[:, :, ::-1]
    expected = normalise(mirrored.copy(), mean=_MEAN, std=_STD)
    assert torch.equal(normalise(mirrored, mean=_MEAN, std=_STD), expected)
    crops.setflags(write=False)
    assert torch.equal(normalise(crops, mean=_MEAN, std=_STD), expected.flip(3))


def test_result_is_channels_last() -> None:
    values = normalise(_crops(4), mean=_MEAN, std=_STD)
    assert values.shape == (4, 3, 9, 9)
    assert values.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_float32_rounded_once(dtype: torch.dtype) -> None:
    crops = _crops(2)
    exact = normalise(crops, mean=_MEAN, std=_STD)
    assert torch.equal(normalise(crops, mean=_MEAN, std=_STD, dtype=dtype), exact.to(dtype))


def test_no_crops_give_no_rows() -> None:
    assert normalise(_crops(0), mean=_MEAN, std=_STD).shape == (0, 3, 9, 9)


@pytest.mark.parametrize("shape", [(9, 9, 3), (1, 3, 9, 9)])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="must be uint8 NxSxSx3"):
        normalise(np.zeros(shape, np.uint8), mean=_MEAN, std=_STD)


def test_floats_are_refused() -> None:
    with pytest.raises(ValueError, match="must be uint8 NxSxSx3"):
        normalise(torch.zeros(1, 9, 9, 3), mean=_MEAN, std=_STD)
