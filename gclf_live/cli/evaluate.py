"""``gclf-live evaluate``: how often a checkpoint is right."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gclf_live.cli.options import (
    choose_threshold,
    json_option,
    load_classifier,
    model_options,
    print_json,
    say,
)
from gclf_live.errors import ExitCode

if TYPE_CHECKING:
    from gclf_live.evaluation.report import Report
    from gclf_live.model.classifier import Classifier


@click.command(short_help="Measure a checkpoint on labelled folders.")
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
    help="A table whose column 'file' holds the end of each picture's path; figures are given for each value "
    "of its other columns, 'age' in bands.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Write a page with plots and the surest mistakes, the figures, and every prediction to this folder.",
)
@click.option("--overwrite", is_flag=True, help="Replace a report that is in DIR.")
@model_options
@json_option
def evaluate(
    data: Path,
    faces: str,
    groups: Path | None,
    output: Path | None,
    overwrite: bool,
    weights: Path | None,
    device: str,
    threshold: float | None,
    max_error: float | None,
    as_json: bool,
) -> int:
    """Measure a checkpoint on DATA/CLASS: accuracy, recall, confusion, calibration, by group.

    Every figure comes with its 95 % interval. A picture in which no face is found is counted and listed,
    not left out in silence. Exit code 3 if a file could not be read.
    """
    from gclf_live.evaluation.folder import check_folder, write_report
    from gclf_live.evaluation.text import report_lines

    if output is not None:
        check_folder(output, overwrite=overwrite)
    classifier = load_classifier(weights, device)
    if faces == "detect" and classifier.meta.recipe == "readme":
        say(
            "the checkpoint learned from whole pictures (recipe readme), and faces are cut out of these, as "
            "in live use; --faces whole measures it on pictures as it learned them"
        )
    report = _measure(
        data,
        classifier,
        faces=faces,
        groups=groups,
        threshold=choose_threshold(classifier, threshold, max_error),
    )
    if output is not None:
        name = f"{weights.name if weights is not None else 'gclf-live'} on {data.resolve().name}"
        write_report(output, report, name=name, overwrite=overwrite)
        say(f"wrote {str(output / 'index.html')!r}")
    if as_json:
        print_json(report.as_json())
    else:
        for line in report_lines(report):
            click.echo(line)
    return ExitCode.SOME_FAILED if report.answers.unreadable else ExitCode.DONE


def _measure(
    data: Path, classifier: Classifier, *, faces: str, groups: Path | None, threshold: float
) -> Report:
    """Classify the pictures and work out the figures; what is passed over is said on standard error."""
    from gclf_live.evaluation.answers import classify_pictures
    from gclf_live.evaluation.cutting import FaceSearch
    from gclf_live.evaluation.groups import make_groups
    from gclf_live.evaluation.labelled import list_pictures
    from gclf_live.evaluation.report import make_report
    from gclf_live.groups_table import read_groups_table
    from gclf_live.output.progress import progress_bar

    pictures = list_pictures(data, classifier.classes)
    # Read first: a mistake in it should not show only after all pictures have been classified.
    table = read_groups_table(groups, pictures.folder, pictures.files) if groups is not None else None
    for note in (*pictures.notes, *(table.notes if table is not None else ())):
        say(note)
    with progress_bar("evaluating", unit="pictures") as advance:
        answers = classify_pictures(pictures, classifier, search=FaceSearch(faces), advance=advance)
    made, notes = make_groups(answers, table)
    for note in notes:
        say(note)
    return make_report(answers, made, threshold=threshold)
