"""From where on a face shows too little for a label: right answers on small and on blurred faces.

python -m benchmarks.limits DATA [--split val] [--weights FILE] [--limit 1500]

Pictures are shrunk or blurred before the detector sees them, so that a face counts only where it is still
found, with the landmarks that are found then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np

from benchmarks.machine import describe
from gclf_live.faces.detector import FaceDetector
from gclf_live.faces.quality import measure_faces
from gclf_live.geometry import BORDER_BGR, crop_faces
from gclf_live.model.classifier import Classifier
from gclf_live.records import U8
from gclf_train.folders import read_split

_HEIGHTS_PX = (10, 12, 14, 16, 20, 24)
_BLURS = (0.03, 0.13)
"""Least and largest deviation of the Gaussian, in heights of the face."""
_SHARPNESS = (0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.06)
_SURE = 0.8


@dataclass(frozen=True, slots=True)
class Sample:
    """One face that was found: what group it belongs to, how sharp it is, and its crop."""

    target: int
    height_px: int
    sharpness: float
    crop: U8


def samples(
    pictures: Iterable[tuple[U8, int]], detector: FaceDetector, classifier: Classifier
) -> Iterator[Sample]:
    """The faces of pictures with one face each, shrunk (``height_px`` says to what) and blurred (0)."""
    random = np.random.default_rng(0)
    for image, target in pictures:
        faces = detector.detect(image)
        if len(faces) != 1:
            continue
        height = float(faces.boxes[0, 3] - faces.boxes[0, 1])
        blur = random.uniform(*_BLURS) * height
        versions = [(0, np.asarray(cv2.GaussianBlur(image, (0, 0), blur), np.uint8))]
        versions += [(px, shrink(image, px / height)) for px in _HEIGHTS_PX if px < height]
        for height_px, changed in versions:
            found = detector.detect(changed)
            if len(found) == 1:
                crops = crop_faces(changed, found, classifier.crop_spec)
                sharpness = float(measure_faces(found, crops).sharpness[0])
                yield Sample(target, height_px, sharpness, crops[0])


def shrink(image: U8, scale: float) -> U8:
    """The picture made smaller, with a border that leaves the detector room."""
    small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return np.asarray(
        cv2.copyMakeBorder(small, 20, 20, 20, 20, cv2.BORDER_CONSTANT, value=BORDER_BGR), np.uint8
    )


def row(name: str, chosen: list[Sample], classifier: Classifier) -> str:
    """One line: how many were found, the shares of right and of sure answers, and of right among the sure."""
    if not chosen:
        return f"{name:<24} {0:>6}"
    answers = classifier.predict(np.stack([sample.crop for sample in chosen])).probabilities
    right = answers.argmax(1) == np.array([sample.target for sample in chosen])
    sure = answers.max(1) >= _SURE
    shares = (right.mean(), sure.mean(), right[sure].mean() if sure.any() else np.nan)
    return f"{name:<24} {len(chosen):>6}" + "".join(f"{100 * share:>12.1f}" for share in shares)


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--split", default="val", show_default=True)
@click.option("--weights", type=click.Path(path_type=Path))
@click.option("--limit", type=int, default=1500, show_default=True, help="Only so many pictures.")
def main(data: Path, split: str, weights: Path | None, limit: int) -> None:
    """Print the share of right answers, in %, by height and by sharpness of the face."""
    click.echo(describe())
    classifier = Classifier.load(weights)
    labelled = read_split(data, split)
    order = np.random.default_rng(1).permutation(len(labelled.files))[:limit]

    def pictures() -> Iterator[tuple[U8, int]]:
        for i in order.tolist():
            image = cv2.imread(str(data / labelled.files[i]))
            if image is not None:
                side = max(image.shape[:2]) // 3
                padded = cv2.copyMakeBorder(image, side, side, side, side, cv2.BORDER_REPLICATE)
                yield np.asarray(padded, np.uint8), int(labelled.targets[i])

    found = list(samples(pictures(), FaceDetector(max_side_px=640), classifier))
    click.echo(f"{'':<24} {'found':>6}{'right':>12}{'sure':>12}{'sure, right':>12}")
    for height_px in _HEIGHTS_PX:
        chosen = [sample for sample in found if sample.height_px == height_px]
        click.echo(row(f"face {height_px} px high", chosen, classifier))
    blurred = [sample for sample in found if sample.height_px == 0]
    for low, high in zip(_SHARPNESS, (*_SHARPNESS[1:], np.inf), strict=True):
        chosen = [sample for sample in blurred if low <= sample.sharpness < high]
        click.echo(row(f"sharpness {low:g} to {high:g}", chosen, classifier))


if __name__ == "__main__":
    main()
