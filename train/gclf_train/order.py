"""Which pictures a step shows and which random numbers change them: by seed, epoch and step alone."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from gclf_live.errors import UsageError
from gclf_live.records import I64


def step_count(rows: int, batch_size: int) -> int:
    """Batches an epoch; none of one picture alone, which batch normalisation cannot take."""
    return max(1, min(math.ceil(rows / batch_size), rows // 2))


def check_shares(rows: int, batch_size: int, *, processes: int) -> None:
    """Raise UsageError unless every process gets a picture of every batch."""
    smallest = rows // step_count(rows, batch_size)
    if smallest < processes:
        raise UsageError(
            f"{processes} processes share batches of {smallest} pictures; start fewer, or give a larger "
            "--batch-size"
        )


def epoch_batches(rows: I64, steps: int, *, seed: int, epoch: int) -> Sequence[I64]:
    """The epoch's batches, equal in size but for one picture: ``steps`` parts of ``rows``, int64 (N,)."""
    return np.array_split(np.random.default_rng([seed, epoch]).permutation(rows), steps)


def step_generators(
    device: torch.device, *, seed: int, epoch: int, step: int
) -> tuple[torch.Generator, torch.Generator]:
    """The random numbers of one step.

    Returns:
        A generator on the processor, and the one for the noise: on CUDA it is on the device, which draws
        millions of numbers faster than they could be carried there; else it is the first one again.
    """
    number = int(np.random.SeedSequence([seed, epoch, step]).generate_state(1, np.uint64)[0] >> 1)
    numbers = torch.Generator().manual_seed(number)
    return numbers, torch.Generator(device).manual_seed(number) if device.type == "cuda" else numbers
