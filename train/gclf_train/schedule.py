"""How the optimiser is made, how its learning rate runs, and how the weights are averaged."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from gclf_train.config import Optimiser, Recipe


def make_optimiser(recipe: Recipe, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The recipe's optimiser; biases and normalisation are not decayed."""
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for parameter in parameters:
        (decayed if parameter.ndim > 1 else plain).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    kind = torch.optim.AdamW if recipe.optimiser is Optimiser.ADAMW else torch.optim.Adam
    return kind(groups, lr=recipe.lr, fused=True)


def learning_rate(recipe: Recipe, *, epoch: int, step: int, steps_per_epoch: int) -> float:
    """Linear warm-up, then constant or half a cosine down to 1 %.

    The cosine is that of Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts.

    Args:
        recipe: gives the peak, the warm-up and the shape.
        epoch: the epoch under way, from 0.
        step: optimiser steps done in it.
        steps_per_epoch: how many there are.
    """
    at = epoch + step / steps_per_epoch
    if at < recipe.warmup_epochs:
        return recipe.lr * (at + 1 / steps_per_epoch) / recipe.warmup_epochs
    if not recipe.cosine:
        return recipe.lr
    progress = (at - recipe.warmup_epochs) / max(recipe.epochs - recipe.warmup_epochs, 1e-9)
    return recipe.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))


@torch.no_grad()
def update_average(average: dict[str, Tensor], state: dict[str, Tensor], *, decay: float, steps: int) -> None:
    """Move an exponential moving average of the weights one step on, in place.

    Args:
        average: the averaged state dict.
        state: the network's state dict now. Counters are taken as they are.
        decay: how much of the average stays in a step; 0 leaves the average alone.
        steps: optimiser steps done before this one in the whole run: early averages have a shorter
            memory, else the random first weights would stay in them for an epoch.
    """
    if decay <= 0:
        return
    decay = min(decay, (1 + steps) / (10 + steps))
    moving = [name for name, value in state.items() if value.dtype.is_floating_point]
    # All tensors at once: one by one they would take a GPU longer to start on than to compute.
    move = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
    move([average[name] for name in moving], [state[name] for name in moving], 0)
    for name in state.keys() - set(moving):
        average[name].copy_(state[name])
