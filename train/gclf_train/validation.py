"""What the network answers to a split, shared between the processes of a run."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from gclf_train.augment import BatchAugmenter
from gclf_train.processes import Processes
from gclf_train.sources import PictureSource
from gclf_train.stepper import Precision
from gclf_train.transfer import to_device


@torch.inference_mode()
def answer(
    network: nn.Module,
    source: PictureSource,
    *,
    size_px: int,
    batch_size: int,
    augmenter: BatchAugmenter,
    precision: Precision,
    processes: Processes,
    after_batch: Callable[[], None],
) -> Tensor:
    """Logits of every picture of ``source``, unchanged: float32 (N, C), on the processor, in every process.

    Args:
        network: is put into evaluation mode.
        source: N pictures.
        size_px: side of the network's input.
        batch_size: pictures a batch, at most.
        augmenter: turns stored pictures into the network's input.
        precision: where and how to compute.
        processes: those that share the batches, one each in turn.
        after_batch: called equally often in every process; may raise to end it.
    """
    network.eval()
    order = np.array_split(np.arange(len(source)), max(1, math.ceil(len(source) / batch_size)))
    mine = order[processes.rank :: processes.world]
    batches = source.batches(mine)
    parts: list[Tensor] = []
    for turn in range(math.ceil(len(order) / processes.world)):
        if turn < len(mine):  # in the last turn there may be no batch left for some
            x = augmenter.plain(to_device(next(batches), precision.device), size_px)
            with precision.autocast():
                parts.append(network(x.contiguous(memory_format=torch.channels_last)).float())
        after_batch()
    gathered = processes.gather([part.cpu() for part in parts])
    return torch.cat([gathered[i % processes.world][i // processes.world] for i in range(len(order))])
