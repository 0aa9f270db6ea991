"""Small checkpoints with random weights; what they answer means nothing, but it is always the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from gclf_live.geometry import Alignment, CropSpec
from gclf_live.model.checkpoint import Checkpoint, CheckpointMeta, ErrorAtThreshold, save_checkpoint
from gclf_live.model.networks import build_network


@pytest.fixture(scope="session")
def checkpoint() -> Checkpoint:
    """A ResNet18 whose BatchNorm has seen data, so that folding it is no trivial matter."""
    torch.manual_seed(7)
    network = build_network("resnet18", 2)
    with torch.no_grad():
        for _ in range(2):
            network(torch.randn(4, 3, 64, 64) * 2 + 0.5)
    meta = CheckpointMeta(
        architecture="resnet18",
        classes=("female", "male"),
        crop=CropSpec(64, 1.15, Alignment.LANDMARKS),
        mean=(0.5, 0.4, 0.3),
        std=(0.25, 0.2, 0.22),
        temperature=1.5,
        error_table=(ErrorAtThreshold(0.5, 1.0, 0.1), ErrorAtThreshold(0.9, 0.6, 0.02)),
        recipe="live",
        recipe_sha256="ab" * 32,
        data={"train": 1200, "terms": "für Übungen"},
        validation={"accuracy": 0.9},
    )
    return Checkpoint(meta, network.state_dict())


@pytest.fixture(scope="session")
def weights(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint's file. Not to be written to."""
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(path, checkpoint)
    return path
