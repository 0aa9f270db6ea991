"""Whether the confidence of a whole track means what it says.

A track is made from one labelled picture: views of it that differ as the frames of a video do (shift,
size, turn, light, resolution, blur, compression, noise), combined as ``annotate`` combines crops. Real
tracks add changes of pose and mouth to that, so their crops depend on one another a little less.

python -m benchmarks.track_calibration DATA [--split test] [--weights FILE] [--cache DIR]
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
import numpy as np
import torch

from benchmarks.machine import describe
from gclf_live.labels.aggregate import combine_track
from gclf_live.model.calibration import expected_calibration_error
from gclf_live.model.classifier import Classifier
from gclf_live.records import F32, U8
from gclf_train.augment import BatchAugmenter
from gclf_train.config import load_recipe
from gclf_train.crops import CropSet, load_crops
from gclf_train.data import cache_spec
from gclf_train.folders import read_split

_CORRELATIONS = (0.0, 0.4, 0.6, 0.8, 0.9, 1.0)
_UNCHANGED = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)


def make_views(crops: U8, *, zoom: float, size_px: int, views: int, seed: int) -> U8:
    """Frames of tracks: uint8 (N, H, W, 3) BGR to uint8 (N, views, size, size, 3) BGR.

    Covered parts and the mirror are left out: neither changes from frame to frame.
    """
    settings = replace(load_recipe("live").augmentation, flip=False, erase=0.0, grey=0.0, colour=0.15)
    mean, std = _UNCHANGED
    augmenter = BatchAugmenter(settings, zoom=zoom, mean=mean, std=std)
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.from_numpy(np.repeat(crops, views, axis=0))
    rgb = augmenter.augmented(pictures, size_px, generator).clamp(0, 1)
    bgr = (rgb.flip(1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    return np.ascontiguousarray(bgr).reshape(len(crops), views, size_px, size_px, 3)


def log_probabilities(classifier: Classifier, crops: CropSet, rows: list[int], *, views: int) -> F32:
    """float32 (N, views, C) of the views of the crops at ``rows``."""
    spec = classifier.crop_spec
    zoom = spec.margin / cache_spec(spec).margin
    parts = []
    for start in range(0, len(rows), 32):
        chosen = np.asarray(crops.crops[rows[start : start + 32]])
        made = make_views(chosen, zoom=zoom, size_px=spec.size_px, views=views, seed=start)
        flat = classifier.log_probabilities(made.reshape(-1, *made.shape[2:]))
        parts.append(flat.reshape(len(chosen), views, -1))
    return np.concatenate(parts)


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--split", default="test", show_default=True)
@click.option("--weights", type=click.Path(path_type=Path))
@click.option("--cache", type=click.Path(path_type=Path), default=Path("runs/crops"), show_default=True)
@click.option("--tracks", default=1500, show_default=True)
@click.option("--views", default=8, show_default=True, help="Classified crops of a track.")
def main(data: Path, split: str, weights: Path | None, cache: Path, tracks: int, views: int) -> None:
    """Print calibration error and log loss of single views and of tracks, by assumed correlation."""
    click.echo(describe())
    classifier = Classifier.load(weights)
    crops = load_crops(read_split(data, split), cache_spec(classifier.crop_spec), cache_dir=cache)
    rows = list(range(0, len(crops), max(1, len(crops) // tracks)))
    logs = log_probabilities(classifier, crops, rows, views=views)
    targets = crops.targets[rows]
    click.echo(f"{len(rows):,} tracks of {views} views from {split}")
    _print("single views", np.exp(logs.reshape(-1, logs.shape[2])), np.repeat(targets, views))
    weights_, pts_s = np.ones(views, np.float32), np.arange(views) * 2.0
    for rho in _CORRELATIONS:
        combined = np.stack([combine_track(track, weights_, pts_s, correlation=rho) for track in logs])
        _print(f"tracks, correlation {rho:g}", combined, targets)


def _print(name: str, probabilities: F32, targets: np.ndarray) -> None:
    right = probabilities.argmax(axis=1) == targets
    loss = -np.log(np.maximum(probabilities[np.arange(len(targets)), targets], 1e-9)).mean()
    ece = expected_calibration_error(probabilities.astype(np.float32), targets)
    click.echo(
        f"{name:<24} right {100 * right.mean():5.2f} %   calibration error {ece:.4f}   log loss {loss:.4f}"
    )


if __name__ == "__main__":
    main()
