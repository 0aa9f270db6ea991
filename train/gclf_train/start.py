"""The network before its first step."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import nn

from gclf_live.errors import UsageError
from gclf_live.model.checkpoint import load_checkpoint
from gclf_live.model.networks import build_network, head_name
from gclf_train.config import Recipe


def starting_network(recipe: Recipe, classes: tuple[str, ...], *, init: Path | None) -> tuple[nn.Module, str]:
    """Random or ImageNet weights, as the recipe says, or those of a checkpoint.

    Args:
        recipe: names the architecture and the seed.
        classes: outputs of the network. Where they are other than the checkpoint's, its last layer is left.
        init: the checkpoint, or None.

    Returns:
        The network, and the SHA-256 of the checkpoint's tensors, "" without one.

    Raises:
        CheckpointError: ``init`` cannot be read.
        UsageError: it is of another architecture.
        GclfError: ImageNet's weights cannot be fetched.
    """
    torch.manual_seed(recipe.seed)
    network = build_network(recipe.architecture, len(classes), pretrained=recipe.pretrained)
    if init is None:
        return network, ""
    start = load_checkpoint(init)
    if start.meta.architecture != recipe.architecture:
        raise UsageError(
            f"--init {str(init)!r} is a {start.meta.architecture} and the run trains a "
            f"{recipe.architecture}; give --arch {start.meta.architecture} as well"
        )
    head = head_name(recipe.architecture)
    same = start.meta.classes == classes
    state = {n: t for n, t in start.state.items() if same or not n.startswith(f"{head}.")}
    network.load_state_dict(state, strict=False)
    return network, start.tensors_sha256 or file_sha256(init)


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
