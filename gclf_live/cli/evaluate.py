"""``gclf-live evaluate``: how often a checkpoint is right."""

from __future__ import annotations

from pathlib import Path

import click

from gclf_live.cli.options import json_option, load_classifier, print_json
from gclf_live.errors import DatasetError


@click.command()
@click.argument("data", type=click.Path(path_type=Path), metavar="DATA")
@click.option(
    "--faces",
    type=click.Choice(["detect", "whole"]),
    default="detect",
    show_default=True,
    help="Classify the largest face near the middle, or the whole picture.",
)
@click.option(
    "--groups",
    type=click.Path(path_type=Path),
    metavar="CSV",
    help="A table with a column 'file'; its other columns become rows of the report.",
)
@click.option(
    "--weights",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Checkpoint to measure instead of the one that comes with gclf-live.",
)
@click.option(
    "--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]", help="Where the network runs."
)
@json_option
def evaluate(
    data: Path, faces: str, groups: Path | None, weights: Path | None, device: str, as_json: bool
) -> None:
    """Measure a checkpoint on DATA/CLASS: accuracy, recall, confusion, calibration, by group.

    A picture in which no face is found is counted and listed, not left out in silence.
    """
    from gclf_live.output.progress import progress_bar
    from gclf_live.pipeline.evaluate import FaceSearch, iterate_table
    from gclf_live.pipeline.evaluate import evaluate as measure

    if not data.is_dir():
        raise DatasetError(f"no folder {str(data)!r}; wanted is a folder with one folder of pictures a class")
    classifier = load_classifier(weights, device)
    with progress_bar("evaluating", unit="pictures") as advance:
        measured = measure(data, classifier, search=FaceSearch(faces), groups_csv=groups, advance=advance)
    document = measured.as_json()
    if as_json:
        print_json(document)
    else:
        for line in iterate_table(document):
            click.echo(line)
