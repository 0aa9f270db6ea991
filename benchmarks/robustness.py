"""How often a checkpoint is right when faces are small, blurred, compressed, dark or covered.

python -m benchmarks.robustness DATA [--split test] [--weights FILE] [--cache DIR]
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import cv2
import numpy as np

from benchmarks.machine import describe
from gclf_live.model.calibration import wilson_interval
from gclf_live.model.classifier import Classifier
from gclf_live.records import I64, U8
from gclf_train.crops import load_crops
from gclf_train.folders import read_split

_FACE_HEIGHTS_PX = (100, 75, 50, 30, 20)
_GREY_LEVEL = 128


def shrink(crop: U8, *, height_px: int, margin: float) -> U8:
    """The crop as it would be if the face had been ``height_px`` high, where it was higher."""
    size = crop.shape[0]
    small = round(height_px * margin)
    if small >= size:
        return crop
    reduced = cv2.resize(crop, (small, small), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.resize(reduced, (size, size), interpolation=cv2.INTER_LINEAR), np.uint8)


def compress(crop: U8, *, quality: int) -> U8:
    """The crop after JPEG."""
    _, data = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def blur(crop: U8) -> U8:
    """Out of focus: a Gaussian of 3 % of the crop's side."""
    return np.asarray(cv2.GaussianBlur(crop, (0, 0), 0.03 * crop.shape[0]), np.uint8)


def grey(crop: U8) -> U8:
    """Without colour."""
    return np.asarray(cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR), np.uint8)


def darken(crop: U8) -> U8:
    """A quarter of the light."""
    return np.asarray(crop // 4, np.uint8)


def cover(crop: U8, *, side: str) -> U8:
    """The lower or the left half under a grey card."""
    covered = crop.copy()
    half = crop.shape[0] // 2
    if side == "lower":
        covered[half:] = _GREY_LEVEL
    else:
        covered[:, :half] = _GREY_LEVEL
    return covered


def conditions(margin: float) -> dict[str, Callable[[U8], U8]]:
    """Name and change of every row of the table."""
    heights = {
        f"face {px} px high": lambda crop, px=px: shrink(crop, height_px=px, margin=margin)
        for px in _FACE_HEIGHTS_PX
    }
    return {
        "as it is": lambda crop: crop,
        **heights,
        "JPEG quality 30": lambda crop: compress(crop, quality=30),
        "blurred": blur,
        "grey": grey,
        "dark": darken,
        "lower half covered": lambda crop: cover(crop, side="lower"),
        "left half covered": lambda crop: cover(crop, side="left"),
    }


def row(name: str, answers: I64, targets: I64, classes: tuple[str, ...]) -> str:
    """One line of the table: balanced accuracy, and recall with its interval for each class."""
    recalls, cells = [], []
    for index, label in enumerate(classes):
        right = answers[targets == index] == index
        low, high = wilson_interval(int(right.sum()), len(right))
        recalls.append(right.mean())
        cells.append(f"{label} {100 * right.mean():5.1f} ({100 * low:.1f} to {100 * high:.1f})")
    return f"{name:<20} {100 * np.mean(recalls):5.1f}   " + "   ".join(cells)


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--split", default="test", show_default=True)
@click.option("--weights", type=click.Path(path_type=Path))
@click.option("--cache", type=click.Path(path_type=Path), default=Path("runs/crops"), show_default=True)
@click.option("--limit", type=int, help="Only so many pictures, evenly spread.")
def main(data: Path, split: str, weights: Path | None, cache: Path, limit: int | None) -> None:
    """Print balanced accuracy in %, and recall with 95 % Wilson intervals, for each condition."""
    click.echo(describe())
    classifier = Classifier.load(weights)
    crops = load_crops(read_split(data, split), classifier.crop_spec, cache_dir=cache)
    chosen = np.arange(len(crops))[:: max(1, len(crops) // limit) if limit else 1]
    targets = crops.targets[chosen]
    click.echo(f"{len(chosen):,} faces of {split}, {len(crops.missing)} pictures without a face")
    for name, change in conditions(classifier.crop_spec.margin).items():
        answers = np.concatenate(
            [
                classifier.predict(np.stack([change(crops.crops[i]) for i in part])).probabilities.argmax(1)
                for part in np.array_split(chosen, max(1, len(chosen) // 256))
            ]
        )
        click.echo(row(name, answers, targets, classifier.classes))


if __name__ == "__main__":
    main()
