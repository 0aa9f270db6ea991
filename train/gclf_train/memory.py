"""Running out of memory, told as what it is."""

from __future__ import annotations

import re

import torch

from gclf_train.config import Recipe

# Libraries below torch have no exception of their own for it.
_NO_MEMORY = re.compile(
    r"out of memory|not enough memory|can't allocate memory|cannot allocate memory|_STATUS_ALLOC_FAILED",
    re.IGNORECASE,
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether ``error`` says that the device or the processor has no memory left."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error)) is not None


def does_not_fit(recipe: Recipe, epoch: int, device: torch.device, epochs_done: int) -> str:
    """What to do about a batch that did not fit in ``epoch``, counted from 0, in one line."""
    kept = f"{epochs_done} finished epoch(s) are kept" if epochs_done else "no epoch was finished"
    return (
        f"a batch of {recipe.batch_size} pictures of {recipe.size_at(epoch)} px does not fit in the memory "
        f"of {device}; {kept}: make room and go on with --resume, or start again with --overwrite and "
        f"--batch-size below {recipe.batch_size}"
    )
