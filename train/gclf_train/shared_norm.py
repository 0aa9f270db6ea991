"""Batch normalisation over the pictures of all processes.

With the statistics of its own share alone each process would train another network, and fewer pictures
behind a statistic make it noisier: the curve would depend on how many processes there are.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn


def share_statistics(network: nn.Module, device: torch.device) -> nn.Module:
    """Let every batch normalisation of ``network`` see the whole batch; names and values stay the same.

    Returns:
        The network to use: on CUDA with torch's ``SyncBatchNorm``; on a processor, which that does not
        support, ``network`` itself, changed in place.
    """
    if device.type == "cuda":
        whole: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
        return whole
    for module in network.modules():
        if type(module) is nn.BatchNorm2d:
            module.__class__ = _SharedBatchNorm
    return network


class _SharedBatchNorm(nn.BatchNorm2d):
    """Normalises a share of a batch, (N, C, H, W), by the mean and variance of the whole batch."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        values = x.float()
        count, mean, variance = _whole_batch(values)
        self._update_running(count, mean.detach(), variance.detach())
        gain = torch.rsqrt(variance + self.eps) * self.weight
        normalised = (values - mean.view(1, -1, 1, 1)) * gain.view(1, -1, 1, 1) + self.bias.view(1, -1, 1, 1)
        return normalised.to(x.dtype)

    @torch.no_grad()
    def _update_running(self, count: Tensor, mean: Tensor, variance: Tensor) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        momentum = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * count / (count - 1), momentum)


def _whole_batch(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Values a channel, and float32 (C,), their mean and variance, over all processes.

    The parts' variances are put together as in Chan, Golub & LeVeque 1983 (The American Statistician
    37:242), which does not cancel as the difference of two large sums does.
    """
    channels = x.shape[1]
    count = x.new_full((1,), x.numel() // channels)
    ours = torch.cat([count, x.mean((0, 2, 3)), x.var((0, 2, 3), correction=0)])
    empty = torch.zeros_like(ours)
    table: Tensor = _Sum.apply(
        torch.stack([ours if i == dist.get_rank() else empty for i in range(dist.get_world_size())])
    )
    counts, means, variances = table[:, :1].detach(), table[:, 1 : 1 + channels], table[:, 1 + channels :]
    total = counts.sum()
    mean = (counts * means).sum(0) / total
    variance = (counts * (variances + (means - mean).square())).sum(0) / total
    return total, mean, variance


class _Sum(torch.autograd.Function):
    """The sum over all processes; each one's gradient is the sum of what all of them hand back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        total = grad_outputs[0].clone()
        dist.all_reduce(total)
        return total
