"""``gclf-live audit``: a person labels a sample of the tracks, and the labels' own errors come out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gclf_live.cli.audit_flows import ask_in_terminal, ask_in_window, decode_crops, write_sheets
from gclf_live.cli.options import json_option, print_json, say
from gclf_live.errors import DisplayError, SourceError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gclf_live.records import U8
    from gclf_live.screentime.audit_answers import AnswersFile, AuditPlan
    from gclf_live.screentime.audit_results import ResultFile
    from gclf_live.screentime.audit_session import AuditSession

_DEFAULT_COUNT = 200
_DEFAULT_SEED = 0


@click.command(short_help="Label a sample of the faces yourself and see how often the tool is right.")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RESULT...")
@click.option(
    "-n",
    "--count",
    type=click.IntRange(min=1),
    metavar="N",
    help=f"How many tracks to label; {_DEFAULT_COUNT} unless given.",
)
@click.option(
    "--answers",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Where the answers are kept (.jsonl); audit.jsonl beside the first RESULT unless given. An "
    "audit that is in it already goes on.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"Of the draw; {_DEFAULT_SEED} unless given. The same seed asks about the same tracks.",
)
@click.option(
    "--window/--no-window",
    default=None,
    help="Show one face after the other, or ask in the terminal beside a contact sheet. Default: a window "
    "where there is a display.",
)
@click.option("--summary", is_flag=True, help="Ask nothing; print what the answers so far come to.")
@click.option(
    "--compare",
    type=click.Path(path_type=Path),
    metavar="OTHER.jsonl",
    help="Ask nothing; compare the answers with another person's to the same sample (Cohen's kappa).",
)
@click.option("--allow-mixed", is_flag=True, help="Audit results of different weights and settings together.")
@json_option
def audit(
    results: tuple[Path, ...],
    count: int | None,
    answers: Path | None,
    seed: int | None,
    window: bool | None,
    summary: bool,
    compare: Path | None,
    allow_mixed: bool,
    as_json: bool,
) -> None:
    """Draw a sample of the tracks in RESULT..., show each to you, and take your label for it.

    RESULT is a file of annotate --result, or a folder with such files. What the tool said is not shown
    before you answer. Each answer is stored at once: stop with q and go on later with the same command.

    At the end: how often the labels are right on this footage, and the share of screen time corrected by
    your answers, with 95 % intervals. See docs/audit.md.
    """
    from gclf_live.screentime.audit_results import hash_results, match_results
    from gclf_live.screentime.gather import find_results

    files = hash_results(find_results(results))
    path = answers if answers is not None else _beside(results[0])
    only_read = summary or compare is not None
    if not only_read and not path.exists():
        _begin(path, files, count=count, seed=seed, allow_mixed=allow_mixed)
    with _opened(path, read_only=only_read) as stored:
        paths = match_results(files, stored.plan)
        _check_asked(path, stored.plan, count=count, seed=seed)
        if stored.dropped:
            say(f"the last line of {str(path)!r} was cut off and is dropped; the answers before it are whole")
        if compare is not None:
            _compare(stored, compare, as_json=as_json)
            return
        if not summary:
            _ask(stored, paths, window=window)
        _print_summary(stored, as_json=as_json)


def _beside(result: Path) -> Path:
    from gclf_live.screentime.audit_answers import DEFAULT_NAME

    return (result if result.is_dir() else result.parent) / DEFAULT_NAME


def _begin(
    path: Path, files: list[ResultFile], *, count: int | None, seed: int | None, allow_mixed: bool
) -> None:
    """Draw the sample and write the file."""
    from gclf_live.screentime.audit_answers import begin_audit
    from gclf_live.screentime.audit_results import make_plan, read_input

    plan = make_plan(
        read_input(files, allow_mixed=allow_mixed),
        count=_DEFAULT_COUNT if count is None else count,
        seed=_DEFAULT_SEED if seed is None else seed,
    )
    begin_audit(path, plan)
    say(f"a new audit; the answers go to {str(path)!r}")


def _opened(path: Path, *, read_only: bool) -> AnswersFile:
    from gclf_live.screentime.audit_answers import AnswersFile

    if not path.exists():
        raise SourceError(
            f"no answers at {str(path)!r}; name their file with --answers, or begin without --summary and "
            "--compare"
        )
    return AnswersFile(path, read_only=read_only)


def _check_asked(path: Path, plan: AuditPlan, *, count: int | None, seed: int | None) -> None:
    for option, asked, begun in (("-n", count, plan.count), ("--seed", seed, plan.seed)):
        if asked is not None and asked != begun:
            raise UsageError(
                f"{option} {asked} was given, but the audit in {str(path)!r} was begun with {option} {begun}"
                ". Leave it out to go on, or name another file with --answers"
            )


def _ask(stored: AnswersFile, paths: list[Path], *, window: bool | None) -> None:
    """Ask in the way that was asked for, or that is possible."""
    from gclf_live.screentime.audit_results import read_crops
    from gclf_live.screentime.audit_session import AuditSession

    faces = decode_crops(read_crops(paths, stored.plan))
    session = AuditSession(stored)
    try:
        if window is False or not _asked_in_window(session, faces, insist=window is True):
            ask_in_terminal(session, write_sheets(stored.path, faces))
    except KeyboardInterrupt as error:
        error.add_note(_where(session))
        raise
    say(_where(session))


def _asked_in_window(session: AuditSession, faces: Sequence[U8], *, insist: bool) -> bool:
    """Ask in a window; False where there is none to be had, an error if somebody insists on it."""
    try:
        ask_in_window(session, faces)
    except DisplayError as error:
        if insist:
            raise
        say(f"{str(error).split('. ')[0]}; asking in the terminal instead")
        return False
    return True


def _where(session: AuditSession) -> str:
    done = f"{session.answered:,} of {session.total:,} tracks have an answer"
    return done if session.answered == session.total else f"{done}; the same command goes on from there"


def _print_summary(stored: AnswersFile, *, as_json: bool) -> None:
    from gclf_live.screentime.audit_summary import summarise
    from gclf_live.screentime.audit_text import summary_document, summary_lines

    found = summarise(stored.plan, stored.answers)
    if found is None:
        say("no track has an answer yet, so there is nothing to sum up")
    if as_json:
        drawn = len(stored.plan.sample.drawn)
        print_json({"drawn": drawn, "answered": 0} if found is None else summary_document(found))
    elif found is not None:
        for line in summary_lines(found):
            click.echo(line)


def _compare(stored: AnswersFile, other: Path, *, as_json: bool) -> None:
    from gclf_live.screentime.audit_agreement import compare_answers
    from gclf_live.screentime.audit_text import agreement_document, agreement_lines

    with _opened(other, read_only=True) as second:
        if not stored.plan.same_sample(second.plan):
            raise UsageError(
                f"{str(other)!r} asks about other tracks than {str(stored.path)!r}. Two people's audits can "
                "be compared if they have the same results, -n and --seed"
            )
        agreement = compare_answers(stored.answers, second.answers, stored.plan.classes)
    if agreement is None:
        raise UsageError(
            f"{str(stored.path)!r} and {str(other)!r} have no answered track in common. Answer some in both"
        )
    if as_json:
        print_json(agreement_document(agreement, stored.plan.classes))
    else:
        for line in agreement_lines(agreement):
            click.echo(line)
