"""What each of two processes does in ``test_sharing.py``: train a tiny network together, and stop together.

Run as ``python sharing.py FOLDER``; every process leaves in it what it saw.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from train_makers import CPU, TINY, colour_split

from gclf_train.augment import BatchAugmenter
from gclf_train.config import IMAGENET_MEAN, IMAGENET_STD, Augmentation
from gclf_train.loop import Trainer
from gclf_train.processes import Processes, joined_processes
from gclf_train.reports import RunStopped, StepReport
from gclf_train.stepper import Precision
from gclf_train.teacher import TeacherTargets

EVERYTHING = Augmentation(
    shift=0.05, scale=0.1, colour=0.1, grey=0.2, low_resolution=0.5, blur=0.5, jpeg=0.5, noise=0.5, erase=0.5
)
RECIPE = replace(
    TINY, ema_decay=0.9, warmup_epochs=0.5, cosine=True, weight_decay=0.05, augmentation=EVERYTHING
)
STOP_AT = 5


def network() -> nn.Module:
    """Convolution, batch normalisation, linear layer.

    The convolution has no bias: its gradient before a normalisation is rounding alone, of which Adam
    makes whole steps.
    """
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3, stride=2, bias=False), nn.BatchNorm2d(6), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 2),
    )  # fmt: skip


def teacher() -> TeacherTargets:
    """Answers for the 20 training pictures; three of them take no part, so that batches differ in size."""
    generator = torch.Generator().manual_seed(1)
    p = torch.rand(20, 1, generator=generator)
    keep = torch.ones(20, dtype=torch.bool)
    keep[[3, 7, 12]] = False
    descriptors = nn.functional.normalize(torch.randn(20, 5, generator=generator), dim=1)
    return TeacherTargets(torch.cat([p, 1 - p], dim=1), descriptors, keep, 20, "table")


def trainer(folder: Path, processes: Processes = Processes(), **options: Any) -> Trainer:  # noqa: B008
    """A run on 17 pictures, validated on three batches."""
    folder.mkdir(parents=True, exist_ok=True)
    return Trainer(
        RECIPE,
        network(),
        train=colour_split(10),
        val=colour_split(10, seed=500),
        augmenter=BatchAugmenter(EVERYTHING, zoom=1.0, mean=IMAGENET_MEAN, std=IMAGENET_STD),
        precision=Precision(CPU, torch.float32),
        run_dir=folder,
        run_sha256="run",
        teacher=teacher(),
        processes=processes,
        **options,
    )


def main(folder: Path) -> None:
    """A whole run, then one that the second process alone is asked to stop."""
    with joined_processes() as processes:
        pictures: list[int] = []
        whole = trainer(folder / "whole", processes, on_step=lambda report: pictures.append(report.pictures))
        best = whole.run()
        seen: list[StepReport] = []

        def stop() -> bool:
            return processes.rank == 1 and len(seen) == STOP_AT - 1

        stopped = False
        try:
            trainer(folder / "stopped", processes, stop=stop, on_step=seen.append).run()
        except RunStopped:
            stopped = True
        facts = {
            "network": whole.network.state_dict(),
            "best": best,
            "pictures": pictures,
            "stopped": stopped,
        }
        torch.save(facts, folder / f"rank{processes.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
