"""The faster weight gradients are the same gradients."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from gclf_live.model.networks import build_network
from gclf_train.small_maps import use_small_map_gradients


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size_px", [3, 4, 7])
def test_gradients_are_those_of_the_plain_convolution(kernel: int, stride: int, size_px: int) -> None:
    torch.manual_seed(kernel + 10 * stride)
    plain = nn.Conv2d(256, 8, kernel, stride, padding=kernel // 2, bias=False)
    fast = copy.deepcopy(plain)
    use_small_map_gradients(fast)

    expected = _gradients(plain, size_px)
    got = _gradients(fast, size_px)

    for one, other in zip(expected, got, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-4, atol=1e-4)


def test_a_resnet_keeps_its_names_and_its_gradients() -> None:
    torch.manual_seed(1)
    plain = build_network("resnet18", 2)
    fast = copy.deepcopy(plain)
    use_small_map_gradients(fast)
    ways: set[str] = set()
    for module in fast.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(lambda conv, x, y: ways.add(y.grad_fn.name()))
    x = torch.randn(8, 3, 64, 64)

    for network in (plain, fast):
        network(x).square().sum().backward()

    assert list(fast.state_dict()) == list(plain.state_dict())
    assert "_ConvWithProductBackward" in ways
    expected = dict(plain.named_parameters())
    for name, parameter in fast.named_parameters():
        wanted = expected[name].grad
        assert parameter.grad is not None
        assert wanted is not None
        error = (parameter.grad - wanted).norm() / wanted.norm()
        assert error < 1e-3, name


def test_without_gradients_nothing_changes() -> None:
    plain = nn.Conv2d(256, 8, 3, padding=1, bias=False)
    fast = copy.deepcopy(plain)
    use_small_map_gradients(fast)
    x = torch.randn(2, 256, 4, 4)
    with torch.inference_mode():
        assert torch.equal(plain(x), fast(x))


def _gradients(conv: nn.Conv2d, size_px: int) -> tuple[Tensor, Tensor, Tensor]:
    """Output, and the gradients of input and weight, for one fixed batch."""
    generator = torch.Generator().manual_seed(size_px)
    x = torch.randn(5, 256, size_px, size_px, generator=generator, requires_grad=True)
    y = conv(x)
    weights = torch.randn(y.shape, generator=generator)
    (y * weights).sum().backward()
    assert x.grad is not None
    assert conv.weight.grad is not None
    return y.detach(), x.grad, conv.weight.grad
