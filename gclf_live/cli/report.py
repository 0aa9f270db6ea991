"""``gclf-live report``: screen time by class, from one or many results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from gclf_live.cli.options import json_option, print_json, say
from gclf_live.errors import ExitCode


@click.command(short_help="Screen time by class, with intervals, from results.")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RESULT...")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="R.html|R.json",
    help="Write the report as a page that needs nothing beside it, or as JSON.",
)
@click.option("--overwrite", is_flag=True, help="Replace the report if it exists.")
@click.option(
    "--allow-mixed",
    is_flag=True,
    help="Add up results of different weights and settings, which are otherwise refused.",
)
@click.option(
    "--once",
    is_flag=True,
    help="Count a video that is there twice once, by its first result; otherwise it is refused.",
)
@click.option("--privacy", is_flag=True, help="No faces and no timeline in the report, sums alone.")
@json_option
def report(
    results: tuple[Path, ...],
    output: Path | None,
    overwrite: bool,
    allow_mixed: bool,
    once: bool,
    privacy: bool,
    as_json: bool,
) -> int:
    """Add up the screen time in RESULT..., files of annotate --result or folders that hold some.

    Prints seconds and share of each class, with what was unsure and what does not count beside them. The
    share is corrected for the classifier's errors and has a 95 % interval; docs/screen-time.md says how.
    Of the folder of an archive, it names the videos that failed or are not finished.
    """
    from gclf_live.archive.unmeasured import unmeasured
    from gclf_live.output.progress import progress_bar
    from gclf_live.screentime.gather import NoResultsError, find_results, read_results
    from gclf_live.screentime.page import check_suffix, write_report
    from gclf_live.screentime.report import make_report
    from gclf_live.screentime.report_text import report_lines
    from gclf_live.screentime.result import without_people
    from gclf_live.whole_file import check_output
    from gclf_live.wording import some

    if output is not None:
        check_suffix(output)
        check_output(output, overwrite=overwrite)
    not_done = list(dict.fromkeys(line for path in results if path.is_dir() for line in unmeasured(path)))
    try:
        paths = find_results(results)
    except NoResultsError as error:
        if not not_done:
            raise
        raise NoResultsError(
            f"nothing is measured yet ({some(not_done, 1)}). Run the same annotate command again, it goes on"
        ) from error
    with progress_bar("reading", unit="results") as advance:
        found = read_results(
            paths, allow_mixed=allow_mixed, once=_say_left_out if once else None, advance=advance
        )
    made = make_report([without_people(each) for each in found] if privacy else found, not_done=not_done)
    if output is not None:
        write_report(output, made, overwrite=overwrite)
        say(f"wrote {str(output)!r}")
    if as_json:
        print_json(made.as_json())
    else:
        for line in report_lines(made):
            click.echo(line)
    return ExitCode.DONE


def _say_left_out(paths: Sequence[Path]) -> None:
    from gclf_live.wording import some

    named = some([repr(str(path)) for path in paths], 1)
    say(f"left out, as the same video is there already: {named}")
