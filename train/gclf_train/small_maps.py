"""Faster weight gradients of convolutions over small maps, on a processor.

oneDNN computes the weight gradient of a 512 to 512 convolution over a 2x2 map at a tenth of the speed of
a matrix product, and a ResNet18 at 64 px spends a quarter of its step there. A map so small is unfolded
at little cost, and the gradient is one product: the gradients agree to rounding.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_MOST_POSITIONS = 16
"""Of an output map, up to which the product is faster: 4x4, the last stage of a ResNet18 at 112 px."""
_FEWEST_CHANNELS = 256


def use_small_map_gradients(network: nn.Module) -> None:
    """Let the convolutions of a float32 network on the processor choose the faster way, in place.

    Parameters, their names and what the network computes stay the same.
    """
    for module in network.modules():
        if type(module) is nn.Conv2d and _fits(module):
            module.__class__ = _Conv2d


def _fits(conv: nn.Conv2d) -> bool:
    plain = conv.groups == 1 and conv.bias is None and conv.dilation == (1, 1)
    symmetric = conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
    return plain and symmetric and conv.in_channels >= _FEWEST_CHANNELS


class _Conv2d(nn.Conv2d):
    """A convolution whose weight gradient is a matrix product where the output map is small."""

    def forward(self, x: Tensor) -> Tensor:
        height, width = (
            (size + 2 * pad - kernel) // step + 1
            for size, pad, kernel, step in zip(
                x.shape[2:], _pair(self.padding), self.kernel_size, self.stride, strict=True
            )
        )
        small = height * width <= _MOST_POSITIONS
        if not (small and torch.is_grad_enabled() and x.dtype == torch.float32):
            return super().forward(x)
        y: Tensor = _ConvWithProduct.apply(x, self.weight, self.stride, _pair(self.padding))
        return y


def _pair(padding: Any) -> tuple[int, int]:
    down, across = padding
    return int(down), int(across)


class _ConvWithProduct(torch.autograd.Function):
    """``F.conv2d`` without bias: the weight gradient is that of the unfolded input."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(x, weight, None, stride, padding)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        (grad,) = grad_outputs
        x, weight = ctx.saved_tensors
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_x = torch.ops.aten.convolution_backward(
                grad, x, weight, None, ctx.stride, ctx.padding, (1, 1), False, (0, 0), 1,
                (True, False, False),
            )[0]  # fmt: skip
        if ctx.needs_input_grad[1]:
            grad_weight = _weight_gradient(grad, x, weight.shape, ctx.stride, ctx.padding)
        return grad_x, grad_weight, None, None


def _weight_gradient(
    grad: Tensor, x: Tensor, shape: torch.Size, stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """float32 (O, I, kH, kW) in channels-last order, for ``grad`` (N, O, H, W) and the input ``x``."""
    out_channels, in_channels, kernel_h, kernel_w = shape
    height, width = grad.shape[2:]
    rows = grad.permute(1, 0, 2, 3).reshape(out_channels, -1)
    padded = F.pad(x.permute(0, 2, 3, 1), (0, 0, padding[1], padding[1], padding[0], padding[0]))
    gradient = grad.new_empty(out_channels, kernel_h, kernel_w, in_channels)
    for i in range(kernel_h):
        for j in range(kernel_w):
            seen = padded[:, i : i + height * stride[0] : stride[0], j : j + width * stride[1] : stride[1]]
            gradient[:, i, j] = rows @ seen.reshape(-1, in_channels)
    return gradient.permute(0, 3, 1, 2)
