"""Small datasets, a tiny network and the command line, for the tests of the training."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import nn

from gclf_live.cli.running import run
from gclf_train.augment import BatchAugmenter
from gclf_train.config import IMAGENET_MEAN, IMAGENET_STD, Augmentation, Pictures, Recipe
from gclf_train.loop import Trainer
from gclf_train.sources import MemorySource, Split
from gclf_train.stepper import Precision

PORTRAITS = Path(__file__).parents[2] / "samples" / "portraits"
COLOURS_RGB = {"female": (190, 90, 80), "male": (80, 90, 190)}
CPU = torch.device("cpu")
COMMAND = (
    *("--epochs", 2, "--batch-size", 8, "--image-size", 32, "--lr", 0.0005),
    *("--device", "cpu", "--precision", "fp32", "--pth"),
)
"""Options of the finished run, the same on every processor; --pth is no part of what a run is."""


def coloured(name: str, seed: int, *, size_px: int = 40) -> npt.NDArray[np.uint8]:
    """A noisy picture in its class's colour: uint8 (size, size, 3), RGB."""
    noise = np.random.default_rng([seed, len(name)]).normal(0, 30, (size_px, size_px, 3))
    return np.clip(noise + COLOURS_RGB[name], 0, 255).astype(np.uint8)


def make_colours(root: Path, *, train: int = 12, val: int = 8) -> Path:
    """``root/{train,val}/{female,male}/N.jpg``: ``train`` and ``val`` pictures a class."""
    for offset, (split, count) in enumerate((("train", train), ("val", val))):
        for name in COLOURS_RGB:
            folder = root / split / name
            folder.mkdir(parents=True)
            for i in range(count):
                Image.fromarray(coloured(name, 1000 * offset + i)).save(folder / f"{i}.jpg", quality=95)
    return root


def make_faces(root: Path, *, variants: int = 2) -> Path:
    """Both splits from the sample portraits, each portrait in ``variants`` brightnesses and cuts."""
    names = {"female": ("collins", "hopper"), "male": ("biden", "obama")}
    for split in ("train", "val"):
        for label, people in names.items():
            folder = root / split / label
            folder.mkdir(parents=True)
            for person in people:
                with Image.open(PORTRAITS / f"{person}.jpg") as picture:
                    _save_variants(picture.convert("RGB"), folder, person, variants, split)
    return root


def _save_variants(picture: Image.Image, folder: Path, person: str, variants: int, split: str) -> None:
    picture.thumbnail((240, 240))
    for i in range(variants):
        cut = 2 * i + (split == "val")
        part = picture.crop((cut, cut, picture.width - cut, picture.height - cut))
        part.point(lambda value, gain=1 - 0.1 * i: int(value * gain)).save(folder / f"{person}-{i}.png")


@dataclass(frozen=True)
class Outcome:
    """What a command left on its streams."""

    code: int
    out: str
    err: str

    def refusal(self) -> str:
        """The last line on standard error; there is no traceback and nothing on standard output."""
        assert self.out == ""
        assert "Traceback" not in self.err
        return self.err.splitlines()[-1]


@dataclass(frozen=True)
class FinishedRun:
    """A run of ``gclf-live train`` that has ended well."""

    data: Path
    folder: Path
    outcome: Outcome


def gclf_live(*arguments: object) -> Outcome:
    """Run the command line in this process."""
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8"), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
        sys.stdout.flush()
    return Outcome(code, out.buffer.getvalue().decode(), err.getvalue())  # type: ignore[attr-defined]


def tiny_network(classes: int = 2) -> nn.Module:
    """A convolution, batch normalisation and a linear layer: 0.3 kB where ResNet18 has 45 MB."""
    torch.manual_seed(3)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=2), nn.BatchNorm2d(4), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, classes),
    )  # fmt: skip


TINY = Recipe(
    name="tiny",
    pictures=Pictures.WHOLE,
    image_sizes={0: 32},
    epochs=3,
    batch_size=8,
    lr=0.02,
    augmentation=Augmentation(flip=True, shift=0.05, colour=0.1, noise=0.3),
)


def colour_split(count: int, *, seed: int = 0) -> Split:
    """``count`` pictures of each class in memory."""
    pictures = [coloured(name, seed + i, size_px=32)[..., ::-1] for name in COLOURS_RGB for i in range(count)]
    targets = np.repeat(np.arange(2, dtype=np.int64), count)
    return Split(MemorySource(np.stack(pictures), device=CPU), targets)


def tiny_trainer(run_dir: Path, *, recipe: Recipe = TINY, sha: str = "run", **options: Any) -> Trainer:
    """A trainer of the tiny network on 20 coloured pictures; ``options`` go to ``Trainer``."""
    settings: dict[str, Any] = {
        "network": tiny_network(),
        "train": colour_split(10),
        "val": colour_split(6, seed=500),
        "augmenter": BatchAugmenter(recipe.augmentation, zoom=1.0, mean=IMAGENET_MEAN, std=IMAGENET_STD),
        "precision": Precision(CPU, torch.float32),
    }
    return Trainer(recipe, run_dir=run_dir, run_sha256=sha, **{**settings, **options})


def changed(**changes: Any) -> Recipe:
    """The tiny recipe with other settings."""
    return replace(TINY, **changes)


def stop_at(step: int) -> Callable[[object], None]:
    """An ``on_step`` that ends the run by force after its ``step``-th step."""
    seen = []

    def on_step(report: object) -> None:
        seen.append(report)
        if len(seen) == step:
            raise KeyboardInterrupt

    return on_step
