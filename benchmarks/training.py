"""What a step of ``gclf-live train --recipe live`` spends on its pictures and what on learning from them.

python -m benchmarks.training [--rounds 20] [--device auto]

The pictures are made, of the size of cached crops, and are read from a file as a cache is.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import click
import numpy as np
import torch

from benchmarks.interleaved import Spread
from benchmarks.machine import describe
from gclf_live.model.device import choose_plan
from gclf_live.model.networks import build_network
from gclf_live.records import U8
from gclf_train.augment import BatchAugmenter
from gclf_train.config import IMAGENET_MEAN, IMAGENET_STD, Recipe, load_recipe
from gclf_train.data import cache_spec
from gclf_train.order import step_generators
from gclf_train.processes import Processes
from gclf_train.sources import MemorySource
from gclf_train.stepper import Precision, Stepper
from gclf_train.transfer import to_device

_PICTURES = 4096
_PARTS = ("reading", "changes", "the step itself")


@click.command()
@click.option("--rounds", type=click.IntRange(min=1), default=20, show_default=True)
@click.option("--device", default="auto", show_default=True)
def main(rounds: int, device: str) -> None:
    """Print the ms of reading a batch, of changing it, and of one optimiser step, by input size."""
    plan, recipe = choose_plan(device), load_recipe("live")
    click.echo(describe())
    click.echo(f"{plan.reason}; batches of {recipe.batch_size}, median of {rounds} (lowest to highest), ms")
    with tempfile.TemporaryDirectory() as folder:
        pictures = _made_cache(Path(folder) / "crops.npy", side_px=cache_spec(recipe.crop).size_px)
        run = _Run(recipe, pictures, Precision(plan.device, plan.dtype))
        median_ms: dict[int, tuple[float, float]] = {}
        for size_px in sorted(set(recipe.image_sizes.values())):
            rows = [run.one(size_px, i) for i in range(rounds + 2)][2:]
            click.echo(f"{size_px} px")
            for name, values in zip(_PARTS, zip(*rows, strict=True), strict=True):
                click.echo(f"  {name:<18} {Spread.of(values):.1f}")
            loading = Spread.of([read + change for read, change, _ in rows])
            step = Spread.of([step for _, _, step in rows])
            median_ms[size_px] = loading.median, step.median
            click.echo(f"  {'both / the step':<18} {loading.median / step.median:.3f}")
    epochs = [median_ms[recipe.size_at(epoch)] for epoch in range(recipe.epochs)]
    loading_ms, step_ms = (sum(times) for times in zip(*epochs, strict=True))
    click.echo(f"over the {recipe.epochs} epochs of the recipe: both / the step {loading_ms / step_ms:.3f}")


class _Run:
    """The parts of a step, as ``gclf_train.loop`` puts them together."""

    def __init__(self, recipe: Recipe, pictures: U8, precision: Precision) -> None:
        self._recipe, self._device = recipe, precision.device
        self._source = MemorySource(pictures, device=precision.device)
        self._augmenter = BatchAugmenter(
            recipe.augmentation,
            zoom=recipe.margin / cache_spec(recipe.crop).margin,
            mean=IMAGENET_MEAN,
            std=IMAGENET_STD,
        )
        targets = np.arange(len(pictures), dtype=np.int64) % 2
        network = build_network(recipe.architecture, 2).train()
        self._stepper = Stepper(
            recipe, network, targets, precision=precision, teacher=None, processes=Processes()
        )

    def one(self, size_px: int, number: int) -> tuple[float, float, float]:
        """Milliseconds of each part of one step."""
        rows = np.random.default_rng(number).choice(len(self._source), self._recipe.batch_size, replace=False)
        marks = [self._now()]
        pictures = to_device(next(iter(self._source.batches([rows]))), self._device)
        marks.append(self._now())
        changes = self._augmenter.draw(
            len(rows), size_px, *step_generators(self._device, seed=0, epoch=0, step=number)
        )
        x = self._augmenter.changed(pictures, size_px, changes)
        marks.append(self._now())
        self._stepper.step(x, rows, batch=len(rows), lr=self._recipe.lr, steps=number)
        marks.append(self._now())
        read, change, step = (1000 * float(ms) for ms in np.diff(marks))
        return read, change, step

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()


def _made_cache(path: Path, *, side_px: int) -> U8:
    cache = np.lib.format.open_memmap(path, "w+", np.uint8, (_PICTURES, side_px, side_px, 3))
    rng = np.random.default_rng(0)
    for at in range(0, _PICTURES, 256):
        cache[at : at + 256] = rng.integers(0, 256, (256, side_px, side_px, 3), np.uint8)
    cache.flush()
    read: U8 = np.load(path, mmap_mode="r")
    return read


if __name__ == "__main__":
    main()
