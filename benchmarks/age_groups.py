"""Groups of one source and one age band, for ``gclf-live train --balance``.

python -m benchmarks.age_groups folders DATA faces.csv AGES
gclf-live train AGES --recipe live --init shipped --lr 0.001 --epochs 3 --image-size 96 -o runs/ages
python -m benchmarks.age_groups table DATA faces.csv runs/ages/checkpoint.safetensors -o groups.csv

``faces.csv`` has the columns ``file``, the path below DATA, ``source`` and ``age`` in years, which may be
empty: where it is, the band is what the checkpoint takes the face for.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import click
import numpy as np

from gclf_live.evaluation.answers import classify_pictures
from gclf_live.evaluation.labelled import LabelledPictures
from gclf_live.model.classifier import Classifier
from gclf_live.output.progress import progress_bar
from gclf_live.whole_file import whole_file
from gclf_train.folders import read_split

FROM_YEARS = (0, 13, 20, 30, 40, 50, 60, 70)
"""Where the bands begin."""

_FACES = click.Path(exists=True, dir_okay=False, path_type=Path)
_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


def band(age: float) -> str:
    """The name of an age's band: ``from 30``."""
    start = max(years for years in FROM_YEARS if years <= age)
    return f"from {start:02}"


def read_faces(path: Path) -> dict[str, tuple[str, float | None]]:
    """Source and age, where it is stated, by file."""
    with path.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    return {row["file"]: (row["source"], float(row["age"]) if row["age"] else None) for row in rows}


@click.group()
def main() -> None:
    """Make what ``train --balance`` needs, from the ages that are stated and a checkpoint for the others."""


@main.command()
@click.argument("data", type=_FOLDER)
@click.argument("faces", type=_FACES)
@click.argument("ages", type=click.Path(path_type=Path))
def folders(data: Path, faces: Path, ages: Path) -> None:
    """Make AGES/{train,val}/BAND out of links to the pictures of DATA whose age is stated."""
    known = read_faces(faces)
    made: Counter[str] = Counter()
    for split in ("train", "val"):
        for file in read_split(data, split).files:
            age = known[file][1]
            if age is not None:
                # Pictures of two classes may have one name.
                link = ages / split / band(age) / file.partition("/")[2].replace("/", "-")
                link.parent.mkdir(parents=True, exist_ok=True)
                link.unlink(missing_ok=True)
                link.symlink_to((data / file).resolve())
                made[f"{split} {band(age)}"] += 1
    click.echo("\n".join(f"{name}  {count:,}" for name, count in sorted(made.items())))


@main.command()
@click.argument("data", type=_FOLDER)
@click.argument("faces", type=_FACES)
@click.argument("weights", type=_FACES)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True)
def table(data: Path, faces: Path, weights: Path, output: Path) -> None:
    """Write the group of each training picture, and print how many of each label the groups hold."""
    known = read_faces(faces)
    split = read_split(data, "train")
    bands = {file: band(age) for file in split.files if (age := known[file][1]) is not None}
    bands |= guessed([file for file in split.files if file not in bands], data, weights)
    groups = {file: f"{known[file][0]} {bands[file]}" for file in split.files if file in bands}
    with whole_file(output, overwrite=True) as part, part.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(("file", "group"))
        writer.writerows(groups.items())
    counts = Counter(
        (groups.get(f, "none"), split.classes[t]) for f, t in zip(split.files, split.targets, strict=True)
    )
    click.echo(f"{'group':<20}" + "".join(f"{name:>9}" for name in split.classes))
    for group in sorted({group for group, _ in counts}):
        click.echo(f"{group:<20}" + "".join(f"{counts[group, name]:>9,}" for name in split.classes))


def guessed(files: list[str], data: Path, weights: Path) -> dict[str, str]:
    """The checkpoint's likeliest band of each picture in which a face is found."""
    if not files:
        return {}
    classifier = Classifier.load(weights)
    pictures = LabelledPictures(data, tuple(files), np.zeros(len(files), np.int64))
    with progress_bar("guessing ages", len(files), unit="pictures") as advance:
        answers = classify_pictures(pictures, classifier, advance=advance)
    likeliest = answers.probabilities.argmax(axis=1).tolist()
    return {file: answers.classes[i] for file, i in zip(answers.files, likeliest, strict=True)}


if __name__ == "__main__":
    main()
