"""Which training labels a teacher contradicts, by source: most of them are wrong, some are children.

python -m benchmarks.label_errors DATA TEACHER.npz [--groups faces.csv] [--sheet labels.jpg]

The teacher's answers have to be out of fold: given by models that did not learn from the label in question.
"""

from __future__ import annotations

import csv
from pathlib import Path

import click
import numpy as np
from PIL import Image, ImageDraw, ImageOps

from gclf_live.records import F32, I64
from gclf_live.whole_file import whole_file
from gclf_train.folders import LabelledFiles, read_split

_LIMITS = (0.5, 0.8, 0.9, 0.97)
_TILE_PX, _ACROSS, _MOST = 150, 8, 64


def doubts(split: LabelledFiles, files: list[str], p_female: F32) -> F32:
    """The teacher's probability against each picture's label: float32 (N,), NaN where it says nothing."""
    known = dict(zip(files, p_female.astype(np.float32).tolist(), strict=True))
    female = split.classes.index("female")
    answers = np.array([known.get(file, np.nan) for file in split.files], np.float32)
    labelled_female = np.array(split.targets) == female
    return np.where(labelled_female, 1 - answers, answers).astype(np.float32)


def table(doubt: F32, sources: list[str]) -> list[str]:
    """One line a source, and one for all: pictures the teacher knows, and how many it contradicts."""
    heads = "".join(f"  over {limit:<5g}" for limit in _LIMITS)
    lines = [f"{'source':<12} {'known':>7}{heads}"]
    named = np.array(sources)
    for name in [*sorted(set(sources) - {"all"}), "all"]:
        here = doubt[(named == name) | (name == "all")]
        here = here[np.isfinite(here)]
        cells = "".join(f"  {int((here > limit).sum()):>6,}    " for limit in _LIMITS)
        lines.append(f"{name:<12} {len(here):>7,}{cells}".rstrip())
    return lines


def contact_sheet(split: LabelledFiles, rows: I64, doubt: F32) -> Image.Image:
    """The pictures at ``rows``, each with its label and the teacher's answer."""
    label_px = 16
    down = -(-len(rows) // _ACROSS)
    sheet = Image.new("RGB", (_ACROSS * _TILE_PX, down * (_TILE_PX + label_px)), "white")
    pen = ImageDraw.Draw(sheet)
    for place, row in enumerate(rows.tolist()):
        x, y = place % _ACROSS * _TILE_PX, place // _ACROSS * (_TILE_PX + label_px)
        with Image.open(split.root / split.files[row]) as picture:
            sheet.paste(ImageOps.fit(picture.convert("RGB"), (_TILE_PX - 2, _TILE_PX - 2)), (x, y))
        text = f"{split.classes[split.targets[row]]}? against {100 * float(doubt[row]):.0f} %"
        pen.text((x + 2, y + _TILE_PX), text, fill="black")
    return sheet


def _sources(groups: Path | None, split: LabelledFiles) -> list[str]:
    if groups is None:
        return ["all"] * len(split.files)
    with groups.open(encoding="utf-8", newline="") as lines:
        known = {row["file"]: row["source"] for row in csv.DictReader(lines)}
    return [known.get(file, "unknown") for file in split.files]


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("teacher", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--groups", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--sheet", type=click.Path(dir_okay=False, path_type=Path), help="Show the surest contradictions."
)
def main(data: Path, teacher: Path, groups: Path | None, sheet: Path | None) -> None:
    """Count the contradicted labels, and show the surest of them."""
    split = read_split(data, "train")
    with np.load(teacher, allow_pickle=False) as arrays:
        doubt = doubts(split, arrays["files"].astype(str).tolist(), arrays["p_female"])
    for line in table(doubt, _sources(groups, split)):
        click.echo(line)
    if sheet is not None:
        order = np.argsort(-np.nan_to_num(doubt), kind="stable")[:_MOST]
        with whole_file(sheet, overwrite=True) as part:
            contact_sheet(split, order, doubt).save(part, "JPEG", quality=88)
        click.echo(f"wrote {sheet}")


if __name__ == "__main__":
    main()
